//! Sockets whose operations are futures. All waiting ends at one *leaf future*: [`Ready`].

use std::future::poll_fn;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Handle;
use super::tracer::Wanted;
use crate::net::{Direction, Readiness, Socket};
use crate::scheduler::event::CLOSE_PATIENCE;
use crate::trace::{Outcome, Step, TaskId, Want};

/// A socket, and the executor whose reactor watches it.
struct Io {
    socket: Socket,
    handle: Handle,
}

impl Io {
    fn operation<'a>(
        &'a self,
        want: Want,
        bytes: &'a [u8],
        at: &'static Location<'static>,
    ) -> Operation<'a> {
        Operation { io: self, want, bytes, at }
    }
}

/// What a task wants of a socket.
struct Operation<'a> {
    io: &'a Io,
    want: Want,
    /// What is to be sent.
    bytes: &'a [u8],
    /// The line of source that wants it.
    at: &'static Location<'static>,
}

/// The leaf future: it waits until the socket of an operation is said to be ready.
struct Ready<'a> {
    operation: &'a Operation<'a>,
    /// Its registration with the reactor.
    ticket: Option<u64>,
}

impl Future for Ready<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Operation { io: Io { socket, handle }, .. } = self.operation;
        let (task, waker) = (handle.shared.running.get(), context.waker());
        let key = self.operation.key();
        let mut reactor = handle.shared.reactor.borrow_mut();
        match self.ticket {
            None => {
                let ticket = reactor.register(socket, key.1, waker, task)?;
                drop(reactor);
                handle.shared.report(|tracer| tracer.wants(key, self.operation.wanted()));
                self.ticket = Some(ticket);
                Poll::Pending
            }
            Some(ticket) if reactor.still_waits(key, ticket, waker, task) => {
                Poll::Pending
            }
            Some(_) => {
                drop(reactor);
                self.ticket = None; // the reactor has called the waker, and forgotten it
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// A future that is dropped waits no more.
impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut reactor = self.operation.io.handle.shared.reactor.borrow_mut();
            reactor.forget(self.operation.key(), ticket);
        }
    }
}

impl Operation<'_> {
    /// Makes a call that would block as soon as it would not. A read waits first; but there is
    /// nearly always room to write.
    async fn perform<T>(&self, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let mut waits = self.want != Want::Write;
        loop {
            let is_last_call = self.is_stopped();
            if is_last_call && self.may_not_call() {
                return self.interrupted();
            }
            if waits && !is_last_call {
                let ready = Ready { operation: self, ticket: None }.await;
                ready.inspect_err(|error| self.failed(error))?;
            } else {
                self.take_share().await;
            }
            match self.attempt(&mut call) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(error);
                }
                Err(_) if is_last_call => return self.interrupted(),
                Err(_) => waits = true,
                Ok(result) => return Ok(result),
            }
        }
    }

    /// Whether the executor stops, and this operation with it: it is about something new.
    fn is_stopped(&self) -> bool {
        let is_new = matches!(self.want, Want::Accept | Want::Read);
        is_new && self.io.handle.shared.stop.get().has_begun()
    }

    /// Whether it is too late even for what the kernel already holds.
    fn may_not_call(&self) -> bool {
        self.want == Want::Accept || self.io.handle.shared.stop.get().input_is_over()
    }

    /// Takes one operation from the share of the running task. If it has none left, the other
    /// tasks go on first.
    async fn take_share(&self) {
        let share = &self.io.handle.shared.share;
        let mut has_let_others_go_on = share.get() > 0;
        poll_fn(|context| {
            if mem::replace(&mut has_let_others_go_on, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        share.update(|left| left.saturating_sub(1));
    }

    fn key(&self) -> Readiness {
        let direction = match self.want {
            Want::Write => Direction::Write,
            _ => Direction::Read,
        };
        (self.io.socket.as_raw_fd(), direction)
    }
}

/// What it reports, if there is a trace. Its task goes on at once, whatever has happened.
impl Operation<'_> {
    fn attempt<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Operation { want, bytes, .. } = *self;
        self.trace(|task| {
            let on = Some(self.io.socket.descriptor());
            Step::Call { task, want, on, bytes }
        });
        call().inspect_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => self.trace(|task| {
                let left = (want == Want::Write).then_some(bytes.len());
                Step::NotYet { task, left }
            }),
            _ => self.failed(error),
        })
    }

    fn happened<'a>(&self, result: impl FnOnce() -> Outcome<'a>) {
        self.trace(|task| Step::Happened { task, result: result(), at: Some(self.at) });
    }

    fn failed(&self, error: &io::Error) {
        self.happened(|| Outcome::Failed(error.kind()));
    }

    /// A stop ends it.
    fn interrupted<T>(&self) -> io::Result<T> {
        let error = io::Error::from(io::ErrorKind::Interrupted);
        self.failed(&error);
        Err(error)
    }

    fn wanted(&self) -> Wanted {
        let Operation { want, at, .. } = *self;
        Wanted { want, on: self.io.socket.descriptor(), bytes: self.bytes.to_vec(), at }
    }

    fn trace<'a>(&self, step: impl FnOnce(TaskId) -> Step<'a>) {
        let shared = &self.io.handle.shared;
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
        let operation = self.io.operation(Want::Accept, &[], Location::caller());
        async move {
            let accept = || {
                let (client, peer) = self.io.socket.try_accept()?;
                let descriptor = || client.descriptor();
                operation.happened(|| Outcome::Accepted { client: descriptor(), peer });
                Ok((client, peer))
            };
            let (client, addr) = operation.perform(accept).await?;
            Ok((Stream::new(client, &self.io.handle), addr))
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

    pub(super) async fn receive(
        &self,
        buffer: &mut [u8],
        at: &'static Location<'static>,
    ) -> io::Result<usize> {
        let operation = self.io.operation(Want::Read, &[], at);
        let read = || {
            let count = self.io.socket.try_read(buffer)?;
            operation.happened(|| Outcome::Received(&buffer[..count]));
            Ok(count)
        };
        match operation.perform(read).await {
            // A stop looks like an end of input: handlers know what to do about that.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            result => result,
        }
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

    async fn send(
        &self,
        bytes: &[u8],
        at: &'static Location<'static>,
    ) -> io::Result<usize> {
        let operation = self.io.operation(Want::Write, bytes, at);
        let write = || {
            let count = self.io.socket.try_send(bytes)?;
            operation.happened(|| Outcome::Sent(count));
            Ok(count)
        };
        operation.perform(write).await
    }

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
    async fn discard(&self, at: &'static Location<'static>) -> io::Result<()> {
        let operation = self.io.operation(Want::Close, &[], at);
        let read = || match self.io.socket.try_read(&mut [0; 16 * 1024])? {
            0 => {
                operation.happened(|| Outcome::Closed);
                Ok(())
            }
            _ => Err(io::ErrorKind::WouldBlock.into()), // there may be more
        };
        operation.perform(read).await
    }
}
