//! The first page that a visitor sees: short, and with a picture that an `<img>` can show.

use std::fs;
use std::path::Path;

const MOST_WORDS: usize = 700;
const PICTURE: &str = "chapters/traces/round.svg";
const MOST_BYTES: usize = 200_000;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_readme_is_short_and_begins_with_what_there_is_to_see() {
    let readme = read("README.md");
    let words = readme.split_whitespace().count();
    assert!(words <= MOST_WORDS, "README.md has {words} words, not {MOST_WORDS}");
    let places: Vec<_> =
        [PICTURE, "cargo run\n", "nc 127.0.0.1 8000", "| `01_blocking` |"]
            .map(|it| {
                readme.find(it).unwrap_or_else(|| panic!("README.md has no {it:?}"))
            })
            .into();
    assert!(places.is_sorted(), "the picture, `cargo run`, `nc`, and then the stages");
}

/// What a reader runs who wants to learn, to compare, or to take a break back.
#[test]
fn the_readme_names_the_commands() {
    let readme = read("README.md");
    for command in
        ["cargo test", "xtask learn", "xtask judge", "xtask fix", "mdbook serve"]
    {
        assert!(readme.contains(command), "README.md does not name {command}");
    }
}

/// A code host shows the picture by itself: it can load nothing, and run no script.
#[test]
fn the_picture_stands_by_itself() {
    let svg = read(PICTURE);
    assert!(svg.len() < MOST_BYTES, "{} bytes", svg.len());
    for needed in [
        "<title",
        "<desc",
        "prefers-color-scheme: dark",
        "prefers-reduced-motion",
        "@keyframes",
    ] {
        assert!(svg.contains(needed), "the picture has no {needed}");
    }
    let links = svg.replace("http://www.w3.org/2000/svg", "");
    for outside in ["<script", "href", "url(", "http"] {
        assert!(!links.contains(outside), "the picture has {outside}");
    }
}

#[test]
fn what_the_readme_links_to_is_there() {
    let readme = read("README.md");
    let links = readme.split("](").skip(1).filter_map(|it| it.split(')').next());
    for link in links.filter(|it| !it.starts_with("http")) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(link);
        assert!(path.exists(), "README.md links to {link}");
    }
}
