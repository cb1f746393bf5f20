//! A peer: an echo server on tokio, one task a client, as its tutorial has it.

#![forbid(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bench::peer::{self, Options};
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

#[derive(Parser)]
struct Tokio {
    #[command(flatten)]
    options: Options,
    /// tokio's usual pool of threads, and not one thread
    #[arg(long)]
    multi_thread: bool,
}

fn main() -> ExitCode {
    peer::run(|Tokio { options, multi_thread }| {
        let mut builder = match multi_thread {
            true => Builder::new_multi_thread(),
            false => Builder::new_current_thread(),
        };
        builder.enable_all().build()?.block_on(serve(options))
    })
}

async fn serve(options: Options) -> io::Result<()> {
    let listener = TcpListener::bind(options.listen).await?;
    peer::listening(listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((client, addr)) => {
                tokio::spawn(handle(client, addr, options.buffer));
            }
            Err(error) => {
                peer::problem(format_args!("cannot accept for now: {error}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
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
