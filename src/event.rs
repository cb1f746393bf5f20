//! The events that tasks yield: what a task waits for, as a value.
//!
//! `client.recv()` does not receive. It returns a [`ReceiveEvent`]: a description of what the
//! task wants, to be handed to the scheduler. An event knows two things. [`Event::do_schedule`]
//! says what it waits *for*: it puts itself, with its task, onto the right waiting table. And
//! [`Event::happen`] does the thing, once it can be done without waiting.
//!
//! Events do not know who drives them: a driver implements [`Schedule`].

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};

use crate::buffer::{Buffer, Buffers, RECEIVE_SIZE};
use crate::net::Socket;
use crate::poller::Direction;

// ANCHOR: close_patience
/// How long a [`CloseEvent`] waits for the peer to finish.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
// ANCHOR_END: close_patience

// ANCHOR: socket_events
/// The calls that would block, each as the event that it returns. None of them does anything.
impl Socket {
    /// Wait for a client to connect, and accept it.
    pub fn accept(&self) -> ConnectEvent {
        ConnectEvent { socket: self.clone() }
    }

    /// Wait for data, and receive it. An empty buffer is the end of input.
    pub fn recv(&self) -> ReceiveEvent {
        ReceiveEvent { socket: self.clone() }
    }

    /// Send all of `bytes`, waiting for room as often as it takes.
    pub fn send(&self, bytes: impl Into<Buffer>) -> SendEvent {
        let mut bytes = bytes.into();
        if bytes.taken() > 0 {
            bytes = Buffer::from(&*bytes); // what is taken from it counts as sent
        }
        SendEvent { socket: self.clone(), bytes }
    }

    /// End the connection without destroying bytes on their way; see [`CloseEvent`].
    pub fn close(self) -> CloseEvent {
        CloseEvent { socket: self }
    }
}

/// Wait for `duration`.
pub fn sleep(duration: Duration) -> SleepEvent {
    SleepEvent { until: later(duration) }
}
// ANCHOR_END: socket_events

// ANCHOR: later
/// So far from now; what the clock cannot express becomes a century.
pub(crate) fn later(duration: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + CENTURY)
}
// ANCHOR_END: later

// ANCHOR: events
// Those with a socket have it first, so that `Event::socket` finds it in the same place in each:
// that is all that `repr(C)` is for.

/// A client connects to a listening socket.
#[derive(Debug)]
#[repr(C)]
pub struct ConnectEvent {
    socket: Socket,
}

/// Data arrives. It holds no buffer: that is taken when it happens, so that a connection that
/// only waits costs next to nothing.
#[derive(Debug)]
#[repr(C)]
pub struct ReceiveEvent {
    socket: Socket,
}

/// There is room to send. It owns what is still to be sent.
#[derive(Debug)]
#[repr(C)]
pub struct SendEvent {
    socket: Socket,
    bytes: Buffer,
}

/// A moment in time is reached.
#[derive(Debug)]
pub struct SleepEvent {
    until: Instant,
}

/// A connection has been closed, and nothing that was sent on it was lost.
///
/// A socket that is closed while it holds input that nobody has read resets its connection, and
/// a reset destroys what is still on its way to the peer. So: shut down sending, discard input
/// until the peer has shut down too (often it already has: then close at once), and give up
/// after [`CLOSE_PATIENCE`].
#[derive(Debug)]
#[repr(C)]
pub struct CloseEvent {
    socket: Socket,
}

/// Any of the events: what the scheduler handles.
#[derive(Debug)]
pub enum Event {
    /// See [`ConnectEvent`].
    Connect(ConnectEvent),
    /// See [`ReceiveEvent`].
    Receive(ReceiveEvent),
    /// See [`SendEvent`].
    Send(SendEvent),
    /// See [`SleepEvent`].
    Sleep(SleepEvent),
    /// See [`CloseEvent`].
    Close(CloseEvent),
}
// ANCHOR_END: events

