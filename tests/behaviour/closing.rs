//! How connections end: orderly, abruptly, too early, too late.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::client::{Pattern, assert_is_pattern, read_until_end};
use crate::server::{Server, Setup, eventually, free_address, is_closed, pause};
use crate::stage::Stage;

pub fn resets_in_mid_transfer(stage: &Stage) {
    let server = Server::start(stage);
    if stage.own_words {
        server.connect().echo(b"some open what they need with their first client");
    }
    #[cfg(target_os = "linux")]
    let before = crate::proc::usage(&server);
    for seed in 0..50 {
        let mut client = server.connect();
        client.send(&Pattern::new(seed).next(200_000));
        client.reset();
    }
    let mut client = server.connect();
    client.echo(b"still there");
    client.finish();
    #[cfg(target_os = "linux")]
    match stage.own_words {
        false => crate::proc::wait_for_usage(&server, before),
        true => crate::proc::wait_for_descriptors(&server, before.descriptors),
    }
    assert_only_clients_have_trouble(stage, &server);
}

/// A reset is a client's own trouble, and reported as such.
fn assert_only_clients_have_trouble(stage: &Stage, server: &Server) {
    let text = server.problems.text();
    let of_clients = text.lines().all(|line| line.starts_with("127.0.0.1:"));
    assert!(
        stage.own_words || of_clients,
        "more than a client's trouble is reported: {text}"
    );
}

/// A stopped process accepts nobody, but the kernel completes connections for it.
pub fn gone_before_it_is_accepted(stage: &Stage) {
    let server = Server::start(stage);
    server.connect().finish();
    // Few clients may wait for a server that nobody knows: its backlog is its own affair.
    let clients = if stage.is_foreign() { 1 } else { 20 };
    for _ in 0..3 {
        server.signal(Signal::SIGSTOP);
        for _ in 0..clients {
            let mut client = server.connect();
            client.send(b"never mind");
            client.reset();
        }
        server.signal(Signal::SIGCONT);
        let mut patient = server.connect();
        patient.echo(b"hello");
        patient.finish();
    }
    // Each of them was a client like any other, with an address.
    assert_only_clients_have_trouble(stage, &server);
}

/// The system remembers the connections of a server that has ended.
pub fn restart_at_once(stage: &Stage) {
    let mut server = Setup::new(stage).listen(free_address()).start();
    let addr = server.addr;
    let mut client = server.connect();
    client.echo(b"hello");
    server.signal(Signal::SIGKILL); // and those of its processes that serve clients
    server.wait();
    let _ = read_until_end(&client.stream); // some are reset
    drop(client);
    if server.group().is_some() {
        // The last of its processes may still be ending: a client would find that one's socket.
        let closed = || is_closed(addr).then_some(());
        eventually("the killed server listens no more", closed);
    }
    let again = restart(stage, addr);
    assert_eq!(again.addr, addr);
    let mut client = again.connect();
    client.echo(b"hello again");
    client.finish();
}

/// Starts a server where another one has just been killed.
///
/// If the kernel acted on that one's behalf, it first ends what was under way, and only then closes
/// the sockets. (Of a server that nobody knows, nobody knows that either.) Otherwise, at once is at
/// once.
fn restart(stage: &Stage, addr: SocketAddr) -> Server {
    const MOMENT: Duration = Duration::from_secs(10);
    let start = Instant::now();
    loop {
        match Setup::new(stage).listen(addr).try_start() {
            Ok(server) => return server,
            Err(refusal) => assert!(
                (stage.kernel_acts || stage.own_words) && start.elapsed() < MOMENT,
                "the server does not start: {refusal}"
            ),
        }
        pause();
    }
}

/// Data and the end of input arrive together, while the server is not looking.
pub fn the_last_bytes_before_a_late_end(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    client.echo(b"hello");
    server.signal(Signal::SIGSTOP);
    client.send(&Pattern::new(5).next(3000));
    client.shutdown();
    server.signal(Signal::SIGCONT);
    let echoed = client.rest();
    assert_eq!(echoed.len(), 3000);
    assert_is_pattern(&echoed, 5);
}
