use super::*;

const LESSON: &str = "chapters/teachers/lesson_01.md";

/// A book with a lesson.
fn with_a_lesson() -> Fixture {
    let fixture = Fixture::new();
    let text = "# One\n\n## Goal\n\nA.\n\n## On the screen\n\nB.\n\n## Type\n\n\
        ```sh\ncargo run\n```\n\n## Ask\n\nC.\n\n## Mistakes to make\n\nD.\n\n\
        ## Where classes get stuck\n\nE.\n";
    fixture.write(LESSON, text);
    fixture.insert(SUMMARY, "\n---\n", "\n[Lesson](teachers/lesson_01.md)\n");
    fixture
}

#[test]
fn lessons() {
    assert_eq!(found(&with_a_lesson()), Vec::<String>::new());
    let break_it = [
        ("## Ask", "## Questions", "give a lesson these sections"),
        ("## Ask\n\nC.\n\n", "", "give a lesson these sections"),
        ("\nE.\n", "", "25: write something below this"),
        ("```sh\ncargo run\n```\n", "X.\n", "11: say what to type"),
    ];
    for (old, new, message) in break_it {
        let fixture = with_a_lesson();
        fixture.replace(LESSON, old, new);
        let found = found(&fixture);
        assert!(found.len() == 1 && found[0].contains(message), "{found:#?}");
    }
}
