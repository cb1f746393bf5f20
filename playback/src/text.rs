//! A recording as a table: each step, and the three queues after it.

use std::fmt::{Display, Write};

use crate::fold::Fold;
use crate::read::{Call, Event, Happened, Recording, With, Wrong, Yield};

/// Where no task runs, or a queue is empty.
const NOTHING: &str = "-";

/// The table, with what it is about above and what was found below it.
///
/// # Errors
///
/// If the steps do not add up.
pub fn table(recording: &Recording) -> Result<String, Wrong> {
    let has_tasks = recording.has_tasks();
    let mut table = Table::default();
    table.row(if has_tasks {
        vec!["step", "ms", "what", "", "runs", "ready", "read-waiting", "write-waiting"]
    } else {
        vec!["step", "ms", "what", ""]
    });
    let mut fold = Fold::default();
    for step in &recording.steps {
        let says = says(&step.event);
        let applied = fold.apply(&step.event);
        applied.map_err(|why| Wrong { line: step.number, why })?;
        let Some((what, how)) = says else { continue };
        let ms = format!("{:.3}", step.t as f64 / 1e6);
        let mut row = vec![step.number.to_string(), ms, what.to_string(), how];
        if has_tasks {
            let runs = fold.running.map_or(NOTHING.to_string(), |it| it.to_string());
            let pairs = |table: &std::collections::BTreeMap<i32, u64>| {
                list(table.iter().map(|(fd, task)| format!("{fd}:{task}")))
            };
            row.extend([runs, list(&fold.ready), pairs(&fold.read), pairs(&fold.write)]);
        }
        table.row(row);
    }
    let header = &recording.header;
    let sha = header.sha.get(..8).unwrap_or(&header.sha);
    let mut text = format!("{}, recorded from {} ({sha})\n", header.stage, header.src);
    if has_tasks {
        text += "The waiting tables show descriptor:task.\n";
    }
    text += &format!("\n{}\n", table.aligned());
    if has_tasks {
        let count = fold.verified;
        text += &format!("verified: the steps agree with {count} checkpoints\n");
    }
    if recording.cut_off {
        text += "the last line is cut off, and has been left out\n";
    }
    Ok(text)
}

/// What happened, in a word, and how; none for what is no step of the server.
fn says(event: &Event) -> Option<(&'static str, String)> {
    let says = match event {
        Event::Spawn { task, name } => ("spawn", format!("task {task}: {name}")),
        Event::Resume { task, with: None } => ("resume", format!("task {task}")),
        Event::Resume { task, with: Some(with) } => {
            ("resume", format!("task {task} with {}", result(with)))
        }
        Event::Yield(it) => ("yield", yields(it)),
        Event::Park { task, on, fd, also } => {
            ("park", parked(*task, on, *fd) + if *also { ", too" } else { "" })
        }
        Event::Wake { task } => ("wake", format!("task {task}")),
        Event::Call { task, call } => ("call", called(*task, call)),
        Event::NotYet { task, left } => ("not yet", not_yet(*task, *left)),
        Event::Happened(it) => ("happened", happened(it)),
        Event::Finish { task, panicked: false } => ("finish", format!("task {task}")),
        Event::Finish { task, panicked: true } => {
            ("finish", format!("task {task} has panicked"))
        }
        Event::Enter(call) => ("enter", enter(call)),
        Event::Leave(call) => ("leave", leave(call)),
        Event::Accept { fd, peer, conn } => {
            ("accept", format!("client {conn} is {fd} ({peer})"))
        }
        Event::Close { fd } => ("close", fd.to_string()),
        Event::Stop => ("stop", "a graceful stop begins".to_string()),
        Event::State(_) | Event::Other => return None,
    };
    Some(says)
}

fn result(with: &With) -> String {
    match with {
        With::Count(0) => "the end of input".to_string(),
        With::Count(count) => bytes(*count),
        With::Client { fd } => format!("client {fd}"),
        With::Error(error) => error.clone(),
    }
}

fn yields(it: &Yield) -> String {
    let Yield { task, want, fd, len, data, file, line } = it;
    let fd = fd.map_or(String::new(), |fd| fd.to_string());
    let wants = match want.as_str() {
        "accept" => format!("accept on {fd}"),
        "read" => format!("receive from {fd}"),
        "write" => format!("send {} to {fd}", sample(*len, data.as_ref())),
        "wake" => "be woken".to_string(),
        _ => format!("{want} {fd}").trim_end().to_string(),
    };
    let file = file.as_ref().map_or(String::new(), |file| format!("{file} "));
    let line = line.map_or(String::new(), |line| format!(", {file}line {line}"));
    format!("task {task} wants to {wants}{line}")
}

