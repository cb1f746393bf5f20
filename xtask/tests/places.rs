//! The chores find their way wherever the repository is, and whatever lies beside it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A file that the break `thread-spawn` changes.
const BROKEN: &str = "src/blocking.rs";

const RECORDING: &str = "chapters/traces/04_one_client.jsonl";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What the chores read of the repository, in a folder whose name has a space and a letter outside
/// ASCII.
fn copy(name: &str, line_end: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name} – cöpy"));
    let _ = fs::remove_dir_all(&folder);
    for part in ["chapters", "exercises", "src", "examples", "xtask/Cargo.toml"] {
        copy_all(&repository().join(part), &folder.join(part), line_end);
    }
    folder
}

fn copy_all(from: &Path, to: &Path, line_end: &str) {
    if from.is_dir() {
        for entry in fs::read_dir(from).unwrap() {
            let name = entry.unwrap().file_name();
            copy_all(&from.join(&name), &to.join(&name), line_end);
        }
    } else if let Ok(text) = fs::read_to_string(from) {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, text.replace('\n', line_end)).unwrap();
    }
}

/// A chore, as cargo starts it in the copy at `root`.
fn xtask(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(root);
    command.env("CARGO_MANIFEST_DIR", root.join("xtask")).env_remove("CARGO_TARGET_DIR");
    command
}

/// What a chore prints, and whether it succeeds.
fn said(command: &mut Command) -> (String, bool) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = [stdout, stderr].concat();
    (String::from_utf8_lossy(&said).into_owned(), status.success())
}

#[test]
fn break_and_fix_work_in_another_repository_with_any_line_ends_and_without_git() {
    for (name, line_end) in [("inside, LF", "\n"), ("inside, CRLF", "\r\n")] {
        let root = copy(name, line_end);
        // The repository around it, where there is a git.
        let _ = Command::new("git").args(["init", "--quiet"]).current_dir(&root).status();
        let root = {
            let inner = root.join("inner");
            fs::create_dir(&inner).unwrap();
            for part in ["chapters", "exercises", "src", "examples", "xtask"] {
                fs::rename(root.join(part), inner.join(part)).unwrap();
            }
            inner
        };
        let chore = |arguments: &[&str]| said(xtask(&root, arguments).env("PATH", ""));
        let before = fs::read(root.join(BROKEN)).unwrap();
        let (text, good) = chore(&["break", "thread-spawn"]);
        assert!(good && text.starts_with("broken: "), "{text}");
        assert_ne!(fs::read(root.join(BROKEN)).unwrap(), before);
        let (text, good) = chore(&["break", "no-pause"]);
        assert!(!good && text.contains("thread-spawn is broken already"), "{text}");
        let (text, good) = chore(&["fix"]);
        assert!(good && text.contains("fixed: thread-spawn"), "{text}");
        assert_eq!(fs::read(root.join(BROKEN)).unwrap(), before);
        // The word that this chore had before.
        let (text, good) = chore(&["mend"]);
        assert!(good && text.contains("nothing is broken"), "{text}");
    }
}

#[test]
fn a_break_that_does_not_fit_names_the_file_that_was_changed() {
    let root = copy("changed", "\n");
    fs::write(root.join(BROKEN), "mine\n").unwrap();
    let (text, good) = said(&mut xtask(&root, &["break", "thread-spawn"]));
    assert!(!good && text.contains(BROKEN), "{text}");
}

#[test]
fn a_chore_leaves_the_other_copy_of_the_repository_alone() {
    let (one, two) = (copy("one", "\n"), copy("two", "\n"));
    let before = fs::read(two.join(BROKEN)).unwrap();
    let (text, good) = said(&mut xtask(&one, &["break", "thread-spawn"]));
    assert!(good, "{text}");
    assert_ne!(fs::read(one.join(BROKEN)).unwrap(), before);
    assert_eq!(fs::read(two.join(BROKEN)).unwrap(), before);
    // Without cargo, it is the copy that the shell is in.
    let mut fix = xtask(&one.join("chapters/02_threads"), &["fix"]);
    let (text, good) = said(fix.env_remove("CARGO_MANIFEST_DIR"));
    assert!(good && text.contains("fixed: thread-spawn"), "{text}");
    let mut lost = xtask(Path::new("/"), &["break"]);
    let (text, good) = said(lost.env_remove("CARGO_MANIFEST_DIR"));
    assert!(!good && text.contains("not a folder of the repository"), "{text}");
}

#[test]
fn what_editors_and_desktops_leave_behind_stops_no_chore() {
    let root = copy("leftovers", "\n");
    let before = said(&mut xtask(&root, &["break"]));
    for folder in ["chapters/02_threads/breaks", "chapters", "exercises", "src/bin"] {
        let folder = root.join(folder);
        fs::write(folder.join(".DS_Store"), [0, 0xff]).unwrap();
        fs::write(folder.join(".x.patch.swp"), [0, 0xff]).unwrap();
        fs::write(folder.join("thread-spawn (copy).patch"), "").unwrap();
        symlink("name@host.123:456", folder.join(".#x.patch")).unwrap();
    }
    assert_eq!(said(&mut xtask(&root, &["break"])), before);
    let (text, good) = said(&mut xtask(&root, &["break", "thread-spawn"]));
    assert!(good, "{text}");
}

/// A `cargo` that builds nothing, and names this program, which prints one line.
fn with_a_cargo_that_names(command: &mut Command, program: &Path, prints: &str) {
    let folder = program.parent().unwrap();
    let message = format!(
        r#"{{"target":{{"kind":["test"]}},"executable":"{}"}}"#,
        program.display()
    );
    let cargo = format!("echo Compiling >&2\necho '{message}'");
    let says = format!("echo '{prints}'");
    for (file, script) in [(&*folder.join("cargo"), &cargo), (program, &says)] {
        // Another process writes it: a child of another test could hold it open for writing, if it
        // were this one, and then it cannot be run.
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
        let mut sh = Command::new("sh");
        assert!(sh.args(["-c", write]).arg(file).arg(script).status().unwrap().success());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_path_buf()].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
}

