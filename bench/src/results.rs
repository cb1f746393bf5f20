//! What was measured, as a CSV file: a line for each server in each scenario in each round, and
//! above them what machine that was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::loopback;

/// One server in one scenario in one round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The name of the scenario.
    pub scenario: String,
    /// The name of the server.
    pub server: String,
    /// 1 and up.
    pub round: usize,
    /// What was measured, by the names of [`FIELDS`].
    pub values: [f64; FIELDS.len()],
}

/// What is measured, and in which unit. "An echo" is one message, or one short connection.
pub const FIELDS: [&str; 12] = [
    // Echoes that came back, and in how much time.
    "echoes",
    "seconds",
    // The server's processor time an echo, and how much of it was the kernel's.
    "cpu_ns",
    "system_share",
    // Context switches an echo.
    "switches",
    // Packets an echo, of both sides together.
    "packets",
    // Latency.
    "p50_us",
    "p99_us",
    "p999_us",
    // Resident memory, without a client and with all of them; threads with all of them.
    "empty_kib",
    "full_kib",
    "threads",
];

impl Row {
    /// The value of one of [`FIELDS`], or of `echoes_per_second`.
    ///
    /// # Panics
    ///
    /// If there is no such field.
    pub fn get(&self, field: &str) -> f64 {
        if field == "echoes_per_second" {
            return self.get("echoes") / self.get("seconds");
        }
        let index = FIELDS.iter().position(|name| *name == field);
        self.values[index.unwrap_or_else(|| panic!("there is no field {field}"))]
    }
}

/// All that has been measured.
#[derive(Clone, Debug, Default)]
pub struct Results {
    /// What machine that was, and when.
    pub machine: BTreeMap<String, String>,
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
}

impl Results {
    /// Reads a file that [`write`](Results::write) has written.
    ///
    /// # Errors
    ///
    /// If it is not there, or is not such a file.
    pub fn read(file: &Path) -> Result<Results> {
        let text =
            fs::read_to_string(file).with_context(|| file.display().to_string())?;
        Results::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Results> {
        let mut results = Results::default();
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let (key, value) = line.split_once(": ").context("what is this comment?")?;
            results.machine.insert(key.to_string(), value.to_string());
        }
        let mut reader =
            csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let header = ["scenario", "server", "round"].into_iter().chain(FIELDS);
        ensure!(reader.headers()?.iter().eq(header), "these are other columns");
        for record in reader.records() {
            let record = record?;
            let mut row = Row {
                scenario: record[0].to_string(),
                server: record[1].to_string(),
                round: record[2].parse()?,
                ..Row::default()
            };
            for (value, text) in row.values.iter_mut().zip(record.iter().skip(3)) {
                *value = text.parse()?;
            }
            results.rows.push(row);
        }
        Ok(results)
    }

    /// Writes everything to a file.
    ///
    /// # Errors
    ///
    /// If that is impossible.
    pub fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, self.text()?).with_context(|| file.display().to_string())
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        for (key, value) in &self.machine {
            writeln!(text, "# {key}: {value}")?;
        }
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.write_record(["scenario", "server", "round"].into_iter().chain(FIELDS))?;
        for row in &self.rows {
            let names = [row.scenario.clone(), row.server.clone(), row.round.to_string()];
            writer.write_record(names.into_iter().chain(row.values.map(short)))?;
        }
        text.push_str(&String::from_utf8(writer.into_inner()?)?);
        Ok(text)
    }

    /// The rows of a server in a scenario.
    pub fn of(&self, scenario: &str, server: &str) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(move |row| row.scenario == scenario && row.server == server)
    }

    /// The median of a field over the rounds, if it was measured.
    pub fn median(&self, scenario: &str, server: &str, field: &str) -> Option<f64> {
        median(self.of(scenario, server).map(|row| row.get(field)).collect())
    }

    /// A field of one server in parts of another's: the ratio of each round, in which they ran
    /// one after the other, and of these the quartiles.
    pub fn ratio(
        &self,
        scenario: &str,
        server: &str,
        base: &str,
        field: &str,
    ) -> Option<[f64; 3]> {
        let ratios: Vec<f64> = self
            .of(scenario, server)
            .filter_map(|row| {
                let base =
                    self.of(scenario, base).find(|other| other.round == row.round)?;
                Some(row.get(field) / base.get(field))
            })
            .collect();
        quartiles(ratios)
    }

    /// The names of the scenarios, in the order in which they were measured.
    pub fn scenarios(&self) -> Vec<String> {
        unique(self.rows.iter().map(|row| &row.scenario))
    }

    /// The names of the servers in a scenario, in the order in which they were measured.
    pub fn servers(&self, scenario: &str) -> Vec<String> {
        let rows = self.rows.iter().filter(|row| row.scenario == scenario);
        unique(rows.map(|row| &row.server))
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for name in names {
        if !found.contains(name) {
            found.push(name.clone());
        }
    }
    found
}

