//! What one connection of a `select` server must remember: a server that greets, then echoes.
//!
//! The page of this exercise: chapters/exercises/03_connection.md

use std::io::{self, Read, Write};

/// What a client is sent first.
pub const GREETING: &[u8] = b"hello, I repeat\n";

/// Where a connection is, and what it needs to go on.
enum State {
    /// It waits for input.
    Receiving,
    /// It waits for room, for these bytes, which are still to be sent.
    Sending(Vec<u8>),
}

/// One connection. It never blocks: `stream` says `WouldBlock` instead.
pub struct Connection<S> {
    /// The client's socket.
    pub stream: S,
    state: State,
}

/// What to ask `select` about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Tell it when there is something to read.
    Read,
    /// Tell it when there is room to write.
    Write,
}

impl<S: Read + Write> Connection<S> {
    /// A client has been accepted. Nothing is sent before the first turn.
    pub fn new(stream: S) -> Connection<S> {
        // ANSWER: in which state does it begin?
        Connection { stream, state: State::Sending(GREETING.to_vec()) }
        // ANSWER_END
    }

    /// What it waits for in its present state.
    pub fn wants(&self) -> Wants {
        // ANSWER: what to ask select
        match self.state {
            State::Receiving => Wants::Read,
            State::Sending(_) => Wants::Write,
        }
        // ANSWER_END
    }

    /// `select` says that it can go on: makes one call, and remembers what came of it. False when
    /// the client has no more to send and everything has been sent to it.
    ///
    /// # Errors
    ///
    /// That of the call. After `WouldBlock` the connection is as it was, and another turn will
    /// come.
    pub fn turn(&mut self) -> io::Result<bool> {
        // ANSWER: one read or one write, and the state after it
        match &mut self.state {
            State::Receiving => {
                let mut buffer = [0; 4096];
                let received = self.stream.read(&mut buffer)?;
                if received == 0 {
                    return Ok(false);
                }
                self.state = State::Sending(buffer[..received].to_vec());
            }
            State::Sending(bytes) => {
                let sent = self.stream.write(bytes)?;
                bytes.drain(..sent);
                if bytes.is_empty() {
                    self.state = State::Receiving;
                }
            }
        }
        Ok(true)
        // ANSWER_END
    }
}
