//! Answers the scheduler as it was decided, and knows what is possible now.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use bricks_in_memory::net::{Between, Direction, Peer, Readiness, Socket};
use bricks_in_memory::poller::{Decision, Script};
use bricks_in_memory::scheduler::poller::Poller;
use serde::Serialize;

use crate::moves::Move;

/// The peer of the listening socket, that of the signals, and that of client 1.
const PORT: usize = 0;
const SIGNAL: usize = 1;
const FIRST: usize = 2;

/// So many clients can connect.
const MOST_CLIENTS: usize = 20;

/// How it stands.
#[derive(Debug, Serialize)]
pub struct Now {
    /// The server has ended.
    pub over: bool,
    /// For how many milliseconds `select` sleeps at most; `None` is for ever.
    pub timeout: Option<u64>,
    /// What `select` is asked.
    pub watched: Vec<Watched>,
    /// All that have connected.
    pub clients: Vec<Client>,
    /// What can be decided, as [`Move::kind`] calls it.
    pub possible: Vec<String>,
}

/// What `select` is asked about a descriptor.
#[derive(Debug, Serialize)]
pub struct Watched {
    /// The descriptor.
    pub fd: RawFd,
    /// Whether it is to be read, or else to be written.
    pub read: bool,
    /// Whether it can be.
    pub ready: bool,
}

/// A client, and what lies between it and the server.
#[derive(Debug, Serialize)]
pub struct Client {
    /// The server's descriptor for it, while it has one.
    pub fd: Option<RawFd>,
    /// In the kernel, on their way to the server. Each character is a byte.
    pub to_server: String,
    /// In the kernel, on their way to the client.
    pub to_client: String,
    /// What the client has read.
    pub received: String,
    /// How many bytes in all may be on their way to the client.
    pub room: usize,
    /// The client will send no more.
    pub ended: bool,
    /// The server has closed its socket.
    pub closed: bool,
    /// The connection has been reset.
    pub reset: bool,
}

/// Answers the scheduler as it was decided. When there are no more decisions, the wait fails with
/// `UnexpectedEof`, and ends the run; a decision that is not possible ends it with `InvalidInput`.
#[derive(Clone, Debug)]
pub struct Kernel(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    script: Script,
    moves: VecDeque<Move>,
    /// For how long the present wait may go on.
    timeout: Option<Duration>,
    decided: Vec<String>,
    refused: Option<String>,
}

impl Kernel {
    /// Follows these moves, with the sockets of `script`.
    pub fn new(script: Script, moves: Vec<Move>) -> Kernel {
        Kernel(Rc::new(RefCell::new(State {
            script,
            moves: moves.into(),
            timeout: None,
            decided: vec![],
            refused: None,
        })))
    }

    /// How it stands.
    pub fn now(&self, is_over: bool) -> Now {
        self.0.borrow().now(is_over)
    }

    /// What was decided, in words.
    pub fn decided(&self) -> Vec<String> {
        self.0.borrow().decided.clone()
    }

    /// Why the next move was not possible, if there is one.
    pub fn refused(&self, is_over: bool) -> Option<String> {
        let it = self.0.borrow();
        let left = it.moves.front().filter(|_| is_over);
        let ended = left.map(|next| format!("{next}: the server has ended"));
        it.refused.clone().or(ended)
    }
}

impl Poller for Kernel {
    fn call(&self) -> &'static str {
        self.0.borrow().script.call()
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        self.0.borrow_mut().script.watch(socket, direction)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.0.borrow_mut().script.unwatch(fd, direction);
    }

    fn asked(&self) -> Option<Vec<Readiness>> {
        self.0.borrow().script.asked()
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let it = &mut *self.0.borrow_mut();
        it.timeout = timeout;
        loop {
            let next = it.moves.front().ok_or(ErrorKind::UnexpectedEof)?;
            if let Some(why) = it.refusal(next) {
                it.refused = Some(format!("{next}: {why}"));
                return Err(ErrorKind::InvalidInput.into());
            }
            let words = it.words(next);
            let decision = it.decision(next);
            it.decided.push(words);
            it.moves.pop_front();
            if let Decision::Sleep(time) = decision {
                it.timeout = it.timeout.map(|timeout| timeout - time);
            }
            it.script.decide(&[decision]);
            match it.script.wait(it.timeout, ready) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                answer => return answer,
            }
        }
    }
}

