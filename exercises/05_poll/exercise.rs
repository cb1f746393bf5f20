//! A second poller: `poll(2)` instead of `select(2)`, and nothing else changes.
//!
//! The page of this exercise: chapters/exercises/05_poll.md

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::poller::Poller;
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
    fn call(&self) -> &'static str {
        "poll"
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        todo!("set the bit in the descriptor's entry; make one if there is none")
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        todo!("clear the bit; drop an entry without bits")
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        todo!("call poll, add what was asked for and is ready, and watch that no more")
    }
}
