//! A trace in a file: one JSON object a line, written while the server runs.
//!
//! The book's appendix "The trace format" lists the fields. Two things matter more than they
//! seem to. What clients send ends up in web pages, so everything that could mean something
//! there is escaped. And the recording must not disturb what it records: lines are collected and
//! written before the server goes to sleep anyway, and a disk that is full ends the recording,
//! not the server.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGXFSZ;

use crate::event::{Data, Event};
use crate::log;
use crate::net::{Identity, Socket};
use crate::poller::{Direction, Readiness};
use crate::trace::{On, State, Step, TaskId, Trace};

/// The version of the format.
const VERSION: u64 = 1;

/// How many of the bytes that a client sent are shown.
const SHOWN: usize = 32;

/// So much is collected at most before it is written.
const CAPACITY: usize = 64 * 1024;

/// The program that is recorded: the lines in the trace are lines of its source.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The binary's name.
    pub stage: &'static str,
    /// The path of its source, as `file!()` has it.
    pub path: &'static str,
    /// Its source.
    pub text: &'static str,
}

/// Writes each step to a file.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    /// None after it could not be written to.
    file: Option<File>,
    source: Source,
    start: Instant,
    lines: Vec<u8>,
    /// The bytes in the file, which are whole lines.
    written: u64,
    /// What each task waits for.
    waits: HashMap<TaskId, Wait>,
    /// The sockets that tasks have waited for, by descriptor.
    sockets: Vec<Option<Open>>,
    /// How many clients have been accepted.
    connections: u64,
    /// How many tasks have not finished.
    running: usize,
    /// How many steps there were since the last state.
    since_state: usize,
}

/// What a task waits for.
#[derive(Debug)]
struct Wait {
    want: &'static str,
    fd: Option<RawFd>,
    /// The beginning of what it sends.
    sends: ([u8; SHOWN], usize),
}

/// A socket that is open, for all we know.
#[derive(Debug)]
struct Open {
    socket: Identity,
    /// Which connection it is, and whose, if it was accepted.
    accepted: Option<(u64, SocketAddr)>,
}

impl Recording {
    /// Starts a recording in the file `path`, which is made, or emptied.
    ///
    /// Open it after the listening socket: it takes a descriptor, too.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or signals cannot be handled.
    pub fn create(path: &Path, source: Source) -> io::Result<Recording> {
        let file = open(path).map_err(|error| {
            let why = format!(
                "cannot write the trace to {}: {error}\n\
                 name a file in a folder that you may write to, such as --trace trace.jsonl",
                path.display()
            );
            io::Error::new(error.kind(), why)
        })?;
        let mut recording = Recording {
            path: path.to_path_buf(),
            file: Some(file),
            source,
            start: Instant::now(),
            lines: Vec::with_capacity(CAPACITY),
            written: 0,
            waits: HashMap::new(),
            sockets: Vec::new(),
            connections: 0,
            running: 0,
            since_state: 0,
        };
        recording.header();
        Ok(recording)
    }

    fn header(&mut self) {
        let Source { stage, path, text } = self.source;
        let mut line = Line::start(&mut self.lines, 0, "trace");
        line.number("v", VERSION);
        line.text("stage", stage);
        line.text("clock", "ns");
        line.text("src", path);
        line.text("sha", &git_hash(text));
        line.raw("init", br#"{"running":0,"ready":[],"read":[],"write":[]}"#);
        line.end();
    }

    // ANCHOR: flush
    /// Writes what has been collected. Where that fails, the recording ends.
    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let mut left = &self.lines[..];
        while !left.is_empty() {
            match file.write(left) {
                Ok(count @ 1..) => left = &left[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    let error = result.err().unwrap_or(io::ErrorKind::WriteZero.into());
                    let count = self.lines.len() - left.len();
                    return self.give_up(count, &error);
                }
            }
        }
        self.written += self.lines.len() as u64;
        self.lines.clear();
    }

