//! The chores around the measurement, which is a workspace member of its own (`bench/`), with
//! dependencies that nobody else should have to compile.

use std::process::Command;
use std::time::Instant;

use crate::{root, run};

/// The commands of the peers, as the behaviour suite starts them.
const PEERS: [&str; 8] = [
    "target/debug/peer_tokio",
    "target/debug/peer_tokio --buffer 65536",
    "target/debug/peer_tokio --multi-thread",
    "target/debug/peer_mio",
    "target/debug/peer_smol",
    "target/debug/peer_epoll",
    "target/debug/peer_io_uring",
    "target/debug/peer_io_uring --multishot",
];

/// Servers and peers are built as they are released, and measured by a program of their own.
pub fn bench(options: &[&str]) -> Result<(), String> {
    run("cargo build --release --bins --package async-from-bricks --package bench", &[])?;
    let program = "target/release/bench";
    let status = Command::new(root().join(program))
        .args(options)
        .current_dir(root())
        .status()
        .map_err(|error| format!("{program}: {error}"))?;
    status.success().then_some(()).ok_or(format!("failed: {program}"))
}

/// The book's charts and numbers, made anew from what was measured.
pub fn plots() -> Result<(), String> {
    run("cargo run --package bench -- plots", &[])
}

/// What an echo may cost at most, counted.
pub fn guard() -> Result<(), String> {
    run("cargo build --release --bins", &[])?;
    run("cargo run --package bench -- guard --programs target/release", &[])
}

/// What CI checks of the measurement: that it is in order and that it runs, not what it
/// measures. Everything but the servers under guard is built for debugging, which is quick.
pub fn check() -> Result<(), String> {
    let start = Instant::now();
    run("cargo clippy --package bench --all-targets -- --deny warnings", &[])?;
    run(
        "cargo doc --package bench --no-deps --document-private-items",
        &[("RUSTDOCFLAGS", "--deny warnings")],
    )?;
    run("cargo build --bins --package async-from-bricks --package bench", &[])?;
    run("cargo test --package bench", &[])?;
    for peer in PEERS {
        println!("\nxtask: BRICKS_SERVER=\"{peer}\"");
        run("cargo test --quiet --test behaviour yours::", &[("BRICKS_SERVER", peer)])?;
    }
    let moment = "--scenarios ping64,16k,short --rounds 1 --milliseconds 20";
    run(&format!("target/debug/bench {moment} --output target/bench/moment.csv"), &[])?;
    guard()?;
    println!("\nxtask: the measurement is in order ({:.0?})", start.elapsed());
    Ok(())
}
