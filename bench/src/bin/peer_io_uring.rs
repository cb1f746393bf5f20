//! A peer: an `io_uring` loop without abstraction: one accept for all clients, receives into a
//! ring of provided buffers, sends out of them, and one system call for everything that is to
//! be submitted and everything that has completed.
//!
//! A client has one operation under way at a time: it receives, or sends what it has received.
//!
//! With `--multishot` one receive serves a client for long: it goes on bringing buffers, also
//! while a send is under way. So a client may have several that wait to be sent, but not more
//! than a few: then its receive is cancelled, until they have been sent.

#![expect(unsafe_code, reason = "the kernel is given addresses")]

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use bench::peer::{self, Options};
use clap::Parser;
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// The kernel chooses the buffers of a receive from this group.
const GROUP: u16 = 0;
/// As many clients may be between a receive and the end of its send, at most; of large buffers
/// there are fewer, 4 MiB in all.
const BUFFERS: u16 = 1024;
const MEMORY: usize = 4 << 20;
const ENTRIES: u32 = 1024;

/// What an operation was: the upper half of its user data. The lower half is the descriptor.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1 << 32;
const SEND: u64 = 2 << 32;
const CLOSE: u64 = 3 << 32;
const CANCEL: u64 = 4 << 32;

/// So many buffers of one client may wait to be sent before its multishot receive is cancelled.
/// It may bring a few more until the kernel has done that.
const UNCLAIMED: usize = 8;

/// A receive that is told that nothing is there yet: the kernel does not look before it waits.
const POLL_FIRST: u16 = 1;

#[derive(Parser)]
struct Ring {
    #[command(flatten)]
    options: Options,
    /// One receive serves a client for long
    #[arg(long)]
    multishot: bool,
}

fn main() -> ExitCode {
    peer::run(|Ring { options, multishot }| Server::new(options, multishot)?.run())
}

struct Server {
    ring: IoUring,
    listener: TcpListener,
    buffers: Buffers,
    multishot: bool,
    /// By their descriptors.
    clients: Vec<Client>,
    /// Clients that found no buffer free.
    starved: VecDeque<RawFd>,
}

#[derive(Default)]
struct Client {
    /// What has been received; the first is being sent, the others wait for it.
    unsent: VecDeque<Part>,
    sending: bool,
    /// A receive is under way.
    receiving: bool,
    /// It has been cancelled, for too much waits to be sent.
    cancelled: bool,
    /// It is to receive when there is a buffer again.
    starved: bool,
    /// There was more to receive when the last receive was done.
    more: bool,
    /// Nothing more will come.
    ended: bool,
}

/// A part of a buffer.
struct Part {
    buffer: u16,
    start: usize,
    end: usize,
}

impl Server {
    fn new(options: Options, multishot: bool) -> io::Result<Server> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * ENTRIES)
            .build(ENTRIES)?;
        let buffers = Buffers::new(&ring, options.buffer)?;
        let listener = listen(options.listen)?;
        peer::listening(listener.local_addr()?);
        let (clients, starved) = (vec![], VecDeque::new());
        Ok(Server { ring, listener, buffers, multishot, clients, starved })
    }

    fn run(&mut self) -> io::Result<()> {
        self.accept()?;
        let mut completed = Vec::with_capacity(4 * ENTRIES as usize);
        loop {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // So much has completed that it must be taken first.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                result => drop(result?),
            }
            completed.extend(self.ring.completion());
            for entry in completed.drain(..) {
                let fd = entry.user_data() as RawFd;
                match entry.user_data() & !0xffff_ffff {
                    ACCEPT => self.accepted(&entry)?,
                    RECEIVE => self.received(fd, &entry)?,
                    SEND => self.sent(fd, entry.result())?,
                    _ => {} // closed, or cancelled
                }
            }
        }
    }

    fn accepted(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
        let fd = entry.result();
        if fd >= 0 {
            if self.clients.len() <= fd as usize {
                self.clients.resize_with(fd as usize + 1, Client::default);
            }
            self.clients[fd as usize] = Client::default();
            self.go_on(fd)?;
        } else {
            let error = io::Error::from_raw_os_error(-fd);
            peer::problem(format_args!("cannot accept for now: {error}"));
            thread::sleep(Duration::from_millis(10));
        }
        match cqueue::more(entry.flags()) {
            true => Ok(()),
            false => self.accept(),
        }
    }

    fn received(&mut self, fd: RawFd, entry: &cqueue::Entry) -> io::Result<()> {
        let (result, client) = (entry.result(), &mut self.clients[fd as usize]);
        client.more = cqueue::sock_nonempty(entry.flags());
        client.receiving = cqueue::more(entry.flags());
        client.cancelled &= client.receiving;
        match cqueue::buffer_select(entry.flags()) {
            Some(buffer) if result > 0 => {
                let end = result as usize;
                client.unsent.push_back(Part { buffer, start: 0, end });
            }
            buffer => {
                buffer.into_iter().for_each(|it| self.buffers.give(it));
                match -result {
                    libc::ENOBUFS => {
                        client.starved = true;
                        self.starved.push_back(fd);
                    }
                    libc::ECANCELED => {}
                    _ => client.ended = true,
                }
            }
        }
        // ANCHOR: bound
        let client = &mut self.clients[fd as usize];
        if client.receiving && !client.cancelled && client.unsent.len() > UNCLAIMED {
            client.cancelled = true;
            let cancel = opcode::AsyncCancel::new(RECEIVE | fd as u64).build();
            self.push(cancel.user_data(CANCEL | fd as u64))?;
        }
        // ANCHOR_END: bound
        self.go_on(fd)
    }

    fn sent(&mut self, fd: RawFd, result: i32) -> io::Result<()> {
        let client = &mut self.clients[fd as usize];
        client.sending = false;
        client.ended |= result <= 0;
        let Some(part) = client.unsent.front_mut() else { return Ok(()) };
        part.start += result.max(0) as usize;
        if result <= 0 || part.start == part.end {
            self.buffers.give(part.buffer);
            client.unsent.pop_front();
            self.feed()?;
        }
        self.go_on(fd)
    }

    /// There is a buffer for one who has found none.
    fn feed(&mut self) -> io::Result<()> {
        let Some(fd) = self.starved.pop_front() else { return Ok(()) };
        self.clients[fd as usize].starved = false;
        self.go_on(fd)
    }

    /// Sends what waits, receives when it is time, and closes when nothing more will come.
    fn go_on(&mut self, fd: RawFd) -> io::Result<()> {
        let client = &mut self.clients[fd as usize];
        if !client.sending && !client.unsent.is_empty() {
            client.sending = true;
            self.send(fd)?;
        }
        // A multishot receive goes on while the last of what it has brought is being sent.
        let client = &mut self.clients[fd as usize];
        let is_time = client.unsent.len() <= usize::from(self.multishot);
        if client.receiving || client.starved || !is_time {
            return Ok(());
        }
        if !client.ended {
            client.receiving = true;
            return self.receive(fd);
        }
        if client.unsent.is_empty() {
            let close = opcode::Close::new(Fd(fd)).build();
            self.push(close.user_data(CLOSE | fd as u64))?;
            // If it was fed, it has left its buffer to the next one.
            return self.feed();
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd()));
        self.push(accept.flags(libc::SOCK_CLOEXEC).build().user_data(ACCEPT))
    }

    fn receive(&mut self, fd: RawFd) -> io::Result<()> {
        let receive = if self.multishot {
            opcode::RecvMulti::new(Fd(fd), GROUP).build()
        } else {
            let more = self.clients[fd as usize].more;
            opcode::Recv::new(Fd(fd), ptr::null_mut(), self.buffers.size as u32)
                .buf_group(GROUP)
                .ioprio(if more { 0 } else { POLL_FIRST })
                .build()
                .flags(squeue::Flags::BUFFER_SELECT)
        };
        self.push(receive.user_data(RECEIVE | fd as u64))
    }

    /// Sends the first of what waits; the kernel itself waits until all of it has been sent.
    fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let Part { buffer, start, end } = self.clients[fd as usize].unsent[0];
        let bytes = self.buffers.address(buffer).wrapping_add(start);
        let send = opcode::Send::new(Fd(fd), bytes, (end - start) as u32);
        let send = send.flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL).build();
        self.push(send.user_data(SEND | fd as u64))
    }

    fn push(&mut self, entry: squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: the only addresses in our entries lie in the provided buffers, which are
            // never freed; a buffer that is being sent is given back only after that.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }
}

