//! Sockets: listening ones and accepted ones, their options, and why each is set.
//!
//! A system call on a socket can do one of two things when it has nothing to do: put the thread
//! to sleep until it has (*blocking*, how every socket starts), or say `WouldBlock` at once
//! (*non-blocking*). Stages 01 and 02 use the standard library's blocking sockets, made by
//! [`listen`]. From stage 03 on, one thread serves everybody and must never sleep in a socket;
//! it uses [`Socket`], whose operations are called `try_…` because they may say `WouldBlock`.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::rc::{Rc, Weak};
use std::time::Duration;

use socket2::SockAddr;

use crate::buffer::{Buffer, Buffers};
use crate::log;

// ANCHOR: listen
/// How many clients may wait to be accepted. The system has a limit of its own and takes the
/// smaller one (Linux: `net.core.somaxconn`, 4096).
const BACKLOG: i32 = 4096;

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

// ANCHOR: socket
/// A non-blocking socket, shared by those who use it and closed when the last of them is gone.
///
/// It is shared so that an event that waits for a descriptor owns that descriptor: the system
/// gives a closed number to the next connection at once, and a forgotten wait would then be
/// answered with a stranger's data.
#[derive(Clone, Debug)]
pub struct Socket(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    socket: socket2::Socket,
    /// Who is at the other end, as `accept` said: asking for it later fails for a client that
    /// has gone in the meantime.
    peer: Option<SocketAddr>,
    /// A receive has returned 0: the peer has shut down its sending side.
    ended: Cell<bool>,
}
// ANCHOR_END: socket

// ANCHOR: new
impl Socket {
    /// Takes over a socket (a `TcpListener`, a `TcpStream`, half of a `UnixStream::pair`) and
    /// makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Those of `fcntl(2)`.
    pub fn new(socket: impl Into<OwnedFd>) -> io::Result<Socket> {
        let socket = socket2::Socket::from(socket.into());
        socket.set_nonblocking(true)?;
        Ok(Socket::with_peer(socket, None))
    }

    fn with_peer(socket: socket2::Socket, peer: Option<SocketAddr>) -> Socket {
        Socket(Rc::new(Inner { socket, peer, ended: Cell::new(false) }))
    }

    /// The address of the client, if this socket was accepted.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
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

    /// Something to recognise this socket by, which does not keep it open.
    pub fn identity(&self) -> Identity {
        Identity { place: Rc::downgrade(&self.0), address: Rc::as_ptr(&self.0) }
    }

    /// Whether the peer's end of input has been received: nothing more can come.
    pub fn ended(&self) -> bool {
        self.0.ended.get()
    }
    // ANCHOR_END: new

