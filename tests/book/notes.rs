//! A note for the teacher stands apart from the reader's text, and is hidden until it is
//! asked for:
//!
//! ```text
//! <aside class="teacher">
//!
//! … a few sentences …
//!
//! </aside>
//! ```

use crate::Defects;
use crate::book::Page;

/// A teacher reads it while thirty people wait.
const MOST_WORDS: usize = 120;

pub fn check(page: &Page, defects: &mut Defects) {
    let text = &page.text;
    let mut complain =
        |line, message: &str| defects.add(&page.path, line, message.to_string());
    let mut open = None;
    for tag in text.tags() {
        match (tag.name, open) {
            ("aside", Some(_)) => complain(tag.line, "close the <aside> above first"),
            ("aside", None) => {
                open = Some(tag.line);
                if tag.attribute("class") != Some("teacher") {
                    complain(tag.line, "say whom this is for: <aside class=\"teacher\">");
                }
                if !text.is_blank(tag.line + 1) || !text.is_blank(tag.line - 1) {
                    complain(tag.line, "leave a line empty above and below this");
                }
            }
            ("/aside", None) => complain(tag.line, "drop this: no <aside> is open"),
            ("/aside", Some(_)) => {
                open = None;
                if !text.is_blank(tag.line - 1) {
                    complain(tag.line, "leave a line empty above this");
                }
            }
            _ => {}
        }
    }
    if let Some(line) = open {
        complain(line, "close this <aside>");
    }
    for note in text.notes() {
        for heading in text.headings() {
            if note.contains(&heading.line) {
                // The sidebar would name it to everybody.
                complain(heading.line, "write no heading into a note for the teacher");
            }
        }
        match text.count_words_of(|line| note.contains(&line)) {
            0 => complain(*note.start(), "write something into this note"),
            words if words > MOST_WORDS => {
                let message = format!("{words} words are no note: {MOST_WORDS} at most");
                complain(*note.start(), &message);
            }
            _ => {}
        }
    }
}