/// When a process with a ring is killed, the kernel takes a moment to end its operations, and
/// only then closes its sockets: until then the port is in use.
fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    for _ in 0..100 {
        match peer::listen(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
    peer::listen(addr)
}

/// Buffers for the kernel to choose from. They live as long as the process, so that no operation
/// can outlive its buffer.
struct Buffers {
    size: usize,
    /// An address and not a slice: the kernel writes there whenever it likes.
    memory: *mut u8,
    /// What is on offer, as the kernel reads it: an array that both sides go round.
    ring: *mut BufRingEntry,
    /// How many have been given, and wraps round: where in the array the next one goes.
    given: u16,
}

/// An array of what the kernel reads; it begins on a page, of whatever size pages are here.
#[repr(C, align(65536))]
struct Offers([[u64; 2]; BUFFERS as usize]);

impl Buffers {
    fn new(ring: &IoUring, size: usize) -> io::Result<Buffers> {
        let count = (MEMORY / size).clamp(16, BUFFERS as usize);
        let memory = Vec::leak(vec![0; size * count]).as_mut_ptr();
        let offers = Box::leak(Box::new(Offers([[0; 2]; BUFFERS as usize])));
        let array = ptr::from_mut(offers).cast::<BufRingEntry>();
        // SAFETY: the array is leaked, so it is valid for as long as the ring is; it has
        // BUFFERS entries of 16 bytes, as the kernel lays them out, and begins on a page.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                array as u64,
                BUFFERS,
                GROUP,
                0,
            )?;
        }
        let mut buffers = Buffers { size, memory, ring: array, given: 0 };
        (0..count as u16).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    fn address(&self, buffer: u16) -> *mut u8 {
        self.memory.wrapping_add(buffer as usize * self.size)
    }

    /// Gives a buffer to the kernel, which has chosen it before, or has never had it.
    fn give(&mut self, buffer: u16) {
        let addr = self.address(buffer) as u64;
        let place = (self.given % BUFFERS) as usize;
        // SAFETY: `place` is less than BUFFERS, so it lies in the array.
        let entry = unsafe { self.ring.add(place) };
        // SAFETY: the array lives for ever and only this thread writes to it. The kernel reads
        // no entry at or behind the tail, and there is room: no more than BUFFERS are given.
        let entry = unsafe { &mut *entry };
        entry.set_addr(addr);
        entry.set_len(self.size as u32);
        entry.set_bid(buffer);
        self.given = self.given.wrapping_add(1);
        // SAFETY: this is the address of the array's first entry, which is initialised.
        let tail = unsafe { BufRingEntry::tail(self.ring) };
        // SAFETY: the tail is a u16 in the array, aligned, and nobody else writes to it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.given, Ordering::Release);
    }
}
