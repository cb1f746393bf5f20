//! Signals: the two that end a server, and those that must not.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal::{
    self, SIGCONT, SIGINT, SIGPIPE, SIGSTOP, SIGTERM, SIGWINCH,
};

use crate::client::{assert_is_pattern, read_until_end};
use crate::server::{Server, eventually, is_closed, pause};
use crate::stage::Stage;

const BOTH: [Signal; 2] = [SIGINT, SIGTERM];

pub fn stop_while_idle(stage: &Stage) {
    for signal in BOTH {
        let mut server = Server::start(stage);
        let start = Instant::now();
        server.end(stage, signal);
        // Not a measurement: the four seconds of grace are for somebody, and here is nobody.
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
}

pub fn stop_beside_an_idle_client(stage: &Stage) {
    for signal in BOTH {
        let mut server = Server::start(stage);
        let mut client = server.connect();
        client.echo(b"hello");
        server.signal(signal);
        assert_eq!(client.rest(), b"", "an orderly end");
        client.shutdown();
        server.end_of(stage, signal);
        if stage.stops_gracefully {
            server.log.wait_for("disconnected");
        }
    }
}

/// A client sends as fast as it can and reads slowly. Everything that the server has taken from
/// it comes back, and then an orderly end, not a reset.
pub fn stop_in_mid_transfer(stage: &Stage) {
    if !stage.stops_gracefully {
        return; // stop_while_idle has shown that the system ends it
    }
    for signal in BOTH {
        let mut server = Server::quiet(stage);
        let mut client = server.connect();
        let stuffed = client.stuff(64 * 1024 * 1024);
        // The server waits to send. What it has not read yet is in its socket's buffer.
        let unread = crate::client::Client { stream: client.stream.try_clone().unwrap() };
        server.signal(signal);
        let pump = thread::spawn(move || {
            let mut unread = unread;
            let _ = unread.stream.set_write_timeout(Some(Duration::from_secs(10)));
            // It goes on sending for as long as the server lets it.
            while std::io::Write::write(&mut unread.stream, &[0; 4096])
                .is_ok_and(|n| n > 0)
            {}
        });
        let (echoed, end) = read_until_end(&client.stream);
        end.expect("an orderly end, and not a reset");
        assert!(!echoed.is_empty(), "something was owed");
        assert_is_pattern(&echoed[..echoed.len().min(stuffed)], 0);
        drop(client);
        let status = server.wait();
        assert_eq!(status.code(), Some(0), "{}", server.problems.text());
        pump.join().unwrap();
    }
}

/// A client that neither reads nor leaves cannot keep the server from ending.
pub fn stop_beside_a_stuck_client(stage: &Stage) {
    let time_to_end = || {
        let mut server = Server::quiet(stage);
        let mut client = server.connect();
        client.stuff(256 * 1024 * 1024);
        let start = Instant::now();
        server.end(stage, SIGTERM);
        start.elapsed()
    };
    // Not a measurement: this is the promise. A machine that stands still for a second does not
    // do so each time.
    let times: Vec<Duration> = (0..3)
        .map(|_| time_to_end())
        .take_while(|time| *time >= Duration::from_secs(5))
        .collect();
    assert!(times.len() < 3, "{times:?}");
}

pub fn the_second_signal(stage: &Stage) {
    if !stage.stops_gracefully {
        return; // the first has its default action already
    }
    for (first, second) in [(SIGINT, SIGINT), (SIGINT, SIGTERM), (SIGTERM, SIGINT)] {
        let mut server = Server::quiet(stage);
        let mut client = server.connect();
        client.stuff(256 * 1024 * 1024);
        server.signal(first);
        // The stuck client keeps it from ending at once; but it listens no more.
        eventually("the socket is closed", || is_closed(server.addr).then_some(()));
        assert!(server.is_running());
        server.signal(second);
        assert_eq!(server.wait().signal(), Some(second as i32));
    }
}

/// Signals that interrupt system calls, in the middle of a transfer.
pub fn harmless_signals(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    let transfer = thread::spawn(move || client.pump(6, 16 * 1024 * 1024));
    while !transfer.is_finished() {
        for signal in [SIGWINCH, SIGSTOP, SIGCONT] {
            server.signal(signal);
        }
        pause();
    }
    let (sent, received) = transfer.join().unwrap();
    assert_eq!(sent, received, "the hashes of what was sent and of what came back");
}

pub fn sigpipe(stage: &Stage) {
    let mut server = Server::quiet(stage);
    server.signal(SIGPIPE);
    let mut client = server.connect();
    client.echo(b"hello");
    client.finish();
    assert!(server.is_running());
}

/// Background jobs of a script ignore SIGINT, and what they start would ignore it too.
#[test]
fn the_suite_may_run_where_signals_are_ignored() {
    let suite = env::current_exe().expect("the test's own path");
    let ignoring = ["-c", r#"trap "" INT TERM; exec "$@""#, "sh"];
    let mut again = Command::new("sh");
    again.args(ignoring).arg(suite).arg("s01_blocking::stop_while_idle");
    let output = again.output().expect("a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
