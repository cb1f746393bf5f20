//! The heart in memory: the scheduler of stage 04 and its tasks, the same files, where a test
//! decides what the clients do, what the poller says and how much time passes. So a test can make
//! each situation, no test waits, and the same decisions always come to the same end.
//!
//! The files beside this folder ask of real sockets, with real pollers, what these tests cannot.

#[path = "../../../memory/tests/explore.rs"]
mod explore;
mod recordings;
mod server;
mod tasks;

use std::io::{self, ErrorKind};
use std::time::Duration;

use bricks_in_memory::Text;
use bricks_in_memory::log;
use bricks_in_memory::net::{Direction, Peer, Socket};
use bricks_in_memory::poller::{Decision, Script};
use bricks_in_memory::recording::Recording;
use bricks_in_memory::scheduler::Scheduler;
use bricks_in_memory::scheduler::task::{Co, Coroutine};

/// A scheduler, and the script that it follows.
struct World {
    scheduler: Scheduler,
    script: Script,
    text: Text,
    runs: u32,
}

impl World {
    fn new() -> World {
        log::take();
        let (script, text) = (Script::default(), Text::default());
        let recording = Recording::new("a test", ("", ""), text.clone());
        let scheduler = Scheduler::new(script.clone(), Some(Box::new(recording)));
        World { scheduler, script, text, runs: 0 }
    }

    /// A task of these steps.
    fn submit<F: Future<Output = ()> + 'static>(
        &mut self,
        body: impl FnOnce(Co) -> F + 'static,
    ) {
        self.scheduler.submit_task(Coroutine::new(body));
    }

    /// This happens, one after the other, and the scheduler does what it can until it would sleep.
    /// Says whether its run is over.
    fn decide(&mut self, decisions: &[Decision]) -> bool {
        self.script.decide(decisions);
        self.run().unwrap()
    }

    fn run(&mut self) -> io::Result<bool> {
        // No test decides so often: it waits for what does not come.
        self.runs += 1;
        assert!(self.runs < 10_000, "it never ends");
        for _ in 0..1000 {
            match self.scheduler.run() {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
                result => return result.map(|()| true),
            }
            if self.script.timeout() != Some(Duration::ZERO) {
                return Ok(false);
            }
            self.script.decide(&[Decision::Pass(Duration::ZERO)]);
        }
        panic!("it never sleeps");
    }

    /// Says that all is ready that is waited for.
    fn report_all(&mut self) -> bool {
        self.decide(&[Decision::Report(self.script.watched())])
    }

    /// What has been recorded.
    fn recorded(self) -> Vec<String> {
        drop(self.scheduler);
        self.text.take().lines().map(str::to_string).collect()
    }
}

/// Its socket has said all that it will say, and nothing was destroyed.
fn has_ended_well(peer: &Peer) -> bool {
    peer.is_over() && !peer.is_reset()
}

/// Sends back what it receives, until the end of input.
async fn echo(co: Co, socket: Socket) {
    loop {
        let bytes = co.yield_(socket.recv()).await.unwrap();
        if bytes.is_empty() {
            break;
        }
        co.yield_(socket.send(bytes)).await.unwrap();
    }
    co.yield_(socket.close()).await;
}

fn readable(fd: i32) -> Decision {
    Decision::Report(vec![(fd, Direction::Read)])
}

fn writable(fd: i32) -> Decision {
    Decision::Report(vec![(fd, Direction::Write)])
}
