//! One document for paper, from the one document that mdBook makes of all pages for a browser.

use std::collections::BTreeSet;

use super::figures::Figure;
use super::html::{self, Element};

/// What mdBook puts between two pages.
const SEPARATOR: &str =
    "<div style=\"break-before: page; page-break-before: always;\"></div>";

/// The document, and what it is made of.
#[derive(Debug, Default)]
pub struct Document {
    pub pages: Vec<Page>,
    /// All pages, and behind each chapter its answers.
    pub body: String,
    /// The table of contents. A style gives the numbers of the pages.
    pub contents: String,
    /// Their names, and what is in them. A figure may be in two places.
    pub figures: Vec<(String, String)>,
    /// How many answers have gone to the ends of chapters.
    pub answers: usize,
}

/// A page of the book, as SUMMARY.md has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    pub path: String,
    /// It is a part of the chapter that began before it.
    pub is_nested: bool,
    /// The title of the part of the book that begins here.
    pub part: Option<String>,
}

/// The pages, in their order.
fn pages(summary: &str) -> Vec<Page> {
    let (mut pages, mut part) = (vec![], None);
    for line in summary.lines() {
        if let Some(title) = line.strip_prefix("# ").filter(|title| *title != "Summary") {
            part = Some(title.to_string());
        } else if let Some((_, path)) = line.split_once("](") {
            let path = path.trim_end_matches(')').to_string();
            let is_nested = line.starts_with([' ', '\t']);
            pages.push(Page { path, is_nested, part: part.take() });
        }
    }
    pages
}

pub fn assemble(print: &str, summary: &str) -> Result<Document, String> {
    let main = Element::first(print, "main").ok_or("print.html has no <main>")?;
    let text = without_what_browsers_need(main.inside);
    let texts: Vec<&str> = text.split(SEPARATOR).collect();
    let pages = pages(summary);
    if texts.len() != pages.len() {
        let (here, there) = (texts.len(), pages.len());
        return Err(format!("print.html has {here} pages, and SUMMARY.md has {there}"));
    }
    let mut document = Document::default();
    let mut chapter = Chapter::default();
    for (page, text) in pages.iter().zip(texts) {
        if !page.is_nested {
            document.end(&mut chapter);
        }
        document.begin(page);
        let text = document.with_images(text)?;
        let text = chapter.without_answers(&text);
        let text = with_levels(&text, page.is_nested);
        let level = if page.is_nested { 2 } else { 1 };
        document.list(&text, level);
        document.body += &text;
    }
    document.end(&mut chapter);
    document.contents = format!(
        "<nav id=\"contents\">\n<h1>Contents</h1>\n{}</nav>\n",
        document.contents
    );
    document.pages = pages;
    Ok(document)
}

fn without_what_browsers_need(html: &str) -> String {
    let html = html::replace(html, "script", |_| String::new());
    let html = without_links_to_styles(&html);
    let html = html::replace(&html, "aside", |_| String::new());
    // A heading is a link to itself.
    let html = html::replace(&html, "a", |link| match link.has_class("header") {
        true => link.inside.to_string(),
        false => format!("{}{}</a>", link.tag, link.inside),
    });
    let html = html::replace(&html, "trace-player", picture);
    // What is in it stands there for those who have no browser.
    let html = html::replace(&html, "live-scheduler", |live| live.inside.to_string());
    let html = html::replace(&html, "table", table);
    let html = html::replace(&html, "dt", |term| match term.attribute("id") {
        // Pandoc keeps no id of a term.
        Some(id) => format!("<dt><span id=\"{id}\">{}</span></dt>", term.inside),
        None => format!("<dt>{}</dt>", term.inside),
    });
    without_steps(&with_kinds_of_links(&html))
}

/// `<link>` has no end, so it is no [`Element`].
fn without_links_to_styles(html: &str) -> String {
    let mut pieces = html.split("<link ");
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |html, piece| {
        html + piece.split_once('>').map_or("", |(_, after)| after)
    })
}

/// A head without words is an empty line at the top of each sheet.
fn table(table: &Element) -> String {
    /// A table of more letters would leave half a sheet empty if it stood undivided on the next.
    const LETTERS: usize = 700;
    let rows = html::replace(table.inside, "thead", |head| {
        match html::text(head.inside).trim().is_empty() {
            true => String::new(),
            false => format!("{}{}</thead>", head.tag, head.inside),
        }
    });
    let is_long =
        html::text(&rows).chars().filter(|c| !c.is_whitespace()).count() > LETTERS;
    let class = if is_long { " class=\"long\"" } else { "" };
    format!("<table{class}>{rows}</table>")
}

/// Where a link leads is its class. A click is no use on paper: there, the style adds the number of
/// the page, or the address, except to the words that the glossary explains, and to the steps of a
/// recording, which is mostly on the same page.
fn with_kinds_of_links(html: &str) -> String {
    const TERM: &str = "<dt><span id=\"";
    let mut terms = BTreeSet::new();
    for piece in html.split(TERM).skip(1) {
        terms.extend(piece.split('"').next());
    }
    html::replace(html, "a", |link| {
        let target = link.attribute("href").unwrap_or_default();
        let class = match target.strip_prefix('#') {
            Some(id) if id.contains('@') => "step",
            Some(id) if terms.contains(id) => "term",
            Some(_) => "page",
            None if target == html::text(link.inside) => "address",
            None => "elsewhere",
        };
        format!("<a class=\"{class}\" href=\"{target}\">{}</a>", link.inside)
    })
}

