//! `cargo xtask foreign`: what judge says about servers that others wrote. A page shows the table.

mod published;
mod servers;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::causes::{Causes, reason};
use super::{Trial, Tried, Wanted, choose, first, list, name};
use crate::{place, read, root, suite};
use servers::{SERVERS, Server};

const HELP: &str = "\
Judges servers that others wrote, and makes the table in chapters/exercises/judge.md anew.

Usage: cargo xtask foreign [--check] [NAMES]

  --check  writes nothing, and fails if the table names other behaviours than are found now
  --help   print this and exit

A server that is not installed is skipped, and its row stays as it is.
";

/// The table, as the page includes it.
const TABLE: &str = "chapters/exercises/tables/foreign.txt";

/// Also a server that waits for ten seconds in each behaviour comes to its end, on a machine that
/// has other things to do.
const LIMIT: Duration = Duration::from_secs(240);

/// So often is tried again what is not as it was.
const TIMES: usize = 2;

/// What judge says about a server.
#[derive(Clone, Debug, Default, PartialEq)]
struct Verdict {
    of: usize,
    not_kept: BTreeSet<String>,
}

pub fn survey(arguments: &[&str]) -> Result<(), String> {
    let (options, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let check = match options[..] {
        [] => false,
        ["--check"] => true,
        ["--help" | "-h"] => {
            print!("{HELP}");
            return Ok(());
        }
        _ => return Err(format!("{options:?} is not understood\n\n{HELP}")),
    };
    let known = SERVERS.map(|server| server.name);
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        return Err(format!("{name:?} is none of: {}", known.join(", ")));
    }
    let table = read(TABLE)?;
    let suite = suite::build("async-from-bricks", "behaviour")?;
    let (mut verdicts, mut judged, mut changes) = (vec![], 0, vec![]);
    for server in &SERVERS {
        let before = verdict(&table, server.name)?;
        let is_meant = names.is_empty() || names.contains(&server.name);
        let now = if is_meant { server.judge(&suite, &before)? } else { None };
        judged += usize::from(now.is_some());
        let now = now.unwrap_or_else(|| before.clone());
        changes.extend(server.changes(&before, &now));
        verdicts.push(now);
    }
    if judged == 0 {
        return Err("none of them is installed".into());
    }
    println!("\n{judged} servers were judged");
    match (check, changes.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(format!(
            "the table is out of date, or a server is:\n  {}\n\
             `cargo xtask foreign` makes it anew",
            changes.join("\n  ")
        )),
        (false, _) => fs::write(root().join(TABLE), table_of(&verdicts))
            .map_err(|error| format!("{TABLE}: {error}")),
    }
}

impl Server {
    /// What judge says now, if the server is installed. What is not as before is tried again.
    fn judge(&self, suite: &Path, before: &Verdict) -> Result<Option<Verdict>, String> {
        if !is_there(self.needs) {
            println!("{}: skipped, since there is no {}", self.name, self.needs);
            return Ok(None);
        }
        let start = Instant::now();
        let words = self.words()?;
        // A machine with much else to do may be too slow at one time, but not each time.
        let found = first::look(&words).or_else(|_| first::look(&words));
        let found = found.map_err(|why| format!("{}: {why}", self.name))?;
        let all = choose(list(suite)?, &Wanted::of(words.clone()))?;
        let trial = Trial { suite, words: &words, limit: LIMIT, tell: &|_, _| () };
        let mut tried = trial.all(&all);
        let is_changed = |it: &Tried| {
            before.not_kept.contains(&it.name) != it.failure.is_some()
                && !self.at_times.contains(&&*it.name)
        };
        for _ in 0..TIMES {
            let changed: Vec<Tried> = tried.extract_if(.., |it| is_changed(it)).collect();
            let is_one = |test: &&String| changed.iter().any(|it| it.name == name(test));
            let again: Vec<String> = all.iter().filter(is_one).cloned().collect();
            tried.extend(trial.all(&again));
        }
        let mut causes = Causes::default();
        for tried in &tried {
            if let Some(failure) = &tried.failure {
                causes.add(&tried.name, reason(failure, found));
            }
        }
        let failed = tried.iter().filter(|it| it.failure.is_some());
        let not_kept: BTreeSet<String> = failed.map(|it| it.name.clone()).collect();
        let (of, seconds) = (tried.len(), start.elapsed().as_secs());
        println!("{}: {} of {of}, in {seconds} s", self.name, of - not_kept.len());
        for cause in causes.in_order() {
            println!("    {}: {}", cause.explains.join(", "), cause.text());
        }
        Ok(Some(Verdict { of, not_kept }))
    }

