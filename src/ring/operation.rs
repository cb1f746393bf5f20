//! An operation: what the kernel is asked to do, everything that it needs for that, and what its
//! answer means. [`Kernel`](super::kernel::Kernel) submits it, and keeps it until its completion.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket2::{SockAddr, SockAddrStorage};

use super::provided::GROUP;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::event::{Data, Event, Happened};
use crate::scheduler::ready::Submitted;
use crate::space::{RECEIVE_SIZE, Space};

/// The system sends no more at once.
const MOST: usize = 1 << 30;

/// `IORING_RECVSEND_POLL_FIRST`: wait until there is something, and only then try.
const POLL_FIRST: u16 = 1;

// ANCHOR: operation
/// An operation that is under way. It owns all that the kernel needs.
pub struct Operation {
    pub event: Event,
    /// The task that waits for it; none if that has ended.
    pub task: Option<Submitted>,
    /// Where an accept writes the client's address.
    pub address: Option<Box<Address>>,
    /// It has been tried, and would have blocked. Now it waits until its socket is ready. (Older
    /// kernels let a socket that does not block answer so. Newer ones wait by themselves.)
    pub waits: bool,
}
// ANCHOR_END: operation

/// An operation that has completed.
pub struct Completed {
    pub event: Event,
    /// The task that waits for it; none if that has ended.
    pub task: Option<Submitted>,
    /// `NotYet` if there is more to do, or if the operation was cancelled.
    pub happened: Happened,
}

impl Operation {
    // ANCHOR: entry
    /// The submission. What it points to is owned by the operation, and lies on the heap.
    pub fn entry(&mut self) -> Entry {
        let (fd, direction) = what(&self.event);
        let fd = Fd(fd);
        if self.waits {
            let ready = match direction {
                Direction::Read => libc::POLLIN,
                Direction::Write => libc::POLLOUT,
            };
            return opcode::PollAdd::new(fd, ready as u32).build();
        }
        match &self.event {
            Event::Connect(_) => {
                let Address { storage, len } =
                    &mut **self.address.insert(Address::empty());
                opcode::Accept::new(fd, ptr::from_mut(storage).cast(), len)
                    .flags(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
                    .build()
            }
            Event::Send(send) => {
                let bytes = send.unsent();
                let len = bytes.len().min(MOST) as u32;
                // Either all of it, or an error: the kernel waits for room by itself.
                opcode::Send::new(fd, bytes.as_ptr(), len)
                    .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
                    .build()
            }
            // After a message has been answered, the next one is seldom there already: so the
            // kernel need not try before it waits.
            _ => opcode::Recv::new(fd, ptr::null_mut(), RECEIVE_SIZE as u32)
                .buf_group(GROUP)
                .ioprio(POLL_FIRST)
                .build()
                .flags(Flags::BUFFER_SELECT),
        }
    }
    // ANCHOR_END: entry

    // ANCHOR: only_waited
    /// Whether it is a receive that has come to nothing because all buffers were in use. (Other
    /// operations have this error when the system is short of memory.)
    pub fn found_no_buffer(&self, result: i32) -> bool {
        let receives = matches!(self.event, Event::Receive(_) | Event::Close(_));
        receives && result == -libc::ENOBUFS
    }

    /// Whether its completion says only that it has to wait first, or that it has waited.
    pub fn only_waited(&mut self, result: i32) -> bool {
        let is_ready = self.waits && result >= 0;
        self.waits = result == -libc::EAGAIN;
        self.waits || is_ready
    }
    // ANCHOR_END: only_waited

    // ANCHOR: completed
    /// What its completion means: the kernel has done what [`Event::happen`] does elsewhere.
    /// `bytes` are what a receive has brought.
    ///
    /// # Safety
    ///
    /// `result` must be that of the completion.
    pub unsafe fn completed(
        self,
        result: i32,
        bytes: Vec<u8>,
        space: &mut Space,
    ) -> Completed {
        let Operation { mut event, task, address, .. } = self;
        let happened = match &mut event {
            _ if result == -libc::ECANCELED => Happened::NotYet,
            event if result < 0 => {
                Happened::Done(event.failed(io::Error::from_raw_os_error(-result)))
            }
            Event::Connect(_) => {
                // SAFETY: This is the completion of an accept, which has made this descriptor: it
                // is open, and nothing else owns it.
                let client = unsafe { OwnedFd::from_raw_fd(result) };
                Happened::Done(connected(client, address))
            }
            Event::Send(send) => send.sent(result as usize, space),
            event => received(event, bytes),
        };
        Completed { event, task, happened }
    }
    // ANCHOR_END: completed
}

/// A client has been accepted.
fn connected(client: OwnedFd, address: Option<Box<Address>>) -> Data {
    match address.and_then(|address| address.socket_addr()) {
        Some(addr) => Data::Connected(Socket::accepted(client), addr),
        None => Data::Failed(io::Error::from_raw_os_error(libc::ECONNABORTED)),
    }
}

/// Bytes have been received, for a task or for a [`CloseEvent`](crate::scheduler::event::CloseEvent),
/// which discards them.
fn received(event: &Event, bytes: Vec<u8>) -> Happened {
    if let (true, Some(socket)) = (bytes.is_empty(), event.socket()) {
        socket.end();
    }
    match event {
        Event::Close(_) if bytes.is_empty() => Happened::Done(Data::Closed),
        Event::Close(_) => Happened::NotYet,
        _ => Happened::Done(Data::Received(bytes)),
    }
}

/// Which descriptor the event is about, and in which direction.
fn what(event: &Event) -> Readiness {
    let socket = event.socket().expect("a SleepEvent is no business of the kernel's");
    let direction = match event {
        Event::Send(_) => Direction::Write,
        _ => Direction::Read,
    };
    (socket.as_raw_fd(), direction)
}

/// Where an event's operation is found: a descriptor has two places, one for each direction.
pub fn place(event: &Event) -> usize {
    let (fd, direction) = what(event);
    match direction {
        Direction::Read => reading(fd),
        Direction::Write => 2 * fd as usize + 1,
    }
}

/// The place of the operation that waits to read from `fd`.
pub fn reading(fd: RawFd) -> usize {
    2 * fd as usize
}

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
    fn socket_addr(self) -> Option<SocketAddr> {
        // SAFETY: The kernel has written an address there, and its length; and if it has not,
        // the zeros are an address of no family.
        unsafe { SockAddr::new(self.storage, self.len) }.as_socket()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    fn operation(event: impl Into<Event>) -> Operation {
        Operation { event: event.into(), task: None, address: None, waits: false }
    }

    /// An accept that is short of memory must pause: that is its task's business.
    #[test]
    fn only_a_receive_is_short_of_buffers() {
        let socket = Socket::new(UnixStream::pair().unwrap().0).unwrap();
        assert!(operation(socket.recv()).found_no_buffer(-libc::ENOBUFS));
        assert!(!operation(socket.recv()).found_no_buffer(-libc::ENOMEM));
        assert!(!operation(socket.accept()).found_no_buffer(-libc::ENOBUFS));
        assert!(!operation(socket.send(*b"x")).found_no_buffer(-libc::ENOBUFS));
        assert!(operation(socket.close()).found_no_buffer(-libc::ENOBUFS));
    }
}
