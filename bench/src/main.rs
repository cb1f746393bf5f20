//! The program behind `cargo xtask bench`.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bench::book::Measured;
use bench::report::report;
use bench::results::Results;
use bench::run::{Plan, TURN, run};
use bench::scenario::{self, Scenario};
use bench::server::{self, Cores, Running, Server, raise_descriptor_limit};
use bench::{count, guard, loopback, memory};
use clap::{Parser, ValueEnum, value_parser};

/// Measures the book's servers beside their peers.
#[derive(Parser)]
#[command(name = "bench", bin_name = "cargo xtask bench")]
struct Options {
    /// What to do instead of measuring
    chore: Option<Chore>,
    /// Less of everything: done in under a minute
    #[arg(long)]
    quick: bool,
    /// Only these servers (a part of a name will do)
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    servers: Vec<String>,
    /// Only these scenarios
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    scenarios: Vec<String>,
    /// One more server, started by COMMAND --listen ADDR:PORT --quiet
    #[arg(long, value_name = "NAME=COMMAND")]
    server: Vec<Server>,
    /// How often each server has its turn [default: 5]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    rounds: Option<u64>,
    /// How long each has in a round, in turns of 20 [default: 500]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    milliseconds: Option<u64>,
    /// The server that others are compared with
    #[arg(long, value_name = "NAME", default_value = "tokio")]
    base: String,
    /// Where to write the results [default: target/bench/results.csv]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the servers are [default: beside this program]
    #[arg(long, value_name = "FOLDER")]
    programs: Option<PathBuf>,
    /// Talk through the machine's loopback, with its settings, and not through a new one
    #[arg(long)]
    shared_loopback: bool,
    /// Keep what FILE has of other servers and scenarios
    #[arg(long)]
    append: bool,
    /// Measure nothing, print the tables of FILE
    #[arg(long)]
    report: bool,
    /// Name the servers and scenarios
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Chore {
    /// Counts system calls and instructions; it needs strace and valgrind
    Count,
    /// Measures what silent connections cost the server in memory
    Memory,
    /// Counts, and compares with the bounds in bench/bounds.csv
    Guard,
    /// Draws the book's charts, and fills in its numbers, from chapters/measured/data
    Plots,
}

fn main() -> ExitCode {
    match Options::parse().act() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    /// False if something that was measured is not as it should be.
    fn act(&self) -> Result<bool> {
        match self.chore {
            _ if self.list => self.list()?,
            Some(Chore::Count) => self.count()?,
            Some(Chore::Memory) => self.memory()?,
            Some(Chore::Guard) => return guard::guard(&self.servers()?, print),
            Some(Chore::Plots) => plots()?,
            None if self.report => {
                print(&report(&Results::read(self.results())?, &self.base));
            }
            None => return self.measure(),
        }
        Ok(true)
    }

    fn servers(&self) -> Result<Vec<Server>> {
        let beside = std::env::current_exe()?;
        let beside = beside.parent().context("a program lies in a folder")?;
        let known = server::all(self.programs.as_deref().unwrap_or(beside));
        let mut servers = select(&self.servers, known, |it| &it.name)?;
        servers.extend(self.server.iter().cloned());
        Ok(servers)
    }

    fn scenarios(&self) -> Result<Vec<Scenario>> {
        let mut scenarios =
            select(&self.scenarios, scenario::ALL.to_vec(), |it| it.name)?;
        if self.quick && self.scenarios.is_empty() {
            scenarios.retain(|it| it.quick);
        }
        Ok(scenarios)
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 }) as usize
    }

    fn results(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new("target/bench/results.csv"))
    }

    fn list(&self) -> Result<()> {
        print("Servers:\n");
        for Server { name, command, .. } in self.servers()? {
            print(&format!("  {name:14} {}\n", command.join(" ")));
        }
        print("\nScenarios:\n");
        for Scenario { name, about, .. } in self.scenarios()? {
            print(&format!("  {name:14} {about}\n"));
        }
        Ok(())
    }

    fn measure(&self) -> Result<bool> {
        if !self.shared_loopback
            && let Err(why) = loopback::own()
        {
            let _ = writeln!(stderr(), "bench: uses the machine's loopback: {why}");
        }
        raise_descriptor_limit()?;
        self.named_servers_start()?;
        let time = self.milliseconds.unwrap_or(if self.quick { 120 } else { 500 });
        let plan = Plan {
            servers: self.servers()?,
            scenarios: self.scenarios()?,
            rounds: self.rounds(),
            turns: time.div_ceil(TURN.as_millis() as u64) as usize,
            cores: Cores::choose()?,
        };
        let start = Instant::now();
        let (mut results, left_out) = run(&plan)?;
        print(&report(&results, &self.base));
        for it in &left_out {
            let what = if it.is_wrong { "WRONG, and left out" } else { "left out" };
            print(&format!("\n{}: {what}: {}\n", it.server, it.why));
        }
        let output = self.results();
        if self.append && output.exists() {
            let mut all = Results::read(output)?;
            all.merge(results)?;
            results = all;
        }
        results.write(output)?;
        let (took, file) = (start.elapsed(), output.display());
        print(&format!("\n{took:.0?}; the results are in {file}\n"));
        Ok(left_out.iter().all(|it| !it.is_wrong))
    }

    /// A server of the book that cannot run here is left out; one that was asked for by its command
    /// is not.
    fn named_servers_start(&self) -> Result<()> {
        for server in &self.server {
            Running::start(server, None)
                .with_context(|| format!("--server {}", server.name))?;
        }
        Ok(())
    }

    fn count(&self) -> Result<()> {
        let progress = |line: &str| print(&format!("{line}\n"));
        let table = count::count_all(&self.servers()?, progress)?;
        self.output.as_ref().map_or(Ok(()), |output| count::write(&table, output))
    }

    fn memory(&self) -> Result<()> {
        raise_descriptor_limit()?;
        print("KiB for each connection:\n");
        let progress = |line: &str| print(&format!("  {line}\n"));
        let memory = memory::measure_all(&self.servers()?, self.rounds(), progress)?;
        self.output.as_ref().map_or(Ok(()), |output| memory.write(output))
    }
}

fn plots() -> Result<()> {
    let root = &server::root();
    for (path, text) in Measured::read(root)?.files(root)? {
        let file = root.join(&path);
        if fs::read_to_string(&file).is_ok_and(|old| old == text) {
            continue;
        }
        fs::create_dir_all(file.parent().context("a folder")?)?;
        fs::write(file, text)?;
        print(&format!("{}\n", path.display()));
    }
    Ok(())
}

/// Those of `all` that are named: by their whole name, or else by a part of it.
fn select<T>(
    names: &[String],
    mut all: Vec<T>,
    name_of: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let known: Vec<String> = all.iter().map(|it| name_of(it).to_string()).collect();
    let mut chosen = vec![];
    for name in names {
        let is_meant = |it: &&String| match known.contains(name) {
            true => *it == name,
            false => it.contains(name.as_str()),
        };
        let before = chosen.len();
        chosen.extend(known.iter().filter(is_meant));
        let choice = known.join(" ");
        ensure!(before < chosen.len(), "nothing is called {name:?}; there are {choice}");
    }
    all.retain(|it| names.is_empty() || chosen.iter().any(|name| *name == name_of(it)));
    Ok(all)
}

/// On standard output, if anybody reads it.
fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}
