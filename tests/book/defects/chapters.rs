use super::stage::{STAGE, the_defect_after, with_a_stage};
use super::*;

#[test]
fn of_a_stage() {
    assert_eq!(found(&with_a_stage()), Vec::<String>::new());
    let break_it = [
        ("{{#include ../figures/wait.svg}}\n", "", "draw a figure"),
        ("## What comes next", "## More", "end with ## What comes next"),
        ("two/index.md", "one.md", "lead to the page that comes next: chapters/two"),
        ("cargo xtask fix", "cargo xtask fox", "take the break back on this page"),
        (
            "5. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   Because.\n\n   \
             </details>\n",
            "",
            "ask 5 questions in this chapter, not 4",
        ),
        ("Predict first", "Look first", "let the reader predict something"),
        ("cargo xtask break slow", "cargo xtask test", "let the reader break the server"),
        (
            "```console\n{{#include ../sessions/run.txt}}\n```\n",
            "",
            "show in this chapter what a terminal shows",
        ),
        ("How many?", "How many has epoll?", "leave epoll to the later chapters"),
        ("How many?", "How many has `io_uring`?", "leave io_uring to the later chapters"),
    ];
    for (old, new, message) in break_it {
        let found = the_defect_after(&[(old, new)]);
        assert!(found.contains(message), "{old}: {found}");
    }
    let fixture = with_a_stage();
    fixture.replace(STAGE, "## Check yourself", "## Questions");
    let found = found(&fixture);
    let last = "chapters/01_one/index.md:1: end with questions: ## Check yourself";
    assert!(found.len() == 2 && found[1] == last, "{found:#?}");
}

#[test]
fn of_a_stage_whose_listing_speaks_of_later_ones() {
    for comment in ["// As stage 05 does.", "// `epoll` is told."] {
        let fixture = with_a_stage();
        fixture.replace(
            "src/net.rs",
            "fn listen() {}",
            &format!("fn listen() {{}} {comment}"),
        );
        let found = found(&fixture);
        let is_said = |it: &&String| it.contains("to the later chapters: src/net.rs");
        assert_eq!(found.iter().filter(is_said).count(), 1, "{found:#?}");
    }
}

#[test]
fn of_a_stage_in_which_nothing_is_run() {
    let fixture = with_a_stage();
    let text = std::fs::read_to_string(fixture.root().join(STAGE)).unwrap();
    fixture.write(STAGE, &text.replace("cargo ", "make "));
    let found = found(&fixture);
    let is_said = |it: &String| it.contains("let the reader run something");
    assert!(found.iter().any(is_said), "{found:#?}");
}

#[test]
fn of_a_stage_that_speaks_of_later_ones_where_it_may() {
    let fixture = with_a_stage();
    fixture.insert(STAGE, "[More](../two/index.md)", ", with epoll");
    fixture.insert(STAGE, "Look", " [here](https://example.org/epoll)");
    assert_eq!(found(&fixture), Vec::<String>::new());
}
