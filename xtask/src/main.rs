//! The project's own chores: `cargo xtask check`, `check-bench` and `foreign --check` are what CI runs.
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
#[macro_use]
mod print;
mod bench;
mod breaks;
mod ebook;
mod exercises;
mod judge;
mod learn;
mod live;
mod memcheck;
mod mutants;
mod place;
mod practise;
mod preflight;
mod report;
mod suite;

use std::env;
use std::process::{self, Command, ExitCode};
use std::time::{Duration, Instant};

use playback::read::Recording;

use place::root;

const HELP: &str = "\
The project's chores.

Usage: cargo xtask <CHORE>

For readers:
  learn   shows how far you are with the exercises, and checks the next (learn --help)
  judge   runs the behaviour suite against a server of your own (judge --help)
  practise
          asks what the scheduler does next (practise --help)
  preflight
          whether this machine has what the lessons need, and what to do if not

Chores:
  check [--without-breaks]
          what a change must pass: format, lints, documentation, the build, the tests, the breaks
  record  runs the terminal sessions that the book shows and the servers that it plays, and
          records them and its diffs anew
  perfetto FILE
          prints a recording of --trace in the format that https://ui.perfetto.dev opens
  break   breaks the code in one of the ways that the book tells of;
          without a name, lists them
  fix     takes that back
  breaks [NAME]
          proves that each of them makes its test fail (part of check);
          `breaks mutations` proves that the exploration finds each of memory/mutations
  loom    runs the executor in every order that the steps of its threads can have (part of check)
  explore [record]
          explores what can happen to the heart, and compares how much that is with what the book
          says, or records it (part of check)
  memcheck
          runs the behaviour suite's core against 05 and 06 under valgrind (part of check)
  exercises
          proves that the exercises' checks tell right from wrong (part of check)
  starters
          makes the exercises' starters anew, after a change to their solutions
  foreign [--check]
          judges servers that others wrote, and makes the table of the judge's page anew
  live    compiles the book's live scheduler to WebAssembly, after a change to the heart
  ebook   makes the book as a PDF and as an EPUB (ebook --help)
  mutants [FILE...]
          changes the heart, the pollers and the executor, one small change at a time, and compares
          what no test notices with tests/mutants.txt (more than an hour)
  bench   measures the servers beside their peers (bench --help)
  plots   draws the book's charts, and fills in its numbers, from what was measured
  guard   counts the instructions and system calls of an echo: not more than bench/bounds.csv
  check-bench
          what a change to the measurement must pass (CI runs this, too)
  help    print this and exit
";

fn main() -> ExitCode {
    print::while_printed(|| {
        let arguments: Result<Vec<String>, _> =
            env::args_os().skip(1).map(|argument| argument.into_string()).collect();
        let arguments = match &arguments {
            Ok(arguments) => arguments.iter().map(String::as_str).collect::<Vec<_>>(),
            Err(argument) => {
                eprintln!("xtask: {argument:?} is no text");
                return ExitCode::from(2);
            }
        };
        chore(&arguments)
    })
}

