//! System calls that fail, made to fail by `strace`: what cannot be provoked from outside.
//! And the system calls of an echo, counted.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::client::{Client, Pattern};
use crate::server::{Server, Setup, eventually};
use crate::stage::Stage;
use crate::support::machine::strace_works;

/// Starts the server with faults injected: `call:error=NAME:when=FIRST+STEP`.
fn start_with(stage: &Stage, faults: &[&str]) -> Option<Server> {
    if !strace_works() {
        return None;
    }
    let calls = "accept,accept4,recvfrom,sendto,select,pselect6,epoll_wait,epoll_ctl,\
                 io_uring_setup,io_uring_enter";
    let mut strace = vec!["strace", "-f", "-o", "/dev/null", "-e"];
    let trace = format!("trace={calls}");
    strace.push(&trace);
    let faults: Vec<String> =
        faults.iter().map(|fault| format!("inject={fault}")).collect();
    for fault in &faults {
        strace.extend(["-e", fault]);
    }
    Some(Setup::new(stage).wrapped(&strace).start())
}

fn talk(server: &Server) {
    for seed in 0..5 {
        let mut client = server.connect();
        for length in [1, 100, 5000, 100_000] {
            client.echo(&Pattern::new(seed).next(length));
        }
        client.finish();
    }
}

/// EINTR: the call has done nothing, and is made again.
pub fn interrupted_calls(stage: &Stage) {
    let faults = [
        "accept4:error=EINTR:when=1+2",
        "recvfrom:error=EINTR:when=1+3",
        "sendto:error=EINTR:when=2+3",
        "pselect6:error=EINTR:when=2+5",
        "epoll_wait:error=EINTR:when=2+5",
        "io_uring_enter:error=EINTR:when=2+3",
    ];
    let Some(server) = start_with(stage, &faults) else {
        return;
    };
    talk(&server);
    assert_eq!(server.problems.text(), "");
}

/// The system said that the socket is ready, and it is not.
pub fn calls_that_would_block(stage: &Stage) {
    if stage.one_at_a_time || stage.thread_for_each || stage.kernel_acts {
        return; // these sockets block, or there is no such call
    }
    let faults = [
        "accept4:error=EAGAIN:when=1+2",
        "recvfrom:error=EAGAIN:when=1+3",
        "sendto:error=EAGAIN:when=2+3",
    ];
    let Some(server) = start_with(stage, &faults) else {
        return;
    };
    talk(&server);
    assert_eq!(server.problems.text(), "");
}

/// The kernel registers no more sockets: that client is refused, and the server goes on.
pub fn epoll_watches_no_more(stage: &Stage) {
    // The signals, the listening socket and the first client are registered before.
    let Some(server) = start_with(stage, &["epoll_ctl:error=ENOSPC:when=4"]) else {
        return;
    };
    let mut first = server.connect();
    first.echo(b"it is in");
    assert!(!server.connect().is_served(b"hello"));
    server.problems.wait_for("max_user_watches");
    first.echo(b"still in");
    talk(&server);
}

/// A socket is registered once in its life, not for each wait.
pub fn registered_once(stage: &Stage) {
    if !strace_works() {
        return;
    }
    let calls = |echoes| count(stage, 3, echoes).get("epoll_ctl").copied();
    assert_eq!(calls(100), Some(5.0), "three clients, the listening socket, the signals");
}

pub fn accept_runs_out_of_descriptors(stage: &Stage) {
    if stage.kernel_acts {
        return; // it makes no such call that could fail
    }
    for error in ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"] {
        let fault = format!("accept4:error={error}:when=1..3");
        let Some(server) = start_with(stage, &[&fault]) else {
            return;
        };
        talk(&server);
        server.problems.wait_for("ulimit -n");
        let problems = server.problems.text();
        assert_eq!(problems.matches("cannot accept for now").count(), 1, "{problems}");
    }
}

/// Each shortage is reported, once: here every client meets one.
pub fn each_shortage_is_reported(stage: &Stage) {
    if stage.kernel_acts {
        return; // it makes no such call that could fail
    }
    let Some(server) = start_with(stage, &["accept4:error=EMFILE:when=1+2"]) else {
        return;
    };
    talk(&server);
    server.problems.wait_for_times("cannot accept for now", 5);
}

