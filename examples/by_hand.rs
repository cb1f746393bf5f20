//! Stage 04's server with tasks that are written by hand: no `async`, no `await`, no future.
//!
//! Each `async` block of `src/bin/tasks/mod.rs` stands here as the state machine that the
//! compiler makes of it. A state is a place where the task is suspended; its fields are what the
//! task still needs from there on. The scheduler cannot tell the two servers apart, and a test
//! (`tests/scheduler/by_hand.rs`) holds them to that: the same events, in the same order.
//!
//! What to try: `cargo run --example by_hand`, and what you did with `04_scheduler` (it has no
//! `--lines`).

#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;

use bricks::cli::Program;
use bricks::log::{self, Log};
use bricks::net::{AcceptBackoff, Socket};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::{Data, sleep};
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Resumed, Task};
use bricks::select::Select;
use bricks::signal;

const PROGRAM: Program = Program {
    name: env!("CARGO_CRATE_NAME"),
    about: "An echo server made of tasks that are written by hand.",
    lines: false,
    trace: false,
};

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        options.log.listening(sock.local_addr()?);

        let mut scheduler = Scheduler::new(Select::default(), None);
        scheduler.submit_task(EchoServer::new(sock, scheduler.handle(), options.log));
        scheduler.submit_task(StopOnSignal::new(signals, scheduler.handle()));
        scheduler.run()
    })
}

/// The server task: accepts clients, and submits a task for each.
pub(crate) struct EchoServer {
    sock: Socket,
    scheduler: Handle,
    log: Log,
    backoff: AcceptBackoff,
}

impl EchoServer {
    pub(crate) fn new(sock: Socket, scheduler: Handle, log: Log) -> EchoServer {
        EchoServer { sock, scheduler, log, backoff: AcceptBackoff::default() }
    }
}

impl Task for EchoServer {
    fn send(&mut self, data: Data) -> Resumed {
        // Two places to be suspended at, accept and sleep, and the data tells which it was.
        match data {
            Data::Connected(client, addr) => {
                self.backoff.accepted();
                self.log.connection(addr);
                self.scheduler.submit_task(ClientHandler::new(client, addr, self.log));
            }
            Data::Failed(error) if error.kind() == ErrorKind::Interrupted => {
                return Resumed::Finished;
            }
            Data::Failed(error) => match self.backoff.after(error) {
                Ok(pause) => return Resumed::yielded(sleep(pause)),
                Err(error) => {
                    self.scheduler.fail(error);
                    return Resumed::Finished;
                }
            },
            _ => {} // the start, or the end of a pause
        }
        Resumed::yielded(self.sock.accept())
    }
}

/// The task of one client.
pub(crate) struct ClientHandler {
    addr: SocketAddr,
    log: Log,
    state: State,
}

impl ClientHandler {
    pub(crate) fn new(client: Socket, addr: SocketAddr, log: Log) -> ClientHandler {
        ClientHandler { addr, log, state: State::Unstarted { client } }
    }

    fn finish(&mut self) -> Resumed {
        self.log.disconnected(self.addr);
        Resumed::Finished
    }
}

// ANCHOR: machine
/// Where the handler is suspended, and what it needs to go on.
enum State {
    Unstarted { client: Socket },
    Receiving { client: Socket },
    Sending { client: Socket },
    Closing,
    Finished,
}

impl Task for ClientHandler {
    fn send(&mut self, data: Data) -> Resumed {
        match (std::mem::replace(&mut self.state, State::Finished), data) {
            (State::Unstarted { client }, _)
            | (State::Sending { client }, Data::Sent(_)) => {
                let event = client.recv();
                self.state = State::Receiving { client };
                Resumed::yielded(event)
            }
            (State::Receiving { client }, Data::Received(bytes)) if !bytes.is_empty() => {
                let event = client.send(bytes);
                self.state = State::Sending { client };
                Resumed::yielded(event)
            }
            (State::Receiving { client }, Data::Received(_)) => {
                self.state = State::Closing;
                Resumed::yielded(client.close())
            }
            (_, Data::Failed(error)) => {
                log::problem(format_args!("{}: {error}", self.addr));
                self.finish()
            }
            _ => self.finish(),
        }
    }
}
// ANCHOR_END: machine

/// A signal is an event like any other: its task waits for something to receive.
pub(crate) struct StopOnSignal {
    signals: Socket,
    scheduler: Handle,
}

impl StopOnSignal {
    pub(crate) fn new(signals: Socket, scheduler: Handle) -> StopOnSignal {
        StopOnSignal { signals, scheduler }
    }
}

impl Task for StopOnSignal {
    fn send(&mut self, data: Data) -> Resumed {
        match data {
            Data::Start => return Resumed::yielded(self.signals.recv()),
            Data::Failed(error) => self.scheduler.fail(error),
            _ => self.scheduler.stop(),
        }
        Resumed::Finished
    }
}
