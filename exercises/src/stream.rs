//! A stream that does what its script says: takes a little, gives a little, refuses.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};

/// What the next call on a [`Stream`] does.
#[derive(Clone, Debug)]
pub enum Does {
    /// A write takes this many bytes at most.
    Takes(usize),
    /// A read gives these bytes; none at all are the end of input.
    Gives(&'static [u8]),
    /// The call fails.
    Fails(ErrorKind),
}

/// A stream with a script. What is not in the script is refused as a bug of the caller.
#[derive(Debug, Default)]
pub struct Stream {
    script: VecDeque<Does>,
    /// What has been written to it.
    pub written: Vec<u8>,
    /// How often it has been called.
    pub calls: usize,
    too_many: &'static str,
}

impl Stream {
    /// A stream whose calls do this, in this order.
    pub fn new(script: impl IntoIterator<Item = Does>) -> Stream {
        let script = script.into_iter().collect();
        Stream { script, written: vec![], calls: 0, too_many: "nothing was left to do" }
    }

    /// What a call means that comes after the end of the script.
    pub fn or(mut self, too_many: &'static str) -> Stream {
        self.too_many = too_many;
        self
    }

    fn next(&mut self, call: &str) -> io::Result<Does> {
        self.calls += 1;
        match self.script.pop_front() {
            Some(Does::Fails(kind)) => Err(kind.into()),
            Some(does) => Ok(does),
            None => panic!("a {call} too many: {}", self.too_many),
        }
    }

    /// Whether the script has been played to its end.
    pub fn is_over(&self) -> bool {
        self.script.is_empty()
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.next("write")? {
            Does::Takes(most) => {
                let taken = most.min(bytes.len());
                self.written.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
            does => panic!("a write where a read was due: {does:?}"),
        }
    }

    fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
        panic!("`write_all` is what you are building: call `write`")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        match self.next("read")? {
            Does::Gives(bytes) => {
                assert!(bytes.len() <= space.len(), "room for {} bytes", space.len());
                space[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
            does => panic!("a read where a write was due: {does:?}"),
        }
    }
}
