use super::*;

#[test]
fn without_chapters() {
    let nothing = Fixture::new();
    std::fs::remove_dir_all(nothing.root().join("chapters")).unwrap();
    let expected =
        "chapters/SUMMARY.md:1: list two chapters or more before the appendices";
    assert_eq!(found(&nothing), [expected]);
}

defects! {
    a_page_that_is_not_written:
        replace(SUMMARY, "\n---", "- [Three](three/index.md)\n\n---")
        => SUMMARY, 5, "write this page, or do not list it: \"three/index.md\"";
    a_draft:
        replace(SUMMARY, "\n---", "- [Three]()\n\n---")
        => SUMMARY, 5, "write this page, or do not list it: \"\"";
    a_page_that_is_not_listed:
        write("chapters/two/more.md", "# More")
        => "chapters/two/more.md", 1, "no reader finds this page";
    a_first_page_in_a_folder:
        write(SUMMARY, "- [Two](two/index.md)\n- [One](one.md)\n---\n[Words](words.md)")
        => SUMMARY, 1, "move the first page into chapters/ itself";
    too_few_chapters:
        replace(SUMMARY, "- [Two](two/index.md)\n\n---", "---\n\n[Two](two/index.md)")
        => SUMMARY, 1, "list two chapters or more";
}

const EXERCISE: &str = "chapters/exercises/01_one.md";

/// A book with an exercise.
fn with_an_exercise() -> Fixture {
    let fixture = Fixture::new();
    let hint =
        |n| format!("<details>\n<summary>Hint {n}</summary>\n\nLook.\n\n</details>\n\n");
    let hints: String = (1..=3).map(hint).collect();
    let text = format!(
        "# One\n\n*20 minutes. Before: nothing.*\n\n## Goal\n\n{}\n\n## What to do\n\n\
         ## Hints\n\n{hints}## Afterwards\n",
        "word ".repeat(200)
    );
    fixture.write(EXERCISE, &text);
    fixture.insert(
        SUMMARY,
        "# Summary\n\n- [One](one.md)\n",
        "- [E](exercises/01_one.md)\n",
    );
    for file in ["check.rs", "exercise.rs", "solution.rs"] {
        fixture.write(&format!("exercises/01_one/{file}"), "");
    }
    fixture
}

#[test]
fn exercises() {
    assert_eq!(found(&with_an_exercise()), Vec::<String>::new());
    let break_it: [(&str, &str, &str, &str); 4] = [
        (EXERCISE, "*20", "*5", "make this an exercise of 10 to 60 minutes, not 5"),
        (EXERCISE, "Hint 3", "More", "fold away Hint 1, Hint 2 and Hint 3"),
        (EXERCISE, "## Hints", "## Help", "give an exercise these sections"),
        (EXERCISE, "*20 minutes. Before: nothing.*", "Now.", "say how long it takes"),
    ];
    for (file, old, new, message) in break_it {
        let fixture = with_an_exercise();
        fixture.replace(file, old, new);
        let found = found(&fixture);
        assert!(found.len() == 1 && found[0].contains(message), "{found:#?}");
    }
}

#[test]
fn an_exercise_without_a_page_and_a_page_without_an_exercise() {
    let fixture = with_an_exercise();
    fixture.write("exercises/02_two/check.rs", "");
    std::fs::remove_file(fixture.root().join("exercises/01_one/solution.rs")).unwrap();
    let expected = [
        format!("{EXERCISE}:1: write exercises/01_one/solution.rs"),
        "exercises/02_two/check.rs:1: explain this exercise: write \
         chapters/exercises/02_two.md"
            .to_string(),
    ];
    assert_eq!(found(&fixture), expected);
}

in_order! {
    appendices_below_a_title:
        replace(SUMMARY, "---\n\n[Words]", "# Appendices\n\n- [Words]");
    pages_for_teachers_below_a_title:
        replace(SUMMARY, "---\n\n[Words]", "# For teachers\n\n- [Words]");
    a_line_between_parts:
        replace(SUMMARY, "- [Two]", "\n---\n\n- [Two]");
}
