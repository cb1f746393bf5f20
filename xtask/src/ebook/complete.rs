//! Whether the document is whole. What has to be in it is counted in the pages themselves, not in
//! what mdBook has made of them.

use std::collections::BTreeSet;

use super::document::Document;
use super::html;

/// What only a browser understands, or what was meant to be replaced.
const LEFT: [&str; 7] =
    ["<details", "<summary", "<script", "<svg", "<aside", "<trace-player", "{{#"];

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
