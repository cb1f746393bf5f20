//! A loopback of its own for the measurement.
//!
//! Programs on one machine talk through one network interface, `lo`, and through a TCP that is
//! set up for all of them. Both differ from machine to machine: one has firewall rules that look
//! at every packet; one has chosen `bbr` to avoid congestion, which spaces packets out in time,
//! with timers that interrupt whoever happens to run. All of this is in a server's processor
//! time, and has nothing to do with the server.
//!
//! Linux can give a process a *network namespace*: interfaces, rules and settings of its own. So
//! the program starts itself anew in one. There is nothing in it but a new `lo`, and `reno`, the
//! one congestion control that every kernel has and that knows no timers of this kind.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Set for the program that has been started anew.
const INSIDE: &str = "BENCH_LOOPBACK";

/// A new `lo` is down, and has the machine's settings.
const SET_UP: &str =
    "ip link set lo up && echo reno > /proc/sys/net/ipv4/tcp_congestion_control";

/// Who is not root may do this as the root of a user namespace.
const WAYS: [&[&str]; 2] = [&["--net"], &["--net", "--map-root-user"]];

/// Whether this program has a loopback of its own.
pub fn is_own() -> bool {
    env::var_os(INSIDE).is_some()
}

/// Starts this program anew, with the same arguments, in a network namespace of its own, and does
/// not return. If it runs in one already, it does nothing.
///
/// # Errors
///
/// Why there can be none. Then the machine's is used.
pub fn own() -> Result<()> {
    if is_own() {
        return Ok(());
    }
    let mut why = String::new();
    for way in WAYS {
        let tried = unshare(way, SET_UP).output().context("cannot start unshare")?;
        if tried.status.success() {
            let error = unshare(way, &format!("{SET_UP} && exec \"$0\" \"$@\""))
                .arg(env::current_exe()?)
                .args(env::args_os().skip(1))
                .env(INSIDE, "own")
                .exec();
            return Err(error).context("cannot start unshare");
        }
        why = String::from_utf8_lossy(&tried.stderr).trim().to_string();
    }
    bail!(why)
}

fn unshare(way: &[&str], script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(way).args(["sh", "-c", script]);
    command
}

/// How many packets have gone through `lo` so far.
pub fn packets() -> Result<u64> {
    let interfaces = procfs::net::dev_status()?;
    Ok(interfaces.get("lo").context("there is no lo")?.recv_packets)
}
