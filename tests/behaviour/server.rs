//! A server under test: a process that is started on a free port, watched, and ended.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::client::{self, Client};
use crate::foreign::{self, Group, PORT};
use crate::stage::Stage;
pub use crate::support::machine::PATIENCE;

/// How a server is to be started.
pub struct Setup<'a> {
    stage: &'a Stage,
    listen: String,
    /// The port in its command, if it has one there.
    port: Option<u16>,
    arguments: Vec<String>,
    limits: Vec<String>,
    wrapper: Vec<String>,
}

impl<'a> Setup<'a> {
    pub fn new(stage: &'a Stage) -> Setup<'a> {
        let listen = "127.0.0.1:0".to_string();
        let port = stage.is_told_its_port().then(foreign::free_port);
        let (arguments, limits, wrapper) = (vec![], vec![], vec![]);
        Setup { stage, listen, port, arguments, limits, wrapper }
    }

    pub fn listen(mut self, addr: impl ToString) -> Self {
        self.listen = addr.to_string();
        let port = self.listen.rsplit(':').next().and_then(|port| port.parse().ok());
        self.port = self.port.and(port);
        self
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// As the shell's `ulimit` has it: `limit("-n", 32)`.
    pub fn limit(mut self, flag: &str, value: u64) -> Self {
        self.limits.push(format!("ulimit {flag} {value}"));
        self
    }

    /// Runs the server as the last argument of another command.
    pub fn wrapped(mut self, command: &[&str]) -> Self {
        self.wrapper = command.iter().map(ToString::to_string).collect();
        self
    }

    pub fn command(&self) -> Command {
        let mut server = self.stage.words();
        if let Some(port) = self.port {
            for word in &mut server {
                *word = word.to_string_lossy().replace(PORT, &port.to_string()).into();
            }
        }
        let mut command = if !self.limits.is_empty() {
            let mut command = Command::new("sh");
            let script = format!("{} && exec \"$@\"", self.limits.join(" && "));
            command.args(["-c", &script, "sh"]).args(&self.wrapper).args(server);
            command
        } else if let Some((program, arguments)) = self.wrapper.split_first() {
            let mut command = Command::new(program);
            command.args(arguments).args(server);
            command
        } else {
            let mut command = Command::new(&server[0]);
            command.args(&server[1..]);
            command
        };
        match self.port {
            None => command.args(["--listen", &self.listen]).args(&self.arguments),
            Some(_) => command.args(self.arguments.iter().filter(|it| *it != "--quiet")),
        };
        command
    }

    pub fn start(self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(refusal) => panic!("the server does not start: {refusal}"),
        }
    }

    /// Starts the server, and waits until it says that it listens. The error is what it said
    /// instead.
    pub fn try_start(self) -> Result<Server, String> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = match self.stage.is_foreign() {
            true => Group::start(&mut command).map(|(child, group)| (child, Some(group))),
            false => command.spawn().map(|child| (child, None)),
        };
        let (mut child, group) =
            started.unwrap_or_else(|error| panic!("{}: {error}", self.stage.name));
        let log = Output::collect(child.stdout.take().expect("piped"));
        let problems = Output::collect(child.stderr.take().expect("piped"));
        let pid = child.id();
        let (addr, limits) = (([0; 4], 0).into(), self.limits.join(", "));
        let mut server = Server { child, pid, addr, log, problems, group, limits };
        let listening = match self.stage.is_foreign() {
            true => server.wait_for_a_foreign_address(self.port),
            false => server.log.wait(listening),
        };
        match listening {
            Some(addr) => {
                server.addr = addr;
                server.pid = server.server_pid();
                Ok(server)
            }
            None => {
                server.problems.wait(|_| None::<()>); // until all of it is there
                Err(server.problems.text())
            }
        }
    }
}

/// A running server. It is killed when it is dropped.
pub struct Server {
    child: Child,
    /// The server itself, not a command around it.
    pid: u32,
    pub addr: SocketAddr,
    /// Its standard output.
    pub log: Output,
    /// Its standard error.
    pub problems: Output,
    /// All its processes, if nobody knows what they are.
    group: Option<Group>,
    /// With which limits it was started.
    limits: String,
}

impl Server {
    pub fn start(stage: &Stage) -> Server {
        Setup::new(stage).start()
    }

