//! Sockets whose operations are futures: the *leaf futures*, at which all waiting ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::reactor::{Side, Source, State};
use super::{Handle, System};
use crate::event::CLOSE_PATIENCE;
use crate::net::Socket;
use crate::poller::{Direction, Dry, Poller, Watch};
use crate::trace::{Did, Want};

// ANCHOR: io
/// A socket, and the executor whose reactor watches it.
struct Io<P: Poller> {
    source: Rc<Source>,
    handle: Handle<P>,
}

impl<P: Poller> Io<P> {
    fn new(socket: Socket, handle: &Handle<P>) -> Io<P> {
        let read = if handle.stopping() { State::Last } else { State::Ask };
        let source = Rc::new(Source::new(socket, read));
        handle.reactor().add(Rc::clone(&source));
        Io { source, handle: handle.clone() }
    }

    #[inline(always)]
    #[track_caller]
    fn interest<const WRITES: bool>(&self, at_stop: AtStop) -> Interest<'_, P, WRITES> {
        let interest = Interest { io: self, ticket: 0, at_stop };
        if let Some(tracer) = self.handle.tracer() {
            tracer.made(&self.source, interest.direction(), Location::caller());
        }
        interest
    }
}

impl<P: Poller> Drop for Io<P> {
    fn drop(&mut self) {
        self.handle.reactor().remove(&self.source);
    }
}
// ANCHOR_END: io

// ANCHOR: interest
/// The wish to read from a socket (or to accept), or to write to it: what all leaf futures have
/// in common.
struct Interest<'a, P: Poller, const WRITES: bool> {
    io: &'a Io<P>,
    /// Its registration with the reactor; 0 if there is none.
    ticket: u64,
    at_stop: AtStop,
}

/// What becomes of it when the executor stops.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtStop {
    /// It fails.
    Fail,
    /// It may have what is there already.
    TakeWhatIsThere,
    GoOn,
}

/// What came of a system call: its result, and whether it did less than it could have.
type Attempt<T> = io::Result<(T, bool)>;
// ANCHOR_END: interest

// ANCHOR: attempt
impl<'a, P: Poller, const WRITES: bool> Interest<'a, P, WRITES> {
    /// Known when the program is compiled: nothing has to look for it.
    #[inline(always)]
    fn direction(&self) -> Direction {
        if WRITES { Direction::Write } else { Direction::Read }
    }

