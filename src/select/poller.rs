//! The poller of stage 04: `select(2)`, and the two sets of what is waited for.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::{FdSet, select};
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::poller::Poller;

// ANCHOR: select_poller
/// Asks `select(2)`. The article's scheduler calls it itself; here it is a [`Poller`], so that
/// another one can take its place.
#[derive(Debug, Default)]
pub struct Select {
    read_waiting: FdSet,
    write_waiting: FdSet,
}
// ANCHOR_END: select_poller

impl Select {
    fn set(&mut self, direction: Direction) -> &mut FdSet {
        match direction {
            Direction::Read => &mut self.read_waiting,
            Direction::Write => &mut self.write_waiting,
        }
    }
}

impl Poller for Select {
    fn call(&self) -> &'static str {
        "select"
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        self.set(direction).insert(socket.as_raw_fd())
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.set(direction).remove(fd);
    }

    fn asked(&self) -> Option<Vec<Readiness>> {
        let read = self.read_waiting.iter().map(|fd| (fd, Direction::Read));
        let write = self.write_waiting.iter().map(|fd| (fd, Direction::Write));
        Some(read.chain(write).collect())
    }

    // ANCHOR: wait
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        // `select` answers in the sets it is asked with: so these are copies.
        let mut readable = self.read_waiting.clone();
        let mut writable = self.write_waiting.clone();
        select(&mut readable, &mut writable, timeout)?;
        for (set, direction) in
            [(readable, Direction::Read), (writable, Direction::Write)]
        {
            for fd in set.iter() {
                self.unwatch(fd, direction);
                ready.push((fd, direction));
            }
        }
        Ok(())
    }
    // ANCHOR_END: wait
}
