//! The program behind `cargo xtask bench`.

#![forbid(unsafe_code)]

use std::fs;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bench::book::Measured;
use bench::count::count_all;
use bench::guard;
use bench::loopback;
use bench::memory::Memory;
use bench::results::{Results, machine};
use bench::run::{Plan, merge, run};
use bench::scenario::{self, Scenario};
use bench::server::{self, Cores, Server};
use bench::{report, server::raise_descriptor_limit};
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
Measures the book's servers beside their peers.

Usage: cargo xtask bench [CHORE] [OPTIONS]

Chores, instead of measuring:
  count  counts system calls and instructions; it needs strace and valgrind
  memory measures what silent connections cost the server in memory
  guard  counts, and compares with the bounds in bench/bounds.csv
  plots  draws the book's charts, and fills in its numbers, from chapters/measured/data

Options:
      --quick              less of everything: done in under a minute
      --servers A,B        only these servers (a part of a name will do; -A leaves A out)
      --scenarios A,B      only these scenarios
      --server NAME=COMMAND
                           one more server, started by COMMAND --listen ADDR:PORT --quiet
      --rounds N           how often each server has its turn [default: 5]
      --milliseconds N     how long each has in a round, in turns of 20 [default: 500]
      --base NAME          the server that others are compared with [default: tokio]
      --output FILE        where to write the results [default: target/bench/results.csv]
      --programs FOLDER    where the servers are [default: beside this program]
      --shared-loopback    talk through the machine's loopback, with its settings, and not
                           through a new one
      --append             keep what FILE has of other servers and scenarios
      --report             measure nothing, print the tables of FILE
      --list               name the servers and scenarios
  -h, --help               print this and exit
";

/// Long enough that what a turn begins and ends with does not count, and short enough that the
/// machine is the same for neighbours.
const TURN: Duration = Duration::from_millis(20);

struct Options {
    servers: Vec<Server>,
    scenarios: Vec<Scenario>,
    rounds: usize,
    turns: usize,
    base: String,
    output: Option<PathBuf>,
    append: bool,
    shared_loopback: bool,
}

impl Options {
    fn results(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new("target/bench/results.csv"))
    }
}

enum Request {
    Measure(Options),
    Report(Options),
    Count(Options),
    Memory(Options),
    Guard(Options),
    Plots,
    Say(String),
}

