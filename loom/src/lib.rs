//! The executor of stage 06, the same files, in every order that the steps of its threads can have.
//!
//! [loom](https://docs.rs/loom) runs a scenario again and again, on one thread of the system, and
//! decides at each step which of the scenario's threads goes on. A step is a use of what
//! `src/executor/sync.rs` names; [`sync`] has loom's types for that, and writes down each step. A
//! value that is read with `Relaxed` may be an old one: loom tries each that the rules allow.
//!
//! What loom cannot see:
//!
//! - the counts of the standard library's `Arc`, so no thread comes between two steps of a clone
//!   or a drop. Whether a waker exists is therefore asked of the queue, which has a lock.
//! - the bell, a pair of sockets: [`sync::UnixStream`] tells it when it is rung. The kernel's part
//!   is real, and is tested by `tests/executor/wakeups.rs`.
//! - the poller's sleep: [`World`] has a poller that asks `select` without a timeout, and sleeps in
//!   a condition variable of loom's.

extern crate self as bricks_under_loom; // `src/executor/sync.rs` says so

#[path = "../../src/executor/mod.rs"]
pub mod executor;
pub mod steps;
pub mod sync;
mod world;

pub use bricks::{limit, log, net, scheduler, select, space, trace};
pub use world::{Verdict, World, explore, explore_up_to};
