//! What the rules need to know of a page's Markdown, read as mdBook reads it.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use pulldown_cmark::{Event, Options, Parser, Tag as PulldownTag, TagEnd};

use crate::html::{self, Tag};
use crate::links::{self, Links};

pub struct Markdown {
    source: String,
    /// The source with code and comments overwritten, so that what is found in it counts.
    /// A place in the one is the same place in the other.
    prose: String,
    /// The fenced blocks.
    pub blocks: Vec<Block>,
}

pub struct Block {
    /// The number of the line that opens it.
    pub line: usize,
    /// Three or more of "`" or "~".
    fence: String,
    /// `rust`, from "```rust,ignore".
    pub language: String,
    /// What is in it, with the lines' numbers.
    pub lines: Vec<(usize, String)>,
    pub is_closed: bool,
}

/// A piece of a sentence.
pub struct Piece {
    pub range: Range<usize>,
    pub line: usize,
    pub is_code: bool,
    /// What it is in.
    pub is_heading: bool,
    pub is_link: bool,
    pub is_emphasis: bool,
}

/// What mdBook reads besides CommonMark.
pub fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
}

pub struct Heading {
    pub line: usize,
    pub level: usize,
    /// What a link to it names after `#`.
    pub id: String,
}

impl Markdown {
    pub fn new(source: String) -> Markdown {
        let (mut outside, mut blocks) = (String::new(), vec![]);
        let mut open: Option<Block> = None;
        for (number, line) in (1..).zip(source.split_inclusive('\n')) {
            let Some(block) = &mut open else {
                open = Block::open(number, line);
                outside +=
                    &if open.is_some() { cover(line, ' ') } else { line.to_string() };
                continue;
            };
            outside += &cover(line, ' ');
            if block.is_closed_by(line) {
                block.is_closed = true;
                blocks.extend(open.take());
            } else {
                block.lines.push((number, line.trim_end().to_string()));
            }
        }
        blocks.extend(open);
        Markdown { prose: without_code(&outside), source, blocks }
    }

