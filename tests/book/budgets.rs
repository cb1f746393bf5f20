//! What a page may ask of its reader: words, lines of code, new names, minutes. The minutes
//! are computed, and a page states what they come to.

use std::collections::BTreeSet;

use crate::Defects;
use crate::book::{Book, Page};
use crate::code::{self, Listing};
use crate::{items, pages};

/// The pages that are held to the budgets: their paths begin so.
pub const HELD: [&str; 10] = [
    "chapters/start.md",
    "chapters/01_",
    "chapters/02_",
    "chapters/03_",
    "chapters/04_",
    "chapters/05_",
    "chapters/06_",
    "chapters/07_",
    "chapters/beyond/",
    "chapters/measured/",
];
/// So many of these are part one.
const PART_ONE: usize = 5;

/// The words of a page.
const WORDS: std::ops::RangeInclusive<usize> = 300..=1_000;
/// The lines of Rust that are in sight on a page, those of comments included.
const LINES: usize = 60;
/// The names that are new on a page.
const NAMES: usize = 6;
/// The lines of Rust that are in sight in a chapter.
const CHAPTERS: [(&str, usize); 4] = [
    ("chapters/04_", 700),
    ("chapters/05_", 200),
    ("chapters/06_", 600),
    ("chapters/07_", 400),
];
/// The lines that a diff of a chapter changes.
const DIFFS: [(&str, usize); 3] =
    [("chapters/02_", 12), ("chapters/03_", 40), ("chapters/04_", 40)];
/// How long it takes to read part one.
const MINUTES: usize = 360;

/// What is read at ten lines a minute.
const CODE: [&str; 4] = ["rust", "python", "toml", "diff"];

pub fn is_held(page: &Page) -> bool {
    HELD.iter().any(|start| page.path.starts_with(start))
}

pub fn is_in_part_one(page: &Page) -> bool {
    HELD[..PART_ONE].iter().any(|start| page.path.starts_with(start))
}

pub fn check(book: &Book, defects: &mut Defects) {
    let held = book.pages.iter().filter(|page| is_held(page));
    let held: Vec<(&Page, Vec<Listing>)> =
        held.map(|page| (page, code::listings(book, page))).collect();
    for (page, listings) in &held {
        check_page(page, listings, defects);
    }
    check_names(book, &held, defects);
    for (chapter, most) in CHAPTERS {
        let of_it = held.iter().filter(|(page, _)| page.path.starts_with(chapter));
        let lines: usize = of_it.map(|(_, it)| code::open_lines(it, &["rust"])).sum();
        if lines > most {
            let message =
                format!("{chapter}… has {lines} lines of Rust in sight, {most} at most");
            defects.add("chapters/SUMMARY.md", 1, message);
        }
    }
    let sum = |of: &dyn Fn(&Page, &[Listing]) -> usize| -> usize {
        let part_one = held.iter().filter(|(page, _)| is_in_part_one(page));
        part_one.map(|(page, it)| of(page, it)).sum()
    };
    let minutes = sum(&minutes);
    if minutes > MINUTES {
        let words = sum(&|page, _| page.text.count_words());
        let code = sum(&|_, it| code::open_lines(it, &CODE));
        let commands = sum(&|_, it| code::commands(it));
        let message = format!(
            "the pages up to the end of 04 take {minutes} minutes, {MINUTES} at most: \
             {words} words, {code} lines of code, {commands} commands"
        );
        defects.add("chapters/SUMMARY.md", 1, message);
    }
}

fn check_page(page: &Page, listings: &[Listing], defects: &mut Defects) {
    let mut complain = |line, message: String| defects.add(&page.path, line, message);
    let words = page.text.count_words();
    if !WORDS.contains(&words) {
        let (least, most) = (WORDS.start(), WORDS.end());
        complain(1, format!("make this a page of {least} to {most} words, not {words}"));
    }
    let lines = code::open_lines(listings, &["rust"]);
    if lines > LINES {
        complain(1, format!("{lines} lines of Rust are in sight: {LINES} at most"));
    }
    let folded = code::folded_rust_lines(listings);
    if folded > lines {
        complain(
            1,
            format!("{folded} lines of Rust are folded away, and {lines} are not"),
        );
    }
    let (line, stated) = pages::stated(page);
    let minutes = minutes(page, listings);
    if stated.is_some_and(|stated| stated != minutes) {
        let code = code::open_lines(listings, &CODE);
        let commands = code::commands(listings);
        complain(
            line,
            format!(
                "say that this takes {minutes} minutes: \
                 {words} words, {code} lines of code, {commands} commands"
            ),
        );
    }
    for diff in listings.iter().filter(|listing| listing.language == "diff") {
        let most = DIFFS.iter().find(|(start, _)| page.path.starts_with(start));
        let (most, changes) = (most.map_or(usize::MAX, |it| it.1), code::changes(diff));
        if changes > most {
            complain(
                diff.line,
                format!("this diff changes {changes} lines: {most} at most"),
            );
        }
    }
}

/// 200 words and 10 lines of code a minute, and 2 minutes for each command.
fn minutes(page: &Page, listings: &[Listing]) -> usize {
    let words = page.text.count_words();
    let code = code::open_lines(listings, &CODE);
    let sum = words + 20 * code + 400 * code::commands(listings);
    ((sum + 100) / 200).max(1)
}

/// A name is new on the page whose listing shows, in sight, where it is defined.
fn check_names(book: &Book, held: &[(&Page, Vec<Listing>)], defects: &mut Defects) {
    let defined = |path: &String| {
        let items = items::of(&book.read(path).unwrap_or_default());
        let place = |it: items::Item| (path.clone(), it.line, it.new_name());
        items.into_iter().map(place).collect::<Vec<_>>()
    };
    let sources = book.files("src", &["rs"]);
    let all: Vec<(String, usize, String)> = sources.iter().flat_map(defined).collect();
    let mut known = BTreeSet::new();
    for (page, listings) in held {
        let rust = listings.iter().filter(|it| !it.is_folded && it.language == "rust");
        let shown: BTreeSet<(&str, usize)> = rust
            .flat_map(|it| it.lines.iter().map(|line| (line.path.as_str(), line.number)))
            .collect();
        let here = all.iter().filter(|(path, line, _)| shown.contains(&(path, *line)));
        let names: BTreeSet<&str> = here.map(|(_, _, name)| name.as_str()).collect();
        let new: Vec<&str> = names.difference(&known).copied().collect();
        if new.len() > NAMES {
            let list = new.join(", ");
            let message = format!("{} names are new, {NAMES} at most: {list}", new.len());
            defects.add(&page.path, 1, message);
        }
        known.extend(names);
    }
}
