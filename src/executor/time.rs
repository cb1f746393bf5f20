//! Time: futures that are ready later.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::both::{Either, race};
use crate::event::later;

// ANCHOR: timers
/// Who is to be woken when: in the order of time, and then of numbers.
#[derive(Debug, Default)]
pub(super) struct Timers {
    wakers: BTreeMap<(Instant, u64), Waker>,
    /// How many there have been.
    numbers: u64,
}

impl Timers {
    /// The next moment at which somebody is to be woken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.wakers.first_key_value().map(|(&(until, _), _)| until)
    }

    /// All that is to be woken, for traces.
    pub(super) fn wakers(&self) -> impl Iterator<Item = &Waker> {
        self.wakers.values()
    }

    /// Wakes those whose time has come.
    pub(super) fn wake_due(&mut self) {
        if self.wakers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(timer) = self.wakers.first_entry() {
            if timer.key().0 > now {
                break;
            }
            timer.remove().wake();
        }
    }
}
// ANCHOR_END: timers

// ANCHOR: sleep
/// A moment in time. See [`Handle::sleep`](super::Handle::sleep).
#[derive(Debug)]
#[must_use = "nobody waits unless you `.await` this"]
pub struct Sleep {
    timers: Rc<RefCell<Timers>>,
    until: Instant,
    number: Option<u64>,
}

impl Sleep {
    pub(super) fn new(timers: Rc<RefCell<Timers>>, duration: Duration) -> Sleep {
        Sleep { timers, until: later(duration), number: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(()); // and `drop` takes the timer away
        }
        let Sleep { timers, until, number } = &mut *self;
        let mut timers = timers.borrow_mut();
        let number = *number.get_or_insert_with(|| {
            timers.numbers += 1;
            timers.numbers
        });
        let waker = context.waker().clone();
        timers.wakers.insert((*until, number), waker);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.timers.borrow_mut().wakers.remove(&(self.until, number));
        }
    }
}
// ANCHOR_END: sleep

// ANCHOR: timeout
/// The time was over first. What was under way has been dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

/// `work`, but no longer than `sleep`.
pub(super) async fn limited<F: Future>(
    work: F,
    sleep: Sleep,
) -> Result<F::Output, Elapsed> {
    match race(work, sleep).await {
        Either::First(output) => Ok(output),
        Either::Second(()) => Err(Elapsed),
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was over")
    }
}

impl std::error::Error for Elapsed {}
// ANCHOR_END: timeout
