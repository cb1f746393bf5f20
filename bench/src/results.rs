//! What was measured, as a CSV file: a line for each server in each scenario in each round, and
//! above them what machine that was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use procfs::{CpuInfo, Current, Meminfo};
use serde::Deserialize;

use crate::loopback;

/// One server in one scenario in one round.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Row {
    /// The name of the scenario.
    pub scenario: String,
    /// The name of the server.
    pub server: String,
    /// 1 and up.
    pub round: usize,
    /// What was measured, in the order of the results' fields.
    pub values: Vec<f64>,
}

/// All that has been measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// What machine that was, and when.
    pub machine: BTreeMap<String, String>,
    /// What is measured.
    pub fields: Vec<String>,
    /// In the order in which they were measured.
    pub rows: Vec<Row>,
}

impl Results {
    /// None yet.
    pub fn of_this_machine() -> Results {
        Results { machine: machine(), fields: vec![], rows: vec![] }
    }

    /// Adds what was measured of a server, by the names of the fields, which are the same in
    /// all rows.
    pub fn add(
        &mut self,
        scenario: &str,
        server: &str,
        round: usize,
        values: &[(&str, f64)],
    ) {
        self.fields = values.iter().map(|(field, _)| field.to_string()).collect();
        let values = values.iter().map(|(_, value)| *value).collect();
        let (scenario, server) = (scenario.to_string(), server.to_string());
        self.rows.push(Row { scenario, server, round, values });
    }

    /// Reads a file that [`write`](Results::write) has written.
    pub fn read(file: &Path) -> Result<Results> {
        let text = fs::read_to_string(file).context(file.display().to_string())?;
        Results::parse(&text).context(file.display().to_string())
    }

