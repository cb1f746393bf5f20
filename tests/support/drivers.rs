//! What the tests of drivers share: a watch over all waits, sockets whose other ends the test
//! holds, and the task that echoes.

use std::env;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use bricks::net::{Socket, listen};
use bricks::scheduler::task::{Co, Coroutine, Task};
use bricks::trace::{Step, Trace};

use super::machine::{PATIENCE, valgrind_works};

/// Nothing takes so long, not even what fails.
const TOO_LONG: Duration = Duration::from_secs(120);

/// A driver that waits for ever must fail, and not keep everybody waiting: this ends the process
/// when too much time has passed in which nobody has called it again.
pub fn watch_the_clock() {
    static SIGN_OF_LIFE: LazyLock<Sender<()>> = LazyLock::new(|| {
        let (sign, signs) = mpsc::channel();
        thread::spawn(move || {
            while signs.recv_timeout(TOO_LONG).is_ok() {}
            eprintln!("a test has hung for {TOO_LONG:?}");
            std::process::exit(101);
        });
        sign
    });
    SIGN_OF_LIFE.send(()).unwrap();
}

/// Whether a task that panics fails the test. If not, an assertion inside a task would be caught
/// by the driver, and pass unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    Fail,
    AreExpected,
}

impl Panics {
    /// As a driver takes it.
    pub fn trace(self) -> Option<Box<dyn Trace>> {
        Some(Box::new(self))
    }
}

impl Trace for Panics {
    fn record(&mut self, step: Step<'_>) {
        if let Step::Finish { task, panicked: true } = step {
            assert!(*self == Panics::AreExpected, "task {task} has panicked");
        }
    }
}

/// A socket for a task, and its other end for the test.
pub fn pair() -> (Socket, UnixStream) {
    watch_the_clock();
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_read_timeout(Some(*PATIENCE)).unwrap();
    (Socket::new(ours).unwrap(), theirs)
}

/// The same, over TCP.
pub fn tcp_pair() -> (Socket, TcpStream) {
    watch_the_clock();
    let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    theirs.set_read_timeout(Some(*PATIENCE)).unwrap();
    (Socket::new(listener.accept().unwrap().0).unwrap(), theirs)
}

/// A listening socket for a task, and its address.
pub fn listener() -> (Socket, SocketAddr) {
    watch_the_clock();
    let sock = Socket::new(listen(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let addr = sock.local_addr().unwrap();
    (sock, addr)
}

/// Makes things until one has this number; none if somebody else has taken it.
pub fn at_number<A: AsRawFd, B>(
    number: RawFd,
    make: impl Fn() -> (A, B),
) -> Option<(A, B)> {
    let mut others = vec![];
    for _ in 0..10 {
        let made = make();
        if made.0.as_raw_fd() == number {
            return Some(made);
        }
        others.push(made);
    }
    None
}

/// Sends this, and then the end of input.
pub fn say_all(mut theirs: &UnixStream, bytes: &[u8]) {
    theirs.write_all(bytes).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
}

/// What comes until the end of input.
pub fn hear_all(mut theirs: impl Read) -> Vec<u8> {
    let mut heard = vec![];
    theirs.read_to_end(&mut heard).unwrap();
    heard
}

/// Echoes until the end of input, and closes the connection.
pub async fn echo(co: &Co, client: Socket) -> io::Result<()> {
    loop {
        let bytes = co.yield_(client.recv()).await?;
        if bytes.is_empty() {
            break;
        }
        co.yield_(client.send(bytes)).await?;
    }
    co.yield_(client.close()).await;
    Ok(())
}

pub fn echo_task(client: Socket) -> impl Task {
    Coroutine::new(async move |co: Co| echo(&co, client).await.unwrap())
}

/// Runs tests of this target once more, under a memory checker: it sees whether we look at memory
/// that has been given back, and whether any is lost. (It does not see what the kernel writes;
/// that memory is used too early would show in the bytes. And it knows an `io_uring_enter` that
/// waits only as one that holds all threads up: so these must be tests of one thread.)
pub fn run_under_valgrind(tests: &[&str]) {
    if !valgrind_works() {
        return;
    }
    let checked = Command::new("timeout")
        .args(["--kill-after=1", "110", "valgrind", "--quiet", "--error-exitcode=9"])
        .args(["--leak-check=full", "--errors-for-leak-kinds=definite"])
        .args(["--show-leak-kinds=definite"])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "--test-threads=1"])
        .args(tests)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    let errors = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}{errors}");
    assert!(said.contains(&format!("{} passed", tests.len())), "{said}");
}
