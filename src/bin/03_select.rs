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

// ANCHOR: program
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::process::ExitCode;
use std::time::Instant;

use bricks::buffer::{Buffer, Buffers};
use bricks::cli::Program;
use bricks::log::{self, Log};
use bricks::net::{AcceptBackoff, Socket};
use bricks::select::{FdSet, select};

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server with one thread and select(2).",
    lines: false,
    trace: false,
};
// ANCHOR_END: program

// ANCHOR: main
fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        let addr = sock.local_addr()?;
        let mut server = Server::new(sock, options.log)?;
        options.log.listening(addr);
        server.run()
    })
}
// ANCHOR_END: main

// ANCHOR: state
/// Where a connection is in its loop, and what it needs to go on.
enum State {
    Receiving,
    Sending(Buffer),
}

struct Connection {
    client: Socket,
    addr: SocketAddr,
    state: State,
}

struct Server {
    sock: Socket,
    log: Log,
    connections: BTreeMap<RawFd, Connection>,
    read_waiting: FdSet,
    write_waiting: FdSet,
    buffers: Buffers,
    backoff: AcceptBackoff,
    /// The listening socket is left alone until then.
    paused: Option<Instant>,
}
// ANCHOR_END: state

// ANCHOR: new
impl Server {
    fn new(sock: Socket, log: Log) -> io::Result<Server> {
        let mut read_waiting = FdSet::new();
        read_waiting.insert(sock.as_raw_fd())?;
        Ok(Server {
            sock,
            log,
            connections: BTreeMap::new(),
            read_waiting,
            write_waiting: FdSet::new(),
            buffers: Buffers::default(),
            backoff: AcceptBackoff::default(),
            paused: None,
        })
    }
    // ANCHOR_END: new

    // ANCHOR: run
    fn run(&mut self) -> io::Result<()> {
        loop {
            let left = |until: Instant| until.saturating_duration_since(Instant::now());
            let timeout = self.paused.map(left);
            // `select` answers in the sets it is asked with: so these are copies.
            let mut readable = self.read_waiting.clone();
            let mut writable = self.write_waiting.clone();
            select(&mut readable, &mut writable, timeout)?;
            for fd in readable.iter().chain(writable.iter()) {
                if fd == self.sock.as_raw_fd() {
                    self.accept()?;
                } else {
                    self.turn(fd);
                }
            }
            if self.paused.is_some_and(|until| until <= Instant::now()) {
                self.paused = None;
                self.read_waiting.insert(self.sock.as_raw_fd())?;
            }
        }
    }
    // ANCHOR_END: run

    // ANCHOR: accept
    fn accept(&mut self) -> io::Result<()> {
        let (client, addr) = match self.sock.try_accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => {
                self.paused = Some(Instant::now() + self.backoff.after(error)?);
                self.read_waiting.remove(self.sock.as_raw_fd());
                return Ok(());
            }
        };
        self.backoff.accepted();
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
    /// One turn of one connection; then wait for what its new state needs.
    fn turn(&mut self, fd: RawFd) {
        let Some(connection) = self.connections.get_mut(&fd) else {
            return;
        };
        let addr = connection.addr;
        let waiting = match connection.step(&mut self.buffers) {
            Ok(waiting) => waiting,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => {
                log::problem(format_args!("{addr}: {error}"));
                false
            }
        };
        self.read_waiting.remove(fd);
        self.write_waiting.remove(fd);
        if !waiting {
            self.connections.remove(&fd);
            self.log.disconnected(addr);
            return;
        }
        let set = match connection.state {
            State::Receiving => &mut self.read_waiting,
            State::Sending(_) => &mut self.write_waiting,
        };
        set.insert(fd).expect("it has been in a set before");
    }
}
// ANCHOR_END: turn

// ANCHOR: step
impl Connection {
    /// What the handler of stage 02 did between two waits. False at the end.
    fn step(&mut self, buffers: &mut Buffers) -> io::Result<bool> {
        match &mut self.state {
            State::Receiving => {
                let bytes = self.client.try_recv(buffers)?;
                if bytes.is_empty() {
                    return Ok(false); // the client will send no more
                }
                self.state = State::Sending(bytes);
            }
            State::Sending(bytes) => {
                bytes.take_front(self.client.try_send(bytes)?);
                if bytes.is_empty() {
                    buffers.recycle(mem::take(bytes));
                    self.state = State::Receiving;
                }
            }
        }
        Ok(true)
    }
}
// ANCHOR_END: step
