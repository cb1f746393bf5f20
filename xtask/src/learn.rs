//! `cargo xtask learn`: shows how far a learner is, and checks an exercise whenever it is saved.

mod copies;
mod moved;
mod progress;
mod screen;

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::exercises::{self, Exercise};
use crate::report::Report;
use crate::suite;
use crate::{read, root};

use copies::mine;
use progress::Progress;
use screen::{Keys, indent, marks, unwrapped};

/// Where the learner's progress is: a line for each exercise that was done, and for each hint.
const PROGRESS: &str = "exercises/progress.txt";

/// One test of a check takes less than a second, and up to three if it waits in vain. So a check
/// takes less than five, also if a loop does not end.
const PATIENCE: Duration = Duration::from_millis(4500);

/// How often the file is looked at. Looking works where the system tells of no change (a folder
/// of another machine), whatever an editor does to save a file.
const LOOK: Duration = Duration::from_millis(300);

const HELP: &str = "\
Shows how far you are, and checks an exercise whenever you save it.

Usage: cargo xtask learn [NAME] [OPTIONS]

  NAME            this exercise, not the one at which you were last
  --once          check once, and end: status 0 if the check passes; without NAME, the one at
                  which you were last, or the next if that is done
  --list          all exercises, and which of them are done
  --hint          the next hint
  --starter       shows the exercise as it was at the beginning
  --reset         the exercise as it was at the beginning; your work is kept beside it
  --report FILE   checks each exercise for which you have a file, and writes what came of all
                  of them to FILE, as JSON
  --help          print this and exit
";

const KEYS: &str = "Save the file, and it is checked again. Or press a key: \
h for a hint, n for the next exercise, b to go back, l for the list, r to reset, q to end.";

/// After so long, the learner is told what is going on.
const SILENCE: Duration = Duration::from_secs(2);

/// What is to be done.
#[derive(Clone, Copy, PartialEq)]
enum Wish<'a> {
    Watch,
    Once,
    List,
    Hint,
    Starter,
    Reset,
    Report(&'a str),
}

/// What the arguments ask for, and the exercise that they name: nothing if that is the help.
fn understand<'a>(
    arguments: &[&'a str],
) -> Result<Option<(Wish<'a>, Option<&'a str>)>, String> {
    let mut wish = Wish::Watch;
    let mut name = None;
    let mut arguments = arguments.iter().copied();
    while let Some(argument) = arguments.next() {
        match argument {
            "--once" => wish = Wish::Once,
            "--list" => wish = Wish::List,
            "--hint" => wish = Wish::Hint,
            "--starter" => wish = Wish::Starter,
            "--reset" => wish = Wish::Reset,
            "--report" => {
                wish = Wish::Report(arguments.next().ok_or("which file? --report FILE")?);
            }
            "--help" | "-h" => return Ok(None),
            other if other.starts_with('-') || name.is_some() => {
                return Err(format!("{other:?} is not understood\n\n{HELP}"));
            }
            other => name = Some(other),
        }
    }
    Ok(Some((wish, name)))
}

pub fn learn(arguments: &[&str]) -> Result<(), String> {
    let Some((wish, name)) = understand(arguments)? else {
        print!("{HELP}");
        return Ok(());
    };
    let exercises = exercises::all()?;
    let progress = Progress::read(&root().join(Path::new(PROGRESS)));
    let carried = carried_over(&exercises)?;
    if wish != Wish::Watch {
        // Not into what `--starter` prints.
        eprint!("{carried}");
    }
    if wish == Wish::List {
        list(&exercises, &progress);
        return Ok(());
    }
    if let Wish::Report(path) = wish {
        return match name {
            None => report(&exercises, &progress, path),
            Some(_) => Err("a report is about all exercises: leave the name out".into()),
        };
    }
    let exercise = match name {
        Some(name) => Some(find(&exercises, name)?),
        None if wish == Wish::Reset => {
            let last = progress.last().map(|name| format!(" You were at {name}."));
            println!("Which exercise shall begin anew?{}", last.unwrap_or_default());
            Some(find(&exercises, &screen::ask("Its name:"))?)
        }
        None => place(&exercises, &progress, wish),
    };
    let Some(exercise) = exercise else {
        list(&exercises, &progress);
        println!("\n{ALL_DONE}");
        return Ok(());
    };
    carry_out(wish, &exercises, exercise, progress, carried)
}

