//! The clients in `clients/`, against the servers and against misbehaving ones.

#![forbid(unsafe_code)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use support::clients::client;

const BLOCKING: &str = env!("CARGO_BIN_EXE_01_blocking");
const SCHEDULER: &str = env!("CARGO_BIN_EXE_04_scheduler");

/// Nothing here takes nearly as long; what does hangs.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Does something that may hang in a thread of its own.
fn background<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, result) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    result
}

/// What comes out of the background, or a panic if it hangs there.
fn outcome<T>(result: Receiver<T>) -> T {
    result.recv_timeout(WATCHDOG).expect("it hangs, or has panicked")
}

/// A process that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    }

    fn out(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().unwrap())
    }

    fn err(&mut self) -> BufReader<ChildStderr> {
        BufReader::new(self.0.stderr.take().unwrap())
    }

    /// Gives it `input` and waits for its end.
    fn finish(mut self, input: &[u8]) -> Finished {
        let out = self.0.stdout.take().map(|out| background(|| read_all(out)));
        let err = self.0.stderr.take().map(|err| background(|| read_all(err)));
        let (mut stdin, input) = (self.0.stdin.take().unwrap(), input.to_vec());
        // It may end before it has read everything.
        let written = background(move || drop(stdin.write_all(&input)));
        let out = out.map(outcome).unwrap_or_default();
        let err = err.map(outcome).unwrap_or_default();
        outcome(written);
        Finished { code: self.0.wait().unwrap().code(), out, err }
    }
}

fn read_all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn read_line(mut from: impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

/// How a process ended.
#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Finished {
    #[track_caller]
    fn expect(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        assert!(!self.out.contains('\x1b'), "escape codes in a pipe: {self:#?}");
        self
    }

    #[track_caller]
    fn says(self, out: &str) -> Finished {
        assert!(self.out.contains(out), "no {out:?} in {self:#?}");
        self
    }

    #[track_caller]
    fn complains(self, err: &str) -> Finished {
        assert!(self.err.contains(err), "no {err:?} in {self:#?}");
        self
    }
}

fn talk() -> Command {
    Command::new(client("talk"))
}

fn swarm() -> Command {
    Command::new(client("swarm"))
}

fn crowd() -> Command {
    Command::new(client("crowd"))
}

trait Run {
    fn to(&mut self, addr: SocketAddr) -> &mut Self;
    /// Adds flags that are separated by spaces, and runs it.
    fn flags(&mut self, flags: &str) -> Finished;
    fn run(&mut self, arguments: &[&str]) -> Finished;
}

impl Run for Command {
    fn to(&mut self, addr: SocketAddr) -> &mut Command {
        self.arg("--connect").arg(addr.to_string())
    }

    fn flags(&mut self, flags: &str) -> Finished {
        self.run(&flags.split(' ').collect::<Vec<_>>())
    }

    fn run(&mut self, arguments: &[&str]) -> Finished {
        Running::start(self.args(arguments)).finish(b"")
    }
}

struct Server {
    addr: SocketAddr,
    _running: Running,
}

fn server(program: &str, flags: &[&str]) -> Server {
    let mut command = Command::new(program);
    command.args(["--quiet", "--listen", "127.0.0.1:0"]).args(flags);
    let mut running = Running::start(&mut command);
    let out = running.out();
    let line = outcome(background(move || read_line(out)));
    let addr = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    Server { addr, _running: running }
}

/// A server for one client, with ideas of its own.
fn one_client(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    addr
}

/// Nobody listens there: it belongs to a service of the 1980s.
fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

/// The lines without their times, which are different each time.
fn without_times(out: &str) -> Vec<&str> {
    out.lines().map(|line| line.split("   (after ").next().unwrap()).collect()
}

const GOODBYE: &str = "the server closed the connection";

// talk

