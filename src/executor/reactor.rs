//! The reactor: which waker to call when a socket becomes ready.
//!
//! It owns the poller, the same as the scheduler's of stages 04 and 05. Where the scheduler's
//! waiting tables keep an event and its task, the reactor's table keeps a waker. It calls that
//! waker, and does not know what will become of it.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::task::Waker;
use std::time::Duration;

use super::queue::Queue;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::poller::Poller;
use crate::trace::TaskId;

/// The poller, and the wakers of those who wait.
pub(super) struct Reactor {
    pub(super) poller: Box<dyn Poller>,
    /// Two places for each descriptor: one to read, one to write.
    waiting: Vec<Option<Waiting>>,
    /// How many tickets have been given out.
    tickets: u64,
    /// Readable when the ready queue's bell has been rung.
    bell: Socket,
    /// What the last wait has found.
    pub(super) readiness: Vec<Readiness>,
}

/// A future that waits.
struct Waiting {
    /// Tells this future from another that waits in the same place later.
    ticket: u64,
    waker: Waker,
    /// The task that polls it, for a trace.
    task: TaskId,
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
        task: TaskId,
    ) -> io::Result<u64> {
        let key = (socket.as_raw_fd(), direction);
        if self.place(key).is_some() {
            // Two futures want the same thing. The first goes on waiting.
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        self.poller.watch(socket, direction)?;
        self.tickets += 1;
        let ticket = self.tickets;
        *self.place(key) = Some(Waiting { ticket, waker: waker.clone(), task });
        Ok(ticket)
    }

    /// Whether the future with this ticket still waits. Then its latest waker counts: it may have
    /// been moved to another task.
    pub(super) fn still_waits(
        &mut self,
        key: Readiness,
        ticket: u64,
        waker: &Waker,
        task: TaskId,
    ) -> bool {
        match self.place(key) {
            Some(waiting) if waiting.ticket == ticket => {
                waiting.waker.clone_from(waker);
                waiting.task = task;
                true
            }
            _ => false,
        }
    }

    /// The future with this ticket does not wait any more.
    pub(super) fn forget(&mut self, key: Readiness, ticket: u64) {
        if self.place(key).take_if(|waiting| waiting.ticket == ticket).is_some() {
            self.poller.unwatch(key.0, key.1);
        }
    }

    fn place(&mut self, (fd, direction): Readiness) -> &mut Option<Waiting> {
        let place = 2 * fd as usize + direction as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        &mut self.waiting[place]
    }

    /// Sleeps until a socket is ready or the bell rings, or for `timeout`, and calls the wakers
    /// of what is ready.
    pub(super) fn wait(
        &mut self,
        timeout: Option<Duration>,
        queue: &Queue,
    ) -> io::Result<()> {
        self.readiness.clear();
        self.poller.wait(timeout, &mut self.readiness)?;
        queue.wake_up(); // before the first waker is called: it need not ring the bell
        for at in 0..self.readiness.len() {
            let key = self.readiness[at];
            if let Some(waiting) = self.place(key).take() {
                waiting.waker.wake();
            } else if key.0 == self.bell.as_raw_fd() {
                while self.bell.try_read(&mut [0; 64]).is_ok() {}
                self.poller.watch(&self.bell, Direction::Read)?;
            }
        }
        Ok(())
    }

    /// No future waits to read any more. Those that do are woken, to look for the last time.
    pub(super) fn stop(&mut self) {
        for (fd, places) in (0..).zip(self.waiting.chunks_mut(2)) {
            if let Some(waiting) = places[Direction::Read as usize].take() {
                self.poller.unwatch(fd, Direction::Read);
                waiting.waker.wake();
            }
        }
    }

    /// What is waited for, and by which task.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Readiness, TaskId)> {
        let directions = [Direction::Read, Direction::Write];
        let keys = (0..).flat_map(move |fd| directions.map(|direction| (fd, direction)));
        let places = keys.zip(&self.waiting);
        places.filter_map(|(key, place)| Some((key, place.as_ref()?.task)))
    }
}
