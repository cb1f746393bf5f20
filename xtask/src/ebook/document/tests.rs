//! A book of three pages, and what becomes of it. Then it is damaged in one way after the other.

use super::super::complete;
use super::{Document, SEPARATOR, assemble};

const SUMMARY: &str = "# Summary\n\n[Start](start.md)\n\n# Part one\n\n\
    - [Servers](01/index.md)\n  - [Asked](01/asked.md)\n";

const START: &str = "<h1 id=\"start\"><a class=\"header\" href=\"#start\">Start</a></h1>\n\
    <p>See <a href=\"#round@25\">a step</a>, and <a href=\"https://x.y\">x</a>.</p>\
    <aside class=\"teacher\"><p>Wait.</p></aside>\n";

const SERVERS: &str = "<h1 id=\"servers\">Servers</h1>\n<h2 id=\"code\">Code</h2><div><svg viewbox=\"0 0 64 25\" \
    aria-labelledby=\"two-title\" fill=\"currentColor\"><title id=\"two-title\">Two</title>\
    <desc id=\"two-desc\">Two clients.</desc><rect fill=\"var(--bg)\" /></svg></div>\
    <details><summary>The top of the file</summary><p>use std;</p></details>\n";

const ASKED: &str = "<h1 id=\"asked\">Asked</h1>\n<trace-player id=\"round\" label=\"x\">\
    <pre><code>1 step</code></pre><script>let a = '<details>';</script></trace-player>\
    <ol><li><p>Why?</p><details>\n<summary>Answer</summary><p>Because.</p></details></li></ol>\
    <details><summary>Hint 1</summary><p>Look.</p></details>\
    <details><summary>The curves</summary><p><strong>Right.</strong></p></details>\
    <dl><dt id=\"task\"><a class=\"header\" href=\"#task\">task</a></dt></dl>";

fn print(pages: [&str; 3]) -> String {
    format!("<html><main>{}</main></html>", pages.join(SEPARATOR))
}

fn book() -> Document {
    assemble(&print([START, SERVERS, ASKED]), SUMMARY).unwrap()
}

/// The pages, as they are written.
fn page(path: &str) -> Result<String, String> {
    match path {
        "start.md" => Ok("# Start\n".into()),
        "01/index.md" => Ok("# Servers\n\n{{#include two.svg}}\n".into()),
        "01/asked.md" => Ok("# Asked\n".into()),
        _ => Err(format!("{path}: no such page")),
    }
}

#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("no {word:?}, at its place, in:\n{text}")
        };
        rest = after;
    }
}

#[test]
fn the_answers_are_at_the_end_of_the_chapter() {
    let Document { body, answers, .. } = book();
    in_order(
        &body,
        &[
            "<h2 id=\"asked\">Asked</h2>",
            "<p>Why?</p><div class=\"asked\" id=\"asked-2-1\">",
            "href=\"#answer-2-1\"",
            "href=\"#answer-2-2\"",
            "<h2 id=\"answers-2\">Answers</h2>",
            "<h3>Asked</h3>",
            "id=\"answer-2-1\"",
            "<p>Because.</p>",
            "<em>Hint 1</em>",
            "<p>Look.</p>",
            "<em>The curves</em>",
            "<strong>Right.</strong>",
        ],
    );
    assert_eq!(answers, 3);
}

#[test]
fn what_is_no_answer_is_unfolded_where_it_stands() {
    let body = book().body;
    let unfolded = "<strong>The top of the file</strong></p><p>use std;</p></div>";
    in_order(&body, &["<h3 id=\"code\">Code</h3>", unfolded, "id=\"asked\""]);
}

#[test]
fn a_figure_is_a_file_and_its_words_are_the_images() {
    let Document { body, figures, .. } = book();
    assert!(body.contains("<img src=\"figures/two.svg\" alt=\"Two. Two clients.\">"));
    let svg = "<svg width=\"64\" height=\"25\" viewBox=\"0 0 64 25\" fill=\"#000000\">\
        <rect fill=\"#ffffff\" /></svg>";
    assert_eq!(figures, [("two.svg".to_string(), svg.to_string())]);
}

#[test]
fn a_player_is_a_picture_and_a_link_to_a_step_leads_there() {
    let body = book().body;
    assert!(body.contains("<a href=\"#round\">a step</a>"), "{body}");
    assert!(body.contains("<div class=\"recording\" id=\"round\">"), "{body}");
    assert!(!body.contains("1 step") && !body.contains("Wait."), "{body}");
}

#[test]
fn the_contents_name_parts_chapters_pages_and_answers() {
    let contents = book().contents;
    let names = [">Start<", ">Part one<", ">Servers<", ">Asked<", ">Answers<"];
    in_order(&contents, &names);
    assert_eq!(contents.matches("<a href=").count(), names.len());
}

#[test]
fn a_book_without_defects_has_none() {
    assert_eq!(complete::check(&book(), page).unwrap(), [""; 0]);
}

#[test]
fn what_is_missing_is_found() {
    let damaged = |from: &str, to: &str| {
        let mut document = book();
        assert!(document.body.contains(from), "{from}");
        document.body = document.body.replacen(from, to, 1);
        complete::check(&document, page).unwrap()
    };
    for (from, to, defect) in [
        ("<h2 id=\"asked\">Asked", "<h2 id=\"asked\">Else", "01/asked.md: not here"),
        ("id=\"round\"", "id=\"square\"", "dangling: #round"),
        ("https://x.y", "../src/lib.rs", "dangling: ../src/lib.rs"),
        ("id=\"servers\"", "id=\"a\"", "dangling: #servers"),
        ("figures/two.svg", "figures/one.svg", "no such image: figures/one.svg"),
        ("<p>Look.", "<details><p>Look.", "<details is no part"),
        ("<p>Look.", "{{#include a.rs}}", "{{# is no part"),
    ] {
        let found = damaged(from, to);
        assert!(found.len() == 1 && found[0].starts_with(defect), "{defect}: {found:?}");
    }
    let mut document = book();
    document.figures[0].1 += "var(--new)";
    let found = complete::check(&document, page).unwrap();
    assert_eq!(found, ["two.svg: a colour that is only known in a browser"]);
    let more = |path: &str| page(path).map(|text| text + "{{#include ../three.svg}}");
    let found = complete::check(&book(), more).unwrap();
    assert_eq!(found, ["the pages have 4 figures, and 1 are here"]);
}

#[test]
fn a_page_that_mdbook_left_out_is_found() {
    let whole = print([START, SERVERS, ASKED]);
    let found = assemble(&whole, &format!("{SUMMARY}- [More](more.md)\n")).unwrap_err();
    assert_eq!(found, "print.html has 3 pages, and SUMMARY.md has 4");
}
