//! The exercises: what they consist of, and the proof that their checks tell right from wrong.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::suite::{self, Failure, Report};
use crate::{answers, place, read, root};

const SUMMARY: &str = "chapters/SUMMARY.md";

/// No check takes so long, right or wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// An exercise: a folder in `exercises/`, and a page of the book.
pub struct Exercise {
    /// The name of both.
    pub name: String,
    pub title: String,
    pub minutes: String,
    /// What its page folds away, step by step.
    pub hints: Vec<String>,
    /// What its page asks who has done it: the answer, which is folded away, is not in it.
    pub afterwards: String,
}

/// All of them, in the order of the book.
pub fn all() -> Result<Vec<Exercise>, String> {
    let summary = read(SUMMARY)?;
    let names = summary.lines().filter_map(|line| {
        let name = line.split_once("(exercises/")?.1.split_once(".md)")?.0;
        root().join("exercises").join(name).is_dir().then_some(name)
    });
    names.map(Exercise::new).collect()
}

impl Exercise {
    fn new(name: &str) -> Result<Exercise, String> {
        let page = format!("chapters/exercises/{name}.md");
        let text = read(&page)?;
        let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let minutes = text.lines().find_map(|line| {
            let (minutes, _) = line.strip_prefix('*')?.split_once(" minutes. Before:")?;
            minutes.parse::<u32>().ok()
        });
        let (Some(title), Some(minutes)) = (title, minutes) else {
            return Err(format!("{page}: no title, or no minutes below it"));
        };
        let hints = text.split("<summary>Hint ").skip(1).filter_map(|part| {
            let (hint, _) = part.split_once("</summary>")?.1.split_once("</details>")?;
            Some(hint.trim().to_string())
        });
        let afterwards =
            text.split_once("\n## Afterwards\n").map_or("", |(_, after)| after);
        let afterwards = afterwards.split("<details>").next().unwrap_or_default();
        Ok(Exercise {
            name: name.to_string(),
            title: title.to_string(),
            minutes: minutes.to_string(),
            hints: hints.collect(),
            afterwards: afterwards.trim().to_string(),
        })
    }

    /// A file of it, from the repository's root.
    pub fn file(&self, file: &str) -> String {
        format!("exercises/{}/{file}", self.name)
    }

    pub fn page(&self) -> String {
        format!("chapters/exercises/{}.md", self.name)
    }

    /// What the learner begins with.
    pub fn starter(&self) -> Result<String, String> {
        Ok(answers::starter(&read(&self.file("solution.rs"))?))
    }

    /// Its tests, in the order in which they stand in the check: the simple ones first.
    pub fn tests(&self) -> Result<Vec<String>, String> {
        let file = self.file("check.rs");
        match tests_in(&read(&file)?) {
            tests if tests.is_empty() => {
                Err(format!("{file} has no tests: nothing is checked"))
            }
            tests => Ok(tests),
        }
    }

    /// The file names, without their ends, of what is wrong in a way that tempts.
    fn wrong(&self) -> Result<Vec<String>, String> {
        let folder = self.file("wrong");
        let paths = answers::sources(&root().join(&folder));
        let paths = paths.map_err(|error| format!("{folder}: {error}"))?;
        let names = paths.iter().filter_map(|path| path.file_stem()?.to_str());
        Ok(names.map(str::to_string).collect())
    }
}

/// The names of the functions below `#[test]`.
fn tests_in(check: &str) -> Vec<String> {
    let mut lines = check.lines();
    let mut tests = vec![];
    while lines.any(|line| line.trim() == "#[test]") {
        // Between the two there may be another attribute.
        let name =
            lines.find_map(|line| line.trim().strip_prefix("fn ")?.split('(').next());
        tests.extend(name.map(str::to_string));
    }
    tests
}

