//! Stage 07: the same tasks and the same events, and the kernel lets them happen.
//!
//! What it adds: `io_uring(7)`. An event is no longer a socket to be watched but an order to the
//! kernel, whose completion goes back into the task that yielded it. One system call hands over
//! the orders of a whole round, so that with many clients an echo costs hardly any.
//!
//! What it costs: Linux 6.1, and not everywhere is it permitted. A buffer that the kernel writes
//! to belongs to the operation until its completion, whatever becomes of the task; that is what
//! `src/ring/` is about, which you read next.
//!
//! What to try: compare this file with `04_scheduler.rs`. Then `strace -c` on both.

#![forbid(unsafe_code)]

mod tasks;

use std::process::ExitCode;

use bricks::cli::Program;
use bricks::limit::raise_descriptor_limit;
use bricks::net::Socket;
use bricks::recording;
use bricks::ring::{Kernel, Ring};
use bricks::signal;
use tasks::{echo_server, stop_on_signal};

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server of tasks whose events the kernel carries out, on io_uring(7).",
    lines: true,
    trace: true,
};

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        raise_descriptor_limit()?;
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        let kernel = Kernel::new()?;
        let trace = recording::start(&options.trace, PROGRAM.name, tasks::SOURCE)?;
        options.log.listening(sock.local_addr()?);

        let mut scheduler = Ring::new(kernel, trace);
        scheduler.submit_task(echo_server(sock, scheduler.handle(), options));
        scheduler.submit_task(stop_on_signal(signals, scheduler.handle()));
        scheduler.run()
    })
}
