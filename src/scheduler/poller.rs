//! The seam between the scheduler and the operating system: which task can go on?
//!
//! The scheduler knows *what* its tasks wait for; a [`Poller`] knows how to ask the system
//! *which* of it is ready. [`Select`](crate::select::Select) is the one of stage 04,
//! [`Epoll`](crate::epoll::Epoll) that of stage 05. Tests use a script.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::net::{Direction, Readiness, Socket};

/// Asks the operating system which descriptors are ready.
///
/// The answer may be wrong: a descriptor that is said to be ready may still say `WouldBlock`.
/// The scheduler then watches it once more.
pub trait Poller {
    // ANCHOR: poller
    /// From now on, watch `socket` for `direction`, until it has been reported once.
    ///
    /// # Errors
    ///
    /// If this poller cannot watch it, for example because its number is too large.
    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()>;

    /// No task waits for this any more, although it has not been reported.
    fn unwatch(&mut self, fd: RawFd, direction: Direction);

    /// Sleeps until something is ready, or for `timeout`, and adds to `ready` what is.
    /// What has been reported is not watched any more.
    ///
    /// # Errors
    ///
    /// If the system refuses, so that asking again would not help.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()>;
    // ANCHOR_END: poller

    /// The name of the system call behind [`wait`](Poller::wait), for traces.
    fn call(&self) -> &'static str;

    /// Whether to try a send before it is watched: there is nearly always room.
    fn sends_first(&self) -> bool {
        false
    }

    /// What the next [`wait`](Poller::wait) will name to the system, for traces: `None` if
    /// the system keeps that by itself.
    fn asked(&self) -> Option<Vec<Readiness>> {
        None
    }
}