/// Writes each starter anew: a contributor has changed a solution.
pub fn write_starters() -> Result<(), String> {
    for exercise in all()? {
        let path = exercise.file("exercise.rs");
        let text = exercise.starter()?;
        fs::write(root().join(&path), text).map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(())
}

/// Proves that every solution passes its check, that every starter is what its solution makes
/// it, compiles and fails, and that wrong answers fail with the words that they are meant to get.
pub fn prove() -> Result<(), String> {
    println!("\nxtask: exercises");
    let start = Instant::now();
    let exercises = all()?;
    let mut defects = vec![];
    let mut variants = vec![];
    for exercise in &exercises {
        let path = exercise.file("exercise.rs");
        if read(&path)? != exercise.starter()? {
            defects.push(format!(
                "{path} is not what its solution makes of it: `cargo xtask starters`"
            ));
        }
        if exercise.hints.len() != 3 {
            defects.push(format!("{}: fold three hints", exercise.page()));
        }
        let wrong = exercise.wrong()?;
        if wrong.len() < 2 {
            defects.push(format!("{}: keep two wrong answers", exercise.file("wrong")));
        }
        variants.push((exercise, Variant::Solution));
        variants.push((exercise, Variant::Starter));
        for name in wrong {
            let path = exercise.file(&format!("wrong/{name}.rs"));
            let text = read(&path)?;
            for mark in ["Tempting:", "Told:"] {
                if answers::note(&text, mark).is_none() {
                    defects.push(format!("{path}: begin with `//! {mark} …`"));
                }
            }
            let told = answers::note(&text, "Told:").unwrap_or_default().to_string();
            variants.push((exercise, Variant::Wrong { name, told }));
        }
        let solution = root().join(exercise.file("solution.rs"));
        if !is_formatted(&solution)? {
            defects.push(format!("{}: run rustfmt", exercise.file("solution.rs")));
        }
    }
    let program = suite::build("exercises", "variants")?;
    let count = variants.len();
    let left = Mutex::new(variants);
    let found = Mutex::new(defects);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = left.lock().expect("nobody panics with it").pop();
                    let Some((exercise, variant)) = next else { break };
                    let filter = format!("e{}__{}::", exercise.name, variant.module());
                    let report = suite::run(&program, &[&filter], &[], PATIENCE);
                    let complaint = match report {
                        Ok(report) => exercise
                            .tests()
                            .map_or_else(Some, |tests| variant.judge(&report, &tests)),
                        Err(error) => Some(error),
                    };
                    if let Some(complaint) = complaint {
                        let what = format!("{} {}", exercise.name, variant.module());
                        let defect = format!("{what}: {complaint}");
                        found.lock().expect("nobody panics with it").push(defect);
                    }
                }
            });
        }
    });
    let defects = found.into_inner().expect("nobody panics with it");
    if !defects.is_empty() {
        return Err(format!("{} defects:\n{}", defects.len(), defects.join("\n")));
    }
    println!(
        "{} exercises, {count} variants: each check tells right from wrong ({:.0?})",
        exercises.len(),
        start.elapsed()
    );
    judge_the_solutions()
}

/// The last exercises of chapters 04 and 06 are whole servers: their solutions must keep all that
/// `cargo xtask judge` asks for.
fn judge_the_solutions() -> Result<(), String> {
    for solution in ["your_own_solution", "your_own_executor_solution"] {
        let arguments =
            ["build", "--quiet", "--package", "exercises", "--example", solution];
        let programs = place::build(place::cargo(), &arguments)?;
        let server = programs.last().ok_or("cargo named no program")?;
        suite::keeps_promises(&server.display().to_string())?;
    }
    Ok(())
}

enum Variant {
    Solution,
    Starter,
    Wrong { name: String, told: String },
}

impl Variant {
    fn module(&self) -> String {
        match self {
            Variant::Solution => "solution".to_string(),
            Variant::Starter => "starter".to_string(),
            Variant::Wrong { name, .. } => format!("wrong_{name}"),
        }
    }

