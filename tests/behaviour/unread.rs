//! Standard output and standard error that take no more: clients and signals do not wait for
//! that. Both are the same thing here, as in a terminal.

use std::env;
use std::fs::{self, File};
use std::io::{Cursor, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, pipe};
use socket2::SockRef;

use crate::client::Client;
use crate::server::{Killed, Output, Setup, eventually, free_address};
use crate::stage::Stage;

/// The end that the server writes to, and the end from which nobody reads.
type Ends = (OwnedFd, OwnedFd);

/// A terminal in a window that stands still, or one whose program reads nothing.
pub fn an_unread_terminal(stage: &Stage) {
    assert_serves_unread(stage, terminal);
}

fn terminal() -> Ends {
    let terminal = openpty(None, None).unwrap();
    (terminal.slave, terminal.master)
}

/// The process has no descriptor left to open it once more, or may not.
#[cfg(target_os = "linux")]
pub fn an_unread_terminal_that_cannot_be_opened(stage: &Stage) {
    if !crate::support::machine::strace_works() {
        return;
    }
    // With -D the child is the server itself, and not strace.
    let mut strace = vec!["strace", "-D", "-f", "-e", "quiet=all"];
    strace.extend(["-o", "/dev/null", "-P", "/proc/self/fd/1", "-P", "/proc/self/fd/2"]);
    strace.extend(["-e", "trace=openat", "-e", "inject=openat:error=EMFILE"]);
    let setup = Setup::new(stage).wrapped(&strace);
    Filled::new(stage, setup, terminal()).assert_the_log_goes_on();
}

/// A pager.
pub fn an_unread_pipe(stage: &Stage) {
    assert_serves_unread(stage, || {
        let (reads, writes) = pipe().unwrap();
        (writes, reads)
    });
}

/// What collects the log of a service.
pub fn an_unread_socket(stage: &Stage) {
    assert_serves_unread(stage, || {
        let (writes, reads) = UnixStream::pair().unwrap();
        (writes.into(), reads.into())
    });
}

/// A socket that may take a part of a line.
pub fn an_unread_connection(stage: &Stage) {
    assert_serves_unread(stage, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let reads = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        SockRef::from(&reads).set_recv_buffer_size(4096).unwrap();
        let writes = listener.accept().unwrap().0;
        SockRef::from(&writes).set_send_buffer_size(4096).unwrap();
        (writes.into(), reads.into())
    });
}

fn assert_serves_unread(stage: &Stage, open: impl Fn() -> Ends) {
    Filled::new(stage, Setup::new(stage), open()).assert_the_log_goes_on();
    let filled = Filled::new(stage, Setup::new(stage), open());
    assert_ends(stage, filled.server);
}

/// A server that has said more than there is room for.
struct Filled {
    server: Killed,
    addr: SocketAddr,
    ours: File,
    /// A client from before, which is served as ever. (Where one client keeps the others
    /// waiting, there is none.)
    old: Option<Client>,
}

impl Filled {
    fn new(stage: &Stage, setup: Setup, (theirs, ours): Ends) -> Filled {
        let (mut ours, mut command) = (File::from(ours), setup.command());
        command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let server = Killed(command.spawn().unwrap());
        drop(command); // and with it our copies of the server's end
        let line = first_line(&mut ours);
        let addr = line.strip_prefix("listening on ").unwrap().parse().unwrap();

        let mut old = (!stage.one_at_a_time).then(|| Client::connect(addr));
        old.iter_mut().for_each(|old| old.echo(b"hello"));
        // Each of these is worth 70 bytes, and a pipe has room for 64 KiB.
        for number in 0..1200 {
            let mut client = Client::connect(addr);
            client.echo(b"hello");
            if number % 4 == 0 { client.reset() } else { client.finish() }
        }
        old.iter_mut().for_each(|old| old.echo(b"are you still there?"));
        Filled { server, addr, ours, old }
    }