const ALL_DONE: &str = "All exercises are done. What is left is a server of your own, in any language,\n\
    that passes `cargo xtask judge` (chapters/exercises/judge.md).";

fn carry_out(
    wish: Wish<'_>,
    exercises: &[Exercise],
    exercise: &Exercise,
    mut progress: Progress,
    news: String,
) -> Result<(), String> {
    match wish {
        Wish::Once => {
            begin(exercise, &mut progress)?;
            introduce(exercise, exercises, &progress);
            progress.tried(&exercise.name)?;
            match check(exercise)? {
                true => finish(exercise, exercises, &mut progress),
                false => Err(format!("{} is not done yet", exercise.name)),
            }
        }
        Wish::Hint => hint(exercise, &mut progress),
        Wish::Starter => {
            print!("{}", exercise.starter()?);
            Ok(())
        }
        Wish::Reset => {
            println!("{}", reset(exercise, &mut progress, screen::ask)?);
            Ok(())
        }
        Wish::Watch | Wish::List | Wish::Report(_) => {
            let keys = Keys::listen();
            Session { exercises, exercise, progress, keys, news }.run()
        }
    }
}

/// Moves all work from where it was before: what was moved, a line for each.
fn carried_over(exercises: &[Exercise]) -> Result<String, String> {
    let mut told = String::new();
    for exercise in exercises {
        let moved = copies::carry_over(root(), &exercise.name, &exercise.starter()?)?;
        told += &moved.map(|line| line + "\n").unwrap_or_default();
    }
    Ok(told)
}

/// The exercise of this name or number, or with this in its name.
fn find<'a>(exercises: &'a [Exercise], name: &str) -> Result<&'a Exercise, String> {
    let ask = || format!("which exercise is {name:?}? `cargo xtask learn --list`");
    let name = name.trim_end_matches('/').trim_end_matches(".rs");
    let name = name.trim_start_matches("exercises/").trim_start_matches("my/");
    if name.is_empty() {
        return Err(ask());
    }
    // `04` begins names.
    if let (Ok(number), false) = (name.parse::<usize>(), name.starts_with('0')) {
        return exercises.get(number.wrapping_sub(1)).ok_or_else(ask);
    }
    let exact = exercises.iter().find(|exercise| exercise.name == name);
    let mut alike = exercises.iter().filter(|exercise| exercise.name.contains(name));
    match (exact, alike.next(), alike.next()) {
        (Some(exercise), ..) | (None, Some(exercise), None) => Ok(exercise),
        _ => Err(ask()),
    }
}

/// Where the learner was last. A check that is asked for once goes on behind what is done.
fn place<'a>(
    exercises: &'a [Exercise],
    progress: &Progress,
    wish: Wish<'_>,
) -> Option<&'a Exercise> {
    let last = exercises.iter().find(|e| progress.last() == Some(e.name.as_str()));
    match last {
        Some(last) if wish == Wish::Once && progress.is_done(&last.name) => {
            next(last, exercises, progress)
        }
        Some(last) => Some(last),
        None => exercises.iter().find(|exercise| !progress.is_done(&exercise.name)),
    }
}

/// The one after `exercise` that is not done, or else any.
fn next<'a>(
    exercise: &Exercise,
    exercises: &'a [Exercise],
    progress: &Progress,
) -> Option<&'a Exercise> {
    let at = exercises.iter().position(|other| other.name == exercise.name)?;
    let (before, after) = exercises.split_at(at + 1);
    after
        .iter()
        .chain(before)
        .find(|other| !progress.is_done(&other.name) && other.name != exercise.name)
}

