//! An operation: what the kernel is asked to do, and everything that it needs until it has done
//! it. [`Kernel`](super::kernel::Kernel) submits it, and keeps it until its completion.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use socket2::{SockAddr, SockAddrStorage};

use super::provided::GROUP;
use crate::net::Direction;
use crate::scheduler::event::Event;
use crate::scheduler::ready::Submitted;
use crate::space::RECEIVE_SIZE;

/// The system sends no more at once.
const MOST: usize = 1 << 30;

/// `IORING_RECVSEND_POLL_FIRST`: wait until there is something, and only then try.
const POLL_FIRST: u16 = 1;

/// An operation that is under way. It owns all that the kernel needs.
pub struct Operation {
    pub event: Event,
    /// Who waits for it: nobody, if the task has gone.
    pub task: Option<Submitted>,
    /// Where an accept writes the client's address.
    pub address: Option<Box<Address>>,
    /// It has been tried, and would have blocked. Now it waits until its socket is ready.
    pub waits: bool,
}

impl Operation {
    /// The submission. What it points to is owned by the operation, and lies on the heap.
    pub fn entry(&mut self) -> Entry {
        let Operation { event, address, waits, .. } = self;
        let Some(fd) = event.socket().map(|socket| Fd(socket.as_raw_fd())) else {
            return opcode::Nop::new().build(); // a SleepEvent has come to the wrong place
        };
        if *waits {
            let ready = match direction(event) {
                Direction::Read => libc::POLLIN,
                Direction::Write => libc::POLLOUT,
            };
            return opcode::PollAdd::new(fd, ready as u32).build();
        }
        match event {
            Event::Connect(_) => {
                let Address { storage, len } = &mut **address.insert(Address::empty());
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
            // After a message has been answered, the next one is seldom there already: it saves an
            // attempt to wait first.
            _ => opcode::Recv::new(fd, ptr::null_mut(), RECEIVE_SIZE as u32)
                .buf_group(GROUP)
                .ioprio(POLL_FIRST)
                .build()
                .flags(Flags::BUFFER_SELECT),
        }
    }
}

/// In which direction the event uses its socket.
pub fn direction(event: &Event) -> Direction {
    match event {
        Event::Send(_) => Direction::Write,
        _ => Direction::Read,
    }
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
    pub fn socket_addr(self) -> Option<SocketAddr> {
        // SAFETY: The kernel has written an address there, and its length; and if it has not,
        // the zeros are an address of no family.
        unsafe { SockAddr::new(self.storage, self.len) }.as_socket()
    }
}
