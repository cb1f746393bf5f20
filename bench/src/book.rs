//! What the book shows of the measurement: charts, tables, and numbers in its text.
//!
//! All of it is made from the files in `chapters/measured/data/`, and a test compares what is in
//! the book with what would be made. A number in the text is marked like this, and the text of
//! the element is filled in:
//!
//! ```text
//! <data value="ratio ping64 05_epoll tokio">0.99</data>
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::count::{self, Counts, Table, calls};
use crate::memory::{self, Case};
use crate::plots::{Figure, Form, PLAIN, Value, number};
use crate::results::Results;
use crate::scenario::{self, Scenario};
use crate::server::STAGES;

/// A file of the book, by its path from the repository's root, and what is to be in it.
pub type File = (PathBuf, String);

const FOLDER: &str = "chapters/measured";

/// The pages that have numbers of the measurement in their text.
const PAGES: [&str; 12] = [
    "chapters/02_threads/cost.md",
    "chapters/06_async_await/buffers.md",
    "chapters/06_async_await/pin_send.md",
    "chapters/07_io_uring/buffers.md",
    "chapters/07_io_uring/round.md",
    "chapters/measured/index.md",
    "chapters/measured/connections.md",
    "chapters/measured/memory.md",
    "chapters/measured/peers.md",
    "chapters/measured/plain.md",
    "chapters/measured/sizes.md",
    "chapters/appendix/system_calls.md",
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
    memory: Results,
    /// The stages with 64 clients, as they were when their code had been written for speed.
    before: Results,
    /// The instructions of an echo at that time.
    before_counts: Table,
}

impl Measured {
    /// Reads what is kept in the repository.
    pub fn read(root: &Path) -> Result<Measured> {
        let data = root.join(FOLDER).join("data");
        let results = |name| Results::read(&data.join(name));
        Ok(Measured {
            results: results("measured.csv")?,
            counts: count::read(&data.join("counts.csv"))?,
            multishot: results("multishot.csv")?,
            packets: results("packets.csv")?,
            memory: results("memory.csv")?,
            before: results("before.csv")?,
            before_counts: count::read(&data.join("before_counts.csv"))?,
        })
    }

    /// All files of the book that are made from it, and the pages with their numbers.
    ///
    /// # Errors
    ///
    /// If something that the book speaks of was not measured.
    pub fn files(&self, root: &Path) -> Result<Vec<File>> {
        let mut files = vec![];
        let mut add =
            |name: String, text| files.push((Path::new(FOLDER).join(name), text));
        for figure in self.figures()? {
            add(format!("figures/{}.svg", figure.name), figure.svg());
            add(format!("tables/{}.txt", figure.name), figure.table());
        }
        add("tables/machine.txt".to_string(), self.machine());
        add("tables/multishot.txt".to_string(), self.multishot()?);
        add("tables/packets.txt".to_string(), self.packets()?);
        for page in PAGES {
            let text = fs::read_to_string(root.join(page))?;
            files.push((page.into(), self.fill_in(&text).context(page)?));
        }
        Ok(files)
    }

    fn machine(&self) -> String {
        let line = |(key, value)| format!("| {key} | {value} |\n");
        let lines: String = self.results.machine.iter().map(line).collect();
        format!("| | |\n|---|---|\n{lines}")
    }

    fn multishot(&self) -> Result<String> {
        let mut text = String::from("| | multishot |\n|---|---:|\n");
        for name in self.multishot.scenarios() {
            let about = scenario(name)?.about;
            let ratio = self.multishot.ratio(name, "multishot", "io_uring");
            let [low, middle, high] = ratio.context(NOT_TOGETHER)?;
            text += &format!("| {about} | {middle:.2} ({low:.2} to {high:.2}) |\n");
        }
        Ok(text)
    }

