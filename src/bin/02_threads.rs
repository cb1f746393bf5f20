//! Stage 02: a thread for each client.
//!
//! What it adds: the same blocking handler, but each client gets a thread to run it. A thread
//! that sleeps in `read` keeps nobody waiting but its own client.
//!
//! What it costs: a thread a client, and its memory: a stack of its own (2 MiB of addresses, of
//! which the touched pages count), what the kernel keeps for it, and a switch from thread to
//! thread for every wake-up. Where no more threads can be had, the client is refused.
//!
//! What to try: two times `nc 127.0.0.1 8000`; both are answered. Then count the threads:
//! `ls /proc/$(pidof 02_threads)/task | wc -l`.

// ANCHOR: program
#![forbid(unsafe_code)]

use std::hint;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use bricks::buffer::RECEIVE_SIZE;
use bricks::cli::{Options, Program};
use bricks::log;
use bricks::net::AcceptBackoff;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server that starts a thread for each client.",
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
        let serve = move || {
            if let Err(error) = client_handler(client) {
                log::problem(format_args!("{addr}: {error}"));
            }
            options.log.disconnected(addr);
        };
        if let Err(error) = spawn(serve) {
            log::problem(format_args!(
                "{addr}: refused, no thread for it: {error}\n\
                 each client needs one; serve fewer at once, or raise `ulimit -u` and `-v`"
            ));
            options.log.disconnected(addr);
        }
    }
}
// ANCHOR_END: echo_server

// ANCHOR: spawn
/// More memory than a thread takes to start.
const SPARE: usize = 16 * 1024 * 1024;

/// Starts a thread, or says why not. Then the closure is dropped, and the client in it closed.
fn spawn(serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread that has been granted still needs memory to start, and where there is none, the
    // process is ended. So see first whether there is some to spare …
    let mut spare = Vec::<u8>::new();
    spare.try_reserve_exact(SPARE).map_err(|_| ErrorKind::OutOfMemory)?;
    drop(hint::black_box(spare));
    let (starting, started) = mpsc::channel::<()>();
    // Not `thread::spawn`: that panics when the system has no thread to give.
    thread::Builder::new().spawn(move || {
        drop(starting);
        serve();
    })?;
    let _ = started.recv(); // … and let only one thread at a time help itself to it.
    Ok(())
}
// ANCHOR_END: spawn

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
