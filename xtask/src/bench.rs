//! The chores around the measurement, which is a workspace member of its own (`bench/`), with
//! dependencies that nobody else should have to compile.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::{place, root, run, succeeds, suite};

/// The commands of the peers, as the behaviour suite starts them.
const PEERS: [&str; 8] = [
    "peer_tokio",
    "peer_tokio --buffer 65536",
    "peer_tokio --multi-thread",
    "peer_mio",
    "peer_smol",
    "peer_epoll",
    "peer_io_uring",
    "peer_io_uring --multishot",
];

/// Builds programs, and says in which folder they are.
fn build(arguments: &[&str]) -> Result<PathBuf, String> {
    let arguments = [&["build", "--bins"], arguments].concat();
    println!("\nxtask: cargo {}", arguments.join(" "));
    let programs = place::build(place::cargo(), &arguments)?;
    let folder = programs.first().and_then(|program| program.parent());
    folder.map(PathBuf::from).ok_or("cargo named no program".into())
}

/// Servers and peers are built as they are released, and measured by a program of their own.
pub fn bench(options: &[&str]) -> Result<(), String> {
    let packages = ["--release", "--package", "async-from-bricks", "--package", "bench"];
    let mut bench = Command::new(build(&packages)?.join("bench"));
    succeeds(bench.args(options).current_dir(root()), "bench")
}

/// The book's charts and numbers, made anew from what was measured.
pub fn plots() -> Result<(), String> {
    run("cargo run --package bench -- plots", &[])
}

/// What an echo may cost at most, counted.
pub fn guard() -> Result<(), String> {
    let programs = build(&["--release"])?;
    let guard = "cargo run --package bench -- guard --programs";
    println!("\nxtask: {guard} {}", programs.display());
    let mut cargo = place::cargo();
    succeeds(cargo.args(guard.split(' ').skip(1)).arg(programs), guard)
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
    let programs = build(&["--package", "async-from-bricks", "--package", "bench"])?;
    run("cargo test --package bench", &[])?;
    for peer in PEERS {
        let (name, options) = peer.split_at(peer.find(' ').unwrap_or(peer.len()));
        let program = place::word(&programs.join(name))?;
        suite::keeps_promises(&format!("{program}{options}"))?;
    }
    let moment = "--scenarios ping64,16k,short --rounds 1 --milliseconds 20";
    println!("\nxtask: bench {moment}");
    let mut bench = Command::new(programs.join("bench"));
    bench.args(moment.split(' ')).arg("--output");
    bench.arg(place::target().join("bench/moment.csv"));
    succeeds(bench.current_dir(root()), "bench")?;
    guard()?;
    println!("\nxtask: the measurement is in order ({:.0?})", start.elapsed());
    Ok(())
}