// ANCHOR: data
/// What is sent into a task when it is resumed: the result of the event that it yielded.
///
/// An I/O error is a result like any other. It concerns the task that asked, and nobody else.
#[derive(Debug)]
pub enum Data {
    /// Nothing has happened yet: the first `send` only starts the task ("primes" it).
    Start,
    /// The result of a [`ConnectEvent`]: the client, which knows its address.
    Connected(Socket),
    /// The result of a [`ReceiveEvent`]: the bytes; none at all at the end of input.
    Received(Buffer),
    /// The result of a [`SendEvent`]: how many bytes were sent, which is all of them.
    Sent(usize),
    /// The result of any of these three if the system refuses.
    Failed(io::Error),
    /// The result of a [`SleepEvent`].
    Slept,
    /// The result of a [`CloseEvent`].
    Closed,
}
// ANCHOR_END: data

// ANCHOR: happened
/// What came of [`Event::happen`].
#[derive(Debug)]
pub enum Happened {
    /// It happened, and this is the result.
    Done {
        /// To be sent into the task.
        data: Data,
        /// The socket gave or took less than it could have: it is empty (or full) now.
        short: bool,
    },
    /// The socket was not ready after all, or only for a part: wait on, with what is left.
    WouldBlock(Event),
    /// It has done its share for this round, and could go on at once.
    More(Event),
}
// ANCHOR_END: happened

// ANCHOR: outcome
/// What an operation on a socket came to.
#[derive(Debug)]
pub enum Outcome {
    /// An accept: the client.
    Accepted(io::Result<Socket>),
    /// A receive: the bytes; none at all at the end of input.
    Received(io::Result<Buffer>),
    /// A send: how many bytes the system has taken.
    Sent(io::Result<usize>),
}
// ANCHOR_END: outcome

// ANCHOR: schedule
/// What an event asks of whoever drives tasks: the scheduler's waiting tables and timers.
///
/// Mostly that is to wait. If there is a result already, it comes back with the task.
pub trait Schedule {
    /// A suspended task.
    type Task;

    /// Keep `event` and `task` until the event's socket can be read from.
    fn waiting_for_read(
        &mut self,
        event: Event,
        task: Self::Task,
    ) -> Option<(Self::Task, Data)>;

    /// The same, but no longer than until `deadline`: then the event has
    /// [failed](Event::failed).
    fn waiting_for_read_until(
        &mut self,
        deadline: Instant,
        event: Event,
        task: Self::Task,
    ) -> Option<(Self::Task, Data)>;

    /// Keep `event` and `task` until the event's socket can be written to.
    fn waiting_for_write(
        &mut self,
        event: Event,
        task: Self::Task,
    ) -> Option<(Self::Task, Data)>;

    /// Keep `task` until `instant`, then resume it with [`Data::Slept`].
    fn waiting_until(&mut self, instant: Instant, task: Self::Task);
}
// ANCHOR_END: schedule

// ANCHOR: do_schedule
impl Event {
    /// Puts itself and its task where they belong: onto the read-waiting or write-waiting table,
    /// or among the timers. Or it returns the task, with a result: it need not wait at all.
    #[inline(always)]
    pub fn do_schedule<S: Schedule>(
        self,
        on: &mut S,
        task: S::Task,
    ) -> Option<(S::Task, Data)> {
        match self {
            Event::Connect(event) => on.waiting_for_read(event.into(), task),
            Event::Receive(event) => on.waiting_for_read(event.into(), task),
            Event::Send(event) => on.waiting_for_write(event.into(), task),
            Event::Sleep(sleep) => {
                on.waiting_until(sleep.until, task);
                None
            }
            Event::Close(close) if close.is_over() => Some((task, Data::Closed)),
            Event::Close(_) => {
                on.waiting_for_read_until(later(CLOSE_PATIENCE), self, task)
            }
        }
    }
    // ANCHOR_END: do_schedule

    // ANCHOR: happen
    /// Does what the event stands for, now that its socket is said to be ready. It never blocks:
    /// if the socket is not ready after all, it says so.
    #[inline(always)]
    pub fn happen(self, buffers: &mut Buffers) -> Happened {
        match self {
            Event::Connect(event) => event.happen(),
            Event::Receive(event) => event.happen(buffers),
            Event::Send(event) => event.happen(buffers),
            Event::Close(event) => event.happen(buffers),
            Event::Sleep(_) => Happened::Done { data: Data::Slept, short: false },
        }
    }
    // ANCHOR_END: happen