/// Four digits are more than any of these numbers is worth.
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_string();
    }
    let digits = (3 - value.abs().log10().floor() as i32).max(0) as usize;
    format!("{value:.digits$}")
}

/// The middle one, or the middle between the two.
pub fn median(values: Vec<f64>) -> Option<f64> {
    quartiles(values).map(|[_, median, _]| median)
}

/// The values at a quarter, a half and three quarters of the way from the least to the most.
pub fn quartiles(mut values: Vec<f64>) -> Option<[f64; 3]> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some([0.25, 0.5, 0.75].map(|part| {
        let place = part * last as f64;
        let (below, above) =
            (values[place.floor() as usize], values[place.ceil() as usize]);
        below + (above - below) * place.fract()
    }))
}

/// What this machine is.
pub fn machine() -> BTreeMap<String, String> {
    let mut machine = BTreeMap::new();
    let mut note = |key: &str, value: String| {
        machine.insert(key.to_string(), value.trim().to_string());
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("?", |(_, value)| value)
    };
    note("processor", field("model name").to_string());
    // Not what this process may use: it is pinned to one of them.
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    note("cores", cores.to_string());
    let is_virtual = field("flags").split(' ').any(|flag| flag == "hypervisor");
    note("virtual machine", if is_virtual { "yes" } else { "no" }.to_string());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: Option<f64> =
        memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
    note("memory", format!("{:.0} GiB", kib.unwrap_or_default() / 1024.0 / 1024.0));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let own = if loopback::is_own() { "its own" } else { "the machine's" };
    note("loopback", own.to_string());
    let control = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    note("congestion control", control.unwrap_or_default());
    note("kernel", format!("Linux {}", release.split('-').next().unwrap_or("?")));
    note("compiler", said_by("rustc", &["--version"]));
    note("date", said_by("date", &["-u", "+%Y-%m-%d"]));
    machine
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).to_string());
    text.unwrap_or_else(|_| "?".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(server: &str, round: usize, cpu: f64) -> Row {
        let mut row = Row {
            scenario: "ping".to_string(),
            server: server.to_string(),
            round,
            ..Row::default()
        };
        row.values[2] = cpu;
        row
    }

    #[test]
    fn what_is_written_is_read() {
        let mut results = Results { machine: machine(), rows: vec![row("a", 1, 1234.0)] };
        results.rows.push(row("b", 2, 0.125));
        let read = Results::parse(&results.text().unwrap()).unwrap();
        assert_eq!(read.rows, results.rows);
        assert_eq!(read.machine, results.machine);
        assert_eq!(read.servers("ping"), ["a", "b"]);
    }

    #[test]
    fn a_ratio_compares_neighbours() {
        let mut results = Results::default();
        // The machine is three times slower in the second round.
        for (round, slow) in [(1, 1.0), (2, 3.0), (3, 1.0)] {
            results.rows.push(row("ours", round, 50.0 * slow));
            results.rows.push(row("theirs", round, 100.0 * slow));
        }
        assert_eq!(results.ratio("ping", "ours", "theirs", "cpu_ns"), Some([0.5; 3]));
        assert_eq!(results.median("ping", "theirs", "cpu_ns"), Some(100.0));
        assert_eq!(results.median("ping", "nobody", "cpu_ns"), None);
    }

    #[test]
    fn quartiles_of_few() {
        assert_eq!(quartiles(vec![]), None);
        assert_eq!(quartiles(vec![7.0]), Some([7.0; 3]));
        assert_eq!(quartiles(vec![3.0, 1.0, 2.0]), Some([1.5, 2.0, 2.5]));
    }

    #[test]
    fn four_digits() {
        assert_eq!(short(123456.7), "123457");
        assert_eq!(short(12.34567), "12.35");
        assert_eq!(short(0.0123456), "0.01235");
        assert_eq!(short(0.0), "0");
    }
}
