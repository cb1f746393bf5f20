//! Stage 05: the same tasks and the same scheduler, on another poller.
//!
//! What it adds: `epoll(7)` instead of `select(2)`. The kernel remembers which sockets are
//! watched and keeps a list of those that have become ready, so ten thousand idle connections
//! cost nothing, and no descriptor is too large. A send is tried before it is waited for: there
//! is nearly always room.
//!
//! What it costs: Linux only, and a poller (`src/epoll.rs`, which you read next) that has to
//! remember what it has told the kernel. There is still a system call for each operation.
//!
//! What to try: compare this file with `04_scheduler.rs`. Then ten thousand clients:
//! `cargo crowd`.

#![forbid(unsafe_code)]

mod tasks;

use std::process::ExitCode;

use bricks::cli::Program;
use bricks::epoll::Epoll;
use bricks::limit::raise_descriptor_limit;
use bricks::net::Socket;
use bricks::recording;
use bricks::scheduler::Scheduler;
use bricks::signal;
use tasks::{echo_server, stop_on_signal};

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server of tasks and a scheduler, on epoll(7).",
    lines: true,
    trace: true,
};

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        raise_descriptor_limit()?;
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        let poller = Epoll::new()?;
        let trace = recording::start(&options.trace, PROGRAM.name, tasks::SOURCE)?;
        options.log.listening(sock.local_addr()?);

        let mut scheduler = Scheduler::new(poller, trace);
        scheduler.submit_task(echo_server(sock, scheduler.handle(), options));
        scheduler.submit_task(stop_on_signal(signals, scheduler.handle()));
        scheduler.run()
    })
}
