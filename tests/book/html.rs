//! The tags of HTML and SVG. This is no parser: it is enough for what is written by hand
//! and looked at in a browser.

pub struct Tag<'a> {
    /// The line that it starts on.
    pub line: usize,
    /// `svg`, or `/svg` for the end.
    pub name: &'a str,
    /// What is between `<` and `>`.
    pub inside: &'a str,
    /// The text after it, up to the next tag.
    pub text: &'a str,
}

impl<'a> Tag<'a> {
    pub fn attributes(&self) -> Vec<(&'a str, &'a str)> {
        let mut found = vec![];
        let mut rest = &self.inside[self.name.len()..];
        while let Some((name, value)) = rest.split_once('=') {
            let name = name.split_whitespace().last().unwrap_or_default();
            let value = value.trim_start();
            // A value without quotes ends the list; nobody here writes one.
            let Some(quote) = value.chars().next().filter(|c| "\"'".contains(*c)) else {
                break;
            };
            let (value, after) =
                value[1..].split_once(quote).unwrap_or((&value[1..], ""));
            found.push((name, value));
            rest = after;
        }
        found
    }

    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().into_iter().find(|it| it.0 == name).map(|it| it.1)
    }
}

pub fn tags(text: &str) -> Vec<Tag<'_>> {
    let mut found = vec![];
    let mut at = 0;
    while let Some(start) = text[at..].find('<').map(|found| at + found) {
        let rest = &text[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            at = start + 4 + comment.find("-->").unwrap_or(comment.len());
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            let inside = &rest[..length(rest)];
            let after = rest.get(inside.len() + 1..).unwrap_or_default();
            let name = inside.split(char::is_whitespace).next().unwrap_or_default();
            found.push(Tag {
                line: line_at(text, start),
                name: name.trim_end_matches('/'),
                inside,
                text: &after[..after.find('<').unwrap_or(after.len())],
            });
            at = start + 1 + inside.len();
        } else {
            at = start + 1;
        }
    }
    found
}

pub fn without_tags(text: &str) -> String {
    let replace =
        |text: String, tag: Tag| text.replacen(&format!("<{}>", tag.inside), " ", 1);
    tags(text).into_iter().fold(text.to_string(), replace)
}

/// The number of the line in which this byte of the text is.
pub fn line_at(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Up to the `>` that is not in quotes.
fn length(rest: &str) -> usize {
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (c, quote) {
            ('>', None) => return at,
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    rest.len()
}