    // ANCHOR: happen_last
    /// What comes of an event while its driver stops: no new client; of input only what is there
    /// already, and then its end; or, with `end`, the end at once.
    pub fn happen_last(self, end: bool, buffers: &mut Buffers) -> Data {
        const END_OF_INPUT: fn() -> Data = || Data::Received(Buffer::default());
        match self {
            Event::Receive(_) if end => END_OF_INPUT(),
            Event::Receive(event) => match event.happen(buffers) {
                Happened::Done { data, .. } => data,
                _ => END_OF_INPUT(),
            },
            event => event.failed(io::ErrorKind::Interrupted.into()),
        }
    }
    // ANCHOR_END: happen_last

    // ANCHOR: completed
    /// What becomes of the event when the operation that it stands for has been carried out, by
    /// `happen` or (in stage 07) by the kernel.
    ///
    /// # Panics
    ///
    /// If the outcome is that of an operation of another kind.
    pub fn completed(self, outcome: Outcome, buffers: &mut Buffers) -> Happened {
        match (self, outcome) {
            (Event::Connect(event), Outcome::Accepted(result)) => event.completed(result),
            (Event::Receive(event), Outcome::Received(result)) => event.completed(result),
            (Event::Send(event), Outcome::Sent(result)) => {
                event.completed(result, buffers)
            }
            (Event::Close(event), Outcome::Received(result)) => {
                event.completed(result, buffers)
            }
            (event, outcome) => unreachable!("{event:?} cannot end in {outcome:?}"),
        }
    }
    // ANCHOR_END: completed

    // ANCHOR: socket
    /// The socket whose readiness the event waits for; none for a [`SleepEvent`].
    pub fn socket(&self) -> Option<&Socket> {
        match self {
            Event::Connect(ConnectEvent { socket })
            | Event::Receive(ReceiveEvent { socket })
            | Event::Send(SendEvent { socket, .. })
            | Event::Close(CloseEvent { socket, .. }) => Some(socket),
            Event::Sleep(_) => None,
        }
    }

    /// The descriptor of [`socket`](Event::socket).
    pub fn fd(&self) -> Option<RawFd> {
        self.socket().map(AsRawFd::as_raw_fd)
    }

    /// Which readiness the event waits for.
    pub fn direction(&self) -> Direction {
        match self {
            Event::Send(_) => Direction::Write,
            _ => Direction::Read,
        }
    }

    /// The result for the task if the event cannot happen.
    pub fn failed(self, error: io::Error) -> Data {
        match self {
            Event::Connect(_) | Event::Receive(_) | Event::Send(_) => Data::Failed(error),
            Event::Sleep(_) => Data::Slept,
            Event::Close(_) => Data::Closed,
        }
    }
}
// ANCHOR_END: socket

// ANCHOR: happens
impl ConnectEvent {
    fn happen(self) -> Happened {
        let result = self.socket.try_accept().map(|(client, _)| client);
        self.completed(result)
    }

    fn completed(self, result: io::Result<Socket>) -> Happened {
        let data = match result {
            Ok(client) => Data::Connected(client),
            Err(error) if would_block(&error) => {
                return Happened::WouldBlock(self.into());
            }
            Err(error) => Data::Failed(error),
        };
        Happened::Done { data, short: false }
    }
}

impl ReceiveEvent {
    #[inline(always)]
    fn happen(self, buffers: &mut Buffers) -> Happened {
        let result = self.socket.try_recv(buffers);
        self.completed(result)
    }

    #[inline(always)]
    fn completed(self, result: io::Result<Buffer>) -> Happened {
        match result {
            Ok(bytes) => {
                let short = bytes.len() < RECEIVE_SIZE;
                Happened::Done { data: Data::Received(bytes), short }
            }
            Err(error) if would_block(&error) => Happened::WouldBlock(self.into()),
            Err(error) => Happened::Done { data: Data::Failed(error), short: false },
        }
    }
}

