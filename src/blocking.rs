//! What stages 01 and 02 use: blocking sockets and threads, with what a robust server adds to
//! the standard library's.

use std::hint;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::log::{self, Log};
use crate::net::{AcceptBackoff, retry};

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

// ANCHOR: spawn_or_refuse
/// More memory than a thread takes to start.
const SPARE: usize = 16 * 1024 * 1024;

/// Runs `serve` on a thread of its own. If there is none to be had, the client at `addr` is
/// refused: that is reported, and the client is dropped with `serve`, which owns it.
pub fn spawn_or_refuse(
    addr: SocketAddr,
    log: Log,
    serve: impl FnOnce() + Send + 'static,
) {
    if let Err(error) = spawn(serve) {
        log::problem(format_args!(
            "{addr}: refused, no thread for it: {error}\n\
             each client needs one; serve fewer at once, or raise `ulimit -u` and `-v`"
        ));
        log.disconnected(addr);
    }
}

/// Starts a thread, or says why not.
fn spawn(serve: impl FnOnce() + Send + 'static) -> io::Result<()> {
    // A thread that has been granted still needs memory to start, and where there is none, the
    // process is ended. So see first whether there is some to spare …
    let mut spare = Vec::<u8>::new();
    spare.try_reserve_exact(SPARE).map_err(|_| ErrorKind::OutOfMemory)?;
    drop(hint::black_box(spare));
    let (starting, started) = mpsc::channel::<()>();
    // Not `thread::spawn`: that panics when the system has no thread to give.
    thread::Builder::new().spawn(move || {
        drop(starting);
        serve();
    })?;
    let _ = started.recv(); // … and let only one thread at a time use it to start.
    Ok(())
}
// ANCHOR_END: spawn_or_refuse