/// While it has no descriptors, a server tries again now and then, and is busy with those who
/// are in: much less than one attempt for each echo.
pub fn accept_pauses(stage: &Stage) {
    const ECHOES: usize = 300;
    if stage.kernel_acts || !strace_works() {
        return;
    }
    let file = report(stage, "accepts");
    // The first client gets in.
    let first = if stage.one_at_a_time { "1" } else { "2" };
    let fault = format!("inject=accept4:error=EMFILE:when={first}+");
    let output = file.to_str().unwrap();
    let strace = ["strace", "-f", "-e", "trace=accept4", "-e", &fault, "-o", output];
    let server = Setup::new(stage).wrapped(&strace).start();
    let attempts = || fs::read_to_string(&file).unwrap().matches("(INJECTED)").count();
    let mut client = server.connect();
    if stage.one_at_a_time {
        // It serves nobody, so time is the measure: ten attempts a second.
        eventually("it tries again", || (attempts() >= 2).then_some(()));
        let before = attempts();
        crate::proc::assert_rests(&server);
        let more = attempts() - before;
        assert!(more < 30, "{more} attempts");
    } else {
        client.echo(b"it is in");
        let _outside = server.connect();
        server.problems.wait_for("cannot accept for now");
        for _ in 0..ECHOES {
            client.echo(b"served meanwhile");
        }
        let attempts = attempts();
        assert!(attempts < ECHOES / 2, "{attempts} attempts in {ECHOES} echoes");
    }
    drop(server);
    fs::remove_file(&file).unwrap();
}

/// An error of the listening socket itself: no attempt can succeed, so the server ends.
pub fn accept_fails_for_good(stage: &Stage) {
    if stage.kernel_acts {
        return; // it makes no such call that could fail
    }
    let Some(mut server) = start_with(stage, &["accept4:error=EINVAL:when=1+"]) else {
        return;
    };
    // Where accepting waits for nobody, it has ended already.
    let _client = std::net::TcpStream::connect(server.addr);
    assert_eq!(server.wait().code(), Some(1));
    server.problems.wait_for("Invalid argument (os error 22)");
}

/// Linux has it so already, unless the administrator wants it otherwise.
pub fn both_families_are_asked_for(stage: &Stage) {
    if !strace_works() || std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let file = report(stage, "families");
    let strace = ["strace", "-f", "-e", "trace=setsockopt", "-o", file.to_str().unwrap()];
    drop(Setup::new(stage).wrapped(&strace).listen("[::1]:0").start());
    let options = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(options.contains("IPV6_V6ONLY, [0]"), "{options}");
}

/// Calls that hand operations over to the kernel, when it is short of memory or of room for
/// completions.
pub fn a_ring_in_a_shortage(stage: &Stage) {
    if !stage.kernel_acts {
        return;
    }
    for error in ["EAGAIN", "EBUSY"] {
        let fault = format!("io_uring_enter:error={error}:when=2+3");
        let Some(server) = start_with(stage, &[&fault]) else {
            return;
        };
        talk(&server);
        assert_eq!(server.problems.text(), "");
    }
}

/// The kernel does not know the newest way to set up a ring: then it is set up in an older one.
pub fn a_ring_of_an_older_kernel(stage: &Stage) {
    if !stage.kernel_acts {
        return;
    }
    let fault = "io_uring_setup:error=EINVAL:when=1";
    let Some(mut server) = start_with(stage, &[fault]) else { return };
    talk(&server);
    server.end(stage, Signal::SIGTERM);
    assert_eq!(server.problems.text(), "");
}

/// A container that forbids it, a kernel that has none, or one that is too old.
pub fn no_ring(stage: &Stage) {
    if !stage.kernel_acts || !strace_works() {
        return;
    }
    for (error, why, hint) in [
        ("EPERM", "Operation not permitted", "io_uring_disabled"),
        ("ENOSYS", "Function not implemented", "Linux 6.1"),
        ("EINVAL", "Invalid argument", "Linux 6.1"),
        ("ENOMEM", "Cannot allocate memory", "ulimit -l"),
    ] {
        let fault = format!("inject=io_uring_setup:error={error}");
        let strace = ["strace", "-f", "-o", "/dev/null", "-e", &fault];
        let output = Setup::new(stage).wrapped(&strace).command().output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty(), "it does not say that it listens");
        assert!(said.starts_with(&format!("cannot use io_uring: {why}")), "{said}");
        assert!(said.contains(hint) && said.contains("05_epoll"), "{said}");
    }
}

/// An error that asking again does not mend ends the server, with a message.
pub fn a_ring_that_breaks(stage: &Stage) {
    if !stage.kernel_acts {
        return;
    }
    let Some(mut server) = start_with(stage, &["io_uring_enter:error=EBADF:when=4+"])
    else {
        return;
    };
    let mut client = std::net::TcpStream::connect(server.addr).unwrap();
    let _ = std::io::Write::write(&mut client, b"hello");
    assert_eq!(server.wait().code(), Some(1));
    server.problems.wait_for("Bad file descriptor");
}

