//! Stage 05: the same tasks and the same scheduler, on another poller.
//!
//! What it adds: `epoll(7)` instead of `select(2)`. The kernel remembers who is watched and keeps
//! a list of those that have become ready, so ten thousand idle connections cost nothing, and no
//! descriptor is too large. An operation is tried first; the scheduler waits only where the last
//! one has shown that it would have to.
//!
//! What it costs: Linux only, and a poller (`src/epoll.rs`, which you read next) that has to
//! remember what the kernel told it once. There is still a system call for each operation.
//!
//! What to try: compare this file with `04_scheduler.rs`. Then ten thousand clients:
//! `cargo crowd`.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;

use bricks::cli::{Options, Program};
use bricks::epoll::Epoll;
use bricks::event::sleep;
use bricks::limit::raise_descriptor_limit;
use bricks::lines::{Lines, read_line};
use bricks::log;
use bricks::net::{AcceptBackoff, Socket};
use bricks::ready::Handle;
use bricks::recording::Source;
use bricks::scheduler::Scheduler;
use bricks::signal;
use bricks::task::{Co, Coroutine, Task};
use bricks::trace::Trace;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server of tasks and a scheduler, on epoll(7).",
    lines: true,
    trace: true,
};

const SOURCE: Source =
    Source { stage: PROGRAM.name, path: file!(), text: include_str!("05_epoll.rs") };

// ANCHOR: main
fn main() -> ExitCode {
    PROGRAM.run(|options| {
        raise_descriptor_limit()?;
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        let poller = Epoll::new()?;
        let recording = options.recording(SOURCE)?;
        options.log.listening(sock.local_addr()?);

        match recording {
            None => serve(Scheduler::new(poller), sock, signals, options),
            Some(trace) => {
                serve(Scheduler::with_trace(poller, trace), sock, signals, options)
            }
        }
    })
}

fn serve<T: Trace + 'static>(
    mut scheduler: Scheduler<Epoll, T>,
    sock: Socket,
    signals: Socket,
    options: Options,
) -> io::Result<()> {
    scheduler.submit_task(echo_server(sock, scheduler.handle(), options));
    scheduler.submit_task(stop_on_signal(signals, scheduler.handle()));
    scheduler.run()
}
// ANCHOR_END: main

// ANCHOR: echo_server
/// The server task: accepts clients, and submits a task for each.
fn echo_server(sock: Socket, scheduler: Handle, options: Options) -> impl Task {
    Coroutine::new(async move |co: Co| {
        let mut backoff = AcceptBackoff::default();
        loop {
            // The synchronous sibling: `sock.accept()` blocks until there is a client.
            // Here it returns a ConnectEvent at once, and the task is suspended at `await`.
            match co.yield_(sock.accept()).await {
                Ok((client, addr)) => {
                    backoff.accepted();
                    options.log.connection(addr);
                    scheduler.submit_task(client_handler(client, addr, options.clone()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => break, // a stop
                Err(error) => match backoff.after(error) {
                    Ok(pause) => co.yield_(sleep(pause)).await,
                    Err(error) => break scheduler.fail(error),
                },
            }
        }
    })
}
// ANCHOR_END: echo_server

// ANCHOR: client_handler
/// The task of one client: a coroutine around the one that does the work.
fn client_handler(client: Socket, addr: SocketAddr, options: Options) -> impl Task {
    Coroutine::new(async move |co: Co| {
        let served = if options.lines {
            answer_lines(&co, client).await
        } else {
            echo(&co, client).await
        };
        if let Err(error) = served {
            log::problem(format_args!("{addr}: {error}"));
        }
        options.log.disconnected(addr);
    })
}
// ANCHOR_END: client_handler

// ANCHOR: echo
/// Sends back what it receives, until the client has no more to send.
async fn echo(co: &Co, client: Socket) -> io::Result<()> {
    loop {
        let bytes = co.yield_(client.recv()).await?;
        if bytes.is_empty() {
            break;
        }
        co.yield_(client.send(bytes)).await?;
    }
    co.yield_(client.close()).await;
    Ok(())
}
// ANCHOR_END: echo

// ANCHOR: answer_lines
/// Answers each line with `Get: ` and that line.
async fn answer_lines(co: &Co, client: Socket) -> io::Result<()> {
    let mut lines = Lines::new(client.clone());
    let served = loop {
        match read_line(co, &mut lines).await {
            Ok(Some(line)) => co.yield_(client.send([b"Get: ", line].concat())).await?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
    };
    // Even after a line that is too long: the answers before it are still on their way.
    co.yield_(client.close()).await;
    served
}
// ANCHOR_END: answer_lines

// ANCHOR: stop_on_signal
/// A signal is an event like any other: its task waits for something to receive.
fn stop_on_signal(signals: Socket, scheduler: Handle) -> impl Task {
    Coroutine::new(async move |co: Co| match co.yield_(signals.recv()).await {
        Ok(_) => scheduler.stop(),
        Err(error) => scheduler.fail(error),
    })
}
// ANCHOR_END: stop_on_signal
