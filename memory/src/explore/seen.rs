//! What is seen of a run: the scheduler reports each step, and the sockets can be looked at.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::net;
use crate::poller::Script;
use crate::scheduler::event::CLOSE_PATIENCE;
use crate::scheduler::stop::INPUT_GRACE;
use crate::trace::{On, Outcome, State, Step, TaskId, Trace, Want};

/// The first client's peer. Peers are numbered as clients connect, and clients are accepted in
/// that order.
pub const FIRST_PEER: usize = 2;
/// The first client's task.
const FIRST_TASK: TaskId = 3;

/// What the scheduler has reported so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The tasks that have not finished.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Where they are when the decisions have run out.
    pub state: State,
    /// How long that wait may last.
    pub timeout: Option<Duration>,
    /// When the stop began.
    pub stopped: Option<Instant>,
    /// When closes give up that are under way, or that were.
    pub deadlines: BTreeSet<(Instant, TaskId, RawFd)>,
    /// The clients whose close has given up.
    pub gave_up: BTreeSet<usize>,
    /// The clients whose task has been told the end of input, and how many of the bytes that
    /// they had sent by then it owes them.
    pub told: BTreeMap<usize, usize>,
    /// How many clients have been accepted.
    pub accepted: usize,
    /// The accepts that have failed since then.
    pub refused: Vec<ErrorKind>,
    /// A task has panicked.
    pub panicked: bool,
    script: Script,
}

/// A task that has not finished.
#[derive(Debug)]
pub struct Task {
    /// The line of its last yield; 0 before the first.
    pub line: u32,
    /// What it wants.
    pub want: Want,
    /// Of which descriptor.
    pub fd: Option<RawFd>,
    /// What it has received or has not yet sent.
    pub bytes: Vec<u8>,
    /// What will be sent into it: a number of bytes, or an error.
    pub result: Option<Result<usize, ErrorKind>>,
    /// When it yielded.
    pub since: Instant,
}

impl Seen {
    /// Nothing yet.
    pub fn new(script: Script) -> Seen {
        Seen { script, ..Seen::default() }
    }

    /// Whether a stop no longer lets tasks receive.
    pub fn input_is_over(&self) -> bool {
        self.stopped.is_some_and(|since| net::now() >= since + INPUT_GRACE)
    }

    /// The task of a client, if that has been accepted and has not finished.
    pub fn handler(&self, client: usize) -> Option<&Task> {
        self.tasks.get(&(FIRST_TASK + client as TaskId))
    }

    fn task(&mut self, id: TaskId) -> &mut Task {
        self.tasks.get_mut(&id).expect("a task that has been submitted")
    }

    fn happened(&mut self, id: TaskId, outcome: &Outcome<'_>) {
        match outcome {
            Outcome::Accepted { .. } => {
                self.accepted += 1;
                self.refused.clear();
            }
            Outcome::Failed(ErrorKind::Interrupted) => {} // a stop, and not the system
            Outcome::Failed(error) if id == 1 => self.refused.push(*error),
            Outcome::Received([]) => self.told_the_end(id),
            Outcome::Closed => self.closed(id),
            _ => {}
        }
        let task = self.task(id);
        match outcome {
            Outcome::Received(bytes) => task.bytes = bytes.to_vec(),
            _ => task.bytes.clear(), // sent
        }
        task.result = Some(match outcome {
            Outcome::Received(bytes) => Ok(bytes.len()),
            Outcome::Sent(count) => Ok(*count),
            Outcome::Failed(error) => Err(*error),
            _ => Ok(0),
        });
    }

    fn told_the_end(&mut self, id: TaskId) {
        let Some(client) = id.checked_sub(FIRST_TASK) else { return };
        let peer = self.script.peer(FIRST_PEER + client as usize);
        let it = peer.look();
        let left_behind = if self.input_is_over() { it.to_socket.len() } else { 0 };
        self.told.insert(client as usize, it.sent - left_behind);
    }

    fn closed(&mut self, id: TaskId) {
        let late = net::now() >= self.task(id).since + CLOSE_PATIENCE;
        if late && id >= FIRST_TASK {
            self.gave_up.insert((id - FIRST_TASK) as usize);
        }
    }
}

/// As a scheduler takes it.
pub struct Shared(pub Rc<RefCell<Seen>>);

impl Trace for Shared {
    fn wants_state(&self) -> bool {
        self.0.borrow().script.is_at_the_end()
    }

    fn record(&mut self, step: Step<'_>) {
        let seen = &mut *self.0.borrow_mut();
        match step {
            Step::Spawn { task, .. } => {
                let (want, since, result) = (Want::Wake, net::now(), Some(Ok(0)));
                let new = Task { line: 0, want, fd: None, bytes: vec![], result, since };
                seen.tasks.insert(task, new);
            }
            Step::Yield { task, want, on, bytes, at } => {
                let line = at.map_or(0, |at| at.line());
                let (bytes, since) = (bytes.to_vec(), net::now());
                let fd = on.map(|on| on.number);
                let now = Task { line, want, fd, bytes, result: None, since };
                *seen.task(task) = now;
            }
            Step::NotYet { task, left: Some(left) } => {
                let bytes = &mut seen.task(task).bytes;
                bytes.drain(..bytes.len() - left);
            }
            Step::Happened { task, result, .. } => seen.happened(task, &result),
            Step::Park { task, on: On::Read(fd), .. } => {
                let it = seen.task(task);
                if it.want == Want::Close {
                    let deadline = it.since + CLOSE_PATIENCE;
                    seen.deadlines.insert((deadline, task, fd));
                }
            }
            Step::Finish { task, panicked } => {
                seen.panicked |= panicked;
                seen.tasks.remove(&task);
            }
            Step::Stop => seen.stopped = Some(net::now()),
            Step::State(state) => seen.state = state.clone(),
            Step::Enter { timeout, .. } => {
                seen.timeout = timeout;
                seen.deadlines.retain(|(deadline, ..)| *deadline > net::now());
            }
            _ => {}
        }
    }
}