#[test]
fn talk_shows_the_answer_to_each_line() {
    for program in [BLOCKING, SCHEDULER] {
        let server = server(program, &[]);
        let talk =
            talk().to(server.addr).run(&["hello", "", "two words", "a\nb"]).expect(0);
        let lines = ["hello", "", "two words", "a", "b", GOODBYE];
        assert_eq!(without_times(&talk.out), lines);
        assert_eq!(talk.out.matches("   (after ").count(), 5);
        assert_eq!(talk.err, "");
    }
}

#[test]
fn talk_understands_a_server_that_answers_lines() {
    let server = server(SCHEDULER, &["--lines"]);
    let talk = talk().to(server.addr).run(&["hello", "two words"]).expect(0);
    assert_eq!(without_times(&talk.out), ["Get: hello", "Get: two words", GOODBYE]);
}

#[test]
fn talk_reads_standard_input() {
    let server = server(SCHEDULER, &[]);
    let input = b"\xc3\xbc\n\xff\x00\x1b[1m\r\nno newline";
    let talk = Running::start(talk().to(server.addr)).finish(input).expect(0);
    let lines = ["ü", r"\xff\u{0}\u{1b}[1m\r", "no newline", GOODBYE];
    assert_eq!(without_times(&talk.out), lines);
}

#[test]
fn talk_without_a_line_says_goodbye() {
    let server = server(SCHEDULER, &[]);
    let talk = talk().to(server.addr).run(&[]).expect(0);
    assert_eq!(without_times(&talk.out), [GOODBYE]);
}

#[test]
fn talk_sends_a_line_that_is_longer_than_all_buffers() {
    let line = vec![b'x'; 32_000_000];
    for program in [BLOCKING, SCHEDULER] {
        let server = server(program, &[]);
        Running::start(talk().to(server.addr))
            .finish(&line)
            .expect(0)
            .says("xxx... 32000000 bytes, which end in the line that was sent");
    }
}

#[test]
fn talk_puts_the_parts_of_a_line_together() {
    let addr = one_client(|client| {
        let mut lines = BufReader::new(&client);
        assert_eq!(read_line(&mut lines), "one\n");
        for part in ["o", "ne", "\ntwo mo", "re\nthr"] {
            (&client).write_all(part.as_bytes()).unwrap();
        }
        assert_eq!(read_line(&mut lines), "", "this is the end of input");
        (&client).write_all(b"ee").unwrap();
    });
    let talk = talk().to(addr).run(&["one"]).expect(0);
    let extra = ["one", "two more   (not asked for)", "three   (not asked for)", GOODBYE];
    assert_eq!(without_times(&talk.out), extra);
}

#[test]
fn talk_says_once_that_it_is_waiting() {
    let (answer, may_answer) = mpsc::channel();
    let addr = one_client(move |mut client| {
        let line = read_line(BufReader::new(&client));
        may_answer.recv().unwrap();
        client.write_all(line.as_bytes()).unwrap();
    });
    let mut talk = Running::start(talk().to(addr).arg("hello"));
    let mut err = talk.err();
    let (notice, err) = outcome(background(move || (read_line(&mut err), err)));
    assert!(notice.starts_with("nothing yet after 1 s"), "{notice}");
    answer.send(()).unwrap();
    let talk = talk.finish(b"").expect(0);
    assert_eq!(without_times(&talk.out), ["hello", GOODBYE]);
    assert_eq!(outcome(background(|| read_all(err))), "");
}

#[test]
fn talk_fails_if_the_server_closes_early() {
    let addr = one_client(|client| drop(read_line(BufReader::new(&client))));
    talk().to(addr).run(&["hello", "more"]).expect(1).complains(GOODBYE);

    let addr = one_client(|client| {
        read_line(BufReader::new(&client));
        (&client).write_all(b"hell").unwrap();
    });
    talk()
        .to(addr)
        .run(&["hello"])
        .expect(1)
        .complains("after 4 bytes without a newline");

    // It is told at once, even if it has nothing to say at the moment.
    let addr = one_client(drop);
    let mut running = Running::start(talk().to(addr));
    let stdin = running.0.stdin.take();
    let err = running.err();
    let err = outcome(background(|| read_all(err)));
    assert!(err.contains("before the end of the input"), "{err}");
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    drop(stdin);
}

