//! A server with a thread for each client, and never more than so many.
//!
//! The page of this exercise: chapters/exercises/02_thread_limit.md

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread;

// Like that of the standard library; a check can hold up a thread that uses it.
use exercises::steps::Mutex;

/// So many clients at once, and no more.
#[derive(Clone, Debug)]
pub struct Limit {
    free: Arc<Mutex<usize>>,
}

/// One of the places. Whoever drops it gives it back.
#[derive(Debug)]
pub struct Place {
    free: Arc<Mutex<usize>>,
}

impl Limit {
    /// `most` places, all of them free.
    pub fn new(most: usize) -> Limit {
        Limit { free: Arc::new(Mutex::new(most)) }
    }

    /// Takes a place; `None`, at once, if all are taken.
    pub fn enter(&self) -> Option<Place> {
        todo!("take one of the free places, if there is one")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        todo!("give the place back")
    }
}

/// Starts a thread for a client. It keeps its place until `serve` has returned, or panicked.
///
/// # Errors
///
/// `ResourceBusy` if all places are taken, or that of the system if it has no thread to give.
pub fn start(limit: &Limit, serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    todo!("refuse, or start a thread (thread::Builder) that owns its place")
}
