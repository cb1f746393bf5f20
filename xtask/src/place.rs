//! Where things are: the repository, and what cargo makes of it. Both are looked for when a chore
//! runs. A program may have been compiled in another copy of the repository.

use std::env;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

static ROOT: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let here = env::current_dir().unwrap_or_default();
    find(env::var_os("CARGO_MANIFEST_DIR"), &here)
});

static TARGET: LazyLock<PathBuf> = LazyLock::new(|| {
    // Where cargo does not say, it will say why when it is asked to build.
    let shared = shared_target().unwrap_or_else(|| root().join("target"));
    own(&shared, root())
});

/// The folder of the repository.
///
/// # Panics
///
/// Outside of it: `main` has looked.
pub fn root() -> &'static Path {
    ROOT.as_deref().expect("main has looked for it")
}

/// Whether the repository was found, or what to do.
pub fn look() -> Result<(), String> {
    match &*ROOT {
        Some(_) => Ok(()),
        None => Err("this is not a folder of the repository: go there first".into()),
    }
}

/// The package that cargo runs lies in the repository; without cargo, the current folder does.
fn find(package: Option<OsString>, here: &Path) -> Option<PathBuf> {
    let package = package.map(PathBuf::from).unwrap_or_default();
    let mut folders = package.parent().into_iter().chain(here.ancestors());
    let is_root = |folder: &&Path| {
        folder.join("xtask/Cargo.toml").is_file()
            && folder.join("chapters/SUMMARY.md").is_file()
    };
    folders.find(is_root).map(Path::to_path_buf)
}

/// Where cargo builds for the chores, and where they write what nobody keeps.
pub fn target() -> &'static Path {
    &TARGET
}

/// What several copies of the repository share has a part for each: for cargo, the same package in
/// two copies is one, and a chore would run the other's program.
fn own(shared: &Path, root: &Path) -> PathBuf {
    if shared.starts_with(root) {
        return shared.to_path_buf();
    }
    let mut hasher = DefaultHasher::new();
    root.hash(&mut hasher);
    shared.join(format!("bricks-{:016x}", hasher.finish()))
}

/// The folder that the environment or a configuration of cargo names, or `target`.
fn shared_target() -> Option<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--no-deps", "--format-version=1"]).current_dir(root());
    let output = cargo.envs(absolute_target()).stderr(Stdio::null()).output().ok()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).ok()?;
    metadata["target_directory"].as_str().map(PathBuf::from)
}

/// A relative CARGO_TARGET_DIR is meant from the folder where it was typed, not from the root.
fn absolute_target() -> Option<(&'static str, PathBuf)> {
    let named = env::var_os("CARGO_TARGET_DIR").filter(|named| !named.is_empty())?;
    Some(("CARGO_TARGET_DIR", std::path::absolute(named).ok()?))
}

/// Cargo, in the repository, building for the chores.
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", target());
    cargo
}

/// Cargo as a reader runs it: what it builds need not be built again.
pub fn readers_cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).envs(absolute_target());
    cargo
}

/// Lets cargo build something, and asks it for the programs. What the compiler has to say is shown.
pub fn build(mut cargo: Command, arguments: &[&str]) -> Result<Vec<PathBuf>, String> {
    let output = cargo
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("it does not compile: the compiler says why, above".into());
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
    let programs = messages
        .filter_map(|message: Value| message["executable"].as_str().map(PathBuf::from));
    Ok(programs.collect())
}

/// A program as a word of a command: BRICKS_SERVER is split where it has spaces.
pub fn word(path: &Path) -> Result<String, String> {
    let path = path.strip_prefix(root()).unwrap_or(path);
    match path.to_str() {
        Some(text) if !text.contains(char::is_whitespace) => Ok(text.to_string()),
        _ => Err(format!(
            "a command cannot name {}: set CARGO_TARGET_DIR to a folder without spaces",
            path.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_where_cargo_or_the_shell_is() {
        let here = root().join("chapters");
        assert_eq!(find(None, &here).as_deref(), Some(root()));
        let package = Some(root().join("xtask").into_os_string());
        assert_eq!(find(package, Path::new("/")).as_deref(), Some(root()));
        // An environment that a program of another package has handed on.
        assert_eq!(find(Some("/elsewhere/xtask".into()), &here).as_deref(), Some(root()));
        assert_eq!(find(None, Path::new("/")), None);
    }

    #[test]
    fn copies_that_share_a_folder_have_a_part_each() {
        let (one, two) = (Path::new("/one"), Path::new("/two"));
        assert_eq!(own(Path::new("/one/target"), one), Path::new("/one/target"));
        let shared = Path::new("/shared");
        assert!(own(shared, one).starts_with(shared));
        assert_ne!(own(shared, one), own(shared, two));
        assert_eq!(own(shared, one), own(shared, one));
    }

    #[test]
    fn a_program_is_a_word_of_a_command() {
        assert_eq!(
            word(&root().join("target/debug/05_epoll")).unwrap(),
            "target/debug/05_epoll"
        );
        assert_eq!(word(Path::new("/ä/x")).unwrap(), "/ä/x");
        assert!(word(Path::new("/a b/x")).unwrap_err().contains("/a b/x"));
    }
}
