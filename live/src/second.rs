//! One more task, for the mission with two tasks and one descriptor.

use std::time::Duration;

use bricks_in_memory::log;
use bricks_in_memory::net::Socket;
use bricks_in_memory::scheduler::event::sleep;
use bricks_in_memory::scheduler::task::{Co, Coroutine, Task};

// ANCHOR: second
/// After a second, it wants to accept a client from the socket of `echo_server`.
pub fn accepts_too(sock: Socket) -> impl Task {
    Coroutine::new(async move |co: Co| {
        co.yield_(sleep(Duration::from_secs(1))).await;
        match co.yield_(sock.accept()).await {
            Ok((_, addr)) => log::problem(format_args!("The second task has {addr}")),
            Err(error) => log::problem(format_args!("The second task: {error}")),
        }
    })
}
// ANCHOR_END: second