    // ANCHOR: try_accept
    /// Accepts one client, ready for use: non-blocking, and without Nagle's delay.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nobody waits to be accepted; see [`AcceptBackoff`] for the others.
    pub fn try_accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (client, addr) = retry(|| accept(&self.0.socket))?;
        // Some systems have no address for a client that has gone already.
        let lost = || io::Error::from_raw_os_error(libc::ECONNABORTED);
        let addr = addr.as_socket().ok_or_else(lost)?;
        // Nagle's algorithm holds a small piece back until the last one is acknowledged, and
        // the other side may delay that acknowledgement by 40 ms. An echo always answers at
        // once, so there is nothing to gain from waiting. It is only an optimisation: where it
        // is refused (a client that has gone, on some systems), go on.
        let _ = client.set_tcp_nodelay(true);
        Ok((Socket::with_peer(client, Some(addr)), addr))
    }
    // ANCHOR_END: try_accept

    // ANCHOR: for_the_kernel
    /// Makes a listening socket one whose clients are accepted without Nagle's delay: on Linux
    /// they inherit that (stage 07).
    #[cfg(target_os = "linux")]
    pub(crate) fn undelay_clients(&self) {
        let _ = self.0.socket.set_tcp_nodelay(true); // an optimisation, as above
    }

    /// A client that the kernel has accepted on our behalf (stage 07): non-blocking already.
    #[cfg(target_os = "linux")]
    pub(crate) fn accepted(client: OwnedFd, addr: SocketAddr) -> Socket {
        Socket::with_peer(client.into(), Some(addr))
    }

    /// The kernel has received the end of input on our behalf (stage 07).
    #[cfg(target_os = "linux")]
    pub(crate) fn end(&self) {
        self.0.ended.set(true);
    }

    /// How many there are that share this socket.
    #[cfg(target_os = "linux")]
    pub(crate) fn owners(&self) -> usize {
        Rc::strong_count(&self.0)
    }
    // ANCHOR_END: for_the_kernel

    // ANCHOR: try_recv
    /// Receives what is there, up to [`RECEIVE_SIZE`](crate::buffer::RECEIVE_SIZE) bytes. An
    /// empty buffer is the end of input: the peer will send no more, but may still listen.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there yet, or those of `recv(2)`.
    #[inline(always)]
    pub fn try_recv(&self, buffers: &mut Buffers) -> io::Result<Buffer> {
        let mut socket = &self.0.socket;
        let received = buffers.fill(|block| retry(|| socket.read(block)))?;
        if received.is_empty() {
            self.0.ended.set(true);
        }
        Ok(received)
    }
    // ANCHOR_END: try_recv

    // ANCHOR: try_read
    /// Receives what is there into memory that the caller lends, and says how much that was; 0 is
    /// the end of input.
    ///
    /// # Errors
    ///
    /// Those of [`try_recv`](Socket::try_recv).
    #[inline(always)]
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = &self.0.socket;
        let count = retry(|| socket.read(buffer))?;
        if count == 0 {
            self.0.ended.update(|ended| ended || !buffer.is_empty());
        }
        Ok(count)
    }
    // ANCHOR_END: try_read

    // ANCHOR: try_send
    /// Sends as much of `bytes` as the system has room for, and says how much that was.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room at all, or those of `send(2)`.
    #[inline(always)]
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| self.0.socket.send_with_flags(bytes, NO_SIGNAL))
    }
    // ANCHOR_END: try_send

    // ANCHOR: shutdown
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

/// Which socket it was, even after it has been closed and its descriptor has become another's.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Keeps the socket's place in memory from being used again.
    place: Weak<Inner>,
    /// That place.
    address: *const Inner,
}

impl Identity {
    /// Whether it was this one.
    pub fn is(&self, socket: &Socket) -> bool {
        self.address == Rc::as_ptr(&socket.0)
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.place.strong_count() == 0
    }
}
// ANCHOR_END: shutdown

// ANCHOR: descriptor
impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.socket.as_raw_fd()
    }
}
// ANCHOR_END: descriptor

// ANCHOR: no_signal
/// Sending to a client that has gone must be an error (`BrokenPipe`), not a signal that ends
/// the process. Rust programs ignore that signal, but a library may find itself elsewhere.
/// On Apple's systems it is an option of the socket, which `socket2` sets.
#[cfg(not(target_vendor = "apple"))]
const NO_SIGNAL: i32 = libc::MSG_NOSIGNAL;
#[cfg(target_vendor = "apple")]
const NO_SIGNAL: i32 = 0;
// ANCHOR_END: no_signal

// ANCHOR: accept
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
// ANCHOR_END: accept

// ANCHOR: retry
/// A signal handler that runs during a system call may end it with `EINTR`, before it has done
/// anything: ask again.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => return result,
        }
    }
}
// ANCHOR_END: retry

// ANCHOR: backoff
/// How long a server that cannot accept lets the listening socket be.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// So many clients in a row may be lost before that is taken for a shortage, too.
const LOST_IN_A_ROW: u32 = 16;

