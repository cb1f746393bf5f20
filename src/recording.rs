//! A trace in a file: one JSON object a line, written while the server runs.
//!
//! The book's appendix "The trace format" lists the fields. Two things matter more than they
//! seem to. What clients send ends up in web pages, so everything that could mean something
//! there is escaped. And the recording must not disturb what it records: its lines are collected, and
//! written by a thread of their own; a disk that is full ends the recording, not the server.

// ANCHOR: modules
mod futures;
mod hash;
mod line;
mod writer;
// ANCHOR_END: modules

pub use hash::git_hash;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::event::{Data, Event};
use crate::net::{Identity, Socket};
use crate::poller::Readiness;
use crate::trace::{On, State, Step, TaskId, Trace};
use line::Line;
use writer::Writer;

// ANCHOR: recording
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
    /// None after the file could not be written to.
    writer: Option<Writer>,
    source: Source,
    start: Instant,
    lines: Vec<u8>,
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
// ANCHOR_END: recording

// ANCHOR: create
impl Recording {
    /// Starts a recording in the file `path`, which is made, or emptied.
    ///
    /// Open it after the listening socket: it takes a descriptor, too.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or signals cannot be handled.
    pub fn create(path: &Path, source: Source) -> io::Result<Recording> {
        let writer = Writer::create(path).map_err(|error| {
            let why = format!(
                "cannot write the trace to {}: {error}\n\
                 name a file in a folder that you may write to, such as --trace trace.jsonl",
                path.display()
            );
            io::Error::new(error.kind(), why)
        })?;
        let mut recording = Recording {
            writer: Some(writer),
            source,
            start: Instant::now(),
            lines: Vec::with_capacity(CAPACITY),
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
        line.word("clock", "ns");
        line.text("src", path);
        line.word("sha", &git_hash(text));
        line.raw("init", r#"{"running":0,"ready":[],"read":[],"write":[]}"#);
        line.end();
    }

    /// Hands over what has been collected.
    fn hand_over(&mut self) {
        if self.writer.as_ref().is_some_and(|it| !it.hand_over(&mut self.lines)) {
            self.writer = None; // it has said why
        }
    }

    #[inline(always)]
    fn line(&mut self, e: &str) -> Line<'_> {
        let t = self.start.elapsed();
        Line::start(&mut self.lines, t.as_nanos() as u64, e)
    }
    // ANCHOR_END: create

    // ANCHOR: steps
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
            Data::Start | Data::Slept | Data::Closed => line.raw("with", "null"),
            Data::Connected(client) => {
                line.client("with", client.as_raw_fd());
            }
            Data::Received(bytes) => line.number("with", bytes.len() as u64),
            Data::Sent(count) => line.number("with", *count as u64),
            Data::Failed(error) => line.error("with", error),
        }
        line.end();
    }

    fn yields(&mut self, task: TaskId, event: &Event, at: &Location<'_>) {
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
        line.word("want", want);
        line.fd(wait.fd);
        if let Some(bytes) = bytes {
            line.number("len", bytes.len() as u64);
            let shown = shortened(bytes);
            wait.sends.0[..shown.len()].copy_from_slice(shown);
            wait.sends.1 = shown.len();
        }
        line.place(at, source);
        line.end();
        self.waits.insert(task, wait);
    }

    fn park(&mut self, task: TaskId, on: On) {
        let mut line = self.line("park");
        line.number("task", task);
        line.word("on", name(on));
        if let On::Read(fd) | On::Write(fd) = on {
            line.fd(Some(fd));
        }
        line.end();
    }
    // ANCHOR_END: steps

    // ANCHOR: enter
    fn enter(
        &mut self,
        call: &str,
        asked: Option<&[Readiness]>,
        timeout: Option<Duration>,
    ) {
        let mut line = self.line("enter");
        line.word("call", call);
        if let Some(asked) = asked {
            line.readiness(asked);
        }
        if let Some(timeout) = timeout {
            line.number("timeout", timeout.as_nanos() as u64);
        }
        line.end();
        // Now is a good time: the server is about to sleep. If it is not, it has no time to lose.
        if timeout != Some(Duration::ZERO) || self.lines.len() > CAPACITY / 2 {
            self.hand_over();
        }
    }
    // ANCHOR_END: enter

    // ANCHOR: happened
    fn happened(&mut self, task: TaskId, data: &Data, at_once: bool) {
        let Some(wait) = self.waits.remove(&task) else { return };
        let mut connection = wait.fd.and_then(|fd| self.connection(fd));
        match data {
            Data::Connected(client) => {
                self.accepted(client);
                connection = Some(self.connections);
            }
            Data::Closed => self.closed(),
            _ => {}
        }
        let mut line = self.line("happened");
        line.number("task", task);
        line.word("op", wait.want);
        line.fd(wait.fd);
        match data {
            Data::Received(bytes) => {
                line.number("len", bytes.len() as u64);
                line.bytes("data", shortened(bytes));
            }
            Data::Sent(count) => {
                line.number("len", *count as u64);
                line.bytes("data", &wait.sends.0[..wait.sends.1]);
            }
            Data::Failed(error) => line.error("error", error),
            _ => {}
        }
        if let Some(connection) = connection {
            line.number("conn", connection);
        }
        if at_once {
            line.raw("at_once", "true");
        }
        line.end();
    }

    fn accepted(&mut self, client: &Socket) {
        let Some(peer) = client.peer() else { return };
        self.connections += 1;
        let connection = self.connections;
        self.open(client, Some((connection, peer)));
        let mut line = self.line("accept");
        line.fd(Some(client.as_raw_fd()));
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
            line.raw("panicked", "true");
        }
        line.end();
    }
    // ANCHOR_END: happened

    // ANCHOR: state
    fn state(&mut self, state: &State) {
        self.since_state = 0;
        let mut line = self.line("state");
        line.number("running", state.running as u64);
        line.tasks("ready", &state.ready);
        for (key, table) in [("read", &state.read), ("write", &state.write)] {
            line.key(key);
            line.list(table, |line, &(fd, task)| {
                line.list([fd as u64, task], Line::integer);
            });
        }
        let others =
            [("timer", &state.timer), ("kernel", &state.kernel), ("again", &state.again)];
        for (key, tasks) in others.into_iter().filter(|(_, tasks)| !tasks.is_empty()) {
            let mut tasks = tasks.clone();
            tasks.sort_unstable();
            line.tasks(key, &tasks);
        }
        line.end();
    }
    // ANCHOR_END: state

    // ANCHOR: sockets
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
            line.fd(Some(fd as RawFd));
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
// ANCHOR_END: sockets

