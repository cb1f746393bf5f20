//! Sockets in memory: the twin of the library's `net`, with the few calls that the heart and its
//! tasks use. What the clients and the system do, a test does, with a [`Peer`].

#[path = "../../src/net/accept.rs"]
mod accept;

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

pub use accept::{ACCEPT_PAUSE, AcceptBackoff, PatientSocket};

use crate::space::{RECEIVE_SIZE, Space};

/// How many bytes can be on their way to a peer, unless it says how many.
const ROOM: usize = 65_536;

/// What a socket is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// For something to read: data, end of input, a client to accept.
    Read,
    /// For room to write.
    Write,
}

/// What a descriptor is ready for.
pub type Readiness = (RawFd, Direction);

// Each test has a thread, and so a clock and descriptors of its own.
thread_local! {
    static CLOCK: Cell<Instant> = Cell::new(Instant::now());
    static NUMBERS: RefCell<Vec<RawFd>> = RefCell::new(vec![0, 1, 2]);
}

/// What time it is. It stays that time, until it is told to [`pass`].
pub fn now() -> Instant {
    CLOCK.get()
}

/// So far from now. What the clock cannot express is a very long time.
pub fn later(duration: Duration) -> Instant {
    const VERY_LONG: Duration = Duration::from_secs(u32::MAX as u64); // 136 years
    now().checked_add(duration).unwrap_or_else(|| now() + VERY_LONG)
}

/// So much time passes.
pub fn pass(duration: Duration) {
    CLOCK.set(later(duration));
}

/// A socket. It is shared, and closed when its last owner is gone.
#[derive(Clone, Debug)]
pub struct Socket(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    number: RawFd,
    peer: Peer,
}

/// The other side of a socket: a client, or (of a listening socket) where the clients come from.
#[derive(Clone, Debug, Default)]
pub struct Peer(Rc<RefCell<Between>>);

/// What lies between a socket and its peer.
#[derive(Debug, Default)]
pub struct Between {
    /// The socket's descriptor, while it is open.
    pub number: Option<RawFd>,
    /// The clients that wait to be accepted.
    pub clients: VecDeque<Peer>,
    /// How many have been.
    pub accepted: u16,
    /// How many bytes the peer has sent so far.
    pub sent: usize,
    /// On their way to the socket.
    pub to_socket: VecDeque<u8>,
    /// On their way to the peer.
    pub to_peer: Vec<u8>,
    /// What the peer has received so far.
    pub received: Vec<u8>,
    room: Option<usize>,
    /// The next call on the socket comes to this.
    pub error: Option<i32>,
    /// The peer has shut down sending.
    pub peer_ended: bool,
    /// The socket has received that.
    pub end_received: bool,
    /// The socket has shut down sending.
    pub socket_ended: bool,
    /// The socket has been closed.
    pub socket_closed: bool,
    /// The connection has been reset.
    pub reset: bool,
}

/// A new socket and its peer. The descriptor is the smallest number that is free.
pub fn pair() -> (Socket, Peer) {
    let peer = Peer::default();
    (Socket::of(peer.clone()), peer)
}

impl Socket {
    fn of(peer: Peer) -> Socket {
        let number = NUMBERS.with_borrow_mut(|taken| {
            let number = (0..=RawFd::MAX).find(|number| !taken.contains(number));
            taken.push(number.expect("a number is free"));
            taken[taken.len() - 1]
        });
        peer.0.borrow_mut().number = Some(number);
        Socket(Rc::new(Inner { number, peer }))
    }

