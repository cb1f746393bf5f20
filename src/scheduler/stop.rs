//! The rule for a graceful stop, the same for every driver of tasks.
//!
//! A task that waits for a client is told `Interrupted`, and the listening socket closes. A task
//! that receives gets what the kernel already holds, and then the end of input, so that each
//! handler finishes by the path that it knows. Sending goes on, and so does closing. Input is
//! taken for [`INPUT_GRACE`] at most, and after [`STOP_GRACE`] the driver returns, with or
//! without its tasks.

use std::io;
use std::time::{Duration, Instant};

use super::event::{Data, Event, Happened};
use super::ready::{ReadyQueue, Submitted};
use crate::net;
use crate::space::Space;

/// After a stop, input that the kernel already holds is still received for this long.
pub const INPUT_GRACE: Duration = Duration::from_secs(1);

/// After a stop, the driver returns at the latest after this time.
pub const STOP_GRACE: Duration = Duration::from_secs(4);

/// Whether a stop has begun, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop {
    since: Option<Instant>,
}

impl Stop {
    /// The stop begins now.
    pub fn begin(&mut self) {
        self.since = Some(net::now());
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        self.since.is_some()
    }

    /// Whether no input is taken any more.
    pub fn input_is_over(&self) -> bool {
        self.lasts(INPUT_GRACE)
    }

    /// Whether the driver has to return, with or without its tasks.
    pub fn is_over(&self) -> bool {
        self.lasts(STOP_GRACE)
    }

    /// When it will be over.
    pub fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + STOP_GRACE)
    }

    fn lasts(&self, time: Duration) -> bool {
        self.since.is_some_and(|since| net::now() >= since + time)
    }

    /// Whether `event` must not wait any more: it is about something new.
    pub fn forbids(&self, event: &Event) -> bool {
        self.has_begun() && matches!(event, Event::Connect(_) | Event::Receive(_))
    }

    // ANCHOR: end
    /// Gives `task` the result of an event that must not wait.
    pub(crate) fn end(&self, mut event: Event, task: Submitted, ready: &ReadyQueue) {
        let data = match event {
            Event::Receive(_) if self.input_is_over() => Data::Received(vec![]),
            Event::Receive(_) => {
                ready.trace(|| event.call_step(task.id));
                match event.happen(&mut Space::default()) {
                    Happened::Done(data) => data,
                    Happened::NotYet => Data::Received(vec![]), // the end of input
                }
            }
            _ => event.failed(io::ErrorKind::Interrupted.into()),
        };
        ready.add_ready(task, data);
    }
    // ANCHOR_END: end
}
