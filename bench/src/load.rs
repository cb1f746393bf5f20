//! The load client: one thread, many connections, and every byte that comes back is looked at.
//!
//! It is *closed-loop*: a connection sends its next message when an answer has come back, so the
//! server is never asked for more than it can do, and a slow one is measured for as long as a
//! fast one. How many messages of a connection are on their way at the same time is its *depth*.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, recv, send};

use crate::pattern::{WINDOW, pattern};

/// A server that does nothing for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections that talk.
    pub clients: usize,
    /// Bytes of a message.
    pub message: usize,
    /// Messages of a connection that are on their way at the same time.
    pub depth: usize,
    /// Connections that have said hello and are silent since.
    pub idle: usize,
    /// Each connection carries one message, and is closed.
    pub short: bool,
}

/// What the clients saw.
#[derive(Debug)]
pub struct Seen {
    /// Messages that came back.
    pub echoes: u64,
    /// How long that took.
    pub time: Duration,
    /// From the beginning of a message's sending until all of it was back, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Default for Seen {
    fn default() -> Seen {
        let longest = PATIENCE.as_nanos() as u64;
        let latency =
            Histogram::new_with_bounds(1, longest, 3).expect("the bounds are fine");
        Seen { echoes: 0, time: Duration::ZERO, latency }
    }
}

impl Seen {
    /// Counts what was seen another time, too.
    ///
    /// # Panics
    ///
    /// Never: all are made with the same bounds.
    pub fn add(&mut self, other: &Seen) {
        self.echoes += other.echoes;
        self.time += other.time;
        self.latency.add(&other.latency).expect("they have the same bounds");
    }

    fn record(&mut self, latency: Duration) {
        self.echoes += 1;
        self.latency.saturating_record(latency.as_nanos() as u64);
    }
}

/// The connections to a server under load.
#[derive(Debug)]
pub struct Clients {
    addr: SocketAddr,
    load: Load,
    epoll: Epoll,
    /// The idle ones first.
    connections: Vec<Connection>,
    space: Vec<u8>,
    /// How many connections there have been: each sends something else.
    count: usize,
    /// When to begin nothing new; none if that is over.
    until: Option<Instant>,
    /// How many of the connections wait for something.
    busy: usize,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    seed: usize,
    sent: u64,
    received: u64,
    /// When each of the messages on their way was begun.
    begun: VecDeque<Instant>,
    /// There was no room for all that is to be sent.
    blocked: bool,
}

