//! The files that a learner writes: made from the starters, and never lost.
//!
//! They are neither tracked nor ignored by git: an update of the repository does not touch them,
//! and a fork may commit them.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::exercises::Exercise;

/// The learner's folder, from the repository's root.
const FOLDER: &str = "exercises/my";

/// The file that a learner writes, from the repository's root.
pub fn mine(exercise: &str) -> String {
    format!("{FOLDER}/{exercise}.rs")
}

/// Makes the learner's file, if there is none.
pub fn prepare(root: &Path, exercise: &Exercise) -> Result<(), String> {
    create(root, &mine(&exercise.name), &exercise.starter()?).map(|_| ())
}

/// Moves the learner's work from the starter's place to the learner's own, and says so: before
/// there was a folder for it, that was the file to write.
pub fn carry_over(
    root: &Path,
    exercise: &str,
    starter: &str,
) -> Result<Option<String>, String> {
    let place = format!("exercises/{exercise}/exercise.rs");
    let Ok(work) = fs::read_to_string(root.join(&place)) else { return Ok(None) };
    if same(&work, starter) {
        return Ok(None);
    }
    let mut to = mine(exercise);
    create(root, &to, starter)?;
    let is_new =
        fs::read_to_string(root.join(&to)).is_ok_and(|text| same(&text, starter));
    match is_new {
        true => write(root, &to, &work)?,
        false => to = keep(root, exercise, &work)?,
    }
    write(root, &place, starter)?;
    Ok(Some(format!("Your work in {place} is now in {to}.")))
}

/// Puts the starter in the place of the learner's work, and a copy of that beside it: its name.
/// There is none if the work is the starter.
pub fn reset(
    root: &Path,
    exercise: &str,
    starter: &str,
) -> Result<Option<String>, String> {
    let file = mine(exercise);
    create(root, &file, starter)?;
    let kept = match fs::read_to_string(root.join(&file)) {
        Ok(work) if same(&work, starter) => None,
        Ok(work) => Some(keep(root, exercise, &work)?),
        Err(error) => return Err(format!("{file}: {error}")),
    };
    write(root, &file, starter)?;
    Ok(kept)
}

/// Puts `work` beside the learner's file, under the first name that is free.
fn keep(root: &Path, exercise: &str, work: &str) -> Result<String, String> {
    for number in 1.. {
        let file = format!("{FOLDER}/{exercise}.kept-{number}.rs");
        if create(root, &file, work)? {
            return Ok(file);
        }
    }
    unreachable!("a name is free")
}

/// Whether a file was created: never in the place of another.
fn create(root: &Path, file: &str, text: &str) -> Result<bool, String> {
    let wrong = |error| format!("{file}: {error}");
    fs::create_dir_all(root.join(FOLDER)).map_err(wrong)?;
    match OpenOptions::new().write(true).create_new(true).open(root.join(file)) {
        Ok(mut new) => new.write_all(text.as_bytes()).map(|()| true).map_err(wrong),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(wrong(error)),
    }
}

fn write(root: &Path, file: &str, text: &str) -> Result<(), String> {
    fs::write(root.join(file), text).map_err(|error| format!("{file}: {error}"))
}

