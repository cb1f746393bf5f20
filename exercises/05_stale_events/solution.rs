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
    // ANSWER: what must be remembered?
    /// The generation of each descriptor that is watched.
    generations: BTreeMap<RawFd, u32>,
    /// How many have been watched so far.
    count: u32,
    // STARTER
    //| // What must be remembered?
    // ANSWER_END
}

impl Watched {
    /// Begins to watch `fd`: the key for this use of the number, which no earlier use has had. (It
    /// may come back after four thousand million others.)
    pub fn add(&mut self, fd: RawFd) -> Key {
        // ANSWER: a key that holds the descriptor and something that is new each time
        self.count = self.count.wrapping_add(1);
        self.generations.insert(fd, self.count);
        Key::from(self.count) << 32 | Key::from(fd as u32)
        // ANSWER_END
    }

    /// Ends watching `fd`: it is about to be closed.
    pub fn remove(&mut self, fd: RawFd) {
        // ANSWER: its key means nobody from now on
        self.generations.remove(&fd);
        // ANSWER_END
    }

    /// Whom an event means: the descriptor, or nobody, if the one that it was for is gone.
    pub fn find(&self, key: Key) -> Option<RawFd> {
        // ANSWER: the descriptor, if it is still the one that the key was made for
        let (generation, fd) = ((key >> 32) as u32, key as u32 as RawFd);
        (self.generations.get(&fd) == Some(&generation)).then_some(fd)
        // ANSWER_END
    }
}
