//! `cargo xtask judge -- ./my_server`: the behaviour suite, against any program in any language.

mod causes;
mod first;
#[path = "../../tests/behaviour/foreign.rs"]
mod foreign;
mod survey;

use std::env;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::report::Report;
use crate::suite::{self, Failure};
use causes::{Cause, Causes, reason};
use first::Found;
pub use survey::survey;

const HELP: &str = "\
Runs the behaviour suite against any echo server, in any language.

Usage: cargo xtask judge [OPTIONS] -- PROGRAM [ARGUMENTS]

  --only NAME  tries this behaviour alone, as it is called in the table: --only half_close
  --lines      it also has the flag --lines: each line is answered with `Get: ` and that line
  --stops      SIGINT and SIGTERM end it gracefully, with status 0, within five seconds
  --strict     its messages and exit status are those of the numbered servers, too
  --report FILE
               also writes what came of it to FILE, as JSON
  --help       print this and exit

{port} in an argument is replaced by a free port:
  cargo xtask judge -- socat TCP-LISTEN:{port},fork,reuseaddr EXEC:cat
It is ready when a connection to that port is accepted. Without {port}, it is started as `PROGRAM
ARGUMENTS --listen 127.0.0.1:0 --quiet`, must take any free port, and print its address.
The exit status is 0 if it keeps every promise, and 1 if not.
";

/// How long a single behaviour waits for the server, in seconds.
const PATIENCE: &str = "10";

/// All behaviours together, and with the first look: a server is judged in two minutes, whatever
/// it is.
const ALL_TOGETHER: Duration = Duration::from_secs(90);
const WITH_THE_FIRST_LOOK: Duration = Duration::from_secs(115);

/// What each of them has at least, while there is time: one of them waits for ten seconds.
const LEAST: Duration = Duration::from_secs(15);

/// So many behaviours are tried at the same time: most of them wait.
const WORKERS: usize = 4;

/// What is to be judged, and by what.
#[derive(Debug, PartialEq)]
struct Wanted {
    themes: Vec<&'static str>,
    only: Option<String>,
    /// The file that will have the report.
    report: Option<String>,
    words: Vec<String>,
}

impl Wanted {
    /// What every echo server promises.
    fn of(words: Vec<String>) -> Wanted {
        Wanted { themes: vec!["yours"], only: None, report: None, words }
    }

    fn read(arguments: &[&str]) -> Result<Wanted, String> {
        let mut arguments = arguments.iter().copied().peekable();
        let Wanted { mut themes, mut only, mut report, .. } = Wanted::of(vec![]);
        while let Some(option) = arguments.next_if(|word| word.starts_with('-')) {
            match option {
                "--" => break,
                "--lines" => themes.push("yours_with_lines"),
                "--stops" => themes.push("yours_that_stops"),
                "--strict" => themes.push("yours_strictly"),
                "--only" => {
                    only = Some(arguments.next().ok_or("which one? --only NAME")?.into());
                }
                "--report" => {
                    report =
                        Some(arguments.next().ok_or("which file? --report FILE")?.into());
                }
                _ => return Err(format!("{option:?} is not understood\n\n{HELP}")),
            }
        }
        let words = arguments.map(absolute).collect::<Result<Vec<String>, String>>()?;
        if words.is_empty() {
            return Err(format!("which program?\n\n{HELP}"));
        }
        let has_port = words.iter().any(|word| word.contains(foreign::PORT));
        if has_port && themes.contains(&"yours_strictly") {
            return Err("--strict is for servers that have the option --listen".into());
        }
        Ok(Wanted { themes, only, report, words })
    }
}

/// The server runs in another folder: a word that is a file here must be one there.
fn absolute(word: &str) -> Result<String, String> {
    if !Path::new(word).is_file() {
        return Ok(word.into());
    }
    let path = std::path::absolute(word).map_err(|error| format!("{word}: {error}"))?;
    Ok(path.display().to_string())
}