impl SendEvent {
    /// What is still to be sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[inline(always)]
    fn happen(self, buffers: &mut Buffers) -> Happened {
        let result = self.socket.try_send(&self.bytes);
        self.completed(result, buffers)
    }

    #[inline(always)]
    fn completed(mut self, result: io::Result<usize>, buffers: &mut Buffers) -> Happened {
        match result {
            Err(error) if would_block(&error) => {
                return Happened::WouldBlock(self.into());
            }
            Err(error) => {
                return Happened::Done { data: Data::Failed(error), short: false };
            }
            Ok(sent) => self.bytes.take_front(sent),
        }
        if !self.bytes.is_empty() {
            return Happened::WouldBlock(self.into());
        }
        let sent = self.bytes.taken();
        buffers.recycle(self.bytes);
        Happened::Done { data: Data::Sent(sent), short: false }
    }
}
// ANCHOR_END: happens

// ANCHOR: close
impl CloseEvent {
    /// Shuts down sending. Whether that is all: the peer has finished already, or is gone
    /// altogether, so that closing the socket harms nobody.
    fn is_over(&self) -> bool {
        self.socket.ended() || self.socket.shutdown_send().is_err()
    }

    #[inline(always)]
    fn happen(self, buffers: &mut Buffers) -> Happened {
        let result = self.socket.try_recv(buffers);
        self.completed(result, buffers)
    }

    #[inline(always)]
    fn completed(self, result: io::Result<Buffer>, buffers: &mut Buffers) -> Happened {
        match result {
            Err(error) if would_block(&error) => Happened::WouldBlock(self.into()),
            Ok(bytes) if !bytes.is_empty() => {
                buffers.recycle(bytes);
                Happened::More(self.into())
            }
            _ => Happened::Done { data: Data::Closed, short: false },
        }
    }
}
// ANCHOR_END: close

// ANCHOR: unsent
/// What stage 07 hands to the kernel.
#[cfg(target_os = "linux")]
impl SendEvent {
    /// What has not been sent yet. It lies on the heap, and stays there when the event is moved.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes
    }
}
// ANCHOR_END: unsent

// ANCHOR: would_block
fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
// ANCHOR_END: would_block

// ANCHOR: yields
/// What a task may yield: each kind of event, and the type of its result.
pub trait Yield: Into<Event> {
    /// What `co.yield_(event).await` returns.
    type Output;

    /// Takes the result out of what was sent into the task; `None` if it belongs to an event of
    /// another kind.
    fn output(data: Data) -> Option<Self::Output>;
}
// ANCHOR_END: yields

// ANCHOR: each_yields
/// An event's place in [`Event`], and its result's place in [`Data`].
macro_rules! yields {
    ($($event:ident, $kind:ident => $output:ty {
        $($pattern:pat => $result:expr),*
    })*) => {$(
        impl From<$event> for Event {
            fn from(event: $event) -> Event {
                Event::$kind(event)
            }
        }

        impl Yield for $event {
            type Output = $output;

            fn output(data: Data) -> Option<$output> {
                match data {
                    $($pattern => Some($result),)*
                    _ => None,
                }
            }
        }
    )*};
}

yields! {
    ConnectEvent, Connect => io::Result<(Socket, SocketAddr)> {
        Data::Connected(client) => with_peer(client),
        Data::Failed(error) => Err(error)
    }
    ReceiveEvent, Receive => io::Result<Buffer> {
        Data::Received(bytes) => Ok(bytes),
        Data::Failed(error) => Err(error)
    }
    SendEvent, Send => io::Result<usize> {
        Data::Sent(count) => Ok(count),
        Data::Failed(error) => Err(error)
    }
    SleepEvent, Sleep => () { Data::Slept => () }
    CloseEvent, Close => () { Data::Closed => () }
}

fn with_peer(client: Socket) -> io::Result<(Socket, SocketAddr)> {
    let addr = client.peer().ok_or(io::ErrorKind::Unsupported)?;
    Ok((client, addr))
}
// ANCHOR_END: each_yields
