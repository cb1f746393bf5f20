//! Where an event goes when a task has yielded it.
//!
//! The page of this exercise: chapters/exercises/04_do_schedule.md

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::time::Instant;

/// A suspended task, here only its number.
pub type Task = u32;

/// What a task waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client connects to this listening socket.
    Connect(RawFd),
    /// Data arrives.
    Receive(RawFd),
    /// There is room for these bytes.
    Send(RawFd, Vec<u8>),
    /// A moment in time is reached.
    Sleep(Instant),
    /// The peer has finished, too. Sending has been shut down already.
    Close {
        /// The socket.
        fd: RawFd,
        /// The peer's end of input has been received before: there is nothing to wait for.
        ended: bool,
    },
}

/// The result with which a task goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// The connection is closed.
    Closed,
    /// The event cannot happen.
    Failed(ErrorKind),
}

/// Where suspended tasks are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// Who waits until a socket can be read from.
    pub read_waiting: BTreeMap<RawFd, (Event, Task)>,
    /// Who waits until a socket can be written to.
    pub write_waiting: BTreeMap<RawFd, (Event, Task)>,
    /// Who waits for a moment in time.
    pub sleeping: Vec<(Instant, Task)>,
    /// Who can go on, and with which result.
    pub ready: Vec<(Task, Data)>,
}

impl Event {
    /// Puts itself and its task where they belong: onto a table, or its task onto the ready queue,
    /// with a result, if it need not wait.
    pub fn do_schedule(self, on: &mut Scheduler, task: Task) {
        // ANSWER: for each kind of event: where does its task belong?
        match self {
            Event::Connect(fd)
            | Event::Receive(fd)
            | Event::Close { fd, ended: false } => on.waiting_for_read(fd, self, task),
            Event::Send(fd, _) => on.waiting_for_write(fd, self, task),
            Event::Sleep(until) => on.sleeping.push((until, task)),
            Event::Close { ended: true, .. } => on.ready.push((task, Data::Closed)),
        }
        // ANSWER_END
    }
}

impl Scheduler {
    /// Keeps `event` and `task` until `fd` can be read from. If another task waits for that
    /// already, `task` is ready at once, with `ResourceBusy`.
    fn waiting_for_read(&mut self, fd: RawFd, event: Event, task: Task) {
        // ANSWER: onto the table, if the place is free
        if self.read_waiting.contains_key(&fd) {
            self.ready.push((task, Data::Failed(ErrorKind::ResourceBusy)));
        } else {
            self.read_waiting.insert(fd, (event, task));
        }
        // ANSWER_END
    }

    /// The same, until `fd` can be written to.
    fn waiting_for_write(&mut self, fd: RawFd, event: Event, task: Task) {
        // ANSWER: onto the table, if the place is free
        if self.write_waiting.contains_key(&fd) {
            self.ready.push((task, Data::Failed(ErrorKind::ResourceBusy)));
        } else {
            self.write_waiting.insert(fd, (event, task));
        }
        // ANSWER_END
    }
}
