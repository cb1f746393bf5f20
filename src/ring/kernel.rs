//! Operations that are under way in the kernel, and everything that they need until they have
//! completed.
//!
//! This is the thin wrapper around `io_uring`: the only place where memory is shared with the
//! kernel. To submit an operation is to say "use this descriptor, read from (or write to) this
//! address, some time from now". Whoever frees that address too early lets the kernel write into
//! somebody else's memory. So the interface is one of *moving*: [`Kernel::start`] takes the event
//! (with its socket and its bytes) and keeps it in a slot; [`Kernel::next`] gives it back when
//! its completion has come. In between nobody can reach it, and nothing can be done too early.

use std::fmt;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::thread;
use std::time::{Duration, Instant};

use io_uring::squeue::Entry;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::operation::{Address, Group, Hint, LONG, Operation, SHORT, Try};
use super::provided::Provided;
use super::set_up::{explained, set_up};
use crate::buffer::{Buffer, Buffers, SMALL};
use crate::event::{Event, Outcome};
use crate::net::Socket;
use crate::ready::Submitted;
use crate::trace::TaskId;

// ANCHOR: patience
/// How long to wait, when all is over, for what is still under way.
const PATIENCE: Duration = Duration::from_secs(1);
// ANCHOR_END: patience

// ANCHOR: kernel
/// An `io_uring`, and the operations that are under way in it.
pub struct Kernel {
    ring: IoUring,
    /// An accept can be told to wait before it tries.
    can_wait: bool,
    /// Dropped by `drop` only, when nothing is under way any more.
    memory: ManuallyDrop<Memory>,
    /// Submissions for which there was no room in the queue.
    delayed: Vec<Entry>,
    /// The slots that are free.
    free: Vec<u32>,
    under_way: usize,
}

/// What the kernel may read or write, at any time.
struct Memory {
    slots: Vec<Slot>,
    short: Provided,
    long: Provided,
}

/// A place for an operation.
#[derive(Default)]
struct Slot {
    /// How many operations have been here.
    generation: u32,
    operation: Option<Operation>,
}
// ANCHOR_END: kernel

// ANCHOR: key
/// Names an operation that is under way: its slot, and how many operations have been there, with
/// this one. The kernel carries it, and sends it back with the completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    fn user_data(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    fn from_user_data(data: u64) -> Key {
        Key { slot: data as u32, generation: (data >> 32) as u32 }
    }
}

/// What the completion of a cancellation carries: nobody waits for it.
const NOBODY: u64 = u64::MAX;
// ANCHOR_END: key

// ANCHOR: completed
/// An operation that has completed.
#[derive(Debug)]
pub struct Completed {
    pub event: Event,
    pub task: Option<Submitted>,
    pub outcome: Outcome,
    /// What a receive has found, for the next one.
    pub hint: Hint,
}
// ANCHOR_END: completed

