//! Accepting ahead of time: several accepts are under way for one task that waits.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::kernel::Kernel;
use super::operation::Hint;
use crate::event::Event;
use crate::net::Socket;
use crate::ready::Submitted;
use crate::trace::TaskId;

// ANCHOR: listener
/// How many accepts are under way at once.
const ACCEPTS: usize = 16;

/// A listening socket whose clients are accepted ahead of time.
///
/// Each accept brings one client. With only one under way, each client of a burst would cost a
/// round of its own; with several, they all arrive with one system call. (The kernel wakes only
/// one of them for each client.) The clients that nobody has asked for yet wait here, and are
/// never more than [`ACCEPTS`].
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// Who waits for a client.
    pub waiting: Option<(Event, Submitted)>,
    accepted: VecDeque<Socket>,
    under_way: usize,
    /// It has brought a client: so it does listen, and an accept may wait before it tries. On
    /// another socket that would be for ever, in place of an error.
    listens: bool,
}
// ANCHOR_END: listener

// ANCHOR: refill
impl Listener {
    /// Nothing is under way yet.
    pub fn new(socket: Socket) -> Listener {
        socket.undelay_clients();
        let (waiting, accepted) = (None, VecDeque::new());
        Listener { socket, waiting, accepted, under_way: 0, listens: false }
    }

    /// The listening socket's descriptor.
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The task that waits for a client.
    pub fn task(&self) -> Option<TaskId> {
        self.waiting.as_ref().map(|(_, task)| task.id())
    }

    /// Starts as many accepts as are missing.
    pub fn refill(&mut self, kernel: &mut Kernel) {
        while self.under_way + self.accepted.len() < ACCEPTS {
            let hint = Hint { more: !self.listens, ..Hint::default() };
            kernel.start(self.socket.accept().into(), None, hint);
            self.under_way += 1;
        }
    }
    // ANCHOR_END: refill

    // ANCHOR: accepted
    /// One of the accepts has completed. If it concerns somebody who waits: who, and the result.
    pub fn completed(
        &mut self,
        event: Event,
        result: io::Result<Socket>,
        kernel: &mut Kernel,
    ) -> Option<(Event, Submitted, io::Result<Socket>)> {
        self.under_way -= 1;
        match result {
            Ok(client) => {
                self.listens = true;
                self.accepted.push_back(client);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                kernel.start_later(event, None);
                self.under_way += 1;
            }
            // If nobody waits, nobody is told: whoever asks next will meet the same error.
            Err(error) => {
                let (event, task) = self.waiting.take()?;
                return Some((event, task, Err(error)));
            }
        }
        self.next()
    }

    /// If somebody waits, and somebody has come: both.
    pub fn next(&mut self) -> Option<(Event, Submitted, io::Result<Socket>)> {
        if self.accepted.is_empty() {
            return None;
        }
        let (event, task) = self.waiting.take()?;
        let client = self.accepted.pop_front()?;
        Some((event, task, Ok(client)))
    }
    // ANCHOR_END: accepted

    // ANCHOR: forgotten
    /// Whether nobody can ask for a client any more: all who have the socket are the accepts
    /// that are under way, and this.
    pub fn is_forgotten(&self) -> bool {
        self.waiting.is_none() && self.socket.owners() == self.under_way + 1
    }
    // ANCHOR_END: forgotten
}
