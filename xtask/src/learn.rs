//! `cargo xtask learn`: shows how far a learner is, and checks the next exercise.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::exercises::{self, Exercise};
use crate::suite;
use crate::{read, root};

/// Where the learner's progress is: a line for each exercise that was done, and for each hint.
const PROGRESS: &str = "exercises/progress.txt";

/// One test of a check takes less than a second, and up to three if it waits in vain. So a check
/// takes less than five, also if a loop does not end.
const PATIENCE: Duration = Duration::from_millis(4500);

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(300);

const HELP: &str = "\
Shows how far you are, and checks the next exercise whenever you save it.

Usage: cargo xtask learn [NAME] [OPTIONS]

  NAME            this exercise, not the next one that is not done
  --once          check once, and end: status 0 if the check passes
  --list          all exercises, and which of them are done
  --hint          the next hint
  --starter       shows the exercise as it was at the beginning
  --reset         the exercise as it was at the beginning; your work on it is lost
  --help          print this and exit
";

const KEYS: &str = "Save the file, and it is checked again. Or type a letter and Enter:\n\
h for a hint, l for the list, n for the next one, q to end.";

/// What an answer may say that was written for the library as it was before, and what that is
/// called now.
const MOVED: [(&str, &str); 12] = [
    ("bricks::event", "bricks::scheduler::event"),
    ("bricks::task", "bricks::scheduler::task"),
    ("bricks::ready", "bricks::scheduler::ready"),
    ("bricks::timers", "bricks::scheduler::timers"),
    (
        "bricks::lines",
        "bricks::scheduler::lines, where the end is an empty line, not None",
    ),
    ("bricks::poller", "bricks::scheduler::poller, bricks::net::{Direction, Readiness}"),
    ("bricks::poller::Select", "bricks::select::Select"),
    ("io::Result<Watch>", "io::Result<()>; a `Poller` reports once what it watches"),
    ("bricks::buffer", "a Buffer is a Vec<u8>"),
    ("Data::Connected(client)", "Data::Connected(client, addr)"),
    ("Scheduler::new(poller)", "Scheduler::new(poller, None)"),
    (
        "-> Option<(Task, Data)>",
        "nothing is returned: the task goes onto the ready queue",
    ),
];

/// After so long, the learner is told what is going on.
const SILENCE: Duration = Duration::from_secs(2);

/// What is to be done.
#[derive(PartialEq)]
enum Wish {
    Watch,
    Once,
    List,
    Hint,
    Starter,
    Reset,
}

pub fn learn(arguments: &[&str]) -> Result<(), String> {
    let mut wish = Wish::Watch;
    let mut name = None;
    for &argument in arguments {
        match argument {
            "--once" => wish = Wish::Once,
            "--list" => wish = Wish::List,
            "--hint" => wish = Wish::Hint,
            "--starter" => wish = Wish::Starter,
            "--reset" => wish = Wish::Reset,
            "--help" | "-h" => {
                print!("{HELP}");
                return Ok(());
            }
            other if other.starts_with('-') || name.is_some() => {
                return Err(format!("{other:?} is not understood\n\n{HELP}"));
            }
            other => name = Some(other),
        }
    }
    let exercises = exercises::all()?;
    let mut progress = Progress::read();
    if wish == Wish::List {
        list(&exercises, &progress);
        return Ok(());
    }
    let exercise = match name {
        None => exercises.iter().find(|exercise| !progress.is_done(exercise)),
        Some(name) => Some(find(&exercises, name)?),
    };
    let Some(exercise) = exercise else {
        list(&exercises, &progress);
        println!(
            "\nAll exercises are done. The last one is your own: a server that passes"
        );
        println!("`cargo xtask judge` (chapters/exercises/judge.md).");
        return Ok(());
    };
    match wish {
        Wish::Once => {
            introduce(exercise, &exercises, &progress);
            match check(exercise)? {
                true => finish(exercise, &mut progress),
                false => Err(format!("{} is not done yet", exercise.name)),
            }
        }
        Wish::Hint => hint(exercise, &mut progress),
        Wish::Starter => {
            print!("{}", exercise.starter()?);
            Ok(())
        }
        Wish::Reset => {
            let file = exercise.file("exercise.rs");
            let starter = exercise.starter()?;
            fs::write(root().join(&file), starter).map_err(|e| format!("{file}: {e}"))?;
            println!("{file} is as it was at the beginning.");
            progress.forget(exercise)
        }
        _ => watch(exercise, &exercises, progress),
    }
}

/// The exercise of this name, or with this in its name.
fn find<'a>(exercises: &'a [Exercise], name: &str) -> Result<&'a Exercise, String> {
    let name = name.trim_end_matches('/').trim_start_matches("exercises/");
    let exact = exercises.iter().find(|exercise| exercise.name == name);
    let mut alike = exercises.iter().filter(|exercise| exercise.name.contains(name));
    match (exact, alike.next(), alike.next()) {
        (Some(exercise), ..) | (None, Some(exercise), None) => Ok(exercise),
        _ => Err(format!("which exercise is {name:?}? `cargo xtask learn --list`")),
    }
}

