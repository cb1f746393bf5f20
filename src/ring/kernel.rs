//! The operations that the kernel is at work on, and everything that it needs for them.
//!
//! This is the thin wrapper around `io_uring`: the only place where memory is shared with the
//! kernel. To submit an operation is to say "use this descriptor, read from (or write to) this
//! address, some time from now". If that address were freed too early, the kernel would write
//! into memory that belongs to something else by then. So the interface is one of *moving*:
//! [`Kernel::start`] takes the event (with its socket and its bytes) and keeps it;
//! [`Kernel::next`] gives it back when its completion has come. In between no other code can
//! reach it, and nothing can be freed too early.

use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::RawFd;
use std::thread;
use std::time::{Duration, Instant};

use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::operation::{Completed, Operation, place, reading};
use super::provided::{GROUP, Provided};
use super::set_up::{explained, set_up};
use crate::scheduler::event::Event;
use crate::scheduler::ready::Submitted;
use crate::trace::TaskId;

/// How long to wait, at the end, for the operations that are still under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to pause when the kernel is short of memory.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);

/// What the completion of a cancellation carries: no operation has this place.
const NO_PLACE: u64 = u64::MAX;

/// An `io_uring`, and the operations that are under way in it.
pub struct Kernel {
    ring: IoUring,
    /// It is dropped only when the kernel has given all of it up: see `drop`.
    memory: ManuallyDrop<Memory>,
    /// Submissions for which there was no room in the queue.
    delayed: Vec<Entry>,
}