pub fn judge(arguments: &[&str]) -> Result<(), String> {
    let options = arguments.iter().take_while(|&&word| word != "--");
    if options.into_iter().any(|&word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let wanted = Wanted::read(arguments)?;
    let report = wanted.report.as_deref().map(Report::begin).transpose()?;
    let judged = try_all(&wanted);
    if let Some(report) = report {
        report.write(&document(&wanted.words, &judged))?;
    }
    table(&judged?)
}

/// What came of a server: the behaviours in the order of their names, and why some were not kept.
struct Judged {
    tried: Vec<Tried>,
    causes: Vec<Cause>,
}

impl Judged {
    fn new(mut tried: Vec<Tried>, found: Found) -> Judged {
        tried.sort_by(|a, b| a.name.cmp(&b.name));
        let mut causes = Causes::default();
        for Tried { name, failure } in &tried {
            if let Some(failure) = failure {
                causes.add(name, reason(failure, found));
            }
        }
        Judged { tried, causes: causes.in_order() }
    }

    /// Where in the list the cause of a failure is.
    fn cause(&self, name: &String) -> Option<usize> {
        self.causes.iter().position(|cause| cause.explains.contains(name))
    }

    fn kept(&self) -> usize {
        self.tried.iter().filter(|tried| tried.failure.is_none()).count()
    }
}

fn try_all(wanted: &Wanted) -> Result<Judged, String> {
    println!("Does it start? {}", shown(&wanted.words));
    let start = Instant::now();
    let found = first::look(&wanted.words)?;
    let left = WITH_THE_FIRST_LOOK.saturating_sub(start.elapsed());
    println!(
        "It does. The tests are being compiled; then each behaviour is tried. That takes"
    );
    println!(
        "seconds, or up to two minutes for a server that keeps its clients waiting.\n"
    );
    let suite = suite::build("async-from-bricks", "behaviour")?;
    let tests = choose(list(&suite)?, wanted)?;
    let of = tests.len();
    let trial = Trial {
        suite: &suite,
        words: &wanted.words,
        limit: ALL_TOGETHER.min(left),
        tell: &|number, tried| {
            let verdict = if tried.failure.is_none() { "kept" } else { "NOT KEPT" };
            println!("{number:>3} of {of}  {:<44} {verdict}", tried.name);
        },
    };
    Ok(Judged::new(trial.all(&tests), found))
}

/// A command, as it could be typed.
fn shown(words: &[String]) -> String {
    let quoted = |word: &String| match word.contains(char::is_whitespace) {
        true => format!("'{word}'"),
        false => word.clone(),
    };
    words.iter().map(quoted).collect::<Vec<String>>().join(" ")
}

/// The names of all tests.
fn list(suite: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(suite).arg("--list").output().map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tests = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(tests.map(str::to_string).collect())
}

/// Those that are wanted. Two are known to be slow: one waits, and begins first; the other has
/// many clients, and at the end it has the most time.
fn choose(tests: Vec<String>, wanted: &Wanted) -> Result<Vec<String>, String> {
    let theme = |test: &str| test.rsplit("::").nth(1).unwrap_or_default().to_string();
    let mut tests = tests;
    tests.retain(|test| wanted.themes.contains(&&*theme(test)));
    if let Some(only) = &wanted.only {
        let all: Vec<String> = tests.iter().map(|test| name(test)).collect();
        tests.retain(|test| name(test) == name(only));
        if tests.is_empty() {
            return Err(format!("{only:?} is none of: {}", all.join(", ")));
        }
    }
    tests.sort_by_key(|test| match &*name(test) {
        "ten idle seconds" => 0,
        "more than 1024 descriptors" => 2,
        _ => 1,
    });
    Ok(tests)
}

/// A behaviour that was tried, and what went wrong.
struct Tried {
    name: String,
    failure: Option<Failure>,
}

/// A server, and how much time it has.
struct Trial<'a> {
    suite: &'a Path,
    words: &'a [String],
    limit: Duration,
    /// What to do when a behaviour has been tried: the first, the second …
    tell: &'a (dyn Fn(usize, &Tried) + Sync),
}

