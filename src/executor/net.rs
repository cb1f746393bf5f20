//! Sockets whose operations are futures. All waiting for them ends at one *leaf future*:
//! [`Operation`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::Handle;
use super::tracer::{Line, Wanted};
use crate::net::{Direction, Socket};
use crate::scheduler::event::CLOSE_PATIENCE;
use crate::trace::{On, Outcome, Step, TaskId, Want};

/// A socket, and the executor whose reactor watches it.
struct Io {
    socket: Socket,
    handle: Handle,
}

/// The leaf future: a call on a socket, made as soon as it would not block.
struct Operation<'a, F> {
    io: &'a Io,
    call: F,
    want: Want,
    /// What is to be sent.
    bytes: &'a [u8],
    /// The line of source that wants it.
    at: Line,
    /// It waits before it makes the call.
    waits: bool,
    /// Its registration with the reactor.
    ticket: Option<u64>,
}

impl<T, F: FnMut() -> io::Result<T> + Unpin> Future for Operation<'_, F> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        loop {
            let (last_call, mut waited) = (self.is_last_call(), Ok(()));
            if self.waits && matches!(last_call, Ok(false)) {
                waited = ready!(self.poll_ready(context));
            }
            // Also what only fails has its share, or a task that ignores the error never ends.
            ready!(self.io.handle.shared.poll_share(context));
            let is_last_call = waited.and(last_call)?;
            self.report_call();
            match (self.call)() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.report_not_yet();
                    if is_last_call {
                        return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
                    }
                    self.waits = true;
                }
                result => return Poll::Ready(result),
            }
        }
    }
}

impl<F> Operation<'_, F> {
    /// Waits until the socket is said to be ready.
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Io { socket, handle: Handle { shared } } = self.io;
        let (direction, waiter) =
            (self.direction(), (context.waker(), shared.running.get()));
        let mut reactor = shared.reactor.borrow_mut();
        let poll = reactor.poll_ready(socket, direction, &mut self.ticket, waiter);
        if poll.is_pending() {
            shared.report(|tracer| tracer.waits(self.wanted()));
        }
        poll
    }

    fn direction(&self) -> Direction {
        if self.want == Want::Write { Direction::Write } else { Direction::Read }
    }

    /// After a stop, a read takes what the kernel already holds, for a while, but waits no more.
    /// An accept just ends. Sending and closing go on.
    fn is_last_call(&self) -> io::Result<bool> {
        let stop = self.io.handle.shared.stop.get();
        match self.want {
            Want::Accept if stop.has_begun() => Err(io::ErrorKind::Interrupted.into()),
            Want::Read if stop.input_is_over() => Err(io::ErrorKind::Interrupted.into()),
            want => Ok(want == Want::Read && stop.has_begun()),
        }
    }

    fn wanted(&self) -> Wanted {
        let on = self.io.socket.descriptor();
        let place = On::from((on.number, self.direction()));
        let (want, bytes, at) = (self.want, self.bytes.to_vec(), self.at);
        Wanted { place, want, on: Some(on), bytes, at }
    }

    fn report_call(&self) {
        self.io.trace(|task| {
            let (want, on) = (self.want, Some(self.io.socket.descriptor()));
            Step::Call { task, want, on, bytes: self.bytes, at: Some(self.at) }
        });
    }

    fn report_not_yet(&self) {
        let left = (self.want == Want::Write).then_some(self.bytes.len());
        self.io.trace(|task| Step::NotYet { task, left });
    }
}

// ANCHOR: drop
/// A future that is dropped waits no more.
impl<F> Drop for Operation<'_, F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let Io { socket, handle: Handle { shared } } = self.io;
            let key = (socket.as_raw_fd(), self.direction());
            shared.reactor.borrow_mut().forget(key, ticket);
        }
    }
}
// ANCHOR_END: drop

