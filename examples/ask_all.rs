//! How not to serve many clients with one thread: ask each of them, all the time.
//!
//! Its answers are right. What it costs is in chapter three of the book, which begins with it:
//! leave it alone for a while, and look at the processor time that it has used.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use bricks::cli::{Options, Program};
use bricks::net::Socket;
use bricks::space::Space;

const PROGRAM: Program = Program {
    name: env!("CARGO_CRATE_NAME"),
    about: "An echo server that asks all its clients, all the time.",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(echo_server)
}

fn echo_server(options: Options) -> io::Result<()> {
    let sock = Socket::new(options.listen()?)?; // non-blocking
    options.log.listening(sock.local_addr()?);
    let mut space = Space::default();
    let mut clients = Vec::new();
    // ANCHOR: loop
    loop {
        if let Ok((client, _)) = sock.try_accept() {
            clients.push((client, vec![]));
        }
        clients.retain_mut(|(client, unsent)| match ask(client, unsent, &mut space) {
            Ok(going_on) => going_on,
            Err(error) => error.kind() == ErrorKind::WouldBlock, // ask again
        });
    }
    // ANCHOR_END: loop
}

fn ask(client: &Socket, unsent: &mut Vec<u8>, space: &mut Space) -> io::Result<bool> {
    if unsent.is_empty() {
        *unsent = client.try_recv(space)?;
    }
    unsent.drain(..client.try_send(unsent)?);
    Ok(!client.ended())
}
