//! The events that tasks yield: what a task waits for, as a value.
//!
//! `client.recv()` does not receive. It returns a [`ReceiveEvent`]: a description of what the
//! task wants, to be handed to the scheduler. An event knows two things. [`Event::do_schedule`]
//! says what it waits *for*: it puts itself, with its task, onto the right waiting table. And
//! [`Event::happen`] does the thing, once it can be done without waiting.
//!
//! Events do not know who drives them: a driver implements [`Schedule`].

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::panic::Location;
use std::time::{Duration, Instant};

use crate::net::{self, Socket};
use crate::space::Space;
use crate::trace::{Outcome, Step, TaskId, Want};

/// How long a [`CloseEvent`] waits for the peer to finish.
pub const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

// ANCHOR: socket_events
/// The calls that would block, each as the event that it returns. None of them does anything.
impl Socket {
    /// Wait for a client to connect, and accept it.
    pub fn accept(&self) -> ConnectEvent {
        ConnectEvent { socket: self.clone() }
    }

    /// Wait for data, and receive it. No bytes at all are the end of input.
    pub fn recv(&self) -> ReceiveEvent {
        ReceiveEvent { socket: self.clone() }
    }

    /// Send all of `bytes`, waiting for room as often as it takes.
    pub fn send(&self, bytes: impl Into<Vec<u8>>) -> SendEvent {
        SendEvent { socket: self.clone(), bytes: bytes.into(), sent: 0 }
    }
}
// ANCHOR_END: socket_events

impl Socket {
    /// End the connection without destroying bytes on their way; see [`CloseEvent`].
    pub fn close(self) -> CloseEvent {
        CloseEvent { socket: self, until: net::later(CLOSE_PATIENCE) }
    }
}

// ANCHOR: sleep
/// Wait for `duration`.
pub fn sleep(duration: Duration) -> SleepEvent {
    SleepEvent { until: net::later(duration) }
}
// ANCHOR_END: sleep

/// A client connects to a listening socket.
#[derive(Debug)]
pub struct ConnectEvent {
    socket: Socket,
}

// ANCHOR: receive_send
/// Data arrives. The event holds no buffer, so a connection that only waits costs next to
/// nothing.
#[derive(Debug)]
pub struct ReceiveEvent {
    socket: Socket,
}

/// There is room to send. The event owns its bytes, and knows how many of them have been sent.
#[derive(Debug)]
pub struct SendEvent {
    socket: Socket,
    bytes: Vec<u8>,
    sent: usize,
}
// ANCHOR_END: receive_send

/// A moment in time is reached.
#[derive(Debug)]
pub struct SleepEvent {
    until: Instant,
}

/// A connection has been closed, and nothing that was sent on it was lost.
///
/// A socket that is closed while it holds unread input resets its connection, and a reset
/// destroys what is still on its way to the peer. So the event shuts down sending, discards
/// input until the peer has shut down too (if it already has, the event is over at once), and
/// gives up after [`CLOSE_PATIENCE`].
#[derive(Debug)]
pub struct CloseEvent {
    socket: Socket,
    until: Instant,
}

// ANCHOR: event
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
// ANCHOR_END: event

// ANCHOR: data
/// What is sent into a task when it is resumed: the result of the event that it yielded.
///
/// An I/O error is a result like any other. It concerns only the task that asked.
#[derive(Debug)]
pub enum Data {
    /// Nothing has happened yet: the first `send` only starts the task ("primes" it).
    Start,
    /// The result of a [`ConnectEvent`]: the client, and its address.
    Connected(Socket, SocketAddr),
    /// The result of a [`ReceiveEvent`]: the bytes; none at all at the end of input.
    Received(Vec<u8>),
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
    /// It happened: the result, to be sent into the task.
    Done(Data),
    /// The socket was not ready after all, or only for a part: wait on for the rest.
    NotYet,
}
// ANCHOR_END: happened

/// What an event asks of its driver: the ready queue, the waiting tables, the timers.
pub trait Schedule {
    /// A suspended task.
    type Task;

    /// Resume `task` with `data` when its turn comes: it need not wait.
    fn add_ready(&mut self, task: Self::Task, data: Data);

    /// Keep `event` and `task` until the event's socket can be read from.
    fn waiting_for_read(&mut self, event: Event, task: Self::Task);

    /// Keep `event` and `task` until the event's socket can be written to.
    fn waiting_for_write(&mut self, event: Event, task: Self::Task);

    /// Keep `task` until `instant`, then resume it with [`Data::Slept`].
    fn waiting_until(&mut self, instant: Instant, task: Self::Task);
}

impl Event {
    // ANCHOR: do_schedule
    /// Puts itself and its task where they belong: onto the read-waiting or write-waiting table,
    /// or among the timers.
    pub fn do_schedule<S: Schedule>(self, on: &mut S, task: S::Task) {
        match self {
            Event::Connect(_) | Event::Receive(_) => on.waiting_for_read(self, task),
            Event::Send(_) => on.waiting_for_write(self, task),
            Event::Sleep(sleep) => on.waiting_until(sleep.until, task),
            Event::Close(close) if close.is_over() => on.add_ready(task, Data::Closed),
            Event::Close(_) => on.waiting_for_read(self, task),
        }
    }
    // ANCHOR_END: do_schedule