fn parked(task: u64, on: &str, fd: Option<i32>) -> String {
    if let Some(fd) = fd {
        return format!("task {task} waits to {on} {fd}");
    }
    match on {
        "timer" => format!("task {task} sleeps"),
        "kernel" => format!("task {task} waits for the kernel"),
        _ => format!("task {task} on {on}"),
    }
}

fn called(task: u64, call: &Call) -> String {
    let fd = call.fd.map_or(String::new(), |fd| fd.to_string());
    let what = match call.call.as_str() {
        "accept" => format!("accept on {fd}"),
        "send" => format!("send {} to {fd}", sample(call.len, call.data.as_ref())),
        name => format!("{name} from {fd}"),
    };
    let line = call.line.map_or(String::new(), |line| format!(", line {line}"));
    format!("task {task}: {what}{line}")
}

fn not_yet(task: u64, left: Option<u64>) -> String {
    let left = left.map_or(String::new(), |left| format!(" with {}", bytes(left)));
    format!("task {task} goes on waiting{left}")
}

fn happened(it: &Happened) -> String {
    let Happened { task, op, fd, len, data, error } = it;
    let fd = fd.map_or(String::new(), |fd| format!(" {fd}"));
    let what = match (op.as_str(), error) {
        (_, Some(error)) => format!("{op}{fd} failed: {error}"),
        ("accept", _) => "accepted a client".to_string(),
        ("read", _) => format!("received {}", sample(*len, data.as_ref())),
        ("write", _) => format!("sent {}", bytes(len.unwrap_or_default())),
        ("sleep", _) => "slept".to_string(),
        _ => format!("{op}d{fd}"),
    };
    format!("task {task}: {what}")
}

fn enter(call: &Call) -> String {
    let thread = call.th.map_or(String::new(), |th| format!("thread {th}: "));
    let mut text = format!("{thread}{}", call.call);
    if let Some(fd) = call.fd {
        let _ = write!(text, " {fd}");
    }
    if call.len.is_some() {
        let _ = write!(text, ": {}", sample(call.len, call.data.as_ref()));
    }
    if let (Some(read), Some(write)) = (&call.r, &call.w) {
        let _ = write!(text, ": read {}, write {}", list(read), list(write));
    }
    match call.timeout {
        Some(0) => text += "; without sleep",
        Some(timeout) => {
            let _ = write!(text, "; for {} ms at most", timeout.div_ceil(1_000_000));
        }
        None => {}
    }
    if let Some(line) = call.line {
        let _ = write!(text, ", line {line}");
    }
    text
}

fn leave(call: &Call) -> String {
    let thread = call.th.map_or(String::new(), |th| format!("thread {th}: "));
    let mut text = format!("{thread}{}", call.call);
    if let Some(fd) = call.fd {
        let _ = write!(text, " {fd}");
    }
    match (&call.error, &call.r, &call.w) {
        (Some(error), ..) => {
            let _ = write!(text, ": {error}");
        }
        (None, Some(read), Some(write)) => {
            let said = [(read, "read"), (write, "write")].into_iter();
            let said = said.filter(|(fds, _)| !fds.is_empty());
            let said: Vec<_> =
                said.map(|(fds, word)| format!("{word} {}", list(fds))).collect();
            let said = if said.is_empty() { "nothing".into() } else { said.join(", ") };
            let _ = write!(text, ": {said}");
        }
        _ if call.len.is_some() => {
            let _ = write!(text, ": {}", sample(call.len, call.data.as_ref()));
        }
        _ => {}
    }
    text
}

fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// Bytes that moved: how many, and the first of them.
fn sample(len: Option<u64>, data: Option<&String>) -> String {
    let len = len.unwrap_or_default();
    let Some(data) = data.filter(|_| len > 0) else {
        return if len == 0 { "the end of input".into() } else { bytes(len) };
    };
    // Each character is a byte.
    let data: Vec<u8> = data.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
    let more = if len > data.len() as u64 { "…" } else { "" };
    format!("{} \"{}{more}\"", bytes(len), data.escape_ascii())
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
    if items.is_empty() { NOTHING.to_string() } else { items.join(" ") }
}

/// Rows whose columns are aligned.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn row<T: ToString>(&mut self, cells: Vec<T>) {
        self.rows.push(cells.iter().map(T::to_string).collect());
    }

    fn aligned(&self) -> String {
        let width = |cell: &String| cell.chars().count();
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|i| self.rows.iter().map(|row| width(&row[i])).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // (A format has no room for a width that a name can have.)
                let space = " ".repeat(width - cell.chars().count());
                // Numbers stand on the right.
                let _ = match i {
                    0 | 1 => write!(line, "{space}{cell}  "),
                    _ => write!(line, "{cell}{space}  "),
                };
            }
            line.trim_end().to_string() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}