    /// The server goes on without it.
    #[cold]
    fn give_up(&mut self, count: usize, error: &io::Error) {
        let path = self.path.display();
        log::problem(format_args!("the recording {path} ends here: {error}"));
        // What is there should be whole lines. (It may be something that has no length.)
        let whole = self.lines[..count].iter().rposition(|&byte| byte == b'\n');
        let whole = whole.map_or(0, |at| at as u64 + 1);
        if let Some(file) = self.file.take() {
            let _ = file.set_len(self.written + whole);
        }
        self.lines = Vec::new();
        self.waits = HashMap::new();
        self.sockets = Vec::new();
    }
    // ANCHOR_END: flush

    fn line(&mut self, e: &str) -> Line<'_> {
        let t = self.start.elapsed();
        Line::start(&mut self.lines, t.as_nanos() as u64, e)
    }

    fn spawn(&mut self, task: TaskId, name: &str) {
        self.running += 1;
        let mut line = self.line("spawn");
        line.number("task", task);
        line.text("name", name);
        line.end();
    }

    fn resume(&mut self, task: TaskId, with: &Data) {
        let mut line = self.line("resume");
        line.number("task", task);
        match with {
            Data::Start | Data::Slept | Data::Closed => line.raw("with", b"null"),
            Data::Connected(Ok(client)) => {
                line.key("with");
                line.open(b'{');
                line.fd("fd", client.as_raw_fd());
                line.close(b'}');
            }
            Data::Received(Ok(bytes)) => line.number("with", bytes.len() as u64),
            Data::Sent(Ok(count)) => line.number("with", *count as u64),
            Data::Connected(Err(error))
            | Data::Received(Err(error))
            | Data::Sent(Err(error)) => line.error("with", error),
        }
        line.end();
    }

    fn yields(&mut self, task: TaskId, event: &Event, file: &str, number: u32) {
        if let Some(socket) = event.socket() {
            self.open(socket, None);
        }
        let (want, bytes) = match event {
            Event::Connect(_) => ("accept", None),
            Event::Receive(_) => ("read", None),
            Event::Send(event) => ("write", Some(event.bytes())),
            Event::Sleep(_) => ("sleep", None),
            Event::Close(_) => ("close", None),
        };
        let mut wait = Wait { want, fd: event.fd(), sends: ([0; SHOWN], 0) };
        let source = self.source.path;
        let mut line = self.line("yield");
        line.number("task", task);
        line.text("want", want);
        if let Some(fd) = wait.fd {
            line.fd("fd", fd);
        }
        if let Some(bytes) = bytes {
            line.number("len", bytes.len() as u64);
            let shown = shortened(bytes);
            wait.sends.0[..shown.len()].copy_from_slice(shown);
            wait.sends.1 = shown.len();
        }
        if file != source {
            line.text("file", file);
        }
        line.number("line", number.into());
        line.end();
        self.waits.insert(task, wait);
    }

    fn park(&mut self, task: TaskId, on: On) {
        let mut line = self.line("park");
        line.number("task", task);
        line.text("on", name(on));
        if let On::Read(fd) | On::Write(fd) = on {
            line.fd("fd", fd);
        }
        line.end();
    }

    fn enter(
        &mut self,
        call: &str,
        asked: Option<&[Readiness]>,
        timeout: Option<Duration>,
    ) {
        let mut line = self.line("enter");
        line.text("call", call);
        if let Some(asked) = asked {
            line.readiness(asked);
        }
        if let Some(timeout) = timeout {
            line.number("timeout", timeout.as_nanos() as u64);
        }
        line.end();
        // Now is a good time: the server is about to sleep. If it is not, it has no time to lose.
        if timeout != Some(Duration::ZERO) || self.lines.len() > CAPACITY / 2 {
            self.flush();
        }
    }

    fn happened(&mut self, task: TaskId, data: &Data) {
        self.closed();
        if let Data::Connected(Ok(client)) = data {
            self.accepted(client);
        }
        let Some(wait) = self.waits.remove(&task) else { return };
        let connection = match data {
            Data::Connected(Ok(_)) => Some(self.connections),
            _ => wait.fd.and_then(|fd| self.connection(fd)),
        };
        let mut line = self.line("happened");
        line.number("task", task);
        line.text("op", wait.want);
        if let Some(fd) = wait.fd {
            line.fd("fd", fd);
        }
        match data {
            Data::Received(Ok(bytes)) => {
                line.number("len", bytes.len() as u64);
                line.bytes("data", shortened(bytes));
            }
            Data::Sent(Ok(count)) => {
                line.number("len", *count as u64);
                line.bytes("data", &wait.sends.0[..wait.sends.1]);
            }
            Data::Connected(Err(error))
            | Data::Received(Err(error))
            | Data::Sent(Err(error)) => line.error("error", error),
            _ => {}
        }
        if let Some(connection) = connection {
            line.number("conn", connection);
        }
        line.end();
    }

    fn accepted(&mut self, client: &Socket) {
        let Some(peer) = client.peer() else { return };
        self.connections += 1;
        let connection = self.connections;
        self.open(client, Some((connection, peer)));
        let mut line = self.line("accept");
        line.fd("fd", client.as_raw_fd());
        line.text("peer", &peer.to_string());
        line.number("conn", connection);
        line.end();
    }

    fn finish(&mut self, task: TaskId, panicked: bool) {
        self.closed();
        self.waits.remove(&task);
        self.running -= 1;
        let mut line = self.line("finish");
        line.number("task", task);
        if panicked {
            line.raw("panicked", b"true");
        }
        line.end();
    }

    fn state(&mut self, state: &State) {
        self.since_state = 0;
        let mut line = self.line("state");
        line.number("running", state.running as u64);
        line.key("ready");
        line.list(&state.ready, |line, task| line.integer(*task));
        let mut waiting = state.waiting.clone();
        waiting.sort_unstable();
        for on in ["read", "write", "timer", "kernel", "again"] {
            let tasks: Vec<_> =
                waiting.iter().filter(|(it, _)| name(*it) == on).collect();
            if tasks.is_empty() && !matches!(on, "read" | "write") {
                continue;
            }
            line.key(on);
            line.list(&tasks, |line, (on, task)| match on {
                On::Read(fd) | On::Write(fd) => {
                    line.list(&[*fd as u64, *task], |line, it| line.integer(*it));
                }
                _ => line.integer(*task),
            });
        }
        line.end();
    }

    /// Somebody uses this socket.
    fn open(&mut self, socket: &Socket, accepted: Option<(u64, SocketAddr)>) {
        let fd = socket.as_raw_fd() as usize;
        if let Some(Some(open)) = self.sockets.get(fd) {
            if open.socket.is(socket) {
                return;
            }
            self.closed(); // its number is another's now
        }
        if fd >= self.sockets.len() {
            self.sockets.resize_with(fd + 1, || None);
        }
        self.sockets[fd] = Some(Open { socket: socket.identity(), accepted });
    }

    /// Records which sockets have been closed since the last look.
    fn closed(&mut self) {
        for fd in 0..self.sockets.len() {
            let Some(open) = self.sockets[fd].take_if(|open| open.socket.is_closed())
            else {
                continue;
            };
            let mut line = self.line("close");
            line.fd("fd", fd as RawFd);
            if let Some((connection, peer)) = open.accepted {
                line.text("peer", &peer.to_string());
                line.number("conn", connection);
            }
            line.end();
        }
    }

    fn connection(&self, fd: RawFd) -> Option<u64> {
        let open = self.sockets.get(fd as usize)?.as_ref()?;
        Some(open.accepted?.0)
    }
}

