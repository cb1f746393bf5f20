//! Several clients at once: who is served, and who waits.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::client::{Client, Pattern, assert_is_pattern};
use crate::server::Server;
use crate::stage::Stage;

/// The lesson of stage 01, and what all others do about it.
pub fn the_second_client(stage: &Stage) {
    let server = Server::start(stage);
    let mut first = server.connect();
    first.echo(b"first");
    let mut second = server.connect();
    second.send(b"second");
    if stage.one_at_a_time {
        // The first client's exchanges are the clock: the server has had every opportunity.
        for _ in 0..200 {
            first.echo(b"first");
            assert!(second.has_nothing(), "the second client must wait for the first");
        }
        first.finish();
        assert_eq!(second.receive(6), b"second");
    } else {
        assert_eq!(second.receive(6), b"second");
        first.echo(b"first");
        first.finish();
    }
    second.finish();
}

pub fn interleaved_clients(stage: &Stage) {
    const CLIENTS: u64 = 100;
    let server = Server::quiet(stage);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    if !stage.one_at_a_time {
        let mut patterns: Vec<Pattern> = (0..CLIENTS).map(Pattern::new).collect();
        for round in 0..20 {
            let messages: Vec<Vec<u8>> =
                patterns.iter_mut().map(|pattern| pattern.next(1 + round * 50)).collect();
            for (client, message) in clients.iter_mut().zip(&messages) {
                client.send(message);
            }
            for (client, message) in clients.iter_mut().zip(&messages).rev() {
                assert!(
                    client.receive(message.len()) == *message,
                    "another client's bytes"
                );
            }
        }
    }
    // All say their last words, and hear them, in the order in which they came.
    for (seed, client) in (0..).zip(&mut clients) {
        client.send(&Pattern::new(seed).next(5000));
        client.shutdown();
    }
    for (seed, client) in (0..).zip(&mut clients) {
        let last = client.rest();
        assert_eq!(last.len(), 5000);
        assert_is_pattern(&last, seed);
    }
}

/// A client that never reads what it is sent: the server must not read on for it, or its memory
/// would grow without bound, and it must not let others wait (but for stage 01, which does).
pub fn slow_reader_beside_a_fast_one(stage: &Stage) {
    const MUCH: usize = 256 * 1024 * 1024;
    let server = Server::quiet(stage);
    server.connect().finish();
    #[cfg(target_os = "linux")]
    let before = crate::proc::resident(&server);
    let mut slow = server.connect();
    let stuffed = slow.stuff(MUCH);
    assert!(stuffed < MUCH, "the server took everything, so it must have kept it");

    let mut fast = server.connect();
    if stage.one_at_a_time {
        fast.send(b"ping");
        assert!(fast.has_nothing());
    } else {
        for _ in 0..200 {
            fast.echo(b"ping");
        }
    }
    #[cfg(target_os = "linux")]
    {
        let grown = crate::proc::resident(&server).saturating_sub(before);
        assert!(grown < 8 * 1024 * 1024, "the server's memory grew by {grown} bytes");
    }
    // And nothing was lost on the way.
    slow.shutdown();
    let reader = thread::spawn(move || slow.rest());
    let echoed = reader.join().unwrap();
    assert_eq!(echoed.len(), stuffed);
    assert_is_pattern(&echoed, 0);
    if stage.one_at_a_time {
        assert_eq!(fast.receive(4), b"ping");
    }
    fast.finish();
}

/// A client that sends as fast as it can must not keep another one out.
pub fn flooding_client_beside_a_ping_client(stage: &Stage) {
    if stage.one_at_a_time {
        return; // the_second_client has shown that it does
    }
    let server = Server::quiet(stage);
    let flooding = AtomicBool::new(true);
    let flood = server.connect();
    thread::scope(|scope| {
        let (mut out, mut back) = (flood.stream.try_clone().unwrap(), flood);
        let flooding = &flooding;
        scope.spawn(move || {
            let chunk = vec![7; 64 * 1024];
            while flooding.load(Ordering::Relaxed) {
                out.write_all(&chunk).unwrap();
            }
            out.shutdown(std::net::Shutdown::Write).unwrap();
        });
        scope.spawn(move || back.rest_is_all(7));
        // Also if the ping client is kept out, the flood must end.
        let _until_the_end = Stop(flooding);
        let mut ping = server.connect();
        for _ in 0..300 {
            ping.echo(b"ping");
        }
        ping.finish();
    });
}

/// Stores false when it is dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Connections come and go on the same few descriptors; nobody gets a stranger's bytes.
pub fn descriptor_reuse(stage: &Stage) {
    let server = Server::quiet(stage);
    thread::scope(|scope| {
        for worker in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for i in 0..150 {
                    let seed = worker * 1000 + i;
                    let mut client = server.connect();
                    let message =
                        Pattern::new(seed).next(1 + (i as usize * 997) % 20_000);
                    client.send(&message);
                    if i % 3 == 0 {
                        client.reset(); // with the echo on its way
                        continue;
                    }
                    assert!(
                        client.receive(message.len()) == message,
                        "a stranger's bytes"
                    );
                    if i % 3 == 1 {
                        client.finish();
                    }
                }
            });
        }
    });
}
