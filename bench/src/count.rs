//! What an echo costs, counted and not timed: instructions of the server's own code, by
//! `valgrind --tool=callgrind`, and system calls, by `strace -c`. Both are the same on a fast
//! machine and on a slow one.
//!
//! Each server does the same work twice, once more of it and once less, and what is counted is
//! the difference: how it starts and ends falls out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::load::connect;
use crate::server::{Running, Server};

/// Bytes of a message.
const MESSAGE: usize = 64;

/// Between the rounds.
const PAUSE: Duration = Duration::from_micros(300);

/// What is counted, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Instructions of the server's own code.
    Callgrind,
    /// System calls, by name.
    Strace,
}

impl Tool {
    /// The words of a command that writes into this file what it has counted.
    fn command(self, file: &Path) -> Vec<String> {
        let file = file.display();
        let words = match self {
            Tool::Callgrind => format!(
                "valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file={file}"
            ),
            Tool::Strace => format!("strace -f -c -o {file}"),
        };
        words.split(' ').map(str::to_string).collect()
    }

    /// Whether it is installed.
    pub fn works(self) -> bool {
        let words = self.command(Path::new("/dev/null"));
        let status = Command::new(&words[0]).args(&words[1..]).arg("true").status();
        status.is_ok_and(|status| status.success())
    }

    /// Whether it can count what this server does. Under valgrind no signal interrupts
    /// `io_uring_enter`, so such a server does not end. And of an interpreter it would count the
    /// interpreter's instructions.
    fn fits(self, server: &Server) -> bool {
        let no_instructions = server.name.contains("io_uring") || server.name == "python";
        self == Tool::Strace || !no_instructions
    }
}

/// So much of each thing for an echo: `instructions`, or the names of system calls.
pub type Counts = BTreeMap<String, f64>;

/// Counts what an echo costs when so many clients send at the same time, and then wait for all
/// answers.
pub fn count(server: &Server, clients: usize, tools: &[Tool]) -> Result<Counts> {
    let mut counts = Counts::new();
    for tool in tools.iter().filter(|tool| tool.fits(server)) {
        let counted = count_with(*tool, server, clients);
        counts
            .extend(counted.with_context(|| format!("{} under {tool:?}", server.name))?);
    }
    Ok(counts)
}

fn count_with(tool: Tool, server: &Server, clients: usize) -> Result<Counts> {
    let (few, many) = if clients > 8 { (40, 140) } else { (200, 1200) };
    let less = run(server, clients, few, tool)?;
    let more = run(server, clients, many, tool)?;
    let echoes = ((many - few) * clients) as f64;
    let each = |(name, count): (String, f64)| {
        let before = less.get(&name).copied().unwrap_or(0.0);
        (name, (count - before) / echoes)
    };
    // What is done once a connection, or now and then, is no part of an echo.
    Ok(more.into_iter().map(each).filter(|(_, each)| *each > 0.015).collect())
}

/// What a whole run costs.
fn run(server: &Server, clients: usize, rounds: usize, tool: Tool) -> Result<Counts> {
    let file = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
    let mut server = server.clone();
    server.command.splice(0..0, tool.command(&file));
    let running = Running::start(&server, None)?;
    talk(running.addr, clients, rounds)?;
    running.end()?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    match tool {
        Tool::Callgrind => instructions(&text),
        Tool::Strace => Ok(system_calls(&text)),
    }
}

/// These clients sleep until they are answered: those of a load do not, and would take the
/// processor from the server's tool.
fn talk(addr: SocketAddr, clients: usize, rounds: usize) -> Result<()> {
    let message = [7; MESSAGE];
    let clients = (0..clients).map(|_| connect(addr)).collect::<Result<Vec<_>>>()?;
    for _ in 0..rounds {
        // The server gets the time to find that there is nothing more to receive; else it
        // depends on the machine how often it does.
        thread::sleep(PAUSE);
        for mut client in &clients {
            client.write_all(&message)?;
        }
        for mut client in &clients {
            let mut echoed = [0; MESSAGE];
            client.read_exact(&mut echoed)?;
            ensure!(echoed == message, "what came back is not what was sent");
        }
    }
    Ok(())
}