impl Trace for Recording {
    fn record(&mut self, step: Step<'_>) {
        if self.file.is_none() {
            return;
        }
        self.since_state += 1;
        match step {
            Step::Spawn { task, name } => self.spawn(task, name),
            Step::Resume { task, with } => {
                if let Data::Closed = with {
                    self.closed();
                }
                self.resume(task, with);
            }
            Step::Yield { task, event, at } => {
                self.yields(task, event, at.file(), at.line());
            }
            Step::Park { task, on } => self.park(task, on),
            Step::Enter { call, asked, timeout } => {
                self.enter(call, asked.as_deref(), timeout);
            }
            Step::Leave { call, ready } => {
                let mut line = self.line("leave");
                line.text("call", call);
                line.readiness(ready);
                line.end();
            }
            Step::Happened { task, data } => self.happened(task, data),
            Step::Finish { task, panicked } => self.finish(task, panicked),
            Step::Stop => self.line("stop").end(),
            Step::State(state) => self.state(state),
        }
        if self.lines.len() > CAPACITY - CAPACITY / 8 {
            self.flush();
        }
    }

    /// One state for as many steps as it has tasks: so states are a small part of the file,
    /// however many tasks there are.
    fn wants_state(&self) -> bool {
        self.file.is_some() && self.since_state >= self.running
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Opens a file to write to, never to wait for: a pipe that nobody reads from is an error.
fn open(path: &Path) -> io::Result<File> {
    // Writing past the limit of a file's size (`ulimit -f`) ends a process that does not handle
    // this signal; for one that does it is an error.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}

/// Where a task waits, as the format has it.
fn name(on: On) -> &'static str {
    match on {
        On::Read(_) => "read",
        On::Write(_) => "write",
        On::Timer => "timer",
        On::Kernel => "kernel",
        On::Again => "again",
    }
}

fn shortened(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(SHOWN)]
}

/// One line of the file: a JSON object.
struct Line<'a> {
    lines: &'a mut Vec<u8>,
    /// The next key or item is not the first.
    comma: bool,
}

