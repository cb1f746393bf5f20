//! What the book shows of the measurement: charts, tables, and numbers in its text.
//!
//! All of it is made from the files in `chapters/measured/data/`, and a test compares what is in
//! the book with what would be made. A number in the text is marked like this, and the text of
//! the element is filled in:
//!
//! ```text
//! <data value="ratio ping64 05_epoll tokio">0.99</data>
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::count::{self, Table, calls};
use crate::memory::{self, Memory};
use crate::plots::{About, Line, Lines, Rows, Value, number};
use crate::results::{Results, quartiles};
use crate::scenario;

/// A file of the book, by its path from the repository's root, and what is to be in it.
pub type File = (PathBuf, String);

const FOLDER: &str = "chapters/measured";

/// The pages that have numbers of the measurement in their text.
const PAGES: [&str; 9] = [
    "chapters/02_threads/index.md",
    "chapters/06_async_await/buffers.md",
    "chapters/06_async_await/pin_send.md",
    "chapters/07_io_uring/buffers.md",
    "chapters/measured/index.md",
    "chapters/measured/connections.md",
    "chapters/measured/peers.md",
    "chapters/measured/sizes.md",
    "chapters/appendix/system_calls.md",
];

/// The stages, and who is drawn beside them.
const STAGES: [&str; 7] = [
    "01_blocking",
    "02_threads",
    "03_select",
    "04_scheduler",
    "05_epoll",
    "06_async_await",
    "07_io_uring",
];

/// Everything that was measured and counted.
#[derive(Debug)]
pub struct Measured {
    results: Results,
    counts: Table,
    /// The bare io_uring loop with multishot receives, beside itself without.
    multishot: Results,
    /// Peers whose receives leave in one packet, beside those who need two.
    packets: Results,
    /// What silent connections hold.
    memory: Memory,
}

impl Measured {
    /// Reads what is kept in the repository.
    ///
    /// # Errors
    ///
    /// If it is not there, or cannot be understood.
    pub fn read(root: &Path) -> Result<Measured> {
        let data = root.join(FOLDER).join("data");
        let results = Results::read(&data.join("measured.csv"))?;
        let counts = Table::read(&data.join("counts.csv"))?;
        let multishot = Results::read(&data.join("multishot.csv"))?;
        let packets = Results::read(&data.join("packets.csv"))?;
        let memory = Memory::read(&data.join("memory.csv"))?;
        Ok(Measured { results, counts, multishot, packets, memory })
    }

    /// All files of the book that are made from it, and the pages with their numbers.
    ///
    /// # Errors
    ///
    /// If something that the book speaks of was not measured.
    pub fn files(&self, root: &Path) -> Result<Vec<File>> {
        let mut files = vec![];
        for (about, svg, table) in self.figures()? {
            let place = Path::new(FOLDER);
            files.push((place.join("figures").join(format!("{about}.svg")), svg));
            files.push((place.join("tables").join(format!("{about}.txt")), table));
        }
        let tables = Path::new(FOLDER).join("tables");
        files.push((tables.join("machine.txt"), self.machine()?));
        files.push((tables.join("multishot.txt"), self.multishot()?));
        files.push((tables.join("packets.txt"), self.packets()?));
        for page in PAGES.iter().filter(|page| root.join(page).exists()) {
            let text = fs::read_to_string(root.join(page))?;
            files.push((
                page.into(),
                self.fill_in(&text).with_context(|| page.to_string())?,
            ));
        }
        Ok(files)
    }

    fn machine(&self) -> Result<String> {
        let mut text = String::from("| | |\n|---|---|\n");
        for (key, value) in &self.results.machine {
            writeln!(text, "| {key} | {value} |")?;
        }
        Ok(text)
    }

    fn multishot(&self) -> Result<String> {
        let mut text = String::from("| | multishot |\n|---|---:|\n");
        for name in self.multishot.scenarios() {
            let about = about(&name)?;
            let ratio = self.multishot.ratio(&name, "multishot", "io_uring", "cpu_ns");
            let [low, middle, high] = ratio.context("they were not measured together")?;
            writeln!(text, "| {about} | {middle:.2} ({low:.2} to {high:.2}) |")?;
        }
        Ok(text)
    }

