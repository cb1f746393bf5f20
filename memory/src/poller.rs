//! A poller that follows a script.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::time::Duration;

use crate::net::{self, Direction, Peer, Readiness, Socket};
use crate::scheduler::poller::Poller;

/// What happens next. The first `usize` is the number of a [`Peer`], in the order in which they
/// came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A client connects by way of this peer, and becomes the next.
    Connect(usize),
    /// The peer sends.
    Send(usize, Vec<u8>),
    /// The peer reads all that has arrived.
    Receive(usize),
    /// The peer shuts down sending.
    ShutDown(usize),
    /// The peer resets its connection.
    Reset(usize),
    /// From now on there is room for so many bytes that the peer has not read.
    Room(usize, usize),
    /// The next call on the peer's socket fails with this error of the operating system.
    Fail(usize, i32),
    /// The scheduler is told that these are ready, true or not.
    Report(Vec<Readiness>),
    /// So much time passes, and the scheduler sleeps on.
    Sleep(Duration),
    /// The scheduler waits until its timeout.
    TimeOut,
    /// The scheduler wakes up after this time, though nothing is ready.
    Pass(Duration),
}

/// Answers the scheduler as it has been decided. When there are no more decisions, the wait fails
/// with `UnexpectedEof`, and ends the run; after more decisions the scheduler can run on.
#[derive(Clone, Debug, Default)]
pub struct Script(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    sends_first: bool,
    timeout: Option<Duration>,
    decisions: VecDeque<Decision>,
    /// In the order of their numbers, as `select` reports them.
    watched: Vec<Readiness>,
    peers: Vec<Peer>,
}

impl Script {
    /// From now on, a send is tried before it is watched.
    pub fn send_first(&self) {
        self.0.borrow_mut().sends_first = true;
    }

    /// A new socket, whose peer is the next.
    pub fn socket(&self) -> Socket {
        let (socket, peer) = net::pair();
        self.0.borrow_mut().peers.push(peer);
        socket
    }

    /// The peer with this number.
    pub fn peer(&self, number: usize) -> Peer {
        self.0.borrow().peers[number].clone()
    }

    /// All peers, in the order of their numbers.
    pub fn peers(&self) -> Vec<Peer> {
        self.0.borrow().peers.clone()
    }

    /// Whether this is so.
    pub fn is_ready(&self, (fd, direction): Readiness) -> bool {
        let state = self.0.borrow();
        let mut peers = state.peers.iter().map(Peer::look);
        peers.any(|it| it.number == Some(fd) && it.is_ready(direction))
    }

    /// This is what happens next.
    pub fn decide(&self, decisions: &[Decision]) {
        self.0.borrow_mut().decisions.extend(decisions.iter().cloned());
    }

    /// Whether the next wait fails, because nothing has been decided that would end it.
    pub fn is_at_the_end(&self) -> bool {
        use Decision::{Pass, Report, TimeOut};
        let is_answer = |it: &Decision| matches!(it, Report(_) | TimeOut | Pass(_));
        !self.0.borrow().decisions.iter().any(is_answer)
    }

    /// For how long the scheduler wanted to wait last; `None` is for ever.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.borrow().timeout
    }

    /// What the scheduler waits for.
    pub fn watched(&self) -> Vec<Readiness> {
        self.0.borrow().watched.clone()
    }
}

impl Poller for Script {
    fn call(&self) -> &'static str {
        "select"
    }

    fn sends_first(&self) -> bool {
        self.0.borrow().sends_first
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        let watched = &mut self.0.borrow_mut().watched;
        if let Err(at) = watched.binary_search(&(socket.as_raw_fd(), direction)) {
            watched.insert(at, (socket.as_raw_fd(), direction));
        }
        Ok(())
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.0.borrow_mut().watched.retain(|it| *it != (fd, direction));
    }

    fn asked(&self) -> Option<Vec<Readiness>> {
        Some(self.watched())
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        state.timeout = timeout;
        let State { decisions, watched, peers, .. } = &mut *state;
        loop {
            match decisions.pop_front().ok_or(io::ErrorKind::UnexpectedEof)? {
                Decision::Connect(port) => peers.push(peers[port].connect()),
                Decision::Send(peer, bytes) => peers[peer].send(&bytes),
                Decision::Receive(peer) => drop(peers[peer].receive()),
                Decision::ShutDown(peer) => peers[peer].shut_down(),
                Decision::Reset(peer) => peers[peer].reset(),
                Decision::Room(peer, bytes) => peers[peer].room(bytes),
                Decision::Fail(peer, code) => peers[peer].fail(code),
                Decision::Sleep(time) => net::pass(time),
                Decision::Report(those) => {
                    watched.retain(|it| !those.contains(it));
                    break ready.extend(those);
                }
                Decision::TimeOut => break net::pass(timeout.unwrap_or_default()),
                Decision::Pass(time) => break net::pass(time),
            }
        }
        Ok(())
    }
}