/// The one before `exercise` in the book, done or not.
fn previous<'a>(exercise: &Exercise, exercises: &'a [Exercise]) -> Option<&'a Exercise> {
    let at = exercises.iter().position(|other| other.name == exercise.name)?;
    exercises.get(at.checked_sub(1)?)
}

/// A learner at work.
struct Session<'a> {
    exercises: &'a [Exercise],
    exercise: &'a Exercise,
    progress: Progress,
    keys: Keys,
    /// What is still to be said, when the screen has been cleared.
    news: String,
}

impl Session<'_> {
    /// Checks the exercise now and whenever it is saved.
    fn run(&mut self) -> Result<(), String> {
        loop {
            screen::clear();
            print!("{}", std::mem::take(&mut self.news));
            begin(self.exercise, &mut self.progress)?;
            introduce(self.exercise, self.exercises, &self.progress);
            // Before the check: what is saved while it runs is checked next.
            let looked = when_saved(self.exercise);
            self.progress.tried(&self.exercise.name)?;
            if check(self.exercise)? {
                finish(self.exercise, self.exercises, &mut self.progress)?;
            }
            println!("\n{}", indent(KEYS));
            if !self.wait(looked)? {
                return Ok(());
            }
        }
    }

    /// Does what the keys say, until there is something to check: false if the learner ends.
    fn wait(&mut self, looked: Option<SystemTime>) -> Result<bool, String> {
        loop {
            match self.keys.within(LOOK).as_deref() {
                None => {}
                Some("") => return Ok(true),
                Some("q" | "\x04") => return Ok(false),
                Some("h") => hint(self.exercise, &mut self.progress)?,
                Some("r") => {
                    let ask = |question: &str| self.keys.ask(question);
                    self.news = reset(self.exercise, &mut self.progress, ask)? + "\n";
                    return Ok(true);
                }
                Some("l") => {
                    list(self.exercises, &self.progress);
                    let name = self.keys.ask("Which one? Its number, or Enter to stay:");
                    match find(self.exercises, &name) {
                        Ok(exercise) => {
                            self.exercise = exercise;
                            return Ok(true);
                        }
                        Err(error) if !name.is_empty() => println!("{error}"),
                        Err(_) => {}
                    }
                }
                Some("n") => match next(self.exercise, self.exercises, &self.progress) {
                    Some(next) => {
                        self.exercise = next;
                        return Ok(true);
                    }
                    None => println!("\nThere is no other exercise left."),
                },
                Some("b") => match previous(self.exercise, self.exercises) {
                    Some(previous) => {
                        self.exercise = previous;
                        return Ok(true);
                    }
                    None => println!("\nThis is the first exercise."),
                },
                Some(_) => println!("\n{}", indent(KEYS)),
            }
            let saved = when_saved(self.exercise);
            // An editor may take the file away before it writes it anew.
            if saved.is_some() && saved != looked {
                return Ok(true);
            }
        }
    }
}

