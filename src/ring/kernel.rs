//! Operations that are under way in the kernel, and everything that they need until they have
//! completed.
//!
//! This is the thin wrapper around `io_uring`: the only place where memory is shared with the
//! kernel. To submit an operation is to say "use this descriptor, read from (or write to) this
//! address, some time from now". Whoever frees that address too early lets the kernel write into
//! somebody else's memory. So the interface is one of *moving*: [`Kernel::start`] takes the event
//! (with its socket and its bytes) and keeps it; [`Kernel::next`] gives it back when
//! its completion has come. In between nobody can reach it, and nothing can be done too early.

use std::collections::HashMap;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::net::SocketAddr;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::operation::{Address, Operation};
use super::provided::{GROUP, Provided};
use super::set_up::{explained, set_up};
use crate::net::Socket;
use crate::scheduler::event::Event;
use crate::scheduler::ready::Submitted;
use crate::space::Space;
use crate::trace::TaskId;

/// How long to wait, when all is over, for what is still under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to pause when the kernel is short of memory.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);

/// An `io_uring`, and the operations that are under way in it.
pub struct Kernel {
    ring: IoUring,
    /// Dropped by `drop` only, when nothing is under way any more.
    memory: ManuallyDrop<Memory>,
    /// Submissions for which there was no room in the queue.
    delayed: Vec<Entry>,
}

/// What the kernel may read or write, at any time.
struct Memory {
    /// A task waits for one event at a time: so each operation has the number of its task. The
    /// kernel carries it, and sends it back with the completion.
    under_way: HashMap<TaskId, Operation>,
    provided: Provided,
}

/// What the completion of a cancellation carries: nobody waits for it.
const NOBODY: TaskId = TaskId::MAX;

/// What an operation has come to.
pub enum Outcome {
    Accepted(Socket, SocketAddr),
    Received(Vec<u8>),
    Sent(usize),
}

/// An operation that has completed.
pub struct Completed {
    pub event: Event,
    /// Who waits for it.
    pub task: Option<Submitted>,
    pub result: io::Result<Outcome>,
}

impl Kernel {
    /// Sets up an `io_uring`, with buffers to receive into.
    ///
    /// # Errors
    ///
    /// If the system has none, or does not permit it; with what to do about it.
    pub fn new() -> io::Result<Kernel> {
        Kernel::set_up().map_err(explained)
    }

    fn set_up() -> io::Result<Kernel> {
        let ring = set_up()?;
        let memory =
            Memory { under_way: HashMap::new(), provided: Provided::new(&ring)? };
        Ok(Kernel { ring, memory: ManuallyDrop::new(memory), delayed: Vec::new() })
    }

    /// Hands an event to the kernel, which lets it happen. The event must have a socket.
    pub(super) fn start(&mut self, event: Event, task: Submitted) {
        let id = task.id;
        self.submit(
            id,
            Operation { event, task: Some(task), address: None, waits: false },
        );
    }

    fn submit(&mut self, id: TaskId, operation: Operation) {
        // (Nothing was there: the task would be in two places.)
        let operation =
            self.memory.under_way.entry(id).insert_entry(operation).into_mut();
        let entry = operation.entry().user_data(id);
        self.push(entry);
    }

    /// Puts an entry into the submission queue, or aside if that is full.
    ///
    /// Every entry comes from [`Operation::entry`] of an operation that is kept, or has no
    /// pointers.
    fn push(&mut self, entry: Entry) {
        let mut queue = self.ring.submission();
        // It points to the bytes of a `SendEvent` or to an `Address`, both on the heap, so that they
        // stay where they are when the operations move. A receive points to nothing: it takes a
        // provided buffer.
        // SAFETY: What the entry points to must stay valid until its completion. The operation
        // owns it, and is given away in `next` only, after its completion. If completions stay
        // away, `drop` leaks the operations.
        if unsafe { queue.push(&entry) }.is_err() {
            self.delayed.push(entry);
        }
    }

    /// Asks the kernel to give up the operation of a task. Its completion comes all the same: with
    /// an error, `ECANCELED`, or with a result if it was faster.
    fn cancel(&mut self, id: TaskId) {
        let cancel = CancelBuilder::user_data(id);
        self.push(opcode::AsyncCancel2::new(cancel).build().user_data(NOBODY));
    }

    /// The same, if its event is `like` this.
    pub(super) fn cancel_if(&mut self, id: TaskId, like: impl Fn(&Event) -> bool) {
        if self.memory.under_way.get(&id).is_some_and(|it| like(&it.event)) {
            self.cancel(id);
        }
    }

