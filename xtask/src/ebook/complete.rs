//! Whether the document is whole. What has to be in it is counted in the pages themselves, not in
//! what mdBook has made of them.

use std::collections::BTreeSet;

use super::document::Document;
use super::html::{self, Element};

/// What only a browser understands, or what was meant to be replaced.
const LEFT: [&str; 9] = [
    "<details",
    "<summary",
    "<script",
    "<link",
    "<svg",
    "<aside",
    "<trace-player",
    "<live-scheduler",
    "{{#",
];

/// `print.css` has room for so many characters in a line of code.
const COLUMNS: usize = 100;

/// What is missing, if anything is. `page` reads a page by its path in `chapters/`.
pub fn check(
    document: &Document,
    page: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<String>, String> {
    let mut defects = vec![];
    let (mut rest, mut figures) = (document.body.as_str(), 0);
    for name in document.pages.iter().map(|page| &page.path) {
        let text = page(name)?;
        let title = text.lines().next().unwrap_or_default();
        match after_heading(rest, title.trim_start_matches("# ")) {
            Some(after) => rest = after,
            None => defects.push(format!("{name}: not here, or not at its place")),
        }
        figures += text.matches(".svg}}").count();
    }
    if figures != document.figures.len() {
        let here = document.figures.len();
        defects.push(format!("the pages have {figures} figures, and {here} are here"));
    }
    for left in LEFT.iter().filter(|left| document.body.contains(**left)) {
        defects.push(format!("{left} is no part of a book on paper"));
    }
    for (name, svg) in &document.figures {
        if svg.contains("var(") {
            defects.push(format!("{name}: a colour that is only known in a browser"));
        }
    }
    defects.extend(without_picture(&document.body));
    defects.extend(too_wide(&document.body));
    defects.extend(dangling(document));
    Ok(defects)
}

/// What comes after the heading of the page with this title. The headings of its answers have no id.
fn after_heading<'a>(html: &'a str, title: &str) -> Option<&'a str> {
    let mut rest = html;
    loop {
        let (tag, after) = rest.split_once("<h")?.1.split_once('>')?;
        let (heading, after) = after.split_once("</h")?;
        if tag.contains(" id=") && letters(&html::text(heading)) == letters(title) {
            return Some(after);
        }
        rest = after;
    }
}

/// Without marks: mdBook has made others of some of them.
fn letters(text: &str) -> String {
    text.replace("&amp;", "").chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The places of players in which there is no picture.
fn without_picture(mut html: &str) -> Vec<String> {
    let mut defects = vec![];
    while let Some(div) = Element::first(html, "div") {
        let is_empty = div.has_class("recording") && !div.inside.contains("<img ");
        if is_empty {
            let id = div.attribute("id").unwrap_or_default();
            defects.push(format!("{id}: no picture of the recording"));
        }
        // It may be inside another.
        html = &html[div.before.len() + div.tag.len()..];
    }
    defects
}

/// Lines of Rust that would go on in the next line. A command may do that.
fn too_wide(mut html: &str) -> Vec<String> {
    let mut lines = vec![];
    while let Some(listing) = Element::first(html, "pre") {
        html = listing.after;
        if listing.inside.contains("language-rust") {
            let code = unescaped(&html::text(listing.inside));
            let is_wide = |line: &&str| line.chars().count() > COLUMNS;
            let wide = code.lines().filter(is_wide);
            lines.extend(wide.map(|line| format!("too wide: {}", line.trim())));
        }
    }
    lines
}

fn unescaped(code: &str) -> String {
    let marks =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'")];
    let code =
        marks.iter().fold(code.to_string(), |code, (from, to)| code.replace(from, to));
    code.replace("&amp;", "&")
}

/// Links to what is not in the document, and images that are not there.
fn dangling(document: &Document) -> Vec<String> {
    let ids: BTreeSet<&str> = html::values(&document.body, "id").collect();
    let here = |text| html::values(text, "href").filter(|link| !link.starts_with("http"));
    let links = here(&document.body).chain(here(&document.contents));
    let is_dangling =
        |link: &&str| link.strip_prefix('#').is_none_or(|id| !ids.contains(id));
    let dangling = links.filter(is_dangling).map(|link| format!("dangling: {link}"));
    let has = |image: &&str| {
        let name = image.trim_start_matches("figures/");
        document.figures.iter().any(|(figure, _)| figure == name)
    };
    let images = html::values(&document.body, "src").filter(|image| !has(image));
    dangling.chain(images.map(|image| format!("no such image: {image}"))).collect()
}
