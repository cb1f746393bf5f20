//! Runs a test program, with a limit on its time, and understands what it says.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::place;
use crate::root;

/// What came of the tests of a program.
#[derive(Debug, Default)]
pub struct Report {
    pub passed: Vec<String>,
    pub failed: Vec<Failure>,
    /// The program did not end, and was killed: this test was running, if that is known.
    pub hung: Option<String>,
    /// The program ended itself in another way, or did not run to its end: what it said.
    pub crashed: Option<String>,
    /// What was printed past the test harness, which collects what it can.
    pub printed: String,
}

/// A test that failed, and what it said.
#[derive(Debug)]
pub struct Failure {
    pub test: String,
    pub says: String,
    /// The first panic alone, and what else the test printed below it.
    pub panic: String,
    /// All that it printed.
    pub printed: String,
}

impl Report {
    /// Some tests have run, and all of them have passed.
    pub fn is_good(&self) -> bool {
        let complaint =
            !self.failed.is_empty() || self.hung.is_some() || self.crashed.is_some();
        !self.passed.is_empty() && !complaint
    }
}

/// Compiles a test target of a package: its program. The errors of the compiler are shown.
pub fn build(package: &str, target: &str) -> Result<PathBuf, String> {
    let arguments =
        ["test", "--quiet", "--no-run", "--package", package, "--test", target];
    let programs = place::build(place::cargo(), &arguments)?;
    // Others are those that the test starts.
    let is_the_test = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.strip_prefix(target).is_some_and(|rest| rest.starts_with('-'))
    };
    let test = programs.iter().rfind(is_the_test);
    test.cloned().ok_or("cargo named no program".into())
}

/// Runs the tests that `arguments` choose. A loop that collects without end must not take all of
/// the machine's memory: there is a limit (where the shell has one).
pub fn run(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    patience: Duration,
) -> Result<Report, String> {
    let limit = "ulimit -v 4000000 2>/dev/null; exec \"$@\"";
    run_script(limit, program, arguments, environment, patience)
}

/// The behaviour suite's core, against a server of this project.
pub fn keeps_promises(server: &str) -> Result<(), String> {
    println!("\nxtask: BRICKS_SERVER=\"{server}\"");
    let program = build("async-from-bricks", "behaviour")?;
    let environment = [("BRICKS_SERVER", server)];
    let patience = Duration::from_secs(600);
    let report = run_unlimited(&program, &["yours::"], &environment, patience)?;
    println!("xtask: {} promises are kept", report.passed.len());
    match report.is_good() {
        true => Ok(()),
        false => Err(format!("{server} does not keep its promises: {report:#?}")),
    }
}

/// As `run`, without the limit.
pub fn run_unlimited(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    patience: Duration,
) -> Result<Report, String> {
    run_script("exec \"$@\"", program, arguments, environment, patience)
}