impl Trial<'_> {
    /// Each has a process and a limit of its own, so that no server can keep this from its end.
    fn all(&self, tests: &[String]) -> Vec<Tried> {
        let end = Instant::now() + self.limit;
        let next = Mutex::new(0..tests.len());
        let (done, results) = mpsc::channel();
        let work = |done: Sender<Tried>| {
            while let Some((index, left)) = {
                let mut next = next.lock().expect("nobody panics");
                next.next().map(|index| (index, next.len() + 1))
            } {
                let remaining = end.saturating_duration_since(Instant::now());
                let share = LEAST.max(remaining * WORKERS as u32 / left as u32);
                let test = &tests[index];
                let failure = self.one(test, share.min(remaining));
                if done.send(Tried { name: name(test), failure }).is_err() {
                    return; // what is found cannot be told any more
                }
            }
        };
        thread::scope(|scope| {
            for done in vec![done; WORKERS] {
                scope.spawn(|| work(done));
            }
            let mut tried = vec![];
            for result in results {
                tried.push(result);
                (self.tell)(tried.len(), &tried[tried.len() - 1]);
            }
            tried
        })
    }

    fn one(&self, test: &str, limit: Duration) -> Option<Failure> {
        if limit.is_zero() {
            return Some(failure(test, "not tried: the time is over".into()));
        }
        let command: String = self.words.iter().map(|word| format!("{word}\n")).collect();
        let environment = [("BRICKS_SERVER", &*command), ("BRICKS_PATIENCE", PATIENCE)];
        let report =
            suite::run_unlimited(self.suite, &["--exact", test], &environment, limit);
        let problem = match report {
            Ok(mut report) => match (report.failed.pop(), report.hung, report.crashed) {
                (Some(failure), ..) => return Some(failure),
                (None, Some(_), _) => {
                    format!("not done after {} seconds", limit.as_secs())
                }
                (None, None, Some(said)) => format!("the test ended early: {said}"),
                (None, None, None) if report.passed.is_empty() => "no such test".into(),
                _ => return None,
            },
            Err(problem) => problem,
        };
        Some(failure(test, problem))
    }
}

/// One of which the suite itself says nothing.
fn failure(test: &str, problem: String) -> Failure {
    let (says, printed) = (problem.clone(), String::new());
    Failure { test: test.into(), says, panic: problem, printed }
}

/// `yours::the_second_client` in words.
fn name(test: &str) -> String {
    test.rsplit("::").next().unwrap_or(test).replace('_', " ")
}

/// The report. A server that cannot be judged has no behaviours in it, and a problem.
fn document(words: &[String], judged: &Result<Judged, String>) -> Value {
    let behaviour = |judged: &Judged, tried: &Tried| {
        let reason = judged.cause(&tried.name).map(|at| judged.causes[at].text());
        json!({
            "behaviour": tried.name,
            "kept": tried.failure.is_none(),
            "reason": reason,
        })
    };
    let behaviours = judged.iter().flat_map(|judged| {
        judged.tried.iter().map(move |tried| behaviour(judged, tried))
    });
    json!({
        "version": 1,
        "server": shown(words),
        "problem": judged.as_ref().err(),
        "behaviours": behaviours.collect::<Vec<Value>>(),
    })
}

