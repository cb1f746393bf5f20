//! A figure of a page as a file of its own, with the colours of paper.

use super::html::{self, Element};

/// What HTML does not tell apart, and SVG does.
const NAMES: [&str; 7] = [
    "viewBox",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "markerUnits",
    "preserveAspectRatio",
];

/// The light theme, as in `bricks.css`. The lines of a chart are told apart without colours, too.
const COLOURS: [(&str, &str); 10] = [
    ("bg", "#ffffff"),
    ("quote-bg", "#ececec"),
    ("series-0", "#0b62a8"),
    ("series-1", "#a34a00"),
    ("series-2", "#00705a"),
    ("series-3", "#8a3a86"),
    ("series-4", "#b3261e"),
    ("series-5", "#4a5a00"),
    ("series-6", "#5b4fc4"),
    ("series-7", "#6b5b4d"),
];

/// A figure: the name of its file, its text, and what stands in its place on the page.
pub struct Figure {
    pub name: String,
    pub svg: String,
    pub image: String,
}

impl Figure {
    /// The name comes from the id of the title, which begins with the file's name.
    pub fn new(svg: &Element) -> Result<Figure, String> {
        let part = |name| {
            let part = Element::first(svg.inside, name);
            part.ok_or_else(|| format!("a figure without a {name}: {}", svg.tag))
        };
        let (title, desc) = (part("title")?, part("desc")?);
        let id = title.attribute("id").unwrap_or_default();
        let (name, _) =
            id.rsplit_once("-title").ok_or("a figure whose title has no id")?;
        let name = format!("{name}.svg");
        let alt = format!("{}. {}", html::text(title.inside), html::text(desc.inside));
        let alt = alt.replace('"', "&quot;");
        let image = format!("<img src=\"figures/{name}\" alt=\"{alt}\">");
        // The title and the description are the image's, and their ids are not XML's.
        let inside = [title.before, title.after].concat();
        let desc = Element::first(&inside, "desc").ok_or("it was there")?;
        let inside = [desc.before, desc.after].concat();
        let svg = for_paper(&format!("{}{inside}</svg>", opened(svg)));
        Ok(Figure { name, svg, image })
    }
}

/// The tag that opens it. An image has a size, which it takes from its own coordinates.
fn opened(svg: &Element) -> String {
    let labels = svg.attribute("aria-labelledby").unwrap_or_default();
    let tag = svg.tag.replace(&format!(" aria-labelledby=\"{labels}\""), "");
    let sides = svg.attribute("viewbox").unwrap_or_default().split_whitespace();
    let sides: Vec<&str> = sides.skip(2).collect();
    match (svg.attribute("width"), &*sides) {
        (None, [width, height]) => {
            let size = format!("<svg width=\"{width}\" height=\"{height}\"");
            tag.replacen("<svg", &size, 1)
        }
        _ => tag,
    }
}

/// As narrow as the font of the web pages, in which the words fit into their boxes.
const FONT: &str = "font-family=\"Liberation Sans, Arial, Helvetica, sans-serif\"";

fn for_paper(svg: &str) -> String {
    let svg = svg.replace("font-family=\"inherit\"", FONT);
    // WeasyPrint 57 fills the box to which it clips a marker.
    let svg = svg.replace("<marker ", "<marker overflow=\"visible\" ");
    // And it centres the pieces of a text one by one, each upon the others.
    let mut svg = html::replace(&svg, "tspan", |piece| piece.inside.to_string());
    for name in NAMES {
        svg =
            svg.replace(&format!(" {}=\"", name.to_lowercase()), &format!(" {name}=\""));
    }
    for (name, colour) in COLOURS {
        svg = svg.replace(&format!("var(--{name}, currentColor)"), colour);
        svg = svg.replace(&format!("var(--{name})"), colour);
    }
    svg.replace("currentColor", "#000000").replace("&nbsp;", "&#160;")
}
