//! What an echo costs, counted and not timed: instructions of the server's own code, by
//! `valgrind --tool=callgrind`, and system calls, by `strace -c`. Both are the same on a fast
//! machine and on a slow one.
//!
//! Each server does the same work twice, once more of it and once less, and what is counted is
//! the difference: how it starts and ends falls out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::load::PATIENCE;
use crate::server::{Server, listening_addr};

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
    /// Whether it is installed.
    pub fn works(self) -> bool {
        let mut command = match self {
            Tool::Callgrind => Command::new("valgrind"),
            Tool::Strace => Command::new("strace"),
        };
        if let Tool::Callgrind = self {
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "true"]);
        } else {
            command.args(["-o", "/dev/null", "true"]);
        }
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

/// So much of each thing for an echo: `instructions`, or the names of system calls.
pub type Counts = BTreeMap<String, f64>;

/// Counts what an echo costs when so many clients send at the same time, and then wait for all
/// answers.
///
/// # Errors
///
/// If the server, or the tool, does not work.
pub fn count(server: &Server, clients: usize, tool: Tool) -> Result<Counts> {
    let (few, many) = if clients > 8 { (40, 140) } else { (200, 1200) };
    let less = run(server, clients, few, tool)?;
    let more = run(server, clients, many, tool)?;
    let echoes = ((many - few) * clients) as f64;
    let each = |(name, count): (String, u64)| {
        let before = less.get(&name).copied().unwrap_or(0);
        (name, (count as f64 - before as f64) / echoes)
    };
    // What is done once a connection, or now and then, is no part of an echo.
    Ok(more.into_iter().map(each).filter(|(_, each)| *each > 0.015).collect())
}

