//! The code that a page shows, line by line, as its reader sees it.

use crate::book::{Book, Page};
use crate::includes;

/// A block of a page, with what it includes.
pub struct Listing {
    /// The line of the page that opens it.
    pub line: usize,
    pub language: String,
    /// Whether its reader has to unfold it.
    pub is_folded: bool,
    pub lines: Vec<Line>,
}

/// A line of code, which is not empty.
pub struct Line {
    /// The file that it is included from; of no file if it is typed.
    pub path: String,
    pub number: usize,
    pub text: String,
}

/// The listings of a page, without those in notes for the teacher.
pub fn listings(book: &Book, page: &Page) -> Vec<Listing> {
    let (notes, folded) = (page.text.notes(), page.text.folded());
    let blocks = page.text.blocks.iter();
    let blocks = blocks.filter(|block| !notes.iter().any(|it| it.contains(&block.line)));
    let listings = blocks.map(|block| {
        let lines = block.lines.iter().flat_map(|(number, text)| {
            let typed = || (String::new(), vec![(*number, text.clone())]);
            let (path, lines) = includes::lines(book, page, text).unwrap_or_else(typed);
            lines.into_iter().map(move |(number, text)| Line {
                path: path.clone(),
                number,
                text,
            })
        });
        Listing {
            line: block.line,
            language: block.language.clone(),
            is_folded: folded.iter().any(|it| it.contains(&block.line)),
            lines: lines.filter(|line| !line.text.trim().is_empty()).collect(),
        }
    });
    listings.collect()
}

/// How many lines are in sight in these languages.
pub fn open_lines(listings: &[Listing], languages: &[&str]) -> usize {
    count(listings, |it| !it.is_folded && languages.contains(&it.language.as_str()))
}

/// How many lines of Rust are folded away.
pub fn folded_rust_lines(listings: &[Listing]) -> usize {
    count(listings, |it| it.is_folded && it.language == "rust")
}

fn count(listings: &[Listing], is_counted: impl Fn(&Listing) -> bool) -> usize {
    listings.iter().filter(|it| is_counted(it)).map(|it| it.lines.len()).sum()
}

/// How many commands a reader types: a line that ends with `\` goes on in the next one.
pub fn commands(listings: &[Listing]) -> usize {
    let blocks = listings.iter().filter(|it| it.language == "sh");
    let lines = blocks.flat_map(|it| &it.lines).map(|it| it.text.trim());
    lines.filter(|line| !line.starts_with('#') && !line.ends_with('\\')).count()
}

/// How many lines a diff adds and takes away.
pub fn changes(listing: &Listing) -> usize {
    let lines = listing.lines.iter().map(|it| it.text.as_str());
    let changed = lines.filter(|line| line.starts_with(['+', '-']));
    changed.filter(|line| !line.starts_with("+++ ") && !line.starts_with("--- ")).count()
}
