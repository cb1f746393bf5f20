//! A poller that is not the system, on real sockets: it reports what it likes, when it likes.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use bricks::net::Socket;
use bricks::scheduler::Scheduler;
use bricks::scheduler::poller::Poller;
use proptest::prelude::*;

use crate::support::drivers::{Panics, echo_task};
use crate::support::scripted::{Client, Random};

/// A scheduler of tasks that must not panic, on this poller.
fn strict(poller: impl Poller + 'static) -> Scheduler {
    Scheduler::new(poller, Panics::Fail.trace())
}

proptest! {
    // A failure is told and not kept: whoever breaks this for the book keeps a clean tree.
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Readiness in any order, too early, too late, or a lie, and little room to send: each client
    /// gets back its own bytes, all of them, in order.
    #[test]
    fn random_readiness_loses_nothing(
        seed in any::<u64>(),
        sends_first in any::<bool>(),
        sizes in prop::collection::vec(0..300_000_usize, 1..6),
    ) {
        let mut clients = vec![];
        let mut sockets = vec![];
        for (i, size) in (0..).zip(&sizes) {
            let (ours, stream) = UnixStream::pair().unwrap();
            socket2::SockRef::from(&ours).set_send_buffer_size(10_000).unwrap();
            clients.push(Client::new(stream, *size, seed ^ i));
            sockets.push(Socket::new(ours).unwrap());
        }
        let finished = Rc::new(RefCell::new(clients));
        let poller = Random::new(seed, sends_first, Rc::clone(&finished));
        let mut scheduler = strict(poller);
        for socket in sockets {
            scheduler.submit_task(echo_task(socket));
        }
        scheduler.run().unwrap();
        for client in finished.borrow_mut().iter_mut() {
            client.finish();
            prop_assert!(client.received == client.data, "bytes in are not bytes out");
        }
    }
}