    /// What lies between it and its peer, unless there is an error to be told first.
    fn between(&self) -> io::Result<RefMut<'_, Between>> {
        let mut between = self.0.peer.0.borrow_mut();
        between.error.take().map_or(Ok(between), |code| Err(os_error(code)))
    }

    /// Its descriptor, by which it can be recognised, and which does not keep it open.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { number: self.0.number, socket: Rc::downgrade(&self.0) }
    }

    /// Whether the peer's end of input has been received.
    pub fn ended(&self) -> bool {
        self.0.peer.0.borrow().end_received
    }

    /// Accepts one client.
    pub fn try_accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let mut it = self.between()?;
        let client = it.clients.pop_front().ok_or(ErrorKind::WouldBlock)?;
        it.accepted += 1;
        let addr = (Ipv4Addr::LOCALHOST, 50_000 + it.accepted).into();
        Ok((Socket::of(client), addr))
    }

    /// Receives what is there.
    pub fn try_recv(&self, space: &mut Space) -> io::Result<Vec<u8>> {
        let mut it = self.between()?;
        let count = it.to_socket.len().min(RECEIVE_SIZE);
        if count == 0 && !it.peer_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        it.end_received = count == 0;
        let mut block = space.take()?;
        block.extend(it.to_socket.drain(..count));
        Ok(space.message(block))
    }

    /// Sends as much of `bytes` as there is room for, and says how much that was.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut it = self.between()?;
        if it.socket_ended {
            return Err(os_error(libc::EPIPE));
        }
        let room = it.room().saturating_sub(it.to_peer.len());
        if room == 0 && !bytes.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = room.min(bytes.len());
        it.to_peer.extend(&bytes[..count]);
        Ok(count)
    }

    /// Says that we will send no more.
    pub fn shutdown_send(&self) -> io::Result<()> {
        let mut it = self.0.peer.0.borrow_mut();
        it.socket_ended = true;
        if it.reset { Err(os_error(libc::ENOTCONN)) } else { Ok(()) }
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.number
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        NUMBERS.with_borrow_mut(|taken| taken.retain(|it| *it != self.number));
        let mut it = self.peer.0.borrow_mut();
        (it.number, it.socket_ended, it.socket_closed) = (None, true, true);
        if !it.to_socket.is_empty() {
            it.lose(); // closing a socket with unread input resets the connection
        }
        it.clients.drain(..).for_each(|client| client.0.borrow_mut().lose());
    }
}

impl Between {
    /// How many bytes can be on their way to the peer.
    pub fn room(&self) -> usize {
        self.room.unwrap_or(ROOM)
    }

    /// Whether a call on the socket would come to something at once.
    pub fn is_ready(&self, direction: Direction) -> bool {
        self.error.is_some()
            || match direction {
                Direction::Read => {
                    let has_some = !self.clients.is_empty() || !self.to_socket.is_empty();
                    has_some || self.peer_ended
                }
                Direction::Write => self.socket_ended || self.to_peer.len() < self.room(),
            }
    }

    /// The connection is reset, and what is on its way is lost.
    fn lose(&mut self) {
        (self.reset, self.peer_ended, self.socket_ended) = (true, true, true);
        (self.to_socket, self.to_peer) = Default::default();
    }
}

impl Peer {
    /// A client connects. It waits to be accepted, unless the listening socket is closed.
    pub fn connect(&self) -> Peer {
        let (mut it, client) = (self.0.borrow_mut(), Peer::default());
        if it.socket_closed {
            client.0.borrow_mut().lose();
        } else {
            it.clients.push_back(client.clone());
        }
        client
    }

    /// Sends `bytes`. To a socket that is closed, that resets the connection.
    pub fn send(&self, bytes: &[u8]) {
        let mut it = self.0.borrow_mut();
        match (it.peer_ended, it.socket_closed) {
            (true, _) => {}
            (false, true) => it.lose(),
            (false, false) => {
                it.sent += bytes.len();
                it.to_socket.extend(bytes);
            }
        }
    }

    /// Takes what has arrived, so that there is room for more.
    pub fn receive(&self) -> Vec<u8> {
        let mut it = self.0.borrow_mut();
        let arrived = mem::take(&mut it.to_peer);
        it.received.extend(&arrived);
        arrived
    }

    /// From now on there is room for so many bytes that have been sent and not received.
    pub fn room(&self, bytes: usize) {
        self.0.borrow_mut().room = Some(bytes);
    }

    /// Shuts down sending.
    pub fn shut_down(&self) {
        self.0.borrow_mut().peer_ended = true;
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.0.borrow_mut().lose();
        self.fail(libc::ECONNRESET);
    }

    /// The next call on the socket, whatever it is, fails with this error of the system.
    pub fn fail(&self, code: i32) {
        self.0.borrow_mut().error = Some(code);
    }

    /// What lies between it and its socket.
    pub fn look(&self) -> Ref<'_, Between> {
        self.0.borrow()
    }

    /// Whether the socket will send no more.
    pub fn is_over(&self) -> bool {
        self.0.borrow().socket_ended
    }

    /// Whether the connection has been reset.
    pub fn is_reset(&self) -> bool {
        self.0.borrow().reset
    }
}

/// A socket's descriptor: its number, and which socket has it.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// The number.
    pub number: RawFd,
    socket: Weak<Inner>,
}

impl Descriptor {
    /// Whether the socket has been closed.
    pub fn is_closed(&self) -> bool {
        self.socket.strong_count() == 0
    }
}

impl PartialEq for Descriptor {
    fn eq(&self, other: &Descriptor) -> bool {
        self.socket.ptr_eq(&other.socket)
    }
}

fn os_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
