//! `cargo xtask judge -- ./my_server`: the behaviour suite, against any program in any language.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::suite::{self, Ended, Failure, Report};

const HELP: &str = "\
Runs the behaviour suite against your own echo server, in any language.

Usage: cargo xtask judge [OPTIONS] -- PROGRAM [ARGUMENTS]

  --lines   it also has the flag --lines: each line is answered with `Get: ` and that line
  --stops   SIGINT and SIGTERM end it gracefully, with status 0, within five seconds
  --strict  its messages and exit status are those of the numbered servers, too
  --help    print this and exit

It is started as `PROGRAM ARGUMENTS --listen 127.0.0.1:0 [--quiet]`, must take any free port, and
print the line `listening on 127.0.0.1:PORT`, flushed, once it accepts connections.
The exit status is 0 if it keeps every promise, and 1 if not.
";

/// How long a single behaviour waits for the server, in seconds.
const PATIENCE: &str = "10";

/// All together; with a server that fails everything, each waits for its seconds.
const ALL_TOGETHER: Duration = Duration::from_secs(600);

/// How long a server may take to say that it listens.
const START: Duration = Duration::from_secs(10);

pub fn judge(arguments: &[&str]) -> Result<(), String> {
    let (options, words) = match arguments.iter().position(|&word| word == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => arguments
            .split_at(arguments.iter().take_while(|w| w.starts_with('-')).count()),
    };
    if options.iter().any(|&option| option == "--help" || option == "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let mut themes = vec!["yours"];
    for &option in options {
        themes.push(match option {
            "--lines" => "yours_with_lines",
            "--stops" => "yours_that_stops",
            "--strict" => "yours_strictly",
            _ => return Err(format!("{option:?} is not understood\n\n{HELP}")),
        });
    }
    let Some((program, rest)) = words.split_first() else {
        return Err(format!("which program?\n\n{HELP}"));
    };
    // The tests run in another folder.
    let program = match program.contains('/') {
        true => std::path::absolute(program).map_err(|e| format!("{program}: {e}"))?,
        false => program.into(),
    };
    let program = program.to_str().ok_or("the program's name is not text")?;
    let rest = rest.iter().map(|&word| match Path::new(word).is_file() {
        true => std::path::absolute(word)
            .map_or(word.into(), |path| path.display().to_string()),
        false => word.to_string(),
    });
    let words: Vec<String> = [program.to_string()].into_iter().chain(rest).collect();
    if let Some(word) = words.iter().find(|word| word.contains(char::is_whitespace)) {
        return Err(format!("{word:?} has a space: write a script that starts it"));
    }
    println!("Does it start? {} --listen 127.0.0.1:0 --quiet", words.join(" "));
    starts(&words)?;
    println!(
        "It does. The tests are being compiled; then each behaviour is tried. That takes"
    );
    println!("seconds, or two minutes for a server that keeps its clients waiting.\n");
    let suite = suite::build("async-from-bricks", "behaviour")?;
    let filters: Vec<String> = themes.iter().map(|theme| format!("{theme}::")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let command = words.join(" ");
    let environment = [("BRICKS_SERVER", &*command), ("BRICKS_PATIENCE", PATIENCE)];
    // One is enough for a server that is a process of its own; two for a machine of two.
    let arguments = [&filters[..], &["--test-threads=2"]].concat();
    let report = suite::run_unlimited(
        &suite,
        &arguments,
        &environment,
        ALL_TOGETHER,
        &mut progress,
    )?;
    table(&report)
}

/// Starts it as the suite will, and waits for what it says.
fn starts(words: &[String]) -> Result<(), String> {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args(["--listen", "127.0.0.1:0", "--quiet"])
        .current_dir(crate::root())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", words[0]))?;
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let (said, first) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        let _ = said.send(line);
    });
    let first = first.recv_timeout(START);
    let ended = child.try_wait().ok().flatten();
    end(child);
    match first {
        Ok(line) if line.starts_with("listening on ") => Ok(()),
        Ok(line) if line.is_empty() => Err(format!(
            "it has closed its output without a word{}. It is given `--listen 127.0.0.1:0 \
             --quiet`, and should print `listening on 127.0.0.1:PORT`",
            ended.map(|status| format!(", and ended: {status}")).unwrap_or_default()
        )),
        Ok(line) => Err(format!(
            "its first line is {line:?}, and should be `listening on 127.0.0.1:PORT`, also with \
             `--quiet`: that is how a test learns the port"
        )),
        Err(_) => Err(format!(
            "it has said nothing for {} seconds. It should print `listening on 127.0.0.1:PORT` \
             when it accepts connections, and flush its output: a pipe is not a terminal, and \
             many languages keep what is printed to one until there is more",
            START.as_secs()
        )),
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A line for each behaviour, when it has been tried. Those who wait see that something happens.
fn progress(ended: Ended) {
    let verdict = if ended.passed { "kept" } else { "NOT KEPT" };
    let (number, of) = (ended.number, ended.of);
    println!("{number:>3} of {of}  {:<44} {verdict}", name(ended.test));
}

/// `yours::the_second_client` in words.
fn name(test: &str) -> String {
    let test = test.split_once("::").map_or(test, |(_, test)| test);
    test.replace("::", ": ").replace('_', " ")
}

fn table(report: &Report) -> Result<(), String> {
    let mut rows: Vec<(String, Option<String>)> = vec![];
    for test in &report.passed {
        rows.push((name(test), None));
    }
    for failure in &report.failed {
        rows.push((name(&failure.test), Some(reason(failure))));
    }
    rows.sort();
    let colour = env::var_os("NO_COLOR").is_none()
        && std::io::IsTerminal::is_terminal(&std::io::stdout());
    println!();
    for (name, reason) in &rows {
        match (reason, colour) {
            (None, true) => println!("\x1b[32mpass\x1b[0m  {name}"),
            (None, false) => println!("pass  {name}"),
            (Some(reason), true) => println!("\x1b[31mFAIL\x1b[0m  {name:<44} {reason}"),
            (Some(reason), false) => println!("FAIL  {name:<44} {reason}"),
        }
    }
    let (kept, all) = (report.passed.len(), rows.len());
    println!("\n{kept} of {all} promises are kept");
    if report.hung.is_some() {
        let minutes = ALL_TOGETHER.as_secs() / 60;
        return Err(format!("stopped after {minutes} minutes: the rest was not tried"));
    }
    if let Some(said) = &report.crashed {
        return Err(format!("the tests ended early: {said}"));
    }
    match kept == all && all > 0 {
        true => Ok(()),
        false => {
            Err("the page `chapters/exercises/judge.md` says what each behaviour is"
                .into())
        }
    }
}

/// What a test saw, and what the server said last.
fn reason(failure: &Failure) -> String {
    let lines: Vec<&str> = failure.panic.lines().map(str::trim).take(3).collect();
    let seen = shorten(&plain(&lines.join(" ")));
    match &failure.server {
        Some(said) => format!("{seen} (it said: {})", shorten(said)),
        None => seen,
    }
}

/// Without what only Rust's friends understand.
fn plain(text: &str) -> String {
    let text =
        text.replace("assertion `left == right` failed", "not as wanted:").replace(
            "Error { kind: UnexpectedEof, message: \"failed to fill whole buffer\" }",
            "the connection ended before all was there",
        );
    let text = match (text.split_once("Os { "), text.split_once("message: \"")) {
        (Some((before, _)), Some((_, after))) => {
            format!("{before}{}", after.split('"').next().unwrap_or_default())
        }
        _ => text.split(" (os error").next().unwrap_or_default().to_string(),
    };
    // A socket with a limit of time says this when it has run out.
    let too_late = format!("nothing came for {PATIENCE} seconds");
    ["Resource temporarily unavailable", "operation would block"]
        .iter()
        .fold(text, |text, unclear| text.replace(unclear, &too_late))
        .replace("the server answers:", "an answer is awaited:")
        .replace("an orderly end:", "the end of the connection is awaited:")
        .replace("the server takes what it is sent:", "while something is sent:")
}

/// Up to a line's length.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(110) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, shorten};

    #[test]
    fn a_reason_is_short_and_plain() {
        let seen = "the server answers: Os { code: 104, kind: ConnectionReset, message: \
                    \"Connection reset by peer\" }";
        assert_eq!(plain(seen), "an answer is awaited: Connection reset by peer");
        let late = "neither an answer nor an end: Resource temporarily unavailable (os error 11)";
        let words = "neither an answer nor an end: nothing came for 10 seconds";
        assert_eq!(plain(late), words);
        assert_eq!(shorten(&"x".repeat(200)).chars().count(), 111);
    }
}
