//! What more than one test target needs. Each takes its part of it.

#![allow(dead_code, reason = "no target takes all of it")]

pub mod clients;
pub mod default_signals;
pub mod drivers;
pub mod machine;
pub mod recorded;
pub mod scripted;
