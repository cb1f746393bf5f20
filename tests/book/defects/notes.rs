use super::*;

defects! {
    not_closed:
        replace(ONE, "</aside>\n", "")
        => ONE, 66, "close this <aside>";
    not_opened:
        insert(ONE, "</aside>\n", "\n</aside>\n")
        => ONE, 72, "drop this: no <aside> is open";
    in_another:
        insert(ONE, "for the answers.\n", "\n<aside class=\"teacher\">\n\nAnd wait.\n")
        => ONE, 70, "close the <aside> above first";
    for_nobody:
        replace(ONE, "<aside class=\"teacher\">", "<aside>")
        => ONE, 66, "say whom this is for: <aside class=\"teacher\">";
    that_are_not_rendered:
        replace(ONE, "\"teacher\">\n\n", "\"teacher\">\n")
        => ONE, 66, "leave a line empty above and below this";
    whose_end_is_not_seen:
        replace(ONE, "answers.\n\n</aside>", "answers.\n</aside>")
        => ONE, 69, "leave a line empty above this";
    with_a_heading:
        insert(ONE, "for the answers.\n", "\n## The answers\n")
        => ONE, 70, "write no heading into a note for the teacher";
    of_nothing:
        replace(ONE, "Wait for the answers.", "—")
        => ONE, 66, "write something into this note";
    too_long:
        insert(ONE, "for the answers.\n", &format!("{}\n", "more ".repeat(117)))
        => ONE, 66, "121 words are no note: 120 at most";
}

in_order! {
    with_code:
        insert(ONE, "for the answers.\n", "\n```sh\ncargo run\n```\n");
    are_not_read_by_readers:
        replace(TWO, ".*\n", &format!(".*\n{}", "\n<aside class=\"teacher\">\n\nword \
            word word\n\n</aside>\n".repeat(400)));
}