// ANCHOR: new
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
        let mut buffers = Buffers::default();
        let ring = set_up()?;
        let mut provide = |group| Provided::new(&ring, group, &mut buffers);
        let (short, long) = (provide(SHORT)?, provide(LONG)?);
        let slots = Vec::new();
        // Both came with Linux 6.10, and only one can be asked for.
        let can_wait = ring.params().is_feature_recvsend_bundle();
        Ok(Kernel {
            ring,
            can_wait,
            memory: ManuallyDrop::new(Memory { slots, short, long }),
            delayed: Vec::new(),
            free: Vec::new(),
            under_way: 0,
        })
    }
    // ANCHOR_END: new

    // ANCHOR: start
    /// Hands an event to the kernel, which lets it happen. The event must have a socket.
    pub(super) fn start(
        &mut self,
        event: Event,
        task: Option<Submitted>,
        hint: Hint,
    ) -> Key {
        self.submit(event, task, Try::Now(hint))
    }

    /// The same, but waits until the socket is ready before it tries: for who has just found
    /// that it is not.
    pub(super) fn start_later(&mut self, event: Event, task: Option<Submitted>) -> Key {
        self.submit(event, task, Try::Later)
    }

    fn submit(&mut self, event: Event, task: Option<Submitted>, step: Try) -> Key {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.memory.slots.push(Slot::default());
            self.memory.slots.len() as u32 - 1
        });
        let place = &mut self.memory.slots[slot as usize];
        place.generation = place.generation.wrapping_add(1);
        let key = Key { slot, generation: place.generation };
        let operation = Operation { event, task, address: None, step };
        let entry = place.operation.insert(operation).entry(self.can_wait);
        self.under_way += 1;
        self.push(entry.user_data(key.user_data()));
        key
    }
    // ANCHOR_END: start

    // ANCHOR: push
    /// Puts an entry into the submission queue, or aside if that is full.
    ///
    /// Every entry comes from [`Operation::entry`] of an operation in a slot, or has no pointers.
    fn push(&mut self, entry: Entry) {
        let mut queue = self.ring.submission();
        // It points to the bytes of a `SendEvent` or to an `Address`, both on the heap, so that they
        // stay where they are when the slots move. A receive points to nothing: it takes a
        // provided buffer.
        // SAFETY: What the entry points to must stay valid until its completion. The operation in
        // the slot owns it, and leaves the slot in `next` only, after its completion. If
        // completions stay away, `drop` leaks the slots.
        if unsafe { queue.push(&entry) }.is_err() {
            self.delayed.push(entry);
        }
    }
    // ANCHOR_END: push

    // ANCHOR: cancel
    /// Asks the kernel to give up an operation. Its completion comes all the same: with an
    /// error, `ECANCELED`, or with a result if it was faster. A key whose operation has
    /// completed already means nothing.
    pub(super) fn cancel(&mut self, key: Key) {
        let cancel = CancelBuilder::user_data(key.user_data());
        self.push(opcode::AsyncCancel2::new(cancel).build().user_data(NOBODY));
    }

    /// The same for each operation whose event is `like` this.
    pub(super) fn cancel_all(&mut self, like: impl Fn(&Event) -> bool) {
        for slot in 0..self.memory.slots.len() {
            let Slot { generation, operation } = &self.memory.slots[slot];
            if operation.as_ref().is_some_and(|operation| like(&operation.event)) {
                self.cancel(Key { slot: slot as u32, generation: *generation });
            }
        }
    }

    /// The tasks that wait for an operation.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        let operations =
            self.memory.slots.iter().filter_map(|slot| slot.operation.as_ref());
        operations.filter_map(|operation| Some(operation.task.as_ref()?.id()))
    }

    /// Takes the tasks out of all operations that are under way. The operations own what the
    /// kernel needs, and go on without them.
    pub(super) fn take_tasks(&mut self) -> Vec<Submitted> {
        let operations =
            self.memory.slots.iter_mut().flat_map(|slot| &mut slot.operation);
        operations.filter_map(|operation| operation.task.take()).collect()
    }
    // ANCHOR_END: cancel

    // ANCHOR: enter
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
    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        self.ring.submit()?;
        let delayed = mem::take(&mut self.delayed);
        delayed.into_iter().for_each(|entry| self.push(entry));
        Ok(())
    }
    // ANCHOR_END: enter

    // ANCHOR: arrived
    /// The events that [`next`](Kernel::next) will return, for traces: it only looks at them.
    pub(super) fn arrived<T>(&mut self, what: impl Fn(&Event) -> T) -> Vec<T> {
        let mut queue = self.ring.completion();
        let arrived = queue.by_ref().filter_map(|completion| {
            let key = Key::from_user_data(completion.user_data());
            let slot = self.memory.slots.get(key.slot as usize)?;
            let operation = slot.operation.as_ref()?;
            let is_ready = operation.step == Try::Later && completion.result() >= 0;
            let returned = slot.generation == key.generation && !is_ready;
            returned.then(|| what(&operation.event))
        });
        let arrived = arrived.collect();
        mem::forget(queue); // or it would give the kernel the places of what has been read
        arrived
    }
    // ANCHOR_END: arrived

    // ANCHOR: next
    /// The next operation that has completed, with all that it owned.
    pub(super) fn next(&mut self, buffers: &mut Buffers) -> Option<Completed> {
        loop {
            let completion = self.ring.completion().next()?;
            if completion.user_data() == NOBODY {
                continue;
            }
            let key = Key::from_user_data(completion.user_data());
            let Some(operation) = self.take(key) else {
                continue; // it comes too late: that operation is over
            };
            if operation.step == Try::Later && completion.result() >= 0 {
                // The socket is ready. The operation keeps its key: its owner knows no other.
                self.retry(key, operation);
                continue;
            }
            return Some(self.completed(operation, &completion, buffers));
        }
    }

    /// Submits an operation once more, from the slot that it had.
    fn retry(&mut self, key: Key, operation: Operation) {
        let place = &mut self.memory.slots[key.slot as usize];
        let operation = place.operation.insert(operation);
        operation.step = Try::Now(Hint { more: true, ..Hint::default() });
        let entry = operation.entry(self.can_wait);
        self.free.pop(); // it was put there a moment ago
        self.under_way += 1;
        self.push(entry.user_data(key.user_data()));
    }

    /// Takes an operation out of its slot.
    fn take(&mut self, key: Key) -> Option<Operation> {
        let slot = self.memory.slots.get_mut(key.slot as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let operation = slot.operation.take()?;
        self.free.push(key.slot);
        self.under_way -= 1;
        Some(operation)
    }
    // ANCHOR_END: next

    // ANCHOR: complete
    /// What the completion of this operation means.
    fn completed(
        &mut self,
        operation: Operation,
        completion: &cqueue::Entry,
        buffers: &mut Buffers,
    ) -> Completed {
        let Operation { event, task, address, step } = operation;
        let result = match usize::try_from(completion.result()) {
            Ok(count) => Ok(count),
            Err(_) => Err(io::Error::from_raw_os_error(-completion.result())),
        };
        let mut hint = Hint::default();
        let outcome = match &event {
            Event::Connect(_) => {
                Outcome::Accepted(result.and_then(|fd| accepted(fd as RawFd, address)))
            }
            Event::Send(_) => Outcome::Sent(result),
            _ => {
                let long = matches!(step, Try::Now(Hint { long: true, .. }));
                let group =
                    if long { &mut self.memory.long } else { &mut self.memory.short };
                let flags = completion.flags();
                let received = received(group, result, flags, buffers);
                let len = received.as_ref().map_or(0, |bytes| bytes.len());
                let full = len == group.size;
                hint.more = full || cqueue::sock_nonempty(flags);
                // What has failed, for want of a buffer, is tried again as it was.
                hint.long = full || len > SMALL || received.is_err() && long;
                Outcome::Received(received)
            }
        };
        Completed { event, task, outcome, hint }
    }
    // ANCHOR_END: complete

    // ANCHOR: end
    /// Cancels everything that is under way, and waits until it has completed, but not for long.
    /// Whether nothing is left.
    pub(super) fn end(&mut self, buffers: &mut Buffers) -> bool {
        if self.under_way > 0 {
            self.cancel_all(|_| true);
        }
        let start = Instant::now();
        while self.under_way > 0 && start.elapsed() < PATIENCE {
            if self.enter(Some(PATIENCE)).is_err() {
                break;
            }
            while let Some(completed) = self.next(buffers) {
                drop(completed);
            }
        }
        self.under_way == 0
    }
    // ANCHOR_END: end
}

