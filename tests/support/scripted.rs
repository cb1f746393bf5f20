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

use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::poller::Poller;
use bricks::trace::{On, Outcome, Step, Trace, Want};

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

/// A poller that reports what it likes of what is watched, ready or not, in any order; and
/// sometimes what is not watched any more.
pub struct Random {
    dice: Dice,
    sends_first: bool,
    watched: BTreeSet<Readiness>,
    /// What has been watched at any time.
    known: BTreeSet<Readiness>,
    clients: Rc<RefCell<Vec<Client>>>,
}

impl Random {
    pub fn new(
        seed: u64,
        sends_first: bool,
        clients: Rc<RefCell<Vec<Client>>>,
    ) -> Random {
        let (watched, known) = (BTreeSet::new(), BTreeSet::new());
        Random { dice: Dice(seed), sends_first, watched, known, clients }
    }
}

impl Poller for Random {
    fn call(&self) -> &'static str {
        "random"
    }

    fn sends_first(&self) -> bool {
        self.sends_first
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        let key = (socket.as_raw_fd(), direction);
        self.watched.insert(key);
        self.known.insert(key);
        Ok(())
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.watched.remove(&(fd, direction));
    }

    fn wait(
        &mut self,
        _: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        // Now the world moves a little …
        let mut clients = self.clients.borrow_mut();
        if !clients.is_empty() {
            let one = self.dice.roll(clients.len());
            let amount = 1 + self.dice.roll(50_000);
            clients[one].move_a_little(amount);
        }
        // … and some of what is watched is said to be ready, and seldom what is not watched.
        for key in &self.known {
            let sides = if self.watched.contains(key) { 3 } else { 20 };
            if self.dice.roll(sides) == 0 {
                let place = self.dice.roll(ready.len() + 1);
                ready.insert(place, *key);
            }
        }
        self.watched.retain(|key| !ready.contains(key));
        Ok(())
    }
}

/// Sees how a poller waits, and may change for how long.
pub trait Spy {
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
    fn call(&self) -> &'static str {
        self.poller.call()
    }

    fn sends_first(&self) -> bool {
        self.poller.sends_first()
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        self.poller.watch(socket, direction)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.poller.unwatch(fd, direction);
    }

    fn asked(&self) -> Option<Vec<Readiness>> {
        self.poller.asked()
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let timeout = self.spy.before_waiting(timeout);
        self.poller.wait(timeout, ready)?;
        self.spy.after_waiting(ready.len());
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
pub struct Recorder(Rc<RefCell<Vec<String>>>);

impl Recorder {
    /// As a driver takes it.
    pub fn trace(&self) -> Option<Box<dyn Trace>> {
        Some(Box::new(self.clone()))
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Trace for Recorder {
    fn record(&mut self, step: Step<'_>) {
        let line = match step {
            Step::Spawn { task, .. } => format!("spawn {task}"),
            Step::Resume { task, with } => format!("resume {task} with {}", told(&with)),
            Step::Yield { task, want, bytes, .. } => {
                format!("yield {task} {}", wanted(want, bytes))
            }
            Step::Park { task, on, .. } => format!("park {task} on {}", place(on)),
            Step::Call { task, want, bytes, .. } => {
                format!("call {task} {}", wanted(want, bytes))
            }
            Step::NotYet { task, left } => format!("not_yet {task} {left:?}"),
            Step::Enter { call, .. } => format!("enter {call}"),
            Step::Leave { call, ready } => {
                format!("leave {call} with {}", ready.map_or(0, <[_]>::len))
            }
            Step::Happened { task, result, .. } => {
                format!("happened {task} {}", told(&result))
            }
            Step::Finish { task, panicked } => {
                assert!(!panicked, "task {task} has panicked");
                format!("finish {task}")
            }
            other => format!("{other:?}"),
        };
        self.0.borrow_mut().push(line);
    }
}

fn wanted(want: Want, bytes: &[u8]) -> String {
    match want {
        Want::Write => format!("Write {}", bytes.len()),
        want => format!("{want:?}"),
    }
}

fn place(on: On) -> &'static str {
    match on {
        On::Read(_) => "read",
        On::Write(_) => "write",
        On::Timer => "timer",
        On::Kernel => "kernel",
    }
}

fn told(outcome: &Outcome<'_>) -> String {
    match outcome {
        Outcome::Accepted { .. } => "Accepted".to_string(),
        Outcome::Received(bytes) => format!("Received {}", bytes.len()),
        other => format!("{other:?}"),
    }
}