impl State {
    /// What happens in memory when this is decided now.
    fn decision(&self, next: &Move) -> Decision {
        let peer = |client: &usize| FIRST + client - 1;
        match next {
            Move::Connect => Decision::Connect(PORT),
            Move::Send(client, bytes) => Decision::Send(peer(client), bytes.clone()),
            Move::End(client) => Decision::ShutDown(peer(client)),
            Move::Reset(client) => Decision::Reset(peer(client)),
            Move::Room(client, bytes) => Decision::Room(peer(client), *bytes),
            Move::Read(client) => Decision::Receive(peer(client)),
            Move::NoDescriptors => Decision::Fail(PORT, libc::EMFILE),
            Move::Stop => Decision::Send(SIGNAL, b"x".to_vec()),
            Move::Select(those) => Decision::Report(those.clone()),
            Move::Truth => match self.ready() {
                those if those.is_empty() => Decision::Pass(Duration::ZERO),
                those => Decision::Report(those),
            },
            Move::Time(milliseconds) => {
                let time = Duration::from_millis(*milliseconds as u64);
                match self.timeout.filter(|timeout| *timeout <= time) {
                    Some(timeout) => Decision::Pass(timeout),
                    None => Decision::Sleep(time),
                }
            }
        }
    }

    /// Why this cannot be decided now, if it cannot.
    fn refusal(&self, next: &Move) -> Option<&'static str> {
        let (port, signal) = (self.script.peer(PORT), self.script.peer(SIGNAL));
        let (port, signal) = (port.look(), signal.look());
        let wrong = match next {
            Move::Connect if port.socket_closed => "the server accepts no more clients",
            Move::Connect if self.clients().count() >= MOST_CLIENTS => {
                "there are enough clients"
            }
            Move::Send(client, _) | Move::End(client) => {
                return self.with_client(*client, |it| {
                    it.peer_ended.then_some("that client sends no more")
                });
            }
            Move::Reset(client) | Move::Room(client, _) => {
                return self.with_client(*client, |it| {
                    let is_gone = it.reset || it.socket_closed;
                    is_gone.then_some("that connection is over")
                });
            }
            Move::Read(client) => {
                return self.with_client(*client, |it| {
                    it.to_peer.is_empty().then_some("nothing has come for that client")
                });
            }
            Move::NoDescriptors if port.clients.is_empty() => {
                "no client waits to be accepted"
            }
            Move::NoDescriptors if port.error.is_some() => "that has been decided",
            Move::Stop if signal.sent > 0 => "the server has been told to stop",
            Move::Stop if signal.socket_closed => "nothing waits for a signal any more",
            Move::Time(_) if self.timeout.is_none() => {
                "nothing waits for time, so only an event ends this select"
            }
            Move::Select(those) => return self.cannot_report(those),
            Move::Truth
                if self.ready().is_empty() && self.timeout != Some(Duration::ZERO) =>
            {
                "nothing is ready, so select sleeps on"
            }
            _ => return None,
        };
        Some(wrong)
    }

    fn with_client(
        &self,
        client: usize,
        wrong: impl Fn(&Between) -> Option<&'static str>,
    ) -> Option<&'static str> {
        match client.checked_sub(1).and_then(|at| self.clients().nth(at)) {
            Some(peer) => wrong(&peer.look()),
            None => Some("that client has not connected"),
        }
    }

    fn cannot_report(&self, those: &[Readiness]) -> Option<&'static str> {
        let watched = self.script.watched();
        let is_twice = (1..those.len()).any(|at| those[..at].contains(&those[at]));
        match those.iter().all(|it| watched.contains(it)) {
            false => Some("select reports only what it was asked"),
            true if is_twice => Some("select reports each descriptor once"),
            true => None,
        }
    }

    fn clients(&self) -> impl Iterator<Item = Peer> {
        self.script.peers().into_iter().skip(FIRST)
    }

    /// What `select` would report if it told the truth.
    fn ready(&self) -> Vec<Readiness> {
        let mut watched = self.script.watched();
        watched.retain(|it| self.script.is_ready(*it));
        watched
    }

    fn words(&self, next: &Move) -> String {
        let text = |bytes: &[u8]| format!("\"{}\"", bytes.escape_ascii());
        match next {
            Move::Connect => format!("Client {} connects.", self.clients().count() + 1),
            Move::Send(client, bytes) => {
                format!("Client {client} sends {}.", text(bytes))
            }
            Move::End(client) => format!("Client {client} sends no more."),
            Move::Reset(client) => format!("Client {client} resets its connection."),
            Move::Room(client, bytes) => {
                format!("For client {client}, the kernel has room for {bytes} bytes.")
            }
            Move::Read(client) => format!("Client {client} reads what has come."),
            Move::NoDescriptors => {
                "The process has no free descriptor for the next accept.".into()
            }
            Move::Time(milliseconds) => {
                let most = self.timeout.unwrap_or_default().as_millis() as usize;
                format!("{} ms pass.", most.min(*milliseconds))
            }
            Move::Stop => "Ctrl-C.".into(),
            Move::Select(those) => self.reports(those),
            Move::Truth => self.reports(&self.ready()),
        }
    }

    fn reports(&self, those: &[Readiness]) -> String {
        let word = |it: &Readiness| {
            let can = if it.1 == Direction::Read { "read" } else { "written" };
            let lie = if self.script.is_ready(*it) { "" } else { " (a lie)" };
            format!("{} can be {can}{lie}", it.0)
        };
        match those {
            [] => "select reports nothing.".into(),
            those => {
                let words: Vec<_> = those.iter().map(word).collect();
                format!("select reports: {}.", words.join(", "))
            }
        }
    }

    fn now(&self, is_over: bool) -> Now {
        let watched = self.script.watched().into_iter().map(|it| Watched {
            fd: it.0,
            read: it.1 == Direction::Read,
            ready: self.script.is_ready(it),
        });
        let possible = match is_over {
            true => vec![],
            false => self.possible().iter().map(Move::kind).collect(),
        };
        Now {
            over: is_over,
            timeout: self.timeout.map(|it| it.as_micros().div_ceil(1000) as u64),
            watched: watched.filter(|_| !is_over).collect(),
            clients: self.clients().map(|peer| client(&peer.look())).collect(),
            possible,
        }
    }

    /// One move of each kind that is possible now.
    fn possible(&self) -> Vec<Move> {
        let of_client = |client| {
            [
                Move::Send(client, b"hi\n".to_vec()),
                Move::End(client),
                Move::Reset(client),
                Move::Room(client, 1),
                Move::Read(client),
            ]
        };
        let mut moves = vec![Move::Connect];
        moves.extend((1..=self.clients().count()).flat_map(of_client));
        moves.extend([Move::NoDescriptors, Move::Time(1), Move::Stop, Move::Truth]);
        let watched = self.script.watched();
        moves.extend((!watched.is_empty()).then_some(Move::Select(watched)));
        moves.retain(|it| self.refusal(it).is_none());
        moves
    }
}

fn client(it: &Between) -> Client {
    let text = |bytes: &[u8]| bytes.iter().map(|byte| *byte as char).collect();
    let (first, second) = it.to_socket.as_slices();
    Client {
        fd: it.number,
        to_server: text(&[first, second].concat()),
        to_client: text(&it.to_peer),
        received: text(&it.received),
        room: it.room(),
        ended: it.peer_ended,
        closed: it.socket_closed,
        reset: it.reset,
    }
}
