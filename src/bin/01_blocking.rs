//! Stage 01: one client at a time.
//!
//! What it adds: a TCP server in its simplest form. Listen, accept, then receive and send until
//! the client has no more to say. Each call *blocks*: the thread sleeps in it until it is done.
//!
//! What it costs: while the thread sleeps in one client's `read`, no other client is served.
//!
//! What to try: `nc 127.0.0.1 8000` in two terminals. The second is connected, and may type,
//! but gets no answer. Now end the first with Ctrl-C.

// ANCHOR: main
#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use bricks::blocking::{Connection, PatientListener};
use bricks::cli::{Options, Program};
use bricks::log::{self, Log};
use bricks::space::RECEIVE_SIZE;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server that serves one client at a time.",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(echo_server)
}
// ANCHOR_END: main

// ANCHOR: echo_server
fn echo_server(options: Options) -> io::Result<()> {
    let mut sock = PatientListener::new(options.listen()?);
    options.log.listening(sock.local_addr()?);
    loop {
        let (client, addr) = sock.accept_patiently()?;
        options.log.connection(addr);
        client_handler(client, addr, options.log);
    }
}
// ANCHOR_END: echo_server

// ANCHOR: client_handler
/// Serves one client, until it has gone.
fn client_handler(client: Connection, addr: SocketAddr, log: Log) {
    if let Err(error) = echo(client) {
        log::problem(format_args!("{addr}: {error}"));
    }
    log.disconnected(addr);
}
// ANCHOR_END: client_handler

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
