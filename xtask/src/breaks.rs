//! The ways in which the book breaks the code, to see what happens: one patch each, in
//! `chapters/*/breaks/`. Those in `memory/mutations/` are not for readers: the exploration of the
//! heart has to find each of them.
//!
//! A patch opens with three lines: `Breaks:` what it does to the code, `Test:` the command that
//! fails then, and `Fails:` the name of the test. A page may show the order of steps in which a
//! scenario of `loom/` fails: it lies beside the patch, as `NAME.txt`, and is compared.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use diffy::patch_set::{FileOperation, ParseOptions, PatchSet};

use crate::{place, root};

/// For so many seconds a test waits for what a break may have made impossible.
const PATIENCE: &str = "5";

/// A patch, and what it says about itself.
struct Break {
    name: String,
    file: PathBuf,
    text: String,
    does: String,
    test: String,
    fails: String,
}

/// Which way a patch is followed.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Forth,
    Back,
}

impl Break {
    fn read(file: PathBuf) -> Result<Break, String> {
        let text = read(&file)?.replace("\r\n", "\n");
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
            text,
            file,
        })
    }

    /// The files in `folder` that this changes, and what is in them then. An error says which of
    /// them does not fit.
    fn changes(&self, folder: &Path, way: Way) -> Result<Vec<(PathBuf, String)>, String> {
        let mut changes = vec![];
        for patch in PatchSet::parse(&self.text, ParseOptions::gitdiff()) {
            let patch =
                patch.map_err(|error| format!("{}: {error}", self.file.display()))?;
            let operation = patch.operation().strip_prefix(1);
            let (FileOperation::Modify { modified, .. }, Some(hunks)) =
                (operation, patch.patch().as_text())
            else {
                return Err(format!(
                    "{} does more than change lines",
                    self.file.display()
                ));
            };
            let path = folder.join(&*modified);
            let text = read(&path)?;
            let hunks = if way == Way::Back { hunks.reverse() } else { hunks.clone() };
            let changed = diffy::apply(&text.replace("\r\n", "\n"), &hunks)
                .map_err(|_| format!("{modified} is not as this break expects it"))?;
            let ends_with_crlf = text.contains("\r\n");
            let changed =
                if ends_with_crlf { changed.replace('\n', "\r\n") } else { changed };
            changes.push((path, changed));
        }
        match changes.is_empty() {
            true => Err(format!("{} changes nothing", self.file.display())),
            false => Ok(changes),
        }
    }

    /// Changes all of its files, or says which of them does not fit, and changes none.
    fn follow(&self, folder: &Path, way: Way) -> Result<(), String> {
        for (path, text) in self.changes(folder, way)? {
            fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(())
    }

    /// What lies beside the patch, if anything does, is what `output` shows of the order that fails.
    fn shows(&self, output: &str) -> Result<(), String> {
        let file = self.file.with_extension("txt");
        if !file.exists() {
            return Ok(());
        }
        let order = output.lines().skip_while(|line| !line.starts_with("order "));
        let order: String = order
            .take_while(|line| !line.is_empty())
            .map(|line| format!("{line}\n"))
            .collect();
        if env::var_os("RECORD_SESSIONS").is_some() {
            return fs::write(&file, order)
                .map_err(|e| format!("{}: {e}", file.display()));
        }
        match read(&file)?.replace("\r\n", "\n") == order {
            true => Ok(()),
            false => Err(format!(
                "{} shows another order than this one:\n{order}\
                RECORD_SESSIONS=1 cargo xtask breaks {} records it",
                file.display(),
                self.name
            )),
        }
    }

    fn is_applied(&self, folder: &Path) -> bool {
        self.changes(folder, Way::Back).is_ok()
    }
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn all() -> Result<Vec<Break>, String> {
    let chapters = root().join("chapters");
    let entries =
        fs::read_dir(&chapters).map_err(|e| format!("{}: {e}", chapters.display()))?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path().join("breaks")));
    read_all(folders)
}

/// What the exploration has to find.
fn mutations() -> Result<Vec<Break>, String> {
    read_all([root().join("memory/mutations")])
}

fn read_all(folders: impl IntoIterator<Item = PathBuf>) -> Result<Vec<Break>, String> {
    let patches = folders.into_iter().filter_map(|it| fs::read_dir(it).ok()).flatten();
    let mut files: Vec<PathBuf> =
        patches.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| is_patch(file));
    files.sort();
    files.into_iter().map(Break::read).collect()
}

/// Whether it is one of ours: an editor leaves `.#x.patch` and `x.patch~` beside it, a desktop
/// `x (copy).patch`.
fn is_patch(path: &Path) -> bool {
    let name = path.file_stem().and_then(OsStr::to_str).unwrap_or("?");
    let is_ours = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_ours && path.extension() == Some(OsStr::new("patch")) && path.is_file()
}

/// `cargo xtask break`: which there are.
pub fn list() -> Result<(), String> {
    for it in all()? {
        println!("{:24} {}", it.name, it.does);
    }
    println!(
        "\ncargo xtask break NAME breaks the code so, cargo xtask fix takes it back"
    );
    Ok(())
}

