//! Events that come late, for a descriptor that belongs to somebody else by now.
//!
//! The page of this exercise: chapters/exercises/05_stale_events.md

use std::collections::BTreeMap;
use std::os::fd::RawFd;

/// What `epoll` is given with each descriptor, and gives back with each event.
pub type Key = u64;

/// The descriptors that are watched.
#[derive(Debug, Default)]
pub struct Watched {
    // What must be remembered?
}

impl Watched {
    /// Begins to watch `fd`: the key for this use of the number, which no earlier use has had. (It
    /// may come back after four thousand million others.)
    pub fn add(&mut self, fd: RawFd) -> Key {
        todo!("a key that holds the descriptor and something that is new each time")
    }

    /// Ends watching `fd`: it is about to be closed.
    pub fn remove(&mut self, fd: RawFd) {
        todo!("its key means nobody from now on")
    }

    /// Whom an event means: the descriptor, or nobody, if the one that it was for is gone.
    pub fn find(&self, key: Key) -> Option<RawFd> {
        todo!("the descriptor, if it is still the one that the key was made for")
    }
}
