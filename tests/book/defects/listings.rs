use super::*;

defects! {
    typed_by_hand:
        replace(ONE, "{{#include ../src/net.rs:listen}}", "fn listen() {}")
        => ONE, 12, "include this, do not type it: fn listen() {}";
    typed_beside_an_include:
        insert(ONE, "net.rs:listen}}", "\n// and so on")
        => ONE, 13, "include this, do not type it: // and so on";
    typed_as_python:
        replace(ONE, "```sh\ncargo run", "```python\nrun()")
        => ONE, 18, "include this, do not type it: run()";
    typed_in_a_quotation:
        replace(ONE, "The second one", "> ```rust\n> fn x() {}\n> ```\n\nThe second")
        => ONE, 37, "include this, do not type it";
    empty:
        replace(ONE, "{{#include ../src/net.rs:listen}}\n", "")
        => ONE, 11, "include something here";
    of_two_files:
        insert(ONE, "net.rs:listen}}", "\n{{#include ../src/whole.rs}}")
        => ONE, 13, "give src/whole.rs a block of its own: this is src/net.rs";
    without_caption:
        replace(ONE, "*src/net.rs: listening*, where it starts:", "It starts:")
        => ONE, 11, "name the file in a line above: *src/net.rs*";
    with_the_caption_of_another:
        replace(ONE, "*src/net.rs: listening*", "*src/nut.rs: listening*")
        => ONE, 9, "caption what is included: *src/net.rs*, not *src/nut.rs*";
    with_a_caption_from_the_page:
        replace(ONE, "*src/whole.rs*", "*../src/whole.rs*")
        => ONE, 42, "caption what is included: *src/whole.rs*";
    of_a_shell_script_without_caption:
        replace(ONE, "cargo run", "{{#include ../src/whole.rs}}")
        => ONE, 17, "name the file in a line above: *src/whole.rs*";
    in_no_language:
        replace(ONE, "```sh", "```")
        => ONE, 17, "say what this is, rust";
    in_a_language_by_another_name:
        replace(ONE, "```rust\n", "```rs\n")
        => ONE, 11, "say what this is, rust";
    not_closed:
        insert(WORDS, "run.rs:run}}\n```\n", "\n```text\nand so on")
        => WORDS, 20, "close this block";
    console_typed_by_hand:
        replace(ONE, "{{#include sessions/run.txt}}", "$ cargo run\nlistening")
        => ONE, 22, "include this, do not type it: $ cargo run";
    console_that_is_not_recorded:
        replace(ONE, "sessions/run.txt", "diffs/two.diff")
        => ONE, 22, "include one of sessions/*.txt";
    console_of_two_sessions:
        insert(ONE, "sessions/run.txt}}", "\n{{#include sessions/run.txt}}")
        => ONE, 23, "give each file a block of its own";
    console_of_an_empty_recording:
        write(SESSION, "")
        => ONE, 22, "chapters/sessions/run.txt has nothing to show";
    commands_with_a_prompt:
        replace(ONE, "cargo run", "cargo build\n$ cargo run")
        => ONE, 19, "write the command without `$ `";
    diff_typed_by_hand:
        replace(ONE, "{{#include diffs/two.diff}}", "-one\n+two")
        => ONE, 26, "include this, do not type it: -one";
    diff_that_is_not_generated:
        replace(ONE, "diffs/two.diff", "sessions/run.txt")
        => ONE, 26, "include one of diffs/*.diff";
    diff_that_shows_anchors:
        write(DIFF, "+// ANCHOR: two\n")
        => ONE, 26, "include an anchor of chapters/diffs/two.diff";
}

in_order! {
    of_two_anchors:
        insert(ONE, "net.rs:listen}}", "\n\n{{#include ../src/net.rs:rest}}");
    with_a_caption_below_prose:
        replace(ONE, "*src/whole.rs*", "That is all of it:\n*src/whole.rs*");
}
