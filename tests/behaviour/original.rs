//! What the original design gets wrong: stage 04 fixes it, and the book's pages show it. The
//! commands are those that the pages give to their reader.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::server::{Output, PATIENCE, Server, Setup, eventually};
use crate::stage::Stage;
use crate::support::default_signals;

const PAGES: [&str; 3] = [
    include_str!("../../chapters/04_scheduler/do_schedule.md"),
    include_str!("../../chapters/04_scheduler/happen.md"),
    include_str!("../../chapters/04_scheduler/weaknesses.md"),
];

/// A command of a page, which runs. It is killed when it is dropped.
struct Experiment {
    child: Child,
    said: Output,
    problems: Output,
}

impl Experiment {
    /// The command of a page that runs `script`, told the port of a server.
    fn start(script: &str, port: u16) -> Experiment {
        let runs = format!("python3 chapters/python/{script}");
        // In a block of commands, or in a sentence.
        let from = PAGES.iter().find_map(|page| Some(&page[page.find(&runs)?..]));
        let command = from.and_then(|text| text.split(['`', '\n']).next());
        let command = command.unwrap_or_else(|| panic!("no page says {runs}"));
        // The shell gives way to Python: what is killed is the one that runs.
        let command = format!("exec env {command}").replace("8000", &port.to_string());
        default_signals::restore();
        let mut child = Command::new("sh")
            .args(["-c", &command])
            .env("PYTHONDONTWRITEBYTECODE", "1") // the next would find it in the tree
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let said = Output::collect(child.stdout.take().expect("piped"));
        let problems = Output::collect(child.stderr.take().expect("piped"));
        Experiment { child, said, problems }
    }

    /// Waits for its end, and returns what it said and what went wrong.
    fn end(mut self) -> (ExitStatus, String, String) {
        let status = eventually("the experiment ends", || self.status());
        for output in [&self.said, &self.problems] {
            assert_eq!(output.wait(|_| None::<()>), None, "the output has ended");
        }
        (status, self.said.text(), self.problems.text())
    }

    /// Ctrl-C after a moment, and again until it ends: one that comes between Python's last look
    /// at signals and the call in which it sleeps does not wake it.
    fn interrupt(mut self, moment: Duration) -> (ExitStatus, String, String) {
        let pid = Pid::from_raw(self.child.id() as i32);
        // Nobody sends on this channel: it is a clock.
        let (_nobody, clock) = mpsc::channel::<()>();
        eventually("it is interrupted", || {
            clock.recv_timeout(moment).unwrap_err();
            signal::kill(pid, Signal::SIGINT).expect("nobody has waited for it");
            clock.recv_timeout(moment).unwrap_err();
            self.status()
        });
        self.end()
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }
}

impl Drop for Experiment {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asserts that an experiment says this much, and then sleeps in a call for ever. Ctrl-C makes
/// it tell where it is. That may come too early: then once more, and later.
fn assert_sleeps(script: &str, expected: &str, call: &str) {
    let mut moment = Duration::from_millis(50);
    loop {
        let experiment = Experiment::start(script, 0);
        experiment.said.wait_for(expected.lines().last().expect("it says something"));
        let (status, said, problems) = experiment.interrupt(moment);
        assert_eq!(said, expected, "and nothing more");
        if problems.contains(call) && status.signal() == Some(Signal::SIGINT as i32) {
            return;
        }
        moment *= 2;
        assert!(moment < *PATIENCE, "it does not sleep in {call}: {status} {problems}");
    }
}

pub fn a_reset_ends_it(stage: &Stage) {
    let mut server = Server::start(stage);
    let mut other = server.connect();
    other.echo(b"hello");
    let reset = Experiment::start("reset.py", server.addr.port());
    let (status, _, problems) = reset.end();
    assert!(status.success(), "{problems}");
    assert_eq!(server.wait().code(), Some(1));
    server.problems.wait_for("ConnectionResetError");
    assert!(!other.is_served(b"still there?"), "the others are cut off");
}

pub fn the_second_waiter_replaces_the_first(_: &Stage) {
    assert_sleeps(
        "second_waiter.py",
        "first is gone\nsecond got b'hello'\nsecond is gone\n",
        "select.select(",
    );
}

pub fn a_blocking_send_stops_all(_: &Stage) {
    assert_sleeps("blocking_send.py", "sending\n", "self.sock.send(");
}

pub fn select_is_called_without_a_task(_: &Stage) {
    assert_sleeps("no_task_left.py", "hello\n", "select.select(");
}

pub fn a_closed_descriptor_ends_it(_: &Stage) {
    let closed = Experiment::start("closed_descriptor.py", 0);
    let (status, said, problems) = closed.end();
    assert_eq!((status.code(), &*said), (Some(1), ""));
    assert!(problems.contains("select.select("), "{problems}");
    assert!(problems.ends_with("OSError: [Errno 9] Bad file descriptor\n"), "{problems}");
}

/// A shortage of descriptors, which would pass, is one more exception.
pub fn too_many_clients_end_it(stage: &Stage) {
    let mut server = Setup::new(stage).limit("-n", 32).start();
    let clients: Vec<TcpStream> =
        (0..40).map_while(|_| TcpStream::connect(server.addr).ok()).collect();
    assert_eq!(server.wait().code(), Some(1));
    server.problems.wait_for("Too many open files");
    drop(clients);
}
