//! Recordings of stages 01 to 03, which cannot record themselves: from the system calls that
//! `strace` has seen.
//!
//! `strace` prints a line for each call, or two where another thread's comes between, with the
//! time at which it was made and how long it took:
//! `1234 1700000000.123456 recvfrom(4, "\x68\x69", 65536, 0, NULL, NULL) = 2 <0.000123>`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::read::VERSION;

/// What `strace` is to be run with, before the server's own command.
pub const COMMAND: [&str; 9] = [
    "strace",
    "-f",
    "-ttt",
    "-T",
    "-xx",
    "-s64",
    "-e",
    "trace=accept,accept4,recvfrom,sendto,select,pselect6,close,bind",
    "-o",
];

/// How many of the bytes that a client sent are shown.
const SHOWN: usize = 32;

/// The program that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The binary's name.
    pub stage: &'a str,
    /// The path of its source.
    pub src: &'a str,
    /// The version of that file.
    pub sha: &'a str,
    /// Its source.
    pub source: &'a str,
    /// Whether it has several threads.
    pub threads: bool,
    /// For each system call, what the line of source that makes it contains.
    pub places: &'a [(&'a str, &'a str)],
}

/// Converts what `strace` has written. The recording starts with the first call after `bind`.
///
/// # Errors
///
/// What could not be understood.
pub fn convert(strace: &str, program: &Program) -> Result<String, String> {
    let mut convert = Convert::new(program)?;
    for line in strace.lines() {
        convert.line(line).map_err(|why| format!("{why}: {line}"))?;
    }
    Ok(convert.out)
}

struct Convert<'a> {
    program: &'a Program<'a>,
    lines: BTreeMap<&'a str, usize>,
    out: String,
    /// The time of the start, in microseconds.
    start: Option<u64>,
    /// The numbers of the threads, by the system's.
    threads: BTreeMap<u64, u64>,
    /// Calls that have not returned, by thread: what is known of each.
    unfinished: BTreeMap<u64, String>,
    /// The descriptors of the clients.
    clients: BTreeSet<i64>,
    /// How many there were.
    accepted: u64,
}

