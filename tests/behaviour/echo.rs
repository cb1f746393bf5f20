//! What an echo server is: each byte comes back, in order, unchanged.

#[cfg(target_os = "linux")]
use nix::sys::signal::Signal;

use crate::client::{Client, Pattern, assert_is_pattern};
use crate::server::Server;
use crate::stage::Stage;

pub fn small(stage: &Stage) {
    let server = Server::start(stage);
    let mut client = server.connect();
    client.echo(b"hello\n");
    client.echo(b"again\n");
    client.finish();
}

pub fn empty(stage: &Stage) {
    let server = Server::start(stage);
    server.connect().finish();
    server.connect().finish();
}

pub fn one_byte_at_a_time(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    for byte in Pattern::new(1).next(500) {
        client.echo(&[byte]);
    }
    client.finish();
}

pub fn all_byte_values(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    let all: Vec<u8> = (0..=255).collect();
    client.echo(&all);
    client.finish();
}

pub fn large_both_ways(stage: &Stage) {
    let server = Server::quiet(stage);
    let (sent, received) = server.connect().pump(2, 64 * 1024 * 1024);
    assert_eq!(sent, received, "the hashes of what was sent and of what came back");
}

/// Through a narrow connection, a send takes only a part: the rest must follow, once.
pub fn partial_sends(stage: &Stage) {
    let server = Server::quiet(stage);
    let (sent, received) = Client::narrow(server.addr).pump(7, 4 * 1024 * 1024);
    assert_eq!(sent, received, "the hashes of what was sent and of what came back");
}

pub fn half_close(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    client.send(b"the last words");
    client.shutdown();
    assert_eq!(client.rest(), b"the last words");
}

pub fn sent_before_the_first_read(stage: &Stage) {
    const SIZE: usize = 256 * 1024;
    let server = Server::quiet(stage);
    let mut client = server.connect();
    client.send(&Pattern::new(3).next(SIZE));
    client.shutdown();
    let echoed = client.rest();
    assert_eq!(echoed.len(), SIZE);
    assert_is_pattern(&echoed, 3);
}

/// The system takes a part of what the server sends: because it is stopped in the middle of a
/// blocking send, or because there is little room.
#[cfg(target_os = "linux")]
pub fn sent_in_parts(stage: &Stage) {
    const MUCH: usize = 64 * 1024 * 1024;
    let server = Server::quiet(stage);
    for connect in [Client::connect, Client::narrow] {
        let mut client = connect(server.addr);
        let stuffed = client.stuff(MUCH);
        assert!(stuffed < MUCH, "the server took everything");
        server.signal(Signal::SIGSTOP);
        crate::proc::wait_until_stopped(&server);
        server.signal(Signal::SIGCONT);
        client.shutdown();
        let echoed = client.rest();
        assert_eq!(echoed.len(), stuffed);
        assert_is_pattern(&echoed, 0);
    }
}

pub fn sixteen_kib_in_ping_pong(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    let message = Pattern::new(4).next(16 * 1024);
    for _ in 0..100 {
        client.echo(&message);
    }
    client.finish();
}