    fn packets(&self) -> Result<String> {
        let mut text = String::from(
            "| | packets, 65,536 bytes | packets, 65,464 bytes | processor time |\n\
             |---|---:|---:|---:|\n",
        );
        for name in self.packets.scenarios() {
            let about = scenario(name)?.about;
            let packets = |server| {
                self.packets.median(name, server, "packets").context(NOT_MEASURED)
            };
            let (two, one) = (packets("tokio-64k")?, packets("tokio-fits")?);
            let ratio = self.packets.ratio(name, "tokio-fits", "tokio-64k");
            let [low, middle, high] = ratio.context(NOT_TOGETHER)?;
            let ratio = format!("{middle:.2} ({low:.2} to {high:.2})");
            text += &format!("| {about} | {two:.1} | {one:.1} | {ratio} |\n");
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
            filled += &format!("{before}{START}{query}\">{number}</data>");
            rest = after;
        }
        Ok(filled + rest)
    }

    /// The number that a `<data>` element asks for.
    fn answer(&self, query: &str) -> Result<String> {
        let words: Vec<&str> = query.split(' ').collect();
        let median = |scenario, server, field| {
            self.results.median(scenario, server, field).context(NOT_MEASURED)
        };
        let ratio = |results: &Results, scenario, server, base| {
            results.ratio(scenario, server, base).context(NOT_TOGETHER)
        };
        Ok(match words[..] {
            ["cpu", scenario, server] => {
                micros(median(scenario, server, "cpu_ns")? / 1000.0)
            }
            ["p99", scenario, server] => micros(median(scenario, server, "p99_us")?),
            ["p999", scenario, server] => micros(median(scenario, server, "p999_us")?),
            ["kernel", scenario, server] => {
                format!("{:.0}", 100.0 * median(scenario, server, "system_share")?)
            }
            ["mib", scenario, server] => {
                number((median(scenario, server, "full_kib")? / 1024.0).round())
            }
            ["kib-each", name, server] => {
                let empty = median(name, server, "empty_kib")?;
                let full = median(name, server, "full_kib")?;
                number((full - empty) / scenario(name)?.connections() as f64)
            }
            // Of `memory.csv`, in MiB.
            ["held", case, server, field] => {
                let kib = self.memory.median(case, server, field);
                number((kib.context(NOT_MEASURED)? / 1024.0).round())
            }
            ["held-each", case, server] => {
                let case = memory::ALL.iter().find(|it| it.name == case);
                number(self.held_each(case.context("an unknown case")?, server)?[1])
            }
            ["ratio", scenario, server, base] => {
                format!("{:.2}", ratio(&self.results, scenario, server, base)?[1])
            }
            // Of `packets.csv`.
            ["ratio-one-packet", scenario, server, base] => {
                format!("{:.2}", ratio(&self.packets, scenario, server, base)?[1])
            }
            // How far apart the quartiles of the rounds are, in percent of the median.
            ["spread", field, scenario, server] => {
                let quartiles = self.results.quartiles(scenario, server, field);
                percent_apart(quartiles.context(NOT_MEASURED)?)
            }
            ["spread-ratio", scenario, server, base] => {
                percent_apart(ratio(&self.results, scenario, server, base)?)
            }
            // Of `before.csv` and `before_counts.csv`.
            ["ratio-before", server] => {
                format!("{:.2}", ratio(&self.before, "ping64", server, "tokio")?[1])
            }
            ["instructions-before", server] => {
                number(instructions(counts(&self.before_counts, server, "64")?)?)
            }
            ["times-instructions-before", server] => {
                format!("{:.1}", self.beside_before(server)?.0)
            }
            ["slower", a, b, server] => {
                let [a, b] = [median(a, server, "cpu_ns")?, median(b, server, "cpu_ns")?];
                format!("{:.2}", a / b)
            }
            ["calls", server, clients] => {
                format!("{:.2}", calls(counts(&self.counts, server, clients)?))
            }
            ["call", server, clients, name] => {
                let counts = counts(&self.counts, server, clients)?;
                format!("{:.2}", counts.get(name).copied().unwrap_or(0.0))
            }
            ["instructions", server, clients] => {
                number(instructions(counts(&self.counts, server, clients)?)?)
            }
            _ => bail!("what is asked for?"),
        })
    }

