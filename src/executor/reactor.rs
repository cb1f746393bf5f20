//! The reactor: which waker to call when a socket becomes ready.
//!
//! It owns the poller, the same as the scheduler's of stages 04 and 05. Where the scheduler's
//! waiting tables keep an event and its task, the reactor's table keeps a waker. It calls that
//! waker, and does not know what will become of it.

use std::io;
use std::os::fd::AsRawFd;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::queue::Queue;
use super::sync::UnixStream;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::poller::Poller;
use crate::trace::{On, TaskId};

/// The poller, and the wakers of the futures that wait.
pub(super) struct Reactor {
    pub poller: Box<dyn Poller>,
    /// Two places for each descriptor: one to read, one to write.
    waiting: Vec<Option<Waiting>>,
    /// How many tickets have been given out.
    tickets: u64,
    /// Readable when the ready queue's bell has been rung.
    bell: Socket,
    /// What the last wait has found.
    pub readiness: Vec<Readiness>,
}

// ANCHOR: waiting
/// A future that waits.
struct Waiting {
    /// Tells this future from another that waits in the same place later.
    ticket: u64,
    waker: Waker,
    /// The task that polls it, for a trace.
    task: TaskId,
}
// ANCHOR_END: waiting

impl Reactor {
    /// A reactor that also wakes up when `bell` becomes readable.
    pub fn new(mut poller: Box<dyn Poller>, bell: UnixStream) -> io::Result<Reactor> {
        let bell = Socket::new(bell)?;
        poller.watch(&bell, Direction::Read)?;
        let (waiting, readiness) = (vec![], vec![]);
        Ok(Reactor { poller, waiting, tickets: 0, bell, readiness })
    }

    // ANCHOR: poll_ready
    /// Whether the wait of the future with this ticket is over; without a ticket, it begins.
    /// `waker` will be called when the socket is ready.
    pub fn poll_ready(
        &mut self,
        socket: &Socket,
        direction: Direction,
        ticket: &mut Option<u64>,
        (waker, task): (&Waker, TaskId),
    ) -> Poll<io::Result<()>> {
        let key = (socket.as_raw_fd(), direction);
        match (self.place(key), *ticket) {
            // Two futures want the same thing. The first goes on waiting.
            (Some(_), None) => {
                return Poll::Ready(Err(io::ErrorKind::ResourceBusy.into()));
            }
            (None, None) => {
                self.poller.watch(socket, direction)?;
                self.tickets += 1;
                *ticket = Some(self.tickets);
                let waiting =
                    Waiting { ticket: self.tickets, waker: waker.clone(), task };
                *self.place(key) = Some(waiting);
            }
            // It may have been moved to another task: the latest waker counts.
            (Some(waiting), Some(ticket)) if waiting.ticket == ticket => {
                waiting.waker.clone_from(waker);
                waiting.task = task;
            }
            (_, Some(_)) => {
                *ticket = None; // it has been woken, and forgotten
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }

    /// The future with this ticket does not wait any more.
    pub fn forget(&mut self, key: Readiness, ticket: u64) {
        if self.place(key).take_if(|waiting| waiting.ticket == ticket).is_some() {
            self.poller.unwatch(key.0, key.1);
        }
    }
    // ANCHOR_END: poll_ready

    fn place(&mut self, (fd, direction): Readiness) -> &mut Option<Waiting> {
        let place = 2 * fd as usize + direction as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        &mut self.waiting[place]
    }

    /// Sleeps until a socket is ready or the bell rings, or for `timeout`, and calls the wakers
    /// of what is ready.
    pub fn wait(&mut self, timeout: Option<Duration>, queue: &Queue) -> io::Result<()> {
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
    pub fn stop(&mut self) {
        for (fd, places) in (0..).zip(self.waiting.chunks_mut(2)) {
            if let Some(waiting) = places[Direction::Read as usize].take() {
                self.poller.unwatch(fd, Direction::Read);
                waiting.waker.wake();
            }
        }
    }

    /// Which tasks wait, and where, for a trace.
    pub fn waiting(&self) -> impl Iterator<Item = (On, TaskId)> {
        let places = (0..).zip(self.waiting.chunks(2)).flat_map(|(fd, places)| {
            [On::Read(fd), On::Write(fd)].into_iter().zip(places)
        });
        places.filter_map(|(on, place)| Some((on, place.as_ref()?.task)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::Select;

    #[test]
    fn each_descriptor_has_two_places_of_its_own() {
        let (bell, _other_end) = UnixStream::pair().unwrap();
        let mut reactor = Reactor::new(Box::new(Select::default()), bell).unwrap();
        let both = |fd| [(fd, Direction::Read), (fd, Direction::Write)];
        let places = || (1..).zip((0..10).flat_map(both));
        for (ticket, key) in places() {
            let waiting = Waiting { ticket, waker: Waker::noop().clone(), task: 0 };
            assert!(reactor.place(key).replace(waiting).is_none());
        }
        for (ticket, key) in places() {
            let waiting = reactor.place(key).as_ref();
            assert_eq!(waiting.map(|it| it.ticket), Some(ticket), "{key:?}");
        }
    }
}
