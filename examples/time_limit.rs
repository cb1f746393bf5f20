//! An echo server that sends away a client that is silent for five seconds: each client's task waits for two
//! things at once, for its input and for the clock.
//!
//! `cargo run --example time_limit`, then `nc 127.0.0.1 8000`, and wait.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bricks::cli::Program;
use bricks::epoll::epoll_or_select;
use bricks::executor::{Elapsed, Executor, Handle, Listener, ReadBuffer, Stream};
use bricks::log::{self, Log};
use bricks::net::{AcceptBackoff, Socket};

const PROGRAM: Program = Program {
    name: "time_limit",
    about: "An echo server that sends silent clients away.",
    lines: false,
    trace: false,
};

/// So long a client may be silent.
const LIMIT: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    PROGRAM.run(|options| {
        let sock = Socket::new(options.listen()?)?;
        let mut executor = Executor::new(epoll_or_select()?, None)?;
        let handle = executor.handle();
        options.log.listening(sock.local_addr()?);

        executor.block_on(serve(Listener::new(sock, &handle), handle, options.log))?
    })
}

async fn serve(listener: Listener, executor: Handle, log: Log) -> io::Result<()> {
    let mut backoff = AcceptBackoff::default();
    loop {
        match listener.accept().await {
            Ok((client, addr)) => {
                backoff.accepted();
                log.connection(addr);
                executor.spawn(client_handler(client, addr, executor.clone(), log));
            }
            Err(error) => executor.sleep(backoff.after(error)?).await,
        }
    }
}

async fn client_handler(client: Stream, addr: SocketAddr, executor: Handle, log: Log) {
    match echo(&client, &executor).await {
        Ok(End::Input) => {}
        Ok(End::Silence) => log::problem(format_args!("{addr}: silent for {LIMIT:?}")),
        Err(error) => log::problem(format_args!("{addr}: {error}")),
    }
    client.close().await;
    log.disconnected(addr);
}

/// Why there is nothing more to echo.
enum End {
    Input,
    Silence,
}

// ANCHOR: echo
/// The echo of stage 06, but for the time limit around the read.
async fn echo(client: &Stream, executor: &Handle) -> io::Result<End> {
    let mut buffer = ReadBuffer::new();
    loop {
        let count = match executor.timeout(LIMIT, client.read(&mut buffer)).await {
            Ok(count) => count?,
            Err(Elapsed) => return Ok(End::Silence),
        };
        if count == 0 {
            return Ok(End::Input);
        }
        client.write_all(&buffer[..count]).await?;
        buffer.adapt_to(count);
    }
}
// ANCHOR_END: echo
