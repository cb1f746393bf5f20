//! The project's own chores: `cargo xtask check` and `cargo xtask check-bench` are what CI runs.
//!
//! Each chore is a list of commands that anybody can type; this only types them in the right
//! order, says what it does, and stops at the first that fails.

#![forbid(unsafe_code)]

#[path = "../../exercises/answers.rs"]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the build of the exercises uses the rest")
)]
mod answers;
mod bench;
mod breaks;
mod exercises;
mod judge;
mod learn;
mod memcheck;
mod preflight;
mod suite;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use playback::read::Recording;

const HELP: &str = "\
The project's chores.

Usage: cargo xtask <CHORE>

For readers:
  learn   shows how far you are with the exercises, and checks the next (learn --help)
  judge   runs the behaviour suite against a server of your own (judge --help)
  preflight
          whether this machine has what the lessons need, and what to do if not

Chores:
  check   what a change must pass: format, lints, documentation, the build, the tests
  record  runs the terminal sessions that the book shows and the servers that it plays, and
          records them and its diffs anew
  perfetto FILE
          prints a recording of --trace in the format that https://ui.perfetto.dev opens
  break   breaks the code in one of the ways that the book tells of;
          without a name, lists them
  mend    takes that back
  breaks [NAME]
          proves that each of them makes its test fail (part of check)
  memcheck
          runs the behaviour suite's core against 05 and 06 under valgrind (part of check)
  exercises
          proves that the exercises' checks tell right from wrong (part of check)
  starters
          makes the exercises' starters anew, after a change to their solutions
  bench   measures the servers beside their peers (bench --help)
  plots   draws the book's charts, and fills in its numbers, from what was measured
  guard   counts the instructions and system calls of an echo: not more than bench/bounds.csv
  check-bench
          what a change to the measurement must pass (CI runs this, too)
  help    print this and exit
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["check"] => check(),
        ["record"] => record(),
        ["perfetto", file] => perfetto(file),
        ["break"] => breaks::list(),
        ["break", name] => breaks::apply(name),
        ["mend"] => breaks::mend(),
        ["breaks", ref names @ ..] => breaks::prove(names),
        ["memcheck"] => memcheck::check(),
        ["exercises"] => exercises::prove(),
        ["starters"] => exercises::write_starters(),
        ["learn", ref options @ ..] => learn::learn(options),
        ["judge", ref options @ ..] => judge::judge(options),
        ["preflight"] => preflight::preflight(),
        ["bench", ref options @ ..] => bench::bench(options),
        ["plots"] => bench::plots(),
        ["guard"] => bench::guard(),
        ["check-bench"] => bench::check(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => {
            eprint!("what should be done? ({arguments:?} is no chore)\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: check
fn check() -> Result<(), String> {
    let start = Instant::now();
    run("cargo fmt --all --check", &[])?;
    run(
        "cargo clippy --workspace --exclude bench --all-targets -- --deny warnings",
        &[("STARTERS_ONLY", "1")],
    )?;
    run(
        "cargo doc --workspace --exclude bench --no-deps --document-private-items",
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )?;
    packages_of_a_cold_run("cargo run", "async-from-bricks", 12)?;
    packages_of_a_cold_run("cargo talk", "clients", 20)?;
    forbid_unsafe_code_in_binaries()?;
    run("cargo build --release", &[])?;
    run(&readme_test_command()?, &[])?;
    run("cargo test --package xtask", &[])?;
    exercises::prove()?;
    run("cargo test --package playback", &[])?;
    memcheck::check()?;
    breaks::prove(&[])?;
    println!("\nxtask: all is well ({:.0?})", start.elapsed());
    Ok(())
}
// ANCHOR_END: check

/// The tests that compare the recordings make them if they are asked to.
fn record() -> Result<(), String> {
    run("cargo build --bins --examples", &[])?;
    let tests = "cargo test --test sessions --test traces --test diffs";
    run(tests, &[("RECORD_SESSIONS", "1")])
}

/// Prints a recording in the format of Chrome's tracing.
fn perfetto(file: &str) -> Result<(), String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let text = std::fs::read_to_string(file).map_err(|error| {
        format!("cannot read {file}: {error}\n`cargo run -- --trace {file}` records one")
    })?;
    let recording = Recording::read(&text).map_err(|error| wrong(&error))?;
    let exported = playback::perfetto::export(&recording);
    println!("{}", exported.map_err(|error| wrong(&error))?);
    Ok(())
}

/// The command that the README gives for the tests: it is the one that must work.
fn readme_test_command() -> Result<String, String> {
    let readme = read("README.md")?;
    let command = readme.lines().find(|line| line.starts_with("cargo test"));
    command.map(str::to_string).ok_or("README.md gives no `cargo test` command".into())
}

/// A cold `cargo run` compiles few packages, so that a class of thirty starts in seconds. So
/// does a cold `cargo talk`.
fn packages_of_a_cold_run(
    command: &str,
    package: &str,
    most: usize,
) -> Result<(), String> {
    let arguments = [
        "tree",
        "--package",
        package,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--no-dedupe",
    ];
    let output =
        Command::new("cargo").args(arguments).output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let packages: std::collections::BTreeSet<&str> = text.lines().collect();
    println!("\nxtask: {command} compiles {} packages", packages.len());
    match packages.len() {
        0 => Err("cargo tree lists no package".into()),
        n if n > most => Err(format!("{n} packages are more than {most}: {packages:#?}")),
        _ => Ok(()),
    }
}

fn forbid_unsafe_code_in_binaries() -> Result<(), String> {
    for folder in ["src/bin", "examples", "clients/src/bin"] {
        for entry in std::fs::read_dir(root().join(folder)).map_err(|e| e.to_string())? {
            let path = entry.map_err(|e| e.to_string())?.path();
            if path.is_dir() {
                continue; // a part of a binary: what the binary forbids is forbidden there
            }
            let source = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
            if !source.contains("#![forbid(unsafe_code)]") {
                return Err(format!("{} does not forbid unsafe code", path.display()));
            }
        }
    }
    Ok(())
}

fn run(command: &str, environment: &[(&str, &str)]) -> Result<(), String> {
    println!("\nxtask: {command}");
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("an empty command")?;
    let status = Command::new(program)
        .args(words)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    status.success().then_some(()).ok_or(format!("failed: {command}"))
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(file)).map_err(|error| format!("{file}: {error}"))
}

/// The folder of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}
