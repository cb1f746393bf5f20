//! The chapter of a stage, whatever pages it has: its reader runs something and sees what
//! happens, predicts it first, and can check what has been understood.

use std::collections::BTreeMap;

use crate::Defects;
use crate::book::{Book, Page, resolve};
use crate::links::Link;
use crate::markdown::Block;
use crate::{code, predictions};

/// How many questions a chapter asks at the ends of its pages, at least.
const QUESTIONS: usize = 5;
/// Chapters that know nothing of what comes after them, and words of what comes after them.
/// Those are in their last pages, and where a page says what comes next.
const FIRST: [&str; 4] = ["chapters/01_", "chapters/02_", "chapters/03_", "chapters/04_"];
const LATER: [&str; 5] = ["epoll", "io_uring", "edge", "edges", "edge-triggered"];
const LAST_PAGES: [&str; 3] = ["cost.md", "python.md", "weaknesses.md"];
const LATER_STAGES: [&str; 3] = ["05", "06", "07"];

pub fn check(book: &Book, defects: &mut Defects) {
    let mut chapters: BTreeMap<&str, Vec<&Page>> = BTreeMap::new();
    for page in &book.pages {
        if let Some(chapter) = chapter(page) {
            chapters.entry(chapter).or_default().push(page);
        }
    }
    for pages in chapters.values() {
        check_chapter(pages, defects);
        pages.iter().for_each(|page| check_page(page, defects));
    }
    for pair in book.pages.windows(2).filter(|pair| chapter(&pair[0]).is_some()) {
        check_way_on(&pair[0], &pair[1], defects);
    }
    let is_first = |page: &&Page| FIRST.iter().any(|it| page.path.starts_with(it));
    for page in book.pages.iter().filter(is_first) {
        check_later_words(page, defects);
        check_later_code(book, page, defects);
    }
}

/// `05_epoll`, from `chapters/05_epoll/edges.md`.
fn chapter(page: &Page) -> Option<&str> {
    let (folder, _) = page.path.strip_prefix("chapters/")?.split_once('/')?;
    folder.starts_with(|c: char| c.is_ascii_digit()).then_some(folder)
}

fn check_chapter(pages: &[&Page], defects: &mut Defects) {
    let path = &pages[0].path;
    let mut need = |is_there: bool, what: &str| {
        if !is_there {
            defects.add(path, 1, what);
        }
    };
    let blocks = || pages.iter().flat_map(|page| &page.text.blocks);
    let has_run = |line: &str| line.contains("cargo ");
    let is_run = blocks()
        .any(|it| it.language == "sh" && it.lines.iter().any(|it| has_run(&it.1)));
    need(is_run, "let the reader run something in this chapter: ```sh");
    let is_shown = blocks().any(|it| it.language == "console");
    need(is_shown, "show in this chapter what a terminal shows: ```console");
    let has_figure = |page: &&Page| page.text.lines().any(|it| it.1.contains("figures/"));
    need(pages.iter().any(has_figure), "draw a figure for this chapter");
    let questions: usize = pages.iter().map(|page| questions(page)).sum();
    let message = format!("ask {QUESTIONS} questions in this chapter, not {questions}");
    need(questions >= QUESTIONS, &message);
    let predictions: usize = pages.iter().map(|page| predictions::count(page)).sum();
    need(predictions > 0, "let the reader predict something in this chapter");
    let is_first = FIRST.iter().any(|it| path.starts_with(it));
    let breaks = blocks().any(|it| types(it, "cargo xtask break "));
    need(!is_first || breaks, "let the reader break the server: cargo xtask break NAME");
    for page in pages {
        let mut blocks = page.text.blocks.iter();
        let broken = blocks.clone().find(|it| types(it, "cargo xtask break "));
        let is_fixed = blocks.any(|it| types(it, "cargo xtask fix"));
        if let Some(broken) = broken.filter(|_| !is_fixed) {
            let message = "take the break back on this page: cargo xtask fix";
            defects.add(&page.path, broken.line, message);
        }
    }
}

fn types(block: &Block, command: &str) -> bool {
    block.language == "sh" && block.lines.iter().any(|it| it.1.contains(command))
}

fn check_page(page: &Page, defects: &mut Defects) {
    if questions(page) == 0 {
        defects.add(&page.path, 1, "end with questions: ## Check yourself");
    }
    let last = page.text.headings().last().map(|heading| heading.line);
    if last.is_none_or(|line| page.text.line(line) != "## What comes next") {
        defects.add(&page.path, last.unwrap_or(1), "end with ## What comes next");
    }
}

/// `## What comes next` leads to the page that comes next: pages are put in between.
fn check_way_on(page: &Page, next: &Page, defects: &mut Defects) {
    let last = page.text.headings().last().map_or(1, |heading| heading.line);
    let leads_there = |link: &Link| {
        let file = link.target.split('#').next().unwrap_or_default();
        link.line >= last && resolve(&page.path, file).as_ref() == Some(&next.path)
    };
    if !page.text.links().all.iter().any(leads_there) {
        let message = format!("lead to the page that comes next: {}", next.path);
        defects.add(&page.path, last, message);
    }
}

/// What belongs to later chapters is not named before the last pages of chapter 04.
fn check_later_words(page: &Page, defects: &mut Defects) {
    let mut is_last = page.path.starts_with("chapters/04_")
        && LAST_PAGES.iter().any(|it| page.path.ends_with(&format!("/{it}")));
    let (prose, notes) = (page.text.only(|_| true), page.text.notes());
    for (number, line) in (1..).zip(prose.lines()) {
        is_last |= page.text.line(number) == "## What comes next";
        let words = line.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c));
        let later = words.into_iter().find(|word| LATER.contains(word));
        let is_note = notes.iter().any(|note| note.contains(&number));
        if let Some(word) = later.filter(|_| !is_last && !is_note) {
            defects.add(
                &page.path,
                number,
                format!("leave {word} to the later chapters"),
            );
        }
    }
}

/// Nor is it named in the comments of a listing.
fn check_later_code(book: &Book, page: &Page, defects: &mut Defects) {
    for listing in code::listings(book, page) {
        for line in listing.lines.iter().filter(|line| !line.path.is_empty()) {
            let words =
                line.text.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c));
            let later = words
                .into_iter()
                .find(|word| LATER.contains(word) || LATER_STAGES.contains(word));
            if let Some(word) = later {
                let message =
                    format!("leave {word} to the later chapters: {}", line.path);
                defects.add(&page.path, listing.line, message);
            }
        }
    }
}

/// How many folded answers there are under `## Check yourself`.
fn questions(page: &Page) -> usize {
    let headings = page.text.headings();
    let of_questions = |line| page.text.line(line) == "## Check yourself";
    let Some(at) = headings.iter().position(|it| of_questions(it.line)) else { return 0 };
    let end = headings.get(at + 1).map_or(usize::MAX, |next| next.line);
    let section = headings[at].line..end;
    let tags = page.text.tags().into_iter();
    tags.filter(|it| it.name == "details" && section.contains(&it.line)).count()
}