    /// What is wrong with the outcome, if something is. A learner is told of the first of the
    /// `tests` that fails, and of no other: that has to help.
    fn judge(&self, report: &Report, tests: &[String]) -> Option<String> {
        let place = |failure: &&Failure| {
            let name = failure.test.rsplit("::").next().unwrap_or_default();
            tests.iter().position(|test| test == name)
        };
        let first = report.failed.iter().min_by_key(place);
        let said = first.map_or("", |failure| &failure.says);
        // In a message a line may be broken anywhere.
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        match self {
            Variant::Solution if report.passed.is_empty() => {
                Some("no test has run".to_string())
            }
            Variant::Solution if !report.is_good() => {
                Some(format!("must pass its check: {report:#?}"))
            }
            Variant::Solution => None,
            Variant::Starter if report.is_good() => Some("must fail".to_string()),
            Variant::Starter if !said.contains("still to do: ") => {
                Some(format!("must say what is to do: {report:#?}"))
            }
            Variant::Starter => None,
            Variant::Wrong { .. } if report.is_good() => Some("must fail".to_string()),
            Variant::Wrong { told, .. } if !flat(said).contains(&flat(told)) => {
                Some(format!("must be told {told:?}: {report:#?}"))
            }
            Variant::Wrong { .. } => None,
        }
    }
}

fn is_formatted(path: &PathBuf) -> Result<bool, String> {
    let output = Command::new("rustfmt")
        .args(["--check", "--edition", "2024", "--config-path"])
        .arg(root())
        .arg(path)
        .output()
        .map_err(|error| format!("cannot run rustfmt: {error}"))?;
    Ok(output.status.success())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::tests_in;
    use crate::answers::{mistaken, note, solved, sources, starter};

    const SOLUTION: &str = "fn a() -> u8 {\n    // ANSWER: a number\n    1\n    // ANSWER_END\n}\n\
        // ANSWER: nothing\nstruct B(u8);\n// STARTER\n//| struct B;\n// ANSWER_END\n";

    #[test]
    fn the_tests_of_a_check_are_found_whatever_ends_its_lines() {
        let check =
            "#[test]\nfn one() {\n}\n\n#[test]\n#[ignore]\nfn two() {\n}\nfn a() {\n}\n";
        assert_eq!(tests_in(check), ["one", "two"]);
        assert_eq!(tests_in(&check.replace('\n', "\r\n")), ["one", "two"]);
    }

    #[test]
    fn what_editors_leave_behind_is_no_source() {
        let folder = crate::place::target().join("a folder with leftövers");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("folder.rs")).unwrap();
        for name in
            ["b.rs", "a_1.rs", ".a.rs.swp", ".DS_Store", "b.rs~", "#b.rs#", "b (copy).rs"]
        {
            fs::write(folder.join(name), [0xff]).unwrap();
        }
        std::os::unix::fs::symlink("name@host.12:34", folder.join(".#b.rs")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join("c.rs")).unwrap();
        let sources = sources(&folder).unwrap();
        assert_eq!(sources, [folder.join("a_1.rs"), folder.join("b.rs")]);
    }

    #[test]
    fn a_starter_has_no_answers() {
        let expected = "fn a() -> u8 {\n    todo!(\"a number\")\n}\nstruct B;\n";
        assert_eq!(starter(SOLUTION), expected);
    }

    #[test]
    fn a_solution_has_no_marks() {
        assert_eq!(solved(SOLUTION), "fn a() -> u8 {\n    1\n}\nstruct B(u8);\n");
    }

    #[test]
    fn a_wrong_answer_has_its_own() {
        let wrong = "//! Tempting: it is more.\n//! Told: less\n    2\n";
        assert_eq!(
            mistaken(SOLUTION, wrong),
            "fn a() -> u8 {\n    2\n}\nstruct B(u8);\n"
        );
        let second = "//! Told: less\nSOLVED\n// NEXT\nstruct B;\n";
        assert_eq!(mistaken(SOLUTION, second), "fn a() -> u8 {\n    1\n}\nstruct B;\n");
        assert_eq!(note(wrong, "Told:"), Some("less"));
        assert_eq!(note(wrong, "Else:"), None);
    }
}
