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
use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};

fn main() -> ExitCode {
    peer::run(Some("multishot"), |options| Server::new(options)?.run())
}

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

struct Server {
    ring: IoUring,
    listener: TcpListener,
    buffers: Buffers,
    /// What each client, by descriptor, is sending.
    sending: Vec<Sending>,
    /// Clients that found no buffer free.
    starved: VecDeque<RawFd>,
    multishot: bool,
    /// What each client, by descriptor, has besides, with `--multishot`.
    shots: Vec<Shots>,
}

/// A client of a multishot receive.
#[derive(Default)]
struct Shots {
    /// What has been received, and waits for the send before it.
    unclaimed: VecDeque<Sending>,
    /// A receive is under way.
    receiving: bool,
    /// It has been cancelled, for there were too many.
    cancelled: bool,
    sending: bool,
    /// Nothing more will come.
    ended: bool,
}

/// A part of a buffer.
#[derive(Clone, Copy, Default)]
struct Sending {
    buffer: u16,
    start: usize,
    end: usize,
    /// There was more to receive when this was.
    more: bool,
}

impl Server {
    fn new(options: Options) -> io::Result<Server> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(4 * ENTRIES)
            .build(ENTRIES)?;
        let buffers = Buffers::new(&ring, options.buffer)?;
        let listener = listen(options.listen)?;
        let starved = VecDeque::new();
        peer::listening(listener.local_addr()?);
        let (multishot, shots) = (options.variant, vec![]);
        Ok(Server { ring, listener, buffers, sending: vec![], starved, multishot, shots })
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
                self.complete(&entry)?;
            }
        }
    }

    fn complete(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
        let (operation, fd) =
            (entry.user_data() & !0xffff_ffff, entry.user_data() as RawFd);
        let result = entry.result();
        match operation {
            ACCEPT => {
                if result >= 0 {
                    self.accepted(result)?;
                } else {
                    let error = io::Error::from_raw_os_error(-result);
                    peer::problem(format_args!("cannot accept for now: {error}"));
                    thread::sleep(Duration::from_millis(10));
                }
                match cqueue::more(entry.flags()) {
                    true => Ok(()),
                    false => self.accept(),
                }
            }
            RECEIVE | SEND if self.multishot => self.shot(operation, fd, entry),
            RECEIVE if result == -libc::ENOBUFS => {
                self.starved.push_back(fd);
                Ok(())
            }
            RECEIVE => match cqueue::buffer_select(entry.flags()) {
                Some(buffer) if result > 0 => {
                    let more = cqueue::sock_nonempty(entry.flags());
                    let end = result as usize;
                    self.sending[fd as usize] = Sending { buffer, start: 0, end, more };
                    self.send(fd)
                }
                buffer => {
                    buffer.into_iter().for_each(|it| self.buffers.give(it));
                    self.close(fd)
                }
            },
            SEND => {
                let sending = &mut self.sending[fd as usize];
                sending.start += result.max(0) as usize;
                if result > 0 && sending.start < sending.end {
                    return self.send(fd);
                }
                self.buffers.give(sending.buffer);
                if let Some(starved) = self.starved.pop_front() {
                    self.receive(starved)?;
                }
                match result > 0 {
                    true => self.receive(fd),
                    false => self.close(fd),
                }
            }
            _ => Ok(()), // closed
        }
    }

    fn accepted(&mut self, fd: RawFd) -> io::Result<()> {
        if self.sending.len() <= fd as usize {
            self.sending.resize(fd as usize + 1, Sending::default());
            self.shots.resize_with(fd as usize + 1, Shots::default);
        }
        if self.multishot {
            self.shots[fd as usize] = Shots::default();
            return self.next_shot(fd);
        }
        self.receive(fd)
    }

    /// With `--multishot`: a receive has brought something, or a send has ended.
    fn shot(
        &mut self,
        operation: u64,
        fd: RawFd,
        entry: &cqueue::Entry,
    ) -> io::Result<()> {
        let (result, shots) = (entry.result(), &mut self.shots[fd as usize]);
        if operation == SEND {
            let sending = &mut self.sending[fd as usize];
            sending.start += result.max(0) as usize;
            if result > 0 && sending.start < sending.end {
                return self.send(fd);
            }
            shots.sending = false;
            shots.ended |= result <= 0;
            self.buffers.give(sending.buffer);
            if let Some(starved) = self.starved.pop_front() {
                self.next_shot(starved)?;
            }
            return self.next_shot(fd);
        }
        shots.receiving = cqueue::more(entry.flags());
        if !shots.receiving {
            shots.cancelled = false;
        }
        match cqueue::buffer_select(entry.flags()) {
            Some(buffer) if result > 0 => {
                let end = result as usize;
                shots.unclaimed.push_back(Sending { buffer, start: 0, end, more: false });
            }
            buffer => {
                buffer.into_iter().for_each(|it| self.buffers.give(it));
                match -result {
                    libc::ENOBUFS => {
                        self.starved.push_back(fd);
                        // Its own sends will give buffers back; or somebody else's.
                        return self.next_send(fd);
                    }
                    libc::ECANCELED => {}
                    _ => shots.ended = true,
                }
            }
        }
        // ANCHOR: bound
        let shots = &mut self.shots[fd as usize];
        if shots.receiving && !shots.cancelled && shots.unclaimed.len() >= UNCLAIMED {
            shots.cancelled = true;
            let cancel = opcode::AsyncCancel::new(RECEIVE | fd as u64).build();
            self.push(cancel.user_data(CANCEL | fd as u64))?;
        }
        // ANCHOR_END: bound
        self.next_shot(fd)
    }

    /// Sends what waits, receives if nothing does, and closes when that is all.
    fn next_shot(&mut self, fd: RawFd) -> io::Result<()> {
        self.next_send(fd)?;
        let shots = &mut self.shots[fd as usize];
        let idle = !shots.receiving && !shots.sending && shots.unclaimed.is_empty();
        if shots.ended && idle {
            return self.close(fd);
        }
        if !shots.ended && !shots.receiving && shots.unclaimed.is_empty() {
            shots.receiving = true;
            let receive = opcode::RecvMulti::new(Fd(fd), GROUP).build();
            self.push(receive.user_data(RECEIVE | fd as u64))?;
        }
        Ok(())
    }

    fn next_send(&mut self, fd: RawFd) -> io::Result<()> {
        let shots = &mut self.shots[fd as usize];
        if shots.sending {
            return Ok(());
        }
        let Some(next) = shots.unclaimed.pop_front() else { return Ok(()) };
        shots.sending = true;
        self.sending[fd as usize] = next;
        self.send(fd)
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd()));
        self.push(accept.flags(libc::SOCK_CLOEXEC).build().user_data(ACCEPT))
    }

    fn receive(&mut self, fd: RawFd) -> io::Result<()> {
        let size = self.buffers.size as u32;
        let receive = opcode::Recv::new(Fd(fd), ptr::null_mut(), size).buf_group(GROUP);
        let receive =
            receive.ioprio(if self.sending[fd as usize].more { 0 } else { POLL_FIRST });
        let receive = receive.build().flags(squeue::Flags::BUFFER_SELECT);
        self.push(receive.user_data(RECEIVE | fd as u64))
    }

    fn send(&mut self, fd: RawFd) -> io::Result<()> {
        let Sending { buffer, start, end, .. } = self.sending[fd as usize];
        let bytes = self.buffers.address(buffer).wrapping_add(start);
        let send = opcode::Send::new(Fd(fd), bytes, (end - start) as u32);
        // The kernel itself waits until all has been sent.
        let send = send.flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL).build();
        self.push(send.user_data(SEND | fd as u64))
    }

    fn close(&mut self, fd: RawFd) -> io::Result<()> {
        self.push(opcode::Close::new(Fd(fd)).build().user_data(CLOSE | fd as u64))
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