#[test]
fn a_server_may_close_after_the_last_answer() {
    let addr = one_client(|client| {
        let line = read_line(BufReader::new(&client));
        (&client).write_all(line.as_bytes()).unwrap();
    });
    let talk = talk().to(addr).run(&["hello"]).expect(0);
    assert_eq!(without_times(&talk.out), ["hello", GOODBYE]);
}

#[test]
fn without_a_server_there_is_a_hint() {
    let hint = "start a server first: cargo run -- --listen 127.0.0.1:1";
    talk()
        .to(nobody())
        .run(&["hello"])
        .expect(1)
        .complains("cannot connect to 127.0.0.1:1: Connection refused")
        .complains(hint);
    swarm().to(nobody()).run(&[]).expect(1).says("10, 10 failed").complains(hint);
}

#[test]
fn nobody_reads_what_they_say() {
    let server = server(SCHEDULER, &[]);
    let mut talk = talk();
    let mut swarm = swarm();
    for command in [talk.to(server.addr), swarm.to(server.addr).args(["--pause", "0"])] {
        let mut running = Running::start(command);
        drop(running.0.stdout.take());
        let finished = running.finish(b"hello\n").expect(1);
        assert_eq!(finished.err, "");
    }
}

#[test]
fn wrong_usage_is_named() {
    for (arguments, name) in [
        (&["--conect", "x"][..], "--conect"),
        (&["--connect"], "--connect"),
        (&["--connect", "localhost"], "localhost"),
    ] {
        talk().run(arguments).expect(2).complains(name).complains("try 'talk --help'");
        swarm().run(arguments).expect(2).complains(name).complains("try 'swarm --help'");
    }
    for arguments in
        ["--clients 0", "--messages x", "--pause -1", "--size 0", "--size 9e9"]
    {
        let (name, value) = arguments.split_once(' ').unwrap();
        swarm().run(&[name, value]).expect(2).complains(name).complains(value);
    }
    swarm().run(&["extra"]).expect(2).complains("extra");
}

#[test]
fn help_and_version() {
    talk().run(&["--help"]).expect(0).says("Usage: talk ");
    swarm().run(&["--help"]).expect(0).says("Usage: swarm ");
    talk().run(&["-V"]).expect(0).says(concat!("talk ", env!("CARGO_PKG_VERSION")));
    swarm().run(&["-V"]).expect(0).says(concat!("swarm ", env!("CARGO_PKG_VERSION")));
}

// swarm

#[test]
fn all_of_a_swarm_are_served() {
    let server = server(SCHEDULER, &[]);
    let swarm = swarm()
        .to(server.addr)
        .flags("--clients 20 --pause 1")
        .expect(0)
        .says("  clients          20, 0 failed\n")
        .says("  messages         200 of 200 answered, size 64\n")
        .says("  bytes checked    12800\n");
    assert_eq!(swarm.err, "");
}

#[test]
fn one_at_a_time_is_enough() {
    let server = server(BLOCKING, &[]);
    swarm()
        .to(server.addr)
        .flags("--clients 20 --pause 1 --messages 3 --size 1")
        .expect(0)
        .says("messages         60 of 60 answered");
}

#[test]
fn messages_that_are_larger_than_all_buffers() {
    for program in [BLOCKING, SCHEDULER] {
        let server = server(program, &[]);
        swarm()
            .to(server.addr)
            .flags("--clients 2 --pause 0 --messages 2 --size 10000000")
            .expect(0)
            .says("checked    40000000\n");
    }
}