/// Checks an exercise now and whenever it is saved, and goes on to the next when it is done.
fn watch<'a>(
    mut exercise: &'a Exercise,
    exercises: &'a [Exercise],
    mut progress: Progress,
) -> Result<(), String> {
    let typed = typed_lines();
    introduce(exercise, exercises, &progress);
    loop {
        // Before the check: what is saved while it runs is checked next.
        let mut looked = when_saved(exercise);
        if check(exercise)? {
            finish(exercise, &mut progress)?;
            let Some(next) = next(exercise, exercises, &progress) else {
                println!("\nThere is no other exercise left.");
                return Ok(());
            };
            exercise = next;
            introduce(exercise, exercises, &progress);
            looked = when_saved(exercise);
        }
        println!("\n{KEYS}");
        loop {
            match typed.recv_timeout(LOOK) {
                Ok(key) => match key.trim() {
                    "h" => hint(exercise, &mut progress)?,
                    "l" => list(exercises, &progress),
                    "q" => return Ok(()),
                    "n" => {
                        if let Some(next) = next(exercise, exercises, &progress) {
                            exercise = next;
                            introduce(exercise, exercises, &progress);
                            break;
                        }
                    }
                    "" => break,
                    _ => println!("{KEYS}"),
                },
                Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if when_saved(exercise) != looked {
                break;
            }
        }
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
        .find(|other| !progress.is_done(other) && other.name != exercise.name)
}

fn typed_lines() -> Receiver<String> {
    let (line, lines) = mpsc::channel();
    thread::spawn(move || {
        for text in io::stdin().lock().lines().map_while(Result::ok) {
            if line.send(text).is_err() {
                break;
            }
        }
    });
    lines
}

fn when_saved(exercise: &Exercise) -> Option<SystemTime> {
    let path = root().join(exercise.file("exercise.rs"));
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn introduce(exercise: &Exercise, exercises: &[Exercise], progress: &Progress) {
    let done = exercises.iter().filter(|exercise| progress.is_done(exercise)).count();
    let bar: String = exercises
        .iter()
        .map(|other| if progress.is_done(other) { '#' } else { '.' })
        .collect();
    println!("\n[{bar}] {done} of {} exercises are done\n", exercises.len());
    println!(
        "{}: {} (about {} minutes)",
        exercise.name, exercise.title, exercise.minutes
    );
    println!("  read  {}", exercise.page());
    println!("  write {}\n", exercise.file("exercise.rs"));
}

/// Compiles the exercise and runs its tests one after the other, up to the first that fails.
fn check(exercise: &Exercise) -> Result<bool, String> {
    let program = match patiently(|| suite::build("exercises", &exercise.name)) {
        Ok(program) => program,
        Err(error) => {
            let answer = read(&exercise.file("exercise.rs"))?;
            let why = what_has_moved(&exercise.name, &answer);
            println!("{} {error}\n{}", marks().1, indent(&why));
            return Ok(false);
        }
    };
    let start = Instant::now();
    let tests = exercise.tests()?;
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

/// Why an answer does not compile that was written for the library as it was before. No words
/// at all if it was not.
fn what_has_moved(exercise: &str, answer: &str) -> String {
    let moved = MOVED.iter().filter(|(before, _)| answer.contains(before));
    let moved: Vec<String> =
        moved.map(|(before, now)| format!("  {before} -> {now}")).collect();
    if moved.is_empty() {
        return String::new();
    }
    format!(
        "\nThis was written for an earlier version of the library, and some of what it uses has \
         moved. Your answer is kept. Write what stands on the right:\n\n{}\n\n\
         To see the exercise as it begins today: cargo xtask learn {exercise} --starter",
        moved.join("\n")
    )
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

/// What went wrong, in words.
fn explain(exercise: &Exercise, report: &suite::Report) -> String {
    if let Some(failure) = report.failed.first() {
        return failure.says.clone();
    }
    if report.hung.is_some() {
        return format!(
            "This did not end within {:.1} seconds, and was stopped. Is there a loop whose \
             condition never changes, or a wait for something that never comes? Follow one \
             turn of the loop on paper: what is different after it?",
            PATIENCE.as_secs_f64()
        );
    }
    match &report.crashed {
        Some(said) => format!(
            "The program was ended by the system: {said}\nDoes it call itself without end, or \
             collect without end?"
        ),
        None => format!("{} is not a test of this check any more", exercise.name),
    }
}

fn indent(text: &str) -> String {
    let text = if speaks_utf8() { text.to_string() } else { in_ascii(text) };
    let lines = text.lines().flat_map(|line| match line.starts_with(' ') {
        true => vec![line.to_string()],
        false => wrap(line),
    });
    lines.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// What stands before what is right, and before what is not.
fn marks() -> (&'static str, &'static str) {
    if speaks_utf8() { ("✓", "✗") } else { ("ok", "NO") }
}

/// Whether the terminal's language has more letters than ASCII, as far as the environment says.
fn speaks_utf8() -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let set = names.iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    locale.to_lowercase().replace('-', "").ends_with("utf8")
}

/// In signs that every terminal has.
fn in_ascii(text: &str) -> String {
    let replace = |sign| match sign {
        '“' | '”' => '"',
        '’' | '‘' => '\'',
        '–' | '—' => '-',
        other => other,
    };
    text.chars().map(replace).collect::<String>().replace('…', "...").replace('×', "x")
}

/// A paragraph's lines in one: those of the page are longer than ours.
fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Lines of up to 84 characters.
fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 84 {
            lines.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn finish(exercise: &Exercise, progress: &mut Progress) -> Result<(), String> {
    progress.done(exercise)?;
    println!("\nDone. The page has questions for afterwards, and your solution can be");
    println!("compared with {}.", exercise.file("solution.rs"));
    Ok(())
}

fn hint(exercise: &Exercise, progress: &mut Progress) -> Result<(), String> {
    let number = (progress.hints(exercise) + 1).min(exercise.hints.len());
    let hint = exercise.hints.get(number - 1).ok_or("this exercise has no hints")?;
    println!(
        "\nHint {number} of {}:\n\n{}\n",
        exercise.hints.len(),
        indent(&unwrapped(hint))
    );
    progress.hinted(exercise, number)
}

fn list(exercises: &[Exercise], progress: &Progress) {
    for exercise in exercises {
        let mark = if progress.is_done(exercise) { marks().0 } else { "" };
        println!(
            "{mark:<2} {:<18} {:>2} min  {}",
            exercise.name, exercise.minutes, exercise.title
        );
    }
}

/// What has been done, and how many hints were asked for.
struct Progress(BTreeMap<String, (bool, usize)>);

impl Progress {
    /// A line that is not understood is left out: the file is the learner's.
    fn read() -> Progress {
        let text = read(PROGRESS).unwrap_or_default();
        let mut progress = Progress(BTreeMap::new());
        for line in text.lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["done", name] => progress.entry(name).0 = true,
                ["hint", name, number] => {
                    progress.entry(name).1 = number.parse().unwrap_or_default();
                }
                _ => {}
            }
        }
        progress
    }

    fn entry(&mut self, name: &str) -> &mut (bool, usize) {
        self.0.entry(name.to_string()).or_default()
    }

    fn is_done(&self, exercise: &Exercise) -> bool {
        self.0.get(&exercise.name).is_some_and(|(done, _)| *done)
    }

    fn hints(&self, exercise: &Exercise) -> usize {
        self.0.get(&exercise.name).map_or(0, |(_, hints)| *hints)
    }

    fn done(&mut self, exercise: &Exercise) -> Result<(), String> {
        self.entry(&exercise.name).0 = true;
        self.write()
    }

    fn hinted(&mut self, exercise: &Exercise, number: usize) -> Result<(), String> {
        self.entry(&exercise.name).1 = number;
        self.write()
    }

    fn forget(&mut self, exercise: &Exercise) -> Result<(), String> {
        self.0.remove(&exercise.name);
        self.write()
    }

    fn write(&self) -> Result<(), String> {
        let mut text =
            String::from("Your progress; `cargo xtask learn` reads and writes it.\n\n");
        for (name, (done, hints)) in &self.0 {
            if *done {
                text += &format!("done {name}\n");
            }
            if *hints > 0 {
                text += &format!("hint {name} {hints}\n");
            }
        }
        fs::write(root().join(Path::new(PROGRESS)), text)
            .map_err(|e| format!("{PROGRESS}: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{in_ascii, what_has_moved, wrap};
    use crate::exercises;

    #[test]
    fn hints_can_be_read_in_every_terminal() {
        assert_eq!(in_ascii("“who’s 1, 2, …” – 2 × 3"), "\"who's 1, 2, ...\" - 2 x 3");
        for exercise in exercises::all().unwrap() {
            for hint in &exercise.hints {
                assert!(in_ascii(hint).is_ascii(), "{}: {hint}", exercise.name);
            }
        }
    }

    #[test]
    fn an_answer_for_the_library_as_it_was_is_told_what_has_moved() {
        let answer = "use bricks::event::Data;\nuse bricks::poller::Select;\n\
             match data { Data::Connected(client) => {} }";
        let told = what_has_moved("04_chat", answer);
        for words in [
            "Your answer is kept",
            "bricks::event -> bricks::scheduler::event",
            "bricks::poller::Select -> bricks::select::Select",
            "Data::Connected(client) -> Data::Connected(client, addr)",
            "cargo xtask learn 04_chat --starter",
        ] {
            assert!(told.contains(words), "{words:?} in {told}");
        }
        assert!(!told.contains("bricks::task"), "it does not use that: {told}");
    }

    /// Nothing has moved for those who begin today, nor does an answer use what is gone.
    #[test]
    fn an_answer_of_today_is_told_nothing() {
        for exercise in exercises::all().unwrap() {
            let solution = crate::read(&exercise.file("solution.rs")).unwrap();
            assert_eq!(
                what_has_moved(&exercise.name, &solution),
                "",
                "{}",
                exercise.name
            );
        }
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let text = "word ".repeat(40);
        assert!(wrap(&text).iter().all(|line| line.len() <= 84));
        assert_eq!(wrap(&text).join(" "), text.trim_end());
    }
}
