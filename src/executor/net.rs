//! Sockets whose operations are futures. All waiting ends at one *leaf future*: [`Ready`].

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Handle;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::event::CLOSE_PATIENCE;

/// A socket, and the executor whose reactor watches it.
struct Io {
    socket: Socket,
    handle: Handle,
}

/// What becomes of a wait when the executor stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtStop {
    /// What is there already may be had for a while, but nobody waits any more.
    End,
    GoOn,
}

/// Waits until the socket is said to be ready.
struct Ready<'a> {
    io: &'a Io,
    direction: Direction,
    /// Its registration with the reactor.
    ticket: Option<u64>,
}

impl Ready<'_> {
    fn key(&self) -> Readiness {
        (self.io.socket.as_raw_fd(), self.direction)
    }
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (waker, mut reactor) = (context.waker(), self.io.handle.reactor());
        match self.ticket {
            None => {
                let ticket = reactor.register(&self.io.socket, self.direction, waker)?;
                drop(reactor);
                self.ticket = Some(ticket);
                Poll::Pending
            }
            Some(ticket) if reactor.still_waits(self.key(), ticket, waker) => {
                Poll::Pending
            }
            Some(_) => {
                drop(reactor);
                self.ticket = None; // who is ready waits no more
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Whoever drops a future waits no more.
impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.io.handle.reactor().forget(self.key(), ticket);
        }
    }
}

impl Io {
    /// Makes a call that would block as soon as it would not. Whoever reads waits first; but there
    /// is nearly always room to write.
    async fn call<T>(
        &self,
        direction: Direction,
        at_stop: AtStop,
        mut call: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut tried = direction == Direction::Read;
        loop {
            let ends = at_stop == AtStop::End && self.handle.stopping();
            if ends && self.handle.input_is_over() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if tried && !ends {
                Ready { io: self, direction, ticket: None }.await?;
            } else if !self.handle.may_go_on() {
                let_others_go_on().await;
            }
            match call(&self.socket) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(error);
                }
                Err(_) if ends => return Err(io::ErrorKind::Interrupted.into()),
                Err(_) => tried = true,
                Ok(result) => return Ok(result),
            }
        }
    }
}

/// The running task has used up its share: it goes on after the others.
async fn let_others_go_on() {
    let mut turns = 0;
    poll_fn(|context| {
        turns += 1;
        context.waker().wake_by_ref();
        if turns > 1 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A socket that listens for clients.
pub struct Listener {
    io: Io,
}

impl Listener {
    /// A listening socket, watched by the executor of `handle`.
    pub fn new(socket: Socket, handle: &Handle) -> Listener {
        Listener { io: Io { socket, handle: handle.clone() } }
    }

    /// The next client, and its address.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`, `ResourceBusy` if another future waits for this already, and
    /// `Interrupted` when the executor stops.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        if self.io.handle.stopping() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let accept = |listener: &Socket| listener.try_accept();
        let (client, addr) = self.io.call(Direction::Read, AtStop::End, accept).await?;
        Ok((Stream::new(client, &self.io.handle), addr))
    }
}

/// A connection.
pub struct Stream {
    io: Io,
}

impl Stream {
    /// A connected socket, watched by the executor of `handle`.
    pub fn new(socket: Socket, handle: &Handle) -> Stream {
        Stream { io: Io { socket, handle: handle.clone() } }
    }

    /// Waits for data, and puts it into `buffer`. The result says how much there is; 0 is the end
    /// of input, and so is a stop of the executor. Dropped before it is ready, it has taken
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`, and `ResourceBusy` if another future waits to read already.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_until(AtStop::End, buffer).await {
            // A stop looks like an end of input: handlers know what to do about that.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            result => result,
        }
    }

    async fn read_until(&self, at_stop: AtStop, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.call(Direction::Read, at_stop, |client| client.try_read(buffer)).await
    }

    /// Waits for room, and sends a part of `bytes`: the result says how much. Dropped before it is
    /// ready, it has sent nothing.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`, and `ResourceBusy` if another future waits to write already.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.io
            .call(Direction::Write, AtStop::GoOn, |client| client.try_send(bytes))
            .await
    }

    /// Sends all of `bytes`. Dropped before it is ready, it has sent a part of them, and nobody
    /// knows which.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Stream::write).
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.write(bytes).await?..];
        }
        Ok(())
    }

    /// Closes the connection, so that nothing that was sent on it is lost: shuts down sending,
    /// discards input until the peer has shut down as well (often it already has), and gives up
    /// after [`CLOSE_PATIENCE`].
    pub async fn close(self) {
        let Io { socket, handle } = &self.io;
        if !socket.ended() && socket.shutdown_send().is_ok() {
            // In a box, or each connection would have room for this all of its life.
            let _ = Box::pin(handle.timeout(CLOSE_PATIENCE, self.discard())).await;
        }
    }

    /// Reads to the end of input, even while the executor stops.
    async fn discard(&self) {
        let mut waste = vec![0; 16 * 1024];
        while let Ok(1..) = self.read_until(AtStop::GoOn, &mut waste).await {}
    }
}
