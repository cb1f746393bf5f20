//! The timers: which waker to call at which moment.

use std::collections::BTreeMap;
use std::panic::Location;
use std::task::Waker;
use std::time::Instant;

use crate::net;
use crate::trace::TaskId;

/// The wakers of the futures that sleep, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Two futures may have the same moment, so a number belongs to the key.
    sleeping: BTreeMap<(Instant, u64), Sleeping>,
    /// How many numbers have been given out.
    numbers: u64,
}

/// A future that sleeps.
#[derive(Debug)]
struct Sleeping {
    waker: Waker,
    /// The task that polls it, and the line of source that made it, for a trace.
    task: TaskId,
    at: &'static Location<'static>,
}

impl Timers {
    /// A number for a future.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Keeps `waker`, to call it then, in place of an earlier one with this number.
    pub(super) fn register(
        &mut self,
        (until, number): (Instant, u64),
        waker: &Waker,
        task: TaskId,
        at: &'static Location<'static>,
    ) {
        let waker = waker.clone();
        self.sleeping.insert((until, number), Sleeping { waker, task, at });
    }

    /// The future with this number does not wait any more.
    pub(super) fn forget(&mut self, until: Instant, number: u64) {
        self.sleeping.remove(&(until, number));
    }

    /// The next moment at which a future is to be woken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.sleeping.first_key_value().map(|(&(until, _), _)| until)
    }

    /// Calls the wakers whose time has come.
    pub(super) fn wake_due(&mut self) {
        while let Some(first) = self.sleeping.first_entry() {
            if first.key().0 > net::now() {
                break;
            }
            first.remove().waker.wake();
        }
    }

    /// The tasks that sleep, and where; a task may be there twice.
    pub(super) fn waiting(
        &self,
    ) -> impl Iterator<Item = (TaskId, &'static Location<'static>)> {
        self.sleeping.values().map(|sleeping| (sleeping.task, sleeping.at))
    }
}
