//! What a learner has done: a plain file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which exercises are done, and where the learner is.
#[derive(Debug, Default)]
pub struct Progress {
    file: PathBuf,
    exercises: BTreeMap<String, Exercise>,
    last: Option<String>,
}

/// What a learner has done about one exercise.
#[derive(Debug, Default)]
struct Exercise {
    is_done: bool,
    /// How many hints were asked for.
    hints: usize,
    /// How often the check was run.
    attempts: usize,
}

impl Progress {
    /// A line that is not understood is left out: the file is the learner's.
    pub fn read(file: &Path) -> Progress {
        let text = fs::read_to_string(file).unwrap_or_default();
        let mut progress = Progress { file: file.to_path_buf(), ..Progress::default() };
        for line in text.lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["done", name] => progress.entry(name).is_done = true,
                ["hint", name, number] => {
                    progress.entry(name).hints = number.parse().unwrap_or_default();
                }
                ["tried", name, number] => {
                    progress.entry(name).attempts = number.parse().unwrap_or_default();
                }
                ["at", name] => progress.last = Some(name.to_string()),
                _ => {}
            }
        }
        progress
    }

    fn entry(&mut self, name: &str) -> &mut Exercise {
        self.exercises.entry(name.to_string()).or_default()
    }

    pub fn is_done(&self, name: &str) -> bool {
        self.exercises.get(name).is_some_and(|exercise| exercise.is_done)
    }

    pub fn hints(&self, name: &str) -> usize {
        self.exercises.get(name).map_or(0, |exercise| exercise.hints)
    }

    pub fn attempts(&self, name: &str) -> usize {
        self.exercises.get(name).map_or(0, |exercise| exercise.attempts)
    }

    /// The exercise at which the learner was last.
    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub fn is_at(&mut self, name: &str) -> Result<(), String> {
        self.last = Some(name.to_string());
        self.write()
    }

    pub fn done(&mut self, name: &str) -> Result<(), String> {
        self.entry(name).is_done = true;
        self.write()
    }

    pub fn hinted(&mut self, name: &str, number: usize) -> Result<(), String> {
        self.entry(name).hints = number;
        self.write()
    }

    pub fn tried(&mut self, name: &str) -> Result<(), String> {
        self.entry(name).attempts += 1;
        self.write()
    }

    pub fn forget(&mut self, name: &str) -> Result<(), String> {
        self.exercises.remove(name);
        self.write()
    }

    fn write(&self) -> Result<(), String> {
        let mut text =
            String::from("Your progress; `cargo xtask learn` reads and writes it.\n\n");
        for (name, Exercise { is_done, hints, attempts }) in &self.exercises {
            if *is_done {
                text += &format!("done {name}\n");
            }
            if *hints > 0 {
                text += &format!("hint {name} {hints}\n");
            }
            if *attempts > 0 {
                text += &format!("tried {name} {attempts}\n");
            }
        }
        if let Some(name) = &self.last {
            text += &format!("at {name}\n");
        }
        fs::write(&self.file, text).map_err(|e| format!("{}: {e}", self.file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("progress.txt");
        let mut progress = Progress::read(&file);
        progress.done("01_a").unwrap();
        progress.hinted("02_b", 2).unwrap();
        progress.tried("02_b").unwrap();
        progress.tried("02_b").unwrap();
        progress.is_at("02_b").unwrap();
        let read = Progress::read(&file);
        assert!(read.is_done("01_a") && !read.is_done("02_b"));
        assert_eq!((read.hints("01_a"), read.hints("02_b")), (0, 2));
        assert_eq!((read.attempts("01_a"), read.attempts("02_b")), (0, 2));
        assert_eq!(read.last(), Some("02_b"));
    }
}
