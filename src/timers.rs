//! Tasks that wait for a moment in time, and events that give up at one. Every driver has these.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ready::Submitted;
use crate::trace::TaskId;

// ANCHOR: timers
/// What is due when, the earliest first. `D` is how the driver finds an event that gives up.
#[derive(Debug)]
pub struct Timers<D> {
    queue: BTreeMap<(Instant, TaskId), Timer<D>>,
    /// The tasks whose event gives up at some time, and that time.
    deadlines: BTreeMap<TaskId, Instant>,
}

/// Why somebody looks at the clock.
#[derive(Debug)]
pub enum Timer<D> {
    /// A task sleeps until then.
    Sleep(Submitted),
    /// An event gives up then.
    Deadline(D),
}

impl<D> Default for Timers<D> {
    fn default() -> Timers<D> {
        Timers { queue: BTreeMap::new(), deadlines: BTreeMap::new() }
    }
}

impl<D> Timers<D> {
    /// `task` sleeps until `until`.
    pub fn sleep(&mut self, until: Instant, task: Submitted) {
        self.queue.insert((until, task.id()), Timer::Sleep(task));
    }

    /// The event of this task, which `what` finds, gives up at `until`.
    pub fn deadline(&mut self, until: Instant, task: TaskId, what: D) {
        self.queue.insert((until, task), Timer::Deadline(what));
        self.deadlines.insert(task, until);
    }

    /// The event has happened in time: or its deadline would hit whatever the task waits for
    /// next.
    #[inline]
    pub fn forget_deadline(&mut self, task: TaskId) {
        if self.deadlines.is_empty() {
            return; // nearly always
        }
        if let Some(deadline) = self.deadlines.remove(&task) {
            self.queue.remove(&(deadline, task));
        }
    }

    /// Whether this task's event gives up at a time that has not come yet.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "stage 07 only"))]
    pub fn has_deadline(&self, task: TaskId) -> bool {
        self.deadlines.contains_key(&task)
    }

    /// When the next is due.
    pub fn next(&self) -> Option<Instant> {
        self.queue.first_key_value().map(|((until, _), _)| *until)
    }

    /// Whether nobody waits for anything here.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The first that is due by `now`, and whose it is.
    pub fn pop_due(&mut self, now: Instant) -> Option<(TaskId, Timer<D>)> {
        let first = self.queue.first_entry().filter(|first| first.key().0 <= now)?;
        let ((_, task), timer) = first.remove_entry();
        if let Timer::Deadline(_) = timer {
            self.deadlines.remove(&task);
        }
        Some((task, timer))
    }

    /// The tasks that sleep.
    pub fn sleeping(&self) -> impl Iterator<Item = TaskId> {
        self.queue.iter().filter_map(|((_, task), timer)| match timer {
            Timer::Sleep(_) => Some(*task),
            Timer::Deadline(_) => None, // it waits elsewhere, too
        })
    }

    /// Forgets everything; these tasks were asleep.
    pub fn take_sleepers(&mut self) -> Vec<Submitted> {
        let timers = std::mem::take(self).queue.into_values();
        timers
            .filter_map(|timer| match timer {
                Timer::Sleep(task) => Some(task),
                Timer::Deadline(_) => None,
            })
            .collect()
    }
}
// ANCHOR_END: timers