    #[inline(always)]
    fn side(&self) -> &'a Side {
        self.io.source.side(self.direction())
    }

    /// Makes the attempt, unless it is known that it would block. If there is nothing to be had,
    /// the task will be woken when there is.
    #[inline(always)]
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        attempt: impl FnOnce(&Socket) -> Attempt<T>,
    ) -> Poll<io::Result<T>> {
        let result = ready!(self.make(attempt, context));
        self.ticket = 0; // who is ready, with whatever result, waits no more
        Poll::Ready(result)
    }

    #[inline(always)]
    fn make<T>(
        &mut self,
        attempt: impl FnOnce(&Socket) -> Attempt<T>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let (Io { source, handle }, side) = (self.io, self.side());
        match side.state.get() {
            State::Try => {}
            State::Short { round } if round == handle.current_round() => {
                ready!(self.register(Some(Dry::Short), context)?)
            }
            other => ready!(self.look_closer(other, context)?),
        }
        if !handle.may_go_on() {
            handle.goes_on_later(context.waker());
            return Poll::Pending;
        }
        match attempt(&source.socket) {
            Ok((result, short)) => {
                if short && side.state.get() == State::Try {
                    side.state.set(State::Short { round: handle.current_round() });
                }
                Poll::Ready(Ok(result))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.would_block(context).map(Err)
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// The poller says whether it is worth an attempt.
    #[inline(always)]
    fn register(
        &mut self,
        dry: Option<Dry>,
        context: &mut Context<'_>,
    ) -> io::Result<Poll<()>> {
        let (mut reactor, waker) = (self.io.handle.reactor(), context.waker());
        let (source, direction) = (&self.io.source, self.direction());
        let watch = reactor.register(source, direction, dry, waker, &mut self.ticket)?;
        Ok(if watch == Watch::Wait { Poll::Pending } else { Poll::Ready(()) })
    }
    // ANCHOR_END: attempt

    // ANCHOR: look_closer
    #[cold]
    fn look_closer(
        &mut self,
        state: State,
        context: &mut Context<'_>,
    ) -> io::Result<Poll<()>> {
        match state {
            State::Try | State::Short { .. } | State::Ask => self.register(None, context),
            // Polled for another reason.
            State::Waiting if self.side().still_waits(self.ticket, context.waker()) => {
                Ok(Poll::Pending)
            }
            // Two futures want the same thing. The first goes on waiting.
            State::Waiting => Err(io::ErrorKind::ResourceBusy.into()),
            State::Last => match self.at_stop {
                AtStop::GoOn => Ok(Poll::Ready(())),
                AtStop::TakeWhatIsThere if !self.io.handle.input_is_over() => {
                    Ok(Poll::Ready(()))
                }
                _ => Err(io::ErrorKind::Interrupted.into()),
            },
        }
    }

    /// The attempt has shown that there is nothing to be had. Nothing can be missed between that
    /// and the registration: what the kernel reports meanwhile, it keeps for the next wait, and
    /// only this thread waits.
    #[cold]
    fn would_block(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        if self.side().state.get() == State::Last && self.at_stop != AtStop::GoOn {
            return Poll::Ready(io::ErrorKind::Interrupted.into());
        }
        match self.register(Some(Dry::WouldBlock), context) {
            Ok(Poll::Pending) => Poll::Pending,
            // No poller says so after `WouldBlock`.
            Ok(Poll::Ready(())) => Poll::Ready(io::ErrorKind::WouldBlock.into()),
            Err(error) => Poll::Ready(error),
        }
    }
    // ANCHOR_END: look_closer

    // ANCHOR: report
    /// Tells whoever watches what has come of it: what the task has done, or that it waits.
    #[inline(always)]
    fn report<'b, T>(
        &self,
        want: Want,
        len: Option<usize>,
        poll: &'b Poll<io::Result<T>>,
        did: impl FnOnce(&'b T) -> Did<'b>,
    ) {
        let Io { source, handle } = self.io;
        let Some(tracer) = handle.tracer() else { return };
        match poll {
            Poll::Pending => tracer.waits(source, self.direction(), want, len),
            Poll::Ready(result) => {
                tracer.did(source, self.direction(), want, result.as_ref().map(did));
            }
        }
    }
    // ANCHOR_END: report
}

// ANCHOR: forget
/// Whoever drops a future waits no more.
impl<P: Poller, const WRITES: bool> Drop for Interest<'_, P, WRITES> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.ticket != 0 {
            self.forget();
        }
    }
}

impl<P: Poller, const WRITES: bool> Interest<'_, P, WRITES> {
    #[cold]
    fn forget(&self) {
        if self.side().forget(self.ticket) {
            let Io { source, handle } = self.io;
            handle.reactor().unwatch(&source.socket, self.direction());
        }
    }
}
// ANCHOR_END: forget

// ANCHOR: listener
/// A socket that listens for clients.
pub struct Listener<P: Poller = System> {
    io: Io<P>,
}

impl<P: Poller> Listener<P> {
    /// A listening socket, watched by the executor of `handle`.
    pub fn new(socket: Socket, handle: &Handle<P>) -> Listener<P> {
        Listener { io: Io::new(socket, handle) }
    }

    /// The next client, and its address.
    ///
    /// # Errors
    ///
    /// Those of `accept(2)`, `ResourceBusy` if another future waits for this already, and
    /// `Interrupted` when the executor stops.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_, P> {
        Accept { interest: self.io.interest(AtStop::Fail) }
    }
}

/// Waits for a client. See [`Listener::accept`].
#[must_use = "nobody is accepted unless you `.await` this"]
pub struct Accept<'a, P: Poller> {
    interest: Interest<'a, P, false>,
}

impl<P: Poller> Future for Accept<'_, P> {
    type Output = io::Result<(Stream<P>, SocketAddr)>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let accepted = self.interest.poll(context, |listener| {
            let client = listener.try_accept()?;
            Ok((client, false))
        });
        self.interest.report(Want::Accept, None, &accepted, |it| Did::Accepted(&it.0));
        let accepted = ready!(accepted);
        let handle = &self.interest.io.handle;
        Poll::Ready(accepted.map(|(client, addr)| (Stream::new(client, handle), addr)))
    }
}
// ANCHOR_END: listener

// ANCHOR: stream
/// A connection.
pub struct Stream<P: Poller = System> {
    io: Io<P>,
}

impl<P: Poller> Stream<P> {
    /// A connected socket, watched by the executor of `handle`.
    pub fn new(socket: Socket, handle: &Handle<P>) -> Stream<P> {
        Stream { io: Io::new(socket, handle) }
    }

