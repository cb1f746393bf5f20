//! Tempting: the socket is writable, so the bytes are written.
//! Told: some bytes have not come back
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;

/// Serves the clients of `listener`, all of them on this thread.
pub fn serve(listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut clients = vec![];
    let mut bytes = [0; 64 * 1024];
    loop {
        if let Ok((client, _)) = listener.accept() {
            client.set_nonblocking(true)?;
            clients.push(client);
        }
        clients.retain_mut(|client| match client.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => client.write(&bytes[..count]).is_ok(),
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        std::thread::yield_now();
    }
}
