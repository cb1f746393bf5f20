//! The recordings that the book plays are recordings, and this keeps them true: it makes each
//! again and compares all but the times. What pages show where there is no JavaScript, a table
//! and a picture, is made from them.
//!
//! Clients that race give another recording each time. So these are paced: they wait until the
//! server sleeps before they do the next thing. `cargo xtask record` makes new recordings.

#![cfg(target_os = "linux")]

mod support;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bricks::recording::git_hash;
use playback::animation;
use playback::picture;
use playback::read::Recording;
use playback::strace;
use playback::text;
use serde_json::Value;

use support::machine::{skipped, strace_works};
use support::recorded::is_recording;

const PATIENCE: Duration = Duration::from_secs(60);

/// A recording for the book.
struct Take {
    stage: &'static str,
    program: &'static str,
    clients: &'static [Move],
    camera: Camera,
}

/// How it is recorded.
enum Camera {
    /// By `--trace`.
    Own,
    /// By `strace`: what the source lines contain that make its system calls, and whether there
    /// are several threads.
    Strace { places: &'static [(&'static str, &'static str)], threads: bool },
}

/// What the clients do, one after the other. A client is known by its place in order.
enum Move {
    Connect,
    Send(usize, &'static [u8]),
    End(usize),
}
use Move::{Connect, End, Send};

const ONE_CLIENT: &[Move] = &[Connect, Send(0, b"hi\n"), End(0)];

/// The second and the third send while the first is still there.
const THREE_CLIENTS: &[Move] = &[
    Connect,
    Connect,
    Connect,
    Send(0, b"a\n"),
    Send(1, b"b\n"),
    Send(2, b"c\n"),
    Send(0, b"aa\n"),
    End(0),
    End(1),
    End(2),
];

macro_rules! take {
    ($stage:literal, $clients:ident, $camera:expr) => {
        Take {
            stage: $stage,
            program: env!(concat!("CARGO_BIN_EXE_", $stage)),
            clients: $clients,
            camera: $camera,
        }
    };
}

const BLOCKING_CALLS: &[(&str, &str)] = &[
    ("accept", "sock.accept_patiently()"),
    ("recv", "client.read("),
    ("send", "client.write_all("),
];

const SELECT_CALLS: &[(&str, &str)] = &[
    ("select", "select(&mut readable"),
    ("accept", "self.sock.try_accept_patiently()"),
    ("recv", "self.client.try_recv("),
    ("send", "self.client.try_send("),
];

fn takes() -> Vec<Take> {
    use Camera::{Own, Strace};
    vec![
        take!(
            "01_blocking",
            THREE_CLIENTS,
            Strace { places: BLOCKING_CALLS, threads: false }
        ),
        take!(
            "02_threads",
            THREE_CLIENTS,
            Strace { places: BLOCKING_CALLS, threads: true }
        ),
        take!(
            "03_select",
            THREE_CLIENTS,
            Strace { places: SELECT_CALLS, threads: false }
        ),
        take!("04_scheduler", ONE_CLIENT, Own),
        take!("04_scheduler", THREE_CLIENTS, Own),
        take!("05_epoll", ONE_CLIENT, Own),
        take!("05_epoll", THREE_CLIENTS, Own),
        take!("06_async_await", ONE_CLIENT, Own),
        take!("06_async_await", THREE_CLIENTS, Own),
        take!("07_io_uring", ONE_CLIENT, Own),
        take!("07_io_uring", THREE_CLIENTS, Own),
    ]
}

impl Take {
    fn name(&self) -> String {
        let clients = if self.clients.len() == ONE_CLIENT.len() {
            "one_client"
        } else {
            "three_clients"
        };
        format!("{}_{clients}", self.stage.split('_').next().unwrap())
    }

    fn source(&self) -> String {
        format!("src/bin/{}.rs", self.stage)
    }