    /// The same for each operation whose event is `like` this.
    pub(super) fn cancel_all(&mut self, like: impl Fn(&Event) -> bool) {
        let those = self.memory.under_way.iter().filter(|(_, it)| like(&it.event));
        let ids: Vec<TaskId> = those.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.cancel(id));
    }

    /// The tasks that wait for an operation.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.memory.under_way.keys().copied()
    }

    /// Takes the tasks out of all operations that are under way. The operations own what the
    /// kernel needs, and go on without them.
    pub(super) fn take_tasks(&mut self) -> Vec<Submitted> {
        self.memory.under_way.values_mut().filter_map(|it| it.task.take()).collect()
    }

    /// Hands over what has been started, and sleeps until something has completed, or for
    /// `timeout`. One system call, however many operations these are.
    ///
    /// # Errors
    ///
    /// If the system refuses; none that could be mended by asking again.
    pub(super) fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        while !self.delayed.is_empty() {
            if let Err(error) = self.refill() {
                return passing(error);
            }
        }
        let entered = match timeout {
            None => self.ring.submit_and_wait(1),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                let arguments = SubmitArgs::new().timespec(&timeout);
                self.ring.submitter().submit_with_args(1, &arguments)
            }
        };
        entered.map(drop).or_else(passing)
    }

    /// Hands over what is in the full submission queue, and moves what was put aside into it, as
    /// far as there is room.
    fn refill(&mut self) -> io::Result<()> {
        self.ring.submit()?;
        let delayed = mem::take(&mut self.delayed);
        delayed.into_iter().for_each(|entry| self.push(entry));
        Ok(())
    }

    /// The next operation that has completed, with all that it owned.
    pub(super) fn next(&mut self, space: &mut Space) -> Option<Completed> {
        loop {
            let completion = self.ring.completion().next()?;
            let id = completion.user_data();
            let Some(mut operation) = self.memory.under_way.remove(&id) else {
                continue; // a cancellation
            };
            let result = match usize::try_from(completion.result()) {
                Ok(count) => Ok(count),
                Err(_) => Err(io::Error::from_raw_os_error(-completion.result())),
            };
            match (&result, operation.waits) {
                (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => {
                    operation.waits = true;
                }
                // All buffers were in use. Those of this round are back by now, and one more.
                (Err(error), _) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.memory.provided.grow();
                }
                (Ok(_), true) => operation.waits = false, // the socket is ready
                _ => {
                    return Some(self.completed(
                        operation,
                        result,
                        completion.flags(),
                        space,
                    ));
                }
            }
            self.submit(id, operation);
        }
    }

    /// What the completion of this operation means.
    fn completed(
        &mut self,
        operation: Operation,
        result: io::Result<usize>,
        flags: u32,
        space: &mut Space,
    ) -> Completed {
        let Operation { event, task, address, .. } = operation;
        let result = result.and_then(|count| match &event {
            Event::Connect(_) => accepted(count as RawFd, address),
            Event::Send(_) => Ok(Outcome::Sent(count)),
            _ => Ok(Outcome::Received(match cqueue::buffer_select(flags) {
                // SAFETY: This completion has just said so.
                Some(number) => unsafe {
                    self.memory.provided.claim(number, count, space)
                },
                None => vec![],
            })),
        });
        Completed { event, task, result }
    }

    /// Cancels everything that is under way, and waits until it has completed, but not for long.
    /// Whether nothing is left.
    pub(super) fn end(&mut self) -> bool {
        if !self.memory.under_way.is_empty() {
            self.cancel_all(|_| true);
        }
        let start = Instant::now();
        while !self.memory.under_way.is_empty() && start.elapsed() < PATIENCE {
            if self.enter(Some(PATIENCE)).is_err() {
                break;
            }
            while let Some(completed) = self.next(&mut Space::default()) {
                drop(completed);
            }
        }
        self.memory.under_way.is_empty()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let mut all_given_up = self.end();
        all_given_up &= self.ring.submitter().unregister_buf_ring(GROUP).is_ok();
        if !all_given_up {
            // The kernel may still write to this memory. It must never be used for anything
            // else, so nobody gets it back.
            return;
        }
        // SAFETY: It is taken once, here, and `self` is not used after that.
        let Memory { under_way, provided } =
            unsafe { ManuallyDrop::take(&mut self.memory) };
        drop(under_way);
        // SAFETY: Nothing is under way, and the group has just been unregistered.
        unsafe { provided.free() };
    }
}

/// A client that the kernel has accepted.
fn accepted(fd: RawFd, address: Option<Box<Address>>) -> io::Result<Outcome> {
    // SAFETY: The completion of an accept has brought this descriptor: it is open, and nobody
    // else knows it.
    let client = unsafe { OwnedFd::from_raw_fd(fd) };
    let addr = address.and_then(|address| address.socket_addr());
    let addr = addr.ok_or_else(|| io::Error::from_raw_os_error(libc::ECONNABORTED))?;
    Ok(Outcome::Accepted(Socket::accepted(client), addr))
}

/// Errors that pass: a signal handler has run, the time is over, or the kernel is short of
/// memory for the moment, or of room for completions that we have not looked at.
fn passing(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(libc::EINTR | libc::ETIME) => Ok(()),
        Some(libc::EAGAIN | libc::EBUSY) => {
            thread::sleep(SHORTAGE_PAUSE); // nobody can go on, and asking at once is no use
            Ok(())
        }
        _ => Err(error),
    }
}