    fn packets(&self) -> Result<String> {
        let mut text = String::from(
            "| | packets, 65,536 bytes | packets, 65,464 bytes | processor time |\n\
             |---|---:|---:|---:|\n",
        );
        for name in self.packets.scenarios() {
            let about = about(&name)?;
            let [two, one] = ["tokio-64k", "tokio-fits"]
                .map(|server| self.packets.median(&name, server, "packets"));
            let (two, one) = two.zip(one).context("they were not measured")?;
            let ratio = self.packets.ratio(&name, "tokio-fits", "tokio-64k", "cpu_ns");
            let [low, middle, high] = ratio.context("they were not measured together")?;
            writeln!(
                text,
                "| {about} | {two:.1} | {one:.1} | {middle:.2} ({low:.2} to {high:.2}) |"
            )?;
        }
        Ok(text)
    }

    /// Fills in the numbers of a page.
    fn fill_in(&self, text: &str) -> Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(START) {
            let (query, after) = after.split_once("\">").context("an open <data> tag")?;
            let (_, after) = after.split_once("</data>").context("an open <data>")?;
            let number = self.answer(query).with_context(|| query.to_string())?;
            write!(filled, "{before}{START}{query}\">{number}</data>")?;
            rest = after;
        }
        Ok(filled + rest)
    }

    /// The number that a `<data>` element asks for.
    fn answer(&self, query: &str) -> Result<String> {
        let words: Vec<&str> = query.split(' ').collect();
        let median = |scenario, server, field| {
            let median = self.results.median(scenario, server, field);
            median.with_context(|| format!("{server} was not measured in {scenario}"))
        };
        Ok(match words[..] {
            ["cpu", scenario, server] => {
                micros(median(scenario, server, "cpu_ns")? / 1000.0)
            }
            ["p50" | "p99" | "p999", scenario, server] => {
                micros(median(scenario, server, &format!("{}_us", words[0]))?)
            }
            ["rate", scenario, server] => number(
                (median(scenario, server, "echoes_per_second")? / 1000.0).round()
                    * 1000.0,
            ),
            ["kernel", scenario, server] => {
                format!("{:.0}", 100.0 * median(scenario, server, "system_share")?)
            }
            ["mib", scenario, server] => {
                number((median(scenario, server, "full_kib")? / 1024.0).round())
            }
            ["kib-each", scenario, server] => {
                let empty = median(scenario, server, "empty_kib")?;
                let full = median(scenario, server, "full_kib")?;
                let load = scenario::ALL.iter().find(|it| it.name == scenario);
                let load = load.context("an unknown scenario")?.load;
                number((full - empty) / (load.clients + load.idle) as f64)
            }
            // Of `memory.csv`, in MiB.
            ["held", case, server, field] => {
                let kib = self.memory.median(case, server, field);
                number((kib.context("it was not measured")? / 1024.0).round())
            }
            ["held-each", case, server] => {
                let each = self.memory.each(case, server);
                number(each.context("it was not measured")?[1])
            }
            ["ratio", scenario, server, base] => {
                let ratio = self.results.ratio(scenario, server, base, "cpu_ns");
                format!("{:.2}", ratio.context("they were not measured together")?[1])
            }
            // Of `packets.csv`.
            ["ratio-one-packet", scenario, server, base] => {
                let ratio = self.packets.ratio(scenario, server, base, "cpu_ns");
                format!("{:.2}", ratio.context("they were not measured together")?[1])
            }
            // How far apart the quartiles of the rounds are, in percent of the median.
            ["spread", field, scenario, server] => {
                let rows = self.results.of(scenario, server);
                percent_apart(quartiles(rows.map(|row| row.get(field)).collect()))?
            }
            ["spread-ratio", scenario, server, base] => {
                percent_apart(self.results.ratio(scenario, server, base, "cpu_ns"))?
            }
            ["machine", ..] => {
                let (_, key) = query.split_once(' ').context("which key?")?;
                let value = self.results.machine.get(key);
                value.context("the machine has no such line")?.clone()
            }
            ["slower", a, b, server] => {
                let [a, b] = [median(a, server, "cpu_ns")?, median(b, server, "cpu_ns")?];
                format!("{:.2}", a / b)
            }
            ["calls", server, clients] => {
                format!("{:.2}", calls(self.counts(server, clients)?))
            }
            ["call", server, clients, name] => {
                let counts = self.counts(server, clients)?;
                format!("{:.2}", counts.get(name).copied().unwrap_or(0.0))
            }
            ["instructions", server, clients] => {
                let counts = self.counts(server, clients)?;
                number(*counts.get("instructions").context("they were not counted")?)
            }
            _ => bail!("what is asked for?"),
        })
    }

    fn counts(&self, server: &str, clients: &str) -> Result<&count::Counts> {
        let counts = self.counts.get(server, clients.parse()?);
        counts.context("it was not counted")
    }

    /// Name, chart and table of each figure.
    fn figures(&self) -> Result<Vec<(&'static str, String, String)>> {
        Ok(vec![
            self.active()?,
            self.idle()?,
            self.memory()?,
            self.latency()?,
            self.system_calls()?,
            self.beside_peers()?,
            self.sizes()?,
            self.held()?,
        ])
    }

    fn active(&self) -> Result<(&'static str, String, String)> {
        let scenarios = ["ping1", "ping4", "ping16", "ping64", "ping256", "ping512"];
        let servers = [
            "02_threads",
            "03_select",
            "04_scheduler",
            "05_epoll",
            "06_async_await",
            "07_io_uring",
            "tokio",
        ];
        let about = About {
            name: "active",
            title: "Processor time of an echo against active connections".to_string(),
            description: "From one to four connections all lines fall but that of the \
                threads; then they are flat, and rise from 256 on. From four \
                connections on, the line of the threads lies above all others."
                .to_string(),
        };
        let micros = |field: f64| field / 1000.0;
        self.lines(about, &scenarios, &servers, "cpu_ns", micros, |chart| Lines {
            x_title: "connections, all of them active",
            y_title: "µs of processor time an echo",
            ..chart
        })
    }

    fn idle(&self) -> Result<(&'static str, String, String)> {
        let scenarios = IDLE;
        let servers = [
            "02_threads",
            "03_select",
            "04_scheduler",
            "05_epoll",
            "06_async_await",
            "07_io_uring",
            "tokio",
        ];
        let about = About {
            name: "idle",
            title: "Processor time of an echo against idle connections".to_string(),
            description: "64 connections are active in all cases. The lines of the two \
                stages with select rise with every idle connection and end at 1,024; \
                those of all others are flat up to 10,064."
                .to_string(),
        };
        let micros = |field: f64| field / 1000.0;
        self.lines(about, &scenarios, &servers, "cpu_ns", micros, |chart| Lines {
            x_title: "connections, 64 of them active",
            y_title: "µs of processor time an echo",
            mark: Some((1024.0, "1,024")),
            ..chart
        })
    }

    fn memory(&self) -> Result<(&'static str, String, String)> {
        let scenarios = IDLE;
        let servers = [
            "02_threads",
            "04_scheduler",
            "05_epoll",
            "06_async_await",
            "07_io_uring",
            "tokio",
        ];
        let about = About {
            name: "memory",
            title: "Memory of the server against connections".to_string(),
            description: "The line of the stage with a thread for each connection rises \
                far more steeply than those of the stages with tasks."
                .to_string(),
        };
        let mib = |field: f64| field / 1024.0;
        self.lines(about, &scenarios, &servers, "full_kib", mib, |chart| Lines {
            x_title: "connections, 64 of them active",
            y_title: "MiB of resident memory",
            log_y: true,
            ..chart
        })
    }

    /// A chart with a line for each server over scenarios that have ever more connections.
    fn lines(
        &self,
        about: About,
        scenarios: &[&str],
        servers: &[&str],
        field: &str,
        unit: impl Fn(f64) -> f64,
        finish: impl FnOnce(Lines) -> Lines,
    ) -> Result<(&'static str, String, String)> {
        let connections = |name: &str| -> Result<f64> {
            let scenario = scenario::ALL.iter().find(|it| it.name == name);
            let load = scenario.context("an unknown scenario")?.load;
            Ok((load.clients + load.idle) as f64)
        };
        let ticks =
            scenarios.iter().map(|it| connections(it)).collect::<Result<Vec<_>>>()?;
        let mut lines = vec![];
        for server in servers {
            let value = |(name, x): (&&str, &f64)| {
                let median = self.results.median(name, server, field)?;
                Some((*x, unit(median)))
            };
            let points: Vec<_> = scenarios.iter().zip(&ticks).filter_map(value).collect();
            if !points.is_empty() {
                let (label, series) = (server.to_string(), series_of(server));
                lines.push(Line { label, series, points });
            }
        }
        let (name, ticks) = (about.name, thin(ticks));
        let chart = Lines {
            about,
            x_title: "",
            y_title: "",
            ticks,
            log_y: false,
            mark: None,
            lines,
        };
        let chart = finish(chart);
        let mut table = String::from("| connections |");
        let all =
            scenarios.iter().map(|it| connections(it)).collect::<Result<Vec<_>>>()?;
        for x in &all {
            write!(table, " {} |", number(*x))?;
        }
        write!(table, "\n|---|{}\n", "---:|".repeat(all.len()))?;
        for Line { label, points, .. } in &chart.lines {
            write!(table, "| {label} |")?;
            for x in &all {
                match points.iter().find(|point| point.0 == *x) {
                    Some((_, value)) => write!(table, " {} |", micros(*value))?,
                    None => table.push_str(" |"),
                }
            }
            table.push('\n');
        }
        Ok((name, chart.svg()?, table))
    }

    fn latency(&self) -> Result<(&'static str, String, String)> {
        let about = About {
            name: "latency",
            title: "Latency with 64 clients".to_string(),
            description: "For each server three points: the median of the latency, and \
                the times within which 99 % and 99.9 % of all echoes are back."
                .to_string(),
        };
        let fields = [("half", "p50_us"), ("99 %", "p99_us"), ("99.9 %", "p999_us")];
        let mut rows = vec![];
        let shown = |it: &String| !it.ends_with("-64k");
        for server in self.results.servers("ping64").into_iter().filter(shown) {
            let value = |(_, field): (&str, &str)| {
                let value = self.results.median("ping64", &server, field).unwrap_or(0.0);
                Value { value, spread: None }
            };
            rows.push((server.clone(), fields.map(value).to_vec()));
        }
        let kinds = fields.map(|(name, _)| format!("{name} are back")).to_vec();
        let x_title = "µs, with 64 clients of 64 bytes";
        let chart =
            Rows { about, x_title, log: true, mark: None, kinds, stacked: false, rows };
        let table = table_of(&chart, micros)?;
        Ok(("latency", chart.svg()?, table))
    }

    fn system_calls(&self) -> Result<(&'static str, String, String)> {
        let groups: [(&str, &[&str]); 4] = [
            ("receive", &["recvfrom"]),
            ("send", &["sendto"]),
            ("wait", &["pselect6", "select", "epoll_wait", "epoll_pwait"]),
            ("io_uring_enter", &["io_uring_enter"]),
        ];
        let about = About {
            name: "system-calls",
            title: "System calls of an echo".to_string(),
            description: "A bar for each stage with one client, and with 64 clients in \
                step: of receives, sends, waits and io_uring_enter. With 64 clients, \
                waits nearly vanish, and stage 07 is hardly to be seen at all."
                .to_string(),
        };
        let mut rows = vec![];
        for clients in [1, 64] {
            for stage in STAGES {
                let Some(counts) = self.counts.get(stage, clients) else { continue };
                let value = |(_, names): (&str, &[&str])| {
                    let found = names.iter().filter_map(|name| counts.get(*name));
                    // (The sum of nothing is -0.)
                    Value { value: found.sum::<f64>() + 0.0, spread: None }
                };
                rows.push((format!("{stage}, {clients}"), groups.map(value).to_vec()));
            }
        }
        let kinds = groups.map(|(name, _)| name.to_string()).to_vec();
        let x_title = "system calls of an echo, with 1 client and with 64";
        let chart =
            Rows { about, x_title, log: false, mark: None, kinds, stacked: true, rows };
        let table = table_of(&chart, |value| format!("{value:.2}"))?;
        Ok(("system-calls", chart.svg()?, table))
    }

    fn beside_peers(&self) -> Result<(&'static str, String, String)> {
        let about = About {
            name: "peers",
            title: "Processor time of an echo, beside tokio's".to_string(),
            description: "A row for each server, with three points: with 1, 64 and 512 \
                clients. To the left of the line it takes less than tokio, to the right \
                of it more."
                .to_string(),
        };
        let scenarios = ["ping1", "ping64", "ping512"];
        let kinds =
            ["1 client", "64 clients", "512 clients"].map(str::to_string).to_vec();
        let rows = self.ratios(&scenarios, |server| {
            !["python", "tokio", "01_blocking", "smol"].contains(&server)
                && !server.ends_with("-64k")
        });
        let x_title = "processor time in parts of tokio's";
        let chart = Rows {
            about,
            x_title,
            log: false,
            mark: Some(1.0),
            kinds,
            stacked: false,
            rows,
        };
        let table = table_of(&chart, |value| format!("{value:.2}"))?;
        Ok(("peers", chart.svg()?, table))
    }

    fn sizes(&self) -> Result<(&'static str, String, String)> {
        let about = About {
            name: "sizes",
            title: "Large messages: the size of a receive".to_string(),
            description: "For each server two points: messages of 16 KiB, and bulk. All \
                that receive up to 64 KiB at a time stand far to the left of those that \
                receive 4 KiB."
                .to_string(),
        };
        let kinds = ["16 KiB messages", "bulk"].map(str::to_string).to_vec();
        let rows = self.ratios(&["16k", "bulk4"], |server| server != "tokio");
        let x_title = "processor time in parts of tokio's with 4 KiB";
        let chart = Rows {
            about,
            x_title,
            log: false,
            mark: Some(1.0),
            kinds,
            stacked: false,
            rows,
        };
        let table = table_of(&chart, |value| format!("{value:.2}"))?;
        Ok(("sizes", chart.svg()?, table))
    }

    fn held(&self) -> Result<(&'static str, String, String)> {
        let about = About {
            name: "held",
            title: "Memory of a connection that is silent".to_string(),
            description: "A row for each server, with three points: nothing was said, \
                1 MiB by each client in turn, and by all at once. In stages 03 to 05 \
                and 07 the first two are at the same place far to the left, and the \
                third further to the right; in stage 06 the second and the third are \
                both at 64 KiB and more."
                .to_string(),
        };
        let cases: Vec<_> = memory::ALL.iter().filter(|it| it.clients == 1000).collect();
        let kinds = cases.iter().map(|case| case.about.to_string()).collect();
        let mut rows = vec![];
        for server in self.memory.servers() {
            let value = |case: &&memory::Case| -> Result<Value> {
                let each = self.memory.each(case.name, &server);
                let [low, value, high] = each.context("it was not measured")?;
                // What is the same each time needs no spread.
                let spread = (case.name == "at-once").then_some((low, high));
                Ok(Value { value, spread })
            };
            let values = cases.iter().map(value).collect::<Result<_>>();
            rows.push((server.clone(), values.context(server)?));
        }
        let x_title = "KiB of resident memory for each of 1,000 silent connections";
        let chart =
            Rows { about, x_title, log: true, mark: None, kinds, stacked: false, rows };
        let table = table_of(&chart, number)?;
        Ok(("held", chart.svg()?, table))
    }

    /// A row for each server: its processor time in parts of tokio's.
    fn ratios(
        &self,
        scenarios: &[&str],
        is_shown: impl Fn(&str) -> bool,
    ) -> Vec<(String, Vec<Value>)> {
        let mut rows = vec![];
        for server in self.results.servers(scenarios[0]) {
            let ratio = |name: &&str| {
                let [low, value, high] =
                    self.results.ratio(name, &server, "tokio", "cpu_ns")?;
                Some(Value { value, spread: Some((low, high)) })
            };
            let values: Option<Vec<Value>> = scenarios.iter().map(ratio).collect();
            if let Some(values) = values.filter(|_| is_shown(&server)) {
                rows.push((server.clone(), values));
            }
        }
        rows
    }
}