/// In place of a player: the pictures of its recordings.
fn picture(player: &Element) -> String {
    let id = player.attribute("id").unwrap_or_default();
    let pictures = html::replace(player.inside, "pre", |_| String::new());
    let shown = match pictures.matches("<svg").count() {
        1 => "The picture shows the recording from its beginning to its end.",
        _ => {
            "The pictures show the recordings from their beginnings to their ends: what the text \
             calls the left one is above, and the right one is below."
        }
    };
    let note = format!(
        "{shown} The listing, the tables and the buttons are on the book's web pages: there you \
         can go through the steps one by one."
    );
    format!("<div class=\"recording\" id=\"{id}\">{pictures}<p><em>{note}</em></p></div>")
}

/// A link to a step of a recording leads to its picture.
fn without_steps(html: &str) -> String {
    let mut pieces = html.split(" href=\"#");
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |html, piece| {
        let (target, after) = piece.split_once('"').unwrap_or((piece, ""));
        let target = target.split('@').next().unwrap_or_default();
        html + " href=\"#" + target + "\"" + after
    })
}

/// The sections of a page are below its title, and a nested page is below its chapter.
fn with_levels(html: &str, is_nested: bool) -> String {
    let down = |level: u8| level + u8::from(is_nested || level > 1);
    // The lowest first: what has been moved is not moved again.
    (1..=4).rev().fold(html.to_string(), |html, level| {
        let (from, to) = (level, down(level));
        html.replace(&format!("<h{from} "), &format!("<h{to} "))
            .replace(&format!("</h{from}>"), &format!("</h{to}>"))
    })
}

impl Document {
    fn begin(&mut self, page: &Page) {
        let Some(part) = &page.part else { return };
        let id = format!("part-{}", page.path.replace(['/', '.'], "-"));
        self.body += &format!("<h1 class=\"part\" id=\"{id}\">{part}</h1>\n");
        self.contents += &entry(&id, part, "part");
    }

    /// A line of the table of contents, for the first heading of this level.
    fn list(&mut self, html: &str, level: u8) {
        if let Some(heading) = Element::first(html, &format!("h{level}")) {
            let id = heading.attribute("id").unwrap_or_default();
            let class = format!("level-{level}");
            self.contents += &entry(id, heading.inside, &class);
        }
    }

    fn with_images(&mut self, html: &str) -> Result<String, String> {
        let mut problem = None;
        let html = html::replace(html, "svg", |svg| match Figure::new(svg) {
            Ok(figure) => {
                self.figures.push((figure.name, figure.svg));
                figure.image
            }
            Err(error) => {
                problem = Some(error);
                String::new()
            }
        });
        problem.map_or(Ok(html), Err)
    }

    /// A chapter ends with its answers.
    fn end(&mut self, chapter: &mut Chapter) {
        let Chapter { number, answers, count } = std::mem::take(chapter);
        chapter.number = number + 1;
        if count > 0 {
            let id = format!("answers-{number}");
            self.body += &format!("<h2 id=\"{id}\">Answers</h2>\n{answers}");
            self.contents += &entry(&id, "Answers", "level-2");
            self.answers += count;
        }
    }
}

fn entry(id: &str, text: &str, class: &str) -> String {
    format!("<p class=\"{class}\"><a href=\"#{id}\">{text}</a></p>\n")
}

/// A chapter that has not come to its end.
#[derive(Default)]
struct Chapter {
    number: usize,
    answers: String,
    count: usize,
}

impl Chapter {
    /// What is folded away on a page: an answer goes to the end of the chapter, and other things
    /// stay, unfolded.
    fn without_answers(&mut self, html: &str) -> String {
        let title = Element::first(html, "h1").map(|it| it.inside).unwrap_or_default();
        let mut is_first = true;
        html::replace(html, "details", |details| {
            let summary = Element::first(details.inside, "summary");
            let (label, inside) =
                summary.map_or(("", details.inside), |it| (it.inside, it.after));
            if !is_answer(label, inside) {
                return format!(
                    "<div class=\"unfolded\"><p><strong>{label}</strong></p>{inside}</div>"
                );
            }
            if std::mem::take(&mut is_first) {
                self.answers += &format!("<h3>{title}</h3>\n");
            }
            self.take(label, inside)
        })
    }

    /// Keeps an answer for the end: what stands in its place. Each of them links to the other.
    fn take(&mut self, label: &str, inside: &str) -> String {
        self.count += 1;
        let (chapter, number) = (self.number, self.count);
        let (here, there) =
            (format!("asked-{chapter}-{number}"), format!("answer-{chapter}-{number}"));
        let head = match label {
            "Answer" | "The answer" => String::new(),
            label if label.ends_with('?') => format!(" <em>{label}</em>"),
            label => format!(" <em>{label}:</em>"),
        };
        let head = format!("<strong><a href=\"#{here}\">{number}.</a></strong>{head}");
        let inside = inside.trim_start();
        let answer = match inside.strip_prefix("<p>") {
            Some(text) => format!("<p>{head} {text}"),
            None => format!("<p class=\"number\">{head}</p>{inside}"),
        };
        self.answers += &format!("<div class=\"answer\" id=\"{there}\">{answer}</div>\n");
        // A label that is a question itself has no other place.
        let label = match label.ends_with('?') {
            true => format!("<em>{label}</em> Answer"),
            false => label.to_string(),
        };
        format!(
            "<div class=\"asked\" id=\"{here}\"><p>{label}: <a href=\"#{there}\">number {number} \
             at the end of the chapter</a></p></div>"
        )
    }
}

/// The answer to a prediction may have any label, but it says which choice is right.
fn is_answer(label: &str, inside: &str) -> bool {
    let starts = ["Answer", "The answer", "Hint ", "What happens"];
    starts.iter().any(|start| label.starts_with(start))
        || label.ends_with('?')
        || inside.contains("<strong>Right.</strong>")
}

#[cfg(test)]
mod tests;