pub fn accept_loses_a_client(stage: &Stage) {
    if stage.kernel_acts {
        return; // it makes no such call that could fail
    }
    for error in ["ECONNABORTED", "EPROTO", "ENETUNREACH"] {
        let fault = format!("accept4:error={error}:when=1..3");
        let Some(server) = start_with(stage, &[&fault]) else {
            return;
        };
        talk(&server);
        server.problems.wait_for_times("lost a client", 3);
        let problems = server.problems.text();
        assert_eq!(problems.matches("lost a client").count(), 3, "{problems}");
    }
}

/// A file for what strace finds out.
fn report(stage: &Stage, name: &str) -> PathBuf {
    let pid = std::process::id();
    env::temp_dir().join(format!("bricks-{pid}-{}-{name}", stage.name))
}

/// A handler that is stopped says its end and listens on, for what is still to come: a plain
/// close would reset the connection, and shutting down the other direction would discard what
/// has not been read.
pub fn a_stop_shuts_down_sending(stage: &Stage) {
    if !stage.stops_gracefully || !strace_works() {
        return;
    }
    let file = report(stage, "shutdowns");
    let strace = ["strace", "-f", "-e", "trace=shutdown", "-o", file.to_str().unwrap()];
    let mut server = Setup::new(stage).wrapped(&strace).start();
    let mut client = server.connect();
    client.echo(b"hello");
    server.signal(Signal::SIGTERM);
    assert_eq!(client.rest(), b"", "an orderly end");
    drop(client);
    assert_eq!(server.wait().code(), Some(0));
    let calls = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(calls.matches("SHUT_WR").count(), 1, "{calls}");
    assert!(!calls.contains("SHUT_RD"), "{calls}");
}

/// Nagle's algorithm is off on each accepted socket. (Seen on the option: on the clock it
/// would be steps of 40 ms, sometimes.)
pub fn accepted_sockets_send_at_once(stage: &Stage) {
    if !strace_works() {
        return;
    }
    let file = report(stage, "options");
    let strace = ["strace", "-f", "-e", "trace=setsockopt", "-o", file.to_str().unwrap()];
    let server = Setup::new(stage).wrapped(&strace).start();
    for _ in 0..3 {
        let mut client = server.connect();
        client.echo(b"hello");
        client.finish();
    }
    drop(server);
    let options = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(options.matches("TCP_NODELAY, [1]").count(), 3, "{options}");
}

/// The system calls of `rounds` rounds, in each of which `clients` clients send 64 bytes and
/// then receive them.
fn count(stage: &Stage, clients: usize, rounds: usize) -> BTreeMap<String, f64> {
    let file = report(stage, &format!("{clients}-{rounds}"));
    let strace = ["strace", "-f", "-c", "-o", file.to_str().unwrap()];
    let mut server = Setup::new(stage).wrapped(&strace).argument("--quiet").start();
    let mut clients: Vec<Client> = (0..clients).map(|_| server.connect()).collect();
    for _ in 0..rounds {
        clients.iter_mut().for_each(|client| client.send(&[7; 64]));
        clients.iter_mut().for_each(|client| assert_eq!(client.receive(64), [7; 64]));
    }
    clients.into_iter().for_each(Client::finish);
    server.signal(Signal::SIGTERM);
    server.wait();
    let table = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    // % time, seconds, µs/call, calls, (errors,) name
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row.len() >= 5 && row.last() != Some(&"total"));
    rows.filter_map(|row| Some((row.last()?.to_string(), row[3].parse().ok()?))).collect()
}

/// The difference of a long and a short run: what start and end cost falls out.
fn calls_of_an_echo(stage: &Stage, clients: usize, short: usize, long: usize) -> f64 {
    let few: f64 = count(stage, clients, short).values().sum();
    let many: f64 = count(stage, clients, long).values().sum();
    (many - few) / ((long - short) * clients) as f64
}

pub fn system_calls_of_an_echo(stage: &Stage) {
    if strace_works() {
        let (expected, _) = stage.calls_of_an_echo;
        let is_right = |calls: &f64| (calls - expected).abs() < 0.03;
        // Where the machine is busy, a start or an end may cost a few more in one of the runs.
        let attempts = (0..3).map(|_| calls_of_an_echo(stage, 1, 50, 250));
        let calls: Vec<f64> = attempts.take_while(|calls| !is_right(calls)).collect();
        assert!(calls.len() < 3, "{calls:?} system calls, not {expected}");
    }
}

/// With many clients in step, one `select` serves them all.
pub fn system_calls_of_many_echoes(stage: &Stage) {
    if strace_works() && !stage.one_at_a_time {
        let (_, most) = stage.calls_of_an_echo;
        // When the clients are held up, they are not in step: the server then wakes up for a
        // part of them. So the best of a few attempts counts.
        let attempts = (0..5).map(|_| calls_of_an_echo(stage, 64, 10, 40));
        let calls: Vec<f64> = attempts.take_while(|calls| *calls > most + 0.03).collect();
        assert!(calls.len() < 5, "{calls:?} system calls, more than {most}");
    }
}
