//! The terms of the glossary: each is explained on a page, in italics; no page before that
//! uses it, and a page links to its entry where it is first used. An entry is
//!
//! ```text
//! ready queue
//! : What it is. It may give other forms of the term in *italics*: *queue of ready tasks*.
//!   Introduced in [a page](../04_scheduler/index.md).
//! ```
//!
//! Only the words of the term and these forms count, alone or with an `s`. A form in code
//! font is in code font wherever it is used.

use std::ops::Range;

use crate::Defects;
use crate::book::{Book, Page, resolve};
use crate::budgets;
use crate::html::line_at;
use crate::markdown::{Markdown, Piece};
use crate::predictions;

const GLOSSARY: &str = "chapters/appendix/glossary.md";

/// The pages that link each term at its first use: their paths begin so.
pub const LINKED: &[&str] = &budgets::HELD;

/// This page names what the whole book is about.
const OVERVIEW: &str = "chapters/start.md";

struct Term {
    name: String,
    forms: Vec<String>,
    /// Its heading in the glossary.
    id: String,
    /// The page that introduces it.
    page: String,
    /// Where this is among the pages.
    order: usize,
}

pub fn check(book: &Book, linked: &[&str], defects: &mut Defects) {
    let terms = terms(book, defects);
    for (order, page) in book.pages.iter().enumerate() {
        if !budgets::is_held(page) {
            continue;
        }
        if page.path != OVERVIEW {
            check_order(page, order, &terms, defects);
        }
        if linked.iter().any(|start| page.path.starts_with(start)) {
            check_links(page, &terms, defects);
        }
    }
}

/// The entries of the glossary.
fn terms(book: &Book, defects: &mut Defects) -> Vec<Term> {
    let Some(glossary) = book.page(GLOSSARY) else { return vec![] };
    let mut terms = vec![];
    for (line, name, meaning) in entries(&glossary.text) {
        let mut complain = |message: String| defects.add(GLOSSARY, line, message);
        let meaning = Markdown::new(meaning);
        let links = meaning.link_targets();
        let mut pages = links.iter().filter_map(|(_, target)| {
            let path = resolve(GLOSSARY, target.split('#').next()?)?;
            let order = book.pages.iter().position(|page| page.path == path)?;
            Some((path, order))
        });
        let Some((page, order)) = pages.next_back() else {
            complain(format!("link {name:?} to the page that introduces it"));
            continue;
        };
        let mut forms = vec![name.clone()];
        forms.extend(italics(&meaning));
        let id = name.replace('`', "").to_lowercase().replace(' ', "-");
        let term = Term { name, forms, id, page, order };
        let page = &book.pages[order];
        let is_explained = italics(&page.text).iter().any(|it| term.is(it));
        if budgets::is_held(page) && !is_explained && !term.name.starts_with('`') {
            let message = format!("set {:?} in italics where it is explained", term.name);
            defects.add(&page.path, 1, message);
        }
        terms.push(term);
    }
    terms
}

/// The terms of a glossary: their lines, names and meanings.
fn entries(glossary: &Markdown) -> Vec<(usize, String, String)> {
    let mut entries: Vec<(usize, String, String)> = vec![];
    let mut before = "";
    for (number, line) in glossary.lines() {
        if let Some(meaning) = line.strip_prefix(": ") {
            entries.push((number - 1, before.to_string(), meaning.to_string()));
        } else if line.starts_with("  ")
            && let Some((_, _, meaning)) = entries.last_mut()
        {
            *meaning += &format!("\n{}", line.trim());
        }
        before = line;
    }
    entries
}

/// What a text emphasises.
fn italics(text: &Markdown) -> Vec<String> {
    let words = text.only(|piece| piece.is_emphasis);
    let phrases = words.split('\0').map(|it| it.split_whitespace().collect::<Vec<_>>());
    phrases.filter(|it| !it.is_empty()).map(|it| it.join(" ")).collect()
}

impl Term {
    fn is(&self, phrase: &str) -> bool {
        let phrase = phrase.trim_end_matches(['.', ',', ';', ':']).to_lowercase();
        let forms = self.forms.iter().map(|form| form.to_lowercase());
        forms.into_iter().any(|form| phrase == form || phrase == format!("{form}s"))
    }
}

