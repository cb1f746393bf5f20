//! A run that comes to something wrong, in words and as a recording.

use std::fmt::{self, Display};
use std::io;

use super::Bounds;
use super::moves::{ALL, PORT, SIGNAL};
use super::seen::FIRST_PEER;
use crate::cli::Options;
use crate::net::Direction;
use crate::poller::Decision;

/// A run that comes to something wrong.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong.
    pub why: String,
    /// What has to be decided to see it.
    pub decisions: Vec<Decision>,
    /// That run, as the player opens it.
    pub recording: String,
}

impl Failure {
    /// These decisions lead to something wrong.
    pub fn new(bounds: &Bounds, decisions: &[Decision], why: String) -> Box<Failure> {
        let options = Options::default();
        let recording = crate::record_with(bounds.script(), decisions, options);
        Box::new(Failure { why, decisions: decisions.to_vec(), recording })
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, decision) in (1..).zip(&self.decisions) {
            writeln!(f, "{number:3}. {}", words(decision))?;
        }
        write!(f, "wrong: {}", self.why)
    }
}

fn words(decision: &Decision) -> String {
    let client = |peer: &usize| format!("client {}", peer - FIRST_PEER + 1);
    match decision {
        Decision::Connect(_) => "a client connects".into(),
        Decision::Send(SIGNAL, _) => "the signal to stop comes".into(),
        Decision::Send(peer, bytes) => {
            format!("{} sends {:?}", client(peer), String::from_utf8_lossy(bytes))
        }
        Decision::Receive(peer) => format!("{} receives what has come", client(peer)),
        Decision::ShutDown(peer) => format!("{} sends no more", client(peer)),
        Decision::Reset(peer) => format!("{} resets its connection", client(peer)),
        Decision::Room(peer, ALL) => format!("there is room for {} again", client(peer)),
        Decision::Room(peer, room) => {
            format!(
                "there is room for {room} bytes that {} has not received",
                client(peer)
            )
        }
        Decision::Fail(peer, code) => {
            let call = if *peer == PORT { "accept" } else { "receive" };
            format!("the next {call} fails: {}", io::Error::from_raw_os_error(*code))
        }
        Decision::Report(those) => {
            let word = |(fd, direction): &(i32, Direction)| match direction {
                Direction::Read => format!("{fd} can be read"),
                Direction::Write => format!("{fd} can be written"),
            };
            let words: Vec<_> = those.iter().map(word).collect();
            format!("the poller says: {}", words.join(", "))
        }
        Decision::Sleep(time) => format!("{time:?} pass"),
        Decision::TimeOut => "the poller says nothing until the timeout".into(),
        Decision::Pass(time) => format!("the poller says nothing for {time:?}"),
    }
}
