use super::*;

defects! {
    with_the_minutes_of_another_page:
        replace(ONE, "| 5 | [Words](words.md)", "| 6 | [Two](two/index.md)")
        => ONE, 74, "what is linked to takes 5 minutes, not 6";
    with_the_minutes_of_one_of_two_pages:
        replace(ONE, "[Words](words.md) |", "[Two](two/index.md#the-end), [one](one.md) |")
        => ONE, 74, "what is linked to takes 10 minutes, not 5";
    with_a_wrong_beginning:
        replace(ONE, "| 0:05 | 10 |", "| 0:06 | 10 |")
        => ONE, 75, "this begins at 0:05, not 0:06";
    with_a_wrong_end:
        replace(ONE, "| 0:15 | **15** |", "| 0:20 | **15** |")
        => ONE, 76, "this begins at 0:15, not 0:20";
    with_a_wrong_sum:
        replace(ONE, "**15**", "**20**")
        => ONE, 76, "the sum is **15**, not **20**";
    without_minutes:
        replace(ONE, "| 0:15 | **15** |", "| 0:15 | some | More |\n| 0:15 | **15** |")
        => ONE, 76, "say how many minutes this takes, not some";
}

#[test]
fn of_a_page_that_takes_longer() {
    let fixture = Fixture::new();
    fixture.replace(ONE, "[Words](words.md) |", "[Two](two/index.md) |");
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.replace(TWO, "*5 minutes", "*7 minutes");
    let expected = "chapters/one.md:74: what is linked to takes 7 minutes, not 5: write\n\
        | 0:00 | 7 | [Two](two/index.md) |\n\
        | 0:07 | 10 | A break |\n\
        | 0:17 | **17** | The end |";
    assert_eq!(found(&fixture), [expected]);
}

in_order! {
    with_another_below:
        insert(ONE, "| The end |\n", "\n| At | Minutes |\n|---|---|\n| 0:00 | **0** |\n");
    elsewhere:
        insert(WORDS, "go on\n", "\n| At | noon |\n|---|---|\n| 0:07 | now |\n");
}
