//! A second poller: `poll(2)` instead of `select(2)`, and nothing else changes.
//!
//! The page of this exercise: chapters/exercises/05_poll.md

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use bricks::net::Socket;
use bricks::poller::{Direction, Dry, Poller, Readiness, Watch};
use exercises::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, PollFd, poll};

/// The list that `poll` is given: one entry for each descriptor that somebody waits for.
#[derive(Default)]
pub struct Poll {
    list: Vec<PollFd>,
}

/// The bit of `events` and `revents` that stands for `direction`.
fn bit(direction: Direction) -> i16 {
    match direction {
        Direction::Read => POLLIN,
        Direction::Write => POLLOUT,
    }
}

impl Poller for Poll {
    const CALL: &'static str = "poll";

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
        todo!("set the bit in the descriptor's entry; make one if there is none")
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        todo!("clear the bit; drop an entry without bits")
    }

    /// `poll` looks anew at every descriptor each time, so there is nothing to remember.
    fn dry(&mut self, _: RawFd, _: Direction, _: Dry) {}

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(Readiness),
    ) -> io::Result<()> {
        todo!("call poll, and call ready with what was asked for and is ready")
    }
}
