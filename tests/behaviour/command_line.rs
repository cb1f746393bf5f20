//! The command line, the log, the messages, and the exit status.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::client::Client;
use crate::server::{Killed, PATIENCE, Server, Setup};
use crate::stage::Stage;
use crate::support::machine::skipped;

fn run(stage: &Stage, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        stage.command().args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("messages are text");
    (status.code(), text(stdout), text(stderr))
}

/// Wrong usage: the status is 2, and the message names the argument and points to the help.
pub fn assert_wrong_usage(stage: &Stage, arguments: &[&str], named: &str) {
    let (status, out, err) = run(stage, arguments);
    assert_eq!(status, Some(2), "{err}");
    assert_eq!(out, "");
    assert!(err.contains(named), "{named} is not in {err}");
    assert!(err.contains(&format!("{} --help", stage.name)), "{err}");
}

/// It cannot run: the status is 1, and the message says why and what to try.
fn assert_cannot_listen(stage: &Stage, addr: &str, why: &str, hint: &str) {
    let (status, out, err) = run(stage, &["--listen", addr]);
    assert_eq!(status, Some(1), "{err}");
    assert_eq!(out, "", "it does not say that it listens");
    assert!(err.starts_with(&format!("cannot listen on {addr}: {why}")), "{err}");
    let rest = err.split_once('\n').map_or("", |(_, rest)| rest);
    assert!(rest.contains(hint), "and what to try: {err}");
}

pub fn help_and_version(stage: &Stage) {
    for flag in ["--help", "-h"] {
        let (status, out, err) = run(stage, &["--quiet", flag]);
        assert_eq!((status, &*err), (Some(0), ""));
        for part in [stage.name, "--listen", "--quiet", "--version", "127.0.0.1:8000"] {
            assert!(out.contains(part), "{part} is not in {out}");
        }
        assert_eq!(out.contains("--lines"), stage.lines);
        assert_eq!(out.contains("--trace FILE"), stage.trace);
    }
    let version = format!("{} {}\n", stage.name, env!("CARGO_PKG_VERSION"));
    assert_eq!(run(stage, &["--version"]), (Some(0), version, String::new()));
}

pub fn unknown_flag(stage: &Stage) {
    assert_wrong_usage(stage, &["--lissten", "127.0.0.1:0"], "--lissten");
    assert_wrong_usage(stage, &["-x"], "-x");
    assert_wrong_usage(stage, &["127.0.0.1:0"], "127.0.0.1:0");
    assert_wrong_usage(stage, &["--quiet=yes"], "--quiet");
}

pub fn missing_value(stage: &Stage) {
    assert_wrong_usage(stage, &["--listen"], "--listen");
}

pub fn bad_address(stage: &Stage) {
    for addr in
        ["", "8000", "localhost:8000", "127.0.0.1", "127.0.0.1:65536", "::1:8000x"]
    {
        assert_wrong_usage(stage, &["--listen", addr], &format!("{addr:?}"));
    }
}

/// 192.0.2.0/24 is reserved for documentation: no machine has an address there.
pub fn unassignable_address(stage: &Stage) {
    let why = if cfg!(target_os = "linux") {
        "Cannot assign requested address (os error 99)"
    } else {
        "Can't assign requested address (os error 49)"
    };
    assert_cannot_listen(stage, "192.0.2.1:8000", why, "0.0.0.0 for all it has");
}

pub fn port_in_use(stage: &Stage) {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let code = if cfg!(target_os = "linux") { 98 } else { 48 };
    assert_cannot_listen(
        stage,
        &addr,
        &format!("Address already in use (os error {code})"),
        "--listen 127.0.0.1:8001",
    );
}

pub fn quiet(stage: &Stage) {
    let mut server = Server::quiet(stage);
    let listening = format!("listening on {}\n", server.addr);
    let mut client = server.connect();
    client.echo(b"hello");
    client.finish();
    let mut client = server.connect();
    client.echo(b"hello");
    server.signal(nix::sys::signal::Signal::SIGKILL);
    server.wait();
    assert_eq!(server.log.wait(|_| None::<()>), None, "the output has ended");
    assert_eq!(server.log.text(), listening);
    assert_eq!(server.problems.text(), "");
}

