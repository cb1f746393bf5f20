//! Tempting: the future is ready, so its work is done.
//! Told: some bytes have not come back
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

async fn when_ready<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    poll_fn(|_| match call() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    })
    .await
}

async fn echo(mut client: TcpStream) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = when_ready(|| client.read(&mut bytes)).await?;
        if count == 0 {
            return Ok(());
        }
        when_ready(|| client.write(&bytes[..count])).await?;
    }
}

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut tasks: Vec<Pin<Box<dyn Future<Output = io::Result<()>>>>> = vec![];
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true)?;
            tasks.push(Box::pin(echo(client)));
        }
        tasks.retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
    }
}