fn run_script(
    script: &str,
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    patience: Duration,
) -> Result<Report, String> {
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .env("RUST_BACKTRACE", "0")
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let said = collect(child.stdout.take().expect("piped"));
    let problems = collect(child.stderr.take().expect("piped"));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Some(status),
            None if start.elapsed() > patience => break None,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    if status.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    // What the program has started may still hold the other end.
    let text = |output: mpsc::Receiver<Vec<u8>>| {
        let more =
            std::iter::from_fn(|| output.recv_timeout(Duration::from_secs(1)).ok());
        let bytes: Vec<u8> = more.flatten().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let (said, problems) = (text(said), text(problems));
    let mut report = understand(&said);
    match status {
        None => report.hung = Some(unfinished(&said).unwrap_or_default()),
        // 101: tests have failed, and all of them were run.
        Some(status)
            if status.code() != Some(101) && !status.success()
                || !status.success() && report.failed.is_empty()
                || !has_ended(&said) =>
        {
            let last: Vec<&str> = problems.lines().rev().take(3).collect();
            let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
            report.crashed = Some(format!("{status}\n{last}"));
        }
        Some(_) => {}
    }
    report.printed += &problems;
    Ok(report)
}

fn collect(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (piece, pieces) = mpsc::channel();
    thread::spawn(move || {
        let mut space = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut space) {
            if piece.send(space[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    pieces
}

/// A test that has ended: its name, and whether it has passed.
fn outcome(line: &str) -> Option<(&str, bool)> {
    match line.strip_prefix("test ")?.split_once(" ... ")? {
        (test, "ok") => Some((test, true)),
        (test, "FAILED") => Some((test, false)),
        _ => None,
    }
}

/// What libtest prints: a line for each test, and below them a block for each that failed.
fn understand(said: &str) -> Report {
    let mut report = Report::default();
    let mut tests: Vec<(&str, bool)> = said.lines().filter_map(outcome).collect();
    if let Some((test, printed, passed)) = only_test(said) {
        if let Some(passed) = passed {
            tests = vec![(test, passed)];
        }
        report.printed = printed.to_string();
    }
    for (test, passed) in tests {
        if passed {
            report.passed.push(test.to_string());
            continue;
        }
        let block = block(said, test);
        report.failed.push(Failure {
            test: test.to_string(),
            says: words(block),
            panic: words(first_panic(block)),
            printed: block.to_string(),
        });
    }
    report
}

/// The only test that was run, what was printed past libtest while it ran (perhaps words of
/// libtest's), and whether it has passed, if it has ended.
fn only_test(said: &str) -> Option<(&str, &str, Option<bool>)> {
    let (_, lines) = said.split_once("running 1 test\ntest ")?;
    let (test, rest) = lines.split_once(" ... ")?;
    let Some(end) = rest.rfind("test result: ") else { return Some((test, rest, None)) };
    let (before, result) = rest.split_at(end);
    if result.contains(". 1 passed;") {
        let end = before.rfind("ok\n").unwrap_or_default();
        return Some((test, &before[..end], Some(true)));
    }
    let end = before.find("FAILED\n").unwrap_or_default();
    result.contains(" 1 failed;").then_some((test, &before[..end], Some(false)))
}

/// Whether the program has run to its end, and said so.
fn has_ended(said: &str) -> bool {
    said.contains("test result: ")
}

/// The first panic of a test: others often follow from it.
fn first_panic(block: &str) -> &str {
    let Some((_, after)) = block.split_once(" panicked at ") else { return block };
    let message = after.split_once('\n').map_or("", |(_, message)| message);
    let ends = [
        "\nnote: run with",
        "\nstack backtrace:",
        "\nthe server said: ",
        "\nthe server's ",
        "\nthread '",
    ];
    let end = ends.iter().filter_map(|end| message.find(end)).min();
    &message[..end.unwrap_or(message.len())]
}

/// What a test printed before it failed.
fn block<'a>(said: &'a str, test: &str) -> &'a str {
    let head = format!("---- {test} stdout ----\n");
    let Some((_, rest)) = said.split_once(&head) else { return "" };
    let end = ["\n---- ", "\nfailures:\n"].map(|mark| rest.find(mark));
    &rest[..end.into_iter().flatten().min().unwrap_or(rest.len())]
}

/// The test that was running when the program was killed: the line that has no end.
fn unfinished(said: &str) -> Option<String> {
    let last = said.rsplit('\n').next()?.strip_prefix("test ")?;
    Some(last.split(" ... ").next()?.to_string())
}

/// Where in an exercise the first panic was, if it was there and not in the check.
fn place_in_the_exercise(block: &str) -> Option<&str> {
    let (_, after) = block.split_once(" panicked at ")?;
    let (place, _) = after.split_once('\n')?;
    let place = place.trim_end_matches(':');
    let is_the_learners =
        ["/exercise.rs:", "/../my/"].iter().any(|it| place.contains(it));
    is_the_learners.then_some(place)
}

/// What a panic says, without what only the compiler's friends understand.
fn words(block: &str) -> String {
    // Whatever else has failed: what has not been written yet is why.
    let todo = block.lines().find_map(|line| line.strip_prefix("not yet implemented: "));
    if let Some(todo) = todo {
        return format!("still to do: {todo}");
    }
    let lines = block.lines().filter(|line| {
        let of_the_machine = ["note: run with", "thread '", "stack backtrace:"];
        !line.is_empty() && !of_the_machine.iter().any(|start| line.starts_with(start))
    });
    let mut words = vec![];
    if let Some(place) = place_in_the_exercise(block) {
        let (_, file) = place.split_once("/../").unwrap_or_default();
        let place = if file.is_empty() { place } else { &format!("exercises/{file}") };
        words.push(format!("your code panics in {place}:"));
    }
    for line in lines {
        let line = line.trim_end();
        let line =
            line.strip_prefix("assertion `left == right` failed: ").unwrap_or(line);
        words.push(
            match (line.strip_prefix("  left: "), line.strip_prefix(" right: ")) {
                (Some(got), _) => format!("    yours:  {got}"),
                (_, Some(right)) => format!("    wanted: {right}"),
                _ => line.to_string(),
            },
        );
    }
    words.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "\nrunning 3 tests\n\
        test a_part ... FAILED\ntest nothing ... ok\ntest of_it ... FAILED\n\nfailures:\n\n\
        ---- a_part stdout ----\n\nthread 'a_part' (12) panicked at x/check.rs:3:5:\n\
        assertion `left == right` failed: what was sent\n  left: \"he\"\n right: \"hello\"\n\
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\n\
        ---- of_it stdout ----\n\nthread 'of_it' panicked at x/exercise.rs:9:5:\n\
        not yet implemented: send the rest\n\n\nfailures:\n    a_part\n    of_it\n\n\
        test result: FAILED. 1 passed; 2 failed\n";

    #[test]
    fn what_libtest_says_is_understood() {
        let report = understand(SAID);
        assert_eq!(report.passed, ["nothing"]);
        let failed: Vec<_> = report.failed.iter().map(|f| (&*f.test, &*f.says)).collect();
        let words = "what was sent\n    yours:  \"he\"\n    wanted: \"hello\"";
        assert_eq!(failed, [("a_part", words), ("of_it", "still to do: send the rest")]);
    }

    #[test]
    fn a_panic_of_the_learners_own_code_has_a_place() {
        let block = "\nthread 'a' (7) panicked at exercises/07_x/exercise.rs:49:50:\n\
            called `Option::unwrap()` on a `None` value\n";
        let expected = "your code panics in exercises/07_x/exercise.rs:49:50:\n\
            called `Option::unwrap()` on a `None` value";
        assert_eq!(words(block), expected);
        assert_eq!(words(&block.replace("exercise.rs", "check.rs")), &expected[54..]);
        let mine = words(&block.replace("07_x/exercise.rs", "07_x/../my/07_x.rs"));
        assert!(
            mine.starts_with("your code panics in exercises/my/07_x.rs:49"),
            "{mine}"
        );
    }

    #[test]
    fn of_several_panics_the_first_is_the_reason() {
        let said = "\nrunning 1 test\ntest yours::a ... FAILED\n\nfailures:\n\n\
            ---- yours::a stdout ----\n\nthread '<unnamed>' (3) panicked at c.rs:7:4:\n\
            the server answers: reset\n\nthread 'yours::a' (2) panicked at d.rs:1:5:\n\
            a scoped thread panicked\nthe server said: listening on 127.0.0.1:4\nTraceback:\n\
            ValueError: too many\n\n\nfailures:\n    yours::a\n";
        let failure = &understand(said).failed[0];
        assert_eq!(failure.panic, "the server answers: reset");
        assert!(failure.printed.contains("\nValueError: too many\n"), "{failure:?}");
    }

    #[test]
    fn the_test_that_did_not_end_is_known() {
        assert_eq!(unfinished("test one ... ok\ntest two ... "), Some("two".to_string()));
        assert_eq!(unfinished("test one ... ok\n"), None);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let endless = Path::new("/bin/sh");
        let script = "printf 'test one ... ok\\ntest two ... '; while :; do :; done";
        let run_for = |millis| {
            run(endless, &["-c", script], &[], Duration::from_millis(millis)).unwrap()
        };
        // Where the machine is busy, it may be ended before it has said anything.
        let said = |report: &Report| report.hung.as_deref() != Some("");
        let report = [200, 2_000, 20_000].into_iter().map(run_for).find(said).unwrap();
        assert_eq!(report.hung.as_deref(), Some("two"));
        assert!(!report.is_good());
    }

    #[test]
    fn a_program_that_breaks_is_noticed() {
        let shell = Path::new("/bin/sh");
        for script in [
            "echo overflow >&2; exit 3",
            "echo overflow >&2; exit 101",
            "echo test a ... FAILED; echo overflow >&2; kill -9 $$",
        ] {
            let arguments = ["-c", script];
            let report = run(shell, &arguments, &[], Duration::from_secs(60)).unwrap();
            let crashed = report.crashed.as_deref().unwrap_or_default();
            assert!(crashed.contains("overflow"), "{script}: {report:?}");
        }
    }
}