    /// Waits for data, and puts it into `buffer`. The result says how much there is; 0 is the end
    /// of input, and so is a stop of the executor. Dropped before it is ready, it has taken
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of `recv(2)`, and `ResourceBusy` if another future waits to read already.
    #[track_caller]
    pub fn read<'a>(&'a self, buffer: &'a mut [u8]) -> Read<'a, P> {
        Read { interest: self.io.interest(AtStop::TakeWhatIsThere), buffer }
    }

    /// Waits for room, and sends a part of `bytes`: the result says how much. Dropped before it is
    /// ready, it has sent nothing.
    ///
    /// # Errors
    ///
    /// Those of `send(2)`, and `ResourceBusy` if another future waits to write already.
    #[track_caller]
    pub fn write<'a>(&'a self, bytes: &'a [u8]) -> Write<'a, P> {
        Write { interest: self.io.interest(AtStop::GoOn), bytes }
    }

    /// Sends all of `bytes`. Dropped before it is ready, it has sent a part of them, and nobody
    /// knows which.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Stream::write).
    #[track_caller]
    pub fn write_all<'a>(&'a self, bytes: &'a [u8]) -> WriteAll<'a, P> {
        WriteAll { write: self.write(bytes) }
    }
}
// ANCHOR_END: stream

// ANCHOR: read
/// Waits for data. See [`Stream::read`].
#[must_use = "nothing is read unless you `.await` this"]
pub struct Read<'a, P: Poller> {
    interest: Interest<'a, P, false>,
    buffer: &'a mut [u8],
}

impl<P: Poller> Future for Read<'_, P> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Read { interest, buffer } = &mut *self;
        let mut read = interest.poll(context, |client| {
            let count = client.try_read(buffer)?;
            Ok((count, count < buffer.len()))
        });
        // A stop looks like an end of input: handlers know what to do about that.
        if let Poll::Ready(Err(error)) = &read
            && error.kind() == io::ErrorKind::Interrupted
        {
            read = Poll::Ready(Ok(0));
        }
        let bytes = |count: &usize| Did::Received(&buffer[..*count]);
        interest.report(Want::Read, None, &read, bytes);
        read
    }
}
// ANCHOR_END: read

// ANCHOR: write
/// Waits for room. See [`Stream::write`].
#[must_use = "nothing is sent unless you `.await` this"]
pub struct Write<'a, P: Poller> {
    interest: Interest<'a, P, true>,
    bytes: &'a [u8],
}

impl<P: Poller> Future for Write<'_, P> {
    type Output = io::Result<usize>;

    #[inline(always)]
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Write { interest, bytes } = &mut *self;
        let sent = interest.poll(context, |client| {
            let count = client.try_send(bytes)?;
            Ok((count, count < bytes.len()))
        });
        let part = |count: &usize| Did::Sent(&bytes[..*count]);
        interest.report(Want::Write, Some(bytes.len()), &sent, part);
        sent
    }
}

/// Sends everything. See [`Stream::write_all`].
#[must_use = "nothing is sent unless you `.await` this"]
pub struct WriteAll<'a, P: Poller> {
    write: Write<'a, P>,
}

impl<P: Poller> Future for WriteAll<'_, P> {
    type Output = io::Result<()>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let write = &mut self.write;
        while !write.bytes.is_empty() {
            let count = ready!(Pin::new(&mut *write).poll(context))?;
            if count == write.bytes.len() {
                break;
            }
            write.bytes = &write.bytes[count..];
        }
        Poll::Ready(Ok(()))
    }
}
// ANCHOR_END: write

// ANCHOR: close
impl<P: Poller> Stream<P> {
    /// Closes the connection, so that nothing that was sent on it is lost: shuts down sending,
    /// discards input until the peer has shut down as well (often it already has), and gives up
    /// after [`CLOSE_PATIENCE`].
    pub async fn close(self) {
        let socket = &self.io.source.socket;
        if !socket.ended() && socket.shutdown_send().is_ok() {
            // In a box, or each connection would have room for this all of its life.
            let _ =
                Box::pin(self.io.handle.timeout(CLOSE_PATIENCE, self.discard())).await;
        }
    }

    /// Reads to the end of input, even while the executor stops.
    async fn discard(&self) {
        let mut waste = vec![0; 16 * 1024];
        loop {
            let mut read = self.read(&mut waste);
            read.interest.at_stop = AtStop::GoOn;
            if !matches!(read.await, Ok(1..)) {
                break;
            }
        }
    }
}
// ANCHOR_END: close

// ANCHOR: debug
impl<P: Poller> fmt::Debug for Listener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.io.source.socket).finish()
    }
}

impl<P: Poller> fmt::Debug for Stream<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stream").field(&self.io.source.socket).finish()
    }
}
// ANCHOR_END: debug
