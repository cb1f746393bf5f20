//! The lines of a recording.
//!
//! The book's appendix "The trace format" lists the fields. What clients send ends up in web
//! pages, so everything that could mean something there is escaped.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display, Write};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::net::{self, Descriptor, Direction, Readiness};
use crate::trace::{On, Outcome, State, Step, TaskId, Trace, Want};

/// The version of the format.
const VERSION: u64 = 2;

/// How many of the bytes that a client sent are shown.
const SHOWN: usize = 32;

/// When the server ends, its recording is waited for so long, from the moment of the stop.
const PATIENCE: Duration = Duration::from_secs(4);

/// A line of source, if it is known.
type Place<'a> = Option<&'a Location<'a>>;

/// What the lines are written to.
pub trait Sink {
    /// Takes whole lines. False if it cannot take any more.
    fn write(&mut self, lines: String) -> bool;

    /// There will be no more lines. Waits until they have been written, at most until then.
    fn finish(&mut self, _until: Instant) {}
}

/// Writes each step to a [`Sink`].
pub struct Recording {
    sink: Box<dyn Sink>,
    /// The sink takes no more.
    ended: bool,
    lines: String,
    /// The file that the trace speaks of.
    path: &'static str,
    start: Instant,
    stopped: Option<Instant>,
    /// The tasks that have not finished: what each wants, of which descriptor.
    tasks: HashMap<TaskId, (Want, Option<RawFd>)>,
    /// The sockets that tasks have used.
    sockets: BTreeMap<RawFd, Descriptor>,
    /// How many clients have been accepted.
    connections: u64,
    /// How many steps there were since the last state.
    since_state: usize,
}