    /// A stage's instructions in parts of those that it had before, and its processor time
    /// beside tokio's in parts of what that was: the quartiles are those of the rounds now.
    fn beside_before(&self, server: &str) -> Result<(f64, [f64; 3])> {
        let now = instructions(counts(&self.counts, server, "64")?)?;
        let before = instructions(counts(&self.before_counts, server, "64")?)?;
        let ratio = |results: &Results| results.ratio("ping64", server, "tokio");
        let [_, middle, _] = ratio(&self.before).context(NOT_TOGETHER)?;
        let time = ratio(&self.results).context(NOT_TOGETHER)?;
        Ok((now / before, time.map(|it| it / middle)))
    }

    fn held_each(&self, case: &Case, server: &str) -> Result<[f64; 3]> {
        memory::each(&self.memory, case, server).context(NOT_MEASURED)
    }

    fn figures(&self) -> Result<Vec<Figure>> {
        Ok(vec![
            self.noise()?,
            self.plain()?,
            self.active()?,
            self.idle()?,
            self.memory()?,
            self.latency(),
            self.system_calls(),
            self.peers(),
            self.sizes(),
            self.held()?,
        ])
    }

    fn noise(&self) -> Result<Figure> {
        let of = |field| {
            let quartiles = self.results.quartiles("ping64", "05_epoll", field);
            quartiles.context(NOT_MEASURED)
        };
        let ratio = self.results.ratio("ping64", "05_epoll", "tokio");
        let rows = [
            ("echoes a second", of("echoes_per_second")?),
            ("99.9 % are back", of("p999_us")?),
            ("processor time", of("cpu_ns")?),
            ("… beside tokio's", ratio.context(NOT_TOGETHER)?),
        ];
        let row = |(label, [low, median, high]): (&str, [f64; 3])| {
            let value = 100.0 * (high - low) / median;
            (label.to_string(), vec![Some(Value { value, spread: None })])
        };
        let calls = ("system calls".to_string(), vec![Some(ZERO)]);
        Ok(Figure {
            name: "noise",
            title: "How far the rounds of one measurement are apart",
            description: "A bar for each figure of one server. Those for echoes a second, \
                for the latency and for the processor time are long, that for the \
                processor time beside another server's is short, and there is none for \
                the system calls.",
            x_title: "the middle half of the rounds, in % of their median",
            form: Form::Bars,
            columns: strings(["apart, in %"]),
            rows: rows.into_iter().map(row).chain([calls]).collect(),
            number: |value| format!("{value:.1}"),
            ..PLAIN
        })
    }

    fn plain(&self) -> Result<Figure> {
        let row = |server: &str| {
            let (instructions, [low, value, high]) = self.beside_before(server)?;
            let instructions = Value { value: instructions, spread: None };
            let time = Value { value, spread: Some((low, high)) };
            Ok((server.to_string(), vec![Some(instructions), Some(time)]))
        };
        let servers = ["04_scheduler", "05_epoll", "06_async_await"];
        Ok(Figure {
            name: "plain",
            title: "What the plain code costs, beside the code that was written for speed",
            description: "Two points for each stage. The one for its instructions is far \
                to the right of the line at 1, which means “as before”; the one for its \
                processor time is close to that line.",
            x_title: "an echo with 64 clients, in parts of what it took before",
            form: Form::Points { mark: Some(1.0) },
            columns: strings(["instructions", "processor time"]),
            rows: servers.into_iter().map(row).collect::<Result<_>>()?,
            ..PLAIN
        })
    }

    fn active(&self) -> Result<Figure> {
        let scenarios = ["ping1", "ping4", "ping16", "ping64", "ping256", "ping512"];
        let figure = self.lines("cpu_ns", 1000.0, &scenarios)?;
        Ok(Figure {
            name: "active",
            title: "Processor time of an echo against active connections",
            description: "From one connection to sixteen, the lines of the stages with \
                one thread fall. Then they are flat, and rise at the right edge. From \
                four connections on, the line of the threads is above all others, and \
                far above them at the right edge.",
            x_title: "connections, all of them active",
            ..figure
        })
    }

