//! What happened, step by step, for whoever wants to watch.
//!
//! The ready queue and the drivers report each [`Step`] to a [`Trace`]. Tests use it to compare
//! two runs; with `--trace`, a [`Recording`](crate::recording::Recording) writes it to a file.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::event::{Data, Event};
use crate::net::Socket;
use crate::poller::{Direction, Readiness};

// ANCHOR: trace
/// A task's number: 1 is the first that was submitted. None is used twice.
pub type TaskId = u64;

/// Watches a run.
pub trait Trace {
    /// Whether anybody watches at all. If not, the code that would report is left out of the
    /// program: an untraced run pays nothing.
    const ON: bool = true;

    /// This happens now. It must not call back into the scheduler.
    fn record(&mut self, step: Step<'_>);

    /// Whether it wants a [`Step::State`] before the next wait. Making one takes a look at
    /// every task, so it should not be asked for too often.
    fn wants_state(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Untraced;

impl Trace for Untraced {
    const ON: bool = false;

    fn record(&mut self, _: Step<'_>) {}
}
// ANCHOR_END: trace

// ANCHOR: step
/// One thing that a scheduler, or another driver of tasks, did.
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
        with: &'a Data,
    },
    /// A task has yielded an event.
    Yield {
        /// Which task.
        task: TaskId,
        /// What it waits for.
        event: &'a Event,
        /// The line of its source where it is suspended.
        at: &'static Location<'static>,
    },
    /// A task and its event were put where they wait.
    Park {
        /// Which task.
        task: TaskId,
        /// Where they are now.
        on: On,
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
        /// What is ready.
        ready: &'a [Readiness],
    },
    /// An event has happened (or has failed); its task and its result are the last on the ready
    /// queue, unless the task goes on at once.
    Happened {
        /// The task that waited for it.
        task: TaskId,
        /// Its result.
        data: &'a Data,
        /// The task is resumed next, without a turn on the ready queue.
        at_once: bool,
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
    /// A task's waker has been called: the task is the last on the ready queue (stage 06).
    Wake {
        /// Which task.
        task: TaskId,
    },
    /// A task has done something itself, in the middle of its turn (stage 06).
    Did {
        /// Which task.
        task: TaskId,
        /// With which socket.
        socket: &'a Socket,
        /// What it wanted to do.
        want: Want,
        /// The line of its source that wanted it.
        at: &'static Location<'static>,
        /// What came of it.
        result: Result<Did<'a>, &'a io::Error>,
    },
    /// A task has been polled, and cannot go on (stage 06).
    Pending {
        /// Which task.
        task: TaskId,
        /// What it waits for, and who has its waker: several, if it waits for several things at
        /// once, and nothing, if that is not known.
        waits: &'a [Wait],
    },
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
    /// The list of those that have had their share, and go on in the next round.
    Again,
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
    /// Those that have had their share, and go on in the next round, in any order.
    pub again: Vec<TaskId>,
}
// ANCHOR_END: step

// ANCHOR: futures
/// What a future of stage 06 is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// To accept a client.
    Accept,
    /// To read.
    Read,
    /// To write.
    Write,
    /// To sleep.
    Sleep,
}

/// What a task of stage 06 has done itself.
#[derive(Clone, Copy, Debug)]
pub enum Did<'a> {
    /// Accepted this client.
    Accepted(&'a Socket),
    /// Received these bytes; none at all at the end of input.
    Received(&'a [u8]),
    /// Sent these.
    Sent(&'a [u8]),
}

/// What a task of stage 06 waits for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What it wants.
    pub want: Want,
    /// Of which socket; none if it sleeps.
    pub socket: Option<Socket>,
    /// How many bytes it wants to send.
    pub len: Option<usize>,
    /// Who has its waker; `None` if it has been called already.
    pub on: Option<On>,
    /// The line of its source where it is suspended.
    pub at: &'static Location<'static>,
}

/// A trace that several report to: the poller of stage 06, and its executor.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<dyn Watcher>>);

/// A [`Trace`] behind a pointer.
trait Watcher {
    fn record(&mut self, step: Step<'_>);
    fn wants_state(&self) -> bool;
}

impl<T: Trace> Watcher for T {
    fn record(&mut self, step: Step<'_>) {
        self.record(step);
    }

    fn wants_state(&self) -> bool {
        self.wants_state()
    }
}

impl Shared {
    /// Shares `trace`.
    pub fn new(trace: impl Trace + 'static) -> Shared {
        Shared(Rc::new(RefCell::new(trace)))
    }

    /// This happens now.
    pub fn record(&self, step: Step<'_>) {
        self.0.borrow_mut().record(step);
    }

    /// See [`Trace::wants_state`].
    pub fn wants_state(&self) -> bool {
        self.0.borrow().wants_state()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}
// ANCHOR_END: futures
