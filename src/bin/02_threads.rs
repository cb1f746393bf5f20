//! Stage 02: a thread for each client.
//!
//! What it adds: the same blocking handler, but each client gets a thread to run it. A thread
//! that sleeps in `read` keeps no client waiting but its own.
//!
//! What it costs: a thread a client, and its memory: a stack of its own (2 MiB of addresses, of
//! which the touched pages count), what the kernel keeps for it, and a switch from thread to
//! thread for every wake-up. Where no more threads can be had, the client is refused.
//!
//! What to try: two times `nc 127.0.0.1 8000`; both are answered. Then count the threads:
//! `ls /proc/$(pidof 02_threads)/task | wc -l`.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use bricks::blocking::{Connection, PatientListener, spawn_or_refuse};
use bricks::cli::{Options, Program};
use bricks::log::{self, Log};
use bricks::space::RECEIVE_SIZE;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server that starts a thread for each client.",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(echo_server)
}

// ANCHOR: echo_server
fn echo_server(options: Options) -> io::Result<()> {
    let mut sock = PatientListener::new(options.listen()?);
    options.log.listening(sock.local_addr()?);
    loop {
        let (client, addr) = sock.accept_patiently()?;
        options.log.connection(addr);
        let log = options.log;
        spawn_or_refuse(addr, log, move || client_handler(client, addr, log));
    }
}
// ANCHOR_END: echo_server

/// Serves one client, until it has gone.
fn client_handler(client: Connection, addr: SocketAddr, log: Log) {
    if let Err(error) = echo(client) {
        log::problem(format_args!("{addr}: {error}"));
    }
    log.disconnected(addr);
}

// ANCHOR: echo
/// Sends back what it receives, until the client has no more to send.
fn echo(mut client: Connection) -> io::Result<()> {
    let mut buffer = [0; RECEIVE_SIZE];
    loop {
        let received = client.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..received])?;
    }
}
// ANCHOR_END: echo
