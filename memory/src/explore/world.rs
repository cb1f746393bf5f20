//! A run up to some moment: what may happen next, what has to be so, and what tells it apart from
//! other runs.

use std::cell::{Ref, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use super::Bounds;
use super::moves::{A_WHILE, PORT, SIGNAL};
use super::seen::{FIRST_PEER, Seen, Shared, Task};
use crate::cli::Options;
use crate::net::{self, ACCEPT_PAUSE, Direction};
use crate::poller::{Decision, Script};
use crate::scheduler::Scheduler;
use crate::scheduler::event::CLOSE_PATIENCE;
use crate::scheduler::stop::STOP_GRACE;
use crate::trace::Want;

/// The server, its clients and its poller, after some decisions.
pub struct World<'a> {
    pub bounds: &'a Bounds,
    pub decisions: Vec<Decision>,
    pub script: Script,
    seen: Rc<RefCell<Seen>>,
    /// What the scheduler's run has come to, if it is over.
    pub over: Option<Result<(), ErrorKind>>,
    _scheduler: Scheduler,
}

impl<'a> World<'a> {
    /// The world after these decisions.
    pub fn after(bounds: &'a Bounds, decisions: Vec<Decision>) -> World<'a> {
        let script = bounds.script();
        let seen = Rc::new(RefCell::new(Seen::new(script.clone())));
        let trace = Box::new(Shared(Rc::clone(&seen)));
        let sockets = [script.socket(), script.socket()];
        let mut scheduler =
            crate::server(script.clone(), sockets, trace, Options::default());
        script.decide(&decisions);
        let over = match catch_unwind(AssertUnwindSafe(|| scheduler.run())) {
            Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => None,
            Ok(result) => Some(result.map_err(|error| error.kind())),
            Err(_) => {
                seen.borrow_mut().panicked = true;
                Some(Err(ErrorKind::Other))
            }
        };
        World { bounds, decisions, script, seen, over, _scheduler: scheduler }
    }

    /// What the scheduler has reported.
    pub fn seen(&self) -> Ref<'_, Seen> {
        self.seen.borrow()
    }

    /// A stop has begun.
    pub fn has_stopped(&self) -> bool {
        self.seen().stopped.is_some()
    }

    /// How many of the decisions are of this kind.
    fn count(&self, is: impl Fn(&Decision) -> bool) -> usize {
        self.decisions.iter().filter(|it| is(it)).count()
    }

    /// How many clients have connected.
    pub fn clients(&self) -> usize {
        self.count(|it| matches!(it, Decision::Connect(_)))
    }

    fn has_reset(&self, client: usize) -> bool {
        self.count(|it| *it == Decision::Reset(FIRST_PEER + client)) > 0
    }

    /// How many things have gone wrong.
    pub fn faults(&self) -> usize {
        self.count(|it| matches!(it, Decision::Reset(_) | Decision::Fail(..)))
    }

    /// The server may end although no signal has come.
    fn is_broken(&self) -> bool {
        self.count(|it| {
            matches!(it, Decision::Fail(PORT, libc::EBADF) | Decision::Fail(SIGNAL, _))
        }) > 0
    }

    /// How often half a second has passed.
    pub fn pauses(&self) -> usize {
        self.count(|it| *it == Decision::Pass(A_WHILE))
    }

    /// The signal to stop has come.
    pub fn is_signalled(&self) -> bool {
        self.script.peer(SIGNAL).look().sent > 0
    }

    /// What is wrong, if anything is.
    pub fn wrong(&self) -> Option<String> {
        let seen = self.seen();
        if seen.panicked {
            return Some("it panics".into());
        }
        let clients = (0..self.clients()).find_map(|client| self.wrong_with(client));
        clients.or_else(|| match &self.over {
            Some(result) => self.wrong_end(*result),
            None if self.is_late() => Some("the stop lasts for too long".into()),
            None => self.wrong_place().or_else(|| self.wrong_timeout()),
        })
    }

    /// Each task is in exactly one place, which after a stop is none for something new, and just
    /// what is waited for is watched.
    fn wrong_place(&self) -> Option<String> {
        let seen = self.seen();
        let state = &seen.state;
        let waiting = state.read.iter().chain(&state.write).map(|(_, task)| task);
        let mut places: Vec<_> =
            state.ready.iter().chain(waiting).chain(&state.timer).copied().collect();
        places.sort();
        let tasks: Vec<_> = seen.tasks.keys().copied().collect();
        if places != tasks || state.running != tasks.len() {
            return Some(format!(
                "the tasks {tasks:?} should be in one place each: {state:?}"
            ));
        }
        let is_new = |task: &Task| {
            matches!(task.want, Want::Accept | Want::Read) && task.result.is_none()
        };
        if seen.stopped.is_some() && seen.tasks.values().any(is_new) {
            return Some("a task waits for something new, after a stop".into());
        }
        let read = state.read.iter().map(|(fd, _)| (*fd, Direction::Read));
        let write = state.write.iter().map(|(fd, _)| (*fd, Direction::Write));
        let mut waited_for: Vec<_> = read.chain(write).collect();
        waited_for.sort();
        let watched = self.script.watched();
        (waited_for != watched)
            .then(|| format!("waited for is {waited_for:?}, and watched is {watched:?}"))
    }