/// What to do after `accept` has failed; every stage asks this.
///
/// Three things go wrong there (`accept(2)`, "Error handling"). A client is gone before it was
/// accepted: take the next. The process is out of descriptors or memory: the client stays in
/// the queue and the socket *stays ready*, so trying again at once is a busy loop; wait for a
/// moment, in which others may leave. Or the listening socket itself is broken: give up.
#[derive(Debug, Default)]
pub struct AcceptBackoff {
    /// Clients lost since the last success.
    lost: u32,
    /// The shortage has been reported; once is enough until it is over.
    reported: bool,
}

impl AcceptBackoff {
    /// An accept has succeeded.
    pub fn accepted(&mut self) {
        *self = AcceptBackoff::default();
    }

    /// An accept has failed: how long to wait before the next.
    ///
    /// # Errors
    ///
    /// If the next accept cannot succeed either.
    pub fn after(&mut self, error: io::Error) -> io::Result<Duration> {
        use libc::*;
        match error.raw_os_error() {
            None | Some(EBADF | EFAULT | EINVAL | ENOTSOCK) => {
                let why = format!("cannot accept clients any more: {error}");
                Err(io::Error::new(error.kind(), why))
            }
            Some(
                ECONNABORTED | ECONNRESET | ENETDOWN | EPROTO | ENOPROTOOPT | EHOSTDOWN
                | EHOSTUNREACH | ENETUNREACH | ETIMEDOUT,
            ) if self.lost < LOST_IN_A_ROW => {
                self.lost += 1;
                log::problem(format_args!("lost a client before accepting it: {error}"));
                Ok(Duration::ZERO)
            }
            Some(_) => {
                if !self.reported {
                    self.reported = true;
                    log::problem(format_args!(
                        "cannot accept for now: {error}\n\
                         clients wait until that is over; \
                         `ulimit -n` raises the number of descriptors"
                    ));
                }
                Ok(ACCEPT_PAUSE)
            }
        }
    }
}
// ANCHOR_END: backoff

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
        assert_eq!(client.peer(), Some(peer));
        assert_eq!(peer, ours.local_addr().unwrap());
        let flags = nix::fcntl::fcntl(&client.0.socket, nix::fcntl::F_GETFL).unwrap();
        assert!(flags & libc::O_NONBLOCK != 0);
        assert!(client.0.socket.tcp_nodelay().unwrap());
        assert!(!client.ended());
    }

    #[test]
    fn accept_errors_are_of_three_kinds() {
        let mut backoff = AcceptBackoff::default();
        let mut after = |code| backoff.after(io::Error::from_raw_os_error(code));
        assert_eq!(after(libc::ECONNABORTED).unwrap(), Duration::ZERO);
        assert_eq!(after(libc::EMFILE).unwrap(), ACCEPT_PAUSE);
        assert_eq!(after(libc::ENOBUFS).unwrap(), ACCEPT_PAUSE);
        assert!(after(libc::EINVAL).is_err());
    }

    /// Here somebody listens to SIGPIPE, so the system does not ignore it.
    #[test]
    fn sending_to_somebody_who_has_gone_is_an_error_and_no_signal() {
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
    fn an_error_that_does_not_end_is_no_busy_loop() {
        let mut backoff = AcceptBackoff::default();
        let lost = || io::Error::from_raw_os_error(libc::ECONNABORTED);
        for _ in 0..LOST_IN_A_ROW {
            assert_eq!(backoff.after(lost()).unwrap(), Duration::ZERO);
        }
        assert_eq!(backoff.after(lost()).unwrap(), ACCEPT_PAUSE);
        backoff.accepted();
        assert_eq!(backoff.after(lost()).unwrap(), Duration::ZERO);
    }

    #[test]
    fn interrupted_calls_are_made_again() {
        let mut answers = vec![Ok(3), Err(io::ErrorKind::Interrupted.into())];
        assert_eq!(retry(|| answers.pop().unwrap()).unwrap(), 3);
        assert!(answers.is_empty());
    }
}
