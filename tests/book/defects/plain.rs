use super::stage::the_defect_after;
use super::*;

#[test]
fn of_words_for_people() {
    let break_it = [
        ("Nobody, whoever. ".repeat(16), "occur 32 times", 30),
        ("Those\nwho know it. ".repeat(11), "occur 11 times", 10),
        ("It is tempting. ".repeat(7), "occur 7 times", 6),
        ("Mend it. ".to_string(), "occur 1 times", 0),
    ];
    for (words, count, most) in break_it {
        let found = the_defect_after(&[("How many?", &format!("{words}How many?"))]);
        let limit = format!("{count} up to the end of 04, {most} at most");
        assert!(found.contains(&limit), "{found}");
        assert!(found.contains("chapters/01_one/index.md: "), "{found}");
    }
}

#[test]
fn of_words_for_people_after_the_first_part() {
    let fixture = Fixture::new();
    let words = "Nobody, whoever. ".repeat(31);
    fixture.insert(TWO, "## The end\n\n## The end\n\n", &format!("{words}\n\n"));
    let found = found(&fixture);
    assert!(
        found[0].contains("occur 62 times after the end of 04, 60 at most"),
        "{found:?}"
    );
    assert!(found[0].contains("chapters/two/index.md: 62"), "{found:?}");
}
