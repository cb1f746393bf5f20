//! What may happen next.

use std::os::fd::RawFd;
use std::time::Duration;

use super::seen::FIRST_PEER;
use super::world::World;
use crate::net::{Direction, Readiness};
use crate::poller::Decision;

/// The listening socket, and the one that brings the signal to stop: descriptors …
const LISTENER: RawFd = 3;
const SIGNALS: RawFd = 4;
/// … and numbers of peers.
pub const PORT: usize = 0;
pub const SIGNAL: usize = 1;

/// As much room as all needs.
pub const ALL: usize = 1000;

/// A step in time that is shorter than any patience.
pub const A_WHILE: Duration = Duration::from_millis(500);

/// What happens between two looks at the world.
pub type Move = Vec<Decision>;

impl World<'_> {
    /// All that may happen next.
    pub fn moves(&self) -> Vec<Move> {
        let mut moves = self.moves_of_clients();
        if !self.is_signalled() {
            moves.push(self.signal());
        }
        for report in self.reports() {
            if let Some(until) = self.seen().timeout.filter(|it| !it.is_zero()) {
                moves.push([&[Decision::Sleep(until)], &report[..]].concat());
            }
            moves.push(report);
        }
        moves.push(vec![Decision::Report(self.not_watched())]);
        let mut answers = vec![Decision::TimeOut];
        let is_timed = self.has_stopped() || !self.seen().deadlines.is_empty();
        if is_timed && self.pauses() < self.bounds.pauses {
            answers.push(Decision::Pass(A_WHILE));
        }
        for answer in answers {
            let rooms = self.rooms(&[]).into_iter();
            moves.extend(rooms.map(|rooms| then(rooms, answer.clone())));
        }
        moves
    }

    /// The signal to stop comes.
    pub fn signal(&self) -> Move {
        vec![Decision::Send(SIGNAL, vec![b'x'])]
    }

    /// What clients may do while the scheduler sleeps.
    fn moves_of_clients(&self) -> Vec<Move> {
        let mut moves = vec![];
        for peer in (FIRST_PEER..).take(self.clients()) {
            let it = self.script.peer(peer);
            let it = it.look();
            if !it.to_peer.is_empty() {
                moves.push(Decision::Receive(peer));
            }
            if it.peer_ended {
                continue;
            }
            if let Some(byte) = self.bounds.bytes(peer - FIRST_PEER).get(it.sent) {
                moves.push(Decision::Send(peer, vec![*byte]));
            }
            moves.push(Decision::ShutDown(peer));
            if self.faults() < self.bounds.faults {
                moves.push(Decision::Reset(peer));
            }
        }
        let is_open = !self.script.peer(PORT).look().socket_closed;
        if is_open && self.clients() < self.bounds.clients {
            moves.push(Decision::Connect(PORT));
        }
        moves.into_iter().map(|it| vec![it]).collect()
    }

    /// Any of what is watched is reported, in any order, be it ready or not; with any amount of
    /// room, or with an error.
    fn reports(&self) -> Vec<Move> {
        let watched = self.script.watched();
        let mut all = vec![vec![]];
        let mut longest = all.clone();
        for _ in &watched {
            let longer = |those: &Vec<Readiness>| -> Vec<_> {
                let others = watched.iter().filter(|it| !those.contains(it));
                others.map(|other| [&those[..], &[*other]].concat()).collect()
            };
            longest = longest.iter().flat_map(longer).collect();
            all.extend(longest.clone());
        }
        let befores = |those: Vec<Readiness>| {
            let befores = [self.rooms(&those), self.errors(&those)].concat();
            let report = Decision::Report(those);
            befores.into_iter().map(move |before| then(before, report.clone()))
        };
        all.into_iter().skip(1).flat_map(befores).collect()
    }

    /// What fails when this is reported.
    fn errors(&self, those: &[Readiness]) -> Vec<Move> {
        let errors = [
            (LISTENER, Decision::Fail(PORT, libc::EMFILE)),
            (LISTENER, Decision::Fail(PORT, libc::ECONNABORTED)),
            (LISTENER, Decision::Fail(PORT, libc::EBADF)),
            (SIGNALS, Decision::Fail(SIGNAL, libc::EIO)),
        ];
        let mut errors = errors.to_vec();
        let is_reported = |fd| those.contains(&(fd, Direction::Read));
        errors.retain(|(fd, _)| is_reported(*fd) && self.faults() < self.bounds.faults);
        errors.into_iter().map(|(_, error)| vec![error]).collect()
    }

    /// Room for all, for nothing, or for one byte, for each client that may be sent something when
    /// this is reported.
    fn rooms(&self, those: &[Readiness]) -> Vec<Move> {
        let seen = self.seen();
        let ready = seen.state.ready.iter().filter_map(|id| seen.tasks.get(id)?.fd);
        let sending = those.iter().filter(|(_, direction)| {
            self.bounds.sends_first || *direction == Direction::Write
        });
        let fds: Vec<RawFd> = sending.map(|(fd, _)| *fd).chain(ready).collect();
        let mut rooms = vec![vec![]];
        for client in 0..self.clients() {
            let fd = seen.handler(client).and_then(|task| task.fd);
            if fd.is_none_or(|fd| !fds.contains(&fd)) {
                continue;
            }
            let peer = FIRST_PEER + client;
            let it = self.script.peer(peer);
            let it = it.look();
            let arrived = it.to_peer.len();
            let unsent = it.sent - it.received.len() - arrived;
            let mut narrow: Vec<Move> = vec![];
            for room in 0..unsent.min(2) {
                let this = [Decision::Room(peer, arrived + room)];
                narrow.extend(rooms.iter().map(|others| [&others[..], &this].concat()));
            }
            rooms.extend(narrow);
        }
        rooms
    }

    /// What no task waits for.
    fn not_watched(&self) -> Vec<Readiness> {
        let watched = self.script.watched();
        let fds = LISTENER..=SIGNALS + self.bounds.clients as RawFd;
        let all = fds.flat_map(|fd| [(fd, Direction::Read), (fd, Direction::Write)]);
        all.filter(|it| !watched.contains(it)).collect()
    }

    /// What happens next where the poller tells the truth and the clients do their part; in the
    /// end, that is the signal to stop.
    pub fn fair_move(&self) -> Move {
        let mut ready = self.script.watched();
        ready.retain(|it| self.script.is_ready(*it));
        if !ready.is_empty() {
            return vec![Decision::Report(ready)];
        }
        let timeout = self.seen().timeout;
        // A client waits until it has got back what it has sent, before it goes on.
        let is_fair = |it: &Move| match it[0] {
            Decision::Send(peer, _) => self.is_answered(peer),
            Decision::ShutDown(peer) => {
                let it = self.script.peer(peer);
                let it = it.look();
                let has_more = it.sent < self.bounds.bytes(peer - FIRST_PEER).len();
                it.socket_ended || self.is_answered(peer) && !has_more
            }
            Decision::Reset(_) => false,
            _ => true,
        };
        let next = self.moves_of_clients().into_iter().find(is_fair);
        match next.filter(|_| timeout != Some(Duration::ZERO)) {
            Some(next) => next,
            None if timeout.is_some() => vec![Decision::TimeOut],
            None => self.signal(),
        }
    }

    /// The client has got back all that it has sent so far.
    fn is_answered(&self, peer: usize) -> bool {
        let it = self.script.peer(peer);
        let it = it.look();
        it.received.len() == it.sent
    }
}

/// This is decided, then the scheduler is answered, and then there is room again.
fn then(before: Move, answer: Decision) -> Move {
    let again = |it: &Decision| match it {
        Decision::Room(peer, _) => Some(Decision::Room(*peer, ALL)),
        _ => None,
    };
    let after: Move = before.iter().filter_map(again).collect();
    [before, vec![answer], after].concat()
}
