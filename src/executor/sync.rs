//! What threads share in this stage is made of these: a lock, a flag, and a bell.
//!
//! They are the standard library's. The package `loom` compiles this stage a second time, with
//! types that take their place, and runs it in every order that the threads' steps can have.

#[cfg(not(loom))]
pub use std::{
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(loom)]
pub use bricks_under_loom::sync::{
    AtomicBool, Mutex, MutexGuard, Ordering, PoisonError, UnixStream,
};
