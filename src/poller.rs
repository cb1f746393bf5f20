//! The seam between the scheduler and the operating system: who can go on?
//!
//! The scheduler knows *what* its tasks wait for; a [`Poller`] knows how to ask the system
//! *which* of it is ready. [`Select`] is the one of stage 04,
//! [`Epoll`](crate::epoll::Epoll) that of stage 05. Tests use a script.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use crate::net::Socket;
use crate::select::{FdSet, select};
use crate::trace;

// ANCHOR: readiness
/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// For something to read: data, end of input, a client to accept.
    Read,
    /// For room to write.
    Write,
}

/// What a descriptor is ready for.
pub type Readiness = (RawFd, Direction);

/// What a poller answers to [`Poller::watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Do not try; [`Poller::wait`] will tell when it is ready.
    Wait,
    /// It may be ready already: try, and report [`Poller::dry`] if it was not.
    TryNow,
}

/// Why [`Poller::dry`] is told that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dry {
    /// The last operation took less than it could have.
    Short,
    /// The last operation would have blocked.
    WouldBlock,
}
// ANCHOR_END: readiness

// ANCHOR: poller
/// Asks the operating system which descriptors are ready.
///
/// The answer may be wrong: a descriptor that is said to be ready may still say `WouldBlock`.
/// The scheduler then goes on watching it.
pub trait Poller {
    /// The name of the system call behind [`wait`](Poller::wait), for traces.
    const CALL: &'static str;

    /// Whether an executor on this poller reports each step to [`trace`](Poller::trace): see
    /// [`Traced`](crate::executor::Traced).
    const TRACED: bool = false;

    /// From now on, watch `socket` for `direction`. What is watched already is not
    /// [`TryNow`](Watch::TryNow) before it has been reported: somebody else waits for it.
    ///
    /// # Errors
    ///
    /// If this poller cannot watch it, for example because its number is too large.
    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch>;

    /// Nobody waits for this any more, although it has not been reported.
    fn unwatch(&mut self, fd: RawFd, direction: Direction);

    /// The last operation on `fd` would have blocked, or came up short: the system's buffer is
    /// empty (or full), and will report when that changes. After [`Dry::WouldBlock`], the next
    /// `watch` answers [`Watch::Wait`], unless something has changed since.
    fn dry(&mut self, fd: RawFd, direction: Direction, why: Dry);

    /// [`dry`](Poller::dry) and [`watch`](Poller::watch) in one, for those who know both at the
    /// same time.
    ///
    /// # Errors
    ///
    /// Those of `watch`.
    fn watch_again(
        &mut self,
        socket: &Socket,
        direction: Direction,
        why: Dry,
    ) -> io::Result<Watch> {
        self.dry(socket.as_raw_fd(), direction, why);
        self.watch(socket, direction)
    }

    /// What the next [`wait`](Poller::wait) will name to the system, for traces: `None` if
    /// the system keeps that by itself.
    fn asked(&self) -> Option<Vec<Readiness>> {
        None
    }

    /// Who watches, if this is [`TRACED`](Poller::TRACED).
    fn trace(&self) -> Option<trace::Shared> {
        None
    }

    /// Sleeps until something is ready, or for `timeout`, and calls `ready` with each that is.
    /// What has been reported is not watched any more.
    ///
    /// # Errors
    ///
    /// If the system refuses; none that could be mended by asking again.
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: impl FnMut(Readiness),
    ) -> io::Result<()>;
}
// ANCHOR_END: poller

// ANCHOR: select_poller
/// The poller of stage 04: `select(2)`, and the two sets of what is waited for.
///
/// The sets stay from round to round, and a wait changes one bit in them. What `select` gets is
/// a copy, because it answers in the sets it was asked with.
#[derive(Debug, Default)]
pub struct Select {
    read_waiting: FdSet,
    write_waiting: FdSet,
    readable: FdSet,
    writable: FdSet,
}

impl Select {
    fn set(&mut self, direction: Direction) -> &mut FdSet {
        match direction {
            Direction::Read => &mut self.read_waiting,
            Direction::Write => &mut self.write_waiting,
        }
    }
}

impl Poller for Select {
    const CALL: &'static str = "select";

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
        self.set(direction).insert(socket.as_raw_fd())?;
        Ok(Watch::Wait)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.set(direction).remove(fd);
    }

    /// `select` looks anew at every descriptor each time, so there is nothing to remember.
    fn dry(&mut self, _fd: RawFd, _direction: Direction, _why: Dry) {}

    fn asked(&self) -> Option<Vec<Readiness>> {
        let read = self.read_waiting.iter().map(|fd| (fd, Direction::Read));
        let write = self.write_waiting.iter().map(|fd| (fd, Direction::Write));
        Some(read.chain(write).collect())
    }

    #[inline(always)]
    fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(Readiness),
    ) -> io::Result<()> {
        self.readable.copy_from(&self.read_waiting);
        self.writable.copy_from(&self.write_waiting);
        select(&mut self.readable, &mut self.writable, timeout)?;
        for fd in self.readable.iter() {
            self.read_waiting.remove(fd);
            ready((fd, Direction::Read));
        }
        for fd in self.writable.iter() {
            self.write_waiting.remove(fd);
            ready((fd, Direction::Write));
        }
        Ok(())
    }
}
// ANCHOR_END: select_poller
