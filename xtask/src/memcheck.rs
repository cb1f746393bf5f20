//! The behaviour suite's core against servers that run under valgrind's memory checker: no memory
//! is used that is not the server's own, or that nobody has written.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use crate::{place, suite};

/// The stages whose thin wrappers hand memory to the kernel. (Valgrind does not know all that
/// `io_uring` does; of stage 07 `tests/ring.rs` runs what it does know.)
const STAGES: [&str; 2] = ["05_epoll", "06_async_await"];

pub fn check() -> Result<(), String> {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdout(Stdio::null());
    if !valgrind.status().is_ok_and(|status| status.success()) {
        if env::var_os("REQUIRE_VALGRIND").is_some() {
            return Err("there is no valgrind that works".into());
        }
        println!("\nxtask: memcheck is left out: there is no valgrind");
        return Ok(());
    }
    // Each server's complaints, if there are any.
    let logs = place::target().join("memcheck");
    let explain = |error| format!("{}: {error}", logs.display());
    let _ = fs::remove_dir_all(&logs);
    fs::create_dir_all(&logs).map_err(explain)?;
    let programs = place::build(place::cargo(), &["build", "--bins"])?;
    for stage in STAGES {
        let program = programs.iter().find(|program| program.ends_with(stage));
        let program = place::word(program.ok_or("cargo named no program")?)?;
        // For valgrind a % begins a name for the number of the process.
        let log = place::word(&logs.join(stage))?.replace('%', "%%");
        let valgrind = format!("valgrind --quiet --log-file={log}.%p");
        suite::keeps_promises(&format!("{valgrind} {program}"))?;
    }
    let mut servers = 0;
    for log in fs::read_dir(&logs).map_err(explain)? {
        let log = log.map_err(|error| error.to_string())?.path();
        let said =
            fs::read_to_string(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        if !said.is_empty() {
            return Err(format!("{}:\n{said}", log.display()));
        }
        servers += 1;
    }
    if servers == 0 {
        let logs = logs.display();
        return Err(format!("no server has run under valgrind: {logs} is empty"));
    }
    println!("xtask: {servers} servers used their memory properly");
    Ok(())
}