/// The article's lines, and in its order.
pub fn the_log(stage: &Stage) {
    let server = Server::start(stage);
    let mut client = server.connect();
    client.echo(b"hello");
    let addr = client.addr();
    server.log.wait_for(&format!("Connection from: {addr}"));
    client.finish();
    server.log.wait_for(&format!("Client: {addr} disconnected"));
    let expected = format!(
        "listening on {}\nConnection from: {addr}\nClient: {addr} disconnected\n",
        server.addr
    );
    assert_eq!(server.log.text(), expected);
    assert_eq!(server.problems.text(), "");
}

/// `04_scheduler | head -1`: the reader of the log goes away after the first line.
pub fn closed_standard_output(stage: &Stage) {
    let mut command = Setup::new(stage).command();
    let mut server = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    for _ in 0..3 {
        let mut client = Client::connect(addr);
        client.echo(b"are you still there?");
        client.finish();
    }
    let ended = server.0.try_wait().unwrap();
    assert_eq!(ended, None, "a server does not end because nobody reads its log");
}

/// A pager, or Ctrl-S in a terminal: the log is open, but nobody reads it. Clients and signals
/// must not have to wait for that.
pub fn unread_standard_output(stage: &Stage) {
    let mut command = Setup::new(stage).command();
    let mut server = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::with_capacity(64, server.0.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    // More than a pipe has room for: 64 KiB, and each client is worth 80 bytes.
    for _ in 0..1500 {
        let mut client = Client::connect(addr);
        client.echo(b"hello");
        client.finish();
    }
    drop(server);
    // What has been written are whole lines.
    let lines: Vec<String> = log.lines().map(Result::unwrap).collect();
    assert!(lines.len() > 100);
    let whole =
        |line: &String| line.starts_with("Connection") || line.ends_with("disconnected");
    assert!(lines.iter().all(whole), "{lines:?}");
}

/// And nobody reads its problems.
pub fn closed_standard_error(stage: &Stage) {
    let mut command = Setup::new(stage).command();
    let mut server =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(server.stderr.take());
    let log = BufReader::new(server.stdout.take().unwrap());
    let (printed, lines) = mpsc::channel();
    thread::spawn(move || log.lines().try_for_each(|line| printed.send(line.unwrap())));
    let next = || lines.recv_timeout(*PATIENCE).unwrap_or_default();
    let addr = next().strip_prefix("listening on ").unwrap().parse().unwrap();
    let mut client = Client::connect(addr);
    client.echo(b"hello");
    let gone = client.addr();
    // After the problem comes the log: who panics over the one never writes the other.
    assert_eq!(next(), format!("Connection from: {gone}"));
    client.reset();
    let log = next();
    let mut client = Client::connect(addr);
    let served = client.is_served(b"are you still there?");
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(log, format!("Client: {gone} disconnected"));
    assert!(served, "a server does not end because nobody reads its problems");
}

pub fn ipv6(stage: &Stage) {
    if TcpListener::bind("[::1]:0").is_err() {
        skipped("this machine has no IPv6");
        return;
    }
    let server = Setup::new(stage).listen("[::1]:0").start();
    assert!(server.addr.is_ipv6());
    let mut client = server.connect();
    client.echo(b"hello");
    server.log.wait_for(&format!("Connection from: [::1]:{}", client.addr().port()));
    client.finish();
}

/// `[::]` takes both kinds of clients, `0.0.0.0` those of IPv4.
pub fn both_families(stage: &Stage) {
    let four = Setup::new(stage).listen("0.0.0.0:0").start();
    let mut client = Client::connect(([127, 0, 0, 1], four.addr.port()).into());
    client.echo(b"hello");
    client.finish();
    if TcpListener::bind("[::1]:0").is_err() {
        skipped("the rest: this machine has no IPv6");
        return;
    }
    let both = Setup::new(stage).listen("[::]:0").start();
    let port = both.addr.port();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    client.echo(b"hello");
    let mapped = format!("Connection from: [::ffff:127.0.0.1]:{}", client.addr().port());
    both.log.wait_for(&mapped);
    client.finish();
    let mut client = Client::connect(([0, 0, 0, 0, 0, 0, 0, 1], port).into());
    client.echo(b"hello");
    client.finish();
}

pub fn lines_is_a_flag_of_later_stages(stage: &Stage) {
    if stage.lines {
        let server = Setup::new(stage).argument("--lines").start();
        let mut client = server.connect();
        client.send(b"hello\n");
        assert_eq!(client.receive(11), b"Get: hello\n");
    } else {
        assert_wrong_usage(stage, &["--lines"], "--lines");
    }
}
