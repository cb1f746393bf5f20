//! A prediction: a question, choices, what shows the answer, and the answer, which is
//! folded away and says of each choice why it is right or wrong. A script makes the choices
//! clickable, so its parts stand in this order:
//!
//! ```text
//! ## Predict first
//!
//! How many calls has the kernel seen?
//!
//! 1. Three.
//! 2. None.
//!
//! … commands, and what they print …
//!
//! <details>
//! <summary>The answer</summary>
//!
//! 1. That would take three threads.
//! 2. **Right.** The events have not happened yet.
//!
//! </details>
//! ```

use std::ops::RangeInclusive;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::Defects;
use crate::book::{Book, Page, SUMMARY};
use crate::html::line_at;
use crate::{budgets, markdown};

/// How an answer's item begins if it speaks of the right choice.
const RIGHT: &str = "**Right.**";
/// How many choices a prediction has.
const CHOICES: RangeInclusive<usize> = 2..=5;
/// The right answer stands at each of these places in a fifth of the predictions or more:
/// a reader who learns that the first is never right has two answers left.
const PLACES: [&str; 3] = ["first", "second", "third"];
/// A book with fewer predictions may have its right answers anywhere.
const MANY: usize = 20;
/// What may show a prediction's answer.
const SHOWN: [&str; 3] = ["sh", "console", "diff"];

/// An ordered list that is in no other list.
struct List {
    line: usize,
    end: usize,
    items: Vec<String>,
}

/// The parts of a page that matter here.
#[derive(Default)]
struct Parts {
    /// The titles of sections and of what is in them: their lines and levels.
    headings: Vec<(usize, usize)>,
    /// Where a heading or bold text asks to predict.
    asked: Vec<usize>,
    lists: Vec<List>,
}

pub fn check(book: &Book, defects: &mut Defects) {
    let mut right = vec![];
    for page in &book.pages {
        let parts = parts(page);
        for (at, line) in parts.asked.iter().enumerate() {
            let next = parts.asked.get(at + 1).copied().unwrap_or(usize::MAX);
            match check_one(page, &parts, *line, next) {
                Ok(place) => right.push(place),
                Err((line, message)) => defects.add(&page.path, line, message),
            }
        }
    }
    check_places(&right, defects);
}

/// No place of an answer gives away that it is wrong. `right` has the place of each right
/// one, from 0 on.
fn check_places(right: &[usize], defects: &mut Defects) {
    let all = right.len();
    for (place, name) in PLACES.iter().enumerate() {
        let count = right.iter().filter(|it| **it == place).count();
        if all >= MANY && count * 5 < all {
            let message = format!(
                "let the {name} answer be the right one of more predictions: it is that \
                 of {count}, and a fifth of {all} is the least"
            );
            defects.add(SUMMARY, 1, message);
        }
    }
}

/// The lines of the choices that a page gives.
pub fn choices(page: &Page) -> Vec<RangeInclusive<usize>> {
    let parts = parts(page);
    let first = |line: &usize| parts.lists.iter().find(|list| list.line > *line);
    parts.asked.iter().filter_map(first).map(|list| list.line..=list.end).collect()
}

/// How many predictions a page asks for.
pub fn count(page: &Page) -> usize {
    parts(page).asked.len()
}

