//! What happens where a resource ends: those who have it go on, others wait or are refused, and
//! the server says so.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::client::Client;
use crate::server::Setup;
use crate::stage::Stage;
use crate::support::machine::skipped;

/// So few descriptors that some clients must wait to be accepted.
pub fn out_of_descriptors(stage: &Stage) {
    const CLIENTS: usize = 64;
    let server = Setup::new(stage).limit("-n", 32).start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"hello");
    }
    if !stage.one_at_a_time {
        server.problems.wait_for("Too many open files");
        // While it waits for descriptors it must not run in circles: the listening socket
        // stays ready all the time.
        #[cfg(target_os = "linux")]
        crate::proc::assert_rests(&server);
        // Those who are in are served as ever.
        assert_eq!(clients[0].receive(5), b"hello");
        for _ in 0..100 {
            clients[0].echo(b"still served");
        }
        let complaints = server.problems.text().matches("Too many open files").count();
        assert!(complaints < 5, "once is enough: {}", server.problems.text());
        clients.remove(0).finish();
    }
    // As some leave, others come in, until all have been served.
    for mut client in clients {
        assert_eq!(client.receive(5), b"hello");
        client.finish();
    }
}

/// More clients than it has descriptors, whatever becomes of those beyond: a client from before is
/// served all the time, and when they have left, others can come.
pub fn clients_beyond_the_descriptors(stage: &Stage) {
    // Some need more than others for themselves.
    for limit in [32, 64, 256] {
        let setup = Setup::new(stage).limit("-n", limit).argument("--quiet");
        let Ok(server) = setup.try_start() else { continue };
        let mut first = server.connect();
        first.echo(b"hello");
        let mut others: Vec<Client> = (0..2 * limit).map(|_| server.connect()).collect();
        // Some of them may be refused already.
        others.iter_mut().for_each(|other| drop(other.stream.write_all(b"hello")));
        // The server has time to meet all of them.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            first.echo(b"still served");
        }
        others.into_iter().for_each(Client::leave);
        first.echo(b"and now");
        first.finish();
        return crate::server::eventually("a new client is served", || {
            server.connect().is_served(b"hello").then_some(())
        });
    }
    panic!("the server does not start with 256 descriptors");
}

/// The limit of `select`: 1,024 descriptors. The clients beyond are refused, the others are
/// served as ever.
pub fn more_than_1024_descriptors(stage: &Stage) {
    const CLIENTS: usize = 1100;
    if stage.one_at_a_time {
        return; // it uses five
    }
    if !may_open(2 * CLIENTS) {
        skipped(&format!("`ulimit -Hn` is below {}", 2 * CLIENTS));
        return;
    }
    let server =
        Setup::new(stage).limit("-n", 2 * CLIENTS as u64).argument("--quiet").start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    let mut refused = 0;
    for (i, client) in clients.iter_mut().enumerate() {
        // The first ones have descriptors that fit, whatever else the server has open.
        if !client.is_served(b"hello") {
            assert!(i >= 1000, "of {CLIENTS} clients at once, number {i} was not served");
            refused += 1;
        }
    }
    match stage.descriptors {
        None => {
            assert_eq!(refused, 0, "clients that were not served, of {CLIENTS} at once")
        }
        Some(descriptors) => {
            assert!((80..=100).contains(&refused), "{refused} of {CLIENTS} were refused");
            let problem = server.problems.wait_for("refused");
            assert!(problem.contains(&format!("0 to {}", descriptors - 1)), "{problem}");
            // When clients leave, others can come.
            clients.truncate(500);
            crate::server::eventually("a new client is served", || {
                server.connect().is_served(b"hello").then_some(())
            });
        }
    }
    for client in clients.iter_mut().take(500) {
        client.echo(b"hello again");
    }
}

