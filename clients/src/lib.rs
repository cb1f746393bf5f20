//! Clients for experiments, for any server: `talk` sends what you type, `swarm` shows who is
//! served and who waits, `crowd` is thousands of clients that are nearly always silent.
//!
//! What the three have in common: the command line, the messages, and what to try next.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::time::Duration;

use clap::Parser;

/// Where the servers listen if nobody says otherwise.
pub const ADDRESS: &str = "127.0.0.1:8000";

/// A client from its command line to its exit status: 0 if `work` succeeds, 1 if not, and 2 for
/// wrong usage.
pub fn run<Options: Parser>(work: fn(Options) -> Result<(), String>) -> ExitCode {
    let options = Options::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit(); // it is the help that was asked for
        }
        // A reader who has typed `cargo talk` should not try `cargo --help`.
        let help = format!("'{} --help'", Options::command().get_name());
        complain(error.to_string().replace("'--help'", &help).trim_end());
        process::exit(2)
    });
    match work(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            complain(problem);
            ExitCode::FAILURE
        }
    }
}

/// The value of an option that takes an address.
///
/// # Errors
///
/// The text is not an address.
pub fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| {
        "an address has the form ADDR:PORT, in numbers: \
         127.0.0.1:8000, or [::1]:8000 for IPv6"
    })
}

/// What to try after the server at this address could not be reached.
pub fn advice(addr: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused if addr.to_string() == ADDRESS => {
            "start a server first: cargo run".to_string()
        }
        ErrorKind::ConnectionRefused => {
            format!("start a server first: cargo run -- --listen {addr}")
        }
        _ => format!("is this the server's address? try --connect {ADDRESS}"),
    }
}

/// "Too many open files", in the whole system or in this process. The standard library has no
/// name for them; all Unix systems have the same numbers.
pub fn no_descriptor_is_left(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}

/// Prints a line on standard output, at once. If nobody reads any more (`talk a b c | head -1`),
/// the client ends, and quietly.
pub fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            complain(format_args!("cannot write to standard output: {error}"));
        }
        process::exit(1);
    }
}

/// Prints a line, or more, on standard error. If even that is impossible, nobody can be told.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// A time in the unit that suits it.
pub fn human(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}
