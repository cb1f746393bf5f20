//! What happened, step by step, for whoever wants to watch.
//!
//! The ready queue and the drivers report each [`Step`] to a [`Trace`]. Tests use it to compare
//! two runs.

use std::panic::Location;

use crate::event::{Data, Event};
use crate::poller::Readiness;

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
    /// A task was submitted.
    Spawn {
        /// Its number.
        task: TaskId,
        /// Its name.
        name: &'static str,
    },
    /// A task is resumed with a result.
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
    /// A task and its event were put onto a waiting table.
    Park {
        /// Which task.
        task: TaskId,
        /// The event's descriptor and direction; `None` for a timer.
        on: Option<Readiness>,
    },
    /// The driver asks the system what is ready, and may sleep.
    Enter {
        /// The system call's name, as the poller has it.
        call: &'static str,
    },
    /// The system has answered.
    Leave {
        /// The system call's name.
        call: &'static str,
        /// What is ready.
        ready: &'a [Readiness],
    },
    /// An event has happened; its result is on the ready queue.
    Happened {
        /// The task that waited for it.
        task: TaskId,
        /// Its result.
        data: &'a Data,
    },
    /// A task has come to its end.
    Finish {
        /// Which task.
        task: TaskId,
        /// It panicked.
        panicked: bool,
    },
}
// ANCHOR_END: step
