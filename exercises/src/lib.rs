//! What the exercises' checks share: streams that take a little at a time, a scheduler in a
//! thread, and waits that end.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use bricks::net::Socket;
use bricks::scheduler::Scheduler;
use bricks::scheduler::poller::Poller;
use nix::sys::socket::Shutdown;

pub mod clients;
pub mod poll;
pub mod steps;
pub mod stream;

/// Nothing that is right takes so long.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `work` in a thread of its own, and waits for it, but not for ever.
///
/// # Panics
///
/// If `work` panics, or is not done in [`PATIENCE`]: `otherwise` says what that means.
pub fn in_time<T: Send + 'static>(
    otherwise: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    Work::start(work).end(otherwise)
}

/// Does `work`, and says what it means if that panics.
///
/// # Panics
///
/// With `otherwise`, if `work` panics.
pub fn without_a_panic<T>(otherwise: &str, work: impl FnOnce() -> T) -> T {
    // The panic has said where it was: libtest shows that with this test.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    result.unwrap_or_else(|_| panic!("{otherwise}"))
}

/// Something that runs in a thread of its own.
#[derive(Debug)]
pub struct Work<T>(Receiver<thread::Result<T>>);

impl<T: Send + 'static> Work<T> {
    /// Starts it.
    pub fn start(work: impl FnOnce() -> T + Send + 'static) -> Work<T> {
        let (done, result) = mpsc::channel();
        thread::spawn(move || {
            let work = std::panic::AssertUnwindSafe(work);
            let _ = done.send(std::panic::catch_unwind(work));
        });
        Work(result)
    }

    /// Waits for its result, but not for ever.
    ///
    /// # Panics
    ///
    /// If it panicked, or is not done in [`PATIENCE`]: `otherwise` says what that means.
    pub fn end(self, otherwise: &str) -> T {
        match self.0.recv_timeout(PATIENCE) {
            Ok(Ok(value)) => value,
            // The thread has said why: libtest shows that with this test.
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => panic!("{otherwise}"),
        }
    }

    /// Whether it is done, or has panicked.
    pub fn is_done(&self) -> bool {
        !matches!(self.0.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// A scheduler in a thread of its own, given its tasks by `submit`. It ends with the last task.
pub fn schedule<P: Poller + Default + 'static>(
    submit: impl FnOnce(&mut Scheduler) + Send + 'static,
) -> Work<io::Result<()>> {
    Work::start(move || {
        let mut scheduler = Scheduler::new(P::default(), None);
        submit(&mut scheduler);
        scheduler.run()
    })
}

/// Ends a socket's input, and its output too: whoever waits for it receives the end of input.
pub fn shut_down(socket: &Socket) {
    // An error means that it is over already.
    let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), Shutdown::Both);
}

/// A client, which never waits longer than [`PATIENCE`].
#[derive(Debug)]
pub struct Client(TcpStream);

impl Client {
    /// Connects to `addr`.
    ///
    /// # Panics
    ///
    /// If nobody listens there.
    pub fn connect(addr: std::net::SocketAddr) -> Client {
        let stream = TcpStream::connect(addr).expect("the check's own listener is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        Client(stream)
    }

    /// Sends all of it.
    ///
    /// # Panics
    ///
    /// If the server has gone, or does not receive.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server receives what is sent to it");
    }

    /// Says that no more will be sent.
    pub fn finish(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// The next `count` bytes, or fewer: those that came before the end or in [`PATIENCE`].
    pub fn receive(&mut self, count: usize) -> String {
        let mut bytes = vec![];
        let mut limited = (&mut self.0).take(count as u64);
        let _ = limited.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The next line, or what came of it.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        while !line.ends_with('\n') {
            match self.receive(1) {
                byte if byte.is_empty() => break,
                byte => line += &byte,
            }
        }
        line
    }

    /// Whether the server ends the connection within `patience`, without another byte.
    pub fn is_ended_within(&mut self, patience: Duration) -> bool {
        self.0.set_read_timeout(Some(patience)).expect("not zero");
        let ended = matches!(self.0.read(&mut [0]), Ok(0));
        self.0.set_read_timeout(Some(PATIENCE)).expect("not zero");
        ended
    }

    /// The number of its descriptor.
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