    /// Its command. What cargo builds for it has been built.
    fn words(&self) -> Result<Vec<String>, String> {
        let target = format!("{}/", place::target().display());
        fs::create_dir_all(format!("{target}foreign")).map_err(|e| e.to_string())?;
        if let Some((_, example)) = self.command.split_once("target/debug/published-") {
            published::build(example.split(' ').next().unwrap_or_default())?;
        }
        Ok(self.command.split(' ').map(|word| word.replace("target/", &target)).collect())
    }

    /// What is not as it was, in words.
    fn changes(&self, before: &Verdict, now: &Verdict) -> Vec<String> {
        let Server { name, at_times, .. } = self;
        let changed = before.not_kept.symmetric_difference(&now.not_kept);
        let changed = changed.filter(|it| !at_times.contains(&it.as_str()));
        let mut changes: Vec<String> = changed
            .map(|it| match now.not_kept.contains(it) {
                true => format!("{name}: {it:?} is not kept"),
                false => format!("{name}: {it:?} is kept"),
            })
            .collect();
        if before.of != now.of {
            changes.push(format!("{name}: there are {} behaviours", now.of));
        }
        changes
    }
}

/// Whether a program is installed, or this Linux permits what is no program.
fn is_there(needed: &str) -> bool {
    match needed {
        "cargo" => true,
        "io_uring" => fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
            .is_ok_and(|text| text.trim() == "0"),
        program => {
            let path = env::var_os("PATH").unwrap_or_default();
            // Some users do not have the last one in theirs.
            let mut folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
            folders.any(|folder| folder.join(program).is_file())
        }
    }
}

/// A row for each server; and their commands.
fn table_of(verdicts: &[Verdict]) -> String {
    let mut table =
        "| Server | Kept | Not kept | Why |\n|---|---:|---|---|\n".to_string();
    for (Server { name, at_times, why, .. }, verdict) in SERVERS.iter().zip(verdicts) {
        // What changes from day to day is in the table on each.
        let always =
            verdict.not_kept.iter().filter(|it| !at_times.contains(&it.as_str()));
        let always: Vec<&str> = always.map(String::as_str).collect();
        let kept = verdict.of - always.len() - at_times.len();
        let least = if at_times.is_empty() { "" } else { "at least " };
        let mut not_kept = always.join(", ");
        if !at_times.is_empty() {
            not_kept += &format!("; at times also {}", at_times.join(", "));
        }
        table += &format!(
            "| {name} | {least}{kept} of {} | {not_kept} | {why} |\n",
            verdict.of
        );
    }
    table += "\n```text\n";
    for Server { name, command, .. } in &SERVERS {
        table += &format!("{name:<20} {command}\n");
    }
    table + "```\n"
}

/// What the table says about a server; nothing, if it is not there.
fn verdict(table: &str, name: &str) -> Result<Verdict, String> {
    let wrong = || format!("{TABLE}: the row of {name} is not understood");
    let mut rows = table.lines().map(|line| line.split('|').map(str::trim));
    let Some(mut row) = rows.find(|row| row.clone().nth(1) == Some(name)) else {
        return Ok(Verdict::default());
    };
    let (kept, not_kept) = row.nth(2).zip(row.next()).ok_or_else(wrong)?;
    let (_, of) = kept.split_once(" of ").ok_or_else(wrong)?;
    let (always, at_times) =
        not_kept.split_once("; at times also ").unwrap_or((not_kept, ""));
    let names = always.split(", ").chain(at_times.split(", "));
    let not_kept = names.filter(|name| !name.is_empty()).map(str::to_string).collect();
    Ok(Verdict { of: of.parse().map_err(|_| wrong())?, not_kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> Vec<Verdict> {
        let table = read(TABLE).unwrap();
        SERVERS.iter().map(|server| verdict(&table, server.name).unwrap()).collect()
    }

    /// Words are changed where they are kept; which behaviours are kept, a run of it says.
    #[test]
    fn the_table_is_made_of_what_is_known() {
        assert_eq!(read(TABLE).unwrap(), table_of(&committed()), "`cargo xtask foreign`");
        let of = committed()[0].of;
        assert!(of > 20 && committed().iter().all(|verdict| verdict.of == of));
    }

    #[test]
    fn a_change_is_found() {
        let server = SERVERS.iter().find(|it| !it.at_times.is_empty()).unwrap();
        let before = committed()
            .swap_remove(SERVERS.iter().position(|it| it.name == server.name).unwrap());
        let mut now = before.clone();
        assert_eq!(server.changes(&before, &now), Vec::<String>::new());
        now.not_kept.remove(server.at_times[0]);
        assert_eq!(server.changes(&before, &now), Vec::<String>::new());
        now.not_kept.insert("small".into());
        now.of += 1;
        let changes = server.changes(&before, &now);
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes[0].contains("\"small\" is not kept"), "{changes:?}");
        let back = server.changes(&now, &before);
        assert!(back[0].contains("\"small\" is kept"), "{back:?}");
    }
}
