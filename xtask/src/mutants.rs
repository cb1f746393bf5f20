//! `cargo xtask mutants`: cargo-mutants changes the code, one small change at a time, and runs the
//! tests that should notice it. What no test has noticed is compared with `tests/mutants.txt`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::time::Instant;

use crate::{place, read};

/// The changes that no test has noticed, each with the reason.
const LIST: &str = "tests/mutants.txt";

/// Of a hundred changes, tests may miss so many.
const MISSED_PERCENT: f64 = 3.0;

/// Files whose names begin so, and the package and the tests that have to notice a change of them.
/// They take a few seconds, so the exploration is not among them.
const ROOMS: [(&str, &[&str]); 4] = [
    ("src/scheduler/", &["bricks-in-memory", "--lib", "--test=heart"]),
    ("src/select", &["async-from-bricks", "--lib", "--test=select"]),
    ("src/epoll", &["async-from-bricks", "--lib", "--test=epoll"]),
    ("src/executor/", &["async-from-bricks", "--lib", "--test=executor"]),
];

/// For cargo-mutants, the files of the heart lie here: `bricks-in-memory` includes them so.
const DETOUR: &str = "memory/src/../../";

/// What is known of a file: the changes that no test notices.
#[derive(Debug, Default, PartialEq)]
struct Listed {
    /// They change nothing that could be noticed.
    equal: Vec<String>,
    /// A test could notice them.
    missed: Vec<String>,
}

/// What has been found out about a file.
#[derive(Debug, Default, PartialEq)]
struct Found {
    noticed: usize,
    /// The changes that no test has noticed.
    unnoticed: Vec<String>,
    /// How many changes do not compile.
    uncompiled: usize,
}

/// `cargo xtask mutants [FILE...]`: of all files, or of those whose names begin so.
pub fn mutants(names: &[&str]) -> Result<(), String> {
    let start = Instant::now();
    let listed = parse(&read(LIST)?)?;
    let all = files()?;
    let chosen = |file: &&String| {
        names.is_empty() || names.iter().any(|name| file.starts_with(name))
    };
    let chosen: BTreeSet<&String> = all.iter().filter(chosen).collect();
    if chosen.is_empty() {
        return Err(format!("none of these is changed: {}", all.join(" ")));
    }
    let mut found = BTreeMap::new();
    for (begin, tests) in ROOMS {
        let files = chosen.iter().filter(|file| file.starts_with(begin));
        let files: Vec<&str> = files.map(|file| file.as_str()).collect();
        if !files.is_empty() {
            found.extend(change(&files, &all, tests)?);
        }
    }
    let untried = all.iter().filter(|file| !listed.contains_key(*file));
    let untried: Vec<_> = untried.filter(|file| !chosen.contains(file)).collect();
    if !untried.is_empty() {
        println!("\nnot tried so far: {untried:?}");
    }
    println!("\nit took {:.0?}", start.elapsed());
    judge(&found, &listed)
}

/// The files that the configuration names, in `.cargo/mutants.toml`.
fn files() -> Result<Vec<String>, String> {
    let output = place::cargo().args(["mutants", "--list-files"]).output();
    let output = output.map_err(|error| format!("cargo mutants: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "{why}if there is no cargo-mutants: cargo install cargo-mutants --locked"
        ));
    }
    let mut files: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect();
    files.sort();
    Ok(files)
}

