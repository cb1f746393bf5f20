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
        // ANSWER: set the bit in the descriptor's entry; make one if there is none
        let fd = socket.as_raw_fd();
        match self.list.iter_mut().find(|entry| entry.fd == fd) {
            Some(entry) => entry.events |= bit(direction),
            None => self.list.push(PollFd { fd, events: bit(direction), revents: 0 }),
        }
        Ok(())
        // ANSWER_END
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        // ANSWER: clear the bit; drop an entry without bits
        for entry in self.list.iter_mut().filter(|entry| entry.fd == fd) {
            entry.events &= !bit(direction);
        }
        self.list.retain(|entry| entry.events != 0);
        // ANSWER_END
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        // ANSWER: call poll, add what was asked for and is ready, and watch that no more
        poll(&mut self.list, timeout)?;
        let before = ready.len();
        for entry in &self.list {
            for direction in [Direction::Read, Direction::Write] {
                let asked = entry.events & bit(direction) != 0;
                // Hanging up and errors are reported without being asked for. Whoever waits must
                // be told: the next call on the socket says what has happened.
                let happened = bit(direction) | POLLHUP | POLLERR;
                if asked && entry.revents & happened != 0 {
                    ready.push((entry.fd, direction));
                }
            }
        }
        for &(fd, direction) in &ready[before..] {
            self.unwatch(fd, direction);
        }
        Ok(())
        // ANSWER_END
    }
}
