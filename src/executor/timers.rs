//! The timers: which waker to call at which moment.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Instant;

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
    /// The task that polls it, for a trace.
    task: TaskId,
}

impl Timers {
    /// A number for a future.
    pub fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Keeps `waker`, to call it then, in place of an earlier one of the same future.
    pub fn register(&mut self, key: (Instant, u64), waker: &Waker, task: TaskId) {
        self.sleeping.insert(key, Sleeping { waker: waker.clone(), task });
    }

    /// This future does not wait any more.
    pub fn forget(&mut self, key: (Instant, u64)) {
        self.sleeping.remove(&key);
    }

    /// The next moment at which a future is to be woken.
    pub fn next(&self) -> Option<Instant> {
        self.sleeping.first_key_value().map(|(&(until, _), _)| until)
    }

    /// Calls the wakers whose time has come by `now`.
    pub fn wake_due(&mut self, now: Instant) {
        while let Some(first) = self.sleeping.first_entry() {
            if first.key().0 > now {
                break;
            }
            first.remove().waker.wake();
        }
    }

    /// The tasks that sleep, for a trace.
    pub fn waiting(&self) -> impl Iterator<Item = TaskId> {
        self.sleeping.values().map(|sleeping| sleeping.task)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net;

    #[test]
    fn two_futures_may_have_the_same_moment() {
        let (mut timers, until) = (Timers::default(), net::now());
        for task in [1, 2] {
            let key = (until, timers.number());
            timers.register(key, Waker::noop(), task);
        }
        assert_eq!(timers.waiting().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(timers.next(), Some(until));
    }

    #[test]
    fn what_is_due_now_is_woken_now() {
        let (mut timers, now) = (Timers::default(), net::now());
        timers.register((now, 1), Waker::noop(), 1);
        timers.register((now + Duration::from_nanos(1), 2), Waker::noop(), 2);
        timers.wake_due(now);
        assert_eq!(timers.waiting().collect::<Vec<_>>(), [2]);
    }
}
