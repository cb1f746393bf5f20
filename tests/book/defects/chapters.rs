use super::*;

const STAGE: &str = "chapters/01_one/index.md";

/// A book with the chapter of a stage.
fn with_a_stage() -> Fixture {
    let fixture = Fixture::new();
    let question = |n| {
        format!(
            "{n}. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   \
             Because.\n\n   </details>\n\n"
        )
    };
    let questions: String = (1..=5).map(question).collect();
    let text = format!(
        "# Stage\n\n*5 minutes. Before: nothing.*\n\n```sh\ncargo run\n```\n\n\
         **Predict first.** {}\n\n```console\n{{{{#include ../sessions/run.txt}}}}\n\
         ```\n\n{{{{#include ../figures/wait.svg}}}}\n\n\
         ## Check yourself\n\n{questions}## What comes next\n\n[More](../two/index.md).\n",
        "word ".repeat(400)
    );
    fixture.write(STAGE, &text);
    fixture.insert(SUMMARY, "- [One](one.md)\n", "- [Stage](01_one/index.md)\n");
    fixture
}

#[test]
fn of_a_stage() {
    assert_eq!(found(&with_a_stage()), Vec::<String>::new());
    let break_it = [
        ("cargo run", "make", "let the reader run something in this chapter"),
        ("```console\n{{#include ../sessions/run.txt}}\n```\n", "", "show in this"),
        ("{{#include ../figures/wait.svg}}\n", "", "draw a figure"),
        ("Predict", "Look", "let the reader predict something"),
        ("## What comes next", "## More", "end with ## What comes next"),
        ("two/index.md", "one.md", "lead to the page that comes next: chapters/two"),
        (
            "5. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   Because.\n\n   \
             </details>\n",
            "",
            "ask 5 questions in this chapter, not 4",
        ),
    ];
    for (old, new, message) in break_it {
        let fixture = with_a_stage();
        fixture.replace(STAGE, old, new);
        let found = found(&fixture);
        assert!(found.len() == 1 && found[0].contains(message), "{old}: {found:#?}");
    }
    let fixture = with_a_stage();
    fixture.replace(STAGE, "## Check yourself", "## Questions");
    let found = found(&fixture);
    let last = "chapters/01_one/index.md:1: end with questions: ## Check yourself";
    assert!(found.len() == 2 && found[1] == last, "{found:#?}");
}

defects! {
    of_a_first_part_that_is_too_short:
        replace(SUMMARY, "- [One](one.md)\n", "# Part one: all\n\n- [One](one.md)\n")
        => SUMMARY, 1, "make the first part 15,000 to 25,000 words, not";
}
