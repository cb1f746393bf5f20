use super::*;

const LESSON: &str = "chapters/teachers/lesson_01.md";
const HANDOUT: &str = "chapters/teachers/handout.md";

const TEXT: &str = "# One

## Goal

A.

## Before the class comes

B.

## The lesson

| At | Minutes | What |
|---|---|---|
| 0:00 | 5 | 1. Say `hello` |
| 0:05 | **5** | The end |

### 1. Say hello

C.

## The break

```sh
cargo run
```

D.

## The table, solved

| Question | Answer |
|---|---|
| Who waits | the second |

## Where classes get stuck

E.
";

/// A book with a lesson.
fn with_a_lesson() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(LESSON, TEXT);
    fixture.write(
        HANDOUT,
        "# Hand out\n\n| Question | It was |\n|---|---|\n| Who waits | |\n",
    );
    let links = "\n[Lesson](teachers/lesson_01.md)\n[Hand out](teachers/handout.md)\n";
    fixture.insert(SUMMARY, "\n---\n", links);
    fixture
}

#[test]
fn lessons() {
    assert_eq!(found(&with_a_lesson()), Vec::<String>::new());
    let break_it = [
        (LESSON, "## Goal", "## Goals", "give a lesson these sections"),
        (LESSON, "## Goal\n\nA.\n\n", "", "give a lesson these sections"),
        (LESSON, "\nE.\n", "", "36: write something below this"),
        (LESSON, "```sh\ncargo run\n```\n", "X.\n", "22: say what to type"),
        (LESSON, "### 1. Say hello", "### 1. Say it", "its timetable has the steps"),
        (LESSON, "\n### 1. Say hello\n", "", "its timetable has the steps"),
        (HANDOUT, "Who waits", "Who sleeps", "does not ask: Who waits"),
    ];
    for (path, old, new, message) in break_it {
        let fixture = with_a_lesson();
        fixture.replace(path, old, new);
        let found = found(&fixture);
        assert!(found.len() == 1 && found[0].contains(message), "{found:#?}");
    }
}
