//! What the book shows of runs is recorded, and `cargo xtask record` records it again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether the recordings are to be made, not compared.
pub fn is_recording() -> bool {
    env::var_os("RECORD_SESSIONS").is_some()
}

/// The files below `chapters/` whose names end so, in order.
pub fn find(extension: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("chapters")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