    fn idle(&self) -> Result<Figure> {
        let mut figure = self.lines("cpu_ns", 1000.0, &IDLE)?;
        if let Form::Lines { limit, .. } = &mut figure.form {
            *limit = Some((1024.0, "1,024"));
        }
        Ok(Figure {
            name: "idle",
            title: "Processor time of an echo against idle connections",
            description: "64 connections are active in all cases. The lines of the two \
                stages with select rise with every idle connection and end at 1,024; \
                those of all others are flat.",
            ..figure
        })
    }

    fn memory(&self) -> Result<Figure> {
        let mut figure = self.lines("full_kib", 1024.0, &IDLE)?;
        if let Form::Lines { y_title, .. } = &mut figure.form {
            *y_title = "MiB of resident memory";
        }
        figure.rows.retain(|(server, _)| server != "03_select");
        Ok(Figure {
            name: "memory",
            title: "Memory of the server against connections",
            description: "The line of the stage with a thread for each connection rises \
                far more steeply than those of the stages with tasks.",
            log: true,
            ..figure
        })
    }

    /// A line for each stage that serves more than one client, and for tokio, over scenarios
    /// that have ever more connections.
    fn lines(&self, field: &str, unit: f64, scenarios: &[&str]) -> Result<Figure> {
        let connections = |name: &&str| Ok(scenario(name)?.connections() as f64);
        let x = scenarios.iter().map(connections).collect::<Result<Vec<_>>>()?;
        let row = |server: &&str| {
            let value = |name: &&str| {
                let median = self.results.median(name, server, field)?;
                Some(Value { value: median / unit, spread: None })
            };
            (server.to_string(), scenarios.iter().map(value).collect())
        };
        Ok(Figure {
            x_title: "connections, 64 of them active",
            columns: x.iter().copied().map(number).collect(),
            rows: STAGES[1..].iter().chain(&["tokio"]).map(row).collect(),
            number: micros,
            form: Form::Lines {
                y_title: "µs of processor time an echo", x, limit: None
            },
            ..PLAIN
        })
    }

    fn latency(&self) -> Figure {
        let fields = ["p50_us", "p99_us", "p999_us"];
        let row = |server: &str| {
            let value = |field| {
                let value = self.results.median("ping64", server, field)?;
                Some(Value { value, spread: None })
            };
            (server.to_string(), fields.map(value).to_vec())
        };
        let servers = self.results.servers("ping64").into_iter();
        Figure {
            name: "latency",
            title: "Latency with 64 clients",
            description: "For each server three points: the median of the latency, and \
                the times within which 99 % and 99.9 % of all echoes are back.",
            x_title: "µs, with 64 clients of 64 bytes",
            log: true,
            columns: strings(["half are back", "99 % are back", "99.9 % are back"]),
            rows: servers.filter(|it| !it.ends_with("-64k")).map(row).collect(),
            number: micros,
            ..PLAIN
        }
    }

    fn system_calls(&self) -> Figure {
        let groups: [&[&str]; 4] = [
            &["recvfrom"],
            &["sendto"],
            &["pselect6", "select", "epoll_wait", "epoll_pwait"],
            &["io_uring_enter"],
        ];
        let mut rows = vec![];
        for (clients, stage) in [1, 64].iter().flat_map(|it| STAGES.map(|to| (*it, to))) {
            let Some(counts) = self.counts.get(&(stage.to_string(), clients)) else {
                continue;
            };
            let value = |names: &[&str]| {
                let found = names.iter().filter_map(|name| counts.get(*name));
                // (The sum of nothing is -0.)
                Some(Value { value: found.sum::<f64>() + 0.0, spread: None })
            };
            rows.push((format!("{stage}, {clients}"), groups.map(value).to_vec()));
        }
        Figure {
            name: "system-calls",
            title: "System calls of an echo",
            description: "A bar for each stage with one client, and with 64 clients in \
                step: of receives, sends, waits and io_uring_enter. With 64 clients, \
                waits nearly vanish, and stage 07 is hardly to be seen at all.",
            x_title: "system calls of an echo, with 1 client and with 64",
            form: Form::Bars,
            columns: strings(["receive", "send", "wait", "io_uring_enter"]),
            rows,
            ..PLAIN
        }
    }