    pub fn quiet(stage: &Stage) -> Server {
        Setup::new(stage).argument("--quiet").start()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its process group, if it has one of its own.
    pub fn group(&self) -> Option<u32> {
        self.group.as_ref().map(|_| self.child.id())
    }

    /// Until its port accepts, or until it prints an address; `None` if it has ended before.
    fn wait_for_a_foreign_address(&mut self, port: Option<u16>) -> Option<SocketAddr> {
        let outputs = [self.log.clone(), self.problems.clone()];
        eventually("the server is ready", || {
            let ended = !self.is_running();
            let own = listening(&self.log.printed().lines);
            let found = match (port, own) {
                (Some(port), _) => foreign::accepting(&foreign::on_port(port)),
                // A connection would be one more in its log, and some tests look at that.
                (None, Some(own)) if !own.ip().is_unspecified() => Some(own),
                // What it complains about may have an address in it, too.
                (None, _) => {
                    let said: Vec<_> =
                        outputs.iter().flat_map(Output::addresses).collect();
                    foreign::accepting(&said)
                }
            };
            (found.is_some() || ended).then_some(found)
        })
    }

    /// The child, or the child's child where another command wraps the server. (The children of
    /// a server that nobody knows may serve one client each; but a shell is no server.)
    fn server_pid(&self) -> u32 {
        let child = self.child.id();
        let name = std::fs::read_to_string(format!("/proc/{child}/comm"));
        if self.group.is_some() && !name.is_ok_and(|name| name.trim_end().ends_with("sh"))
        {
            return child;
        }
        let children = format!("/proc/{child}/task/{child}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children
            .split_whitespace()
            .next()
            .and_then(|pid| pid.parse().ok())
            .unwrap_or(child)
    }

    /// Those that ask a server to end are for itself; others are for all its processes.
    pub fn signal(&self, signal: Signal) {
        let all =
            self.group().filter(|_| ![Signal::SIGINT, Signal::SIGTERM].contains(&signal));
        let sent = match all {
            Some(group) => signal::killpg(Pid::from_raw(group as i32), signal),
            None => signal::kill(Pid::from_raw(self.pid as i32), signal),
        };
        sent.expect("the server is there");
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(start.elapsed() < *PATIENCE, "the server does not end");
            pause();
        }
    }

    /// Sends a signal and asserts what the stage promises about it: to end gracefully, or to
    /// leave it to the system.
    pub fn end(&mut self, stage: &Stage, signal: Signal) {
        self.signal(signal);
        self.end_of(stage, signal);
    }

    /// Waits for the end that the stage promises after `signal`.
    pub fn end_of(&mut self, stage: &Stage, signal: Signal) {
        let status = self.wait();
        if stage.stops_gracefully {
            assert_eq!(status.code(), Some(0), "{status}; {}", self.problems.text());
        } else {
            assert_eq!(status.signal(), Some(signal as i32), "{status}");
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }
}

impl Server {
    /// How it has ended by itself, if it has: its sockets are closed before it is gone.
    fn own_end(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        while self.is_running() && start.elapsed() < Duration::from_millis(500) {
            pause();
        }
        self.child.try_wait().ok().flatten()
    }

    /// For a report: what is known of a server of which nobody knows how it fails.
    fn tell(&self, end: Option<ExitStatus>) {
        self.log.wait_for_its_end();
        self.problems.wait_for_its_end();
        if let Some(status) = end {
            let acts = self.problems.acts_before_the_end().join(", ");
            eprintln!("the server's end: {status}\nthe server's clients: {acts}");
        }
        if !self.limits.is_empty() {
            eprintln!("the server's limits: {}", self.limits);
        }
        let (log, problems) = (self.log.last_lines(), self.problems.last_lines());
        eprintln!("the server said: {log}{problems}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let is_foreign = self.group.is_some();
        let end = if thread::panicking() && is_foreign { self.own_end() } else { None };
        drop(self.group.take());
        if self.pid != self.child.id() {
            let _ = signal::kill(Pid::from_raw(self.pid as i32), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.tell(end);
        }
    }
}

/// A process that is killed when it is dropped, also by a test that fails.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a process prints, collected by a thread.
#[derive(Clone)]
pub struct Output(Arc<(Mutex<Printed>, Condvar)>);

#[derive(Default)]
struct Printed {
    lines: Vec<String>,
    ended: bool,
    /// What clients had done then.
    acts: Vec<&'static str>,
}

impl Printed {
    /// Some servers print without end: of very many lines, the first and the last are kept.
    fn add(&mut self, line: String) {
        const MOST: usize = 20_000;
        self.lines.push(line);
        if self.lines.len() > MOST {
            self.lines.drain(MOST / 4..MOST * 3 / 4);
        }
    }
}

/// The next line, or a piece of one that is very long. It need not be text.
fn next_line(from: &mut impl BufRead) -> Option<String> {
    const LONGEST: u64 = 4096;
    let mut line = vec![];
    let count = from.take(LONGEST).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8_lossy(&line);
    (count > 0).then(|| line.trim_end_matches(['\r', '\n']).to_string())
}

impl Output {
    pub fn collect(from: impl Read + Send + 'static) -> Output {
        let output = Output(Arc::default());
        let ours = output.clone();
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            while let Some(line) = next_line(&mut from) {
                ours.printed().add(line);
                ours.0.1.notify_all();
            }
            let mut printed = ours.printed();
            printed.acts = client::last_acts();
            printed.ended = true;
            drop(printed);
            ours.0.1.notify_all();
        });
        output
    }

    fn printed(&self) -> MutexGuard<'_, Printed> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` finds something in the lines so far; `None` if the process has closed
    /// its output before that.
    pub fn wait<T>(&self, find: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        let start = Instant::now();
        let mut printed = self.printed();
        loop {
            let found = find(&printed.lines);
            if found.is_some() || printed.ended {
                return found;
            }
            if start.elapsed() >= *PATIENCE {
                // Who panics with the lock held cannot be asked what the server said.
                let lines = printed.lines.clone();
                drop(printed);
                panic!("it did not print that: {lines:?}");
            }
            printed = self.0.1.wait_timeout(printed, Duration::from_secs(1)).unwrap().0;
        }
    }

    /// Waits for a line that contains `text`.
    pub fn wait_for(&self, text: &str) -> String {
        let line =
            |lines: &[String]| lines.iter().find(|line| line.contains(text)).cloned();
        self.wait(line)
            .unwrap_or_else(|| panic!("it never said {text:?}: {}", self.text()))
    }

    /// Waits until `text` has been said so many times.
    #[cfg(target_os = "linux")]
    pub fn wait_for_times(&self, text: &str, times: usize) {
        let count = |lines: &[String]| {
            let count = lines.iter().filter(|line| line.contains(text)).count();
            (count >= times).then_some(())
        };
        self.wait(count)
            .unwrap_or_else(|| panic!("not {times} times {text:?}: {}", self.text()));
    }

    /// The first addresses in it: each as those that it may mean.
    fn addresses(&self) -> Vec<SocketAddr> {
        const MANY: usize = 20;
        let lines = &self.printed().lines;
        lines.iter().flat_map(|line| foreign::addresses(line)).take(MANY).collect()
    }

    /// Until all of it is there; but a process that has left the group may keep it open.
    fn wait_for_its_end(&self) {
        let is_open = |printed: &mut Printed| !printed.ended;
        let soon = Duration::from_secs(1);
        drop(self.0.1.wait_timeout_while(self.printed(), soon, is_open));
    }

    /// Not more than a reader of a report would read.
    fn last_lines(&self) -> String {
        let lines = &self.printed().lines;
        let last = &lines[lines.len().saturating_sub(100)..];
        last.iter().map(|line| format!("{line}\n")).collect()
    }

    /// What clients did before the process closed it, the last one last.
    fn acts_before_the_end(&self) -> Vec<&'static str> {
        self.printed().acts.clone()
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        let lines = &self.printed().lines;
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Where a server of this project says that it listens.
fn listening(lines: &[String]) -> Option<SocketAddr> {
    let addr = |line: &String| line.strip_prefix("listening on ")?.parse().ok();
    lines.iter().find_map(addr)
}

/// An address that is free now, and stays so: the system itself gives such a port to nobody. (One
/// that it chooses for port 0, it may have chosen for another test before a server takes it.)
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, foreign::free_port()).into()
}

/// Between two looks at something that cannot be waited for.
pub fn pause() {
    thread::park_timeout(Duration::from_millis(1));
}

/// Waits until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < *PATIENCE, "this did not happen: {what}");
        pause();
    }
}

/// Whether nobody accepts connections on `addr` any more.
pub fn is_closed(addr: SocketAddr) -> bool {
    TcpStream::connect_timeout(&addr, *PATIENCE).is_err()
}

#[test]
fn a_server_that_prints_without_end_does_not_fill_the_memory() {
    let much = std::io::repeat(b'x').take(256 << 20);
    let output = Output::collect(much.chain(&b"\nthe last line\n"[..]));
    assert_eq!(output.wait(|_| None::<()>), None, "it has ended");
    let text = output.text();
    assert!(text.len() < 100 << 20, "{} bytes are kept", text.len());
    assert!(text.ends_with("\nthe last line\n"));
}