impl Recording {
    /// Starts a recording of the binary `stage`. `source` is the path and the text of the file that
    /// the trace speaks of.
    pub fn new(
        stage: &str,
        source: (&'static str, &str),
        sink: impl Sink + 'static,
    ) -> Recording {
        let (path, text) = source;
        let mut recording = Recording {
            sink: Box::new(sink),
            ended: false,
            lines: String::new(),
            path,
            start: net::now(),
            stopped: None,
            tasks: HashMap::new(),
            sockets: BTreeMap::new(),
            connections: 0,
            since_state: 0,
        };
        let about = format!(r#""stage":"{stage}","clock":"ns","src":"{path}""#);
        let sha = git_hash(text);
        recording.line("trace", &format!(r#","v":{VERSION},{about},"sha":"{sha}""#));
        recording
    }

    /// Adds a line. Each of its fields begins with a comma.
    fn line(&mut self, e: &str, fields: &str) {
        let t = net::now().duration_since(self.start).as_nanos();
        let _ = writeln!(self.lines, r#"{{"t":{t},"e":"{e}"{fields}}}"#);
    }

    /// Hands over what has been collected.
    fn write(&mut self) {
        self.ended |= !self.sink.write(std::mem::take(&mut self.lines));
    }

    // ANCHOR: note
    /// Remembers what later lines need. A client that has come or gone has a line of its own,
    /// before that of the step.
    fn note(&mut self, step: &Step<'_>) {
        self.since_state += 1;
        match step {
            Step::Spawn { task, .. } => {
                self.tasks.insert(*task, (Want::Wake, None));
            }
            Step::Yield { task, want, on, .. } | Step::Call { task, want, on, .. } => {
                if let Some(descriptor) = on {
                    self.open(descriptor);
                }
                self.tasks.insert(*task, (*want, on.as_ref().map(|on| on.number)));
            }
            Step::Happened { result: Outcome::Accepted { client, peer }, .. } => {
                self.accepted(client, *peer);
            }
            Step::Resume { with: Outcome::Closed, .. } => self.closed(),
            Step::Finish { task, .. } => {
                self.closed();
                self.tasks.remove(task);
            }
            Step::Stop => self.stopped = Some(net::now()),
            Step::State(_) => self.since_state = 0,
            _ => {}
        }
    }
    // ANCHOR_END: note

    /// The kind of line that the step has, and its fields.
    fn fields(&self, step: &Step<'_>) -> (&'static str, String) {
        match step {
            Step::Spawn { task, name } => {
                ("spawn", format!(r#","task":{task},"name":"{name}""#))
            }
            Step::Resume { task, with } => {
                ("resume", format!(r#","task":{task},"with":{}"#, sent_in(with)))
            }
            Step::Yield { task, want, on, bytes, at } => {
                let what = self.what(on, bytes, *at);
                ("yield", format!(r#","task":{task},"want":"{}"{what}"#, name(*want)))
            }
            Step::Park { task, on, also } => ("park", parked(*task, *on, *also)),
            Step::Call { task, want, on, bytes, at } => {
                let what = self.what(on, bytes, *at);
                ("call", format!(r#","task":{task},"call":"{}"{what}"#, call(*want)))
            }
            Step::NotYet { task, left } => {
                ("not_yet", format!(r#","task":{task}{}"#, field("left", *left)))
            }
            Step::Happened { task, result, at } => {
                ("happened", self.happened(*task, result, *at))
            }
            Step::Wake { task } => ("wake", format!(r#","task":{task}"#)),
            Step::Enter { call, asked, timeout } => {
                let asked = directions(asked.as_deref());
                let nanos = field("timeout", timeout.map(|timeout| timeout.as_nanos()));
                ("enter", format!(r#","call":"{call}"{asked}{nanos}"#))
            }
            Step::Leave { call, ready } => {
                ("leave", format!(r#","call":"{call}"{}"#, directions(*ready)))
            }
            Step::Finish { task, panicked } => {
                let panicked = field("panicked", panicked.then_some(true));
                ("finish", format!(r#","task":{task}{panicked}"#))
            }
            Step::Stop => ("stop", String::new()),
            Step::State(state) => ("state", places(state)),
        }
    }

    /// What a task wants, of which descriptor, at which line.
    fn what(&self, on: &Option<Descriptor>, bytes: &[u8], at: Place<'_>) -> String {
        let sends = (!bytes.is_empty()).then(|| len_and_data(bytes));
        let fd = field("fd", on.as_ref().map(|on| on.number));
        fd + &sends.unwrap_or_default() + &self.line_of_source(at)
    }

    fn happened(&self, task: TaskId, result: &Outcome<'_>, at: Place<'_>) -> String {
        let (want, fd) = self.tasks.get(&task).copied().unwrap_or((Want::Wake, None));
        let result = match result {
            Outcome::Nothing | Outcome::Closed | Outcome::Accepted { .. } => {
                String::new()
            }
            Outcome::Received(bytes) => len_and_data(bytes),
            Outcome::Sent(count) => field("len", Some(count)),
            Outcome::Failed(error) => field("error", Some(format!("\"{error:?}\""))),
        };
        let (op, fd, at) = (name(want), field("fd", fd), self.line_of_source(at));
        format!(r#","task":{task},"op":"{op}"{fd}{result}{at}"#)
    }

    fn line_of_source(&self, at: Place<'_>) -> String {
        let other = at.map(Location::file).filter(|file| *file != self.path);
        let file = field("file", other.map(|file| format!("{file:?}")));
        file + &field("line", at.map(Location::line))
    }

    fn accepted(&mut self, client: &Descriptor, peer: SocketAddr) {
        self.open(client);
        self.connections += 1;
        let (fd, conn) = (client.number, self.connections);
        self.line("accept", &format!(r#","fd":{fd},"peer":"{peer}","conn":{conn}"#));
    }

    // ANCHOR: closed
    /// A task uses this socket.
    fn open(&mut self, descriptor: &Descriptor) {
        if self.sockets.get(&descriptor.number) != Some(descriptor) {
            self.closed(); // its number may have been another's
            self.sockets.insert(descriptor.number, descriptor.clone());
        }
    }

    /// Records which sockets have been closed since the last look.
    fn closed(&mut self) {
        let is_closed = |(fd, it): (&RawFd, &Descriptor)| it.is_closed().then_some(*fd);
        let closed: Vec<RawFd> = self.sockets.iter().filter_map(is_closed).collect();
        for fd in closed {
            self.sockets.remove(&fd);
            self.line("close", &format!(r#","fd":{fd}"#));
        }
    }
    // ANCHOR_END: closed
}

// ANCHOR: record
impl Trace for Recording {
    fn record(&mut self, step: Step<'_>) {
        if self.ended {
            return;
        }
        self.note(&step);
        let (e, fields) = self.fields(&step);
        self.line(e, &fields);
        if let Step::Enter { .. } = step {
            self.write(); // the server is about to sleep: a good time
        }
    }

    /// One state for as many steps as it has tasks: so states are a small part of the file,
    /// however many tasks there are.
    fn wants_state(&self) -> bool {
        !self.ended && self.since_state >= self.tasks.len()
    }
}
// ANCHOR_END: record

impl Drop for Recording {
    fn drop(&mut self) {
        self.closed();
        self.write();
        self.sink.finish(self.stopped.unwrap_or_else(net::now) + PATIENCE);
    }
}

/// What `git hash-object` prints for a file with this text: git names files so.
pub fn git_hash(text: &str) -> String {
    sha1_smol::Sha1::from(format!("blob {}\0{text}", text.len())).digest().to_string()
}

fn name(want: Want) -> String {
    format!("{want:?}").to_ascii_lowercase()
}

/// The system call that gives a task what it wants.
fn call(want: Want) -> &'static str {
    match want {
        Want::Accept => "accept",
        Want::Write => "send",
        _ => "recv", // a close discards what still comes
    }
}

fn sent_in(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Nothing | Outcome::Closed => "null".to_string(),
        Outcome::Accepted { client, .. } => format!(r#"{{"fd":{}}}"#, client.number),
        Outcome::Received(bytes) => bytes.len().to_string(),
        Outcome::Sent(count) => count.to_string(),
        Outcome::Failed(error) => format!("\"{error:?}\""),
    }
}

fn parked(task: TaskId, on: On, also: bool) -> String {
    let (on, fd) = match on {
        On::Read(fd) => ("read", Some(fd)),
        On::Write(fd) => ("write", Some(fd)),
        On::Timer => ("timer", None),
        On::Kernel => ("kernel", None),
    };
    let (fd, also) = (field("fd", fd), field("also", also.then_some(true)));
    format!(r#","task":{task},"on":"{on}"{fd}{also}"#)
}

fn places(state: &State) -> String {
    let pairs = |table: &[(RawFd, TaskId)]| {
        list(table.iter().map(|(fd, task)| format!("[{fd},{task}]")))
    };
    let sorted = |tasks: &[TaskId]| {
        let mut tasks = tasks.to_vec();
        tasks.sort_unstable();
        list(tasks)
    };
    let (running, ready) = (state.running, list(&state.ready));
    let (read, write) = (pairs(&state.read), pairs(&state.write));
    let (timer, kernel) = (sorted(&state.timer), sorted(&state.kernel));
    format!(
        r#","running":{running},"ready":{ready},"read":{read},"write":{write},"timer":{timer},"kernel":{kernel}"#
    )
}

/// A field that may be missing.
fn field(key: &str, value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| format!(r#","{key}":{value}"#))
}

/// The fields for bytes that are sent or received.
fn len_and_data(bytes: &[u8]) -> String {
    let len = bytes.len();
    format!(r#","len":{len},"data":"{}""#, Text(&bytes[..len.min(SHOWN)]))
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

/// The fields for descriptors: `r` can be read from, or are asked about; `w` the same for
/// writing. None if the system call does not name them.
fn directions(readiness: Option<&[Readiness]>) -> String {
    let Some(all) = readiness else { return String::new() };
    let those = |direction| {
        list(all.iter().filter(|(_, it)| *it == direction).map(|(fd, _)| *fd))
    };
    format!(r#","r":{},"w":{}"#, those(Direction::Read), those(Direction::Write))
}

// ANCHOR: text
/// Bytes as a text that means nothing but itself, in JSON and in a page around it: `</script>`
/// would end the element around it, what follows two braces would be carried out by mdBook, `&lt;`
/// would become `<`. A byte that is not ASCII becomes the character with its number.
struct Text<'a>(&'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b'<' | b'{' | b'&' => write!(f, "\\u{byte:04x}")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\u{byte:04x}")?,
            }
        }
        Ok(())
    }
}
// ANCHOR_END: text
