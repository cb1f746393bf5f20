//! The tasks of stages 04, 05 and 07: the echo server itself, written once. The three binaries
//! differ in what drives these tasks, and in nothing else.
//!
//! Each handler is a loop again that reads from top to bottom, as in stage 01. At each place
//! where stage 01 would block, the task *yields an event* to the scheduler, which resumes it
//! with the result.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bricks::cli::Options;
use bricks::log;
use bricks::net::{AcceptBackoff, Socket};
use bricks::scheduler::event::sleep;
use bricks::scheduler::lines::{Lines, read_line};
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine, Task};

/// This file and its text: a recording speaks of its lines.
pub const SOURCE: (&str, &str) = (file!(), include_str!("mod.rs"));

// ANCHOR: echo_server
/// The server task: accepts clients, and submits a task for each.
pub fn echo_server(sock: Socket, scheduler: Handle, options: Options) -> impl Task {
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
            Ok(line) if line.is_empty() => break Ok(()),
            Ok(line) => co.yield_(client.send([b"Get: ", &*line].concat())).await?,
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
pub fn stop_on_signal(signals: Socket, scheduler: Handle) -> impl Task {
    Coroutine::new(async move |co: Co| match co.yield_(signals.recv()).await {
        Ok(_) => scheduler.stop(),
        Err(error) => scheduler.fail(error),
    })
}
// ANCHOR_END: stop_on_signal
