//! Stage 04: tasks that yield events to a scheduler.
//!
//! What it adds: the handler is a loop again that reads from top to bottom, as in stage 01, and
//! still one thread serves all clients. Its tasks are in `src/bin/tasks/mod.rs`: read that file
//! first, it is the server. Here they are handed to a scheduler.
//!
//! What it costs: a scheduler (`src/scheduler/`), which you read next. `select` still looks at
//! every descriptor each time and has room for 1,024 of them, and an echo takes two waits.
//!
//! What to try: two times `nc 127.0.0.1 8000`. Ctrl-C while a client is connected: it is a
//! graceful stop. `--lines`, and then type a line.

#![forbid(unsafe_code)]

mod tasks;

use std::process::ExitCode;

use bricks::cli::Program;
use bricks::net::Socket;
use bricks::recording;
use bricks::scheduler::Scheduler;
use bricks::select::Select;
use bricks::signal;
use tasks::{echo_server, stop_on_signal};

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server made of tasks that yield events to a scheduler.",
    lines: true,
    trace: true,
};

// ANCHOR: main
fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        let trace = recording::start(&options.trace, PROGRAM.name, tasks::SOURCE)?;
        options.log.listening(sock.local_addr()?);

        let mut scheduler = Scheduler::new(Select::default(), trace);
        scheduler.submit_task(echo_server(sock, scheduler.handle(), options));
        scheduler.submit_task(stop_on_signal(signals, scheduler.handle()));
        scheduler.run()
    })
}
// ANCHOR_END: main
