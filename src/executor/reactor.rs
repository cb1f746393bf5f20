//! The reactor: which waker to call when a socket becomes ready.
//!
//! It owns the poller, the same as the scheduler's of stages 04 and 05. Where the scheduler's
//! waiting tables keep an event and its task, the reactor's keeps a waker, and that is all it
//! knows about who waits.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::task::Waker;
use std::time::Duration;

use super::queue::Queue;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::poller::Poller;

/// The poller, and who waits for what.
pub(super) struct Reactor {
    poller: Box<dyn Poller>,
    /// Two places for each descriptor: who waits to read, and who waits to write.
    waiting: Vec<Option<Waiting>>,
    /// How many have waited.
    tickets: u64,
    /// Readable when the ready queue's bell has been rung.
    bell: Socket,
    readiness: Vec<Readiness>,
}

/// Somebody who waits: the future with this ticket.
struct Waiting {
    ticket: u64,
    waker: Waker,
}

impl Reactor {
    /// A reactor that also wakes up when `bell` becomes readable.
    pub(super) fn new(
        mut poller: Box<dyn Poller>,
        bell: UnixStream,
    ) -> io::Result<Reactor> {
        let bell = Socket::new(bell)?;
        poller.watch(&bell, Direction::Read)?;
        let (waiting, readiness) = (vec![], vec![]);
        Ok(Reactor { poller, waiting, tickets: 0, bell, readiness })
    }

    /// Keeps `waker`, to call it when the socket is ready, and returns a ticket for that.
    pub(super) fn register(
        &mut self,
        socket: &Socket,
        direction: Direction,
        waker: &Waker,
    ) -> io::Result<u64> {
        let key = (socket.as_raw_fd(), direction);
        if self.place(key).is_some() {
            // Two futures want the same thing. The first goes on waiting.
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.poller.watch(socket, direction)?;
        self.tickets += 1;
        let waiting = Waiting { ticket: self.tickets, waker: waker.clone() };
        *self.place(key) = Some(waiting);
        Ok(self.tickets)
    }

    fn place(&mut self, (fd, direction): Readiness) -> &mut Option<Waiting> {
        let place = 2 * fd as usize + direction as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        &mut self.waiting[place]
    }

    /// Whether the future with this ticket still waits. Then its latest waker counts: it may have
    /// been moved to another task.
    pub(super) fn still_waits(
        &mut self,
        key: Readiness,
        ticket: u64,
        waker: &Waker,
    ) -> bool {
        match self.place(key) {
            Some(waiting) if waiting.ticket == ticket => {
                waiting.waker.clone_from(waker);
                true
            }
            _ => false,
        }
    }

    /// The future with this ticket waits no more.
    pub(super) fn forget(&mut self, key: Readiness, ticket: u64) {
        if self.place(key).take_if(|waiting| waiting.ticket == ticket).is_some() {
            self.poller.unwatch(key.0, key.1);
        }
    }

    /// Sleeps until a socket is ready or the bell rings, or for `timeout`, and wakes those who can
    /// go on.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        queue: &Queue,
    ) -> io::Result<()> {
        self.readiness.clear();
        self.poller.wait(timeout, &mut self.readiness)?;
        queue.wake_up(); // before the first waker: it need not ring
        let readiness = std::mem::take(&mut self.readiness);
        for key in &readiness {
            if let Some(waiting) = self.place(*key).take() {
                waiting.waker.wake();
            } else if key.0 == self.bell.as_raw_fd() {
                while self.bell.try_read(&mut [0; 64]).is_ok() {}
                self.poller.watch(&self.bell, Direction::Read)?;
            }
        }
        self.readiness = readiness; // with its memory
        Ok(())
    }

    /// Nobody waits to read any more. Those who do are woken, to look for the last time.
    pub(super) fn stop(&mut self) {
        for (fd, places) in (0..).zip(self.waiting.chunks_mut(2)) {
            if let Some(waiting) = places[Direction::Read as usize].take() {
                self.poller.unwatch(fd, Direction::Read);
                waiting.waker.wake();
            }
        }
    }
}
