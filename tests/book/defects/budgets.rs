use super::stage::{STAGE, the_defect_after, with_a_stage};
use super::*;

fn functions(names: std::ops::Range<usize>) -> String {
    names.map(|number| format!("fn name_{number}() {{}}\n")).collect()
}

fn words(count: usize) -> String {
    "more ".repeat(count)
}

/// A stage's page that shows these lines of `src/long.rs`, in sight or folded away.
fn with_code(lines: &str, is_folded: bool, minutes: usize) -> Fixture {
    let fixture = with_a_stage();
    fixture.write("src/long.rs", lines);
    let code = "*src/long.rs*\n\n```rust\n{{#include ../../src/long.rs}}\n```\n\n";
    let code = match is_folded {
        true => format!("<details>\n<summary>More</summary>\n\n{code}</details>\n\n"),
        false => code.to_string(),
    };
    fixture.replace(STAGE, "## Break it", &format!("{code}## Break it"));
    fixture.replace(STAGE, "*8 minutes", &format!("*{minutes} minutes"));
    fixture
}

fn the_defect(fixture: &Fixture) -> String {
    let found = found(fixture);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

#[test]
fn of_words() {
    let change = ("How many?", &*format!("{} How many?", words(640)));
    let found = the_defect_after(&[change, ("*8 minutes", "*11 minutes")]);
    let expected =
        "chapters/01_one/index.md:1: make this a page of 300 to 1000 words, not";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn of_words_in_answers_and_tables() {
    let answer = words(440);
    let table =
        format!("<aside class=\"teacher\">\n\nNote.\n\n</aside>\n\n| {} |\n", words(200));
    let changes = [
        ("There are more.", &*format!("There are {answer}")),
        ("Look:", &*format!("{table}\nLook:")),
        ("*8 minutes", "*11 minutes"),
    ];
    let found = the_defect_after(&changes);
    assert!(found.contains("make this a page of 300 to 1000 words, not"), "{found}");
}

#[test]
fn of_lines_in_sight() {
    // Comments count, empty lines do not; the stage itself shows one line.
    let comments = "// Why.\n\n".repeat(59);
    assert_eq!(found(&with_code(&comments, false, 14)), Vec::<String>::new());
    let comments = "// Why.\n\n".repeat(60);
    let found = the_defect(&with_code(&comments, false, 14));
    let expected =
        "chapters/01_one/index.md:1: 61 lines of Rust are in sight: 60 at most";
    assert_eq!(found, expected);
}

#[test]
fn of_lines_that_are_folded_away() {
    assert_eq!(found(&with_code("// Why.\n", true, 8)), Vec::<String>::new());
    let found = the_defect(&with_code("// Why.\n// What.\n", true, 8));
    let expected =
        "chapters/01_one/index.md:1: 2 lines of Rust are folded away, and 1 are not";
    assert_eq!(found, expected);
    // What is unfolded already is in sight.
    let unfolded = with_code(&"// Why.\n".repeat(60), true, 14);
    unfolded.replace(STAGE, "<details>\n<summary>More", "<details open>\n<summary>More");
    let found = the_defect(&unfolded);
    assert!(found.ends_with(": 61 lines of Rust are in sight: 60 at most"), "{found}");
}

#[test]
fn of_names() {
    // The stage itself shows `listen`.
    assert_eq!(found(&with_code(&functions(0..5), false, 9)), Vec::<String>::new());
    let message = the_defect(&with_code(&functions(0..6), false, 9));
    let expected =
        "chapters/01_one/index.md:1: 7 names are new, 6 at most: listen, name_0";
    assert!(message.starts_with(expected), "{message}");
    // What implements a trait that was shown has its names; a type's method has its own.
    let code = "trait A {\n fn a();\n}\nstruct B;\nimpl A for B {\n fn a() {}\n}\n\
                impl B {\n fn b() {}\n}\nconst C: u8 = 0;\n\
                type D = u8;\n";
    let message = the_defect(&with_code(code, false, 9));
    assert!(message.ends_with(": A, A::a, B, B::b, C, D, listen"), "{message}");
}

#[test]
fn of_names_that_were_shown_before() {
    let fixture = with_code(&functions(0..5), false, 9);
    fixture.write("src/more.rs", &(functions(0..5) + &functions(5..10)));
    let text = std::fs::read_to_string(fixture.root().join(STAGE)).unwrap();
    let text = text.replace("src/long.rs", "src/more.rs");
    fixture.write("chapters/02_two/index.md", &text);
    fixture.insert(SUMMARY, "(01_one/index.md)\n", "- [Stage](02_two/index.md)\n");
    fixture.replace(STAGE, "../two/index.md", "../02_two/index.md");
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.insert("src/more.rs", "fn name_9() {}\n", "fn one() {}\nfn two() {}\n");
    let message = the_defect(&fixture);
    let expected =
        "chapters/02_two/index.md:1: 7 names are new, 6 at most: name_5, name_6";
    assert!(message.starts_with(expected), "{message}");
}

#[test]
fn of_minutes() {
    let found = the_defect_after(&[("*8 minutes", "*9 minutes")]);
    let expected = "chapters/01_one/index.md:3: say that this takes 8 minutes: ";
    assert!(found.starts_with(expected), "{found}");
    // A command that goes on in the next line is one, and a comment is none.
    let change = ("cargo run\n", "# Now:\ncargo run \\\n  --quiet\n");
    let fixture = with_a_stage();
    fixture.replace(STAGE, change.0, change.1);
    assert_eq!(super::found(&fixture), Vec::<String>::new());
}

#[test]
fn of_minutes_to_the_end_of_04() {
    let fixture = with_a_stage();
    fixture.insert(STAGE, "cargo run\n", &"cargo run\n".repeat(177));
    fixture.replace(STAGE, "*8 minutes", "*362 minutes");
    let expected = "chapters/SUMMARY.md:1: the pages up to the end of 04 take 362 minutes, \
                    360 at most: ";
    assert!(the_defect(&fixture).starts_with(expected));
}

#[test]
fn of_diffs() {
    let fixture = with_a_stage();
    let text = std::fs::read_to_string(fixture.root().join(STAGE)).unwrap();
    let diff = "```diff\n{{#include ../diffs/long.diff}}\n```\n\n## Break it";
    let text = text.replace("## Break it", diff).replace("*8", "*10");
    fixture.write("chapters/02_two/index.md", &text);
    fixture.insert(SUMMARY, "(01_one/index.md)\n", "- [Stage](02_two/index.md)\n");
    fixture.replace(STAGE, "../two/index.md", "../02_two/index.md");
    let lines = |count| format!("--- a\n+++ b\n same\n{}", "+new\n".repeat(count));
    fixture.write("chapters/diffs/long.diff", &lines(12));
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.write("chapters/diffs/long.diff", &lines(13));
    let message = the_defect(&fixture);
    assert!(message.ends_with("this diff changes 13 lines: 12 at most"), "{message}");
}

#[test]
fn of_a_chapter() {
    let fixture = with_code(&"// Why.\n".repeat(59), false, 14);
    let text = std::fs::read_to_string(fixture.root().join(STAGE)).unwrap();
    let mut list = String::new();
    for number in 0..12 {
        let page = format!("page{number}.md");
        let next = format!("page{}.md", number + 1);
        let next = if number == 11 { "../two/index.md" } else { &next };
        let text = text.replace("../two/index.md", next);
        fixture.write(&format!("chapters/04_four/{page}"), &text);
        list += &format!("- [Page](04_four/{page})\n");
    }
    fixture.insert(SUMMARY, "(01_one/index.md)\n", &list);
    fixture.replace(STAGE, "../two/index.md", "../04_four/page0.md");
    let message = the_defect(&fixture);
    let expected = "chapters/SUMMARY.md:1: chapters/04_… has 720 lines of Rust in sight, \
                    700 at most";
    assert_eq!(message, expected);
}