/// A line for each behaviour, and each cause once.
fn table(judged: &Judged) -> Result<(), String> {
    let Judged { tried, causes } = judged;
    let colour = env::var_os("NO_COLOR").is_none()
        && std::io::IsTerminal::is_terminal(&std::io::stdout());
    let word = |word: &str, number| match colour {
        true => format!("\x1b[{number}m{word}\x1b[0m"),
        false => word.to_string(),
    };
    println!();
    for Tried { name, .. } in tried {
        match judged.cause(name) {
            None => println!("{}  {name}", word("pass", 32)),
            Some(at) => println!("{}  {name:<44} ({})", word("FAIL", 31), at + 1),
        }
    }
    for (number, cause) in (1..).zip(causes) {
        let times = match cause.explains.len() {
            1 => String::new(),
            several => format!(" [{several} behaviours]"),
        };
        println!("\n({number}) {}{times}", cause.text());
        if !cause.lines.is_empty() {
            println!("    it wrote last:\n        {}", cause.lines.join("\n        "));
        }
    }
    println!("\n{} of {} promises are kept", judged.kept(), tried.len());
    let Some(cause) = causes.first() else { return Ok(()) };
    Err(format!(
        "the page `chapters/exercises/judge.md` says what each behaviour is; \
         `--only {}` tries one of them again",
        cause.explains[0].replace(' ', "_")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wanted, String> {
        Wanted::read(&line.split(' ').collect::<Vec<&str>>())
    }

    #[test]
    fn the_command_line_is_understood() {
        let wanted = read("--only half_close --stops -- ./x --fast {port}").unwrap();
        assert_eq!(wanted.only.as_deref(), Some("half_close"));
        assert_eq!(wanted.themes, ["yours", "yours_that_stops"]);
        assert_eq!(wanted.words, ["./x", "--fast", "{port}"]);
        assert_eq!(read("./x --lines").unwrap().words, ["./x", "--lines"]);
        assert_eq!(
            read("--report r.json ./x").unwrap().report.as_deref(),
            Some("r.json")
        );
        for wrong in
            ["--only", "--report", "--strict -- ./x {port}", "--fast -- ./x", "--"]
        {
            read(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_report_has_each_behaviour_and_why_it_was_not_kept() {
        let kept = Tried { name: "small".into(), failure: None };
        let failure = failure("yours::half_close", "no answer".into());
        let not = Tried { name: "half close".into(), failure: Some(failure) };
        let judged = Ok(Judged::new(vec![kept, not], Found::default()));
        let words = ["./my server".to_string(), "{port}".to_string()];
        let expected = json!({
            "version": 1,
            "server": "'./my server' {port}",
            "problem": null,
            "behaviours": [
                { "behaviour": "half close", "kept": false, "reason": "no answer" },
                { "behaviour": "small", "kept": true, "reason": null },
            ],
        });
        assert_eq!(document(&words, &judged), expected);
        let nothing = document(&words, &Err("it does not start".into()));
        assert_eq!(nothing["problem"], "it does not start");
        assert_eq!(nothing["behaviours"], json!([]));
    }

    #[test]
    fn the_page_about_reports_shows_what_there_is() {
        let page = include_str!("../../chapters/teachers/results.md");
        let told = |field: &str| -> Vec<&str> {
            let start = format!("\"{field}\": \"");
            let after =
                page.match_indices(&start).map(|(at, _)| &page[at + start.len()..]);
            after.map(|rest| rest.split_once('"').unwrap().0).collect()
        };
        let table = include_str!("../../tests/behaviour/main.rs");
        assert_eq!(told("behaviour").len(), 2);
        for name in told("behaviour") {
            assert!(table.contains(&format!(" {} ", name.replace(' ', "_"))), "{name}");
        }
        assert_eq!(told("reason"), [causes::ONE_AT_A_TIME]);
    }

    #[test]
    fn one_behaviour_is_chosen_by_its_name() {
        let tests = || {
            [
                "yours::half_close",
                "s01::half_close",
                "yours::small",
                "yours::ten_idle_seconds",
            ]
            .map(str::to_string)
            .to_vec()
        };
        for name in ["half_close", "half close", "yours::half_close"] {
            let wanted = Wanted::read(&["--only", name, "--", "./x"]).unwrap();
            assert_eq!(choose(tests(), &wanted).unwrap(), ["yours::half_close"]);
        }
        let all = ["yours::ten_idle_seconds", "yours::half_close", "yours::small"];
        assert_eq!(choose(tests(), &read("./x").unwrap()).unwrap(), all);
        let refusal = choose(tests(), &read("--only x -- ./x").unwrap()).unwrap_err();
        assert!(refusal.contains("half close, small"), "{refusal}");
    }

    /// The suite's part is played by a script that takes as long as it may.
    #[test]
    fn all_are_tried_in_the_time_that_is_left() {
        let script =
            std::env::temp_dir().join(format!("judge-{}.sh", std::process::id()));
        // Another process writes it: a child of another test could hold it open for writing, if it
        // were this one, and then it cannot be run.
        let write = "printf '#!/bin/sh\nexec sleep 1000\n' > \"$0\" && chmod +x \"$0\"";
        let mut sh = Command::new("sh");
        assert!(sh.args(["-c", write]).arg(&script).status().unwrap().success());
        let tests: Vec<String> = (0..9).map(|i| format!("yours::t{i}")).collect();
        let limit = Duration::from_millis(500);
        let trial = Trial { suite: &script, words: &[], limit, tell: &|_, _| () };
        let tried = trial.all(&tests);
        std::fs::remove_file(&script).unwrap();
        let failures: Vec<_> =
            tried.iter().filter_map(|it| it.failure.as_ref()).collect();
        assert_eq!(failures.len(), 9);
        let mut problems = failures.iter().map(|failure| &failure.panic);
        assert!(problems.all(|it| it.starts_with("not ")), "{failures:?}");
    }

    /// A pipe that is closed is no fault of the thread that tries.
    #[test]
    fn what_cannot_be_told_ends_a_trial() {
        let tests: Vec<String> = (0..9).map(|i| format!("yours::t{i}")).collect();
        let trial = Trial {
            suite: Path::new("true"),
            words: &[],
            limit: Duration::from_secs(60),
            tell: &|_, _| std::panic::resume_unwind(Box::new("closed")),
        };
        let all = std::panic::AssertUnwindSafe(|| trial.all(&tests));
        let why = std::panic::catch_unwind(all).err().expect("it is told nothing");
        assert_eq!(why.downcast_ref(), Some(&"closed"));
    }
}
