//! Tasks that wait for a moment in time, and events that give up at one.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::time::Instant;

use super::ready::Submitted;
use crate::net;
use crate::trace::TaskId;

// ANCHOR: timers
/// What is due when, the earliest first. Two tasks may have the same moment, so a task's number
/// belongs to the key.
#[derive(Default)]
pub struct Timers {
    due: BTreeMap<(Instant, TaskId), Timer>,
}

/// What becomes due.
pub enum Timer {
    /// A task sleeps until then.
    Sleep(Submitted),
    /// The event that waits to read from this descriptor may have to give up then.
    GiveUp(RawFd),
}
// ANCHOR_END: timers

impl Timers {
    /// `task` sleeps until then.
    pub fn sleep(&mut self, until: Instant, task: Submitted) {
        self.due.insert((until, task.id), Timer::Sleep(task));
    }

    /// `task` waits to read from `fd`, but not longer.
    pub fn give_up(&mut self, until: Instant, fd: RawFd, task: TaskId) {
        self.due.insert((until, task), Timer::GiveUp(fd));
    }

    /// The next moment at which something is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((until, _), _)| *until)
    }

    /// Takes out the first that is due by now.
    pub fn pop_due(&mut self) -> Option<Timer> {
        let first = self.due.first_entry()?;
        (first.key().0 <= net::now()).then(|| first.remove())
    }

    /// The tasks that sleep.
    pub fn sleepers(&self) -> impl Iterator<Item = TaskId> {
        self.due.values().filter_map(|timer| match timer {
            Timer::Sleep(task) => Some(task.id),
            Timer::GiveUp(_) => None,
        })
    }

    /// Takes out the tasks that sleep, and forgets the rest.
    pub fn take_sleepers(&mut self) -> impl Iterator<Item = Submitted> + use<> {
        std::mem::take(&mut self.due).into_values().filter_map(|timer| match timer {
            Timer::Sleep(task) => Some(task),
            Timer::GiveUp(_) => None,
        })
    }
}
