//! Elements of the HTML that mdBook writes: each has its end, and what stands in code is escaped.
//! This is no parser for any other HTML.

/// An element, and what is around it.
pub struct Element<'a> {
    pub before: &'a str,
    /// The tag that opens it, as in `<div class="figure">`.
    pub tag: &'a str,
    pub inside: &'a str,
    pub after: &'a str,
}

impl<'a> Element<'a> {
    /// The first of this name. Others of this name may be inside.
    pub fn first(html: &'a str, name: &str) -> Option<Element<'a>> {
        let start = opening(html, name)?;
        let (before, rest) = html.split_at(start);
        let (tag, rest) = rest.split_at(rest.find('>')? + 1);
        let close = format!("</{name}>");
        let mut depth = 1;
        let mut at = 0;
        while depth > 0 {
            let end = at + rest[at..].find(&close)?;
            depth -= 1;
            let mut inner = at;
            while let Some(open) = opening(&rest[inner..end], name) {
                depth += 1;
                inner += open + 1;
            }
            at = end + close.len();
        }
        let inside = &rest[..at - close.len()];
        Some(Element { before, tag, inside, after: &rest[at..] })
    }

    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.tag.split_once(&format!(" {name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }

    pub fn has_class(&self, class: &str) -> bool {
        self.attribute("class").is_some_and(|it| it.split(' ').any(|it| it == class))
    }
}

/// Where an element of this name begins.
fn opening(html: &str, name: &str) -> Option<usize> {
    let open = format!("<{name}");
    let is_whole = |&at: &usize| html[at + open.len()..].starts_with(['>', ' ', '\n']);
    html.match_indices(&open).map(|(at, _)| at).find(is_whole)
}

/// Puts something in the place of each element of this name that is in no other of the name.
pub fn replace(
    html: &str,
    name: &str,
    mut with: impl FnMut(&Element) -> String,
) -> String {
    let (mut done, mut rest) = (String::new(), html);
    while let Some(element) = Element::first(rest, name) {
        done += element.before;
        done += &with(&element);
        rest = element.after;
    }
    done + rest
}

/// The values of an attribute, in their order.
pub fn values<'a>(html: &'a str, attribute: &str) -> impl Iterator<Item = &'a str> {
    let mark = format!(" {attribute}=\"");
    let mut rest = html;
    std::iter::from_fn(move || {
        let (value, after) = rest.split_once(&mark)?.1.split_once('"')?;
        rest = after;
        Some(value)
    })
}

/// The text, without the tags in it.
pub fn text(html: &str) -> String {
    let mut pieces = html.split('<');
    let first = pieces.next().unwrap_or_default().to_string();
    pieces.fold(first, |text, piece| text + piece.split_once('>').map_or("", |it| it.1))
}
