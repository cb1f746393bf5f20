//! The files of a book. Paths are from the repository's root, with `/` between names.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::Defects;
use crate::links::Link;
use crate::markdown::Markdown;

/// The folders of what is built and what git keeps.
const NOT_WRITTEN: [&str; 3] = ["target", "book", ".git"];
pub const SUMMARY: &str = "chapters/SUMMARY.md";

const FRONT_DOOR: &str = "move the first page into chapters/ itself: mdBook copies it to \
    index.html, where its links would lead elsewhere";

pub struct Book {
    root: PathBuf,
    /// The pages that `SUMMARY.md` lists, in its order.
    pub pages: Vec<Page>,
    /// The paths of those that it lists below `# Part one: …`.
    pub part_one: Vec<String>,
    /// The folders that `mdbook serve` watches, besides `chapters/`.
    pub watched: Vec<String>,
}

pub struct Page {
    pub path: String,
    pub text: Markdown,
    /// An appendix is looked things up in, not read from its first line to its last. So
    /// are the pages for teachers.
    pub is_appendix: bool,
}

impl Book {
    pub fn open(root: &Path, defects: &mut Defects) -> Book {
        let (pages, part_one, watched) = (vec![], vec![], vec![]);
        let mut book = Book { root: root.to_path_buf(), pages, part_one, watched };
        book.watched = watched_folders(&book.read("book.toml").unwrap_or_default());
        let summary = Markdown::new(book.read(SUMMARY).unwrap_or_default());
        let part_one = lines_of_part_one(&summary);
        let appendices = first_line_of_appendices(&summary);
        for Link { line, target, .. } in summary.links().all {
            let path = resolve(SUMMARY, &target).unwrap_or_default();
            if let Some(text) = book.read(&path) {
                let text = Markdown::new(text);
                let (is_first, is_appendix) = (book.pages.is_empty(), line > appendices);
                if is_first && folder(&path) != "chapters" {
                    defects.add(SUMMARY, line, FRONT_DOOR);
                }
                if part_one.contains(&line) {
                    book.part_one.push(path.clone());
                }
                book.pages.push(Page { path, text, is_appendix });
            } else {
                let message = format!("write this page, or do not list it: {target:?}");
                defects.add(SUMMARY, line, message);
            }
        }
        if book.pages.iter().filter(|page| !page.is_appendix).count() < 2 {
            defects.add(SUMMARY, 1, "list two chapters or more before the appendices");
        }
        book.check_exercises(defects);
        for path in book.files("chapters", &["md"]) {
            if path != SUMMARY && book.page(&path).is_none() {
                defects.add(&path, 1, "no reader finds this page: list it in SUMMARY.md");
            }
        }
        book
    }

    /// An exercise is a folder with a check, and a page: neither is there without the other.
    fn check_exercises(&self, defects: &mut Defects) {
        for path in self.files("exercises", &["rs"]) {
            let Some(folder) = path.strip_suffix("/check.rs") else { continue };
            let page = format!("chapters/{folder}.md");
            if self.page(&page).is_none() {
                defects.add(&path, 1, format!("explain this exercise: write {page}"));
            }
        }
        for page in &self.pages {
            let Some(name) = page.exercise() else { continue };
            for file in ["check.rs", "exercise.rs", "solution.rs"] {
                let path = format!("exercises/{name}/{file}");
                if !self.has(&path) {
                    defects.add(&page.path, 1, format!("write {path}"));
                }
            }
        }
    }

    pub fn page(&self, path: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.path == path)
    }

    /// The content of a text file.
    pub fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    pub fn has(&self, path: &str) -> bool {
        self.root.join(path).is_file()
    }

    /// The files in a folder and in the folders in it.
    pub fn files(&self, folder: &str, extensions: &[&str]) -> Vec<String> {
        let mut found = vec![];
        let entries = fs::read_dir(self.root.join(folder));
        for entry in entries.into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
            if entry.path().is_file() && extensions.contains(&extension) {
                found.push(path);
            } else if entry.path().is_dir() && !NOT_WRITTEN.contains(&path.as_str()) {
                found.extend(self.files(&path, extensions));
            }
        }
        found.sort();
        found
    }
}

impl Page {
    /// The name of the exercise that this page explains: one with the number of a stage.
    pub fn exercise(&self) -> Option<&str> {
        let name = self.path.strip_prefix("chapters/exercises/")?.strip_suffix(".md")?;
        name.starts_with(|first: char| first.is_ascii_digit()).then_some(name)
    }
}

/// `# For teachers` or `# Appendices` says where they start; else it is the last line
/// across.
fn first_line_of_appendices(summary: &Markdown) -> usize {
    let last = |text| summary.lines().filter(|(_, line)| line.trim() == text).last();
    let titles = ["# For teachers", "# Appendices"].into_iter().filter_map(last);
    titles.min().or(last("---")).map_or(usize::MAX, |(number, _)| number)
}

/// The lines from `# Part one` to the next title.
fn lines_of_part_one(summary: &Markdown) -> Range<usize> {
    let mut titles = summary.lines().filter(|(_, line)| line.starts_with("# "));
    let start = titles.find(|(_, line)| line.starts_with("# Part one"));
    let end = titles.next().map_or(usize::MAX, |(line, _)| line);
    start.map_or(0..0, |(line, _)| line..end)
}

/// From `extra-watch-dirs = ["src", "examples"]`.
fn watched_folders(book_toml: &str) -> Vec<String> {
    let mut lines = book_toml.lines();
    let list = lines.find_map(|line| line.strip_prefix("extra-watch-dirs = "));
    let names = list.unwrap_or_default().split('"').skip(1).step_by(2);
    names.map(str::to_string).collect()
}

/// The path that `link` means in the file `from`; none if it leads out of the repository.
pub fn resolve(from: &str, link: &str) -> Option<String> {
    let mut names: Vec<&str> = from.split('/').collect();
    names.pop();
    for name in link.split('/') {
        match name {
            "" => return None,
            "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The folder that a file lies in, by its last name.
pub fn folder(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}