// ANCHOR: drop
impl Drop for Kernel {
    fn drop(&mut self) {
        let mut all_given_up = self.end(&mut Buffers::default());
        for Group { number, .. } in [SHORT, LONG] {
            all_given_up &= self.ring.submitter().unregister_buf_ring(number).is_ok();
        }
        if !all_given_up {
            // The kernel may still write to this memory. It must never be used for anything
            // else, so nobody gets it back.
            return;
        }
        // SAFETY: It is taken once, here, and `self` is not used after that.
        let Memory { slots, short, long } =
            unsafe { ManuallyDrop::take(&mut self.memory) };
        drop(slots);
        for group in [short, long] {
            // SAFETY: Nothing is under way, and both groups have just been unregistered.
            unsafe { group.free() };
        }
    }
}
// ANCHOR_END: drop

// ANCHOR: debug
impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}
// ANCHOR_END: debug

// ANCHOR: accepted
/// A client that the kernel has accepted.
fn accepted(fd: RawFd, address: Option<Box<Address>>) -> io::Result<Socket> {
    // SAFETY: The completion of an accept has brought this descriptor: it is open, and nobody
    // else knows it.
    let client = unsafe { OwnedFd::from_raw_fd(fd) };
    let addr = address.and_then(|address| address.socket_addr());
    let addr = addr.ok_or_else(|| io::Error::from_raw_os_error(libc::ECONNABORTED))?;
    Ok(Socket::accepted(client, addr))
}
// ANCHOR_END: accepted

// ANCHOR: received
/// What a receive has brought: the completion says in which block.
fn received(
    group: &mut Provided,
    result: io::Result<usize>,
    flags: u32,
    buffers: &mut Buffers,
) -> io::Result<Buffer> {
    let Some(number) = cqueue::buffer_select(flags) else {
        if no_buffers(&result) {
            let _ = group.grow(buffers); // those of this round come back in any case
        }
        return result.map(|_| Buffer::default());
    };
    let len = *result.as_ref().unwrap_or(&0);
    // SAFETY: The completion of a receive into this group has just said so.
    let claimed = unsafe { group.claim(number, len, buffers) };
    result.and(claimed)
}

