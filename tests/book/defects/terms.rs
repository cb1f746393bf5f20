use super::stage::{STAGE, with_a_stage};
use super::*;
use crate::{Defects, book::Book, budgets, terms};

const GLOSSARY: &str = "chapters/appendix/glossary.md";
const LATER: &str = "chapters/04_four/index.md";

/// A book whose chapter 04 introduces a term; chapter 01 says this.
fn with_a_term(said: &str) -> Fixture {
    let fixture = with_a_stage();
    let text = std::fs::read_to_string(fixture.root().join(STAGE)).unwrap();
    let later = text.replace("Look:", "Look at the *ready queue*:");
    fixture.write(LATER, &later.replace("../01_one", "../04_four"));
    fixture.replace(STAGE, "How many?", &format!("{said} How many?"));
    fixture.replace(STAGE, "../two/index.md", "../04_four/index.md");
    fixture.insert(SUMMARY, "(01_one/index.md)\n", "- [Later](04_four/index.md)\n");
    fixture.insert(SUMMARY, "[Words](words.md)\n", "[Glossary](appendix/glossary.md)\n");
    let entries = "# Glossary\n\nready queue\n: Tasks, in a *queue of tasks*.\n  See \
                   [Later](../04_four/index.md).\n\n`EAGAIN`\n: Not now. \
                   [Later](../04_four/index.md)\n";
    fixture.write(GLOSSARY, entries);
    fixture
}

#[test]
fn that_are_used_before_they_are_explained() {
    let uses = ["A ready queue.", "Ready\nqueues.", "A queue of tasks.", "An `EAGAIN`."];
    for said in uses {
        let mut found = found(&with_a_term(said));
        found.retain(|it| !it.contains("link this at its first use"));
        let expected = "is used here, and explained in chapters/04_four/index.md";
        assert!(found.len() == 1 && found[0].ends_with(expected), "{said}: {found:#?}");
        assert!(found[0].starts_with("chapters/01_one/index.md:"), "{found:#?}");
    }
    let others = [
        "A ready-queue.",
        "A ready\n\nqueue.",
        "A `ready queue`.",
        "An EAGAIN, an `EAGAINST`.",
        "A [ready queue](../04_four/index.md).",
        "Tasks in a queue.",
        "<aside class=\"teacher\">\n\nA ready queue.\n\n</aside>\n\n",
    ];
    for said in others {
        assert_eq!(found(&with_a_term(said)), Vec::<String>::new(), "{said}");
    }
    // What comes next may be named.
    let fixture = with_a_term("");
    fixture.insert(STAGE, "[More](../04_four/index.md)", " has a ready queue");
    let found = found(&fixture);
    assert!(!found.iter().any(|it| it.contains("is used here")), "{found:#?}");
}

#[test]
fn that_no_page_explains() {
    let fixture = with_a_term("");
    fixture.replace(GLOSSARY, "  See [Later](../04_four/index.md).\n", "");
    let expected = "link \"ready queue\" to the page that introduces it";
    assert_eq!(found(&fixture), [format!("{GLOSSARY}:3: {expected}")]);
    let fixture = with_a_term("");
    fixture.replace(LATER, "*ready queue*", "ready queue");
    let expected = "set \"ready queue\" in italics where it is explained";
    assert_eq!(found(&fixture), [format!("{LATER}:1: {expected}")]);
}

/// What is said of links in a third chapter, which says this.
fn links_after(said: &str) -> Vec<String> {
    let fixture = with_a_term("");
    let text = std::fs::read_to_string(fixture.root().join(LATER)).unwrap();
    let text = text.replace("Look at the *ready queue*:", said);
    fixture.write("chapters/04_four/more.md", &text);
    fixture.insert(SUMMARY, "(04_four/index.md)\n", "- [More](04_four/more.md)\n");
    let mut defects = Defects::default();
    let book = Book::open(fixture.root(), &mut defects);
    terms::check(&book, &budgets::HELD, &mut defects);
    defects.0.iter().map(ToString::to_string).collect()
}

#[test]
fn that_are_not_linked_where_they_are_first_used() {
    let link = "../appendix/glossary.md#ready-queue";
    for said in ["See a ready\nqueue.", "See a ready queue; the ready queue."] {
        let found = links_after(said);
        let expected = format!("column 7: [ready queue]({link})");
        assert!(found.len() == 1 && found[0].ends_with(&expected), "{found:#?}");
    }
    let found = links_after(&format!("A ready queue, a [ready queue]({link})."));
    assert!(found.len() == 1 && found[0].contains("at its first use"), "{found:#?}");
    let found = links_after("An `EAGAIN`.");
    let expected = "column 4: [`EAGAIN`](../appendix/glossary.md#eagain)";
    assert!(found.len() == 1 && found[0].ends_with(expected), "{found:#?}");
    let in_order = [
        &format!("A [ready queue]({link}), a ready queue."),
        "See.\n\n### The ready queue\n\nSee.",
        "A [list](index.md), *ready queue*.",
        "<details>\n<summary>More</summary>\n\nA ready queue.\n\n</details>\n",
    ];
    for said in in_order {
        assert_eq!(links_after(said), Vec::<String>::new(), "{said}");
    }
}

#[test]
fn that_are_in_choices_need_no_link() {
    let found =
        links_after("Look:\n\n**Predict.** Where?\n\n1. In a ready queue.\n2. No.\n");
    assert_eq!(found, Vec::<String>::new());
}