#[test]
fn nothing_is_done_when_no_test_has_run() {
    for (name, line_end) in [("no tests, LF", "\n"), ("no tests, CRLF", "\r\n")] {
        let root = copy(name, line_end);
        let mut learn = xtask(&root, &["learn", "03_fd_set", "--once"]);
        let nothing = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed";
        with_a_cargo_that_names(&mut learn, &root.join("03_fd_set-0"), nothing);
        let (text, good) = said(&mut learn);
        assert!(!good && !text.contains("Done"), "{text}");
    }
}

#[test]
fn preflight_starts_what_cargo_names_wherever_that_is_and_shows_what_cargo_does() {
    let root = copy("preflight", "\n");
    let target = root.join("another tärget");
    fs::create_dir(&target).unwrap();
    let mut preflight = xtask(&root, &["preflight"]);
    let listens = "listening on 127.0.0.1:1";
    with_a_cargo_that_names(&mut preflight, &target.join("server"), listens);
    let (text, _) = said(preflight.env("CARGO_TARGET_DIR", &target));
    for words in ["Compiling\n", "05_epoll starts\n", "07_io_uring starts\n"] {
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn preflight_ends_with_what_to_type_next() {
    let root = copy("preflight, next", "\n");
    let mut preflight = xtask(&root, &["preflight"]);
    let listens = "listening on 127.0.0.1:1";
    with_a_cargo_that_names(&mut preflight, &root.join("server"), listens);
    let output = preflight.stderr(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let begin = |line: &str| line.trim().split("  ").next().map(str::to_string);
    let last: Vec<String> = text.lines().rev().take(3).filter_map(begin).collect();
    let next = ["cargo xtask learn", "cargo talk hello", "cargo run --bin 01_blocking"];
    assert_eq!(last, next, "{text}");
}

/// A chore is compiled the first time, and a newcomer must see that something happens.
#[test]
fn cargo_shows_what_it_does_before_a_chore_begins() {
    let config = fs::read_to_string(repository().join(".cargo/config.toml")).unwrap();
    let alias = config.lines().find(|line| line.starts_with("xtask = ")).unwrap();
    assert!(!alias.contains("--quiet"), "{alias}");
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_work() {
    let nowhere = repository().join("no such folder/report.json");
    let nowhere = nowhere.to_str().unwrap();
    let judge = ["judge", "--report", nowhere, "--", "./no_server"];
    for arguments in [&["learn", "--report", nowhere][..], &judge] {
        let (text, good) = said(xtask(repository(), arguments).env("PATH", ""));
        assert!(!good && text.contains(nowhere), "{text}");
        assert!(!text.contains("Does it start"), "{text}");
    }
}

/// A server that cannot be judged has a report, too: a class is graded in one go.
#[test]
fn a_server_that_does_not_start_has_a_report() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judged.json");
    let arguments = ["judge", "--report", file.to_str().unwrap(), "--", "./no_server"];
    let (text, good) = said(&mut xtask(repository(), &arguments));
    assert!(!good, "{text}");
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["server"], "./no_server");
    let problem = report["problem"].as_str().unwrap_or_default();
    assert!(!problem.is_empty() && text.contains(problem), "{text}\n{report}");
    assert_eq!(report["behaviours"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_chore_that_needs_lf_says_so() {
    let root = copy("contributor", "\r\n");
    for chore in ["check", "record"] {
        let (text, good) = said(xtask(&root, &[chore]).env("PATH", ""));
        assert!(!good && text.contains("end with CRLF"), "{text}");
    }
}

#[test]
fn a_closed_pipe_ends_a_chore_silently() {
    for arguments in [
        &["help"][..],
        &["break"],
        &["perfetto", RECORDING],
        &["learn", "--help"],
        &["learn", "--list"],
        &["learn", "no_such_exercise"],
        &["judge", "--help"],
        &["judge"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut command = xtask(repository(), arguments);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let problems = String::from_utf8_lossy(&output.stderr);
        assert_eq!(problems, "", "{arguments:?}");
        // As if SIGPIPE had ended it.
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_a_chore_is_told() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = xtask(repository(), &["break"]);
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(problems.starts_with("xtask: cannot print: No space left"), "{problems}");
    assert_eq!(output.status.code(), Some(1));
}

/// Whatever git is told elsewhere, a checkout of this repository has LF.
#[test]
fn a_checkout_has_the_line_ends_of_the_repository() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("line ends");
    let _ = fs::remove_dir_all(&folder);
    let from = folder.join("from");
    fs::create_dir_all(&from).unwrap();
    fs::copy(repository().join(".gitattributes"), from.join(".gitattributes")).unwrap();
    fs::write(from.join("a.rs"), "one\ntwo\n").unwrap();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]).arg(&from);
        git.args(arguments).output()
    };
    if git(&["init", "--quiet"]).is_err() {
        eprintln!("skipped: there is no git");
        return;
    }
    assert!(git(&["add", "."]).unwrap().status.success());
    assert!(git(&["commit", "--quiet", "--message", "a"]).unwrap().status.success());
    let clone = ["clone", "--quiet", "-c", "core.autocrlf=true", ".", "../to"];
    assert!(git(&clone).unwrap().status.success());
    assert_eq!(fs::read(folder.join("to/a.rs")).unwrap(), b"one\ntwo\n");
}
