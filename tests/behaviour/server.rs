//! A server under test: a process that is started on a free port, watched, and ended.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::client::Client;
use crate::stage::Stage;

/// Nothing in this suite takes so long unless it hangs. (`BRICKS_PATIENCE` is another number of
/// seconds, for servers of which nobody knows yet whether they hang.)
pub static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let seconds = env::var("BRICKS_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
});

/// How a server is to be started.
pub struct Setup<'a> {
    stage: &'a Stage,
    listen: String,
    arguments: Vec<String>,
    limits: Vec<String>,
    wrapper: Vec<String>,
}

impl<'a> Setup<'a> {
    pub fn new(stage: &'a Stage) -> Setup<'a> {
        let listen = "127.0.0.1:0".to_string();
        Setup { stage, listen, arguments: vec![], limits: vec![], wrapper: vec![] }
    }

    pub fn listen(mut self, addr: impl ToString) -> Self {
        self.listen = addr.to_string();
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
        let server = self.stage.words();
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
            self.stage.command()
        };
        command.args(["--listen", &self.listen]).args(&self.arguments);
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
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.stage.name));
        let log = Output::collect(child.stdout.take().expect("piped"));
        let problems = Output::collect(child.stderr.take().expect("piped"));
        let pid = child.id();
        let mut server = Server { child, pid, addr: ([0; 4], 0).into(), log, problems };
        let listening = server.log.wait(|lines| {
            lines.iter().find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
        });
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

    /// The child, or the child's child where another command wraps the server.
    fn server_pid(&self) -> u32 {
        let child = self.child.id();
        let children = format!("/proc/{child}/task/{child}/children");
        let children = std::fs::read_to_string(children).unwrap_or_default();
        children
            .split_whitespace()
            .next()
            .and_then(|pid| pid.parse().ok())
            .unwrap_or(child)
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid as i32), signal)
            .expect("the server is there");
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

impl Drop for Server {
    fn drop(&mut self) {
        if self.pid != self.child.id() {
            let _ = signal::kill(Pid::from_raw(self.pid as i32), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server said: {}{}", self.log.text(), self.problems.text());
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
}

impl Output {
    pub fn collect(from: impl Read + Send + 'static) -> Output {
        let output = Output(Arc::default());
        let ours = output.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let Ok(line) = line else { break };
                ours.printed().lines.push(line);
                ours.0.1.notify_all();
            }
            ours.printed().ended = true;
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

    /// Everything so far.
    pub fn text(&self) -> String {
        let lines = &self.printed().lines;
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
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
    TcpStream::connect(addr).is_err()
}
