//! An exercise is written once, as its solution; the starter and the wrong answers are made of it.
//!
//! In a solution, an answer stands between two marks:
//!
//! ```text
//! // ANSWER: send the rest as well
//! …
//! // ANSWER_END
//! ```
//!
//! The starter has `todo!("send the rest as well")` in its place, or what stands behind
//! `// STARTER` in the answer, each line a comment that begins with `//| `. A wrong answer is a
//! file with other text for the answers, in their order, with `// NEXT` between them; the word
//! `SOLVED` on a line of its own stands for the solution's.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A part of a solution.
enum Part<'a> {
    Text(&'a str),
    Answer { task: &'a str, indent: &'a str, solved: String, starter: Option<String> },
}

/// The file that a learner begins with.
pub fn starter(solution: &str) -> String {
    parts(solution)
        .into_iter()
        .map(|part| match part {
            Part::Text(line) => format!("{line}\n"),
            Part::Answer { starter: Some(text), .. } => text,
            Part::Answer { task, indent, .. } => format!("{indent}todo!(\"{task}\")\n"),
        })
        .collect()
}

/// The solution without its marks.
pub fn solved(solution: &str) -> String {
    with(solution, &[])
}

/// The solution, with the answers of `wrong` in the place of its own.
pub fn mistaken(solution: &str, wrong: &str) -> String {
    let code = wrong.lines().filter(|line| !line.starts_with("//!"));
    let code: String = code.map(|line| format!("{line}\n")).collect();
    let answers: Vec<&str> = code.split("// NEXT\n").collect();
    with(solution, &answers)
}

/// What a wrong answer's comment says behind `mark`: `Tempting:` or `Told:`.
pub fn note<'a>(wrong: &'a str, mark: &str) -> Option<&'a str> {
    let comments = wrong.lines().filter_map(|line| line.strip_prefix("//! "));
    comments.filter_map(|line| line.strip_prefix(mark)).map(str::trim).next()
}

/// The sources in a folder, sorted, without what editors and desktops leave beside them: `.x.rs.swp`,
/// `.#x.rs`, `.DS_Store`, `x (copy).rs`.
pub fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| is_source(path));
    paths.sort();
    Ok(paths)
}

/// A file whose name is that of a module.
pub fn is_source(path: &Path) -> bool {
    let is_rust = path.extension() == Some(OsStr::new("rs"));
    is_rust && path.file_stem().is_some_and(is_a_name) && path.is_file()
}

/// Whether this can be a part of a module's name.
pub fn is_a_name(text: &OsStr) -> bool {
    let text = text.to_str().unwrap_or("?");
    text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn with(solution: &str, answers: &[&str]) -> String {
    let mut answers = answers.iter();
    parts(solution)
        .into_iter()
        .map(|part| match part {
            Part::Text(line) => format!("{line}\n"),
            Part::Answer { solved, .. } => match answers.next() {
                Some(other) if other.trim() != "SOLVED" => other.to_string(),
                _ => solved,
            },
        })
        .collect()
}

fn parts(solution: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut lines = solution.lines();
    while let Some(line) = lines.next() {
        let Some((indent, task)) = line.split_once("// ANSWER: ") else {
            parts.push(Part::Text(line));
            continue;
        };
        let (mut solved, mut starter) = (String::new(), None);
        for line in lines.by_ref() {
            match line.trim_start() {
                "// ANSWER_END" => break,
                "// STARTER" => starter = Some(String::new()),
                text => match (&mut starter, text.strip_prefix("//|")) {
                    (Some(starter), Some(text)) => {
                        let text = text.strip_prefix(' ').unwrap_or(text);
                        let indent = if text.is_empty() { "" } else { indent };
                        *starter += &format!("{indent}{text}\n");
                    }
                    _ => solved += &format!("{line}\n"),
                },
            }
        }
        parts.push(Part::Answer { task, indent, solved, starter });
    }
    parts
}
