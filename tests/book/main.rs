//! The contract of the book in `chapters/`, where mdBook says nothing: it builds a book
//! with empty listings, broken links and unreadable figures without a word.
//!
//! `check` reads a repository and lists what is wrong with its book: each defect with its
//! place, and with what to do about it. A rule stands in the module of its theme. That it
//! finds what it should is tested in `defects.rs`, where a small book that is in order is
//! broken in one way after the other. Add a rule: see its test fail there first.

mod anchors;
mod book;
mod budgets;
mod chapters;
mod code;
mod commands;
mod defects;
mod explained;
mod figures;
mod fixture;
mod html;
mod includes;
mod items;
mod lessons;
mod links;
mod listings;
mod markdown;
mod notes;
mod pages;
mod plain;
mod players;
mod predictions;
mod readme;
mod recordings;
mod terms;
mod timetables;

use std::fmt;
use std::path::Path;

use book::Book;

#[test]
fn the_book_keeps_its_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let defects = check(root);
    let lines: Vec<String> = defects.iter().map(Defect::to_string).collect();
    assert!(lines.is_empty(), "{} defects:\n{}", lines.len(), lines.join("\n"));
}

/// Everything that is wrong with the book of the repository at `root`, by file and line.
fn check(root: &Path) -> Vec<Defect> {
    let mut defects = Defects::default();
    let book = Book::open(root, &mut defects);
    anchors::check(&book, &mut defects);
    figures::check(&book, &mut defects);
    recordings::check(&book, &mut defects);
    chapters::check(&book, &mut defects);
    budgets::check(&book, &mut defects);
    explained::check(&book, &mut defects);
    plain::check(&book, &mut defects);
    predictions::check(&book, &mut defects);
    terms::check(&book, terms::LINKED, &mut defects);
    for page in &book.pages {
        listings::check(&book, page, &mut defects);
        links::check(&book, page, &mut defects);
        pages::check(page, &mut defects);
        notes::check(page, &mut defects);
        commands::check(&book, page, &mut defects);
        lessons::check(&book, page, &mut defects);
        timetables::check(&book, page, &mut defects);
    }
    // A page with another defect may show less than it means to.
    if defects.0.is_empty() {
        anchors::check_library(&book, &mut defects);
    }
    defects.0.sort();
    defects.0
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Defect {
    path: String,
    line: usize,
    /// What to do about it.
    message: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// The defects found so far.
#[derive(Default)]
struct Defects(Vec<Defect>);

impl Defects {
    fn add(&mut self, path: &str, line: usize, message: impl Into<String>) {
        self.0.push(Defect { path: path.to_string(), line, message: message.into() });
    }
}
