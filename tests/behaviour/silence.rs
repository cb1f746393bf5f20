//! Clients that say nothing for long. All servers share one wait.

use std::sync::mpsc;
use std::time::Duration;

use crate::client::Client;
use crate::server::Server;
use crate::stage::{self, Stage};

/// A server that ends such a connection has a time limit that an echo server does not have.
const SILENCE: Duration = Duration::from_secs(10);

pub fn ten_idle_seconds(stage: &Stage) {
    each_rests_and_serves_again(&[stage]);
}

/// A server with a client that is silent.
struct Idle {
    name: &'static str,
    server: Server,
    client: Client,
    time: Duration,
    ready: Duration,
}

fn each_rests_and_serves_again(stages: &[&Stage]) {
    let begin = |stage: &Stage| {
        let server = Server::quiet(stage);
        let mut client = server.connect();
        client.echo(b"hello");
        let (time, ready) = (processor_time(&server), ready_time(&server));
        Idle { name: stage.name, server, client, time, ready }
    };
    let idle: Vec<Idle> =
        stages.iter().filter(|it| it.can_run()).map(|it| begin(it)).collect();
    // Nobody sends on this channel: it is a clock.
    let (_nobody, clock) = mpsc::channel::<()>();
    clock.recv_timeout(SILENCE).unwrap_err();
    for Idle { name, server, mut client, time, ready } in idle {
        // A process of it that has ended is not counted any more.
        let spent = processor_time(&server).saturating_sub(time);
        // Where others are at work, a loop that does not wait for input waits for a processor.
        let ready = ready_time(&server).saturating_sub(ready);
        assert!(
            spent < SILENCE / 10 && ready < SILENCE * 2 / 3,
            "{name}: idle for {SILENCE:?}, it used the processor for {spent:?}, and wanted it for \
             {ready:?}"
        );
        assert!(
            client.is_served(b"hello"),
            "{name}: a client that was silent for {SILENCE:?} is served no more"
        );
    }
}

#[cfg(target_os = "linux")]
use crate::proc::{processor_time, ready_time};

#[cfg(not(target_os = "linux"))]
fn processor_time(_: &Server) -> Duration {
    Duration::ZERO
}

#[cfg(not(target_os = "linux"))]
fn ready_time(_: &Server) -> Duration {
    Duration::ZERO
}

#[test]
fn ten_idle_seconds_of_all_stages() {
    each_rests_and_serves_again(&[
        &stage::BLOCKING,
        &stage::THREADS,
        &stage::SELECT,
        &stage::SCHEDULER,
        &stage::EPOLL,
        &stage::ASYNC_AWAIT,
        &stage::IO_URING,
        &stage::BY_HAND,
        &stage::PYTHON,
    ]);
}