    // ANCHOR: happen
    /// Does what the event stands for, now that its socket is said to be ready. It never blocks:
    /// if the socket is not ready after all, the event has to wait on. `space` is the
    /// memory to receive into.
    pub fn happen(&mut self, space: &mut Space) -> Happened {
        match self.attempt(space) {
            Ok(happened) => happened,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Happened::NotYet,
            Err(error) => Happened::Done(self.failed(error)),
        }
    }
    // ANCHOR_END: happen

    /// The system call, and what came of it.
    fn attempt(&mut self, space: &mut Space) -> io::Result<Happened> {
        let data = match self {
            // ANCHOR: attempt
            Event::Connect(event) => {
                let (client, addr) = event.socket.try_accept()?;
                Data::Connected(client, addr)
            }
            Event::Receive(event) => Data::Received(event.socket.try_recv(space)?),
            Event::Send(event) => {
                let count = event.socket.try_send(event.unsent())?;
                return Ok(event.sent(count, space));
            }
            // ANCHOR_END: attempt
            Event::Close(event) => {
                // What still arrives is discarded, up to the end of input.
                if !event.socket.try_recv(space)?.is_empty() {
                    return Ok(Happened::NotYet);
                }
                Data::Closed
            }
            Event::Sleep(_) => Data::Slept,
        };
        Ok(Happened::Done(data))
    }

    /// The result for the task if the event cannot happen.
    pub fn failed(&self, error: io::Error) -> Data {
        match self {
            Event::Connect(_) | Event::Receive(_) | Event::Send(_) => Data::Failed(error),
            Event::Sleep(_) => Data::Slept,
            Event::Close(_) => Data::Closed,
        }
    }

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

    /// When the event gives up: only a [`CloseEvent`] does.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Event::Close(event) => Some(event.until),
            _ => None,
        }
    }
}

// ANCHOR: close
impl CloseEvent {
    /// Shuts down sending, and says whether that is all: the peer has finished already, or is
    /// gone altogether, so that closing the socket harms nothing.
    fn is_over(&self) -> bool {
        self.socket.ended() || self.socket.shutdown_send().is_err()
    }
}
// ANCHOR_END: close

impl SendEvent {
    /// What has not been sent yet. It lies on the heap, and stays there when the event is moved.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    // ANCHOR: sent
    /// The system has taken so many bytes more.
    pub(crate) fn sent(&mut self, count: usize, space: &mut Space) -> Happened {
        self.sent += count;
        if self.sent < self.bytes.len() {
            return Happened::NotYet;
        }
        space.give_back(mem::take(&mut self.bytes));
        Happened::Done(Data::Sent(self.sent))
    }
    // ANCHOR_END: sent
}

/// What a task may yield: each kind of event, and the type of its result.
pub trait Yield: Into<Event> {
    /// What `co.yield_(event).await` returns.
    type Output;

    /// Takes the result out of what was sent into the task; `None` if it belongs to an event of
    /// another kind.
    fn output(data: Data) -> Option<Self::Output>;
}

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
        Data::Connected(client, addr) => Ok((client, addr)),
        Data::Failed(error) => Err(error)
    }
    ReceiveEvent, Receive => io::Result<Vec<u8>> {
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

/// What is reported of an event, in plain values.
impl Event {
    fn want(&self) -> Want {
        match self {
            Event::Connect(_) => Want::Accept,
            Event::Receive(_) => Want::Read,
            Event::Send(_) => Want::Write,
            Event::Sleep(_) => Want::Sleep,
            Event::Close(_) => Want::Close,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Event::Send(event) => event.unsent(),
            _ => &[],
        }
    }

    /// Task `task` has yielded it, at this line.
    pub(crate) fn yield_step(
        &self,
        task: TaskId,
        at: &'static Location<'static>,
    ) -> Step<'_> {
        let (want, on) = (self.want(), self.socket().map(Socket::descriptor));
        Step::Yield { task, want, on, bytes: self.bytes(), at: Some(at) }
    }

    /// Its system call is about to be made, for this task.
    pub(crate) fn call_step(&self, task: TaskId) -> Step<'_> {
        let (want, on) = (self.want(), self.socket().map(Socket::descriptor));
        Step::Call { task, want, on, bytes: self.bytes(), at: None }
    }

    /// The task has to wait for more.
    pub(crate) fn not_yet_step<'a>(&self, task: TaskId) -> Step<'a> {
        let left = matches!(self, Event::Send(_)).then(|| self.bytes().len());
        Step::NotYet { task, left }
    }
}

impl Data {
    pub(crate) fn outcome(&self) -> Outcome<'_> {
        match self {
            Data::Start | Data::Slept => Outcome::Nothing,
            Data::Connected(client, peer) => {
                Outcome::Accepted { client: client.descriptor(), peer: *peer }
            }
            Data::Received(bytes) => Outcome::Received(bytes),
            Data::Sent(count) => Outcome::Sent(*count),
            Data::Failed(error) => Outcome::Failed(error.kind()),
            Data::Closed => Outcome::Closed,
        }
    }
}
