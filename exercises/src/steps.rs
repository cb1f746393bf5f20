//! A lock and a mark like those of the standard library, except that a check can hold up the
//! thread that uses them, between any two steps, until another thread has done its work. What
//! goes wrong once in a million runs then goes wrong in each.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::sync::atomic::{self, Ordering};
use std::sync::{self, LockResult, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// So long a thread is held up if the other one has to wait for it, because it holds a lock.
const A_WHILE: Duration = Duration::from_millis(500);

type Start = Box<dyn FnOnce() -> JoinHandle<()>>;

thread_local! {
    /// How many steps of this thread are left before the other one starts.
    static NEXT: RefCell<Option<(usize, Start)>> = const { RefCell::new(None) };
    /// The other one.
    static OTHER: Cell<Option<JoinHandle<()>>> = const { Cell::new(None) };
}

/// Does `work`, and holds it up before its step number `step`, counted from 0, while a thread of
/// its own does `other`. False if `work` has not so many steps: then `other` has not been done.
///
/// # Panics
///
/// If `other` panics.
pub fn hold_up(
    step: usize,
    other: impl FnOnce() + Send + 'static,
    work: impl FnOnce(),
) -> bool {
    NEXT.set(Some((step, Box::new(move || thread::spawn(other)))));
    work();
    NEXT.set(None);
    let Some(other) = OTHER.take() else { return false };
    other.join().expect("the other thread has said why");
    true
}

/// This thread is about to make a step.
fn step() {
    let next = NEXT.with_borrow_mut(|next| match next {
        Some((0, _)) => next.take(),
        Some((left, _)) => {
            *left -= 1;
            None
        }
        None => None,
    });
    let Some((_, start)) = next else { return };
    let (other, began) = (start(), Instant::now());
    while !other.is_finished() && began.elapsed() < A_WHILE {
        thread::sleep(Duration::from_millis(1));
    }
    OTHER.set(Some(other));
}

/// A mark. To read it is a step, and to write it is one. What does both at once has no middle
/// where it could be held up.
#[derive(Debug, Default)]
pub struct AtomicBool(atomic::AtomicBool);

impl AtomicBool {
    /// A mark that is set, or not.
    pub const fn new(value: bool) -> AtomicBool {
        AtomicBool(atomic::AtomicBool::new(value))
    }

    /// Whether it is set. By the time that the caller knows, that may have changed.
    pub fn load(&self, order: Ordering) -> bool {
        let value = self.0.load(order);
        step();
        value
    }

    /// Sets it, or clears it, whatever it was.
    pub fn store(&self, value: bool, order: Ordering) {
        step();
        self.0.store(value, order);
    }
}

impl Deref for AtomicBool {
    type Target = atomic::AtomicBool;

    fn deref(&self) -> &atomic::AtomicBool {
        &self.0
    }
}

/// A lock. To take it is a step.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    /// What is behind the lock.
    pub const fn new(value: T) -> Mutex<T> {
        Mutex(sync::Mutex::new(value))
    }

    /// Waits for the lock, and takes it.
    ///
    /// # Errors
    ///
    /// If a thread has panicked with it.
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        step();
        self.0.lock()
    }
}

impl<T> Deref for Mutex<T> {
    type Target = sync::Mutex<T>;

    fn deref(&self) -> &sync::Mutex<T> {
        &self.0
    }
}