/// What the kernel may read or write at any time.
struct Memory {
    /// The operations that are under way, each in its [`place`]. The kernel carries the number of
    /// the place, and sends it back with the completion.
    under_way: Vec<Option<Operation>>,
    provided: Provided,
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
        let memory = Memory { under_way: Vec::new(), provided: Provided::new(&ring)? };
        Ok(Kernel { ring, memory: ManuallyDrop::new(memory), delayed: Vec::new() })
    }

    /// Whether an operation on the same socket and in the same direction is under way.
    pub(super) fn is_busy(&self, event: &Event) -> bool {
        self.memory.under_way.get(place(event)).is_some_and(Option::is_some)
    }

    // ANCHOR: start
    /// Hands an event to the kernel, which lets it happen. The event must have a socket, which
    /// must not be [busy](Kernel::is_busy).
    pub(super) fn start(&mut self, event: Event, task: Submitted) {
        let task = Some(task);
        self.submit(Operation { event, task, address: None, waits: false });
    }

    fn submit(&mut self, operation: Operation) {
        let place = place(&operation.event);
        let under_way = &mut self.memory.under_way;
        if under_way.len() <= place {
            under_way.resize_with(place + 1, || None);
        }
        assert!(
            under_way[place].is_none(),
            "the kernel still uses what is in this place"
        );
        let entry = under_way[place].insert(operation).entry();
        self.push(entry.user_data(place as u64));
    }
    // ANCHOR_END: start

    // ANCHOR: push
    /// Puts an entry into the submission queue, or aside if that is full.
    ///
    /// Every entry comes from [`Operation::entry`] of an operation in its place, or has no
    /// pointers.
    fn push(&mut self, entry: Entry) {
        let mut queue = self.ring.submission();
        // The entry of a send points to the bytes of its event, and that of an accept to an
        // `Address`. Both are on the heap, and stay where they are when the table of operations
        // grows and its operations move. The entry of a receive points to nothing: the kernel
        // takes a provided buffer.
        // SAFETY: What the entry points to must stay valid until its completion. The operation
        // owns it, nothing changes it, and it leaves its place only in `next`, after its
        // completion. If completions stay away, `drop` leaks the operations.
        if unsafe { queue.push(&entry) }.is_err() {
            self.delayed.push(entry);
        }
    }
    // ANCHOR_END: push

    /// Asks the kernel to give up the operation that waits to read from `fd`, if there is one and
    /// its event is `like` this. Its completion comes all the same: with the error `ECANCELED`, or
    /// with a result if it was faster.
    pub(super) fn cancel_reading(&mut self, fd: RawFd, like: impl Fn(&Event) -> bool) {
        self.cancel(reading(fd), like);
    }

    /// The same for each operation whose event is `like` this.
    pub(super) fn cancel_all(&mut self, like: impl Fn(&Event) -> bool) {
        (0..self.memory.under_way.len()).for_each(|place| self.cancel(place, &like));
    }

    fn cancel(&mut self, place: usize, like: impl Fn(&Event) -> bool) {
        let operation = self.memory.under_way.get(place).and_then(Option::as_ref);
        if operation.is_some_and(|operation| like(&operation.event)) {
            let cancel = CancelBuilder::user_data(place as u64);
            self.push(opcode::AsyncCancel2::new(cancel).build().user_data(NO_PLACE));
        }
    }

    /// The tasks that wait for an operation.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        let under_way = self.memory.under_way.iter().flatten();
        under_way.filter_map(|operation| Some(operation.task.as_ref()?.id))
    }

    /// Takes the tasks out of all operations that are under way. The operations own what the
    /// kernel needs, and go on without them.
    pub(super) fn take_tasks(&mut self) -> Vec<Submitted> {
        let under_way = self.memory.under_way.iter_mut().flatten();
        under_way.filter_map(|operation| operation.task.take()).collect()
    }

    // ANCHOR: enter
    /// Hands over what has been started, and sleeps until something has completed, or for
    /// `timeout`. That is one system call, however many operations there are.
    ///
    /// # Errors
    ///
    /// Those that asking again would not remove.
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
    // ANCHOR_END: enter

    /// Hands over what is in the full submission queue, and moves what was put aside into it, as
    /// far as there is room.
    fn refill(&mut self) -> io::Result<()> {
        self.ring.submit()?;
        let delayed = mem::take(&mut self.delayed);
        delayed.into_iter().for_each(|entry| self.push(entry));
        Ok(())
    }

    // ANCHOR: next
    /// The next operation that has completed, with all that it owned.
    pub(super) fn next(&mut self) -> Option<Completed> {
        loop {
            let completion = self.ring.completion().next()?;
            if completion.user_data() == NO_PLACE {
                continue; // a cancellation
            }
            let place = completion.user_data() as usize;
            let Some(mut operation) = self.memory.under_way[place].take() else {
                unreachable!(
                    "an operation completes once, and stays in its place so long"
                )
            };
            let result = completion.result();
            if operation.found_no_buffer(result) {
                // Those of this round are back by now, and one more.
                self.memory.provided.grow();
            } else if !operation.only_waited(result) {
                return Some(self.completed(operation, &completion));
            }
            self.submit(operation); // once more
        }
    }
    // ANCHOR_END: next

    // ANCHOR: completed
    /// What the completion of this operation means.
    fn completed(
        &mut self,
        operation: Operation,
        completion: &cqueue::Entry,
    ) -> Completed {
        let result = completion.result();
        let bytes = match cqueue::buffer_select(completion.flags()) {
            // SAFETY: This completion has just brought the block's number, and says how many
            // bytes the kernel has written.
            Some(number) => unsafe { self.memory.provided.claim(number, result) },
            None => vec![],
        };
        // SAFETY: This is the result of its completion.
        unsafe { operation.completed(result, bytes, &mut self.memory.provided.space) }
    }
    // ANCHOR_END: completed

    // ANCHOR: end
    /// Cancels everything that is under way, and waits until it has completed, but not for long.
    /// Whether nothing is left.
    pub(super) fn end(&mut self) -> bool {
        let start = Instant::now();
        while self.memory.under_way.iter().any(Option::is_some) {
            self.cancel_all(|_| true);
            let rest = PATIENCE.saturating_sub(start.elapsed());
            if rest.is_zero() || self.enter(Some(rest)).is_err() {
                return false;
            }
            while let Some(completed) = self.next() {
                drop(completed);
            }
        }
        true
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let mut all_given_up = self.end();
        all_given_up &= self.ring.submitter().unregister_buf_ring(GROUP).is_ok();
        if !all_given_up {
            // The kernel may still write to this memory. It must never be used for anything
            // else, so it is not given back.
            return;
        }
        // SAFETY: It is taken once, here, and `self` is not used after that.
        let Memory { under_way, provided } =
            unsafe { ManuallyDrop::take(&mut self.memory) };
        drop(under_way);
        // SAFETY: Nothing is under way, and the group has just been unregistered.
        unsafe { provided.free() };
    }
    // ANCHOR_END: end
}

// ANCHOR: passing
/// Errors that pass: a signal handler has run, the time is over, or the kernel is short of
/// memory for the moment, or of room for completions that we have not looked at.
fn passing(error: io::Error) -> io::Result<()> {
    match error.raw_os_error() {
        Some(libc::EINTR | libc::ETIME) => Ok(()),
        Some(libc::EAGAIN | libc::EBUSY) => {
            thread::sleep(SHORTAGE_PAUSE); // no task can go on, and asking at once is no use
            Ok(())
        }
        _ => Err(error),
    }
}
// ANCHOR_END: passing