fn when_saved(exercise: &Exercise) -> Option<SystemTime> {
    let path = root().join(mine(&exercise.name));
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

/// The learner is at this exercise now, and has a file for it.
fn begin(exercise: &Exercise, progress: &mut Progress) -> Result<(), String> {
    copies::prepare(root(), exercise)?;
    progress.is_at(&exercise.name)
}

fn introduce(exercise: &Exercise, exercises: &[Exercise], progress: &Progress) {
    let is_done = |exercise: &&Exercise| progress.is_done(&exercise.name);
    let done = exercises.iter().filter(is_done).count();
    let bar: String =
        exercises.iter().map(|other| if is_done(&other) { '#' } else { '.' }).collect();
    println!("\n[{bar}] {done} of {} exercises are done\n", exercises.len());
    println!(
        "{}: {} (about {} minutes)",
        exercise.name, exercise.title, exercise.minutes
    );
    println!("  read  {}", exercise.page());
    println!("  write {}\n", mine(&exercise.name));
}

/// Compiles the exercise and runs its tests one after the other, up to the first that fails.
fn check(exercise: &Exercise) -> Result<bool, String> {
    let program = match patiently(|| suite::build("exercises", &exercise.name)) {
        Ok(program) => program,
        Err(error) => {
            let answer = read(&mine(&exercise.name))?;
            let why = moved::what_has_moved(&exercise.name, &answer);
            println!("{} {error}\n{}", marks().1, indent(&why));
            return Ok(false);
        }
    };
    let start = Instant::now();
    let tests = exercise.tests()?;
    if tests.is_empty() {
        return Err(format!("{} has no tests", exercise.file("check.rs")));
    }
    for (number, test) in tests.iter().enumerate() {
        let name = test.replace('_', " ");
        let arguments = ["--exact", test, "--test-threads=1"];
        let report = suite::run(&program, &arguments, &[], PATIENCE)?;
        if report.is_good() && report.passed.len() == 1 {
            println!("{} {name}", marks().0);
            continue;
        }
        println!("{} {name}\n", marks().1);
        println!("{}", indent(&explain(exercise, &report)));
        let left = tests.len() - number - 1;
        if left > 0 {
            println!("\n({left} more, when this one passes)");
        }
        return Ok(false);
    }
    println!("({:.1} s)", start.elapsed().as_secs_f64());
    Ok(true)
}

/// Says that things are being compiled, if that takes long: it does the first time.
fn patiently<T>(build: impl FnOnce() -> T) -> T {
    let (built, is_built) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if is_built.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
            println!("compiling; the first time, that takes a while ...\n");
        }
    });
    let result = build();
    drop(built);
    let _ = watch.join();
    result
}

/// What went wrong, in words, and what the answer printed.
fn explain(exercise: &Exercise, report: &suite::Report) -> String {
    let mut words = why(exercise, report);
    let printed: Vec<&str> = report.printed.trim_end().lines().collect();
    if !printed.is_empty() {
        let last = &printed[printed.len().saturating_sub(10)..];
        let lines = last.iter().map(|line| format!("\n  {line}")).collect::<String>();
        words += &format!("\n\nIt printed:\n{lines}");
    }
    words
}

fn why(exercise: &Exercise, report: &suite::Report) -> String {
    if report.hung.is_some() {
        return format!(
            "This did not end within {:.1} seconds, and was stopped. Is there a loop whose \
             condition never changes, or a wait for something that never comes? Follow one \
             turn of the loop on paper: what is different after it?",
            PATIENCE.as_secs_f64()
        );
    }
    match &report.crashed {
        Some(said) if said.starts_with("exit status") => format!(
            "Your code ended the whole program before the check had seen whether it is right \
             ({}). Does it call `exit`? A function ends with `return`.",
            said.lines().next().unwrap_or_default()
        ),
        Some(said) => format!(
            "The program was ended by the system: {said}\nDoes it call itself without end, or \
             collect without end?"
        ),
        None if !report.failed.is_empty() => report.failed[0].says.clone(),
        None => format!("{} is not a test of this check any more", exercise.name),
    }
}

/// Says that the exercise is done, and asks what its page asks afterwards.
fn finish(
    exercise: &Exercise,
    exercises: &[Exercise],
    progress: &mut Progress,
) -> Result<(), String> {
    progress.done(&exercise.name)?;
    println!("\nDone. Compare your solution with {}.", exercise.file("solution.rs"));
    println!("\nAfterwards:\n\n{}\n", indent(&unwrapped(&exercise.afterwards)));
    println!("(An answer is at the end of {}.)", exercise.page());
    if exercises.iter().all(|exercise| progress.is_done(&exercise.name)) {
        println!("\n{ALL_DONE}");
    }
    Ok(())
}

