//! A timer as an event: what a task yields to wait for a moment, and who looks at the clock.
//!
//! The page of this exercise: chapters/exercises/04_sleep_event.md

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A suspended task, here only its number.
pub type Task = u32;

/// A moment in time is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SleepEvent {
    /// That moment.
    pub until: Instant,
}

/// So long that nobody will see its end: a hundred years.
pub const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Wait for `duration`, from `now` on. What the clock cannot express is a [`CENTURY`].
pub fn sleep(duration: Duration, now: Instant) -> SleepEvent {
    // ANSWER: the event: when does it end?
    SleepEvent { until: now.checked_add(duration).unwrap_or_else(|| now + CENTURY) }
    // ANSWER_END
}

/// The tasks that sleep, the earliest to wake first.
#[derive(Debug, Default)]
pub struct Timers {
    sleeping: BTreeSet<(Instant, Task)>,
}

impl Timers {
    /// `task` has yielded `event`.
    pub fn waiting_until(&mut self, event: SleepEvent, task: Task) {
        // ANSWER: put the task among the sleeping ones
        self.sleeping.insert((event.until, task));
        // ANSWER_END
    }

    /// How long `select` may sleep, if it is called `now`: `None` is for ever.
    pub fn timeout(&self, now: Instant) -> Option<Duration> {
        // ANSWER: until the first of them must be woken
        let (until, _) = self.sleeping.first()?;
        Some(until.saturating_duration_since(now))
        // ANSWER_END
    }

    /// The next task whose moment has come `now`. It sleeps no more.
    pub fn pop_due(&mut self, now: Instant) -> Option<Task> {
        // ANSWER: the first, if its time has come
        let (until, task) = *self.sleeping.first()?;
        if until > now {
            return None;
        }
        self.sleeping.pop_first();
        Some(task)
        // ANSWER_END
    }
}
