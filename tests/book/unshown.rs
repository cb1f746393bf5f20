//! No line of the servers, and of the library that they are made of, is left unexplained: a
//! page shows it, in a listing or in a diff.
//!
//! Not asked for are lines that say nothing by themselves: empty ones, marks of anchors,
//! closing brackets. Nor what a page says in its own words, or need not say: the opening
//! comment of a module, its attributes, and its `use` lines, since a name's origin can be
//! looked up. Nor the tests in a module: they teach nobody who drives it. All other comments
//! are asked for, as is every line of code.
//!
//! What a player shows beside a recording does not count. It is there to be stepped through,
//! and no page says a word about the most of it.

use std::collections::{BTreeMap, BTreeSet};

use similar::{DiffTag, TextDiff};

use crate::Defects;
use crate::anchors;
use crate::book::{Book, Page, resolve};

/// What no page has to show: the beginning of its path, and why. (Nothing, so far.)
pub type Exception = (&'static str, &'static str);

pub const EXCEPTIONS: [Exception; 0] = [];

/// The lines that are shown, by the paths of their files.
type Shown = BTreeMap<String, BTreeSet<usize>>;

pub fn check(book: &Book, exceptions: &[Exception], defects: &mut Defects) {
    let shown = shown(book);
    let mut unused: BTreeMap<&str, bool> = BTreeMap::new();
    for path in book.files("src", &["rs"]) {
        let text = book.read(&path).unwrap_or_default();
        let none = BTreeSet::new();
        let unshown = unshown(&text, shown.get(&path).unwrap_or(&none));
        if let Some((exception, _)) = exceptions.iter().find(|it| path.starts_with(it.0))
        {
            *unused.entry(exception).or_insert(true) &= unshown.is_empty();
            continue;
        }
        for (first, last) in unshown {
            let message = format!("show and explain {path}:{first}-{last} on a page");
            defects.add(&path, first, message);
        }
    }
    for (exception, _) in unused.into_iter().filter(|(_, unused)| *unused) {
        let message = format!("drop the exception {exception:?}: pages show all of it");
        defects.add("tests/book/unshown.rs", 1, message);
    }
}

/// The first and the last line of each piece that has to be shown and is not.
fn unshown(text: &str, shown: &BTreeSet<usize>) -> Vec<(usize, usize)> {
    let (mut pieces, mut is_open): (Vec<(usize, usize)>, _) = (vec![], false);
    for (number, is_asked_for) in (1..).zip(asked_for(text)) {
        if shown.contains(&number) {
            is_open = false;
        } else if is_asked_for {
            match pieces.last_mut() {
                Some((_, last)) if is_open => *last = number,
                _ => pieces.push((number, number)),
            }
            is_open = true;
        }
    }
    pieces
}

/// For each line, whether a page has to show it.
fn asked_for(text: &str) -> Vec<bool> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut asked_for = vec![];
    let (mut is_use, mut are_tests) = (false, false);
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).copied().unwrap_or_default();
        are_tests |= *line == "#[cfg(test)]" && next.starts_with("mod ");
        is_use |= begins_use(line) || line.starts_with("#[cfg(") && begins_use(next);
        asked_for.push(!are_tests && !is_use && says_something(line));
        is_use &= !line.ends_with(';');
    }
    asked_for
}

fn begins_use(line: &str) -> bool {
    line.starts_with("use ") || line.starts_with("pub use ")
}

fn says_something(line: &str) -> bool {
    let is_of_the_module = line.starts_with("//!") || line.starts_with("#![");
    !is_of_the_module
        && !anchors::is_mark(line)
        && line.chars().any(char::is_alphanumeric)
}

fn shown(book: &Book) -> Shown {
    let mut shown = Shown::new();
    let includes: Vec<(&str, String, Option<String>)> =
        book.pages.iter().flat_map(|page| includes(page)).collect();
    for (language, path, anchor) in &includes {
        let text = book.read(path).unwrap_or_default();
        let lines = match anchor {
            Some(anchor) => anchors::lines(&text, anchor),
            None => Some(1..text.lines().count() + 1),
        };
        if *language == "rust" {
            shown.entry(path.clone()).or_default().extend(lines.into_iter().flatten());
        }
    }
    for (_, path, _) in includes.iter().filter(|(language, ..)| *language == "diff") {
        add_diff(book, &book.read(path).unwrap_or_default(), &mut shown);
    }
    shown
}

/// What the blocks of a page include: in which language, from which path, by which anchor.
fn includes(page: &Page) -> Vec<(&str, String, Option<String>)> {
    let mut found = vec![];
    for block in &page.text.blocks {
        let directives =
            block.lines.iter().filter_map(|(_, line)| line.strip_prefix("{{#"));
        for directive in directives.filter_map(|it| it.strip_suffix("}}")) {
            let argument = directive.split_once(' ').map_or("", |(_, argument)| argument);
            let (path, anchor) = match argument.trim().split_once(':') {
                Some((path, anchor)) => (path, Some(anchor.to_string())),
                None => (argument.trim(), None),
            };
            let path = resolve(&page.path, path);
            found.extend(path.map(|path| (block.language.as_str(), path, anchor)));
        }
    }
    found
}

/// A diff shows the lines that are in it. The others are those of the older file, so they
/// are shown where that one's are. (That the diff is up to date is for `tests/diffs.rs`.)
fn add_diff(book: &Book, diff: &str, shown: &mut Shown) {
    let named = |mark| diff.lines().find_map(|line| line.strip_prefix(mark));
    let (Some(old), Some(new)) = (named("--- "), named("+++ ")) else {
        return;
    };
    let texts = [old, new].map(|path| book.read(path).unwrap_or_default());
    let [(old_numbers, old_lines), (new_numbers, new_lines)] =
        texts.each_ref().map(|text| compared(text));
    let diff = TextDiff::from_slices(&old_lines, &new_lines);
    let mut found: Vec<usize> = vec![];
    for op in diff.grouped_ops(2).into_iter().flatten() {
        found.extend(&new_numbers[op.new_range()]);
    }
    if let Some(shown) = shown.get(old) {
        for op in diff.ops().iter().filter(|op| op.tag() == DiffTag::Equal) {
            let same = op.old_range().zip(op.new_range());
            let same = same.filter(|(old, _)| shown.contains(&old_numbers[*old]));
            found.extend(same.map(|(_, new)| new_numbers[new]));
        }
    }
    shown.entry(new.to_string()).or_default().extend(found);
}

/// The lines that a diff of the book compares, and their numbers.
fn compared(text: &str) -> (Vec<usize>, Vec<&str>) {
    let is_kept = |line: &str| !line.starts_with("//!") && !line.contains("// ANCHOR");
    (1..).zip(text.lines()).filter(|(_, line)| is_kept(line)).unzip()
}

#[test]
fn every_exception_has_a_file_and_a_reason() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, why) in EXCEPTIONS {
        assert!(root.join(path).exists() && !why.is_empty(), "{path}");
    }
}

#[test]
fn lines_that_are_asked_for() {
    let text = "//! What for.\n#![forbid(unsafe_code)]\n\nuse std::{\n    io,\n};\n\
        #[cfg(unix)]\nuse a::b;\n/// It.\n#[inline]\nfn it() {\n    run(); // now\n}\n\
        #[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";
    let asked_for: Vec<usize> =
        (1..).zip(asked_for(text)).filter(|it| it.1).map(|it| it.0).collect();
    assert_eq!(asked_for, [9, 10, 11, 12]);
}
