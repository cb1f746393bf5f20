//! `src/lib.rs` is the map of the library. What it says about the modules is true.

use std::fs;
use std::path::{Path, PathBuf};

/// The two that look down, and at whom.
const DOWN: [(&str, &str); 2] = [("cli", "recording"), ("poller", "trace")];

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The files of a module: its own, and those in its folder.
fn files(module: &str) -> Vec<PathBuf> {
    let mut files = vec![];
    let file = Path::new("src").join(format!("{module}.rs"));
    if file.exists() {
        files.push(file);
    }
    for entry in fs::read_dir(Path::new("src").join(module)).into_iter().flatten() {
        files.push(entry.unwrap().path());
    }
    assert!(!files.is_empty(), "src/lib.rs lists {module}, which has no file");
    files
}

/// "Each builds on those above it", but for two.
#[test]
fn each_module_builds_on_those_above_it() {
    let map = read(Path::new("src/lib.rs"));
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let order: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let declared = map.lines().filter_map(|line| line.strip_prefix("pub mod "));
    let mut declared: Vec<&str> =
        declared.map(|name| name.trim_end_matches(';')).collect();
    let mut listed = order.clone();
    listed.sort();
    declared.sort();
    assert_eq!(listed, declared, "the map, and the modules that there are");
    let mut down = vec![];
    for (place, module) in order.iter().enumerate() {
        for file in files(module) {
            let text = read(&file);
            // The unit tests below may use what they like.
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let is_code = |line: &&str| !line.trim_start().starts_with("//");
            let code = code.lines().filter(is_code).collect::<Vec<_>>().join("\n");
            for used in code.split("crate::").skip(1) {
                let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let Some(used) = used.filter(|it| order[place + 1..].contains(it)) else {
                    continue;
                };
                down.push((*module, used.to_string()));
            }
        }
    }
    down.sort();
    down.dedup();
    let down: Vec<(&str, &str)> = down.iter().map(|(a, b)| (*a, b.as_str())).collect();
    assert_eq!(down, DOWN, "who looks down the map, and at whom");
}
