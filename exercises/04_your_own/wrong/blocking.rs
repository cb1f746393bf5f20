//! Tempting: it reads like the echo server that it is, and one client is served well.
//! Told: the first client is silent, and the second one gets no answer
use std::io::{self, Read, Write};
use std::net::TcpListener;

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept()?;
        let mut bytes = [0; 64 * 1024];
        while let Ok(count @ 1..) = client.read(&mut bytes) {
            client.write_all(&bytes[..count])?;
        }
    }
}