/// A server for one client that sends back what it receives, but after `change`.
fn changing(mut change: impl FnMut(&mut Vec<u8>) + Send + 'static) -> SocketAddr {
    one_client(move |client| {
        let mut buffer = [0; 4096];
        loop {
            let count = (&client).read(&mut buffer).unwrap_or(0);
            let mut bytes = buffer[..count].to_vec();
            change(&mut bytes);
            if (&client).write_all(&bytes).is_err() || count == 0 {
                break;
            }
        }
    })
}

#[test]
fn a_wrong_byte_is_found() {
    for (size, position, message) in
        [(5000, 4567, 1), (3000, 1567, 2), (10000000, 4567, 1)]
    {
        let mut seen = 0;
        let addr = changing(move |bytes| {
            if let Some(at) = 4567_usize.checked_sub(seen) {
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
            }
            seen += bytes.len();
        });
        let expected =
            format!("at position {position} of {size} in message {message}: sent ");
        swarm()
            .to(addr)
            .flags(&format!("--clients 1 --pause 0 --size {size}"))
            .expect(1)
            .says("1, 1 failed")
            .complains(&expected);
    }
}

#[test]
fn a_byte_too_many_is_found() {
    let addr = changing(|bytes| {
        if bytes.is_empty() {
            bytes.push(b'x');
        }
    });
    swarm()
        .to(addr)
        .flags("--clients 1 --pause 0")
        .expect(1)
        .complains("bytes too many after the last message: 1\n");
}

#[test]
fn a_server_that_goes_away_is_found() {
    for size in ["3", "10000000"] {
        let addr = one_client(|client| {
            let mut start = [0; 2];
            (&client).read_exact(&mut start).unwrap();
            (&client).write_all(&start).unwrap();
        });
        swarm()
            .to(addr)
            .flags(&format!("--clients 1 --size {size}"))
            .expect(1)
            .complains(&format!("of {size} bytes of message 1\n"));
    }
}

#[test]
fn a_server_that_answers_lines_is_found_out() {
    let server = server(SCHEDULER, &["--lines"]);
    swarm()
        .to(server.addr)
        .flags("--clients 7")
        .expect(1)
        .says("7, 7 failed")
        .complains("wrong byte at position 0 of 64 in message 1")
        .complains("and 2 more\n")
        .complains("without --lines?");
}

#[test]
fn too_few_descriptors_are_explained() {
    let server = server(SCHEDULER, &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 16 && exec \"$@\"", "sh"]).arg(client("swarm"));
    limited
        .to(server.addr)
        .flags("--clients 100 --pause 300 --messages 1")
        .expect(1)
        .says("100, ")
        .complains("Too many open files")
        .complains("ulimit -n 150");
}

// crowd

#[test]
fn a_crowd_is_answered() {
    let server = server(SCHEDULER, &[]);
    let crowd = crowd().to(server.addr).flags("--clients 50").expect(0);
    assert_eq!(crowd.out, "50 clients are connected\n50 of them have been answered\n");
    assert_eq!(crowd.err, "");
}

#[test]
fn a_crowd_counts_who_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let server = background(move || {
        let (mut first, _) = listener.accept().unwrap();
        drop(listener.accept().unwrap());
        let mut word = [0; 5];
        first.read_exact(&mut word).unwrap();
        first.write_all(&word).unwrap();
    });
    crowd()
        .to(addr)
        .flags("--clients 2")
        .expect(1)
        .says("1 of them have been answered")
        .complains("1 have been refused");
    outcome(server);
}

#[test]
fn a_crowd_without_a_server_or_with_the_wrong_one() {
    let server = nobody();
    let hint = format!("start a server first: cargo run -- --listen {server}");
    crowd().to(server).flags("--clients 2").expect(1).complains(&hint);
    let addr = one_client(|mut client| {
        client.read_exact(&mut [0; 5]).unwrap();
        client.write_all(b"HELLO").unwrap();
    });
    crowd().to(addr).flags("--clients 1").expect(1).complains("is this an echo server?");
    crowd().flags("--clients x").expect(2).complains("crowd --help");
    crowd().flags("--help").expect(0).says("Usage: crowd ");
}