/// Where nothing looks at every descriptor, ten thousand are no problem; and the server raises its
/// own limit as far as it may.
pub fn ten_thousand_clients(stage: &Stage) {
    const CLIENTS: usize = 10_000;
    if !stage.thousands {
        return;
    }
    if !may_open(CLIENTS) {
        skipped(&format!("`ulimit -Hn` is below {CLIENTS}"));
        return;
    }
    // The clients are all of this process: one such test at a time.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let server = Setup::new(stage).limit("-Sn", 64).argument("--quiet").start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"hello");
    }
    for client in clients.iter_mut().rev() {
        assert_eq!(client.receive(5), b"hello");
    }
    for client in clients.iter_mut().step_by(100) {
        client.echo(b"hello again");
    }
    assert_eq!(server.problems.text(), "");
}

/// Raises this process's own limit, if it may: the clients need descriptors, too.
fn may_open(count: usize) -> bool {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let wanted = count as u64 + 1000;
    soft >= wanted
        || setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard).is_ok()
            && hard >= wanted
}

/// The limit of a thread for each client: here it is the memory for their stacks.
#[cfg(target_os = "linux")]
pub fn no_more_threads(stage: &Stage) {
    const CLIENTS: usize = 400;
    if !stage.thread_for_each {
        return;
    }
    // 400 MiB of addresses; a thread's stack takes two.
    let server = Setup::new(stage).limit("-v", 400 * 1024).argument("--quiet").start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    let served: Vec<bool> = clients.iter_mut().map(|it| it.is_served(b"hello")).collect();
    let count = served.iter().filter(|&&served| served).count();
    assert!((2..CLIENTS).contains(&count), "{count} of {CLIENTS} were served");
    let problem = server.problems.wait_for("no thread for it");
    assert!(problem.starts_with("127.0.0.1:"), "{problem}");
    for (client, served) in clients.iter_mut().zip(served) {
        if served {
            client.echo(b"hello again");
        }
    }
    drop(clients);
    crate::server::eventually("a new client is served", || {
        server.connect().is_served(b"hello").then_some(())
    });
}

/// Many clients at the same moment, and memory for few of their threads.
#[cfg(target_os = "linux")]
pub fn a_burst_without_memory(stage: &Stage) {
    if !stage.thread_for_each {
        return;
    }
    let mut server =
        Setup::new(stage).limit("-v", 120 * 1024).argument("--quiet").start();
    for _ in 0..4 {
        let clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
        drop(clients);
        crate::server::eventually("a new client is served", || {
            assert!(server.is_running(), "the server has been ended");
            server.connect().is_served(b"hello").then_some(())
        });
    }
}

/// Started by somebody who has many files open: there is no small descriptor left.
pub fn a_high_start(stage: &Stage) {
    if !may_open(1200) {
        skipped("`ulimit -Hn` is too low");
        return;
    }
    // `low` descriptors are left below 1,024: none, or one for the listening socket alone.
    for low in [0, 1] {
        let script = format!(
            "i=$(({low} + 3)); while [ $i -lt 1100 ]; do eval \"exec $i</dev/null\"; i=$((i+1)); done; \
             exec \"$0\" \"$@\""
        );
        let setup = Setup::new(stage).limit("-n", 1300).wrapped(&["bash", "-c", &script]);
        let started = setup.try_start();
        if stage.descriptors.is_none() {
            started.expect("it has no such limit").connect().echo(b"hello");
        } else if low == 0 || stage.stops_gracefully {
            // It cannot watch its listening socket, or the one for signals.
            let refusal = started.map_or_else(
                |refusal| refusal,
                |mut server| {
                    assert_eq!(server.wait().code(), Some(1));
                    server.problems.wait_for("refused")
                },
            );
            assert!(refusal.contains("0 to 1023"), "{refusal}");
        } else {
            let server = started.expect("the listening socket fits");
            assert!(!server.connect().is_served(b"hello"));
            server.problems.wait_for("refused");
        }
    }
}

/// Not even enough descriptors to start: the message says what is short.
pub fn too_few_to_start(stage: &Stage) {
    for limit in 4..12 {
        match Setup::new(stage).limit("-n", limit).try_start() {
            Ok(server) => drop(server),
            Err(refusal) => {
                assert!(refusal.contains("Too many open files"), "{limit}: {refusal}");
                assert!(refusal.lines().count() >= 2, "and what to do: {refusal}");
            }
        }
    }
}
