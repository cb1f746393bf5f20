//! A command that a reader is told to type names something that is there.

use crate::Defects;
use crate::book::{Book, Page};

pub fn check(book: &Book, page: &Page, defects: &mut Defects) {
    for block in page.text.blocks.iter().filter(|block| block.language == "sh") {
        for (line, text) in &block.lines {
            for missing in missing(book, text) {
                defects.add(&page.path, *line, format!("there is no {missing}"));
            }
        }
    }
}

/// What `cargo` can do without the aliases of this repository, as far as the pages use it.
const BUILT_IN: [&str; 8] =
    ["build", "check", "clippy", "doc", "install", "run", "test", "vendor"];
const CONFIG: &str = ".cargo/config.toml";

/// What a line of a shell names and the repository lacks.
fn missing(book: &Book, text: &str) -> Vec<String> {
    let command = text.split(" #").next().unwrap_or_default();
    let words: Vec<&str> = command.split_whitespace().collect();
    let mut missing = vec![];
    let config = book.read(CONFIG).unwrap_or_default();
    let alias =
        |name: &str| config.lines().any(|line| line.starts_with(&format!("{name} = ")));
    for pair in words.windows(2) {
        let (kind, places) = match *pair {
            ["cargo", name] if !BUILT_IN.contains(&name) && !alias(name) => {
                ("command cargo", vec![])
            }
            ["--bin", name] => ("server", vec![format!("src/bin/{name}.rs")]),
            ["--example", name] => ("example", vec![format!("examples/{name}.rs")]),
            ["--test", name] => {
                let places =
                    [format!("tests/{name}.rs"), format!("tests/{name}/main.rs")];
                ("test", places.to_vec())
            }
            ["break", name] if words.starts_with(&["cargo", "xtask"]) => {
                let patches = book.files("chapters", &["patch"]);
                let is_it =
                    |path: &String| path.ends_with(&format!("/breaks/{name}.patch"));
                ("break", patches.into_iter().filter(is_it).collect())
            }
            _ => continue,
        };
        let name = pair[1];
        let is_a_placeholder = name.chars().all(|c| c.is_ascii_uppercase());
        if !is_a_placeholder && !places.iter().any(|place| book.has(place)) {
            missing.push(format!("{kind} {name}"));
        }
    }
    missing
}