impl<'a> Convert<'a> {
    fn new(program: &'a Program<'a>) -> Result<Convert<'a>, String> {
        let mut lines = BTreeMap::new();
        for (call, code) in program.places {
            let source = program.source.lines().zip(1..);
            let mut found = source.filter(|(line, _)| line.contains(code));
            match (found.next(), found.next()) {
                (Some((_, number)), None) => lines.insert(*call, number),
                _ => {
                    return Err(format!(
                        "{code:?} is not in one line of {}",
                        program.src
                    ));
                }
            };
        }
        let header = json!({
            "e": "trace", "v": VERSION, "stage": program.stage, "clock": "ns",
            "src": program.src, "sha": program.sha,
        });
        let mut convert = Convert {
            program,
            lines,
            out: String::new(),
            start: None,
            threads: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            clients: BTreeSet::new(),
            accepted: 0,
        };
        convert.push(0, header);
        Ok(convert)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        // Numbers are padded to five places.
        let (pid, rest) = line.split_once(' ').ok_or("no time")?;
        let (time, rest) = rest.trim_start().split_once(' ').ok_or("no call")?;
        let rest = rest.trim();
        let pid = pid.parse().map_err(|_| "no number of a thread")?;
        let time = microseconds(time).ok_or("no time")?;
        if rest.starts_with("+++") || rest.starts_with("---") {
            return Ok(()); // an end, or a signal
        }
        if rest.starts_with("bind(") {
            self.start = Some(time);
            return Ok(());
        }
        let Some(start) = self.start else { return Ok(()) };
        let t = time.checked_sub(start).and_then(|t| t.checked_mul(1000));
        let t = t.ok_or("a time before the start")?;
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (_, rest) = resumed.split_once(" resumed>").ok_or("no end of a call")?;
            let call = self.unfinished.remove(&pid).ok_or("an end without a call")?;
            let (rest, _) = duration(rest);
            return self.leave(pid, t, &format!("{call}{rest}"));
        }
        if let Some(call) = rest.strip_suffix(" <unfinished ...>") {
            self.enter(pid, t, call)?;
            self.unfinished.insert(pid, call.to_string());
            return Ok(());
        }
        let (call, took) = duration(rest);
        self.enter(pid, t, call)?;
        self.leave(pid, t.saturating_add(took), call)
    }

    fn enter(&mut self, pid: u64, t: u64, text: &str) -> Result<(), String> {
        let call = Call::parse(text)?;
        if call.name == "close" || call.is_about_the_log() {
            return Ok(());
        }
        let mut event = self.event("enter", pid, &call);
        match call.name {
            "select" => {
                let sets = call.sets(false)?;
                event.insert("r".into(), json!(sets.0));
                event.insert("w".into(), json!(sets.1));
                if let Some(timeout) = call.timeout() {
                    event.insert("timeout".into(), json!(timeout));
                }
            }
            "send" => self.bytes(&mut event, &call, call.length()?),
            _ => {}
        }
        if let Some(line) = self.lines.get(call.name) {
            event.insert("line".into(), json!(line));
        }
        self.push(t, Value::Object(event));
        Ok(())
    }

    fn leave(&mut self, pid: u64, t: u64, text: &str) -> Result<(), String> {
        let call = Call::parse(text)?;
        let fd = call.fd();
        let Some(result) = call.result.filter(|_| !call.is_about_the_log()) else {
            return Ok(()); // the server was ended while it was in this call
        };
        if call.name == "close" {
            if fd.is_some_and(|fd| self.clients.remove(&fd)) {
                self.push(t, json!({ "e": "close", "fd": fd }));
            }
            return Ok(());
        }
        let mut event = self.event("leave", pid, &call);
        let mut accepted = None;
        match (call.name, result) {
            (_, ..0) => {
                event.insert("error".into(), json!(call.error.ok_or("no error")?));
            }
            ("accept", client) => {
                self.accepted += 1;
                let peer = call.peer().ok_or("no address")?;
                self.clients.insert(client);
                accepted = Some(json!({
                    "e": "accept", "fd": client, "peer": peer, "conn": self.accepted,
                }));
            }
            ("select", _) => {
                let sets = call.sets(true)?;
                event.insert("r".into(), json!(sets.0));
                event.insert("w".into(), json!(sets.1));
            }
            (_, count) => self.bytes(&mut event, &call, count),
        }
        self.push(t, Value::Object(event));
        if let Some(accepted) = accepted {
            self.push(t, accepted);
        }
        Ok(())
    }

    /// The fields that all calls have.
    fn event(&mut self, e: &str, pid: u64, call: &Call) -> Map<String, Value> {
        let mut event = Map::new();
        event.insert("e".into(), json!(e));
        event.insert("call".into(), json!(call.name));
        if call.name != "select" {
            event.insert("fd".into(), json!(call.fd()));
        }
        if self.program.threads {
            let next = self.threads.len() as u64 + 1;
            let thread = *self.threads.entry(pid).or_insert(next);
            event.insert("th".into(), json!(thread));
        }
        event
    }

    fn bytes(&self, event: &mut Map<String, Value>, call: &Call, count: i64) {
        event.insert("len".into(), json!(count));
        let shown = call.data().into_iter().take((count as usize).min(SHOWN));
        let data: String = shown.map(char::from).collect();
        event.insert("data".into(), json!(data));
    }

    /// One line, with what the format wants to be escaped. (`serde_json` sorts the keys.)
    fn push(&mut self, t: u64, event: Value) {
        let Value::Object(mut event) = event else {
            unreachable!("an event is an object")
        };
        let e = event.remove("e").unwrap_or_default();
        let _ = write!(self.out, "{{\"t\":{t},\"e\":{e}");
        for key in KEYS {
            if let Some(value) = event.remove(*key) {
                let _ = write!(self.out, ",\"{key}\":{}", escaped(&value.to_string()));
            }
        }
        debug_assert!(event.is_empty(), "{event:?} is not in KEYS");
        self.out += "}\n";
    }
}

/// The order of the fields.
const KEYS: &[&str] = &[
    "v", "stage", "clock", "src", "sha", "th", "call", "fd", "r", "w", "peer", "len",
    "data", "conn", "timeout", "error", "line",
];

/// JSON text, such that it means nothing in a page.
fn escaped(json: &str) -> String {
    let mut text = String::new();
    let mut in_string = false;
    let mut after_backslash = false;
    for c in json.chars() {
        in_string ^= c == '"' && !after_backslash;
        after_backslash = c == '\\' && !after_backslash;
        if in_string && (matches!(c, '<' | '{' | '&') || !(' '..='~').contains(&c)) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// What is before `<0.000123>` at the end of a line, and that time in nanoseconds.
fn duration(text: &str) -> (&str, u64) {
    let parts = text.strip_suffix('>').and_then(|it| it.rsplit_once(" <"));
    match parts.and_then(|(rest, time)| Some((rest, microseconds(time)?))) {
        Some((rest, micros)) => (rest.trim_end(), micros.saturating_mul(1000)),
        None => (text, 0),
    }
}

fn microseconds(time: &str) -> Option<u64> {
    let (seconds, micros) = time.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros.parse().ok()?)
}

/// One system call, as `strace` has it; its result only if it has returned.
struct Call<'a> {
    name: &'static str,
    arguments: &'a str,
    result: Option<i64>,
    error: Option<&'a str>,
    /// What comes behind the result, in parentheses: which descriptors are ready.
    answer: &'a str,
}