/// Whether two texts have the same lines, whatever ends them.
fn same(one: &str, other: &str) -> bool {
    one.lines().eq(other.lines())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exercises;

    /// A repository with a starter.
    fn with_a_starter() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("exercises/01_a")).unwrap();
        write(root.path(), TRACKED, STARTER).unwrap();
        root
    }

    const TRACKED: &str = "exercises/01_a/exercise.rs";
    const STARTER: &str = "todo\n";

    fn read(root: &Path, file: &str) -> String {
        fs::read_to_string(root.join(file)).unwrap_or_else(|e| format!("{file}: {e}"))
    }

    #[test]
    fn work_in_the_starters_place_is_carried_over() {
        let root = with_a_starter();
        let root = root.path();
        assert_eq!(carry_over(root, "01_a", STARTER).unwrap(), None);
        assert!(!root.join(mine("01_a")).exists(), "there is nothing to carry over");
        write(root, TRACKED, "my work\n").unwrap();
        let told = carry_over(root, "01_a", STARTER).unwrap().unwrap();
        assert!(told.ends_with("is now in exercises/my/01_a.rs."), "{told}");
        assert_eq!(read(root, "exercises/my/01_a.rs"), "my work\n");
        assert_eq!(read(root, TRACKED), STARTER);
        assert_eq!(carry_over(root, "01_a", STARTER).unwrap(), None, "once is enough");
    }

    #[test]
    fn work_is_carried_over_to_where_nothing_was_done_yet() {
        let root = with_a_starter();
        let root = root.path();
        create(root, &mine("01_a"), STARTER).unwrap();
        write(root, TRACKED, "my work\n").unwrap();
        carry_over(root, "01_a", STARTER).unwrap().unwrap();
        assert_eq!(read(root, &mine("01_a")), "my work\n");
    }

    #[test]
    fn what_is_carried_over_replaces_nothing() {
        let root = with_a_starter();
        let root = root.path();
        create(root, &mine("01_a"), "new work\n").unwrap();
        write(root, TRACKED, "old work\n").unwrap();
        let told = carry_over(root, "01_a", STARTER).unwrap().unwrap();
        assert!(told.ends_with("is now in exercises/my/01_a.kept-1.rs."), "{told}");
        assert_eq!(read(root, "exercises/my/01_a.rs"), "new work\n");
        assert_eq!(read(root, "exercises/my/01_a.kept-1.rs"), "old work\n");
    }

    #[test]
    fn a_starter_with_other_line_ends_is_nobodys_work() {
        let root = with_a_starter();
        write(root.path(), TRACKED, "todo\r\n").unwrap();
        assert_eq!(carry_over(root.path(), "01_a", STARTER).unwrap(), None);
    }

    #[test]
    fn a_reset_keeps_what_was_there() {
        let root = with_a_starter();
        let root = root.path();
        assert_eq!(reset(root, "01_a", STARTER), Ok(None), "nothing was done yet");
        for (number, work) in [(1, "first\n"), (2, "second\n")] {
            write(root, &mine("01_a"), work).unwrap();
            let kept = format!("exercises/my/01_a.kept-{number}.rs");
            assert_eq!(reset(root, "01_a", STARTER), Ok(Some(kept.clone())));
            assert_eq!(read(root, &kept), work);
            assert_eq!(read(root, &mine("01_a")), STARTER);
        }
        assert_eq!(read(root, "exercises/my/01_a.kept-1.rs"), "first\n");
    }

    #[test]
    fn a_learner_begins_with_the_starter_and_keeps_what_is_there() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let exercise = &exercises::all().unwrap()[0];
        let file = mine(&exercise.name);
        prepare(root, exercise).unwrap();
        assert_eq!(read(root, &file), exercise.starter().unwrap());
        write(root, &file, "my work\n").unwrap();
        prepare(root, exercise).unwrap();
        assert_eq!(read(root, &file), "my work\n");
    }

    /// A program that takes the starter takes the learner's file, if there is one.
    #[test]
    fn every_check_looks_at_the_learners_file() {
        for exercise in exercises::all().unwrap() {
            let name = &exercise.name;
            let folder = crate::root().join("exercises").join(name);
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                if path.ends_with("check.rs") || text.contains("\nmod exercise;\n") {
                    let line =
                        format!("#[cfg_attr(my_{name}, path = \"../my/{name}.rs\")]\n");
                    let text = text.replace("\r\n", "\n");
                    assert!(text.contains(&line), "{} without\n{line}", path.display());
                }
            }
        }
    }

    /// A fork may commit what a learner writes.
    #[test]
    fn git_does_not_ignore_what_a_learner_writes() {
        for exercise in exercises::all().unwrap() {
            let ignored = std::process::Command::new("git")
                .args(["check-ignore", "--no-index", &mine(&exercise.name)])
                .current_dir(crate::root())
                .output();
            match ignored.map(|output| output.status.code()) {
                Ok(Some(code @ 0..2)) => assert_eq!(code, 1, "{}", mine(&exercise.name)),
                _ => eprintln!("skipped: this is not a repository of git"),
            }
        }
    }
}
