//! What the executor's files take from here in place of the standard library's types.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net;
use std::sync::{Arc, LockResult};

pub use loom::sync::MutexGuard;
use loom::sync::atomic;
pub use loom::sync::atomic::Ordering;
pub use std::sync::PoisonError;

use crate::World;
use crate::steps::{self, What};

/// A lock whose uses are steps.
#[derive(Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Waits for the lock.
    ///
    /// # Errors
    ///
    /// None: what panics ends the scenario.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let guard = self.0.lock();
        steps::add(What::Lock);
        guard
    }
}

/// A flag whose uses are steps. The executor has one for each task: `queued`.
pub struct AtomicBool(atomic::AtomicBool);

impl AtomicBool {
    /// A new flag.
    pub fn new(value: bool) -> AtomicBool {
        AtomicBool(atomic::AtomicBool::new(value))
    }

    /// Sets it, and returns what it was.
    #[track_caller]
    pub fn swap(&self, value: bool, order: Ordering) -> bool {
        let was = self.0.swap(value, order);
        steps::add(What::Swap { value, was });
        was
    }

    /// Sets it. (The broken versions do.)
    #[track_caller]
    pub fn store(&self, value: bool, order: Ordering) {
        self.0.store(value, order);
        steps::add(What::Store { value });
    }
}

/// A pair of sockets that tells the world what is written to it.
pub struct UnixStream {
    stream: net::UnixStream,
    world: World,
    _exists: Arc<()>,
}

impl UnixStream {
    /// Two ends.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (one, other) = net::UnixStream::pair()?;
        let end = |stream| {
            let world = World::current();
            UnixStream { stream, _exists: world.bell(), world }
        };
        Ok((end(one), end(other)))
    }

    /// As the standard library's.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }
}

impl Write for &UnixStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.world.ring(|| (&self.stream).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// For the reactor, whose end it is: it reads from the real socket.
impl From<UnixStream> for OwnedFd {
    fn from(end: UnixStream) -> OwnedFd {
        end.stream.into()
    }
}