impl Io {
    /// A read waits before its first call; but there is nearly always room to write.
    fn operation<'a, F>(
        &'a self,
        want: Want,
        bytes: &'a [u8],
        at: Line,
        call: F,
    ) -> Operation<'a, F> {
        let waits = want != Want::Write;
        Operation { io: self, call, want, bytes, at, waits, ticket: None }
    }

    /// Reports what has come of an operation: its task goes on at once.
    fn report<'a, T>(
        &self,
        at: Line,
        result: &'a io::Result<T>,
        outcome: impl FnOnce(&'a T) -> Outcome<'a>,
    ) {
        let failed = |error: &io::Error| Outcome::Failed(error.kind());
        self.trace(|task| {
            let result = result.as_ref().map_or_else(failed, outcome);
            Step::Happened { task, result, at: Some(at) }
        });
    }

    fn trace<'a>(&self, step: impl FnOnce(TaskId) -> Step<'a>) {
        let shared = &self.handle.shared;
        shared.trace(|| step(shared.running.get()));
    }
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
    #[track_caller]
    pub fn accept(&self) -> impl Future<Output = io::Result<(Stream, SocketAddr)>> {
        let (io, at) = (&self.io, Location::caller());
        async move {
            let call = || io.socket.try_accept();
            let accepted = io.operation(Want::Accept, &[], at, call).await;
            io.report(at, &accepted, |(client, peer)| Outcome::Accepted {
                client: client.descriptor(),
                peer: *peer,
            });
            accepted.map(|(client, peer)| (Stream::new(client, &io.handle), peer))
        }
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
    #[track_caller]
    pub fn read(&self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
        self.receive(buffer, Location::caller())
    }

    pub(super) async fn receive(&self, buffer: &mut [u8], at: Line) -> io::Result<usize> {
        let call = || self.io.socket.try_read(buffer);
        let received = match self.io.operation(Want::Read, &[], at, call).await {
            // A stop looks like an end of input: handlers know what to do about that.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            received => received,
        };
        self.io.report(at, &received, |count| Outcome::Received(&buffer[..*count]));
        received
    }

    /// Waits for room, and sends a part of `bytes`: the result says how much. Dropped before it is
    /// ready, it has sent nothing.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`, and `ResourceBusy` if another future waits to write already.
    #[track_caller]
    pub fn write(&self, bytes: &[u8]) -> impl Future<Output = io::Result<usize>> {
        self.send(bytes, Location::caller())
    }

    async fn send(&self, bytes: &[u8], at: Line) -> io::Result<usize> {
        let call = || self.io.socket.try_send(bytes);
        let sent = self.io.operation(Want::Write, bytes, at, call).await;
        self.io.report(at, &sent, |count| Outcome::Sent(*count));
        sent
    }

    // ANCHOR: write_all
    /// Sends all of `bytes`. Dropped before it is ready, it has sent a part of them, and nothing
    /// says which.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Stream::write).
    #[track_caller]
    pub fn write_all(&self, mut bytes: &[u8]) -> impl Future<Output = io::Result<()>> {
        let at = Location::caller();
        async move {
            while !bytes.is_empty() {
                bytes = &bytes[self.send(bytes, at).await?..];
            }
            Ok(())
        }
    }
    // ANCHOR_END: write_all

    /// Closes the connection, so that nothing that was sent on it is lost: shuts down sending,
    /// discards input until the peer has shut down as well (often it already has), and gives up
    /// after [`CLOSE_PATIENCE`].
    #[track_caller]
    pub fn close(self) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            let Io { socket, handle } = &self.io;
            if !socket.ended() && socket.shutdown_send().is_ok() {
                // In a box, or each connection would have room for this all of its life.
                let _ = Box::pin(handle.timeout(CLOSE_PATIENCE, self.discard(at))).await;
            }
        }
    }

    /// Reads to the end of input, even while the executor stops.
    async fn discard(&self, at: Line) {
        let call = || match self.io.socket.try_read(&mut [0; 16_384])? {
            0 => Ok(()),
            _ => Err(io::ErrorKind::WouldBlock.into()), // more may come
        };
        let ended = self.io.operation(Want::Close, &[], at, call).await;
        self.io.report(at, &ended, |()| Outcome::Closed);
    }
}
