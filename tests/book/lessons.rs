//! A lesson in the teacher's kit says all that a teacher needs in front of a class: its steps
//! with their minutes, what to type, and the answers to what the class is asked.

use std::ops::Range;

use crate::Defects;
use crate::book::{Book, Page};

const SECTIONS: [&str; 6] = [
    "Goal",
    "Before the class comes",
    "The lesson",
    "The break",
    "The table, solved",
    "Where classes get stuck",
];

/// The page to hand out, with the questions that the lessons solve.
const HANDOUT: &str = "chapters/teachers/handout.md";

pub fn check(book: &Book, page: &Page, defects: &mut Defects) {
    if !page.path.starts_with("chapters/teachers/lesson_") {
        return;
    }
    let headings = page.text.headings();
    let headings: Vec<_> = headings.iter().filter(|heading| heading.level == 2).collect();
    let titles: Vec<_> = headings
        .iter()
        .map(|heading| page.text.line(heading.line).trim_start_matches("## "))
        .collect();
    if titles != SECTIONS {
        let message = format!("give a lesson these sections: {SECTIONS:?}");
        return defects.add(&page.path, 1, message);
    }
    let last = page.text.lines().last().map_or(1, |(line, _)| line + 1);
    let ends = headings.iter().skip(1).map(|heading| heading.line).chain([last]);
    for (heading, end) in headings.iter().zip(ends) {
        let section = heading.line + 1..end;
        let mut complain = |message: &str| {
            defects.add(&page.path, heading.line, message.to_string());
        };
        let words = page.text.count_words_of(|line| section.contains(&line));
        let mut blocks = page.text.blocks.iter();
        let types = blocks.any(|it| it.language == "sh" && section.contains(&it.line));
        match page.text.line(heading.line) {
            _ if words == 0 => complain("write something below this"),
            "## The break" if !types => complain("say what to type, in a ```sh block"),
            "## The lesson" => check_steps(page, section, &mut complain),
            "## The table, solved" => check_table(book, page, section, &mut complain),
            _ => {}
        }
    }
}

/// Each row of the lesson's timetable but the end is a step below it, and the other way round.
fn check_steps(page: &Page, section: Range<usize>, complain: &mut impl FnMut(&str)) {
    let lines: Vec<&str> = prose(page, section).collect();
    let rows = cells(&lines, 2).filter(|it| it.starts_with(char::is_numeric));
    let steps = lines.iter().filter_map(|line| line.strip_prefix("### "));
    let plain = |text: &str| text.replace('`', "");
    let rows: Vec<String> = rows.map(plain).collect();
    let steps: Vec<String> = steps.map(plain).collect();
    if rows.is_empty() || rows != steps {
        complain(&format!(
            "its timetable has the steps {rows:?}, and below are {steps:?}"
        ));
    }
}

/// Each question that is solved is one of the page to hand out.
fn check_table(
    book: &Book,
    page: &Page,
    section: Range<usize>,
    complain: &mut impl FnMut(&str),
) {
    let handout = book.read(HANDOUT).unwrap_or_default();
    let lines: Vec<&str> = prose(page, section).collect();
    for question in cells(&lines, 0).skip(2) {
        if !handout.contains(&format!("| {question} |")) {
            complain(&format!("{HANDOUT} does not ask: {question}"));
        }
    }
}

fn prose(page: &Page, section: Range<usize>) -> impl Iterator<Item = &str> {
    // With the code in it, which `prose_lines` hides.
    let lines = page.text.prose_lines().map(|(line, _)| line);
    lines.filter(move |line| section.contains(line)).map(|line| page.text.line(line))
}

/// The cells of a column, from all rows of tables.
fn cells<'a>(lines: &'a [&str], column: usize) -> impl Iterator<Item = &'a str> {
    let rows = lines.iter().filter_map(|line| line.strip_prefix('|'));
    rows.filter_map(move |row| Some(row.split('|').nth(column)?.trim()))
}
