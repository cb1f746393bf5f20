//! Sockets: listening ones and accepted ones, their options, and why each is set.
//!
//! A system call on a socket can do one of two things when it has nothing to do: put the thread
//! to sleep until it has (*blocking*, how every socket starts), or say `WouldBlock` at once
//! (*non-blocking*). Stages 01 and 02 use blocking sockets. From stage 03 on, one
//! thread serves all clients and must never sleep in a socket; it uses [`Socket`], whose
//! operations are called `try_…` because they may say `WouldBlock`.

mod accept;

use std::cell::Cell;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use socket2::SockAddr;

pub use accept::{AcceptBackoff, PatientSocket};

use crate::space::Space;

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

/// How many clients may wait to be accepted. The system has a limit of its own and takes the
/// smaller one (Linux: `net.core.somaxconn`, 4096).
const BACKLOG: i32 = 4096;

// ANCHOR: listen
/// Makes a blocking socket that listens on `addr`.
///
/// # Errors
///
/// Those of `socket(2)`, `bind(2)` and `listen(2)`: above all, that the port is in use, or that
/// the address is not one of this machine's.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    // For a minute after a server ends, the system remembers its connections, and would refuse
    // the port to the next one. Without this, "stop it, change a line, run it again" fails.
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        // `[::]` means every address, IPv4 too (those clients show as `[::ffff:127.0.0.1]`).
        // Linux does so already; BSD does not unless told, and OpenBSD never does.
        let _ = socket.set_only_v6(false);
    }
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
// ANCHOR_END: listen

/// A non-blocking socket. It is shared, and closed when its last owner is gone.
///
/// An event that waits for a descriptor owns that descriptor. If it did not, the system could
/// close it and give its number to the next connection, and the wait would be answered with a
/// stranger's data.
#[derive(Clone, Debug)]
pub struct Socket(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: socket2::Socket,
    /// A receive has returned 0: the peer has shut down its sending side.
    ended: Cell<bool>,
}

impl Socket {
    // ANCHOR: new
    /// Takes over a socket (a `TcpListener`, a `TcpStream`, half of a `UnixStream::pair`) and
    /// makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of `fcntl(2)`.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<Socket> {
        let socket = socket2::Socket::from(socket.into());
        socket.set_nonblocking(true)?;
        Ok(Socket::of(socket))
    }
    // ANCHOR_END: new

    fn of(socket: socket2::Socket) -> Socket {
        Socket(Rc::new(Inner { socket, ended: Cell::new(false) }))
    }

    /// The address that this socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`, or `Unsupported` if it is not an internet socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let addr = self.0.socket.local_addr()?;
        addr.as_socket().ok_or(io::ErrorKind::Unsupported.into())
    }

    /// Its descriptor, by which it can be recognised, and which does not keep it open.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor { number: self.as_raw_fd(), socket: Rc::downgrade(&self.0) }
    }

    /// Whether the peer's end of input has been received: nothing more can come.
    pub fn ended(&self) -> bool {
        self.0.ended.get()
    }

    /// Accepts one client, ready for use: non-blocking, and without Nagle's delay.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no client waits to be accepted; see [`AcceptBackoff`] for the others.
    pub fn try_accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (client, addr) = retry(|| accept(&self.0.socket))?;
        // Some systems have no address for a client that has gone already.
        let lost = || io::Error::from_raw_os_error(libc::ECONNABORTED);
        let addr = addr.as_socket().ok_or_else(lost)?;
        Ok((Socket::accepted(client), addr))
    }

    /// A client that has been accepted, by us or (stage 07) by the kernel on our behalf. It does
    /// not block already.
    pub(crate) fn accepted(client: impl Into<OwnedFd>) -> Socket {
        let socket = socket2::Socket::from(client.into());
        // Nagle's algorithm holds a small piece back until the last one is acknowledged, and
        // the other side may delay that acknowledgement by 40 ms. An echo always answers at
        // once, so there is nothing to gain from waiting. It is only an optimisation: where it
        // is refused (a client that has gone, on some systems), go on.
        let _ = socket.set_tcp_nodelay(true);
        Socket::of(socket)
    }

    /// The kernel has received the end of input on our behalf (stage 07).
    #[cfg(target_os = "linux")]
    pub(crate) fn end(&self) {
        self.0.ended.set(true);
    }

    // ANCHOR: try_recv
    /// Receives what is there. No bytes at all are the end of input: the peer will send no more,
    /// but may still listen.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there yet, or those of `recv(2)`.
    #[expect(unsafe_code, reason = "64 KiB are not cleared for a message of six bytes")]
    pub fn try_recv(&self, space: &mut Space) -> io::Result<Vec<u8>> {
        let mut block = space.take()?;
        match retry(|| self.0.socket.recv(block.spare_capacity_mut())) {
            Ok(count) => {
                // SAFETY: `recv` has succeeded, so it has initialised the first `count` bytes of
                // the spare capacity. That is all of the capacity, since the block was empty.
                unsafe { block.set_len(count) };
                self.0.ended.set(count == 0);
                Ok(space.message(block))
            }
            Err(error) => {
                space.give_back(block);
                Err(error)
            }
        }
    }
    // ANCHOR_END: try_recv

    /// Receives what is there into memory that the caller lends, and says how much that was. 0 is
    /// the end of input.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there yet, or those of `recv(2)`.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = &self.0.socket;
        let count = retry(|| socket.read(buffer))?;
        self.0.ended.set(count == 0 && !buffer.is_empty());
        Ok(count)
    }

    // ANCHOR: try_send
    /// Sends as much of `bytes` as the system has room for, and says how much that was.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room at all, or those of `send(2)`.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| self.0.socket.send_with_flags(bytes, NO_SIGNAL))
    }
    // ANCHOR_END: try_send

    /// Says that we will send no more. What has been sent before still arrives, and the peer
    /// may go on sending.
    ///
    /// # Errors
    ///
    /// Those of `shutdown(2)`: above all, that the connection is already gone.
    pub fn shutdown_send(&self) -> io::Result<()> {
        self.0.socket.shutdown(Shutdown::Write)
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.socket.as_raw_fd()
    }
}