/// No page before the one that introduces it uses a term, except to say what comes next.
fn check_order(page: &Page, order: usize, terms: &[Term], defects: &mut Defects) {
    let notes = page.text.notes();
    let (headings, is_term) = (page.text.headings(), is_term(page, terms));
    let is_next = |line: usize| page.text.line(line) == "## What comes next";
    let end =
        headings.iter().find(|it| is_next(it.line)).map_or(usize::MAX, |it| it.line);
    let text = page.text.only(|piece| {
        let is_note = notes.iter().any(|note| note.contains(&piece.line));
        let is_sentence = !piece.is_heading && !piece.is_link && is_term(piece);
        is_sentence && !is_note && piece.line < end
    });
    for (term, place) in first_uses(&text, terms) {
        if term.order > order {
            let line = line_at(&text, place.start);
            let (name, page_of_it) = (&term.name, &term.page);
            let message = format!("{name:?} is used here, and explained in {page_of_it}");
            defects.add(&page.path, line, message);
        }
    }
}

/// Where a term is first used in sight, it is linked; but not where it is explained.
fn check_links(page: &Page, terms: &[Term], defects: &mut Defects) {
    let hidden =
        [page.text.notes(), page.text.folded(), predictions::choices(page)].concat();
    let is_term = is_term(page, terms);
    let is_in_sight = |piece: &Piece| {
        let is_plain = !piece.is_heading && !piece.is_link && !piece.is_emphasis;
        is_plain
            && is_term(piece)
            && !hidden.iter().any(|lines| lines.contains(&piece.line))
    };
    let text = page.text.only(is_in_sight);
    let links = page.text.link_targets();
    for (term, place) in first_uses(&text, terms) {
        let folders = page.path.matches('/').count() - 1;
        let target = format!("{}appendix/glossary.md#{}", "../".repeat(folders), term.id);
        let is_linked = links.iter().any(|it| it.1 == target && it.0 < place.start);
        if term.page != page.path && !is_linked {
            let line_start = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
            let line = line_at(&text, place.start);
            let column = 1 + page.text.source()[line_start..place.start].chars().count();
            let words: Vec<&str> = text[place].split_whitespace().collect();
            let words = words.join(" ");
            let message = format!(
                "link this at its first use, column {column}: [{words}]({target})"
            );
            defects.add(&page.path, line, message);
        }
    }
}

/// Whether a piece of a page may be a term: code is none, unless a term is written so.
fn is_term(page: &Page, terms: &[Term]) -> impl Fn(&Piece) -> bool {
    let source = page.text.source();
    move |piece: &Piece| {
        let is_it = |form: &String| *form == source[piece.range.clone()];
        !piece.is_code || terms.iter().any(|term| term.forms.iter().any(is_it))
    }
}

/// Where each term is first used. Of two that begin at one place, the longer one counts.
fn first_uses<'a>(text: &str, terms: &'a [Term]) -> Vec<(&'a Term, Range<usize>)> {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<(&Term, Range<usize>)> = vec![];
    for term in terms {
        for form in &term.forms {
            found.extend(uses(text, &lower, form).into_iter().map(|place| (term, place)));
        }
    }
    found.sort_by_key(|(_, place)| (place.start, usize::MAX - place.end));
    let (mut first, mut end): (Vec<(&Term, Range<usize>)>, usize) = (vec![], 0);
    for (term, place) in found {
        if place.start >= end {
            end = place.end;
            if !first.iter().any(|it| it.0.id == term.id) {
                first.push((term, place));
            }
        }
    }
    first
}

/// The places of a phrase, with any white space between its words, in one paragraph.
fn uses(text: &str, lower: &str, form: &str) -> Vec<Range<usize>> {
    let is_code = form.starts_with('`');
    let (text, form) = match is_code {
        true => (text, form.to_string()),
        false => (lower, form.to_ascii_lowercase()),
    };
    let words: Vec<&str> = form.split(' ').collect();
    let is_part = |c: char| c.is_alphanumeric() || "-_`".contains(c);
    let starts = text.match_indices(words[0]).map(|(start, _)| start);
    let found = starts.filter_map(|start| {
        let mut end = start + words[0].len();
        for word in &words[1..] {
            let rest = &text[end..];
            let gap = &rest[..rest.len() - rest.trim_start().len()];
            if gap.is_empty() || gap.matches('\n').count() > 1 {
                return None;
            }
            end += gap.len();
            end += text[end..].strip_prefix(word).map(|_| word.len())?;
        }
        if !is_code && text[end..].starts_with('s') {
            end += 1;
        }
        let is_whole =
            !text[..start].ends_with(is_part) && !text[end..].starts_with(is_part);
        is_whole.then_some(start..end)
    });
    found.collect()
}