/// `cargo xtask break NAME`: breaks the code, and says how to see it.
pub fn apply(name: &str) -> Result<(), String> {
    let all = all()?;
    if let Some(applied) = all.iter().find(|it| it.is_applied(root())) {
        return Err(format!("{} is broken already: cargo xtask fix", applied.name));
    }
    let Some(it) = all.iter().find(|it| it.name == name) else {
        return Err(format!(
            "there is no break {name:?}; `cargo xtask break` lists them"
        ));
    };
    it.follow(root(), Way::Forth)
        .map_err(|why| format!("{name} does not fit: {why}. Have you changed it?"))?;
    println!("broken: {}\nsee:    {}\nfix:    cargo xtask fix", it.does, it.test);
    println!("(The compiler may warn of code that nothing uses now.)");
    Ok(())
}

/// `cargo xtask fix`: takes back what `break` has done, and nothing else.
pub fn fix() -> Result<(), String> {
    let Some(it) = all()?.into_iter().find(|it| it.is_applied(root())) else {
        println!("nothing is broken, or what was broken has been edited since");
        return Ok(());
    };
    it.follow(root(), Way::Back)?;
    println!("fixed: {}", it.name);
    Ok(())
}

/// The break that the code has now, if there is one.
pub fn applied() -> Option<String> {
    let all = all().unwrap_or_default();
    all.into_iter().find(|it| it.is_applied(root())).map(|it| it.name)
}

/// `cargo xtask breaks`: each (or each of these) in a copy of the repository, where its test must
/// fail. The code that you work on stays as it is.
pub fn prove(names: &[&str]) -> Result<(), String> {
    let copy = place::target().join("breaks/copy");
    let all = match names {
        [] => all()?,
        ["mutations"] => mutations()?,
        names => {
            let mut all = all()?;
            all.extend(mutations()?);
            let is_there = |name: &&str| all.iter().any(|it| it.name == *name);
            if let Some(name) = names.iter().find(|name| !is_there(name)) {
                return Err(format!("there is no break {name:?}"));
            }
            all.retain(|it| names.contains(&it.name.as_str()));
            all
        }
    };
    if all.is_empty() {
        return Err("there are no breaks: nothing is proved".into());
    }
    let target = place::target().join("breaks/target");
    copy_sources(root(), &copy)?;
    take_over(&place::target().join("debug"), &target.join("debug"))?;
    for it in all {
        println!("\nxtask: break {}: {}", it.name, it.does);
        let start = Instant::now();
        copy_sources(root(), &copy)?;
        it.follow(&copy, Way::Forth)
            .map_err(|why| format!("the patch {} does not fit: {why}", it.name))?;
        let output = place::cargo()
            .args(it.test.split_whitespace().skip(1))
            .env("CARGO_TARGET_DIR", &target)
            .env("BRICKS_PATIENCE", PATIENCE)
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
        it.shows(&text)?;
        println!("xtask: {} fails, as it should ({:.0?})", it.fails, start.elapsed());
    }
    Ok(())
}

/// What has been compiled for the repository need not be compiled again for its copy, except for the
/// packages that are its own: for cargo, a package in two copies is one.
fn take_over(from: &Path, to: &Path) -> Result<(), String> {
    if to.exists() {
        return Ok(());
    }
    for folder in ["deps", "build", ".fingerprint"] {
        copy_compiled(&from.join(folder), &to.join(folder))
            .map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

/// Copies a folder with the times of its files, by which cargo knows what is up to date. Programs are
/// left out, unless they are those that built packages of others.
fn copy_compiled(from: &Path, to: &Path) -> io::Result<()> {
    let is_deps = from.ends_with("deps");
    for entry in fs::read_dir(from).into_iter().flatten() {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if is_of_own(&entry.file_name()) || (is_deps && path.extension().is_none()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_compiled(&path, &copy)?;
            continue;
        }
        fs::create_dir_all(to)?;
        fs::copy(&path, &copy)?;
        File::open(&copy)?.set_modified(entry.metadata()?.modified()?)?;
    }
    Ok(())
}

/// Whether cargo keeps what has this name, `PACKAGE-HASH`, for a package of the repository.
fn is_of_own(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let package = name.rsplit_once('-').map_or(&*name, |(package, _)| package);
    let is_own =
        ["async-from-bricks", "bench", "clients", "exercises", "playback", "xtask"];
    is_own.contains(&package) || package.starts_with("bricks-")
}

/// What is no source: what cargo and others make (at the top, where `tests/book` is not), and what
/// begins with a dot, except for cargo's configuration.
fn is_left_out(name: &str, at_the_top: bool) -> bool {
    match name {
        ".cargo" => false,
        "target" | "book" => at_the_top,
        "node_modules" | "__pycache__" => true,
        _ => name.starts_with('.'),
    }
}

/// Copies a folder. Copies keep the times of files that do not change, so that little is compiled
/// again.
fn copy_sources(from: &Path, to: &Path) -> Result<(), String> {
    // What may not be read is missed by cargo, if it is missed.
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let is_built =
            path.join("CACHEDIR.TAG").exists() || place::target().starts_with(&path);
        if is_built || is_left_out(&name.to_string_lossy(), from == root()) {
            continue;
        }
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => copy_sources(&path, &to.join(&name))?,
            false => update(&path, &to.join(&name))?,
        }
    }
    Ok(())
}