impl<'a> Line<'a> {
    fn start(lines: &'a mut Vec<u8>, t: u64, e: &str) -> Line<'a> {
        let mut line = Line { lines, comma: false };
        line.open(b'{');
        line.number("t", t);
        line.text("e", e);
        line
    }

    fn end(mut self) {
        self.close(b'}');
        self.lines.push(b'\n');
    }

    fn open(&mut self, bracket: u8) {
        self.lines.push(bracket);
        self.comma = false;
    }

    fn close(&mut self, bracket: u8) {
        self.lines.push(bracket);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma {
            self.lines.push(b',');
        }
        self.comma = true;
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.lines.push(b'"');
        self.lines.extend_from_slice(key.as_bytes());
        self.lines.extend_from_slice(b"\":");
        self.comma = false;
    }

    fn raw(&mut self, key: &str, json: &[u8]) {
        self.key(key);
        self.lines.extend_from_slice(json);
        self.comma = true;
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        self.integer(number);
    }

    fn fd(&mut self, key: &str, fd: RawFd) {
        self.number(key, fd as u64);
    }

    fn integer(&mut self, number: u64) {
        self.separate();
        let mut digits = [0; 20];
        let (mut at, mut left) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.lines.extend_from_slice(&digits[at..]);
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.separate();
        self.open(b'[');
        for item in items {
            write(self, item);
        }
        self.close(b']');
    }

    /// Descriptors: `r` can be read from, or are asked about; `w` the same for writing.
    fn readiness(&mut self, readiness: &[Readiness]) {
        for (key, direction) in [("r", Direction::Read), ("w", Direction::Write)] {
            self.key(key);
            self.open(b'[');
            for (fd, _) in readiness.iter().filter(|(_, it)| *it == direction) {
                self.integer(*fd as u64);
            }
            self.close(b']');
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.bytes(key, text.as_bytes());
    }

    /// The error's name, as `ErrorKind` has it.
    fn error(&mut self, key: &str, error: &io::Error) {
        self.text(key, &format!("{:?}", error.kind()));
    }

    // ANCHOR: escape
    /// Bytes as a text that means nothing but itself, in JSON and in a page around it. A byte
    /// that is not ASCII becomes the character with its number.
    fn bytes(&mut self, key: &str, bytes: &[u8]) {
        self.key(key);
        self.comma = true;
        self.lines.push(b'"');
        for &byte in bytes {
            match byte {
                b'\n' => self.lines.extend_from_slice(b"\\n"),
                b'\r' => self.lines.extend_from_slice(b"\\r"),
                b'\t' => self.lines.extend_from_slice(b"\\t"),
                b'"' | b'\\' => self.lines.extend_from_slice(&[b'\\', byte]),
                // `</script>` would end the element around it, `{{#include …}}` would be
                // carried out by mdBook, `&lt;` would become `<`.
                b'<' | b'{' | b'&' | ..b' ' | 0x7f.. => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    self.lines.extend_from_slice(b"\\u00");
                    self.lines.push(HEX[usize::from(byte >> 4)]);
                    self.lines.push(HEX[usize::from(byte & 15)]);
                }
                _ => self.lines.push(byte),
            }
        }
        self.lines.push(b'"');
    }
    // ANCHOR_END: escape
}

/// What `git hash-object` prints for a file with this text: SHA-1 of its length and its bytes.
/// `git show` prints the file for the number, even when it has changed since.
fn git_hash(text: &str) -> String {
    let hash =
        sha1(&[format!("blob {}\0", text.len()).as_bytes(), text.as_bytes()].concat());
    hash.iter().map(|word| format!("{word:08x}")).collect()
}

/// SHA-1 as FIPS 180-4 has it, section 6.1.2. It names files here, and protects nothing.
fn sha1(message: &[u8]) -> [u32; 5] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());

    let mut hash = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0_u32];
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]))
            .collect();
        for t in 16..80 {
            let word = words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16];
            words.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (t, word) in words.into_iter().enumerate() {
            let (f, k) = match t {
                0..20 => ((b & c) ^ (!b & d), 0x5a827999),
                20..40 => (b ^ c ^ d, 0x6ed9eba1),
                40..60 => ((b & c) ^ (b & d) ^ (c & d), 0x8f1bbcdc),
                _ => (b ^ c ^ d, 0xca62c1d6_u32),
            };
            let next = [a.rotate_left(5), f, e, k, word];
            let next = next.into_iter().fold(0, u32::wrapping_add);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, word) in hash.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(word);
        }
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut lines = vec![];
        Line { lines: &mut lines, comma: false }.bytes("data", bytes);
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn bytes_mean_nothing_in_a_page() {
        for (bytes, expected) in [
            (&b"hi\n"[..], r#""data":"hi\n""#),
            (b"\"\\\r\t", r#""data":"\"\\\r\t""#),
            (b"</script>", r#""data":"\u003c/script>""#),
            (b"{{#include x}}", r#""data":"\u007b\u007b#include x}}""#),
            (
                b"&lt;\0\x1b\x7f\x80\xff",
                r#""data":"\u0026lt;\u0000\u001b\u007f\u0080\u00ff""#,
            ),
        ] {
            assert_eq!(escaped(bytes), expected);
        }
        // And never anything but visible ASCII.
        let all: Vec<u8> = (0..=255).collect();
        assert!(escaped(&all).bytes().all(|byte| (b' '..0x7f).contains(&byte)));
    }

    #[test]
    fn numbers() {
        let mut lines = vec![];
        Line { lines: &mut lines, comma: false }
            .list(&[0, 7, 10, u64::MAX], |line, it| line.integer(*it));
        assert_eq!(String::from_utf8(lines).unwrap(), "[0,7,10,18446744073709551615]");
    }

    /// The empty file's hash is well known; the second is longer than a block.
    #[test]
    fn the_hash_is_the_one_that_git_has() {
        assert_eq!(git_hash(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let long = "What is this file called?\n".repeat(10);
        assert_eq!(git_hash(&long), "7b7e2efd7fec07acd23df643342c9bfc5d68faf1");
    }
}
