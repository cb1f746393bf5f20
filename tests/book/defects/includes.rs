use super::*;

defects! {
    of_a_file_that_is_missing:
        replace(ONE, "net.rs:listen}}", "nut.rs:listen}}")
        => ONE, 12, "there is no text file src/nut.rs";
    of_an_anchor_that_is_missing:
        replace(ONE, "net.rs:listen}}", "net.rs:lesson}}")
        => ONE, 12, "src/net.rs has no anchor lesson";
    of_nothing:
        write("src/whole.rs", "\n")
        => ONE, 45, "src/whole.rs has nothing to show";
    of_a_whole_file_with_anchors:
        replace(ONE, "net.rs:listen}}", "net.rs}}")
        => ONE, 12, "include an anchor of src/net.rs";
    of_what_includes_something:
        replace(CODE, "fn listen() {}", concat!("//! `{{#", "include …}}`"))
        => ONE, 12, "say it without braces in src/net.rs";
    of_lines_by_number:
        replace(ONE, "net.rs:listen}}", "net.rs:2:3}}")
        => ONE, 12, "set an anchor in src/net.rs";
    from_outside_of_the_repository:
        replace(ONE, "../src/net.rs:listen", "../../src/net.rs:listen")
        => ONE, 12, "../../src/net.rs leads out";
    below_a_list:
        insert(ONE, "```rust\n", "  ")
        => ONE, 12, "put this alone on its line";
    in_a_sentence:
        replace(ONE, "The second one", "The `{{#include sessions/run.txt}}`")
        => ONE, 36, "put this alone on its line";
    of_text_outside_blocks:
        replace(ONE, "{{#include figures/wait.svg}}", "{{#include sessions/run.txt}}")
        => ONE, 29, "put this into a block";
    playground:
        replace(ONE, "#include ../src/net", "#playground ../src/net")
        => ONE, 12, "include a file instead of {{#playground}}";
}

#[test]
fn of_a_file_whose_changes_are_not_seen() {
    let fixture = Fixture::new();
    fixture.write("peers/whole.rs", "fn whole() {}\n");
    let listing = "\n*peers/whole.rs*\n\n```rust\n{{#include ../peers/whole.rs}}\n```\n";
    fixture.insert(
        TWO,
        "*5 minutes. Before: [one](../one.md).*\n",
        &listing.replace("../", "../../"),
    );
    let expected = format!("{TWO}:8: add \"peers\" to extra-watch-dirs");
    let before = found(&fixture);
    assert!(before.len() == 1 && before[0].starts_with(&expected), "{before:#?}");
    fixture.replace(BOOK, "[\"src\"", "[\"peers\", \"src\"");
    assert_eq!(found(&fixture), Vec::<String>::new());
}

#[test]
fn of_a_generated_table() {
    let fixture = Fixture::new();
    fixture.write("chapters/tables/run.txt", "| a |\n|---|\n| 1 |\n");
    let (figure, table) =
        ("{{#include figures/wait.svg}}", "{{#include tables/run.txt}}");
    fixture.replace(ONE, figure, table);
    assert_eq!(found(&fixture), Vec::<String>::new());
}

in_order! {
    with_hidden_lines:
        replace(ONE, "#include ../src/net", "#rustdoc_include ../src/net");
    escaped:
        replace(ONE, "The second one", "The `\\{{#include sessions/run.txt}}`");
}