    fn parse(text: &str) -> Result<Results> {
        let mut machine = BTreeMap::new();
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            let (key, value) = line.split_once(": ").context("what is this comment?")?;
            machine.insert(key.to_string(), value.to_string());
        }
        let mut reader =
            csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let fields = reader.headers()?.iter().skip(3).map(str::to_string).collect();
        let rows = reader.records().map(|record| record?.deserialize(None));
        Ok(Results { machine, fields, rows: rows.collect::<csv::Result<_>>()? })
    }

    /// Writes everything to a file.
    pub fn write(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, self.text()?).context(file.display().to_string())
    }

    fn text(&self) -> Result<String> {
        let mut text = String::new();
        for (key, value) in &self.machine {
            writeln!(text, "# {key}: {value}")?;
        }
        let mut writer = csv::Writer::from_writer(vec![]);
        writer.serialize(("scenario", "server", "round", &self.fields))?;
        for Row { scenario, server, round, values } in &self.rows {
            let values: Vec<String> = values.iter().copied().map(short).collect();
            writer.serialize((scenario, server, round, values))?;
        }
        Ok(text + &String::from_utf8(writer.into_inner()?)?)
    }

    /// Adds what was measured now; it takes the place of what was measured before of the same
    /// servers in the same scenarios.
    pub fn merge(&mut self, mut new: Results) -> Result<()> {
        ensure!(self.fields == new.fields, "these are other columns");
        let is_new = |old: &Row| new.of(&old.scenario, &old.server).next().is_some();
        self.rows.retain(|old| !is_new(old));
        self.rows.append(&mut new.rows);
        self.machine = new.machine;
        Ok(())
    }

    /// The value of a field, or of `echoes_per_second`.
    ///
    /// # Panics
    ///
    /// If there is no such field.
    pub fn value(&self, row: &Row, field: &str) -> f64 {
        if field == "echoes_per_second" {
            return self.value(row, "echoes") / self.value(row, "seconds");
        }
        let index = self.fields.iter().position(|name| *name == field);
        row.values[index.unwrap_or_else(|| panic!("there is no field {field}"))]
    }

    /// The rows of a server in a scenario.
    pub fn of(&self, scenario: &str, server: &str) -> impl Iterator<Item = &Row> {
        self.rows
            .iter()
            .filter(move |row| row.scenario == scenario && row.server == server)
    }

    /// The quartiles of a field over the rounds, if it was measured.
    pub fn quartiles(
        &self,
        scenario: &str,
        server: &str,
        field: &str,
    ) -> Option<[f64; 3]> {
        let rows = self.of(scenario, server);
        quartiles(rows.map(|row| self.value(row, field)).collect())
    }

    /// The median of a field over the rounds, if it was measured.
    pub fn median(&self, scenario: &str, server: &str, field: &str) -> Option<f64> {
        self.quartiles(scenario, server, field).map(|[_, median, _]| median)
    }

    /// The processor time of one server in parts of another's: the ratio of each round, in which
    /// they ran one after the other, and of these the quartiles.
    pub fn ratio(&self, scenario: &str, server: &str, base: &str) -> Option<[f64; 3]> {
        let cpu = |row: &Row| self.value(row, "cpu_ns");
        let ratio = |row: &Row| {
            let base = self.of(scenario, base).find(|other| other.round == row.round)?;
            Some(cpu(row) / cpu(base))
        };
        quartiles(self.of(scenario, server).filter_map(ratio).collect())
    }

    /// The names of the scenarios, in the order in which they were measured.
    pub fn scenarios(&self) -> Vec<&str> {
        unique(self.rows.iter().map(|row| &*row.scenario))
    }

    /// The names of the servers in a scenario, in the order in which they were measured.
    pub fn servers(&self, scenario: &str) -> Vec<&str> {
        let rows = self.rows.iter().filter(|row| row.scenario == scenario);
        unique(rows.map(|row| &*row.server))
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = vec![];
    for name in names {
        if !found.contains(&name) {
            found.push(name);
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
fn machine() -> BTreeMap<String, String> {
    let unknown = || "?".to_string();
    let cpu = CpuInfo::current().ok();
    let model = cpu.as_ref().and_then(|cpu| cpu.model_name(0)).map(str::to_string);
    let flags = cpu.as_ref().and_then(|cpu| cpu.flags(0)).unwrap_or_default();
    let is_virtual = flags.contains(&"hypervisor");
    // Not what this process may use: it is pinned to one of them.
    let cores = cpu.as_ref().map(|cpu| cpu.num_cores().to_string());
    let memory = Meminfo::current().map(|it| it.mem_total as f64).unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim().split('-').next().unwrap_or("?");
    let control = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control");
    let own = if loopback::is_own() { "its own" } else { "the machine's" };
    let facts = [
        ("processor", model.unwrap_or_else(unknown)),
        ("cores", cores.unwrap_or_else(unknown)),
        ("virtual machine", if is_virtual { "yes" } else { "no" }.to_string()),
        ("memory", format!("{:.0} GiB", memory / f64::from(1 << 30))),
        ("loopback", own.to_string()),
        ("congestion control", control.unwrap_or_default().trim().to_string()),
        ("kernel", format!("Linux {release}")),
        ("compiler", said_by("rustc", &["--version"])),
        ("date", said_by("date", &["-u", "+%Y-%m-%d"])),
    ];
    facts.map(|(key, value)| (key.to_string(), value)).into()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_string());
    text.unwrap_or_else(|_| "?".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(rows: &[(&str, usize, f64)]) -> Results {
        let mut results = Results::of_this_machine();
        for &(server, round, cpu) in rows {
            results.add("ping", server, round, &[("cpu_ns", cpu), ("threads", 1.0)]);
        }
        results
    }

    #[test]
    fn what_is_written_is_read() {
        let results = results(&[("a", 1, 1234.0), ("b", 2, 0.125)]);
        let read = Results::parse(&results.text().unwrap()).unwrap();
        assert_eq!(read, results);
        assert_eq!(read.servers("ping"), ["a", "b"]);
        assert!(Results::parse("scenario,server,round,cpu_ns\nping,a,1,much\n").is_err());
    }

    #[test]
    fn a_ratio_compares_neighbours() {
        // The machine is three times slower in the second round.
        let rows = [(1, 1.0), (2, 3.0), (3, 1.0)].map(|(round, slow)| {
            [("ours", round, 50.0 * slow), ("theirs", round, 100.0 * slow)]
        });
        let results = results(&rows.concat());
        assert_eq!(results.ratio("ping", "ours", "theirs"), Some([0.5; 3]));
        assert_eq!(results.median("ping", "theirs", "cpu_ns"), Some(100.0));
        assert_eq!(results.median("ping", "nobody", "cpu_ns"), None);
    }

    #[test]
    fn what_is_new_takes_the_place_of_what_is_old() {
        let mut merged = results(&[("a", 1, 1.0), ("a", 2, 1.0), ("b", 1, 2.0)]);
        merged.merge(results(&[("a", 1, 7.0)])).unwrap();
        assert_eq!(merged, results(&[("b", 1, 2.0), ("a", 1, 7.0)]));
        let mut other = Results::of_this_machine();
        other.add("ping", "a", 1, &[("threads", 1.0)]);
        assert!(merged.merge(other).is_err());
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