/// What is done in a scenario, in words.
fn about(name: &str) -> Result<&'static str> {
    let scenario = scenario::ALL.iter().find(|it| it.name == name);
    Ok(scenario.context("an unknown scenario")?.about)
}

const START: &str = "<data value=\"";

const IDLE: [&str; 8] = [
    "ping64",
    "idle300",
    "idle600",
    "idle900",
    "idle2000",
    "idle4000",
    "idle8000",
    "idle10000",
];

/// A server has the same colour and shape in every chart.
fn series_of(server: &str) -> u8 {
    STAGES.iter().position(|stage| *stage == server).unwrap_or(STAGES.len()) as u8
}

/// Labels that would cover each other are left out.
fn thin(ticks: Vec<f64>) -> Vec<f64> {
    let mut kept: Vec<f64> = vec![];
    for tick in ticks {
        if kept.last().is_none_or(|last| tick / last > 1.35) {
            kept.push(tick);
        }
    }
    kept
}

fn percent_apart(quartiles: Option<[f64; 3]>) -> Result<String> {
    let [low, median, high] = quartiles.context("it was not measured")?;
    let percent = 100.0 * (high - low) / median;
    Ok(if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") })
}

fn table_of(chart: &Rows, number: impl Fn(f64) -> String) -> Result<String> {
    let mut table = String::from("| |");
    for kind in &chart.kinds {
        write!(table, " {kind} |")?;
    }
    write!(table, "\n|---|{}\n", "---:|".repeat(chart.kinds.len()))?;
    for (label, values) in &chart.rows {
        write!(table, "| {label} |")?;
        for value in values {
            match value.spread {
                Some((low, high)) => {
                    let [low, middle, high] = [low, value.value, high].map(&number);
                    write!(table, " {middle} ({low} to {high}) |")?;
                }
                None => write!(table, " {} |", number(value.value))?,
            }
        }
        table.push('\n');
    }
    Ok(table)
}

/// Microseconds, or MiB, with as many digits as they are worth.
fn micros(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.1}"),
        _ => number(value.round()),
    }
}