/// The prediction that is asked for on this line, above the next one: at which place its
/// right answer stands.
fn check_one(
    page: &Page,
    parts: &Parts,
    line: usize,
    next: usize,
) -> Result<usize, (usize, String)> {
    let complain = |line, message: &str| Err((line, message.to_string()));
    let ends = |it: &&(usize, usize)| it.1 <= 2 && it.0 > line;
    let end = parts.headings.iter().find(ends).map_or(usize::MAX, |it| it.0).min(next);
    let folded = page.text.folded();
    let answer = folded.iter().find(|it| *it.start() > line && *it.start() < end);
    let Some(answer) = answer else {
        return complain(line, "fold the answer away below this: <details>");
    };
    let before = |list: &&List| list.line > line && list.line < *answer.start();
    let choices = parts.lists.iter().find(before);
    let Some(choices) = choices.filter(|it| CHOICES.contains(&it.items.len())) else {
        return complain(line, "give 2 to 5 choices between this and the answer: 1. …");
    };
    let reasons = parts.lists.iter().find(|list| answer.contains(&list.line));
    let Some(reasons) = reasons.filter(|it| it.items.len() == choices.items.len()) else {
        let count = choices.items.len();
        let message =
            format!("say of each choice why it is right or wrong: {count} items");
        return complain(*answer.start(), &message);
    };
    let items = reasons.items.iter().enumerate();
    let right: Vec<usize> = items
        .filter(|(_, item)| item.starts_with(RIGHT))
        .map(|(place, _)| place)
        .collect();
    let [right] = right[..] else {
        let count = right.len();
        let message = format!("begin one of these answers with {RIGHT}, not {count}");
        return complain(reasons.line, &message);
    };
    check_order(page, parts, line, choices.line, *answer.start())?;
    Ok(right)
}

/// Nothing gives the answer away before there is a choice.
fn check_order(
    page: &Page,
    parts: &Parts,
    asked: usize,
    choices: usize,
    answer: usize,
) -> Result<(), (usize, String)> {
    if !budgets::is_held(page) {
        return Ok(());
    }
    let above = parts.headings.iter().rfind(|it| it.1 <= 2 && it.0 <= asked);
    let section = above.map_or(1, |it| it.0);
    let shows = |from: usize, to: usize, languages: &[&str]| {
        let mut blocks = page.text.blocks.iter();
        let is_it = |it: &&markdown::Block| {
            (from..to).contains(&it.line) && languages.contains(&it.language.as_str())
        };
        blocks.find(is_it).map(|it| it.line)
    };
    let is_first_page = page.path == "chapters/start.md";
    if let Some(line) = shows(section, choices, &SHOWN).filter(|_| !is_first_page) {
        return Err((line, "put this below the choices: it gives them away".to_string()));
    }
    let mut tags = page.text.tags().into_iter();
    let plays =
        tags.any(|it| it.name == "trace-player" && (choices..answer).contains(&it.line));
    if shows(choices, answer, &SHOWN).is_none() && !plays {
        let message = "show the answer between the choices and <details>: a command, \
                       what it prints, a diff or a player";
        return Err((choices, message.to_string()));
    }
    Ok(())
}

fn parts(page: &Page) -> Parts {
    let (source, folded) = (page.text.source(), page.text.folded());
    let notes = page.text.notes();
    let is_hidden = |line| {
        folded.iter().chain(&notes).any(|it: &RangeInclusive<usize>| it.contains(&line))
    };
    let mut parts = Parts::default();
    // Whether each of the lists that we are in is an ordered one, and the title.
    let (mut lists, mut title) = (vec![], None);
    let events = Parser::new_ext(source, markdown::options()).into_offset_iter();
    for (event, range) in events {
        let line = line_at(source, range.start);
        match event {
            Event::Start(Tag::List(number)) => {
                if lists.is_empty() && number.is_some() {
                    let end = line_at(source, range.end.saturating_sub(1));
                    parts.lists.push(List { line, end, items: vec![] });
                }
                lists.push(number.is_some());
            }
            Event::End(TagEnd::List(_)) => drop(lists.pop()),
            Event::Start(Tag::Item) if lists == [true] => {
                let item = source[range].trim_start_matches(|c: char| c.is_ascii_digit());
                let text = item.get(1..).unwrap_or_default().trim_start().to_string();
                parts.lists.last_mut().expect("an item is in a list").items.push(text);
            }
            Event::Start(Tag::Heading { level, .. }) => {
                parts.headings.push((line, level as usize));
                title = Some(line);
            }
            Event::Start(Tag::Strong) => title = Some(line),
            Event::End(TagEnd::Heading(_) | TagEnd::Strong) => title = None,
            Event::Text(text) => {
                let asks = title.filter(|_| text.contains("Predict") && !is_hidden(line));
                parts.asked.extend(asks);
            }
            _ => {}
        }
    }
    parts.asked.dedup();
    parts
}
