use super::*;

defects! {
    not_closed:
        replace(CODE, "// ANCHOR_END: spare\n", "")
        => CODE, 5, "close this with ANCHOR_END: spare";
    not_started:
        replace(CODE, "// ANCHOR: spare\n", "")
        => CODE, 6, "start an anchor spare above";
    ended_before_it_starts:
        write("a.py", "# ANCHOR_END: a\n# ANCHOR: a\npass\n# ANCHOR_END: a\n")
        => "a.py", 1, "start an anchor a above";
    twice:
        replace(CODE, "fn spare() {}", "# ANCHOR: listen\nx\n# ANCHOR_END: listen")
        => CODE, 6, "use another name";
    empty:
        replace(CODE, "fn spare() {}", "")
        => CODE, 5, "put something into the anchor spare";
}

in_order! {
    one_in_another:
        replace(CODE, "fn listen() {}", "1\n  # ANCHOR: in\n2\n  # ANCHOR_END: in");
    two_that_overlap:
        write("a.py", "#ANCHOR: a\n1\n#ANCHOR: b\n2\n#ANCHOR_END: a\n#ANCHOR_END: b");
}
