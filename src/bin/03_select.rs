//! Stage 03: one thread, `select(2)`, and a state for each connection, written by hand.
//!
//! What it adds: no socket blocks any more. One thread asks `select` which descriptors are
//! ready, does for each the one thing that it is ready for, and asks again.
//!
//! What it costs: the control flow is inside out. The handler of stage 02 was a loop that read
//! from top to bottom; here each turn does one step of one connection, and everything that the
//! loop knew by *where it was* must be written down in a state. And `select` has room for 1,024
//! descriptors: a client that gets a larger one is refused.
//!
//! What to try: two times `nc 127.0.0.1 8000`, and `ls /proc/$(pidof 03_select)/task | wc -l`.
//! Then let it ask each client for its name first, and count the places to change.

// ANCHOR: main
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitCode;

use bricks::cli::{Options, Program};
use bricks::log::{self, Log};
use bricks::net::{PatientSocket, Socket};
use bricks::select::{FdSet, select};
use bricks::space::Space;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server with one thread and select(2).",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(echo_server)
}

fn echo_server(options: Options) -> io::Result<()> {
    let sock = Socket::new(options.listen()?)?;
    let addr = sock.local_addr()?;
    let mut server = Server::new(PatientSocket::new(sock), options.log)?;
    options.log.listening(addr);
    server.run()
}
// ANCHOR_END: main

// ANCHOR: state
/// A client, and where its conversation is.
struct Connection {
    client: Socket,
    addr: SocketAddr,
    state: State,
}

/// Where a connection is in its loop, and what it needs to go on.
enum State {
    Receiving,
    /// These bytes are to be sent, and so many of them have been.
    Sending(Vec<u8>, usize),
}
// ANCHOR_END: state

impl Connection {
    // ANCHOR: step
    /// What the handler of stage 02 did between two waits. False at the end.
    fn step(&mut self, space: &mut Space) -> io::Result<bool> {
        match &mut self.state {
            State::Receiving => {
                let bytes = self.client.try_recv(space)?;
                if bytes.is_empty() {
                    return Ok(false); // the client will send no more
                }
                self.state = State::Sending(bytes, 0);
            }
            State::Sending(bytes, sent) => {
                *sent += self.client.try_send(&bytes[*sent..])?;
                if *sent == bytes.len() {
                    self.state = State::Receiving;
                }
            }
        }
        Ok(true)
    }
    // ANCHOR_END: step
}

// ANCHOR: server
struct Server {
    sock: PatientSocket,
    log: Log,
    connections: BTreeMap<RawFd, Connection>,
    read_waiting: FdSet,
    write_waiting: FdSet,
    space: Space,
}
// ANCHOR_END: server

impl Server {
    fn new(sock: PatientSocket, log: Log) -> io::Result<Server> {
        let (mut read_waiting, write_waiting) = (FdSet::new(), FdSet::new());
        read_waiting.insert(sock.as_raw_fd())?;
        let (connections, space) = (BTreeMap::new(), Space::default());
        Ok(Server { sock, log, connections, read_waiting, write_waiting, space })
    }

    // ANCHOR: run
    fn run(&mut self) -> io::Result<()> {
        loop {
            // `select` answers in the sets it is asked with: so these are copies.
            let mut readable = self.read_waiting.clone();
            let mut writable = self.write_waiting.clone();
            let pause = self.sock.pause();
            if pause.is_some() {
                readable.remove(self.sock.as_raw_fd());
            }
            select(&mut readable, &mut writable, pause)?;
            for fd in readable.iter().chain(writable.iter()) {
                if fd == self.sock.as_raw_fd() {
                    self.accept()?;
                } else {
                    self.turn(fd);
                }
            }
        }
    }
    // ANCHOR_END: run

    // ANCHOR: accept
    fn accept(&mut self) -> io::Result<()> {
        let Some((client, addr)) = self.sock.try_accept_patiently()? else {
            return Ok(());
        };
        self.log.connection(addr);
        let fd = client.as_raw_fd();
        if let Err(error) = self.read_waiting.insert(fd) {
            log::problem(format_args!("{addr}: {error}"));
            self.log.disconnected(addr);
            return Ok(()); // dropping the client closes it
        }
        self.connections.insert(fd, Connection { client, addr, state: State::Receiving });
        Ok(())
    }
    // ANCHOR_END: accept

    // ANCHOR: turn
    /// One turn of one connection; then it waits for what its new state needs.
    fn turn(&mut self, fd: RawFd) {
        let Some(connection) = self.connections.get_mut(&fd) else {
            return; // closed in this very round
        };
        let goes_on = match connection.step(&mut self.space) {
            Ok(goes_on) => goes_on,
            Err(error) if error.kind() == ErrorKind::WouldBlock => true,
            Err(error) => {
                log::problem(format_args!("{}: {error}", connection.addr));
                false
            }
        };
        self.read_waiting.remove(fd);
        self.write_waiting.remove(fd);
        if !goes_on {
            self.log.disconnected(connection.addr);
            self.connections.remove(&fd);
            return;
        }
        let set = match connection.state {
            State::Receiving => &mut self.read_waiting,
            State::Sending(..) => &mut self.write_waiting,
        };
        set.insert(fd).expect("it has been in a set before");
    }
    // ANCHOR_END: turn
}
