//! An operation: what the kernel is asked to do, and everything that it needs until it has done
//! it. [`Kernel`](super::kernel::Kernel) submits it, and keeps it until its completion.

use std::net::SocketAddr;
use std::ptr;

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket2::{SockAddr, SockAddrStorage};

use crate::buffer::{RECEIVE_SIZE, SMALL};
use crate::event::Event;
use crate::poller::Direction;
use crate::ready::Submitted;

// ANCHOR: groups
/// A group of provided buffers: its number, how large they are, and how many there are at first
/// and at most.
///
/// The kernel takes them in turn, so that all of them are used, however few are needed at a time.
/// A few short ones, or a single long one, are still in the processor's cache when they are needed
/// again.
#[derive(Clone, Copy)]
pub struct Group {
    pub number: u16,
    pub size: usize,
    pub first: u16,
    pub most: u16,
}

/// The buffers that short messages are received into.
pub const SHORT: Group = Group { number: 0, size: SMALL, first: 4, most: 512 };

/// Those for long ones: fewer, because each holds so much.
pub const LONG: Group = Group { number: 1, size: RECEIVE_SIZE, first: 1, most: 64 };
// ANCHOR_END: groups

// ANCHOR: limits
/// The system sends no more at once.
const MOST: usize = 1 << 30;

/// `IORING_RECVSEND_POLL_FIRST`: wait until there is something, and only then try.
const POLL_FIRST: u16 = 1;

/// `IORING_ACCEPT_POLL_FIRST`, the same for an accept.
const ACCEPT_POLL_FIRST: u16 = 1 << 2;
// ANCHOR_END: limits

// ANCHOR: operation
/// An operation that is under way. It owns all that the kernel needs.
pub struct Operation {
    pub event: Event,
    /// Who waits for it: nobody, if it was started ahead of time, or if the task has gone.
    pub task: Option<Submitted>,
    /// Where an accept writes the client's address.
    pub address: Option<Box<Address>>,
    pub step: Try,
}

/// What an operation does first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Try {
    /// It is tried.
    Now(Hint),
    /// It waits until its socket is ready; then comes the operation itself.
    Later,
}

/// Where a receive puts its bytes, and whether to try at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// The last message was a long one.
    pub long: bool,
    /// There is more already.
    pub more: bool,
}
// ANCHOR_END: operation

// ANCHOR: entry
impl Operation {
    /// The submission. What it points to is owned by the operation, and lies on the heap.
    ///
    /// An accept waits before it tries if the kernel `can_wait` like that (Linux 6.10).
    pub fn entry(&mut self, can_wait: bool) -> Entry {
        let Operation { event, address, step, .. } = self;
        let Some(fd) = event.fd().map(Fd) else {
            return opcode::Nop::new().build(); // a SleepEvent has come to the wrong place
        };
        let Try::Now(hint) = *step else {
            let ready = match event.direction() {
                Direction::Read => libc::POLLIN,
                Direction::Write => libc::POLLOUT,
            };
            return opcode::PollAdd::new(fd, ready as u32).build();
        };
        match event {
            Event::Connect(_) => {
                let Address { storage, len } = &mut **address.insert(Address::empty());
                let accept = opcode::Accept::new(fd, ptr::from_mut(storage).cast(), len)
                    .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
                    .build();
                // An attempt that finds nobody is dear: the client's socket is made first.
                if can_wait && !hint.more { wait_first(accept) } else { accept }
            }
            Event::Send(send) => {
                let bytes = send.unsent();
                let len = bytes.len().min(MOST) as u32;
                // Either all of it, or an error: the kernel waits for room by itself.
                opcode::Send::new(fd, bytes.as_ptr(), len)
                    .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                    .build()
            }
            _ => {
                let Group { number, size, .. } = if hint.long { LONG } else { SHORT };
                // After a message has been answered, the next one is seldom there already: then
                // it saves an attempt to wait first.
                let first = if hint.more { 0 } else { POLL_FIRST };
                opcode::Recv::new(fd, ptr::null_mut(), size as u32)
                    .buf_group(number)
                    .ioprio(first)
                    .build()
                    .flags(Flags::BUFFER_SELECT)
            }
        }
    }
}
// ANCHOR_END: entry

// ANCHOR: wait_first
/// Lets an accept wait for a client before it tries. The crate has no method for this flag.
fn wait_first(mut accept: Entry) -> Entry {
    const { assert!(size_of::<Entry>() == 64) };
    let ioprio = ptr::from_mut(&mut accept).cast::<u16>().wrapping_add(1);
    // SAFETY: An `Entry` is the kernel's `struct io_uring_sqe`, 64 bytes, and nothing else: it is
    // copied into the shared queue as it is. There the bytes 2 and 3 are a number, `ioprio`, which
    // holds the flags of an accept. Every `u16` is a value of it, and `accept` is ours.
    unsafe { ioprio.write(ACCEPT_POLL_FIRST) };
    accept
}
// ANCHOR_END: wait_first

// ANCHOR: address
/// A client's address, as the kernel writes it.
pub struct Address {
    storage: SockAddrStorage,
    len: libc::socklen_t,
}

impl Address {
    fn empty() -> Box<Address> {
        let storage = SockAddrStorage::zeroed();
        let len = storage.size_of();
        Box::new(Address { storage, len })
    }

    /// `None` if the kernel has written none.
    pub fn socket_addr(self) -> Option<SocketAddr> {
        // SAFETY: The kernel has written an address there, and its length; and if it has not,
        // the zeros are an address of no family.
        unsafe { SockAddr::new(self.storage, self.len) }.as_socket()
    }
}
// ANCHOR_END: address
