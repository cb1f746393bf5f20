//! A recording speaks of the lines of a source: of the very file that is in the repository.

use bricks::recording::git_hash;
use serde_json::Value;

use crate::Defects;
use crate::book::Book;

pub fn check(book: &Book, defects: &mut Defects) {
    for path in book.files("chapters", &["jsonl"]) {
        let text = book.read(&path).unwrap_or_default();
        let header = text.lines().next().unwrap_or_default();
        let header: Value = serde_json::from_str(header).unwrap_or_default();
        let field = |name: &str| header[name].as_str();
        let Some(src) = field("src") else {
            defects.add(&path, 1, "name the source in \"src\"");
            continue;
        };
        // Whether there is such a file is asked where it is shown, in `players.rs`.
        let source = book.read(src);
        if source.is_some_and(|source| Some(&*git_hash(&source)) != field("sha")) {
            let message = format!("{src} has moved on: run `cargo xtask record`");
            defects.add(&path, 1, message);
        }
    }
}
