//! Links lead somewhere: to a page or a file that exists, to a heading that is there.

use std::collections::BTreeSet;

use crate::Defects;
use crate::book::{Book, Page, resolve};
use crate::html::{self, line_at};
use crate::players;

/// The links of a page.
#[derive(Default)]
pub struct Links {
    pub all: Vec<Link>,
    /// The labels that `[text][label]` and `[^label]` use, with their lines.
    used: Vec<(usize, String)>,
    /// The labels that `[label]: target` defines.
    defined: BTreeSet<String>,
}

pub struct Link {
    pub line: usize,
    pub target: String,
    /// What stands for an image where it is not seen. None if this is no image.
    pub alt: Option<String>,
}

pub fn check(book: &Book, page: &Page, defects: &mut Defects) {
    let links = page.text.links();
    for Link { line, target, alt } in &links.all {
        if alt.as_ref().is_some_and(|alt| alt.trim().is_empty()) {
            let message = format!("say what {target} shows: `![description]({target})`");
            defects.add(&page.path, *line, message);
        }
        if let Err(message) = check_target(book, page, target) {
            defects.add(&page.path, *line, message);
        }
    }
    for (line, label) in links.used {
        if !links.defined.contains(&label) {
            let message = format!("define this link, `[{label}]: …`, or mend its name");
            defects.add(&page.path, line, message);
        }
    }
}

fn check_target(book: &Book, page: &Page, target: &str) -> Result<(), String> {
    if target.contains(char::is_whitespace) {
        return Err(format!("a link with a space is none: {target:?}"));
    }
    if let Some((scheme, rest)) = target.split_once(':') {
        return check_address(scheme, rest);
    }
    let (file, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => Some(page.path.clone()),
        file => resolve(&page.path, file),
    };
    let path = path.ok_or(format!("{target:?} leads out of the repository"))?;
    if !book.has(&path) {
        return Err(format!("mend this link: there is no file {path}"));
    }
    if !path.ends_with(".md") {
        return Ok(());
    }
    let Some(other) = book.page(&path) else {
        return Err(format!("link to a page: mdBook makes .html of {target:?}"));
    };
    // `#id@12` is a step of the player with this id.
    let (id, step) = heading.split_once('@').unwrap_or((heading, "0"));
    let is_known = other.text.ids().contains(id) && step.parse::<u32>().is_ok();
    if !heading.is_empty() && !is_known {
        return Err(format!("mend this link: {path} has no heading #{heading}"));
    }
    if heading.contains('@') && !players::has_step(book, other, id, step) {
        return Err(format!("mend this link: the recording of #{id} has no step {step}"));
    }
    Ok(())
}

/// An address in the net is not fetched, but it must be one.
fn check_address(scheme: &str, rest: &str) -> Result<(), String> {
    let here = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"];
    match scheme {
        "mailto" => return Ok(()),
        "http" | "https" => {}
        _ => return Err(format!("{scheme}: is nothing to link to")),
    }
    let host = rest.strip_prefix("//").unwrap_or_default();
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    if here.iter().any(|here| host.starts_with(here)) {
        return Err(format!("write {host} as code: readers have nothing there"));
    }
    if !host.contains('.') || host.starts_with('.') || host.ends_with('.') {
        return Err(format!("mend this address: {host:?} is no host"));
    }
    Ok(())
}

/// The links in a text; `prose` is the same without code.
pub fn find(source: &str, prose: &str) -> Links {
    let mut links = Links::default();
    let mut open = vec![];
    for (at, c) in prose.char_indices() {
        match c {
            '[' => open.push(at),
            ']' => {
                if let Some(start) = open.pop() {
                    links.add(source, prose, start, at);
                }
            }
            // No link goes across an empty line.
            '\n' if prose[at + 1..].trim_start_matches(' ').starts_with('\n') => {
                open.clear()
            }
            _ => {}
        }
    }
    for tag in html::tags(prose) {
        let written = tag.name.contains(':').then_some(tag.inside);
        let target = written.or(tag.attribute("href")).or(tag.attribute("src"));
        let alt = (tag.name == "img").then(|| tag.attribute("alt").unwrap_or_default());
        links.all.extend(target.map(|target| Link {
            line: tag.line,
            target: target.to_string(),
            alt: alt.map(str::to_string),
        }));
    }
    links
}

impl Links {
    /// Adds what `[` and `]` at these places are, if they are anything.
    fn add(&mut self, source: &str, prose: &str, start: usize, end: usize) {
        let line = line_at(prose, start);
        let text = &source[start + 1..end];
        let after = &source[end + 1..];
        let is_footnote = text.starts_with('^');
        let mut lines_before = prose[..start].rsplit('\n');
        let is_first = lines_before.next().is_some_and(|line| line.trim().is_empty());
        if after.starts_with('(') {
            let target = inline_target(after);
            let alt = prose[..start].ends_with('!').then(|| text.to_string());
            self.all.push(Link { line, target, alt });
        } else if let Some(label) = after.strip_prefix('[').filter(|_| !is_footnote) {
            let label = label.split(']').next().unwrap_or_default();
            self.used.push((line, normal(if label.is_empty() { text } else { label })));
        } else if let Some(target) = after.strip_prefix(':').filter(|_| is_first) {
            self.defined.insert(normal(text));
            let target = target.split_whitespace().next().unwrap_or_default();
            let target = target.trim_matches(['<', '>']).to_string();
            if !is_footnote {
                self.all.push(Link { line, target, alt: None });
            }
        } else if is_footnote {
            self.used.push((line, normal(text)));
        }
    }
}

/// From `(target "title")…`, or `(<target>)…`.
fn inline_target(text: &str) -> String {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let inside = text[1..end.unwrap_or(text.len())].trim();
    let target = inside.split([' ', '\n']).next().unwrap_or_default();
    let is_title = |rest: &str| rest.trim_start().starts_with(['"', '\'']);
    let has_title = is_title(&inside[target.len()..]);
    let target = if has_title { target } else { inside };
    target.trim_start_matches('<').trim_end_matches('>').to_string()
}

/// Labels are compared without regard to case and to line breaks.
fn normal(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