impl<'a> Call<'a> {
    fn parse(text: &'a str) -> Result<Call<'a>, String> {
        let (name, rest) = text.split_once('(').ok_or("no call")?;
        let name = match name {
            "accept" | "accept4" => "accept",
            "recvfrom" => "recv",
            "sendto" => "send",
            "select" | "pselect6" => "select",
            "close" => "close",
            other => return Err(format!("an unexpected call of {other}")),
        };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else {
            return Ok(Call {
                name,
                arguments: rest,
                result: None,
                error: None,
                answer: "",
            });
        };
        let mut words = result.splitn(2, ' ');
        let number = words.next().and_then(|it| it.parse().ok());
        let answer = words.next().unwrap_or("");
        Ok(Call {
            name,
            arguments: arguments.trim_end(),
            // Killed in the middle of it, it has none: `?`.
            result: number,
            error: answer.split(' ').next(),
            answer,
        })
    }

    /// Before it writes to its log, a server asks whether that would have to wait.
    fn is_about_the_log(&self) -> bool {
        let is_high = |fds: &[i64]| fds.iter().any(|&fd| fd > 2);
        let sets = self.sets(false).unwrap_or_default();
        self.name == "select" && !is_high(&sets.0) && !is_high(&sets.1)
    }

    /// The first argument.
    fn fd(&self) -> Option<i64> {
        self.arguments.split([',', ')']).next()?.trim().parse().ok()
    }

    /// The bytes of the second argument: `"\x68\x69"`.
    fn data(&self) -> Vec<u8> {
        let text = self.arguments.split('"').nth(1).unwrap_or("");
        let bytes = text.split("\\x").skip(1);
        bytes.filter_map(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok()).collect()
    }

    /// The third argument of `sendto`, behind the bytes.
    fn length(&self) -> Result<i64, String> {
        let rest = self.arguments.rsplit('"').next().unwrap_or("");
        let length = rest.trim_start_matches("...").split(',').nth(1);
        length.and_then(|it| it.trim().parse().ok()).ok_or("no length".to_string())
    }

    /// The address of a client.
    fn peer(&self) -> Option<String> {
        let (_, port) = self.arguments.split_once("htons(")?;
        let (_, addr) = self.arguments.split_once("inet_addr(\"")?;
        let addr = addr.split('"').next()?;
        // With `-xx` this is in hexadecimal, too.
        let bytes = addr.split("\\x").skip(1);
        let plain: String = bytes
            .filter_map(|hex| Some(char::from(u8::from_str_radix(hex, 16).ok()?)))
            .collect();
        let addr = if plain.is_empty() { addr } else { &plain };
        Some(format!("{addr}:{}", port.split(')').next()?))
    }

    /// The sets of `select`: those that it is asked with, or, in its answer, those it says are
    /// ready.
    fn sets(&self, answer: bool) -> Result<(Vec<i64>, Vec<i64>), String> {
        let set = |text: &str| -> Vec<i64> {
            let inside = text.split(['[', ']']).nth(1).unwrap_or("");
            inside.split_whitespace().filter_map(|it| it.parse().ok()).collect()
        };
        if answer {
            let after =
                |mark| self.answer.split_once(mark).map_or(vec![], |it| set(it.1));
            return Ok((after("in "), after("out ")));
        }
        let mut arguments = self.arguments.split(", ").skip(1);
        let read = set(arguments.next().ok_or("no set")?);
        let write = set(arguments.next().ok_or("no second set")?);
        Ok((read, write))
    }

    /// How long `select` may sleep, in nanoseconds.
    fn timeout(&self) -> Option<u64> {
        let field = |name: &str| -> Option<u64> {
            let (_, value) = self.arguments.split_once(name)?;
            value.split([',', '}']).next()?.parse().ok()
        };
        let micros = || field("tv_usec=")?.checked_mul(1000);
        let seconds = field("tv_sec=")?.checked_mul(1_000_000_000)?;
        seconds.checked_add(field("tv_nsec=").or_else(micros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program = Program {
        stage: "01_blocking",
        src: "src/bin/01_blocking.rs",
        sha: "",
        source: "fn main() {\n    drop(client);\n}\n",
        threads: false,
        places: &[("close", "drop(client)")],
    };

    /// A machine that has just been started gives out short numbers.
    #[test]
    fn numbers_of_processes_may_be_short() {
        let seen = |pid: &str| {
            let bind =
                format!("{pid} 1700000000.000001 bind(3, {{}}, 16) = 0 <0.000001>\n");
            let close = format!("{pid} 1700000000.000002 close(3) = 0 <0.000010>\n");
            let end = format!("{pid} 1700000000.000003 +++ killed by SIGKILL +++\n");
            convert(&(bind + &close + &end), &PROGRAM).unwrap()
        };
        assert_eq!(seen("7    "), seen("12345"));
        assert_eq!(seen("3010 "), seen("4194304"));
    }
}