/// Asks, and lets the exercise begin anew: what has become of the learner's file.
fn reset(
    exercise: &Exercise,
    progress: &mut Progress,
    ask: impl FnOnce(&str) -> String,
) -> Result<String, String> {
    let file = mine(&exercise.name);
    let question =
        format!("Begin {} anew? What is in {file} is kept. (y/n)", exercise.name);
    if !matches!(ask(&question).as_str(), "y" | "Y" | "yes") {
        return Ok(format!("{file} stays as it is."));
    }
    let kept = copies::reset(root(), &exercise.name, &exercise.starter()?)?;
    progress.forget(&exercise.name)?;
    let kept =
        kept.map(|kept| format!("\nWhat you had is in {kept}.")).unwrap_or_default();
    Ok(format!("{file} is as it was at the beginning.{kept}"))
}

fn hint(exercise: &Exercise, progress: &mut Progress) -> Result<(), String> {
    let number = (progress.hints(&exercise.name) + 1).min(exercise.hints.len());
    let hint = exercise.hints.get(number - 1).ok_or("this exercise has no hints")?;
    println!(
        "\nHint {number} of {}:\n\n{}\n",
        exercise.hints.len(),
        indent(&unwrapped(hint))
    );
    progress.hinted(&exercise.name, number)
}

/// Checks what there is, and writes how far the learner is. An exercise is done if its check passes
/// now: a report may be made on another machine, to which only the files have come.
fn report(exercises: &[Exercise], progress: &Progress, path: &str) -> Result<(), String> {
    let report = Report::begin(path)?;
    let mut entries = vec![];
    for exercise in exercises {
        let has_file = root().join(mine(&exercise.name)).is_file();
        let done = has_file && {
            println!("\n{}", exercise.name);
            check(exercise)?
        };
        entries.push(json!({
            "exercise": exercise.name,
            "done": done,
            "attempts": progress.attempts(&exercise.name),
            "hints": progress.hints(&exercise.name),
        }));
    }
    report.write(&json!({ "version": 1, "exercises": entries }))
}

