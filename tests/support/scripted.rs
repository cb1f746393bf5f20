//! What a driver of tasks is tried with: a poller that is not the operating system, clients that
//! it moves, a spy on any poller, and a recorder of what the driver did.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bricks::event::{Data, Event};
use bricks::net::Socket;
use bricks::poller::{Direction, Dry, Poller, Readiness, Watch};
use bricks::ready::Handle;
use bricks::trace::{Step, Trace};

/// Numbers without pattern, the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % sides
    }
}

/// Bytes without pattern.
pub fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    (0..count).map(|_| dice.roll(256) as u8).collect()
}

/// A poller that reports what it likes of what is watched, ready or not, in any order.
pub struct Random {
    dice: Dice,
    /// It answers `TryNow` where it has not been told that there is nothing.
    try_first: bool,
    watched: BTreeSet<Readiness>,
    dry: BTreeSet<Readiness>,
    clients: Rc<RefCell<Vec<Client>>>,
}

impl Random {
    pub fn new(seed: u64, try_first: bool, clients: Rc<RefCell<Vec<Client>>>) -> Random {
        let (watched, dry) = (BTreeSet::new(), BTreeSet::new());
        Random { dice: Dice(seed), try_first, watched, dry, clients }
    }
}

impl Poller for Random {
    const CALL: &'static str = "random";

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
        let key = (socket.as_raw_fd(), direction);
        let known_dry = self.dry.contains(&key) || self.watched.contains(&key);
        if self.try_first && !known_dry {
            return Ok(Watch::TryNow);
        }
        self.watched.insert(key);
        Ok(Watch::Wait)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.watched.remove(&(fd, direction));
    }

    fn dry(&mut self, fd: RawFd, direction: Direction, _: Dry) {
        self.dry.insert((fd, direction));
    }

    fn wait(
        &mut self,
        _: Option<Duration>,
        mut ready: impl FnMut(Readiness),
    ) -> io::Result<()> {
        // Now the world moves a little …
        let mut clients = self.clients.borrow_mut();
        if !clients.is_empty() {
            let one = self.dice.roll(clients.len());
            let amount = 1 + self.dice.roll(50_000);
            clients[one].move_a_little(amount);
        }
        // … and some of what is watched is said to be ready, and sometimes what is not watched.
        let mut those = vec![];
        for key in self.watched.iter().chain(&self.dry) {
            if self.dice.roll(3) == 0 {
                let place = self.dice.roll(those.len() + 1);
                those.insert(place, *key);
            }
        }
        for key in those {
            self.dry.remove(&key);
            self.watched.remove(&key);
            ready(key);
        }
        Ok(())
    }
}

/// Sees what a poller is asked, and may change how long it waits.
pub trait Spy {
    /// A socket is said to be dry.
    fn dry(&mut self, _direction: Direction) {}

    /// It is about to wait. Returns for how long.
    fn before_waiting(&mut self, timeout: Option<Duration>) -> Option<Duration> {
        timeout
    }

    /// It has waited, and so much is ready.
    fn after_waiting(&mut self, _ready: usize) {}
}

/// A poller with a spy.
pub struct Spied<P, S> {
    pub poller: P,
    pub spy: S,
}

impl<P: Poller, S: Spy> Poller for Spied<P, S> {
    const CALL: &'static str = P::CALL;

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<Watch> {
        self.poller.watch(socket, direction)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.poller.unwatch(fd, direction);
    }

    fn dry(&mut self, fd: RawFd, direction: Direction, why: Dry) {
        self.spy.dry(direction);
        self.poller.dry(fd, direction, why);
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        mut ready: impl FnMut(Readiness),
    ) -> io::Result<()> {
        let timeout = self.spy.before_waiting(timeout);
        let mut count = 0;
        self.poller.wait(timeout, |it| {
            count += 1;
            ready(it);
        })?;
        self.spy.after_waiting(count);
        Ok(())
    }
}

/// A client that sends its data and receives it back, a little at a time.
pub struct Client {
    stream: UnixStream,
    pub data: Vec<u8>,
    sent: usize,
    pub received: Vec<u8>,
}

impl Client {
    pub fn new(stream: UnixStream, size: usize, seed: u64) -> Client {
        stream.set_nonblocking(true).unwrap();
        Client { stream, data: bytes(seed, size), sent: 0, received: vec![] }
    }

    /// Sends and receives up to `amount` bytes, as far as that goes without waiting.
    pub fn move_a_little(&mut self, amount: usize) {
        let to = self.data.len().min(self.sent + amount);
        if self.sent == self.data.len() {
            let _ = self.stream.shutdown(Shutdown::Write);
        } else if let Some(sent) = attempt(self.stream.write(&self.data[self.sent..to])) {
            self.sent += sent;
        }
        let mut space = vec![0; amount];
        if let Some(received) = attempt(self.stream.read(&mut space)) {
            self.received.extend_from_slice(&space[..received]);
        }
    }

    /// Receives the rest: the server has done its part.
    pub fn finish(&mut self) {
        self.stream.set_nonblocking(false).unwrap();
        self.stream.read_to_end(&mut self.received).unwrap();
    }
}

fn attempt(result: io::Result<usize>) -> Option<usize> {
    match result {
        Ok(count) => Some(count),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// Writes down what the scheduler did; without times and descriptors, which differ from run to
/// run, and without names and lines, which differ from source to source.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Rc<RefCell<Record>>);

#[derive(Debug, Default)]
struct Record {
    lines: Vec<String>,
    stop: Option<(usize, Handle)>,
}

impl Recorder {
    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().lines.clone()
    }

    /// Stops the scheduler when so many tasks have finished.
    pub fn stop_after(&self, finished: usize, handle: Handle) {
        self.0.borrow_mut().stop = Some((finished, handle));
    }
}

impl Trace for Recorder {
    fn record(&mut self, step: Step<'_>) {
        let mut record = self.0.borrow_mut();
        let line = match step {
            Step::Spawn { task, .. } => format!("spawn {task}"),
            Step::Resume { task, with } => format!("resume {task} with {}", data(with)),
            Step::Yield { task, event, .. } => format!("yield {task} {}", kind(event)),
            Step::Park { task, on } => {
                let on = format!("{on:?}"); // and its descriptor
                format!("park {task} on {}", on.split('(').next().unwrap())
            }
            Step::Enter { call, .. } => format!("enter {call}"),
            Step::Leave { call, ready } => format!("leave {call} with {}", ready.len()),
            Step::Happened { task, data: result, .. } => {
                format!("happened {task} {}", data(result))
            }
            Step::Finish { task, panicked } => {
                assert!(!panicked, "task {task} has panicked");
                if let Some((left, handle)) = &mut record.stop {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        handle.stop();
                    }
                }
                format!("finish {task}")
            }
            other => format!("{other:?}"),
        };
        record.lines.push(line);
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Connect(_) => "accept",
        Event::Receive(_) => "read",
        Event::Send(_) => "write",
        Event::Sleep(_) => "sleep",
        Event::Close(_) => "close",
    }
}

fn data(data: &Data) -> String {
    match data {
        Data::Start => "nothing".to_string(),
        Data::Connected(_) => "client".to_string(),
        Data::Received(bytes) => format!("bytes {}", bytes.len()),
        Data::Sent(count) => format!("sent {count}"),
        Data::Failed(error) => format!("failed {:?}", error.kind()),
        Data::Slept => "slept".to_string(),
        Data::Closed => "closed".to_string(),
    }
}
