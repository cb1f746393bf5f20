//! Stage 06: the same server on the standard library's `Future`, `Context` and `Waker`.
//!
//! What it adds: the parts of stage 05, cut as real runtimes cut them. A task hands out no event.
//! It is polled with a waker, which it leaves with whoever knows when it can go on: so a task can
//! wait for anything, two things at once, another thread, or a future from a crate that knows
//! nothing of our executor (`src/executor/`, which you read next). And it reads like other Rust.
//!
//! What it costs: a read *borrows* its buffer until it is ready. So each connection keeps a
//! buffer while it waits, and a future that is dropped half-way has done half of its work.
//!
//! What to try: compare this file with `05_epoll.rs`. Then `cargo run --example time_limit`: an
//! echo that waits for two things at once.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::process::ExitCode;

use bricks::cli::{Options, Program};
use bricks::executor::{
    self, BufReader, Executor, Handle, Listener, ReadBuffer, Stream, Traced,
};
use bricks::limit::raise_descriptor_limit;
use bricks::log;
use bricks::net::{AcceptBackoff, Socket};
use bricks::poller::Poller;
use bricks::recording::Source;
use bricks::signal;

const PROGRAM: Program = Program {
    name: env!("CARGO_BIN_NAME"),
    about: "An echo server of futures, with an executor and a reactor.",
    lines: true,
    trace: true,
};

const SOURCE: Source = Source {
    stage: PROGRAM.name,
    path: file!(),
    text: include_str!("06_async_await.rs"),
};

// ANCHOR: main
fn main() -> ExitCode {
    PROGRAM.run(|options| {
        raise_descriptor_limit()?;
        let sock = Socket::new(options.listen()?)?;
        let signals = signal::stop_requests()?;
        let poller = executor::system()?;
        let recording = options.recording(SOURCE)?;
        match recording {
            None => serve(poller, sock, signals, options),
            Some(trace) => serve(Traced::new(poller, trace), sock, signals, options),
        }
    })
}

fn serve(
    poller: impl Poller + 'static,
    sock: Socket,
    signals: Socket,
    options: Options,
) -> io::Result<()> {
    let mut executor = Executor::on(poller)?;
    let handle = executor.handle();
    options.log.listening(sock.local_addr()?);

    let listener = Listener::new(sock, &handle);
    let signals = Stream::new(signals, &handle);
    handle.spawn(echo_server(listener, executor.handle(), options));
    handle.spawn(stop_on_signal(signals, executor.handle()));
    executor.run()
}
// ANCHOR_END: main

// ANCHOR: echo_server
/// The server task: accepts clients, and spawns a task for each.
async fn echo_server(
    listener: Listener<impl Poller + 'static>,
    executor: Handle<impl Poller>,
    options: Options,
) {
    let mut backoff = AcceptBackoff::default();
    loop {
        match listener.accept().await {
            Ok((client, addr)) => {
                backoff.accepted();
                options.log.connection(addr);
                executor.spawn(client_handler(client, addr, options.clone()));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => break, // a stop
            Err(error) => match backoff.after(error) {
                Ok(pause) => executor.sleep(pause).await,
                Err(error) => break executor.fail(error),
            },
        }
    }
}
// ANCHOR_END: echo_server

// ANCHOR: client_handler
/// The task of one client: a future around the one that does the work.
async fn client_handler(client: Stream<impl Poller>, addr: SocketAddr, options: Options) {
    let served =
        if options.lines { answer_lines(client).await } else { echo(client).await };
    if let Err(error) = served {
        log::problem(format_args!("{addr}: {error}"));
    }
    options.log.disconnected(addr);
}
// ANCHOR_END: client_handler

// ANCHOR: echo
/// Sends back what it receives, until the client has no more to send.
async fn echo(client: Stream<impl Poller>) -> io::Result<()> {
    let mut buffer = ReadBuffer::new();
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        client.write_all(&buffer[..count]).await?;
        buffer.adapt_to(count);
    }
    client.close().await;
    Ok(())
}
// ANCHOR_END: echo

// ANCHOR: answer_lines
/// Answers each line with `Get: ` and that line.
async fn answer_lines(client: Stream<impl Poller>) -> io::Result<()> {
    let mut lines = BufReader::new(&client);
    let served = loop {
        match lines.read_line().await {
            Ok(Some(line)) => client.write_all(&[b"Get: ", line].concat()).await?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
    };
    // Even after a line that is too long: the answers before it are still on their way.
    client.close().await;
    served
}
// ANCHOR_END: answer_lines

// ANCHOR: stop_on_signal
/// A signal is like any other input: its task waits for something to read.
async fn stop_on_signal(signals: Stream<impl Poller>, executor: Handle<impl Poller>) {
    match signals.read(&mut [0]).await {
        Ok(_) => executor.stop(),
        Err(error) => executor.fail(error),
    }
}
// ANCHOR_END: stop_on_signal
