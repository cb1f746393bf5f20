//! Stage 01: one client at a time.
//!
//! What it adds: a TCP server in its simplest form. Listen, accept, then receive and send until
//! the client has no more to say. Each call *blocks*: the thread sleeps in it until it is done.
//!
//! What it costs: while the thread sleeps in one client's `read`, nobody else is served.
//!
//! What to try: `nc 127.0.0.1 8000` in two terminals. The second is connected, and may type,
//! but gets no answer. Now end the first with Ctrl-C.

// ANCHOR: program
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;

use bricks::buffer::RECEIVE_SIZE;
use bricks::cli::{Options, Program};
use bricks::log;
use bricks::net::AcceptBackoff;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server that serves one client at a time.",
    lines: false,
    trace: false,
};
// ANCHOR_END: program

// ANCHOR: main
fn main() -> ExitCode {
    PROGRAM.run(echo_server)
}
// ANCHOR_END: main

// ANCHOR: echo_server
fn echo_server(options: Options) -> io::Result<()> {
    let sock = options.listen()?;
    options.log.listening(sock.local_addr()?);
    let mut backoff = AcceptBackoff::default();
    loop {
        let (client, addr) = match sock.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                thread::sleep(backoff.after(error)?);
                continue;
            }
        };
        backoff.accepted();
        options.log.connection(addr);
        if let Err(error) = client_handler(client) {
            log::problem(format_args!("{addr}: {error}"));
        }
        options.log.disconnected(addr);
    }
}
// ANCHOR_END: echo_server

// ANCHOR: client_handler
fn client_handler(mut client: TcpStream) -> io::Result<()> {
    let _ = client.set_nodelay(true); // `Socket::try_accept` in src/net.rs says why
    let mut buffer = [0; RECEIVE_SIZE];
    loop {
        let received = match client.read(&mut buffer) {
            Ok(0) => return Ok(()), // the client will send no more
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // `write_all` sends the rest if the system takes only a part.
        client.write_all(&buffer[..received])?;
    }
}
// ANCHOR_END: client_handler