fn list(exercises: &[Exercise], progress: &Progress) {
    for (number, exercise) in (1..).zip(exercises) {
        let mark = if progress.is_done(&exercise.name) { marks().0 } else { "" };
        let at = if progress.last() == Some(exercise.name.as_str()) { ">" } else { " " };
        println!(
            "{at} {number:>2} {mark:<2} {:<18} {:>2} min  {}",
            exercise.name, exercise.minutes, exercise.title
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What answers print and how they end, in checks that are small.
    const CHECK: &str = r#"
use std::io::{Write, stdout};
fn print(text: &str) { stdout().write_all(text.as_bytes()).unwrap(); }
#[test] fn right() { print("set\n"); println!("too"); }
#[test] fn right_without_an_end_of_line() { print("set"); }
#[test] fn right_with_words_of_libtest() { print("ok\nrunning 1 test\ntest a ... FAILED\n"); }
#[test] fn right_beside_a_thread() { std::thread::spawn(|| loop { print("x") }); }
#[test] fn wrong() { print("set\n"); println!("too"); panic!("too few"); }
#[test] fn wrong_with_words_of_libtest() { print("ok\ntest result: ok. 1 passed\n"); panic!("too few"); }
#[test] fn exit_0() { print("bye\n"); std::process::exit(0); }
#[test] fn exit_3() { print("FAILED\n"); std::process::exit(3); }
#[test] fn exit_101() { std::process::exit(101); }
#[test] fn abort() { std::process::abort(); }
"#;

    #[test]
    fn an_answer_may_print_and_exit_and_its_learner_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (source, program) =
            (folder.path().join("check.rs"), folder.path().join("check"));
        fs::write(&source, CHECK).unwrap();
        let rustc = Command::new("rustc")
            .args(["--test", "--edition", "2024", "-o"])
            .args([&program, &source])
            .status();
        assert!(rustc.unwrap().success());
        let exercise = &exercises::all().unwrap()[0];
        let check = |test: &str| {
            let arguments = ["--exact", test, "--test-threads=1"];
            let report =
                suite::run(&program, &arguments, &[], Duration::from_secs(60)).unwrap();
            let passed = report.is_good() && report.passed == [test];
            (passed, explain(exercise, &report))
        };
        for test in CHECK.split("fn ").filter(|test| test.starts_with("right")) {
            let (test, _) = test.split_once('(').unwrap();
            let (passed, told) = check(test);
            assert!(passed, "{test}: {told}");
        }
        for (test, words) in [
            ("wrong", &["too few", "It printed:\n\n  set"][..]),
            ("wrong_with_words_of_libtest", &["too few", "\n  ok\n"]),
            ("exit_0", &["Your code ended", "(exit status: 0)", "It printed:\n\n  bye"]),
            ("exit_3", &["Your code ended", "(exit status: 3)"]),
            ("exit_101", &["Your code ended", "(exit status: 101)"]),
            ("abort", &["ended by the system: signal: 6"]),
        ] {
            let (passed, told) = check(test);
            assert!(!passed, "{test}");
            assert!(words.iter().all(|word| told.contains(word)), "{test}: {told}");
        }
    }

    fn progress(lines: &str) -> Progress {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), lines).unwrap();
        Progress::read(file.path())
    }

    #[test]
    fn the_next_start_goes_on_where_the_last_ended() {
        let exercises = exercises::all().unwrap();
        let at = |lines: &str, wish| {
            let place = place(&exercises, &progress(lines), wish);
            place.map_or("none", |exercise| &exercise.name)
        };
        assert_eq!(at("", Wish::Watch), exercises[0].name);
        assert_eq!(at("at 04_read_line\n", Wish::Watch), "04_read_line");
        assert_eq!(at("at 04_read_line\n", Wish::Once), "04_read_line");
        let done = "done 04_read_line\nat 04_read_line\n";
        assert_eq!(at(done, Wish::Watch), "04_read_line", "a learner may stay");
        assert_eq!(at(done, Wish::Once), "04_idle_timeout");
        let all: String =
            exercises.iter().map(|e| format!("done {}\n", e.name)).collect();
        assert_eq!(at(&all, Wish::Watch), "none");
    }

    #[test]
    fn an_exercise_is_found_by_its_name_a_part_of_it_and_its_number() {
        let exercises = exercises::all().unwrap();
        let found =
            |name| find(&exercises, name).map_or("none", |exercise| &exercise.name);
        for name in ["04_chat", "chat", "exercises/04_chat/", "exercises/my/04_chat.rs"] {
            assert_eq!(found(name), "04_chat", "{name}");
        }
        assert_eq!(found("1"), exercises[0].name);
        for name in ["", "0", "99", "04", "nothing"] {
            assert_eq!(found(name), "none", "{name:?}");
        }
        assert_eq!(previous(&exercises[0], &exercises).map(|e| &e.name), None);
        let before = previous(&exercises[3], &exercises).map(|e| &e.name);
        assert_eq!(before, Some(&exercises[2].name));
    }

    #[test]
    fn a_reset_asks_first() {
        let exercise = &exercises::all().unwrap()[0];
        for answer in ["", "n", "no", "what?"] {
            let mut progress = progress(&format!("done {}\n", exercise.name));
            let ask = |question: &str| {
                assert!(question.contains(&exercise.name), "{question}");
                answer.to_string()
            };
            reset(exercise, &mut progress, ask).unwrap();
            assert!(progress.is_done(&exercise.name), "{answer:?} is not yes");
        }
    }

    /// Who has finished an exercise is asked what its page asks, without the answer.
    #[test]
    fn every_page_asks_something_afterwards() {
        for exercise in exercises::all().unwrap() {
            let asks = &exercise.afterwards;
            assert!(
                asks.contains('?') && !asks.contains('<'),
                "{}: {asks}",
                exercise.name
            );
        }
    }
}
