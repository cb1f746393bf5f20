//! What changed since the last stage: the diffs that the book shows are made by this, and kept
//! true by it.
//!
//! The first two lines of `chapters/**/diffs/NAME.diff` name the files to compare, or a part of
//! each (`src/bin/01_blocking.rs:echo_server`); to add a diff, write these two lines and run
//! `cargo xtask record`.

mod support;

use std::fs;
use std::path::Path;

use similar::TextDiff;

use support::recorded::{find, is_recording};

#[test]
fn the_diffs_are_true() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for file in find("diff") {
        let shown = fs::read_to_string(&file).unwrap();
        let named = |mark| {
            let name = shown.lines().find_map(|line| line.strip_prefix(mark));
            name.unwrap_or_else(|| panic!("{}: no line {mark:?}", file.display()))
        };
        let (old, new) = (named("--- "), named("+++ "));
        // Without the opening comment, which is another one for each file, and without the marks
        // for the book.
        let read = |name: &str| -> String {
            let (path, part) =
                name.split_once(':').map_or((name, None), |(p, a)| (p, Some(a)));
            let source = fs::read_to_string(root.join(path)).unwrap();
            let source = part.map_or(source.as_str(), |part| cut_out(&source, part));
            let kept =
                |line: &&str| !line.starts_with("//!") && !line.contains("// ANCHOR");
            source.split_inclusive('\n').filter(kept).collect()
        };
        let diff = TextDiff::from_lines(&read(old), &read(new))
            .unified_diff()
            .context_radius(2)
            .header(old, new)
            .to_string();
        if is_recording() {
            fs::write(&file, &diff).unwrap();
        } else {
            let hint = "run `cargo xtask record`";
            assert!(diff == shown, "{} is out of date: {hint}", file.display());
        }
        count += 1;
    }
    assert!(count > 0, "no diff was found");
}

/// What stands between the marks of this name.
fn cut_out<'a>(source: &'a str, part: &str) -> &'a str {
    let begin = format!("// ANCHOR: {part}\n");
    let inside = source.split_once(&begin).map(|(_, rest)| rest);
    let inside =
        inside.and_then(|rest| rest.split_once(&format!("// ANCHOR_END: {part}\n")));
    inside.unwrap_or_else(|| panic!("there is no part {part}")).0
}
