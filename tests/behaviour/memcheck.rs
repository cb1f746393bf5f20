//! A server under valgrind's memory checker: no memory is used that is not its own, or has not
//! been written, and nothing is lost at its end.

use nix::sys::signal::Signal;

use crate::client::{Client, Pattern};
use crate::server::{Server, Setup};
use crate::stage::Stage;
use crate::support::machine::valgrind_works;

/// What valgrind returns if it has found something.
const FOUND: i32 = 99;

/// A bit of everything: short and long messages, many clients, some that reset their connection,
/// lines, a stop with clients connected.
pub fn memory_is_used_properly(stage: &Stage) {
    if !valgrind_works() {
        return;
    }
    let found = format!("--error-exitcode={FOUND}");
    let valgrind = ["valgrind", "--quiet", "--leak-check=full", &found];
    let server = Setup::new(stage).wrapped(&valgrind).start();
    for round in 0..3 {
        let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
        for (seed, client) in (0..).zip(&mut clients) {
            let mut pattern = Pattern::new(seed);
            for length in [1, 1024, 5000, 200_000] {
                client.echo(&pattern.next(length));
            }
            client.send(&pattern.next(10_000 * round));
        }
        for (i, mut client) in clients.into_iter().enumerate() {
            match i % 3 {
                0 => client.reset(), // with the echo on its way
                1 => drop(client),
                _ => {
                    client.shutdown();
                    assert_eq!(client.rest().len(), 10_000 * round);
                }
            }
        }
    }
    stop(server, stage);

    let server = Setup::new(stage).wrapped(&valgrind).argument("--lines").start();
    let mut client = server.connect();
    for length in [0, 1, 1023, 1024, 70_000] {
        let line = [&vec![b'x'; length][..], b"\n"].concat();
        client.send(&line);
        assert_eq!(client.receive(5 + line.len()), [b"Get: ", &line[..]].concat());
    }
    client.send(b"and no end");
    stop(server, stage);
}

/// Stops it while somebody is connected and waits.
fn stop(mut server: Server, stage: &Stage) {
    let mut client = server.connect();
    client.send(b"hello\n");
    client.receive(6);
    server.signal(Signal::SIGTERM);
    client.rest();
    drop(client);
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{}: {}", stage.name, server.problems.text());
}
