use super::stage::{STAGE, the_defect_after, with_a_stage};
use super::*;

#[test]
fn of_a_page() {
    let break_it = [
        ("1. One.\n2. Two.\n", "One, or two?\n", "give 2 to 5 choices"),
        ("1. One.\n2. Two.\n", "1. One.\n", "give 2 to 5 choices"),
        (
            "1. There are more.\n",
            "",
            "say of each choice why it is right or wrong: 2 items",
        ),
        ("**Right.** One", "One", "begin one of these answers with **Right.**, not 0"),
        ("There are", "**Right.** There are", "begin one of these answers with"),
        (
            "\nHow many?",
            "```sh\ncargo run\n```\n\nHow many?",
            "put this below the choices",
        ),
    ];
    for (old, new, message) in break_it {
        let minutes = if new.contains("cargo") { "*10 minutes" } else { "*8 minutes" };
        let found = the_defect_after(&[(old, new), ("*8 minutes", minutes)]);
        assert!(found.contains(message), "{old}: {found}");
    }
}

#[test]
fn of_a_page_without_an_answer() {
    let found = the_defect_after(&[
        ("<summary>The answer", "<summary>Another answer"),
        ("<details>\n<summary>Another", "## Answers\n\n<details>\n<summary>Another"),
    ]);
    assert!(found.contains("fold the answer away below this"), "{found}");
}

#[test]
fn of_a_page_that_shows_nothing() {
    let block =
        "```sh\ncargo run\n```\n\n```console\n{{#include ../sessions/run.txt}}\n```\n";
    let found = the_defect_after(&[
        (block, "Think.\n"),
        ("## Check yourself", &format!("{block}\n## Check yourself")),
    ]);
    assert!(
        found.contains("show the answer between the choices and <details>"),
        "{found}"
    );
}

#[test]
fn in_bold_text_and_with_lists_around_it() {
    let fixture = with_a_stage();
    fixture.replace(
        STAGE,
        "## Predict first\n\nHow",
        "1. What?\n2. Why?\n\n**Predict first.** How",
    );
    fixture.insert(STAGE, "and one more.\n", "\n3 things:\n\n1. A\n2. B\n3. C\n");
    assert_eq!(found(&fixture), Vec::<String>::new());
}

#[test]
fn on_a_page_of_another_part() {
    let fixture = Fixture::new();
    fixture.insert(
        TWO,
        "## The end\n\n## The end\n\n",
        "**Predict first.** How many?\n\n",
    );
    let message = "chapters/two/index.md:9: fold the answer away below this: <details>";
    assert_eq!(found(&fixture), [message]);
}

/// A book with twenty predictions more: so many have their right answers at each place.
fn with_right_ones(counts: [usize; 3]) -> Fixture {
    let fixture = Fixture::new();
    let prediction = |right| {
        let item = |place| {
            let right = if place == right { "**Right.** " } else { "" };
            format!("{place}. {right}Why.\n")
        };
        let answer: String = (1..=3).map(item).collect();
        format!(
            "**Predict first.** How many?\n\n1. One.\n2. Two.\n3. Three.\n\n\
             <details>\n<summary>The answer</summary>\n\n{answer}\n</details>\n\n"
        )
    };
    let predictions: String = (1..=3)
        .zip(counts)
        .map(|(right, count)| prediction(right).repeat(count))
        .collect();
    fixture.insert(TWO, "## The end\n\n## The end\n\n", &predictions);
    fixture
}

#[test]
fn of_which_one_place_is_hardly_ever_right() {
    for (counts, name) in
        [([3, 8, 9], "first"), ([8, 3, 9], "second"), ([8, 9, 3], "third")]
    {
        let message = format!(
            "chapters/SUMMARY.md:1: let the {name} answer be the right one of more \
             predictions: it is that of 3, and a fifth of 20 is the least"
        );
        assert_eq!(found(&with_right_ones(counts)), [message]);
    }
}

#[test]
fn of_which_each_place_is_right_in_a_fifth() {
    for counts in [[4, 8, 8], [8, 4, 8], [8, 8, 4]] {
        assert_eq!(found(&with_right_ones(counts)), Vec::<String>::new());
    }
}
