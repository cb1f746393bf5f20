//! A player plays recordings of real runs beside the sources that they name. Both stand in
//! its page, in `<script>`s of types that no browser runs:
//!
//! ```text
//! <trace-player id="echo" label="One client">
//!
//! … what is shown without JavaScript and in print: `traces/NAME.txt`, in a block …
//!
//! <script type="application/x-jsonlines">
//! {{#include ../traces/NAME.jsonl}}
//! </script>
//!
//! <script type="text/x-rust" data-file="src/bin/04_scheduler.rs">
//! {{#include ../../src/bin/04_scheduler.rs}}
//! </script>
//!
//! </trace-player>
//! ```

use crate::Defects;
use crate::book::{Book, Page, folder, resolve};
use crate::html::{self, Tag};
use crate::includes::Includes;

const RECORDING: &str = "application/x-jsonlines";
const SOURCE: &str = "text/x-rust";

/// The `<script>` that an include on this line is in: it opens on the line above.
pub fn script(page: &Page, line: usize) -> Option<Tag<'_>> {
    let above = page.text.line(line.checked_sub(1).filter(|above| *above > 0)?);
    html::tags(above).into_iter().find(|tag| tag.name == "script")
}

/// Whether the script is a source, which is included as a whole: the player leaves out the
/// lines of its anchors, and shows the numbers of the others.
pub fn is_source(script: &Tag) -> bool {
    script.attribute("type") == Some(SOURCE)
}

/// Nothing in a script may be what it is not.
pub fn check_script(
    book: &Book,
    page: &Page,
    (line, path): (usize, &str),
    script: &Tag,
) -> Result<(), (usize, String)> {
    let complain = |message: &str| Err((line, message.to_string()));
    let text = book.read(path).unwrap_or_default();
    let file = script.attribute("data-file").unwrap_or_default();
    let is_recording = folder(path) == "traces" && path.ends_with(".jsonl");
    if is_source(script) && file != path {
        return complain(&format!("this is data-file=\"{path}\", not {file:?}"));
    }
    if !is_source(script) && script.attribute("type") != Some(RECORDING) {
        return complain(&format!(
            "say what this is: type=\"{RECORDING}\" or {SOURCE:?}"
        ));
    }
    if !is_source(script) && !is_recording {
        return complain("include one of traces/*.jsonl here");
    }
    if page.text.line(line + 1) != "</script>" {
        return complain("put </script> below this");
    }
    match ["</script", "<!--", "{{#"].iter().find(|it| text.contains(**it)) {
        Some(sign) => {
            complain(&format!("{path} has {sign:?}, which means something here"))
        }
        None => Ok(()),
    }
}

pub fn check(book: &Book, page: &Page, includes: &Includes, defects: &mut Defects) {
    let tags = page.text.tags();
    for (at, tag) in tags.iter().enumerate().filter(|(_, it)| it.name == "trace-player") {
        let mut complain = |message: &str| defects.add(&page.path, tag.line, message);
        for attribute in ["id", "label"] {
            if tag.attribute(attribute).is_none_or(str::is_empty) {
                complain(&format!("give this player its {attribute}=\"…\""));
            }
        }
        let end = tags[at..].iter().find(|it| it.name == "/trace-player");
        let Some(end) = end else {
            complain("close this <trace-player>");
            continue;
        };
        if !page.text.is_blank(tag.line + 1) || !page.text.is_blank(end.line - 1) {
            complain("leave a line empty below this, and above its end");
        }
        let inside = includes.range(tag.line..end.line).filter_map(|it| it.1.as_deref());
        let inside: Vec<&str> = inside.collect();
        let recordings: Vec<&&str> =
            inside.iter().filter(|it| it.ends_with(".jsonl")).collect();
        if recordings.is_empty() {
            complain("put a recording into this player");
        }
        for recording in recordings {
            let text = recording.replace(".jsonl", ".txt");
            if !inside.contains(&text.as_str()) {
                let message = format!("show {text} to who has no JavaScript");
                complain(&message);
            }
            let source = source(&book.read(recording).unwrap_or_default());
            if !includes.values().flatten().any(|path| *path == source) {
                complain(&format!("include {source}, which {recording} names"));
            }
        }
    }
}

/// Whether the player with this id plays a recording that has this step. (Checkpoints are none.
/// Two recordings beside each other have steps of their own, which only the player counts.)
pub fn has_step(book: &Book, page: &Page, id: &str, step: &str) -> bool {
    let tags = page.text.tags();
    let is_it =
        |tag: &&Tag| tag.name == "trace-player" && tag.attribute("id") == Some(id);
    let Some(start) = tags.iter().find(is_it) else { return false };
    let end = tags.iter().find(|it| it.line > start.line && it.name == "/trace-player");
    let lines = start.line..end.map_or(usize::MAX, |it| it.line);
    let include = |(_, line): (usize, &str)| {
        let path = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
        resolve(&page.path, path).filter(|it| it.ends_with(".jsonl"))
    };
    let inside = page.text.lines().filter(|(line, _)| lines.contains(line));
    let recordings: Vec<String> = inside.filter_map(include).collect();
    let [recording] = &recordings[..] else { return recordings.len() > 1 };
    let (text, step) = (book.read(recording).unwrap_or_default(), step.parse());
    let line = step.ok().and_then(|step: usize| text.lines().nth(step.checked_sub(1)?));
    line.is_some_and(|line| !line.contains("\"e\":\"state\""))
}

/// The `src` in the header of a recording.
fn source(recording: &str) -> String {
    let header = recording.lines().next().unwrap_or_default();
    let value = header.split_once("\"src\":\"").map_or("", |it| it.1);
    value.split('"').next().unwrap_or_default().to_string()
}