#[cfg(test)]
mod tests {
    use super::super::set_up::SUBMISSIONS;
    use super::*;
    use crate::net::Socket;
    use crate::scheduler::event::{Data, Happened};
    use crate::scheduler::ready::ReadyQueue;
    use crate::scheduler::task::Coroutine;
    use std::env;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    /// Where there is no `io_uring`, its tests say so, past the test harness.
    fn kernel_or_skip() -> Option<Kernel> {
        let refused = match Kernel::new() {
            Ok(kernel) => return Some(kernel),
            Err(error) => error,
        };
        assert!(env::var_os("REQUIRE_IO_URING").is_none(), "{refused}");
        let _ = writeln!(io::stderr(), "a test of the ring is skipped: {refused}");
        None
    }

    fn receive(kernel: &mut Kernel, stream: &UnixStream, waits: bool) {
        let socket = Socket::new(stream.try_clone().unwrap()).unwrap();
        let event = socket.recv().into();
        kernel.submit(Operation { event, task: None, address: None, waits });
    }

    /// What the next operation that completes has received; none if it was cancelled.
    fn wait(kernel: &mut Kernel) -> Option<Vec<u8>> {
        for _ in 0..100 {
            match kernel.next().map(|completed| completed.happened) {
                Some(Happened::Done(Data::Received(bytes))) => return Some(bytes),
                Some(Happened::NotYet) => return None,
                Some(other) => panic!("{other:?}"),
                None => kernel.enter(Some(Duration::from_millis(100))).unwrap(),
            }
        }
        panic!("nothing completes");
    }

    /// A task may end at any time. The kernel goes on with what the task wanted.
    #[test]
    fn what_the_kernel_uses_outlives_the_task() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        let tasks = ReadyQueue::new(None);
        tasks.submit_task(Coroutine::new(async |_| {}));
        let (task, _) = tasks.pop().unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(ours).unwrap();
        let descriptor = socket.descriptor();
        kernel.start(socket.recv().into(), task);
        drop(socket);
        kernel.enter(Some(Duration::ZERO)).unwrap();
        assert_eq!(kernel.take_tasks().len(), 1);
        assert_eq!(kernel.tasks().count(), 0);
        assert!(!descriptor.is_closed());
        assert!(kernel.end());
        assert!(descriptor.is_closed());
    }

    /// As on a kernel that has answered: it would block.
    #[test]
    fn an_operation_that_waits_until_its_socket_is_ready() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        receive(&mut kernel, &ours, true);
        kernel.enter(Some(Duration::ZERO)).unwrap();
        theirs.write_all(b"hello").unwrap();
        assert_eq!(wait(&mut kernel).unwrap(), b"hello");

        receive(&mut kernel, &ours, true);
        kernel.enter(Some(Duration::ZERO)).unwrap();
        kernel.cancel_all(|_| true);
        assert_eq!(wait(&mut kernel), None);
        assert!(kernel.memory.under_way.iter().all(Option::is_none));
    }

    /// There is one more buffer for each receive that has found none, and it is tried again.
    #[test]
    fn as_many_buffers_as_are_needed() {
        const CLIENTS: usize = 20;
        let Some(mut kernel) = kernel_or_skip() else { return };
        let pairs: Vec<_> = (0..CLIENTS).map(|_| UnixStream::pair().unwrap()).collect();
        assert!(kernel.memory.provided.blocks() < CLIENTS);
        for _ in 0..3 {
            for (ours, theirs) in &pairs {
                (&*theirs).write_all(b"hello").unwrap();
                receive(&mut kernel, ours, false);
            }
            // All of them are tried before one of them has been looked at.
            for _ in &pairs {
                assert_eq!(wait(&mut kernel).unwrap(), b"hello");
            }
            assert_eq!(kernel.memory.provided.blocks(), CLIENTS);
        }
    }

    #[test]
    fn more_operations_than_fit_into_the_queue() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        crate::limit::raise_descriptor_limit().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let many = SUBMISSIONS as usize + 10;
        for _ in 0..many {
            receive(&mut kernel, &ours, false);
        }
        assert_eq!(kernel.delayed.len(), 10);
        drop(theirs); // each of them receives the end of input
        for _ in 0..many {
            assert_eq!(wait(&mut kernel).unwrap(), b"");
        }
        assert!(kernel.memory.under_way.iter().all(Option::is_none));
    }
}