    fn peers(&self) -> Figure {
        let mut figure = self.ratios(&["ping1", "ping64", "ping512"]);
        let hidden = ["python", "tokio", "01_blocking", "smol"];
        figure
            .rows
            .retain(|(it, _)| !hidden.contains(&it.as_str()) && !it.ends_with("-64k"));
        Figure {
            name: "peers",
            title: "Processor time of an echo, beside tokio's",
            description: "A row for each server, with three points: with 1, 64 and 512 \
                clients. To the left of the line it takes less than tokio, to the right \
                of it more.",
            x_title: "processor time in parts of tokio's",
            columns: strings(["1 client", "64 clients", "512 clients"]),
            ..figure
        }
    }

    fn sizes(&self) -> Figure {
        let mut figure = self.ratios(&["16k", "bulk4"]);
        figure.rows.retain(|(server, _)| server != "tokio");
        Figure {
            name: "sizes",
            title: "Large messages: the size of a receive",
            description: "For each server two points: messages of 16 KiB, and bulk. All \
                that receive up to 64 KiB at a time stand far to the left of those that \
                receive 4 KiB.",
            x_title: "processor time in parts of tokio's with 4 KiB",
            columns: strings(["16 KiB messages", "bulk"]),
            ..figure
        }
    }

    /// Points for each server that was measured in all of the scenarios: its processor time in
    /// parts of tokio's.
    fn ratios(&self, scenarios: &[&str]) -> Figure {
        let row = |server: &str| {
            let ratio = |name: &&str| {
                let [low, value, high] = self.results.ratio(name, server, "tokio")?;
                Some(Some(Value { value, spread: Some((low, high)) }))
            };
            let values = scenarios.iter().map(ratio).collect::<Option<_>>()?;
            Some((server.to_string(), values))
        };
        Figure {
            form: Form::Points { mark: Some(1.0) },
            rows: self
                .results
                .servers(scenarios[0])
                .into_iter()
                .filter_map(row)
                .collect(),
            ..PLAIN
        }
    }

    fn held(&self) -> Result<Figure> {
        let cases: Vec<_> = memory::ALL.iter().filter(|it| it.clients == 1000).collect();
        let row = |server: &str| {
            let value = |case: &&Case| {
                let [low, value, high] = self.held_each(case, server)?;
                // What is the same each time needs no spread.
                let spread = (case.name == "at-once").then_some((low, high));
                Ok(Some(Value { value, spread }))
            };
            Ok((server.to_string(), cases.iter().map(value).collect::<Result<_>>()?))
        };
        let servers = self.memory.servers("nothing").into_iter();
        Ok(Figure {
            name: "held",
            title: "Memory of a connection that is silent",
            description: "A row for each server, with three points: nothing was said, \
                1 MiB by each client in turn, and by all at once. In stages 03 to 05 \
                and 07 the first two are close together far to the left, and in all of \
                these but 03 the third is further to the right; in stage 06 the second \
                and the third are both at 64 KiB and more.",
            x_title: "KiB of resident memory for each of 1,000 silent connections",
            log: true,
            columns: cases.iter().map(|case| case.about.to_string()).collect(),
            rows: servers.map(row).collect::<Result<_>>()?,
            number,
            ..PLAIN
        })
    }
}

const NOT_MEASURED: &str = "it was not measured";
const NOT_TOGETHER: &str = "they were not measured together";

const ZERO: Value = Value { value: 0.0, spread: None };

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

fn counts<'a>(table: &'a Table, server: &str, clients: &str) -> Result<&'a Counts> {
    let counts = table.get(&(server.to_string(), clients.parse()?));
    counts.context("it was not counted")
}

fn instructions(counts: &Counts) -> Result<f64> {
    counts.get("instructions").copied().context("they were not counted")
}

fn scenario(name: &str) -> Result<Scenario> {
    scenario::named(name).context("an unknown scenario")
}

fn strings<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_string).to_vec()
}

fn percent_apart([low, median, high]: [f64; 3]) -> String {
    let percent = 100.0 * (high - low) / median;
    if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

/// Microseconds, or MiB, with as many digits as they are worth.
fn micros(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.1}"),
        _ => number(value.round()),
    }
}