fn chore(arguments: &[&str]) -> ExitCode {
    let result = place::look().and_then(|()| match *arguments {
        ["check"] => check().and_then(|()| breaks::prove(&[])),
        ["check", "--without-breaks"] => check(),
        ["record"] => record(),
        ["perfetto", file] => perfetto(file),
        ["break"] => breaks::list(),
        ["break", name] => breaks::apply(name),
        ["fix" | "mend"] => breaks::fix(),
        ["breaks", ref names @ ..] => breaks::prove(names),
        ["loom"] => orders(),
        ["explore"] => explore(false),
        ["explore", "record"] => explore(true),
        ["memcheck"] => memcheck::check(),
        ["exercises"] => exercises::prove(),
        ["mutants", ref files @ ..] => mutants::mutants(files),
        ["starters"] => exercises::write_starters(),
        ["learn", ref options @ ..] => learn::learn(options),
        ["judge", ref options @ ..] => judge::judge(options),
        ["foreign", ref options @ ..] => judge::survey(options),
        ["practise", ref options @ ..] => practise::start(options),
        ["live"] => live::live(),
        ["preflight"] => preflight::preflight(),
        ["ebook", ref options @ ..] => ebook::ebook(options),
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
            process::exit(2);
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // What has failed because the pipe was closed has nobody to tell it to.
            println!();
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: check
fn check() -> Result<(), String> {
    let start = Instant::now();
    line_ends_are_lf()?;
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
    explore(false)?;
    run("cargo test --package xtask", &[])?;
    exercises::prove()?;
    run("cargo test --package playback", &[])?;
    memcheck::check()?;
    orders()?;
    println!("\nxtask: all is well ({:.0?})", start.elapsed());
    Ok(())
}
// ANCHOR_END: check

/// There are some 300,000 orders: a debug build would take minutes.
fn orders() -> Result<(), String> {
    run("cargo test --profile loom --package bricks-under-loom -- --nocapture", &[])
}

/// The tests that compare the recordings make them if they are asked to.
fn record() -> Result<(), String> {
    line_ends_are_lf()?;
    run("cargo build --bins --examples", &[])?;
    let tests = "cargo test --test sessions --test traces --test diffs";
    run(tests, &[("RECORD_SESSIONS", "1")])
}

/// Explores the heart as far as the book says, which takes a minute, and compares what comes out.
fn explore(is_recording: bool) -> Result<(), String> {
    const COMMAND: &str = "cargo explore --far";
    const FILE: &str = "chapters/04_scheduler/sessions/explored.txt";
    println!("\nxtask: {COMMAND}");
    let mut cargo = place::cargo();
    let output = cargo.args(COMMAND.split(' ').skip(1)).output();
    let output = output.map_err(|error| format!("{COMMAND}: {error}"))?;
    let shown = format!("$ {COMMAND}\n{}", String::from_utf8_lossy(&output.stdout));
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("failed: {COMMAND}\n{shown}{errors}"));
    }
    if is_recording {
        std::fs::write(root().join(FILE), &shown).map_err(|e| format!("{FILE}: {e}"))?;
    }
    match read(FILE)? == shown {
        true => Ok(()),
        false => {
            Err(format!("{FILE} is not this; `cargo xtask explore record`:\n{shown}"))
        }
    }
}

/// The tests compare what they find in files with what programs print.
fn line_ends_are_lf() -> Result<(), String> {
    let file = root().join("chapters/SUMMARY.md");
    let text = std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    match text.contains(&b'\r') {
        false => Ok(()),
        true => {
            Err("the lines of this copy of the repository end with CRLF, and its tests \
            need LF. A fresh `git clone` has LF. (The readers' chores work here, too.)"
                .into())
        }
    }
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
    let output = place::cargo().args(arguments).output().map_err(|e| e.to_string())?;
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
            // A folder is a part of a binary: what the binary forbids is forbidden there.
            if !answers::is_source(&path) {
                continue;
            }
            let source = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
            // One example shows what goes wrong with memory that the kernel shares.
            let may_be_unsafe = path.ends_with("examples/late_send.rs");
            if !may_be_unsafe && !source.contains("#![forbid(unsafe_code)]") {
                return Err(format!("{} does not forbid unsafe code", path.display()));
            }
        }
    }
    Ok(())
}

/// Runs cargo.
fn run(command: &str, environment: &[(&str, &str)]) -> Result<(), String> {
    println!("\nxtask: {command}");
    let mut words = command.split_whitespace();
    let cargo = words.next();
    assert_eq!(cargo, Some("cargo"), "{command}");
    let mut cargo = place::cargo();
    succeeds(cargo.args(words).envs(environment.iter().copied()), command)
}

fn succeeds(command: &mut Command, name: &str) -> Result<(), String> {
    let start = Instant::now();
    let status =
        command.status().map_err(|error| format!("cannot run {name}: {error}"))?;
    status.success().then_some(()).ok_or(format!("failed: {name}"))?;
    if start.elapsed() > LONG {
        println!("xtask: that took {:.0?}", start.elapsed());
    }
    Ok(())
}

/// What takes longer is worth a line, so that a check that has become slow is found.
const LONG: Duration = Duration::from_secs(5);

/// A text of the repository. Its lines end with LF, whatever ends them in this copy.
fn read(file: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(root().join(file));
    Ok(text.map_err(|error| format!("{file}: {error}"))?.replace("\r\n", "\n"))
}
