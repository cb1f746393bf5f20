use super::*;

defects! {
    not_stated:
        replace(TWO, "*5 minutes. Before: [one](../one.md).*", "Hello.")
        => TWO, 3, "say how long it takes";
    without_what_comes_before:
        replace(TWO, " Before: [one](../one.md).", "")
        => TWO, 3, "say how long it takes";
    too_short:
        replace(TWO, "*5 minutes", "*4 minutes")
        => TWO, 3, "make this a page of 5 to 15 minutes, not 4";
    too_long:
        replace(ONE, "*5 minutes", "*16 minutes")
        => ONE, 3, "make this a page of 5 to 15 minutes, not 16";
    that_is_wrong:
        replace(TWO, "*5 minutes", "*8 minutes")
        => TWO, 3, "409 words take 4 minutes, not 8";
    of_too_few_words:
        replace(TWO, &"word ".repeat(400), "Word.")
        => TWO, 3, "make this a page of 300 to 1300 words, not 10";
    of_too_many_words:
        replace(TWO, &"word ".repeat(400), &"word ".repeat(1300))
        => TWO, 3, "make this a page of 300 to 1300 words, not 1309";
}

in_order! {
    of_code_is_not_counted:
        insert(TWO, ".*\n", &format!("\n```text\n{}\n```\n", "word ".repeat(1300)));
    of_tags_is_not_counted:
        insert(TWO, ".*\n", &format!("\n<b {}></b>\n", "word ".repeat(1300)));
    of_an_appendix_is_free:
        replace(WORDS, "**ready queue**", &"word ".repeat(1300));
}