impl Clients {
    /// Connects everybody. Those that stay idle have said hello, so the server knows them.
    pub fn connect(addr: SocketAddr, load: Load) -> Result<Clients> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut clients = Clients {
            addr,
            load,
            epoll,
            connections: vec![],
            space: vec![0; WINDOW],
            count: 0,
            until: None,
            busy: 0,
        };
        for index in 0..load.idle + load.clients {
            let connection = clients.open()?;
            clients.watch(&connection, index)?;
            clients.connections.push(connection);
            if index < load.idle {
                let hello = clients.run_some(index..index + 1, Duration::ZERO);
                hello.context("an idle client says hello")?;
            }
        }
        Ok(clients)
    }

    fn open(&mut self) -> Result<Connection> {
        let stream = connect(self.addr)?;
        let seed = self.count;
        self.count += 1;
        let begun = VecDeque::with_capacity(self.load.depth);
        Ok(Connection { stream, seed, sent: 0, received: 0, begun, blocked: false })
    }

    fn watch(&self, connection: &Connection, index: usize) -> Result<()> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
        Ok(self.epoll.add(&connection.stream, event)?)
    }

    /// Talks for so long, waits until everything is back, and says what it saw.
    ///
    /// It never sleeps, but asks again and again. So a server that answers has nobody to wake,
    /// which would cost it more than the answer does, and not the same each time.
    ///
    /// # Errors
    ///
    /// If a byte is not the one that was sent, or nothing comes back any more.
    pub fn run(&mut self, time: Duration) -> Result<Seen> {
        self.run_some(self.load.idle..self.connections.len(), time)
    }

    /// The same for some of the clients, by their numbers; the others stay silent.
    pub fn run_some(&mut self, who: Range<usize>, time: Duration) -> Result<Seen> {
        let mut seen = Seen::default();
        let mut events = [EpollEvent::empty(); 512];
        let start = Instant::now();
        let mut last = start;
        self.until = Some(start + time);
        self.busy = 0;
        for index in who {
            self.begin(index, start)?;
        }
        while self.busy > 0 {
            let count = match self.epoll.wait(&mut events, EpollTimeout::ZERO) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            let now = Instant::now();
            if count > 0 {
                last = now;
            }
            ensure!(now - last < PATIENCE, "nothing came back for {PATIENCE:?}");
            self.until = self.until.filter(|until| now < *until);
            for event in &events[..count] {
                let index = event.data() as usize;
                match self.load.short {
                    true => self.turn_short(index, &mut seen)?,
                    false => self.turn(index, &mut seen)?,
                }
            }
        }
        seen.time = start.elapsed();
        Ok(seen)
    }

    /// One client begins to talk.
    fn begin(&mut self, index: usize, now: Instant) -> Result<()> {
        self.busy += 1;
        if self.load.short && self.connections[index].received > 0 {
            let next = self.open()?;
            self.watch(&next, index)?;
            self.connections[index] = next; // the last one is closed
        }
        self.go_on(index, now)
    }

    /// One client receives what is there, and sends on.
    fn turn(&mut self, index: usize, seen: &mut Seen) -> Result<()> {
        let connection = &mut self.connections[index];
        if connection.blocked {
            self.go_on(index, Instant::now())?;
        }
        let received = self.receive(index)?;
        ensure!(received != Some(0), "the server closed a connection that is in use");
        let connection = &mut self.connections[index];
        let now = Instant::now();
        let complete = connection.received / self.load.message as u64;
        let begun = connection.sent.div_ceil(self.load.message as u64);
        while connection.begun.len() as u64 > begun - complete {
            let begun = connection.begun.pop_front().expect("it is not empty");
            seen.record(now - begun);
        }
        if self.until.is_none() && complete == begun && connection.begun.is_empty() {
            self.busy -= 1;
            return Ok(());
        }
        self.go_on(index, now)
    }

    /// Receives and checks; `None` if there is nothing.
    fn receive(&mut self, index: usize) -> Result<Option<usize>> {
        let connection = &mut self.connections[index];
        let fd = connection.stream.as_raw_fd();
        let count = match recv(fd, &mut self.space, MsgFlags::MSG_DONTWAIT) {
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            result => result.context("receiving")?,
        };
        let (seed, position) = (connection.seed, connection.received);
        let expected = pattern(seed, position, count);
        if self.space[..count] != *expected || position + count as u64 > connection.sent {
            let at = self.space.iter().zip(expected).take_while(|(a, b)| a == b).count();
            bail!(
                "byte {} of a connection is not the one that was sent",
                position + at as u64
            );
        }
        connection.received += count as u64;
        Ok(Some(count))
    }

    /// Sends until as much is on its way as the load says.
    fn go_on(&mut self, index: usize, now: Instant) -> Result<()> {
        let connection = &mut self.connections[index];
        let message = self.load.message as u64;
        let until = match self.until {
            Some(_) => (connection.received / message + self.load.depth as u64) * message,
            None => connection.sent.next_multiple_of(message), // no new one
        };
        let blocked = loop {
            if connection.sent >= until {
                break false;
            }
            let length = (until - connection.sent) as usize;
            let bytes = pattern(connection.seed, connection.sent, length);
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            let sent = match send(connection.stream.as_raw_fd(), bytes, flags) {
                Err(Errno::EAGAIN) => break true,
                Err(Errno::EINTR) => 0,
                result => result.context("sending")? as u64,
            };
            // The messages whose first byte was among them.
            let begun = connection.sent.div_ceil(message);
            connection.sent += sent;
            for _ in begun..connection.sent.div_ceil(message) {
                connection.begun.push_back(now);
            }
        };
        if blocked != connection.blocked {
            connection.blocked = blocked;
            let mut flags = EpollFlags::EPOLLIN;
            flags.set(EpollFlags::EPOLLOUT, blocked);
            let mut event = EpollEvent::new(flags, index as u64);
            self.epoll.modify(&connection.stream, &mut event)?;
        }
        Ok(())
    }

    /// One client whose connection carries one message: when that is back it says that it will
    /// send no more, waits for the server to do the same, and makes room for the next.
    fn turn_short(&mut self, index: usize, seen: &mut Seen) -> Result<()> {
        let Some(received) = self.receive(index)? else { return Ok(()) };
        let connection = &mut self.connections[index];
        let is_complete = connection.received == self.load.message as u64;
        if received > 0 {
            if is_complete {
                connection.stream.shutdown(Shutdown::Write).context("shutting down")?;
            }
            return Ok(());
        }
        ensure!(is_complete, "the server closed a connection before it had answered");
        let begun = connection.begun.pop_front().expect("one message was sent");
        seen.record(begun.elapsed());
        self.busy -= 1;
        match self.until {
            Some(_) => self.begin(index, Instant::now()),
            // The end of input would be reported again and again.
            None => Ok(self.epoll.delete(&connection.stream)?),
        }
    }
}

/// A connection that sends at once, and whose blocking operations do not wait for ever.
pub fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).context("connecting")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Asks whether this is an echo server at all: in pieces of all sizes, more than fits on the
/// way, and what is still on its way when the client shuts down.
pub fn verify(addr: SocketAddr) -> Result<()> {
    let mut stream = connect(addr)?;
    let mut position = 0;
    for length in [1, 2, 63, 64, 1000, 4095, 4096, 4097, 10_000, 65_536, 100_000, 1] {
        let sent = pattern(1, position, length);
        stream.write_all(sent).context("sending")?;
        let mut echoed = vec![0; length];
        stream.read_exact(&mut echoed).context("waiting for an echo")?;
        ensure!(echoed == sent, "a message of {length} bytes came back changed");
        position += length as u64;
    }
    let mut sender = stream.try_clone()?;
    let sent: Vec<u8> =
        (0..16).flat_map(|i| pattern(2, i * 65_536, 65_536)).copied().collect();
    let mut echoed = vec![];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = sender.write_all(&sent);
            let _ = sender.shutdown(Shutdown::Write);
        });
        stream.read_to_end(&mut echoed).context("waiting for it to close")
    })?;
    let (sent_len, echoed_len) = (sent.len(), echoed.len());
    ensure!(echoed_len == sent_len, "of {sent_len} bytes {echoed_len} came back");
    ensure!(echoed == sent, "a megabyte came back changed");
    Ok(())
}
