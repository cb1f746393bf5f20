//! Blocking sockets for stages 01 and 02, with what a robust server adds to the standard
//! library's.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::accept::AcceptBackoff;
use super::retry;

/// A blocking listening socket.
#[derive(Debug)]
pub struct PatientListener {
    listener: TcpListener,
    backoff: AcceptBackoff,
}

impl PatientListener {
    /// Takes over a listening socket.
    pub fn new(listener: TcpListener) -> PatientListener {
        PatientListener { listener, backoff: AcceptBackoff::default() }
    }

    /// The address that this socket is bound to.
    ///
    /// # Errors
    ///
    /// Those of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Sleeps until a client connects, and accepts it. Failures that pass (a client that has gone,
    /// no descriptor left) are reported and waited out: see [`AcceptBackoff`].
    ///
    /// # Errors
    ///
    /// If the next accept cannot succeed either.
    pub fn accept_patiently(&mut self) -> io::Result<(Connection, SocketAddr)> {
        loop {
            match self.listener.accept() {
                Ok((client, addr)) => {
                    self.backoff.accepted();
                    // Not to wait for acknowledgements: `Socket::accepted` says why.
                    let _ = client.set_nodelay(true);
                    return Ok((Connection(client), addr));
                }
                Err(error) => thread::sleep(self.backoff.after(error)?),
            }
        }
    }
}

/// A blocking connection. A call that a signal has interrupted is made again.
#[derive(Debug)]
pub struct Connection(TcpStream);

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| self.0.read(buffer))
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