/// Makes each change of these files in a copy of the repository, and runs the tests.
fn change(
    files: &[&str],
    all: &[String],
    tests: &[&str],
) -> Result<BTreeMap<String, Found>, String> {
    println!("\nxtask: cargo mutants, {} against {}", files.join(" "), tests.join(" "));
    let output = place::target().join("xtask-mutants");
    // What an earlier run has found is not what this one finds.
    let _ = fs::remove_dir_all(output.join("mutants.out"));
    fs::create_dir_all(&output).map_err(|e| format!("{}: {e}", output.display()))?;
    let mut cargo: Command = place::cargo();
    // For cargo, the same package in two copies is one. Where both built, it would not notice that
    // a file of the copy has been changed.
    cargo.env("CARGO_TARGET_DIR", output.join("target"));
    // That a random test has failed is enough. To look for its smallest failure takes long.
    cargo.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    cargo.arg("mutants").arg("--output").arg(&output);
    for other in all.iter().filter(|file| !files.contains(&file.as_str())) {
        cargo.args(["--exclude", &format!("**/{other}")]);
    }
    // The package whose tests these are is also the one whose files are changed: first of all, the
    // unchanged code of that package has to pass them.
    cargo.args(["--package", tests[0]]);
    cargo.args(tests[1..].iter().map(|argument| format!("--cargo-arg={argument}")));
    let status = cargo.args(["--", "--", "--skip", "explore"]).status();
    let status = status.map_err(|error| format!("cargo mutants: {error}"))?;
    // 2: tests have missed a change; 3: a change has made them wait for ever.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err("cargo mutants has not come to its end".into());
    }
    let outcomes = |name| {
        let file = output.join("mutants.out").join(name);
        fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))
    };
    let mut found: BTreeMap<_, _> =
        files.iter().map(|file| (file.to_string(), Found::default())).collect();
    for file in ["caught.txt", "timeout.txt"] {
        count(&outcomes(file)?, &mut found, |it, _| it.noticed += 1);
    }
    count(&outcomes("missed.txt")?, &mut found, |it, name| it.unnoticed.push(name));
    count(&outcomes("unviable.txt")?, &mut found, |it, _| it.uncompiled += 1);
    Ok(found)
}

/// Each line names a change: its file, line and column, and what it is. Lines and columns move when
/// something else changes, so they are left out.
fn count(
    lines: &str,
    found: &mut BTreeMap<String, Found>,
    mut one: impl FnMut(&mut Found, String),
) {
    for (place, name) in lines.lines().filter_map(|line| line.split_once(": ")) {
        let file = place.split(':').next().unwrap_or(place);
        let file = file.strip_prefix(DETOUR).unwrap_or(file);
        one(found.entry(file.to_string()).or_default(), name.to_string());
    }
}

/// Reads the list: the name of a file, under it its changes that no test notices, and under each of
/// them the reason.
fn parse(list: &str) -> Result<BTreeMap<String, Listed>, String> {
    let mut files: BTreeMap<String, Listed> = BTreeMap::new();
    let mut file = None;
    let mut lines = list.lines().peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            file = Some(files.entry(line.to_string()).or_default());
            continue;
        }
        let wrong = |why| format!("{LIST}: {line:?} {why}");
        let file = file.as_mut().ok_or_else(|| wrong("belongs to no file"))?;
        let (kind, name) = line.trim().split_once(": ").unwrap_or_default();
        match kind {
            "equal" => file.equal.push(name.to_string()),
            "missed" => file.missed.push(name.to_string()),
            _ => return Err(wrong("begins neither with \"equal: \" nor \"missed: \"")),
        }
        let mut reasons = 0;
        while lines.next_if(|line| line.starts_with("    ")).is_some() {
            reasons += 1;
        }
        if reasons == 0 {
            return Err(wrong("has no reason"));
        }
    }
    Ok(files)
}

/// Takes out of `these` what is in `others`, each as often as it is there.
fn without(these: &[String], others: &[String]) -> Vec<String> {
    let mut left = these.to_vec();
    for other in others {
        if let Some(at) = left.iter().position(|it| it == other) {
            left.remove(at);
        }
    }
    left
}

