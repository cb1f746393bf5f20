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

/// So much is collected at most before it is written.
const CAPACITY: usize = 64 * 1024;

/// When the server ends, its recording is waited for so long, from the moment of the stop.
const PATIENCE: Duration = Duration::from_secs(4);

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
    /// What each task waits for.
    waits: HashMap<TaskId, Wait>,
    /// The sockets that tasks have waited for.
    sockets: BTreeMap<RawFd, Known>,
    /// How many clients have been accepted.
    connections: u64,
    /// How many tasks have not finished.
    running: usize,
    /// How many steps there were since the last state.
    since_state: usize,
}

/// What a task waits for.
struct Wait {
    want: Want,
    fd: Option<RawFd>,
    /// How many bytes it sends, and the first of them.
    len: Option<usize>,
    sends: Vec<u8>,
}

/// A socket, and its connection's number and peer if it was accepted.
struct Known {
    descriptor: Descriptor,
    accepted: Option<(u64, SocketAddr)>,
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
            waits: HashMap::new(),
            sockets: BTreeMap::new(),
            connections: 0,
            running: 0,
            since_state: 0,
        };
        // What `git hash-object` prints for the file.
        let blob = format!("blob {}\0{text}", text.len());
        let sha = sha1_smol::Sha1::from(blob).digest();
        let init = r#"{"running":0,"ready":[],"read":[],"write":[]}"#;
        recording.line(
            "trace",
            format_args!(
                r#","v":{VERSION},"stage":"{stage}","clock":"ns","src":"{path}","sha":"{sha}","init":{init}"#
            ),
        );
        recording
    }

    /// Adds a line. Each of its fields begins with a comma.
    fn line(&mut self, e: &str, fields: fmt::Arguments<'_>) {
        let t = net::now().duration_since(self.start).as_nanos();
        let _ = writeln!(self.lines, r#"{{"t":{t},"e":"{e}"{fields}}}"#);
    }

    /// Hands over what has been collected.
    fn write(&mut self) {
        self.ended |= !self.sink.write(std::mem::take(&mut self.lines));
    }

    fn yields(&mut self, task: TaskId, wait: Wait, at: Option<&Location<'_>>) {
        let (want, fd) = (name(wait.want), field("fd", wait.fd));
        let (len, at) = (field("len", wait.len), self.place(at));
        self.line(
            "yield",
            format_args!(r#","task":{task},"want":"{want}"{fd}{len}{at}"#),
        );
        self.waits.insert(task, wait);
    }

    fn calls(&mut self, task: TaskId, wait: Wait) {
        let call = match wait.want {
            Want::Accept => "accept",
            Want::Write => "send",
            _ => "recv",
        };
        let fd = field("fd", wait.fd);
        let len = field("len", wait.len);
        let data = field("data", wait.len.map(|_| Text(&wait.sends)));
        self.line(
            "call",
            format_args!(r#","task":{task},"call":"{call}"{fd}{len}{data}"#),
        );
        self.waits.insert(task, wait);
    }

    fn happened(
        &mut self,
        task: TaskId,
        result: &Outcome<'_>,
        at: Option<&'static Location<'static>>,
    ) {
        let Some(Wait { want, fd, sends, .. }) = self.waits.remove(&task) else { return };
        let known = fd.and_then(|fd| self.sockets.get(&fd));
        let mut connection = known.and_then(|known| Some(known.accepted?.0));
        let (mut len, mut bytes, mut failed) = (None, None, None);
        match result {
            Outcome::Accepted { client, peer } => {
                connection = Some(self.accepted(client, *peer));
            }
            Outcome::Received(received) => {
                (len, bytes) = (Some(received.len()), Some(Text(received)));
            }
            Outcome::Sent(count) => (len, bytes) = (Some(*count), Some(Text(&sends))),
            Outcome::Failed(error) => failed = Some(format!("\"{error:?}\"")),
            Outcome::Closed => self.closed(),
            Outcome::Nothing => {}
        }
        let (op, fd, len, data) =
            (name(want), field("fd", fd), field("len", len), field("data", bytes));
        let (error, conn) = (field("error", failed), field("conn", connection));
        let at_once = field("at_once", at.map(|_| true));
        let at = self.place(at);
        self.line(
            "happened",
            format_args!(
                r#","task":{task},"op":"{op}"{fd}{len}{data}{error}{conn}{at_once}{at}"#
            ),
        );
    }

    fn accepted(&mut self, client: &Descriptor, peer: SocketAddr) -> u64 {
        self.connections += 1;
        let (fd, conn) = (client.number, self.connections);
        self.open(client, Some((conn, peer)));
        self.line("accept", format_args!(r#","fd":{fd},"peer":"{peer}","conn":{conn}"#));
        conn
    }

    /// A task uses this socket.
    fn open(&mut self, descriptor: &Descriptor, accepted: Option<(u64, SocketAddr)>) {
        let fd = descriptor.number;
        if self.sockets.get(&fd).is_some_and(|known| known.descriptor == *descriptor) {
            return;
        }
        self.closed(); // its number may have been another's
        self.sockets.insert(fd, Known { descriptor: descriptor.clone(), accepted });
    }

    /// Records which sockets have been closed since the last look.
    fn closed(&mut self) {
        let mut closed = vec![];
        self.sockets.retain(|fd, known| {
            let is_closed = known.descriptor.is_closed();
            closed.extend(is_closed.then_some((*fd, known.accepted)));
            !is_closed
        });
        for (fd, accepted) in closed {
            let (conn, peer) = accepted.unzip();
            let peer = field("peer", peer.map(|peer| format!("\"{peer}\"")));
            let conn = field("conn", conn);
            self.line("close", format_args!(r#","fd":{fd}{peer}{conn}"#));
        }
    }

    /// The fields for a line of source.
    fn place(&self, at: Option<&Location<'_>>) -> String {
        let other = at.map(Location::file).filter(|file| *file != self.path);
        let file = field("file", other.map(|file| format!("{file:?}")));
        file + &field("line", at.map(Location::line))
    }

    /// What a task waits for.
    fn wait(&mut self, want: Want, on: Option<Descriptor>, bytes: &[u8]) -> Wait {
        if let Some(descriptor) = &on {
            self.open(descriptor, None);
        }
        let len = (want == Want::Write).then_some(bytes.len());
        let sends = bytes[..bytes.len().min(SHOWN)].to_vec();
        Wait { want, fd: on.map(|on| on.number), len, sends }
    }

    fn parks(&mut self, task: TaskId, on: On, also: bool) {
        let (on, fd) = match on {
            On::Read(fd) => ("read", Some(fd)),
            On::Write(fd) => ("write", Some(fd)),
            On::Timer => ("timer", None),
            On::Kernel => ("kernel", None),
        };
        let (fd, also) = (field("fd", fd), field("also", also.then_some(true)));
        self.line("park", format_args!(r#","task":{task},"on":"{on}"{fd}{also}"#));
    }

    fn enters(
        &mut self,
        call: &str,
        asked: Option<Vec<Readiness>>,
        timeout: Option<Duration>,
    ) {
        let asked = asked.as_deref().map_or(String::new(), directions);
        let nanos = field("timeout", timeout.map(|timeout| timeout.as_nanos()));
        self.line("enter", format_args!(r#","call":"{call}"{asked}{nanos}"#));
        // Now is a good time: the server is about to sleep.
        if timeout != Some(Duration::ZERO) || self.lines.len() > CAPACITY {
            self.write();
        }
    }

    fn finishes(&mut self, task: TaskId, panicked: bool) {
        self.closed();
        self.waits.remove(&task);
        self.running -= 1;
        let panicked = field("panicked", panicked.then_some(true));
        self.line("finish", format_args!(r#","task":{task}{panicked}"#));
    }

    fn state(&mut self, state: &State) {
        self.since_state = 0;
        let pair = |(fd, task): &(RawFd, TaskId)| format!("[{fd},{task}]");
        let some = |tasks: &[TaskId]| {
            let mut tasks = tasks.to_vec();
            tasks.sort_unstable();
            (!tasks.is_empty()).then(|| list(&tasks))
        };
        let (running, ready) = (state.running, list(&state.ready));
        let read = list(state.read.iter().map(pair));
        let write = list(state.write.iter().map(pair));
        let timer = field("timer", some(&state.timer));
        let kernel = field("kernel", some(&state.kernel));
        self.line(
            "state",
            format_args!(
                r#","running":{running},"ready":{ready},"read":{read},"write":{write}{timer}{kernel}"#
            ),
        );
    }
}

impl Trace for Recording {
    fn record(&mut self, step: Step<'_>) {
        if self.ended {
            return;
        }
        self.since_state += 1;
        match step {
            Step::Spawn { task, name } => {
                self.running += 1;
                self.line("spawn", format_args!(r#","task":{task},"name":"{name}""#));
            }
            Step::Resume { task, with } => {
                let with = sent_in(&with);
                self.line("resume", format_args!(r#","task":{task},"with":{with}"#));
            }
            Step::Yield { task, want, on, bytes, at } => {
                let wait = self.wait(want, on, bytes);
                self.yields(task, wait, at);
            }
            Step::Park { task, on, also } => self.parks(task, on, also),
            Step::Call { task, want, on, bytes } => {
                let wait = self.wait(want, on, bytes);
                self.calls(task, wait);
            }
            Step::NotYet { task, left } => {
                let left = field("left", left);
                self.line("not_yet", format_args!(r#","task":{task}{left}"#));
            }
            Step::Happened { task, result, at } => self.happened(task, &result, at),
            Step::Wake { task } => self.line("wake", format_args!(r#","task":{task}"#)),
            Step::Enter { call, asked, timeout } => self.enters(call, asked, timeout),
            Step::Leave { call, ready } => {
                let ready = directions(ready);
                self.line("leave", format_args!(r#","call":"{call}"{ready}"#));
            }
            Step::Finish { task, panicked } => self.finishes(task, panicked),
            Step::Stop => {
                self.stopped = Some(net::now());
                self.line("stop", format_args!(""));
            }
            Step::State(state) => self.state(state),
        }
    }

    /// One state for as many steps as it has tasks: so states are a small part of the file,
    /// however many tasks there are.
    fn wants_state(&self) -> bool {
        !self.ended && self.since_state >= self.running
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.closed();
        self.write();
        self.sink.finish(self.stopped.unwrap_or_else(net::now) + PATIENCE);
    }
}

fn name(want: Want) -> &'static str {
    match want {
        Want::Accept => "accept",
        Want::Read => "read",
        Want::Write => "write",
        Want::Sleep => "sleep",
        Want::Close => "close",
        Want::Wake => "wake",
    }
}

/// What is sent into a task.
fn sent_in(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Nothing | Outcome::Closed => "null".to_string(),
        Outcome::Accepted { client, .. } => format!(r#"{{"fd":{}}}"#, client.number),
        Outcome::Received(bytes) => bytes.len().to_string(),
        Outcome::Sent(count) => count.to_string(),
        Outcome::Failed(error) => format!("\"{error:?}\""),
    }
}

/// A field that may be missing.
fn field(key: &str, value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| format!(r#","{key}":{value}"#))
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

/// Descriptors: `r` can be read from, or are asked about; `w` the same for writing.
fn directions(readiness: &[Readiness]) -> String {
    let those = |direction| {
        list(readiness.iter().filter(|(_, it)| *it == direction).map(|(fd, _)| *fd))
    };
    format!(r#","r":{},"w":{}"#, those(Direction::Read), those(Direction::Write))
}

/// The first of these bytes, as a text that means nothing but itself, in JSON and in a page around
/// it: `</script>` would end the element around it, what follows two braces would be carried out
/// by mdBook, `&lt;` would become `<`. A byte that is not ASCII becomes the character with its
/// number.
struct Text<'a>(&'a [u8]);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for &byte in &self.0[..self.0.len().min(SHOWN)] {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b'<' | b'{' | b'&' => write!(f, "\\u{byte:04x}")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\u{byte:04x}")?,
            }
        }
        f.write_char('"')
    }
}
