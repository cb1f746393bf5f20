//! `{{#include PATH}}` and `{{#include PATH:ANCHOR}}`, for which mdBook puts in a file,
//! wherever they stand in a page.

use std::collections::BTreeMap;

use crate::Defects;
use crate::anchors;
use crate::book::{Book, Page, resolve};
use crate::players;

/// The includes of a page by the lines that they are on: the paths of what they include,
/// which has something to show; none for an include that is broken, which has been said.
pub type Includes = BTreeMap<usize, Option<String>>;

const ALONE: &str = "put this alone on its line, without space before it: {{#include …}}";

pub fn of_page(book: &Book, page: &Page, defects: &mut Defects) -> Includes {
    let mut found = Includes::new();
    for (number, line) in page.text.lines().filter(|(_, line)| has_directive(line)) {
        let include = match include(book, page, number, line) {
            Ok(include) => Some(include),
            Err(message) => {
                defects.add(&page.path, number, message);
                None
            }
        };
        found.insert(number, include);
    }
    found
}

/// mdBook looks for them in code too, and not after `\`.
fn has_directive(line: &str) -> bool {
    let mut directives = line.match_indices("{{").filter(|(at, _)| {
        line[at + 2..].trim_start().starts_with('#') && !line[..*at].ends_with('\\')
    });
    directives.next().is_some()
}

fn include(
    book: &Book,
    page: &Page,
    number: usize,
    line: &str,
) -> Result<String, String> {
    // mdBook would indent the first of the lines only, and put the others outside.
    let directive = line.trim_end().strip_prefix("{{#");
    let directive = directive.and_then(|it| it.strip_suffix("}}")).ok_or(ALONE)?;
    let (kind, argument) = directive.split_once(' ').unwrap_or((directive, ""));
    if kind != "include" && kind != "rustdoc_include" {
        return Err(format!("include a file instead of {{{{#{kind}}}}}"));
    }
    let (path, anchor) = match argument.trim().split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (argument.trim(), None),
    };
    let outside = || format!("{path} leads out of the repository");
    let path = resolve(&page.path, path).ok_or_else(outside)?;
    let missing = || format!("there is no text file {path} to include");
    let text = book.read(&path).ok_or_else(missing)?;
    let script = players::script(page, number);
    let is_source = script.as_ref().is_some_and(players::is_source);
    let shown = match anchor {
        None if is_source => text,
        anchor => shown(&path, &text, anchor)?,
    };
    if shown.trim().is_empty() {
        return Err(format!("{path} has nothing to show here"));
    }
    // (What is wrong in a script is said where scripts are looked at.)
    if script.is_none() && shown.contains("{{#") {
        return Err(format!("say it without braces in {path}: mdBook would obey them"));
    }
    let (folder, _) = path.split_once('/').unwrap_or_default();
    if folder != "chapters" && !book.watched.iter().any(|it| it == folder) {
        let list = "to extra-watch-dirs in book.toml";
        return Err(format!("add {folder:?} {list}, or changes of {path} are not seen"));
    }
    Ok(path)
}

/// The file that an include takes its lines from, and these lines with their numbers in it.
/// Nothing for an include that is broken, and for a line that is none.
pub fn lines(
    book: &Book,
    page: &Page,
    line: &str,
) -> Option<(String, Vec<(usize, String)>)> {
    let directive = line.trim_end().strip_prefix("{{#")?.strip_suffix("}}")?;
    let argument = directive.split_once(' ')?.1.trim();
    let (path, anchor) = argument.split_once(':').unwrap_or((argument, ""));
    let path = resolve(&page.path, path)?;
    let text = book.read(&path)?;
    let lines = match anchor {
        "" => (1..).zip(text.lines()).collect(),
        name => anchors::lines(&text, name)?,
    };
    let lines = lines.into_iter().map(|(number, line)| (number, line.to_string()));
    Some((path, lines.collect()))
}

/// What the page will show.
fn shown(path: &str, text: &str, anchor: Option<&str>) -> Result<String, String> {
    match anchor {
        None if anchors::shows_anchors(text) => {
            Err(format!("include an anchor of {path}: the whole file would show them"))
        }
        None => Ok(text.to_string()),
        Some(lines) if lines.starts_with(|c: char| c.is_ascii_digit() || c == ':') => {
            Err(format!("set an anchor in {path}: what is in which line will change"))
        }
        Some(name) => {
            anchors::region(text, name).ok_or(format!("{path} has no anchor {name}"))
        }
    }
}
