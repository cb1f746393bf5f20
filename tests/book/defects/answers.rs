use super::*;

defects! {
    not_closed:
        replace(ONE, "</details>", "")
        => ONE, 33, "close this <details>";
    not_opened:
        insert(ONE, "</details>", "\n</details>")
        => ONE, 39, "drop this: no <details> is open";
    without_summary:
        replace(ONE, "<summary>Who waits?</summary>\n", "")
        => ONE, 33, "say in a <summary> what is folded";
    with_an_empty_summary:
        replace(ONE, "Who waits?", "<b></b>")
        => ONE, 34, "say in the <summary> what is folded";
    that_are_not_rendered:
        replace(ONE, "</summary>\n\n", "</summary>\n")
        => ONE, 34, "leave a line empty below this";
    beside_the_summary:
        replace(ONE, "</summary>\n\n", "</summary> Nobody.\n\n")
        => ONE, 34, "leave a line empty below this";
}

in_order! {
    with_marked_summary:
        replace(ONE, "<details>\n<summary>Who", "<details><summary><b>Who</b>");
    in_an_answer:
        insert(ONE, "says.\n", "<details>\n<summary>`x`</summary>\n\n</details>\n");
}