fn instructions(log: &str) -> Result<Counts> {
    let count = log.lines().find_map(|line| line.split_once("Collected : "));
    let Some((_, count)) = count else { bail!("callgrind did not count: {log}") };
    let count = count.split_whitespace().next().context("no number")?.parse()?;
    Ok(Counts::from([("instructions".to_string(), count)]))
}

fn system_calls(table: &str) -> Counts {
    // % time, seconds, µs/call, calls, (errors,) name
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() >= 5 && row.last() != Some(&"total"));
    rows.filter_map(|row| Some((row.last()?.to_string(), row[3].parse().ok()?))).collect()
}

/// What was counted, by server and number of clients.
pub type Table = BTreeMap<(String, usize), Counts>;

/// Reads a file that [`write()`] has written.
pub fn read(file: &Path) -> Result<Table> {
    let mut table = Table::new();
    let mut reader = csv::Reader::from_path(file).context(file.display().to_string())?;
    for line in reader.deserialize() {
        let (server, clients, what, count) = line.context(file.display().to_string())?;
        table.entry((server, clients)).or_default().insert(what, count);
    }
    Ok(table)
}

/// Writes everything to a CSV file: a line for each count.
pub fn write(table: &Table, file: &Path) -> Result<()> {
    let mut writer = csv::Writer::from_path(file).context(file.display().to_string())?;
    writer.serialize(["server", "clients", "what", "count"])?;
    for ((server, clients), counts) in table {
        for (what, count) in counts {
            let digits = if what == "instructions" { 0 } else { 2 };
            writer.serialize((server, clients, what, format!("{count:.digits$}")))?;
        }
    }
    Ok(writer.flush()?)
}

/// The system calls of an echo, by their names.
fn each_call(counts: &Counts) -> impl Iterator<Item = (&String, &f64)> {
    counts.iter().filter(|(what, _)| *what != "instructions")
}

/// All system calls of an echo.
pub fn calls(counts: &Counts) -> f64 {
    each_call(counts).map(|(_, count)| count).sum()
}

/// Counts for all servers, with 1 client and with 64.
pub fn count_all(servers: &[Server], progress: impl Fn(&str)) -> Result<Table> {
    let mut table = Table::new();
    let mut tools = vec![Tool::Callgrind, Tool::Strace];
    tools.retain(|tool| tool.works());
    for server in servers {
        for clients in [1, 64].into_iter().filter(|&clients| clients <= server.most) {
            let counts = count(server, clients, &tools)?;
            progress(&line(&server.name, clients, &counts));
            table.insert((server.name.clone(), clients), counts);
        }
    }
    Ok(table)
}

/// A row of counts for people.
fn line(server: &str, clients: usize, counts: &Counts) -> String {
    let instructions = counts.get("instructions");
    let instructions = instructions.map_or("–".to_string(), |it| format!("{it:.0}"));
    let each = each_call(counts).map(|(name, count)| format!("{name} {count:.2}"));
    format!(
        "  {server:14} {clients:>3} {instructions:>7} instructions, {:>5.2} calls: {}",
        calls(counts),
        each.collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strace_writes_is_understood() {
        let table = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000120           1       120           sendto
 40.00    0.000080           1       100         3 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.000200           1       220         3 total
";
        let expected = [("recvfrom".to_string(), 100.0), ("sendto".to_string(), 120.0)];
        assert_eq!(system_calls(table), Counts::from(expected));
    }

    #[test]
    fn what_callgrind_writes_is_understood() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(instructions(log).unwrap()["instructions"], 123_456.0);
        assert!(instructions("==7== killed").is_err());
    }

    #[test]
    fn what_has_not_been_counted_is_left_open() {
        let counts = Counts::from([("sendto".to_string(), 1.0)]);
        let expected =
            "  ring             1       – instructions,  1.00 calls: sendto 1.00";
        assert_eq!(line("ring", 1, &counts), expected);
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let counts = [("sendto", 1.0), ("recvfrom", 0.25), ("instructions", 657.0)];
        let counts = Counts::from(counts.map(|(name, it)| (name.to_string(), it)));
        assert_eq!(calls(&counts), 1.25);
        let table = Table::from([(("a".to_string(), 64), counts)]);
        let file =
            std::env::temp_dir().join(format!("counts-{}.csv", std::process::id()));
        write(&table, &file).unwrap();
        let read = read(&file).unwrap();
        fs::remove_file(file).unwrap();
        assert_eq!(read, table);
    }
}