fn main() -> ExitCode {
    let done = parse(Parser::from_env()).and_then(|request| match request {
        Request::Measure(options) => measure(&options),
        Request::Report(options) => {
            let results = Results::read(options.results())?;
            print(&report::report(&results, &options.base));
            Ok(true)
        }
        Request::Count(options) => count(&options),
        Request::Memory(options) => memory(&options),
        Request::Guard(options) => guard::guard(&options.servers, print),
        Request::Plots => plots().map(|()| true),
        Request::Say(text) => {
            print(&text);
            Ok(true)
        }
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False if a server was wrong.
fn measure(options: &Options) -> Result<bool> {
    if !options.shared_loopback
        && let Err(why) = loopback::own()
    {
        let _ = writeln!(stderr(), "bench: uses the machine's loopback: {why}");
    }
    raise_descriptor_limit()?;
    let plan = Plan {
        servers: options.servers.clone(),
        scenarios: options.scenarios.clone(),
        rounds: options.rounds,
        turns: options.turns,
        turn: TURN,
        cores: Cores::choose()?,
    };
    let start = Instant::now();
    let (rows, left_out) = run(&plan)?;
    let output = options.results();
    let mut results = match options.append && output.exists() {
        true => Results::read(output)?,
        false => Results::default(),
    };
    results.machine = machine();
    let measured = Results { rows: rows.clone(), ..Results::default() };
    merge(&mut results, rows);
    results.write(output)?;
    print(&report::report(&measured, &options.base));
    for it in &left_out {
        let what = if it.is_wrong { "WRONG, and left out" } else { "left out" };
        print(&format!("\n{}: {what}: {}\n", it.server, it.why));
    }
    let (took, file) = (start.elapsed(), output.display());
    print(&format!("\n{took:.0?}; the results are in {file}\n"));
    Ok(left_out.iter().all(|it| !it.is_wrong))
}

fn count(options: &Options) -> Result<bool> {
    let table = count_all(&options.servers, |line| print(&format!("{line}\n")))?;
    if let Some(output) = &options.output {
        table.write(output)?;
    }
    Ok(true)
}

fn memory(options: &Options) -> Result<bool> {
    raise_descriptor_limit()?;
    print("KiB for each connection:\n");
    let progress = |line: &str| print(&format!("  {line}\n"));
    let memory = Memory::measure(&options.servers, options.rounds, progress)?;
    if let Some(output) = &options.output {
        memory.write(output)?;
    }
    Ok(true)
}

fn plots() -> Result<()> {
    let root = server::root();
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

fn parse(mut arguments: Parser) -> Result<Request> {
    let mut options = Options {
        servers: server::all()?,
        scenarios: scenario::ALL.to_vec(),
        rounds: 5,
        turns: 25,
        base: "tokio".to_string(),
        output: None,
        append: false,
        shared_loopback: false,
    };
    let (mut chore, mut only_report, mut list, mut added) = (None, false, false, vec![]);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Value(value) if chore.is_none() => {
                chore = Some(value.parse::<String>()?)
            }
            Arg::Long("programs") => {
                options.servers = server::all_in(Path::new(&arguments.value()?))?;
            }
            Arg::Long("quick") => {
                options.scenarios.retain(|it| it.quick);
                (options.rounds, options.turns) = (2, 6);
            }
            Arg::Long("servers") => {
                let names: String = arguments.value()?.parse()?;
                options.servers = select(&names, &options.servers, |it| &it.name)?;
            }
            Arg::Long("scenarios") => {
                let names: String = arguments.value()?.parse()?;
                options.scenarios = select(&names, &scenario::ALL, |it| it.name)?;
            }
            Arg::Long("server") => {
                let server: String = arguments.value()?.parse()?;
                let (name, command) =
                    server.split_once('=').context("--server wants NAME=COMMAND")?;
                added.push(Server::new(name, command));
            }
            Arg::Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Arg::Long("milliseconds") => {
                let time: u64 = arguments.value()?.parse()?;
                options.turns = time.div_ceil(TURN.as_millis() as u64) as usize;
            }
            Arg::Long("base") => options.base = arguments.value()?.parse()?,
            Arg::Long("output") => options.output = Some(arguments.value()?.into()),
            Arg::Long("shared-loopback") => options.shared_loopback = true,
            Arg::Long("append") => options.append = true,
            Arg::Long("report") => only_report = true,
            Arg::Long("list") => list = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Say(HELP.into())),
            other => bail!("{}\n\n{HELP}", other.unexpected()),
        }
    }
    options.servers.extend(added);
    let nothing = options.rounds == 0 || options.turns == 0;
    ensure!(!nothing, "--rounds and --milliseconds want 1 or more");
    if list {
        return Ok(Request::Say(listed(&options)));
    }
    Ok(match chore.as_deref() {
        Some("count") => Request::Count(options),
        Some("memory") => Request::Memory(options),
        Some("guard") => Request::Guard(options),
        Some("plots") => Request::Plots,
        Some(other) => bail!("{other} is no chore\n\n{HELP}"),
        None if only_report => Request::Report(options),
        None => Request::Measure(options),
    })
}

/// Those of `all` that are named: by their whole name, or else by a part of it.
fn select<T: Clone>(
    names: &str,
    all: &[T],
    name_of: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let find = |wanted: &str| -> Result<Vec<&str>> {
        let known = || all.iter().map(&name_of);
        if let Some(name) = known().find(|name| *name == wanted) {
            return Ok(vec![name]);
        }
        let found: Vec<&str> = known().filter(|name| name.contains(wanted)).collect();
        let choice = known().collect::<Vec<_>>().join(" ");
        ensure!(!found.is_empty(), "nothing is called {wanted:?}; there are {choice}");
        Ok(found)
    };
    let (mut wanted, mut unwanted) = (vec![], vec![]);
    for name in names.split(',') {
        match name.strip_prefix('-') {
            Some(name) => unwanted.extend(find(name)?),
            None => wanted.extend(find(name)?),
        }
    }
    let is_chosen = |it: &&T| {
        let name = name_of(it);
        (wanted.is_empty() || wanted.contains(&name)) && !unwanted.contains(&name)
    };
    Ok(all.iter().filter(is_chosen).cloned().collect())
}

fn listed(options: &Options) -> String {
    let servers = options.servers.iter();
    let servers =
        servers.map(|it| format!("  {:14} {}\n", it.name, it.command.join(" ")));
    let scenarios = options.scenarios.iter();
    let scenarios = scenarios.map(|it| format!("  {:14} {}\n", it.name, it.about));
    let [servers, scenarios]: [String; 2] = [servers.collect(), scenarios.collect()];
    format!("Servers:\n{servers}\nScenarios:\n{scenarios}")
}

/// On standard output, if anybody reads it.
fn print(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}