/// Compares what has been found with what is listed, and says how much the tests miss.
fn judge(
    found: &BTreeMap<String, Found>,
    listed: &BTreeMap<String, Listed>,
) -> Result<(), String> {
    let (mut noticed, mut missed, mut wrong) = (0, 0, vec![]);
    let nothing = Listed::default();
    for (file, it) in found {
        let known = listed.get(file).unwrap_or(&nothing);
        if !listed.contains_key(file) {
            wrong.push(format!("{file} is not listed: it has not been tried before"));
        }
        let both = [&known.equal[..], &known.missed[..]].concat();
        for name in without(&it.unnoticed, &both) {
            wrong.push(format!("{file}: no test notices {name:?}, which is not listed"));
        }
        for name in without(&both, &it.unnoticed) {
            wrong.push(format!("{file}: {name:?} is listed, but is not missed any more"));
        }
        let these = without(&it.unnoticed, &known.equal).len();
        println!(
            "{file}: {} noticed, {these} missed, {} equal, {} do not compile",
            it.noticed,
            it.unnoticed.len() - these,
            it.uncompiled
        );
        (noticed, missed) = (noticed + it.noticed, missed + these);
    }
    let percent = 100.0 * missed as f64 / (noticed + missed).max(1) as f64;
    println!("missed: {missed} of {} ({percent:.1} %)", noticed + missed);
    if percent > MISSED_PERCENT {
        wrong.push(format!("more than {MISSED_PERCENT} % are missed"));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{LIST} is to be changed, or tests are to be added:\n{}",
            wrong.join("\n")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root;

    const TWO: &str = "\
# A list.
src/one.rs

src/two.rs
  equal: replace | with ^
    The two have no bit in common.
  missed: replace + with - in two
    It would take
    too long.
";

    fn found(noticed: usize, unnoticed: &[&str]) -> BTreeMap<String, Found> {
        let unnoticed = unnoticed.iter().map(|name| name.to_string()).collect();
        let found = Found { noticed, unnoticed, uncompiled: 0 };
        BTreeMap::from([("src/two.rs".to_string(), found)])
    }

    #[test]
    fn the_list_can_be_read_and_names_files() {
        for file in parse(&read(LIST).unwrap()).unwrap().keys() {
            assert!(root().join(file).is_file(), "there is no {file}");
        }
        let files = parse(TWO).unwrap();
        assert_eq!(files["src/one.rs"], Listed::default());
        assert_eq!(files["src/two.rs"].equal, ["replace | with ^"]);
        assert_eq!(files["src/two.rs"].missed, ["replace + with - in two"]);
    }

    #[test]
    fn a_list_without_reasons_is_wrong() {
        let list = "src/two.rs\n  equal: replace | with ^\nsrc/one.rs\n";
        assert!(parse(list).unwrap_err().contains("has no reason"));
        assert!(parse("src/two.rs\n  replace | with ^\n").is_err());
        assert!(parse("  equal: replace | with ^\n    so\n").is_err());
    }

    #[test]
    fn a_change_is_known_wherever_it_stands() {
        let mut found = found(0, &[]);
        let lines = "src/two.rs:27:35: replace | with ^\n\
                     memory/src/../../src/two.rs:9:1: a: b\n";
        count(lines, &mut found, |it, name| it.unnoticed.push(name));
        assert_eq!(found["src/two.rs"].unnoticed, ["replace | with ^", "a: b"]);
    }

    #[test]
    fn what_is_missed_is_compared_with_the_list() {
        let listed = parse(TWO).unwrap();
        let both = ["replace | with ^", "replace + with - in two"];
        assert_eq!(judge(&found(40, &both), &listed), Ok(()));
        let few = judge(&found(20, &both), &listed).unwrap_err();
        assert!(few.contains("more than 3 %"), "{few}");
        let gone = judge(&found(40, &both[..1]), &listed).unwrap_err();
        assert!(gone.contains("is not missed any more"), "{gone}");
        let twice = judge(&found(90, &[both[0], both[0], both[1]]), &listed).unwrap_err();
        assert!(twice.contains("which is not listed"), "{twice}");
        let new = judge(&found(40, &[]), &BTreeMap::new()).unwrap_err();
        assert!(new.contains("it has not been tried before"), "{new}");
    }
}