    /// All lines, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.source.lines())
    }

    /// The lines without code and comments: where those were, there is "x" or a space.
    pub fn prose_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.prose.lines())
    }

    pub fn line(&self, number: usize) -> &str {
        self.source.lines().nth(number - 1).unwrap_or_default()
    }

    pub fn is_blank(&self, number: usize) -> bool {
        number == 0 || self.line(number).trim().is_empty()
    }

    pub fn tags(&self) -> Vec<Tag<'_>> {
        html::tags(&self.prose)
    }

    pub fn links(&self) -> Links {
        links::find(&self.source, &self.prose)
    }

    pub fn headings(&self) -> Vec<Heading> {
        let mut used = BTreeSet::new();
        let headings = self.prose_lines().filter_map(|(line, prose)| {
            let level = prose.len() - prose.trim_start_matches('#').len();
            let is_heading = (1..=6).contains(&level) && prose[level..].starts_with(' ');
            is_heading.then(|| {
                let id = heading_id(&self.line(line)[level..], &mut used);
                Heading { line, level, id }
            })
        });
        headings.collect()
    }

    /// All that a link can name after `#`.
    pub fn ids(&self) -> BTreeSet<String> {
        let headings = self.headings().into_iter().map(|heading| heading.id);
        let tags = self.tags();
        let written =
            tags.iter().filter_map(|tag| tag.attribute("id")).map(str::to_string);
        headings.chain(written).chain(self.terms()).collect()
    }

    /// The ids of a glossary's terms: a line with `: ` explains the line above it.
    fn terms(&self) -> Vec<String> {
        let is_meaning = |number: usize| self.line(number).starts_with(": ");
        let mut terms = vec![];
        for (number, _) in self.prose_lines().filter(|it| is_meaning(it.0)) {
            let above = (1..number).rev().find(|above| !self.is_blank(*above));
            let term = above.filter(|above| !is_meaning(*above)).map(|it| self.line(it));
            terms.extend(term.map(|term| slug(&rendered(term))));
        }
        terms
    }

    /// The lines of the notes for the teacher, from `<aside …>` to `</aside>`.
    pub fn notes(&self) -> Vec<RangeInclusive<usize>> {
        self.elements("aside")
    }

    /// The lines that are folded away, from `<details>` to `</details>`. What is folded in
    /// something folded is no element of its own here. `<details open>` folds nothing away.
    pub fn folded(&self) -> Vec<RangeInclusive<usize>> {
        let mut found = self.elements("details");
        let is_open = |tag: &Tag| tag.inside.split_whitespace().any(|it| it == "open");
        for tag in self.tags().iter().filter(|tag| is_open(tag)) {
            found.retain(|lines| *lines.start() != tag.line);
        }
        found
    }

    fn elements(&self, name: &str) -> Vec<RangeInclusive<usize>> {
        let (mut found, mut starts) = (vec![], vec![]);
        for tag in self.tags() {
            if tag.name == name {
                starts.push(tag.line);
            } else if tag.name.strip_prefix('/') == Some(name) {
                let start = starts.pop();
                found.extend(start.filter(|_| starts.is_empty()).map(|it| it..=tag.line));
            }
        }
        found.extend(starts.first().map(|start| *start..=usize::MAX));
        found
    }

    /// What a reader reads in sentences: the pieces of text and of code in them, in their
    /// order. Listings and HTML are no sentences, nor are the targets of links.
    pub fn pieces(&self) -> Vec<Piece> {
        let (mut pieces, mut open) = (vec![], vec![]);
        let events = Parser::new_ext(&self.source, options()).into_offset_iter();
        for (event, range) in events {
            let is_code = matches!(event, Event::Code(_));
            match event {
                Event::Start(tag) => open.push(tag.to_end()),
                Event::End(_) => drop(open.pop()),
                Event::Text(_) | Event::Code(_) if !open.contains(&TagEnd::CodeBlock) => {
                    let is_in = |what: fn(&TagEnd) -> bool| open.iter().any(what);
                    pieces.push(Piece {
                        line: html::line_at(&self.source, range.start),
                        range,
                        is_code,
                        is_heading: is_in(|it| matches!(it, TagEnd::Heading(_))),
                        is_link: is_in(|it| matches!(it, TagEnd::Link | TagEnd::Image)),
                        is_emphasis: is_in(|it| *it == TagEnd::Emphasis),
                    });
                }
                _ => {}
            }
        }
        pieces
    }

    /// The source with all but these pieces covered with zeros. A place in it is the same
    /// place in the source.
    pub fn only(&self, is_wanted: impl Fn(&Piece) -> bool) -> String {
        let cover = |byte: u8| if byte.is_ascii_whitespace() { byte } else { 0 };
        let mut text: Vec<u8> = self.source.bytes().map(cover).collect();
        for piece in self.pieces().into_iter().filter(is_wanted) {
            let range = piece.range;
            text[range.clone()].copy_from_slice(&self.source.as_bytes()[range]);
        }
        String::from_utf8(text).expect("whole characters have been copied")
    }

    /// Where a page links to, by the place of the link.
    pub fn link_targets(&self) -> Vec<(usize, String)> {
        let events = Parser::new_ext(&self.source, options()).into_offset_iter();
        let links = events.filter_map(|(event, range)| match event {
            Event::Start(PulldownTag::Link { dest_url, .. }) => {
                Some((range.start, dest_url.to_string()))
            }
            _ => None,
        });
        links.collect()
    }

    /// The text as it is written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How many words a reader reads, code, tags and notes for the teacher left out.
    pub fn count_words(&self) -> usize {
        let notes = self.notes();
        self.count_words_of(|line| !notes.iter().any(|note| note.contains(&line)))
    }

    /// How many words there are in these lines, code and tags left out.
    pub fn count_words_of(&self, is_counted: impl Fn(usize) -> bool) -> usize {
        let lines = self.prose_lines().filter(|(line, _)| is_counted(*line));
        let lines: Vec<&str> = lines.map(|(_, line)| line).collect();
        let text = html::without_tags(&lines.join("\n"));
        let lines = text.lines().filter(|line| !line.starts_with("{{#"));
        let words = lines.flat_map(str::split_whitespace);
        words.filter(|word| word.contains(char::is_alphanumeric)).count()
    }
}

impl Block {
    /// A fence opens a block in a list or a quotation too.
    fn open(number: usize, line: &str) -> Option<Block> {
        let line = line.trim_start_matches([' ', '>']).trim_end();
        let info = line.trim_start_matches(line.chars().next()?);
        let fence = &line[..line.len() - info.len()];
        let is_fence = fence.len() >= 3 && fence.starts_with(['`', '~']);
        let language = info.trim().split([',', ' ', '{']).next().unwrap_or_default();
        // With "`" after it, it is inline code.
        (is_fence && !info.contains('`')).then(|| Block {
            line: number,
            fence: fence.to_string(),
            language: language.to_string(),
            lines: vec![],
            is_closed: false,
        })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let rest = line.trim_start_matches([' ', '>']).strip_prefix(&self.fence);
        let fence = &self.fence[..1];
        rest.is_some_and(|rest| rest.trim_end().trim_start_matches(fence).is_empty())
    }
}