    /// The scheduler sleeps until the next moment at which something is due, and not longer.
    fn wrong_timeout(&self) -> Option<String> {
        let seen = self.seen();
        let sleeps = seen.state.timer.iter().filter_map(|id| {
            let is_short = seen.refused.last() == Some(&ErrorKind::ConnectionAborted);
            let pause = if is_short { Duration::ZERO } else { ACCEPT_PAUSE };
            Some(seen.tasks.get(id)?.since + pause)
        });
        let is_overdue = |task: &Task| {
            let is_waiting = task.want == Want::Close && task.result.is_none();
            is_waiting && net::now() >= task.since + CLOSE_PATIENCE
        };
        if seen.tasks.values().any(is_overdue) {
            return Some("a close has not given up in time".into());
        }
        let closes = seen.deadlines.iter().map(|(deadline, ..)| *deadline);
        let stop = seen.stopped.map(|since| since + STOP_GRACE);
        let next = sleeps.chain(closes).chain(stop).min();
        let next = match seen.state.ready.is_empty() {
            true => next.map(|next| next - net::now()),
            false => Some(Duration::ZERO),
        };
        let timeout = seen.timeout;
        (timeout != next).then(|| {
            format!(
                "the scheduler sleeps for {timeout:?}, and something is due in {next:?}"
            )
        })
    }

    /// The time for a stop is over.
    fn is_late(&self) -> bool {
        self.seen().stopped.is_some_and(|since| net::now() >= since + STOP_GRACE)
    }

    /// What a client is owed.
    fn wrong_with(&self, client: usize) -> Option<String> {
        let seen = self.seen();
        let peer = self.script.peer(FIRST_PEER + client);
        let it = peer.look();
        let is_excused =
            self.has_reset(client) || seen.gave_up.contains(&client) || self.is_late();
        if is_excused || client >= seen.accepted {
            return None;
        }
        let name = format!("client {}", client + 1);
        if it.reset {
            return Some(format!("the connection of {name} was reset"));
        }
        if it.socket_closed && !it.peer_ended {
            return Some(format!("{name} had not ended, and was closed"));
        }
        let closing = seen.handler(client).is_some_and(|task| task.want == Want::Close);
        if closing && !it.socket_ended {
            return Some(format!("{name} is not told that no more comes"));
        }
        let mut back = [&it.received[..], &it.to_peer].concat();
        if let Some(task) = seen.handler(client) {
            back.extend(&task.bytes);
        }
        let sent = &self.bounds.bytes(client)[..it.sent];
        let owed = seen.told.get(&client).map_or(it.sent, |owed| *owed);
        let text = String::from_utf8_lossy;
        if !sent.starts_with(&back) {
            let (back, sent) = (text(&back), text(sent));
            return Some(format!("{name} sent {sent:?} and gets {back:?}"));
        }
        let left = if seen.told.contains_key(&client) { 0 } else { it.to_socket.len() };
        (back.len() + left < owed).then(|| {
            let (back, owed) = (text(&back), text(&sent[..owed]));
            format!("{name} is owed {owed:?}, and there is only {back:?}")
        })
    }

    /// The run has ended as it should: with all tasks, and for a reason.
    fn wrong_end(&self, result: Result<(), ErrorKind>) -> Option<String> {
        let seen = self.seen();
        if !seen.tasks.is_empty() {
            let left = seen.tasks.keys().collect::<Vec<_>>();
            return Some(format!("the run is over, and the tasks {left:?} are not"));
        }
        let is_asked = self.is_signalled() || self.is_broken();
        if result.is_err() != self.is_broken() || seen.stopped.is_none() || !is_asked {
            return Some(format!("the run is over with {result:?}"));
        }
        let closed = |peer: &usize| self.script.peer(*peer).look().socket_closed;
        let peers =
            [PORT, SIGNAL].into_iter().chain(FIRST_PEER..).take(2 + seen.accepted);
        let open = peers.filter(|peer| !closed(peer)).collect::<Vec<_>>();
        (!open.is_empty())
            .then(|| format!("the sockets of peers {open:?} are still open"))
    }

    /// Whether all that a client can want has been done: nothing is left but to stop.
    pub fn is_unserved(&self) -> Option<String> {
        let seen = self.seen();
        if self.is_signalled() {
            return Some("there is nothing left to happen, and no end".into());
        }
        (0..self.clients()).find_map(|client| {
            let peer = self.script.peer(FIRST_PEER + client);
            let it = peer.look();
            let is_served = it.received.len() == it.sent && it.socket_closed;
            let is_fine = is_served || self.has_reset(client) || seen.stopped.is_some();
            (!is_fine).then(|| format!("client {} waits for ever", client + 1))
        })
    }

    /// The same number for runs from which on the same things can happen.
    pub fn key(&self) -> u64 {
        let mut key = DefaultHasher::new();
        let seen = self.seen();
        let (now, state) = (net::now(), &seen.state);
        if self.over.is_some() {
            return 0; // an end is like any other: nothing can follow
        }
        for (id, task) in &seen.tasks {
            let is_timed = matches!(task.want, Want::Sleep | Want::Close);
            let age = is_timed.then(|| now - task.since);
            let at = (task.line, task.want as u8, task.fd, task.bytes.len());
            (id, at, task.result, age).hash(&mut key);
        }
        (&state.ready, &state.read, &state.write, &state.timer).hash(&mut key);
        for (deadline, id, fd) in &seen.deadlines {
            (*deadline - now, id, fd).hash(&mut key);
        }
        seen.stopped.map(|since| now - since).hash(&mut key);
        (&seen.gave_up, &seen.told, seen.accepted, &seen.refused).hash(&mut key);
        for peer in 0..FIRST_PEER + self.clients() {
            let it = self.script.peer(peer);
            let it = it.look();
            let bytes =
                (it.sent, it.to_socket.len(), it.to_peer.len(), it.received.len());
            let ends = (it.peer_ended, it.end_received, it.socket_ended);
            (bytes, ends, it.socket_closed, it.reset, it.error).hash(&mut key);
        }
        // What may still be decided.
        (self.faults(), self.is_broken(), self.pauses()).hash(&mut key);
        key.finish()
    }
}
