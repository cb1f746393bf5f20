//! A learner at work, in a copy of the repository: what a check looks at, and what `learn` makes of
//! keys, of answers that print, and of work that is in the starter's place.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

const MINE: &str = "exercises/my/03_fd_set.rs";
const STARTER: &str = "exercises/03_fd_set/exercise.rs";

/// One copy is enough: the tests have it one after the other.
static COPY: Mutex<()> = Mutex::new(());

/// A copy of what cargo needs, in a folder that stays: what has not changed is not compiled again.
fn copy() -> (PathBuf, MutexGuard<'static, ()>) {
    let turn = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("learner");
    for folder in ["chapters", "tests/behaviour"] {
        fs::create_dir_all(copy.join(folder)).expect("a folder of the copy");
    }
    for part in [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "exercises",
        "bench",
        "clients",
        "loom",
        "live",
        "memory",
        "playback",
        "tests/behaviour/foreign.rs",
        "xtask",
        "chapters/SUMMARY.md",
        "chapters/exercises",
    ] {
        refresh(&root.join(part), &copy.join(part));
    }
    let mine =
        fs::read_dir(copy.join("exercises/my")).expect("a folder of the repository");
    for answer in mine.map(|entry| entry.expect("a file").path()) {
        if answer.extension().is_some_and(|end| end == "rs") {
            fs::remove_file(answer).expect("a file of the copy");
        }
    }
    (copy, turn)
}

fn refresh(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder of the copy");
        for entry in fs::read_dir(from).expect("a folder of the repository") {
            let name = entry.expect("a file").file_name();
            refresh(&from.join(&name), &to.join(&name));
        }
    } else if let Ok(new) = fs::read(from)
        && fs::read(to).ok().as_ref() != Some(&new)
    {
        fs::write(to, new).expect("a file of the copy");
    }
}

/// What cargo and the check say.
fn check(copy: &Path, environment: &[(&str, &str)]) -> String {
    let output = Command::new("cargo")
        .args(["test", "--quiet", "--package", "exercises", "--test", "03_fd_set"])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .envs(environment.iter().copied())
        .output()
        .expect("cargo");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_check_looks_at_the_learners_file_while_there_is_one() {
    let (copy, _turn) = copy();
    let said = check(&copy, &[]);
    assert!(
        said.contains("still to do") || said.contains("not yet implemented"),
        "{said}"
    );

    let starter = fs::read_to_string(copy.join(STARTER)).unwrap();
    let answer = starter.replace("todo!(", "panic!(\"mine: {}\", ");
    fs::write(copy.join(MINE), &answer).unwrap();
    let said = check(&copy, &[]);
    assert!(said.contains("mine: ") && !said.contains("not yet"), "{said}");

    fs::write(copy.join(MINE), answer.replace("mine: ", "saved: ")).unwrap();
    assert!(check(&copy, &[]).contains("saved: "), "what is saved is checked");

    // What a class has committed, right or not, is not part of `cargo xtask check`.
    let said = check(&copy, &[("STARTERS_ONLY", "1")]);
    assert!(said.contains("not yet implemented"), "{said}");
    assert!(check(&copy, &[]).contains("saved: "), "and is there again");

    fs::remove_file(copy.join(MINE)).unwrap();
    assert!(
        check(&copy, &[]).contains("not yet implemented"),
        "it begins with the starter"
    );
}

/// Whether `learn` succeeds when these lines are typed, and what it says.
fn learn(copy: &Path, arguments: &[&str], typed: &str) -> (bool, String) {
    let mut learn = Command::new("cargo")
        .args(["run", "--quiet", "--package", "xtask", "learn"])
        .args(arguments)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cargo");
    let mut input = learn.stdin.take().expect("piped");
    input.write_all(typed.as_bytes()).expect("learn reads what is typed");
    drop(input);
    let output = learn.wait_with_output().expect("learn ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The words are in the text, one behind the other.
#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let Some((_, after)) = rest.split_once(word) else {
            panic!("no {word:?}, at its place, in:\n{text}")
        };
        rest = after;
    }
}

