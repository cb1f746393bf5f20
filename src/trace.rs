//! What happened, step by step, for a program or a person that wants to watch.
//!
//! The ready queue and the drivers report each [`Step`] to a [`Trace`]. Tests use it to compare
//! two runs; with `--trace`, a [`Recording`](crate::recording::Recording) writes it to a file. A
//! step holds plain values, so that all drivers of tasks report the same steps, whatever their
//! events and futures are.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::panic::Location;
use std::time::Duration;

use crate::net::{Descriptor, Direction, Readiness};

/// A task's number: 1 is the first that was submitted. No number is used twice.
pub type TaskId = u64;

/// Watches a run.
pub trait Trace {
    /// This happens now. It must not call back into the scheduler.
    fn record(&mut self, step: Step<'_>);

    /// Whether it wants a [`Step::State`] before the next wait. Making one takes a look at
    /// every task, so it should not be asked for too often.
    fn wants_state(&self) -> bool {
        false
    }
}

/// One thing that a driver of tasks did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// A task was submitted: it is the last on the ready queue.
    Spawn {
        /// Its number.
        task: TaskId,
        /// Its name.
        name: &'static str,
    },
    /// A task is taken from the front of the ready queue and resumed with a result.
    Resume {
        /// Which task.
        task: TaskId,
        /// What is sent in.
        with: Outcome<'a>,
    },
    /// The running task is suspended, and wants something.
    Yield {
        /// Which task.
        task: TaskId,
        /// What it waits for.
        want: Want,
        /// Of which socket.
        on: Option<Descriptor>,
        /// What it wants to send.
        bytes: &'a [u8],
        /// The line of its source where it is suspended, if that is known.
        at: Option<&'static Location<'static>>,
    },
    /// A task was put where it waits.
    Park {
        /// Which task.
        task: TaskId,
        /// Where it is now.
        on: On,
        /// It waits in another place as well (06: two futures in one task).
        also: bool,
    },
    /// The system call that a task waited for is made now; its result is the next step.
    Call {
        /// The task that waits for it.
        task: TaskId,
        /// What for.
        want: Want,
        /// On which socket.
        on: Option<Descriptor>,
        /// What is to be sent.
        bytes: &'a [u8],
        /// The task makes the call itself, at this line, in the middle of its turn (06).
        at: Option<&'static Location<'static>>,
    },
    /// The call has found that there is more to wait for.
    NotYet {
        /// The task that goes on waiting.
        task: TaskId,
        /// How many bytes it still has to send.
        left: Option<usize>,
    },
    /// An event has happened (or has failed); its task and its result are the last on the ready
    /// queue.
    Happened {
        /// The task that waited for it.
        task: TaskId,
        /// Its result.
        result: Outcome<'a>,
        /// The task made the call itself, at this line, and goes on without a turn on the ready
        /// queue (06).
        at: Option<&'static Location<'static>>,
    },
    /// A waker of the task was called: the task is the last on the ready queue (06).
    Wake {
        /// Which task.
        task: TaskId,
    },
    /// The driver makes a system call that may sleep.
    Enter {
        /// The system call's name, as the poller has it.
        call: &'static str,
        /// The descriptors it is asked about; `None` if the call does not name them.
        asked: Option<Vec<Readiness>>,
        /// How long it may sleep; `None` is for ever.
        timeout: Option<Duration>,
    },
    /// The system has answered.
    Leave {
        /// The system call's name.
        call: &'static str,
        /// What is ready; `None` if the call does not say: what it has done follows.
        ready: Option<&'a [Readiness]>,
    },
    /// A task has come to its end.
    Finish {
        /// Which task.
        task: TaskId,
        /// It panicked.
        panicked: bool,
    },
    /// A graceful stop begins.
    Stop,
    /// Where all tasks are, for comparison: see [`Trace::wants_state`].
    State(&'a State),
}

/// What a task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A client.
    Accept,
    /// Data, or the end of input.
    Read,
    /// Room to send.
    Write,
    /// A moment in time.
    Sleep,
    /// The end of a connection.
    Close,
    /// Something else, which will wake it (06).
    Wake,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Outcome<'a> {
    /// Nothing that could be shown.
    Nothing,
    /// A client.
    Accepted {
        /// Its socket.
        client: Descriptor,
        /// Its address.
        peer: SocketAddr,
    },
    /// These bytes were received.
    Received(&'a [u8]),
    /// So many bytes were sent.
    Sent(usize),
    /// The connection has been closed.
    Closed,
    /// It failed.
    Failed(io::ErrorKind),
}

/// Where a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum On {
    /// The read-waiting table.
    Read(RawFd),
    /// The write-waiting table.
    Write(RawFd),
    /// The timers.
    Timer,
    /// The kernel has the operation, and will say when it is done.
    Kernel,
}

impl From<Readiness> for On {
    fn from((fd, direction): Readiness) -> On {
        match direction {
            Direction::Read => On::Read(fd),
            Direction::Write => On::Write(fd),
        }
    }
}

/// Where all tasks are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How many tasks have been submitted and have not finished.
    pub running: usize,
    /// Those on the ready queue, in its order.
    pub ready: Vec<TaskId>,
    /// Those on the read-waiting table, by descriptor.
    pub read: Vec<(RawFd, TaskId)>,
    /// Those on the write-waiting table, by descriptor.
    pub write: Vec<(RawFd, TaskId)>,
    /// Those that sleep, in any order.
    pub timer: Vec<TaskId>,
    /// Those whose operation the kernel has, in any order.
    pub kernel: Vec<TaskId>,
}