/// What a whole run costs.
fn run(
    server: &Server,
    clients: usize,
    rounds: usize,
    tool: Tool,
) -> Result<BTreeMap<String, u64>> {
    let file = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
    let mut command = match tool {
        Tool::Callgrind => Command::new("valgrind"),
        Tool::Strace => Command::new("strace"),
    };
    match tool {
        Tool::Callgrind => {
            command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
            command.arg(format!("--log-file={}", file.display()));
        }
        Tool::Strace => {
            command.args(["-f", "-c", "-o"]).arg(&file);
        }
    }
    command.args(&server.command).args(["--listen", "127.0.0.1:0", "--quiet"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = Killed(command.spawn().context("starting it")?);
    let out = child.0.stdout.take().expect("piped");
    let addr = listening_addr(out).context("it does not listen")?;
    talk(addr, clients, rounds)?;
    child.end()?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    match tool {
        Tool::Callgrind => instructions(&text),
        Tool::Strace => Ok(system_calls(&text)),
    }
}

fn talk(addr: SocketAddr, clients: usize, rounds: usize) -> Result<()> {
    let message = [7; MESSAGE];
    let connect = |_| -> Result<TcpStream> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    let mut clients: Vec<TcpStream> = (0..clients).map(connect).collect::<Result<_>>()?;
    for _ in 0..rounds {
        // The server gets the time to find that there is nothing more to receive; else it
        // depends on the machine how often it does.
        thread::sleep(PAUSE);
        for client in &mut clients {
            client.write_all(&message)?;
        }
        for client in &mut clients {
            let mut echoed = [0; MESSAGE];
            client.read_exact(&mut echoed)?;
            ensure!(echoed == message, "what came back is not what was sent");
        }
    }
    Ok(())
}

/// A process that is killed when it is dropped, and whatever it has started, too.
struct Killed(Child);

impl Killed {
    /// The server itself: the tool's child, if it has one.
    fn server(&self) -> Pid {
        let tool = self.0.id();
        let children = format!("/proc/{tool}/task/{tool}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        Pid::from_raw(child.unwrap_or(tool as i32))
    }

    /// Ends the server, and waits for the tool to write down what it has counted.
    fn end(&mut self) -> Result<()> {
        // Not SIGINT, which a shell makes a job in the background ignore.
        kill(self.server(), Signal::SIGTERM).context("ending it")?;
        let start = Instant::now();
        while self.0.try_wait()?.is_none() {
            ensure!(start.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = kill(self.server(), Signal::SIGKILL);
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn instructions(log: &str) -> Result<BTreeMap<String, u64>> {
    let count = log.lines().find_map(|line| line.split_once("Collected : "));
    let Some((_, count)) = count else { bail!("callgrind did not count: {log}") };
    let count = count.split_whitespace().next().context("no number")?.parse()?;
    Ok(BTreeMap::from([("instructions".to_string(), count)]))
}

fn system_calls(table: &str) -> BTreeMap<String, u64> {
    // % time, seconds, µs/call, calls, (errors,) name
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() >= 5 && row.last() != Some(&"total"));
    rows.filter_map(|row| Some((row.last()?.to_string(), row[3].parse().ok()?))).collect()
}

/// What was counted, as a CSV file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By server and number of clients.
    pub rows: Vec<(String, usize, Counts)>,
}

impl Table {
    /// Reads a file that [`write`](Table::write) has written.
    ///
    /// # Errors
    ///
    /// If it is not there, or is not such a file.
    pub fn read(file: &Path) -> Result<Table> {
        let mut table = Table::default();
        let context = || file.display().to_string();
        let mut reader = csv::Reader::from_path(file).with_context(context)?;
        for record in reader.records() {
            let record = record?;
            ensure!(record.len() == 4, "{}: 4 columns are wanted", file.display());
            let (server, clients) = (&record[0], record[1].parse()?);
            table.at(server, clients).insert(record[2].to_string(), record[3].parse()?);
        }
        Ok(table)
    }

    /// Writes everything to a file: a line for each count.
    ///
    /// # Errors
    ///
    /// If that is impossible.
    pub fn write(&self, file: &Path) -> Result<()> {
        let mut writer =
            csv::Writer::from_path(file).context(file.display().to_string())?;
        writer.write_record(["server", "clients", "what", "count"])?;
        for (server, clients, counts) in &self.rows {
            for (what, count) in counts {
                let digits = if what == "instructions" { 0 } else { 2 };
                let (clients, count) = (clients.to_string(), format!("{count:.digits$}"));
                writer.write_record([server, &clients, what, &count])?;
            }
        }
        Ok(writer.flush()?)
    }

    /// The counts of a server, which is added if it is new.
    pub fn at(&mut self, server: &str, clients: usize) -> &mut Counts {
        let place = self.rows.iter().position(|row| row.0 == server && row.1 == clients);
        let place = place.unwrap_or_else(|| {
            self.rows.push((server.to_string(), clients, Counts::new()));
            self.rows.len() - 1
        });
        &mut self.rows[place].2
    }

    /// The counts of a server, if there are some.
    pub fn get(&self, server: &str, clients: usize) -> Option<&Counts> {
        self.rows.iter().find(|row| row.0 == server && row.1 == clients).map(|row| &row.2)
    }
}

/// All system calls of an echo.
pub fn calls(counts: &Counts) -> f64 {
    counts
        .iter()
        .filter(|(what, _)| *what != "instructions")
        .map(|(_, count)| count)
        .sum()
}

/// Counts for all servers, with 1 client and with 64.
///
/// # Errors
///
/// If one of them cannot be counted.
pub fn count_all(servers: &[Server], mut progress: impl FnMut(&str)) -> Result<Table> {
    let mut table = Table::default();
    for server in servers {
        for clients in [1, 64].into_iter().filter(|&clients| clients <= server.most) {
            for tool in [Tool::Callgrind, Tool::Strace] {
                if tool.works() && (tool == Tool::Strace || callgrind_can(server)) {
                    let counts = count(server, clients, tool)
                        .with_context(|| format!("{} under {tool:?}", server.name))?;
                    table.at(&server.name, clients).extend(counts);
                }
            }
            let counts = table.at(&server.name, clients);
            progress(&line(&server.name, clients, counts));
        }
    }
    Ok(table)
}

/// Under valgrind no signal interrupts `io_uring_enter`, so such a server does not end. And of an
/// interpreter it would count the interpreter's instructions.
fn callgrind_can(server: &Server) -> bool {
    !server.name.contains("io_uring") && server.name != "python"
}

/// A row of counts for people.
fn line(server: &str, clients: usize, counts: &Counts) -> String {
    let instructions = counts.get("instructions");
    let instructions = instructions.map_or("–".to_string(), |it| format!("{it:.0}"));
    let calls_of_it: Vec<String> = counts
        .iter()
        .filter(|(what, _)| *what != "instructions")
        .map(|(name, count)| format!("{name} {count:.2}"))
        .collect();
    format!(
        "  {server:14} {clients:>3} {instructions:>7} instructions, {:>5.2} calls: {}",
        calls(counts),
        calls_of_it.join(", ")
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
        let expected = [("recvfrom".to_string(), 100), ("sendto".to_string(), 120)];
        assert_eq!(system_calls(table), BTreeMap::from(expected));
    }

    #[test]
    fn what_callgrind_writes_is_understood() {
        let log = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(instructions(log).unwrap()["instructions"], 123_456);
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
        let mut table = Table::default();
        table.at("a", 1).insert("sendto".to_string(), 1.0);
        table.at("a", 1).insert("instructions".to_string(), 657.0);
        table.at("b", 64).insert("recvfrom".to_string(), 0.25);
        let file =
            std::env::temp_dir().join(format!("counts-{}.csv", std::process::id()));
        table.write(&file).unwrap();
        let read = Table::read(&file).unwrap();
        fs::remove_file(file).unwrap();
        assert_eq!(read, table);
        assert_eq!(calls(read.get("a", 1).unwrap()), 1.0);
    }
}
