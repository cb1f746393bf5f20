//! The project's own measurement: the peers that the book's servers stand beside, a client that
//! loads them, what is counted, and the charts that are drawn of it.
//!
//! It is a workspace member of its own, so that nobody who only wants to run a server compiles
//! it. `cargo xtask bench` and `cargo xtask plots` are its doors. It needs Linux.

pub mod book;
pub mod count;
pub mod guard;
pub mod load;
pub mod loopback;
pub mod memory;
pub mod pattern;
pub mod peer;
pub mod plots;
pub mod report;
pub mod results;
pub mod run;
pub mod scenario;
pub mod server;