// ANCHOR: trace
impl Trace for Recording {
    fn record(&mut self, step: Step<'_>) {
        if self.writer.is_none() {
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
            Step::Yield { task, event, at } => self.yields(task, event, at),
            Step::Park { task, on } => self.park(task, on),
            Step::Enter { call, asked, timeout } => {
                self.enter(call, asked.as_deref(), timeout);
            }
            Step::Leave { call, ready } => {
                let mut line = self.line("leave");
                line.word("call", call);
                line.readiness(ready);
                line.end();
            }
            Step::Happened { task, data, at_once } => {
                self.happened(task, data, at_once);
            }
            Step::Finish { task, panicked } => self.finish(task, panicked),
            Step::Stop => self.line("stop").end(),
            Step::State(state) => self.state(state),
            Step::Wake { task } => self.wake(task),
            Step::Did { task, socket, want, at, result } => {
                self.did(task, socket, want, at, result);
            }
            Step::Pending { task, waits } => self.pending(task, waits),
        }
        if self.lines.len() > CAPACITY - CAPACITY / 8 {
            self.hand_over();
        }
    }

    /// One state for as many steps as it has tasks: so states are a small part of the file,
    /// however many tasks there are.
    fn wants_state(&self) -> bool {
        self.writer.is_some() && self.since_state >= self.running
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.hand_over();
    }
}
// ANCHOR_END: trace

// ANCHOR: names
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
// ANCHOR_END: names