/// All buffers of the group were in use.
fn no_buffers(result: &io::Result<usize>) -> bool {
    matches!(result, Err(error) if error.raw_os_error() == Some(libc::ENOBUFS))
}
// ANCHOR_END: received

// ANCHOR: passing
/// How long to pause when the kernel is short of memory.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);

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
// ANCHOR_END: passing

#[cfg(test)]
mod tests {
    use super::super::set_up::SUBMISSIONS;
    use super::*;
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

    /// The next operation that completes.
    fn wait(kernel: &mut Kernel) -> Completed {
        let mut buffers = Buffers::default();
        for _ in 0..100 {
            if let Some(completed) = kernel.next(&mut buffers) {
                return completed;
            }
            kernel.enter(Some(Duration::from_millis(100))).unwrap();
        }
        panic!("nothing completes");
    }

    fn received(completed: Completed) -> io::Result<Buffer> {
        match completed.outcome {
            Outcome::Received(result) => result,
            other => panic!("{other:?}"),
        }
    }

    /// The slot of an operation that has completed is another's now. Who cancels the old one, or
    /// hears of it late, must not hit the new one.
    #[test]
    fn an_old_key_does_not_name_a_new_operation() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(ours).unwrap();
        let old = kernel.start(socket.recv().into(), None, Hint::default());
        kernel.cancel(old);
        let error = received(wait(&mut kernel)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));

        let new = kernel.start(socket.recv().into(), None, Hint::default());
        assert_eq!(new.slot, old.slot);
        assert_ne!(new, old);
        kernel.cancel(old);
        assert!(kernel.take(old).is_none());
        kernel.enter(Some(Duration::ZERO)).unwrap();
        theirs.write_all(b"hello").unwrap();
        assert_eq!(*received(wait(&mut kernel)).unwrap(), *b"hello");
        assert_eq!(kernel.under_way, 0);
    }

    /// An operation that waits for readiness first keeps its key when it is tried at last.
    #[test]
    fn an_operation_that_is_tried_later() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(ours).unwrap();
        for cancelled in [false, true] {
            let key = kernel.start_later(socket.recv().into(), None);
            kernel.enter(Some(Duration::ZERO)).unwrap();
            if cancelled {
                kernel.cancel(key);
            } else {
                theirs.write_all(b"hello").unwrap();
            }
            let result = received(wait(&mut kernel));
            match result {
                Ok(bytes) => assert_eq!((&*bytes, cancelled), (&b"hello"[..], false)),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
                    assert!(cancelled);
                }
            }
        }
        assert_eq!((kernel.under_way, kernel.free.len()), (0, 1));
    }

    /// A group grows by one for each receive that has found no buffer, and is then large enough.
    #[test]
    fn as_many_buffers_as_are_needed() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        for long in [false, true] {
            let hint = Hint { long, more: true };
            let Group { first, .. } = if long { LONG } else { SHORT };
            for without in [3, 0] {
                let pairs: Vec<_> =
                    (0..first + 3).map(|_| UnixStream::pair().unwrap()).collect();
                for (ours, theirs) in &pairs {
                    (&*theirs).write_all(b"hello").unwrap();
                    let socket = Socket::new(ours.try_clone().unwrap()).unwrap();
                    kernel.start(socket.recv().into(), None, hint);
                }
                let mut found_none = 0;
                for _ in &pairs {
                    let completed = wait(&mut kernel);
                    let found = completed.hint.long;
                    match received(completed) {
                        Ok(bytes) => assert_eq!(*bytes, *b"hello"),
                        Err(error) => {
                            assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
                            assert_eq!(found, long, "it is to be tried again as it was");
                            found_none += 1;
                        }
                    }
                }
                assert_eq!(found_none, without);
            }
        }
    }

    /// More than the queue has room for.
    #[test]
    fn more_operations_than_fit_into_the_queue() {
        let Some(mut kernel) = kernel_or_skip() else { return };
        let (ours, theirs) = UnixStream::pair().unwrap();
        let socket = Socket::new(ours).unwrap();
        let many = 2 * SUBMISSIONS as usize + 10;
        for _ in 0..many {
            kernel.start(socket.recv().into(), None, Hint::default());
        }
        assert!(!kernel.delayed.is_empty());
        drop(theirs); // each of them receives the end of input
        for _ in 0..many {
            assert_eq!(*received(wait(&mut kernel)).unwrap(), *b"");
        }
        assert_eq!((kernel.under_way, kernel.delayed.len()), (0, 0));
    }
}
