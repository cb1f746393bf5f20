//! A peer: an echo server on smol, one task a client, on one thread.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use bench::peer::{self, Options, Plain};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{LocalExecutor, Timer};

fn main() -> ExitCode {
    peer::run(|Plain { options }| {
        let executor = Rc::new(LocalExecutor::new());
        // A task of its own: else each wake-up would ask for the next client, too.
        let server = executor.spawn(serve(Rc::clone(&executor), options));
        smol::block_on(executor.run(server))
    })
}

async fn serve(executor: Rc<LocalExecutor<'static>>, options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(options.listen).await?;
    peer::listening(listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((client, addr)) => {
                executor.spawn(handle(client, addr, options.buffer)).detach();
            }
            Err(error) => {
                peer::problem(format_args!("cannot accept for now: {error}"));
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn handle(client: TcpStream, addr: SocketAddr, size: usize) {
    if let Err(error) = echo(client, size).await {
        peer::problem(format_args!("{addr}: {error}"));
    }
}

async fn echo(mut client: TcpStream, size: usize) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut buffer = vec![0; size];
    loop {
        let count = client.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..count]).await?;
    }
}
