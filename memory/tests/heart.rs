//! The tests of the heart in memory once more, without the rest of the suite `scheduler`: so they
//! need nothing of the library but the heart, and are compiled quickly, for `cargo xtask mutants`.

#[path = "../../tests/scheduler/memory/mod.rs"]
mod memory;