/// A socket's descriptor: its number, and which socket has it. When a socket is closed, the
/// system gives its number to the next one, and the two must not be taken for each other.
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// The number.
    pub number: RawFd,
    socket: Weak<Inner>,
}

impl Descriptor {
    /// Whether it is this socket's. (The comparison is safe as long as the descriptor lives,
    /// because it keeps the socket's place in memory from being used again.)
    pub fn is_of(&self, socket: &Socket) -> bool {
        self.socket.as_ptr() == Rc::as_ptr(&socket.0)
    }

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

/// What time it is.
pub fn now() -> Instant {
    Instant::now()
}

/// So far from now. What the clock cannot express is a very long time.
pub fn later(duration: Duration) -> Instant {
    const VERY_LONG: Duration = Duration::from_secs(u32::MAX as u64); // 136 years
    now().checked_add(duration).unwrap_or_else(|| now() + VERY_LONG)
}

/// Sending to a client that has gone must be an error (`BrokenPipe`), not a signal that ends
/// the process. Rust programs ignore that signal, but a library may find itself elsewhere.
/// On Apple's systems it is an option of the socket, which `socket2` sets.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: i32 = 0;

/// Accepts a client whose socket does not block.
///
/// On Linux an accepted socket starts out blocking, whatever the listener is. But the call can be
/// told, which saves two others (`fcntl(2)`: its flags so far, and now these).
#[cfg(target_os = "linux")]
fn accept(listener: &socket2::Socket) -> io::Result<(socket2::Socket, SockAddr)> {
    listener.accept4(libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK)
}

/// Accepts a client whose socket does not block.
#[cfg(not(target_os = "linux"))]
fn accept(listener: &socket2::Socket) -> io::Result<(socket2::Socket, SockAddr)> {
    let (client, addr) = listener.accept()?;
    client.set_nonblocking(true)?;
    Ok((client, addr))
}

/// A signal handler that runs during a system call may end it with `EINTR`, before it has done
/// anything: ask again.
pub(crate) fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_socket_is_non_blocking_and_undelayed() {
        let listener = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        assert_eq!(listener.try_accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let ours = std::net::TcpStream::connect(addr).unwrap();
        let (client, peer) = listener.try_accept().unwrap();
        assert_eq!(peer, ours.local_addr().unwrap());
        let flags = nix::fcntl::fcntl(&client.0.socket, nix::fcntl::F_GETFL).unwrap();
        assert!(flags & libc::O_NONBLOCK != 0);
        assert!(client.0.socket.tcp_nodelay().unwrap());
        assert!(!client.ended());
    }

    /// Here a handler listens to SIGPIPE, so the system does not ignore it.
    #[test]
    fn sending_to_a_peer_that_has_gone_is_an_error_and_no_signal() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
        let signalled = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&signalled);
        signal_hook::flag::register(signal_hook::consts::SIGPIPE, seen).unwrap();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let ours = Socket::new(ours).unwrap();
        drop(theirs);
        assert_eq!(ours.try_send(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(!signalled.load(SeqCst));
    }

    #[test]
    fn interrupted_calls_are_made_again() {
        let mut answers = vec![Ok(3), Err(io::ErrorKind::Interrupted.into())];
        assert_eq!(retry(|| answers.pop().unwrap()).unwrap(), 3);
        assert!(answers.is_empty());
    }
}