    /// Makes the recording; none if that is not possible here.
    fn record(&self) -> Option<String> {
        let file = env::temp_dir().join(format!(
            "bricks-{}-{}",
            std::process::id(),
            self.name()
        ));
        let recorded = match &self.camera {
            Camera::Own => {
                let mut command = clean(self.program);
                command.args(["--trace".as_ref(), file.as_os_str()]);
                let server = Server::start(command, false)?;
                server.meet(self.clients);
                wait(|| is_asleep_at_the_end(&file));
                drop(server);
                fs::read_to_string(&file).unwrap()
            }
            Camera::Strace { places, threads } => {
                if !strace_works() {
                    return None;
                }
                let mut command = clean(strace::COMMAND[0]);
                command.args(&strace::COMMAND[1..]).arg(&file).arg(self.program);
                let server = Server::start(command, true)?;
                server.meet(self.clients);
                drop(server);
                let (src, source) = (self.source(), read(&self.source()));
                let program = strace::Program {
                    stage: self.stage,
                    src: &src,
                    sha: &git_hash(&source),
                    source: &source,
                    threads: *threads,
                    places,
                };
                strace::convert(&fs::read_to_string(&file).unwrap(), &program).unwrap()
            }
        };
        fs::remove_file(&file).unwrap();
        Some(with_the_books_addresses(&recorded))
    }
}

/// A command that inherits no descriptors but the first three: others would shift those of the
/// server, which are shown.
fn clean(program: &str) -> Command {
    let mut command = Command::new("bash");
    let close = "for fd in /proc/self/fd/*; do fd=${fd##*/}; \
                 if [ $fd -gt 2 ]; then eval \"exec $fd>&-\"; fi; done; exec \"$@\"";
    command.args(["-c", close, "bash", program]);
    command
}

/// A running server. It is killed when it is dropped.
struct Server {
    child: Child,
    /// The server itself.
    pid: u32,
    addr: String,
}

impl Server {
    /// None if it says that it cannot run here.
    fn start(mut command: Command, wrapped: bool) -> Option<Server> {
        let mut child = command
            .args(["--quiet", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(addr) = line.trim().strip_prefix("listening on ") else {
            let mut problem = String::new();
            child.stderr.take().unwrap().read_to_string(&mut problem).unwrap();
            child.wait().unwrap();
            assert!(problem.contains("io_uring"), "{problem}");
            skipped(&problem);
            return None;
        };
        let mut server = Server { pid: child.id(), child, addr: addr.to_string() };
        if wrapped {
            let children = format!("/proc/{0}/task/{0}/children", server.pid);
            let children = fs::read_to_string(children).unwrap();
            server.pid = children.trim().parse().unwrap();
        }
        server.wait_until_asleep();
        Some(server)
    }

    fn meet(&self, moves: &[Move]) {
        let mut clients: Vec<TcpStream> = vec![];
        for one in moves {
            match one {
                Connect => clients.push(TcpStream::connect(&self.addr).unwrap()),
                Send(client, bytes) => clients[*client].write_all(bytes).unwrap(),
                End(client) => {
                    clients[*client].shutdown(Shutdown::Write).unwrap();
                    self.wait_until_asleep();
                    clients[*client].set_read_timeout(Some(PATIENCE)).unwrap();
                    clients[*client].read_to_end(&mut vec![]).unwrap();
                }
            }
            self.wait_until_asleep();
        }
    }

    /// What a client does wakes the server before the client's call returns. So once it sleeps
    /// again, it has done all that there was to do.
    fn wait_until_asleep(&self) {
        let mut times = 0;
        wait(|| {
            let mut threads = fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
            let asleep = threads.all(|thread| {
                let stat = fs::read_to_string(thread.unwrap().path().join("stat"));
                stat.is_ok_and(|it| it.rsplit(')').next().unwrap().starts_with(" S"))
            });
            times = if asleep { times + 1 } else { 0 };
            times == 5
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Not the command around it, which writes down what the server did last.
        let pid = nix::unistd::Pid::from_raw(self.pid as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

fn wait(mut until: impl FnMut() -> bool) {
    let start = Instant::now();
    while !until() {
        assert!(start.elapsed() < PATIENCE, "it does not come to an end");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// All is written: every client that was accepted has been closed, and the server asks again.
fn is_asleep_at_the_end(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap();
    let count = |mark: &str| text.matches(mark).count();
    let last = text.lines().last().unwrap_or_default();
    let (accepted, closed) = (count("\"e\":\"accept\""), count("\"e\":\"close\""));
    accepted > 0 && accepted == closed && last.contains("\"e\":\"enter\"")
}

/// Clients' ports are shown as 50001, 50002, …
fn with_the_books_addresses(recorded: &str) -> String {
    let mut text = recorded.to_string();
    let accepted = recorded.lines().filter(|line| line.contains("\"e\":\"accept\""));
    for (line, port) in accepted.zip(50001..) {
        let peer = line.split("\"peer\":\"").nth(1).unwrap().split('"').next().unwrap();
        text = text.replace(&format!("\"{peer}\""), &format!("\"127.0.0.1:{port}\""));
    }
    text
}

/// All but the times; thread by thread, because it is nobody's choice which of two goes first.
fn shape(recording: &str) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("t");
        line
    };
    let mut shape: Vec<Value> = recording.lines().map(line).collect();
    shape.sort_by_key(|line| line["th"].as_u64());
    shape
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("chapters/traces")
}

/// Asked to by `cargo xtask record`.
#[test]
fn the_recordings_are_true() {
    for take in takes() {
        let file = folder().join(take.name() + ".jsonl");
        let Some(mut now) = take.record() else { continue };
        // The clients wait until the server sleeps, but a busy machine may wake it once more than
        // usual, with nothing to do. What has really changed is different each time.
        for _ in 0..3 {
            let recorded = fs::read_to_string(&file).unwrap_or_default();
            if is_recording() || shape(&recorded) == shape(&now) {
                break;
            }
            now = take.record().expect("it could be recorded a moment ago");
        }
        if is_recording() {
            fs::create_dir_all(folder().join("figures")).unwrap();
            fs::write(&file, &now).unwrap();
        }
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        let (old, new) = (shape(&recorded), shape(&now));
        let differs = old.iter().zip(&new).position(|(old, new)| old != new);
        let at = differs.unwrap_or(old.len().min(new.len()));
        assert!(
            old == new,
            "{} is no longer what happens, from line {} on:\n{}\n{}\nrun `cargo xtask record`",
            file.display(),
            at + 1,
            old.get(at).unwrap_or(&Value::Null),
            new.get(at).unwrap_or(&Value::Null),
        );
    }
    if is_recording() {
        show();
    }
}

#[test]
fn what_is_shown_without_javascript_is_current() {
    if !is_recording() {
        show(); // else after what is to be shown has been recorded
    }
}

/// Compares what pages show of the recordings, or makes it.
fn show() {
    for take in takes() {
        let name = take.name();
        let Ok(recorded) = fs::read_to_string(folder().join(format!("{name}.jsonl")))
        else {
            continue; // where it could not be recorded, the other test says so
        };
        let recording = Recording::read(&recorded).unwrap();
        let mut made = vec![
            (format!("{name}.txt"), text::table(&recording).unwrap()),
            (format!("figures/{name}.svg"), picture::svg(&recording, &name).unwrap()),
        ];
        if name == "04_one_client" {
            made.push(("round.svg".to_string(), moving(&recording)));
        }
        for (file, made) in made {
            let file = folder().join(file);
            if is_recording() {
                fs::write(&file, &made).unwrap();
            }
            let shown = fs::read_to_string(&file).unwrap_or_default();
            let hint = "run `cargo xtask record`";
            assert!(shown == made, "{} is out of date: {hint}", file.display());
        }
    }
}

/// The picture of README.md.
fn moving(recording: &Recording) -> String {
    let source = read(&recording.header.src);
    let line = |number: u32| source.lines().nth(number as usize - 1).unwrap_or_default();
    animation::svg(recording, |number| line(number).trim().to_string()).unwrap()
}

/// The comparison is worth something: another order, another line or a missing one is seen.
#[test]
fn a_recording_that_differs_is_found() {
    let recorded = read("chapters/traces/04_one_client.jsonl");
    let lines: Vec<&str> = recorded.lines().collect();
    let mut swapped = lines.clone();
    swapped.swap(5, 6);
    let other_line = recorded.replacen("\"line\":", "\"line\":1", 1);
    for changed in [swapped.join("\n"), other_line, lines[..lines.len() - 1].join("\n")] {
        assert!(shape(&changed) != shape(&recorded));
    }
    let later = recorded.replace("{\"t\":", "{\"t\":1");
    assert!(shape(&later) == shape(&recorded), "times do not count");
}