/// Copies a file if the copy differs.
fn update(from: &Path, to: &Path) -> Result<(), String> {
    let explain = |error| format!("{}: {error}", to.display());
    let Ok(bytes) = fs::read(from) else {
        return Ok(()); // a link to nowhere, which an editor has left behind
    };
    if fs::read(to).is_ok_and(|copied| copied == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(explain)?;
    }
    fs::write(to, bytes).map_err(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that the breaks change, in a folder of their own.
    fn copy(name: &str, all: &[Break], line_end: &str) -> PathBuf {
        let folder = place::target().join(name);
        let _ = fs::remove_dir_all(&folder);
        for it in all {
            for (path, _) in it.changes(root(), Way::Forth).unwrap() {
                let copy = folder.join(path.strip_prefix(root()).unwrap());
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                let text = crate::read(path.to_str().unwrap()).unwrap();
                fs::write(copy, text.replace('\n', line_end)).unwrap();
            }
        }
        folder
    }

    #[test]
    fn each_break_is_known_when_it_is_applied_and_is_taken_back_to_the_byte() {
        let all = all().unwrap();
        assert!(all.len() >= 20);
        for (name, line_end) in [("bréaks with LF", "\n"), ("bréaks with CRLF", "\r\n")]
        {
            let folder = copy(name, &all, line_end);
            let applied = || -> Vec<&str> {
                let applied = all.iter().filter(|it| it.is_applied(&folder));
                applied.map(|it| &*it.name).collect()
            };
            assert!(applied().is_empty(), "{:?}", applied());
            for it in &all {
                let paths = it.changes(&folder, Way::Forth).unwrap();
                let before: Vec<_> = paths
                    .iter()
                    .map(|(path, _)| (path, fs::read(path).unwrap()))
                    .collect();
                it.follow(&folder, Way::Forth).unwrap();
                assert_eq!(applied(), [&it.name]);
                let broken = fs::read_to_string(before[0].0).unwrap();
                let ends =
                    [broken.matches('\n').count(), broken.matches(line_end).count()];
                assert_eq!(ends[0], ends[1], "{} keeps the line ends", it.name);
                it.follow(&folder, Way::Back).unwrap();
                for (path, bytes) in before {
                    assert_eq!(fs::read(path).unwrap(), bytes, "{}", it.name);
                }
            }
        }
    }

    #[test]
    fn each_mutation_fits_and_changes_the_heart() {
        let mutations = mutations().unwrap();
        assert_eq!(mutations.len(), 14);
        for it in &mutations {
            for (path, text) in it.changes(root(), Way::Forth).unwrap() {
                assert!(path.starts_with(root().join("src/scheduler")), "{}", it.name);
                assert_ne!(text, crate::read(path.to_str().unwrap()).unwrap());
            }
        }
    }

    #[test]
    fn a_break_that_does_not_fit_changes_nothing_and_names_the_file() {
        let all = all().unwrap();
        let two = all.iter().find(|it| it.name == "two-steps").unwrap();
        let folder = copy("bréak that does not fit", &all, "\n");
        let paths = two.changes(&folder, Way::Forth).unwrap();
        let first = fs::read(&paths[0].0).unwrap();
        fs::write(&paths[1].0, "edited\n").unwrap();
        let why = two.follow(&folder, Way::Forth).unwrap_err();
        assert!(why.contains("src/executor/run.rs is not as"), "{why}");
        assert_eq!(fs::read(&paths[0].0).unwrap(), first);
    }

    #[test]
    fn every_package_of_the_repository_is_compiled_anew_in_a_copy() {
        let folders = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
        let manifests = folders.map(|it| it.join("Cargo.toml")).filter(|it| it.exists());
        let mut count = 0;
        for manifest in manifests {
            let text = fs::read_to_string(&manifest).unwrap();
            let name = text.lines().find_map(|line| line.strip_prefix("name = "));
            let name = name.unwrap().trim_matches('"');
            assert!(is_of_own(OsStr::new(&format!("{name}-0123456789abcdef"))), "{name}");
            count += 1;
        }
        assert!(count >= 7);
        assert!(!is_of_own(OsStr::new("async-channel-0123456789abcdef")));
    }

    #[test]
    fn what_editors_leave_behind_is_no_break() {
        let folder = place::target().join("léft beside breaks");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for name in
            ["a-b.patch", ".a-b.patch.swp", ".DS_Store", "a-b.patch~", "a (copy).patch"]
        {
            fs::write(folder.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("name@host.12", folder.join(".#a-b.patch")).unwrap();
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let ours: Vec<PathBuf> = entries.filter(|path| is_patch(path)).collect();
        assert_eq!(ours, [folder.join("a-b.patch")]);
    }
}
