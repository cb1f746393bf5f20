//! Each item of the first four stages is explained on a page of the chapters up to 04: a
//! page names it, in code font, in a sentence. (What one type has in common with another,
//! like `new`, is named on a page that names its type as well.)

use std::collections::{BTreeMap, BTreeSet};

use crate::Defects;
use crate::book::{Book, Page};
use crate::budgets;
use crate::items::{self, Item};

/// What is explained whole.
const SOURCES: [&str; 7] = [
    "src/bin/01_",
    "src/bin/02_",
    "src/bin/03_",
    "src/bin/04_",
    "src/bin/tasks/",
    "src/scheduler/",
    "src/select",
];

/// Traits whose implementations say nothing that their names do not say.
const PLAIN: [&str; 5] = ["From", "Debug", "Display", "Drop", "Default"];

/// What only tells a recording what happened, besides what is called `trace…` or `…_step`.
const HOOKS: [&str; 9] = [
    "SOURCE",
    "asked",
    "bytes",
    "outcome",
    "sleepers",
    "state",
    "tasks",
    "want",
    "wants_state",
];

fn needs_a_page(item: &Item) -> bool {
    let is_plain = item.implements.as_ref().is_some_and(|it| PLAIN.contains(&&**it));
    let name = item.name.as_str();
    let is_hook = name.starts_with("trace") || name.ends_with("_step");
    !is_plain && !is_hook && !HOOKS.contains(&name)
}

pub fn check(book: &Book, defects: &mut Defects) {
    let sources = book.files("src", &["rs"]).into_iter();
    let sources = sources.filter(|path| SOURCES.iter().any(|it| path.starts_with(it)));
    let items = sources.flat_map(|path| {
        let items = items::of(&book.read(&path).unwrap_or_default()).into_iter();
        items.filter(needs_a_page).map(move |item| (path.clone(), item))
    });
    let items: Vec<(String, Item)> = items.collect();
    let pages = book.pages.iter().filter(|page| budgets::is_in_part_one(page));
    let named: Vec<BTreeSet<String>> = pages.map(names).collect();
    let owners: BTreeSet<&str> =
        items.iter().filter(|it| it.1.owner.is_none()).map(|it| &*it.1.name).collect();
    let mut owners_of: BTreeMap<&str, BTreeSet<&Option<String>>> = BTreeMap::new();
    for (_, item) in &items {
        owners_of.entry(&item.name).or_default().insert(&item.owner);
    }
    for (path, item) in &items {
        let is_shared = owners_of[&*item.name].len() > 1;
        let owner = item.owner.as_deref().filter(|it| is_shared && owners.contains(it));
        let needed: Vec<&str> = owner.into_iter().chain([&*item.name]).collect();
        if !named.iter().any(|names| needed.iter().all(|it| names.contains(*it))) {
            let label = item.label();
            let message = match owner {
                None => format!("explain `{label}` on a page up to the end of 04"),
                Some(owner) => format!(
                    "explain `{label}` on a page up to the end of 04 that names `{owner}` too"
                ),
            };
            defects.add(path, item.line, message);
        }
    }
}

/// The words in the code of a page's sentences.
fn names(page: &Page) -> BTreeSet<String> {
    let notes = page.text.notes();
    let is_note = |line| notes.iter().any(|note| note.contains(&line));
    let codes = page.text.only(|piece| piece.is_code && !is_note(piece.line));
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = codes.split(|c| !is_part(c)).filter(|it| !it.is_empty());
    words.map(str::to_string).collect()
}
