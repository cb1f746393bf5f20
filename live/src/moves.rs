//! What can be decided, and how an address writes it.
//!
//! A scenario is a list of words with commas between them, such as
//! `connect,select=3r,1:send=hi%0A,truth`.

use std::fmt::{self, Display};
use std::os::fd::RawFd;
use std::str::FromStr;

use bricks_in_memory::net::{Direction, Readiness};

/// A scenario has at most so many moves.
pub const MOST_MOVES: usize = 2000;

/// A move brings at most so many bytes, or so much time.
const MOST: usize = 100_000;

/// What the reader decides. A client is told by its number; the first is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// A client connects, and is the next.
    Connect,
    /// The client sends these bytes.
    Send(usize, Vec<u8>),
    /// The client shuts down sending.
    End(usize),
    /// The client resets its connection.
    Reset(usize),
    /// There is room for so many bytes that have been sent to the client, and that it has not read.
    Room(usize, usize),
    /// The client reads all that has arrived.
    Read(usize),
    /// The next `accept` finds the process without a free descriptor.
    NoDescriptors,
    /// So many milliseconds pass.
    Time(usize),
    /// Ctrl-C.
    Stop,
    /// `select` reports these, ready or not.
    Select(Vec<Readiness>),
    /// `select` reports what is ready.
    Truth,
}

/// A list of moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// A second task accepts clients, too.
    pub has_second: bool,
    /// What happens, in this order.
    pub moves: Vec<Move>,
}

impl Move {
    /// Its word, without what it is about: what a page's button is called.
    pub fn kind(&self) -> String {
        let text = self.to_string();
        text.split('=').next().unwrap_or_default().to_string()
    }
}

impl Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Move::Connect => f.write_str("connect"),
            Move::Send(client, bytes) => {
                write!(f, "{client}:send=")?;
                bytes.iter().try_for_each(|byte| match byte {
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => {
                        write!(f, "{}", *byte as char)
                    }
                    byte => write!(f, "%{byte:02X}"),
                })
            }
            Move::End(client) => write!(f, "{client}:end"),
            Move::Reset(client) => write!(f, "{client}:reset"),
            Move::Room(client, bytes) => write!(f, "{client}:room={bytes}"),
            Move::Read(client) => write!(f, "{client}:read"),
            Move::NoDescriptors => f.write_str("accept-fails"),
            Move::Time(milliseconds) => write!(f, "time={milliseconds}"),
            Move::Stop => f.write_str("stop"),
            Move::Select(those) => {
                let word = |(fd, direction): &Readiness| match direction {
                    Direction::Read => format!("{fd}r"),
                    Direction::Write => format!("{fd}w"),
                };
                let words: Vec<_> = those.iter().map(word).collect();
                write!(f, "select={}", words.join("+"))
            }
            Move::Truth => f.write_str("truth"),
        }
    }
}

impl FromStr for Move {
    type Err = String;

    fn from_str(text: &str) -> Result<Move, String> {
        let wrong = || format!("{text:?} is no move");
        let (word, about) = match text.split_once('=') {
            Some((word, about)) => (word, Some(about)),
            None => (text, None),
        };
        let (client, word) = match word.split_once(':') {
            Some((client, word)) => (Some(number(client).ok_or_else(wrong)?), word),
            None => (None, word),
        };
        let found = match (client, word, about) {
            (None, "connect", None) => Some(Move::Connect),
            (Some(client), "send", Some(it)) => {
                unescaped(it).map(|bytes| Move::Send(client, bytes))
            }
            (Some(client), "end", None) => Some(Move::End(client)),
            (Some(client), "reset", None) => Some(Move::Reset(client)),
            (Some(client), "room", Some(it)) => {
                number(it).map(|bytes| Move::Room(client, bytes))
            }
            (Some(client), "read", None) => Some(Move::Read(client)),
            (None, "accept-fails", None) => Some(Move::NoDescriptors),
            (None, "time", Some(it)) => number(it).map(Move::Time),
            (None, "stop", None) => Some(Move::Stop),
            (None, "select", Some(it)) => {
                it.split('+').map(readiness).collect::<Option<_>>().map(Move::Select)
            }
            (None, "truth", None) => Some(Move::Truth),
            _ => None,
        };
        found.ok_or_else(wrong)
    }
}

impl Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.has_second.then(|| "second".to_string());
        let moves = self.moves.iter().map(Move::to_string);
        f.write_str(&second.into_iter().chain(moves).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(text: &str) -> Result<Scenario, String> {
        let mut words = text.split(',').filter(|word| !word.is_empty()).peekable();
        let has_second = words.next_if_eq(&"second").is_some();
        let moves = words.map(str::parse).collect::<Result<Vec<_>, _>>()?;
        if moves.len() > MOST_MOVES {
            return Err(format!("a scenario has at most {MOST_MOVES} moves"));
        }
        Ok(Scenario { has_second, moves })
    }
}

fn number(text: &str) -> Option<usize> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= MOST)
}

fn readiness(text: &str) -> Option<Readiness> {
    let (fd, direction) = match text.strip_suffix('r') {
        Some(fd) => (fd, Direction::Read),
        None => (text.strip_suffix('w')?, Direction::Write),
    };
    Some((number(fd)? as RawFd, direction))
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (vec![], text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, rest) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |it: &u8| (*it as char).to_digit(16);
                (digit(high)? * 16 + digit(low)?) as u8
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    (1..=MOST).contains(&bytes.len()).then_some(bytes)
}
