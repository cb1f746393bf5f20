//! What silent connections cost a server in memory: how much more of it the server has with them
//! than it had without any.
//!
//! Memory is not time: it is nearly the same on a busy machine, and nobody takes turns.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::load::{Clients, Load};
use crate::results::{machine, median, quartiles};
use crate::server::{Running, Server};

/// Clients, and what each has said before it fell silent.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called in the results.
    pub name: &'static str,
    /// The same in words.
    pub about: &'static str,
    /// How many clients there are.
    pub clients: usize,
    /// How many bytes each of them has sent, and got back.
    pub bytes: usize,
    /// Whether each of them has waited until the one before it had all of them back.
    pub in_turn: bool,
}

const MIB: usize = 1024 * 1024;

/// Everything that is measured, in this order.
pub const ALL: [Case; 4] = [
    Case {
        name: "nothing",
        about: "nothing said",
        clients: 1000,
        bytes: 0,
        in_turn: false,
    },
    Case {
        name: "in-turn",
        about: "1 MiB each, in turn",
        clients: 1000,
        bytes: MIB,
        in_turn: true,
    },
    Case {
        name: "at-once",
        about: "1 MiB each, all at once",
        clients: 1000,
        bytes: MIB,
        in_turn: false,
    },
    Case {
        name: "hundred",
        about: "100 clients, 64 bytes each",
        clients: 100,
        bytes: 64,
        in_turn: false,
    },
];

/// What is measured, in KiB: resident memory without a client and with all of them, and addresses
/// that the process has reserved, likewise.
pub const FIELDS: [&str; 4] =
    ["empty_kib", "full_kib", "empty_addresses_kib", "full_addresses_kib"];

/// Lets the clients say what they have to say, and returns the values of [`FIELDS`].
///
/// # Errors
///
/// If the server does not run, or does not echo.
pub fn measure(server: &Server, case: &Case) -> Result<[f64; FIELDS.len()]> {
    let load = Load {
        clients: case.clients,
        message: case.bytes.max(1),
        depth: 1,
        idle: 0,
        short: false,
    };
    let running = Running::start(server, None)?;
    let empty = running.usage()?;
    let mut clients = Clients::connect(running.addr, load)?;
    let once = Duration::ZERO; // nobody begins a second message
    match case {
        Case { bytes: 0, .. } => {}
        Case { in_turn: false, .. } => drop(clients.run(once)?),
        Case { in_turn: true, .. } => {
            for client in 0..case.clients {
                clients.run_some(client..client + 1, once)?;
            }
        }
    }
    // When one more, who comes last, has had an answer, the server has seen all the others.
    let last = Load { clients: 0, idle: 1, ..load };
    let _last = Clients::connect(running.addr, last)?;
    let full = running.usage()?;
    let kib = |bytes| bytes as f64 / 1024.0;
    Ok([empty.resident, full.resident, empty.addresses, full.addresses].map(kib))
}

/// One server in one case in one round.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    case: String,
    server: String,
    round: usize,
    values: [f64; FIELDS.len()],
}

/// All that was measured, as a CSV file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory(Vec<Row>);

impl Memory {
    /// Measures everything so many times.
    ///
    /// # Errors
    ///
    /// Those of [`measure`].
    pub fn measure(
        servers: &[Server],
        rounds: usize,
        progress: impl Fn(&str),
    ) -> Result<Memory> {
        let mut memory = Memory::default();
        for server in servers {
            let mut line = format!("{:14}", server.name);
            for case in ALL.iter().filter(|case| case.clients <= server.most) {
                for round in 1..=rounds {
                    let values = measure(server, case);
                    let values = values
                        .with_context(|| format!("{}: {}", server.name, case.name))?;
                    let (case, server) = (case.name.to_string(), server.name.clone());
                    memory.0.push(Row { case, server, round, values });
                }
                let each = memory.each(case.name, &server.name);
                let [_, each, _] = each.context("--rounds 0")?;
                write!(line, "  {} {each:.2}", case.name)?;
            }
            progress(&line);
        }
        Ok(memory)
    }

    /// Reads a file that [`write`](Memory::write) has written.
    ///
    /// # Errors
    ///
    /// If it is not there, or is not such a file.
    pub fn read(file: &Path) -> Result<Memory> {
        let context = || file.display().to_string();
        let mut reader = csv::ReaderBuilder::new()
            .comment(Some(b'#'))
            .from_path(file)
            .with_context(context)?;
        let columns = ["case", "server", "round"].into_iter().chain(FIELDS);
        ensure!(reader.headers()?.iter().eq(columns), "{}: other columns", context());
        let mut rows = vec![];
        for record in reader.records() {
            let record = record?;
            let mut values = [0.0; FIELDS.len()];
            for (value, text) in values.iter_mut().zip(record.iter().skip(3)) {
                *value = text.parse()?;
            }
            let [case, server] = [0, 1].map(|column| record[column].to_string());
            rows.push(Row { case, server, round: record[2].parse()?, values });
        }
        Ok(Memory(rows))
    }

    /// Writes everything to a file, and above it what machine that was.
    ///
    /// # Errors
    ///
    /// If that is impossible.
    pub fn write(&self, file: &Path) -> Result<()> {
        let mut text = String::new();
        for (key, value) in machine() {
            writeln!(text, "# {key}: {value}")?;
        }
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.write_record(["case", "server", "round"].into_iter().chain(FIELDS))?;
        for row in &self.0 {
            let names = [row.case.clone(), row.server.clone(), row.round.to_string()];
            let values = row.values.map(|value| format!("{value:.0}"));
            writer.write_record(names.into_iter().chain(values))?;
        }
        text.push_str(&String::from_utf8(writer.into_inner()?)?);
        fs::write(file, text).with_context(|| file.display().to_string())
    }

    /// The median of one of [`FIELDS`], in KiB, if it was measured.
    pub fn median(&self, case: &str, server: &str, field: &str) -> Option<f64> {
        let index = FIELDS.iter().position(|name| *name == field)?;
        median(self.of(case, server).map(|row| row.values[index]).collect())
    }

    /// How many KiB more the server has for each client than it had without any: the quartiles.
    pub fn each(&self, case: &str, server: &str) -> Option<[f64; 3]> {
        let clients = ALL.iter().find(|it| it.name == case)?.clients as f64;
        let each = |row: &Row| (row.values[1] - row.values[0]) / clients;
        quartiles(self.of(case, server).map(each).collect())
    }

    /// The names of the servers, in the order in which they were measured.
    pub fn servers(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.0.iter().map(|row| row.server.clone()).collect();
        names.dedup();
        names
    }

    fn of(&self, case: &str, server: &str) -> impl Iterator<Item = &Row> {
        self.0.iter().filter(move |row| row.case == case && row.server == server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let row = |round, full| Row {
            case: "nothing".to_string(),
            server: "a".to_string(),
            round,
            values: [2000.0, full, 3000.0, 9000.0],
        };
        let memory = Memory(vec![row(1, 4000.0), row(2, 9000.0), row(3, 5000.0)]);
        let name = format!("memory-{}.csv", std::process::id());
        let file = std::env::temp_dir().join(name);
        memory.write(&file).unwrap();
        let read = Memory::read(&file).unwrap();
        fs::remove_file(file).unwrap();
        assert_eq!(read, memory);
        assert_eq!(read.servers(), ["a"]);
        assert_eq!(read.median("nothing", "a", "full_kib"), Some(5000.0));
        assert_eq!(read.each("nothing", "a"), Some([2.5, 3.0, 5.0]));
        assert_eq!(read.each("nothing", "b"), None);
    }
}
