//! A book of three pages, and what becomes of it. Then it is damaged in one way after the other.

use super::super::complete;
use super::{Document, SEPARATOR, assemble};

const SUMMARY: &str = "# Summary\n\n[Start](start.md)\n\n# Part one\n\n\
    - [Servers](01/index.md)\n  - [Asked](01/asked.md)\n";

const START: &str = "<h1 id=\"start\"><a class=\"header\" href=\"#start\">Start</a></h1>\n\
    <p>See <a href=\"#round@25\">a step</a> of <a href=\"#code\">code</a>, of a <a href=\"#task\">task</a>, and \
    <a href=\"https://x.y\">x</a>, or <a href=\"https://z\">https://z</a>.</p>\
    <table><thead><tr><th></th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>\
    <aside class=\"teacher\"><p>Wait.</p></aside>\n";

const SERVERS: &str = "<h1 id=\"servers\">Servers</h1>\n<h2 id=\"code\">Code</h2><div><svg viewbox=\"0 0 64 25\" \
    aria-labelledby=\"two-title\" fill=\"currentColor\"><title id=\"two-title\">Two</title>\
    <desc id=\"two-desc\">Two clients.</desc><marker id=\"two-arrow\"></marker><rect fill=\"var(--bg)\" />\
    <text><tspan font-weight=\"bold\">1</tspan> poll</text></svg></div>\
    <details><summary>The top of the file</summary><p>use std;</p></details>\n";

const ASKED: &str = "<h1 id=\"asked\">Asked</h1>\n<trace-player id=\"round\" label=\"x\">\
    <svg><title id=\"round-title\">A round</title><desc>One.</desc></svg><pre><code>1 step</code></pre><script>let a = '<details>';</script></trace-player>\
    <ol><li><p>Why?</p><details>\n<summary>Answer</summary><p>Because.</p></details></li></ol>\
    <details><summary>Hint 1</summary><p>Look.</p></details>\
    <details><summary>The curves</summary><ol><li><strong>Right.</strong></li></ol></details>\
    <live-scheduler label=\"x\"><p>In a browser.</p></live-scheduler>\
    <link rel=\"stylesheet\" href=\"../theme/live.css\"><script src=\"live.js\"></script>\
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
        "01/asked.md" => Ok("# Asked\n\n{{#include round.svg}}\n".into()),
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
            "<p><strong><a href=\"#asked-2-1\">1.</a></strong> Because.</p>",
            "<em>Hint 1:</em> Look.</p>",
            "<p class=\"number\"><strong>",
            "<em>The curves:</em></p><ol>",
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
        <marker overflow=\"visible\" id=\"two-arrow\"></marker><rect fill=\"#ffffff\" />\
        <text>1 poll</text></svg>";
    assert_eq!(figures[0], ("two.svg".to_string(), svg.to_string()));
}

#[test]
fn a_player_is_a_picture_and_a_link_to_a_step_leads_there() {
    let body = book().body;
    assert!(body.contains("<a class=\"step\" href=\"#round\">a step</a>"), "{body}");
    let picture = "<div class=\"recording\" id=\"round\"><img src=\"figures/round.svg\"";
    assert!(body.contains(picture), "{body}");
    assert!(!body.contains("1 step") && !body.contains("Wait."), "{body}");
}

#[test]
fn of_a_live_page_the_text_is_left() {
    let body = book().body;
    in_order(
        &body,
        &["at the end of the chapter</a></p></div>", "<p>In a browser.</p><dl>"],
    );
    assert!(!body.contains("live"), "{body}");
}

#[test]
fn two_recordings_are_one_above_the_other() {
    let next =
        "</svg><svg><title id=\"next-title\">Next</title><desc>Two.</desc></svg><pre>";
    let asked = ASKED.replace("</svg><pre>", next);
    let body = assemble(&print([START, SERVERS, &asked]), SUMMARY).unwrap().body;
    assert!(body.contains("the right one is below"), "{body}");
    assert!(!book().body.contains("the right one is below"));
}

#[test]
fn a_link_says_to_what_it_leads() {
    let body = book().body;
    for link in [
        "<a class=\"page\" href=\"#code\">",
        "<a class=\"term\" href=\"#task\">",
        "<a class=\"elsewhere\" href=\"https://x.y\">",
        "<a class=\"address\" href=\"https://z\">",
    ] {
        assert!(body.contains(link), "{link}: {body}");
    }
}

#[test]
fn a_table_has_no_empty_head_and_a_long_one_may_be_divided() {
    let body = book().body;
    assert!(body.contains("<table><tbody><tr><td>1</td></tr></tbody></table>"), "{body}");
    let rows = "<tr><td>1</td></tr>";
    let start = START.replace(rows, &rows.repeat(701));
    let body = assemble(&print([&start, SERVERS, ASKED]), SUMMARY).unwrap().body;
    assert!(body.contains("<table class=\"long\">"), "{body}");
}

#[test]
fn a_question_that_is_folded_together_with_its_answer_is_not_lost() {
    let asked = ASKED.replace("<summary>Answer<", "<summary>Why so?<");
    let body = assemble(&print([START, SERVERS, &asked]), SUMMARY).unwrap().body;
    in_order(&body, &["<p><em>Why so?</em> Answer: <a", "<em>Why so?</em> Because."]);
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
    // Some characters have names in HTML.
    let listing = |columns: usize| {
        let line = "a".repeat(columns - 1) + "&lt;";
        format!("<pre><code class=\"language-rust\">{line}\n</code></pre>")
    };
    assert_eq!(damaged("Look.", &listing(100)), [""; 0]);
    for (from, to, defect) in [
        ("<h2 id=\"asked\">Asked", "<h2 id=\"asked\">Else", "01/asked.md: not here"),
        ("id=\"round\"", "id=\"square\"", "dangling: #round"),
        ("https://x.y", "../src/lib.rs", "dangling: ../src/lib.rs"),
        ("id=\"servers\"", "id=\"a\"", "dangling: #servers"),
        ("figures/two.svg", "figures/one.svg", "no such image: figures/one.svg"),
        ("Look.", "<details>Look.", "<details is no part"),
        ("Look.", "{{#include a.rs}}", "{{# is no part"),
        ("Look.", "<live-scheduler>Look.", "<live-scheduler is no part"),
        ("Look.", "<link rel=\"stylesheet\">Look.", "<link is no part"),
        (
            "<img src=\"figures/round.svg\" alt=\"A round. One.\">",
            "",
            "round: no picture",
        ),
        ("Look.", &listing(101), "too wide: aaa"),
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
    assert_eq!(found, ["the pages have 5 figures, and 2 are here"]);
}

#[test]
fn a_page_that_mdbook_left_out_is_found() {
    let whole = print([START, SERVERS, ASKED]);
    let found = assemble(&whole, &format!("{SUMMARY}- [More](more.md)\n")).unwrap_err();
    assert_eq!(found, "print.html has 3 pages, and SUMMARY.md has 4");
}
