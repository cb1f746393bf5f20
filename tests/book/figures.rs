//! Figures are for everybody: they have a text alternative, take the colours of the
//! theme, load nothing, and do not meddle with the page that they are included in.

use std::collections::BTreeSet;

use crate::Defects;
use crate::book::{Book, folder};
use crate::html::{self, Tag};

pub fn check(book: &Book, defects: &mut Defects) {
    let mut names = BTreeSet::new();
    let pictures = book.files("chapters", &["svg"]).into_iter();
    for path in pictures.filter(|path| folder(path) == "figures") {
        let name = path.rsplit(['/', '.']).nth(1).unwrap_or_default();
        if !names.insert(name.to_string()) {
            defects.add(&path, 1, "use another name: ids begin with it, and are taken");
        }
        let text = book.read(&path).unwrap_or_default();
        let tags = html::tags(&text);
        let mut complain = |line, message: String| defects.add(&path, line, message);
        check_frame(&text, &tags, &mut complain);
        check_alternative(&tags, &mut complain);
        for tag in &tags {
            check_tag(tag, name, |message| complain(tag.line, message));
        }
    }
}

/// In Markdown, HTML begins with a line that is a whole tag and ends at an empty line.
fn check_frame(text: &str, tags: &[Tag], complain: &mut impl FnMut(usize, String)) {
    let first = text.lines().next().unwrap_or_default().trim_end();
    let root = tags.first().filter(|tag| tag.name == "svg");
    if root.is_none_or(|root| first != format!("<{}>", root.inside)) {
        complain(1, "begin with the whole tag in one line: <svg …>".to_string());
    }
    if let Some(empty) = text.lines().position(|line| line.trim().is_empty()) {
        complain(1 + empty, "drop the empty line: the figure would end here".to_string());
    }
}

fn check_alternative(tags: &[Tag], complain: &mut impl FnMut(usize, String)) {
    let root = tags.first();
    let attribute = |name| root.and_then(|root| root.attribute(name)).unwrap_or_default();
    if attribute("role") != "img" {
        complain(1, "say in the first tag what this is: role=\"img\"".to_string());
    }
    let labels: Vec<&str> = attribute("aria-labelledby").split_whitespace().collect();
    for name in ["title", "desc"] {
        let is_said = |tag: &&Tag| tag.name == name && !tag.text.trim().is_empty();
        let id = tags.iter().find(is_said).and_then(|tag| tag.attribute("id"));
        if !id.is_some_and(|id| labels.contains(&id)) {
            let message =
                format!("name the id of a <{name}> with text in aria-labelledby");
            complain(1, message);
        }
    }
}

fn check_tag(tag: &Tag, figure: &str, mut complain: impl FnMut(String)) {
    if ["style", "script"].contains(&tag.name) {
        complain(format!("do without <{}>: it works on the whole page", tag.name));
    }
    for (name, value) in tag.attributes() {
        let rest = value.strip_prefix(figure).unwrap_or_default();
        if name == "id" && !rest.starts_with('-') {
            complain(format!("call it {figure}-{value}: ids are the whole page's"));
        }
        if leads_out(name, value) {
            complain(format!("refer to nothing outside the figure: {name}={value}"));
        }
        if !colours(name, value).into_iter().all(is_of_the_theme) {
            complain(format!("take currentColor or var(--…): {name}=\"{value}\""));
        }
    }
}

fn leads_out(name: &str, value: &str) -> bool {
    let is_reference = ["href", "xlink:href", "src"].contains(&name);
    let mut urls = value.split("url(").skip(1);
    is_reference && !value.starts_with('#')
        || urls.any(|url| !url.trim_start_matches(['"', '\'']).starts_with('#'))
        || value.contains("://") && !name.starts_with("xmlns")
}

/// The colours that an attribute names, if it names any.
fn colours<'a>(name: &'a str, value: &'a str) -> Vec<&'a str> {
    let properties = value.split(';').filter_map(|property| property.split_once(':'));
    let all = match name {
        "style" => properties.collect(),
        _ => vec![(name, value)],
    };
    let is_colour =
        |name: &str| ["fill", "stroke"].contains(&name) || name.ends_with("color");
    let colours = all.into_iter().filter(|(name, _)| is_colour(name.trim()));
    colours.map(|(_, value)| value.trim()).collect()
}

fn is_of_the_theme(colour: &str) -> bool {
    let variable = colour.strip_prefix("var(--").and_then(|it| it.strip_suffix(')'));
    if let Some(variable) = variable {
        let fallback = variable.split_once(',').map(|(_, colour)| colour.trim());
        return fallback.is_none_or(is_of_the_theme);
    }
    let words = ["none", "currentColor", "transparent", "inherit", "context-stroke"];
    words.contains(&colour) || colour.starts_with("url(#")
}