    /// The log is read again: what is written now arrives, and all lines are whole. (The first
    /// of them is about the old client, and a problem.)
    fn assert_the_log_goes_on(mut self) {
        let so_far = Cursor::new(read_what_is_there(&mut self.ours));
        if let Some(old) = self.old {
            old.reset();
        }
        let (log, mut expected) = (Output::collect(so_far.chain(self.ours)), vec![]);
        let text = eventually("the log goes on", || {
            let mut client = Client::connect(self.addr);
            client.echo(b"hello");
            expected.push(format!("Connection from: {}\n", client.addr()));
            client.finish();
            let text = log.text().replace('\r', "");
            expected.iter().any(|line| text.contains(line)).then_some(text)
        });
        let cut: Vec<&str> = text.lines().filter(|line| !is_whole(line)).collect();
        assert!(cut.is_empty(), "{cut:?}");
        assert!(text.lines().count() > 20, "{text}");
    }
}

fn read_what_is_there(from: &mut File) -> Vec<u8> {
    let mut bytes = vec![];
    SockRef::from(&*from).set_nonblocking(true).unwrap();
    let error = from.read_to_end(&mut bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    SockRef::from(&*from).set_nonblocking(false).unwrap();
    bytes
}

/// Byte after byte, so that nothing after the line is read.
fn first_line(from: &mut File) -> String {
    let (mut line, mut byte) = (vec![], [0]);
    while byte != *b"\n" {
        from.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_string()
}

fn is_whole(line: &str) -> bool {
    let is_addr = |text: &str| text.parse::<SocketAddr>().is_ok();
    if let Some(addr) = line.strip_prefix("Connection from: ") {
        return is_addr(addr);
    }
    if let Some(rest) = line.strip_prefix("Client: ") {
        return rest.strip_suffix(" disconnected").is_some_and(is_addr);
    }
    let problem = line.split_once(": Connection reset by peer (os error ");
    problem.is_some_and(|(addr, _)| is_addr(addr) && line.ends_with(')'))
}

/// SIGTERM ends the server, although nobody reads what it says about that.
fn assert_ends(stage: &Stage, mut server: Killed) {
    let start = Instant::now();
    signal::kill(Pid::from_raw(server.0.id() as i32), Signal::SIGTERM).unwrap();
    let status = eventually("it ends", || server.0.try_wait().unwrap());
    if stage.stops_gracefully {
        // Not a measurement: as in `stop_while_idle`, there is nobody to wait for.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(status.code(), Some(0), "{status}");
    } else {
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32), "{status}");
    }
}

/// What has no room at all, and what is not there.
pub fn full_or_closed(stage: &Stage) {
    let full = if cfg!(target_os = "linux") { ">/dev/full 2>&1" } else { ">&- 2>&-" };
    for output in [full, ">&- 2>&-", ">/dev/null 2>&1"] {
        // It cannot say where it listens, so it is told.
        let addr = free_address();
        let server = Setup::new(stage).listen(addr).command();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$@\" {output}"), "sh"]);
        command.arg(server.get_program()).args(server.get_args());
        let server = Killed(command.spawn().unwrap());
        eventually("it listens", || TcpStream::connect(addr).ok());
        for _ in 0..3 {
            let mut client = Client::connect(addr);
            client.echo(b"hello");
            client.reset();
        }
        let mut client = Client::connect(addr);
        client.echo(b"are you still there?");
        client.finish();
        assert_ends(stage, server);
    }
}

/// `ulimit -f`: the system's signal for that would end the process.
pub fn a_log_of_the_largest_size(stage: &Stage) {
    let path =
        env::temp_dir().join(format!("bricks-log-{}-{}", process::id(), stage.name));
    let file = File::create(&path).unwrap();
    let mut command = Setup::new(stage).limit("-f", 2).command();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    let server = Killed(command.spawn().unwrap());
    let text = || fs::read_to_string(&path).unwrap();
    let addr = eventually("it listens", || {
        text().lines().next()?.strip_prefix("listening on ")?.parse().ok()
    });
    for _ in 0..100 {
        let mut client = Client::connect(addr);
        client.echo(b"hello");
        client.finish();
    }
    let written = text();
    fs::remove_file(&path).unwrap();
    assert!((1000..=2048).contains(&written.len()), "{written}");
    assert_ends(stage, server);
}
