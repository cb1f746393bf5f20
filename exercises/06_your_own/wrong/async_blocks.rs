//! Tempting: each function is `async`, so none of them seems to block.
//! Told: the first client is silent, and the second one gets no answer
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

async fn echo(mut client: TcpStream) -> io::Result<()> {
    let mut bytes = [0; 64 * 1024];
    while let count @ 1.. = client.read(&mut bytes)? {
        client.write_all(&bytes[..count])?;
    }
    Ok(())
}

async fn echo_server(listener: TcpListener) -> io::Result<()> {
    loop {
        let (client, _) = listener.accept()?;
        let _ = echo(client).await;
    }
}

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    let server = pin!(echo_server(listener));
    match server.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("it never says so"),
    }
}
