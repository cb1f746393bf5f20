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
        // ANSWER: take one of the free places, if there is one
        let mut free = self.free.lock().expect("nobody panics with the lock held");
        *free = free.checked_sub(1)?;
        Some(Place { free: Arc::clone(&self.free) })
        // ANSWER_END
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // ANSWER: give the place back
        *self.free.lock().expect("nobody panics with the lock held") += 1;
        // ANSWER_END
    }
}

/// Starts a thread for a client. It keeps its place until `serve` has returned, or panicked.
///
/// # Errors
///
/// `ResourceBusy` if all places are taken, or that of the system if it has no thread to give.
pub fn start(limit: &Limit, serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // ANSWER: refuse, or start a thread (thread::Builder) that owns its place
    let place = limit.enter().ok_or(ErrorKind::ResourceBusy)?;
    thread::Builder::new().spawn(move || {
        let _place = place;
        serve();
    })?;
    Ok(())
    // ANSWER_END
}
