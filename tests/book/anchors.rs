//! Anchors: the comments that mark what a listing shows of a source file.
//!
//! ```text
//! // ANCHOR: name
//! fn shown() {}
//! // ANCHOR_END: name
//! ```

use crate::Defects;
use crate::book::{Book, Page, resolve};

/// What listings are taken from.
const SOURCES: [&str; 5] = ["rs", "py", "toml", "sh", "yml"];

/// How many marks the library may have: they stand between its readers and its code.
const MARKS: usize = 300;

pub fn check(book: &Book, defects: &mut Defects) {
    for path in book.files("", &SOURCES) {
        check_file(&path, &book.read(&path).unwrap_or_default(), defects);
    }
}

/// In `src/`, a mark is there for a page, and there are not too many.
pub fn check_library(book: &Book, defects: &mut Defects) {
    let mut shown: Vec<(String, &str)> = book.pages.iter().flat_map(anchors_of).collect();
    let diffs = book.files("chapters", &["diff"]);
    let diffs: Vec<String> = diffs.iter().filter_map(|path| book.read(path)).collect();
    shown.extend(diffs.iter().flat_map(|diff| compared(diff)));
    let mut count = 0;
    for path in book.files("src", &SOURCES) {
        let text = book.read(&path).unwrap_or_default();
        for (number, mark) in (1..).zip(text.lines().map(marker)) {
            count += usize::from(mark.is_some());
            let Some(Marker::Start(name)) = mark else { continue };
            if !shown.iter().any(|it| it.0 == path && it.1 == name) {
                let message = format!("drop this mark: no page shows {name}");
                defects.add(&path, number, message);
            }
        }
    }
    if count > MARKS {
        let message = format!("drop some: {count} lines are marks, more than {MARKS}");
        defects.add("src", 1, message);
    }
}

/// The anchors that a page includes, and the paths of their files.
fn anchors_of(page: &Page) -> impl Iterator<Item = (String, &str)> {
    let includes = page.text.lines().filter_map(|(_, line)| {
        let directive = line.trim_end().strip_prefix("{{#")?.strip_suffix("}}")?;
        directive.split_once(' ')?.1.split_once(':')
    });
    includes.filter_map(|(path, name)| Some((resolve(&page.path, path)?, name)))
}

/// The parts of files that a diff compares: its first two lines name them.
fn compared(diff: &str) -> impl Iterator<Item = (String, &str)> {
    let named = diff.lines().take(2).filter_map(|line| line.get(4..)?.split_once(':'));
    named.map(|(path, name)| (path.to_string(), name))
}

fn check_file(path: &str, text: &str, defects: &mut Defects) {
    let (mut seen, mut open) = (vec![], vec![]);
    for (number, line) in (1..).zip(text.lines()) {
        let mut complain = |message| defects.add(path, number, message);
        match marker(line) {
            Some(Marker::Start(name)) => {
                if seen.contains(&name) {
                    complain(format!("use another name: an anchor {name} is above"));
                } else if let Some(region) = region(text, name) {
                    if region.trim().is_empty() {
                        complain(format!("put something into the anchor {name}"));
                    }
                } else {
                    complain(format!("close this with ANCHOR_END: {name}"));
                }
                seen.push(name);
                open.push(name);
            }
            Some(Marker::End(name)) => match open.iter().position(|it| *it == name) {
                Some(start) => {
                    open.remove(start);
                }
                None => complain(format!("start an anchor {name} above this end of it")),
            },
            None => {}
        }
    }
}

/// The lines that a listing of the anchor shows; none if it does not start and end.
pub fn region(text: &str, name: &str) -> Option<String> {
    Some(lines(text, name)?.iter().map(|(_, line)| format!("{line}\n")).collect())
}

/// These lines with their numbers in the file.
pub fn lines<'a>(text: &'a str, name: &str) -> Option<Vec<(usize, &'a str)>> {
    let mut lines = (1..).zip(text.lines());
    lines.find(|(_, line)| marker(line) == Some(Marker::Start(name)))?;
    let mut shown = vec![];
    for (number, line) in lines {
        match marker(line) {
            Some(Marker::End(end)) if end == name => return Some(shown),
            // mdBook leaves out the marks of other anchors.
            Some(_) => {}
            None => shown.push((number, line)),
        }
    }
    None
}

/// Whether a listing of the whole file would show its anchors too.
pub fn shows_anchors(text: &str) -> bool {
    text.contains("ANCHOR:") || text.contains("ANCHOR_END:")
}

#[derive(PartialEq)]
enum Marker<'a> {
    Start(&'a str),
    End(&'a str),
}

/// mdBook takes marks anywhere in a line, and drops the line; we take them in lines of
/// their own only, so that no code goes with them.
fn marker(line: &str) -> Option<Marker<'_>> {
    let line = line.trim();
    let line = line.strip_prefix("//").or(line.strip_prefix('#'))?.trim_start();
    let is_end = line.starts_with("ANCHOR_END:");
    let rest = line.strip_prefix(if is_end { "ANCHOR_END:" } else { "ANCHOR:" })?;
    let rest = rest.trim_start();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let name = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
    Some(if is_end { Marker::End(name) } else { Marker::Start(name) })
}