/// As many bytes and as many lines, but nothing else in them.
fn cover(text: &str, with: char) -> String {
    let with = with.to_string();
    let byte = |c: char| if c == '\n' { "\n".into() } else { with.repeat(c.len_utf8()) };
    text.chars().map(byte).collect()
}

/// Covers inline code and characters after `\` with "x", comments with spaces.
fn without_code(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, with) = match first {
            '`' => inline_code(rest),
            '\\' => (rest.chars().take(2).map(char::len_utf8).sum(), Some('x')),
            '<' if rest.starts_with("<!--") => {
                (rest.find("-->").map_or(rest.len(), |at| at + 3), Some(' '))
            }
            _ => (first.len_utf8(), None),
        };
        let (piece, after) = rest.split_at(length);
        prose += &with.map_or(piece.to_string(), |with| cover(piece, with));
        rest = after;
    }
    prose
}

/// How long the code is that `text` starts with. It ends with as many "`" in the same
/// paragraph; if there are none, these are no code.
fn inline_code(text: &str) -> (usize, Option<char>) {
    let code = text.trim_start_matches('`');
    let ticks = &text[..text.len() - code.len()];
    let lines = code.split_inclusive('\n');
    let paragraph: usize =
        lines.take_while(|line| !line.trim().is_empty()).map(str::len).sum();
    let mut at = 0;
    while let Some(found) = code[at..paragraph].find(ticks) {
        let end = at + found;
        let run = code[end..].len() - code[end..].trim_start_matches('`').len();
        if run == ticks.len() {
            return (ticks.len() + end + run, Some('x'));
        }
        at = end + run;
    }
    (ticks.len(), None)
}

/// The id of a heading: `{#id}` at its end, or made from its text, and then with a number
/// if that is used already.
fn heading_id(text: &str, used: &mut BTreeSet<String>) -> String {
    let (text, attributes) = match text.rsplit_once('{') {
        Some((text, attributes)) if attributes.trim_end().ends_with('}') => {
            (text, attributes.trim_end().trim_end_matches('}'))
        }
        _ => (text, ""),
    };
    if let Some(id) = attributes.split_whitespace().find_map(|it| it.strip_prefix('#')) {
        return id.to_string();
    }
    let slug = slug(&rendered(text));
    let numbered = (1..).map(|number| format!("{slug}-{number}"));
    let mut ids = [slug.clone()].into_iter().chain(numbered);
    ids.find(|id| used.insert(id.clone())).expect("there is always another number")
}

/// mdBook's rule for the text of a heading.
fn slug(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let kept = text.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some('-'),
        c => (c.is_alphanumeric() || c == '_' || c == '-').then_some(c),
    });
    kept.collect()
}

/// The text as it is shown: code as it is, the rest without marks, tags and targets.
fn rendered(text: &str) -> String {
    let mut shown = String::new();
    for (number, piece) in text.split('`').enumerate() {
        let is_code = number % 2 == 1;
        shown += &if is_code { piece.to_string() } else { without_marks(piece) };
    }
    shown
}

fn without_marks(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_inside_a_word = shown.ends_with(char::is_alphanumeric)
            && rest[c.len_utf8()..].starts_with(char::is_alphanumeric);
        let skipped = match c {
            '<' => rest.find('>').unwrap_or_default() + 1,
            ']' if rest.starts_with("](") => rest.find(')').unwrap_or_default() + 1,
            // These become dashes, which an id does not have.
            '-' if rest.starts_with("--") => {
                rest.len() - rest.trim_start_matches('-').len()
            }
            '_' if !is_inside_a_word => 1,
            _ => 0,
        };
        if skipped == 0 {
            shown.push(c);
        }
        rest = &rest[skipped.max(c.len_utf8())..];
    }
    shown
}

#[test]
fn ids_of_headings_are_those_of_mdbook() {
    let ids = [
        ("# `--passes`: add more rustdoc passes", "--passes-add-more-rustdoc-passes"),
        ("# Method-call 🐙 expressions", "method-call--expressions"),
        ("# 中文標題 CJK title", "中文標題-cjk-title"),
        (
            "# Über _all_ of `do_schedule` and **do_schedule**",
            "über-all-of-do_schedule-and-do_schedule",
        ),
        ("# A [link](away.md) -- and a <b>tag</b>", "a-link--and-a-tag"),
        ("# What waits? {#waiting .wide}", "waiting"),
        ("# Run it\n## Run it\n## Run it", "run-it run-it-1 run-it-2"),
        ("# A\n\nready queue\n: a list\n: a task's place", "a ready-queue"),
    ];
    for (text, expected) in ids {
        let text = Markdown::new(text.to_string());
        let expected: BTreeSet<String> =
            expected.split(' ').map(str::to_string).collect();
        assert_eq!(text.ids(), expected);
    }
}