#[test]
fn learn_goes_on_where_it_ended_and_loses_nothing() {
    let (copy, _turn) = copy();
    let read = |file: &str| fs::read_to_string(copy.join(file)).unwrap_or_default();
    let starter = read(STARTER);
    let work = starter.replace("todo!(", "panic!(\"mine: {}\", ");
    fs::write(copy.join(STARTER), &work).unwrap();
    let (good, said) = learn(&copy, &["03_fd_set", "--once"], "");
    assert!(!good);
    assert!(said.contains("is now in exercises/my/03_fd_set.rs"), "{said}");
    assert!(said.contains("mine: "), "{said}");
    assert_eq!((read(STARTER), read(MINE)), (starter.clone(), work.clone()));

    // The previous one, then the fifth of the list, which begins anew.
    let (good, said) = learn(&copy, &[], "h\nb\nl\n5\nr\nn\nr\ny\nq\n");
    assert!(good, "{said}");
    let kept = "exercises/my/03_fd_set.kept-1.rs";
    let words = [
        "03_fd_set: ",
        "mine: ",
        "Hint 1 of 3",
        "02_thread_limit: ",
        "still to do",
        ">  4",
        "03_fd_set: ",
        "mine: ",
        "Begin 03_fd_set anew?",
        "stays as it is",
        "mine: ",
        "Begin 03_fd_set anew?",
        kept,
        "still to do",
    ];
    in_order(&said, &words);
    assert_eq!((read(MINE), read(kept)), (starter.clone(), work.clone()));

    fs::write(copy.join(MINE), &work).unwrap();
    let (good, said) = learn(&copy, &["--reset"], "\n");
    assert!(!good && said.contains("You were at 03_fd_set"), "{said}");
    assert_eq!(read(MINE), work, "nobody has said what is to begin anew");
}

#[test]
fn a_right_answer_that_logs_is_done_and_can_be_stayed_at() {
    let (copy, _turn) = copy();
    let solution =
        fs::read_to_string(copy.join("exercises/03_fd_set/solution.rs")).unwrap();
    let with = |line: &str| {
        let text = solution.replace("// ANSWER: ", &format!("{line} // "));
        fs::write(copy.join(MINE), text).unwrap();
    };
    with("std::process::exit(0);");
    let (good, said) = learn(&copy, &["03_fd_set", "--once"], "");
    assert!(!good && said.contains("Your code ended the whole program"), "{said}");

    let raw = "let _ = std::io::Write::write_all(&mut io::stdout(), b\"set\");";
    for line in ["bricks::log::say(\"set\");", raw] {
        with(line);
        let (good, said) = learn(&copy, &["03_fd_set", "--once"], "");
        assert!(good, "{line}: {said}");
        in_order(&said, &["Done.", "Afterwards:", "`descriptors` may look at all"]);
    }
    let (good, said) = learn(&copy, &[], "q\n");
    assert!(good, "{said}");
    in_order(
        &said,
        &["] 1 of ", " exercises are done", "03_fd_set: ", "Done.", "Afterwards:"],
    );
    assert!(!said.contains("03_connection: "), "it does not go on by itself: {said}");

    // A teacher who has only the files sees what passes now.
    assert_eq!(reported(&copy), ["03_fd_set"]);
    with("std::process::exit(0);");
    assert_eq!(reported(&copy), [""; 0]);
}

/// The exercises that are done, as the report says. Each that was tried has its attempts in it.
fn reported(copy: &Path) -> Vec<String> {
    let file = copy.join("report.json");
    let (good, said) = learn(copy, &["--report", file.to_str().unwrap()], "");
    assert!(good, "{said}");
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let entries = report["exercises"].as_array().expect("a list");
    let folders = fs::read_dir(copy.join("exercises")).unwrap();
    let paths = folders.map(|entry| entry.unwrap().path().join("solution.rs"));
    let all = paths.filter(|path| path.is_file()).count();
    assert_eq!(entries.len(), all, "{report:#}");
    let tried = entries.iter().find(|entry| entry["exercise"] == "03_fd_set").unwrap();
    assert!(tried["attempts"].as_u64() >= Some(4), "{tried}");
    assert!(tried["hints"].is_u64(), "{tried}");
    let done = entries.iter().filter(|entry| entry["done"] == true);
    done.map(|entry| entry["exercise"].as_str().unwrap().to_string()).collect()
}
