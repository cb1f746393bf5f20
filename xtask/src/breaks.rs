//! The ways in which the book breaks the code, to see what happens: one patch each, in
//! `chapters/*/breaks/`.
//!
//! A patch opens with three lines: `Breaks:` what it does to the code, `Test:` the command that
//! fails then, and `Fails:` the name of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::root;

/// Where the breaks are proved: the code that you work on stays as it is.
const COPY: &str = "target/breaks/copy";

/// A patch, and what it says about itself.
struct Break {
    name: String,
    file: PathBuf,
    does: String,
    test: String,
    fails: String,
}

impl Break {
    fn read(file: PathBuf) -> Result<Break, String> {
        let text =
            fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let line = |mark: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(mark));
            line.map(|line| line.trim().to_string())
                .ok_or(format!("{}: no line {mark:?}", file.display()))
        };
        let name = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        Ok(Break {
            name: name.to_string(),
            does: line("Breaks:")?,
            test: line("Test:")?,
            fails: line("Fails:")?,
            file,
        })
    }

    /// Runs `git apply` with these options, and says whether it could.
    fn git_apply(&self, options: &[&str]) -> bool {
        let mut command = Command::new("git");
        command.arg("apply").args(options).arg(&self.file).current_dir(root());
        command.output().is_ok_and(|output| output.status.success())
    }

    fn is_applied(&self) -> bool {
        self.git_apply(&["--reverse", "--check"])
    }
}

fn all() -> Result<Vec<Break>, String> {
    let chapters = root().join("chapters");
    let entries =
        fs::read_dir(&chapters).map_err(|e| format!("{}: {e}", chapters.display()))?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path().join("breaks")));
    let patches = folders.filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<PathBuf> =
        patches.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "patch"));
    files.sort();
    files.into_iter().map(Break::read).collect()
}

/// `cargo xtask break`: which there are.
pub fn list() -> Result<(), String> {
    for it in all()? {
        println!("{:24} {}", it.name, it.does);
    }
    println!(
        "\ncargo xtask break NAME breaks the code so, cargo xtask mend takes it back"
    );
    Ok(())
}

/// `cargo xtask break NAME`: breaks the code, and says how to see it.
pub fn apply(name: &str) -> Result<(), String> {
    let all = all()?;
    if let Some(applied) = all.iter().find(|it| it.is_applied()) {
        return Err(format!("{} is broken already: cargo xtask mend", applied.name));
    }
    let Some(it) = all.iter().find(|it| it.name == name) else {
        return Err(format!(
            "there is no break {name:?}; `cargo xtask break` lists them"
        ));
    };
    if !it.git_apply(&[]) {
        return Err(format!(
            "{name} does not fit: have you changed these files? (git status)"
        ));
    }
    println!("broken: {}\nsee:    {}\nmend:   cargo xtask mend", it.does, it.test);
    Ok(())
}

/// `cargo xtask mend`: takes back what `break` has done, and nothing else.
pub fn mend() -> Result<(), String> {
    match all()?.into_iter().find(Break::is_applied) {
        None => {
            println!("nothing is broken");
            Ok(())
        }
        Some(it) if it.git_apply(&["--reverse"]) => {
            println!("mended: {}", it.name);
            Ok(())
        }
        Some(it) => Err(format!("{} cannot be taken back: git diff shows why", it.name)),
    }
}

/// `cargo xtask breaks`: each (or each of these) in a copy of the repository, where its test must
/// fail.
pub fn prove(names: &[&str]) -> Result<(), String> {
    let copy = root().join(COPY);
    let mut all = all()?;
    if let Some(name) = names.iter().find(|name| all.iter().all(|it| it.name != **name)) {
        return Err(format!("there is no break {name:?}"));
    }
    all.retain(|it| names.is_empty() || names.contains(&it.name.as_str()));
    for it in all {
        println!("\nxtask: break {}: {}", it.name, it.does);
        // Copies keep the times of files that do not change, so that little is compiled again.
        let tracked =
            Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
        let tracked = tracked.map_err(|error| format!("git: {error}"))?.stdout;
        for file in
            String::from_utf8_lossy(&tracked).split('\0').filter(|it| !it.is_empty())
        {
            update(&root().join(file), &copy.join(file))?;
        }
        if !it.git_apply(&["--directory", COPY]) {
            return Err(format!("the patch {} does not fit any more", it.file.display()));
        }
        let mut words = it.test.split_whitespace();
        let output = Command::new(words.next().unwrap_or_default())
            .args(words)
            .env("CARGO_TARGET_DIR", root().join("target/breaks/target"))
            .current_dir(&copy)
            .output()
            .map_err(|error| format!("{}: {error}", it.test))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed = |line: &str| line.contains(&it.fails) && line.ends_with("FAILED");
        if output.status.success() || !text.lines().any(failed) {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "{} does not fail with {}:\n{text}{errors}",
                it.fails, it.name
            ));
        }
        println!("xtask: {} fails, as it should", it.fails);
    }
    Ok(())
}

/// Copies a file if the copy differs.
fn update(from: &Path, to: &Path) -> Result<(), String> {
    let explain = |error| format!("{}: {error}", from.display());
    let Ok(bytes) = fs::read(from) else {
        return Ok(()); // deleted, and not committed yet
    };
    if fs::read(to).is_ok_and(|copied| copied == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(explain)?;
    }
    fs::write(to, bytes).map_err(explain)
}
