//! The heart without an operating system: the scheduler of stage 04 and its tasks, the same files,
//! on sockets in memory. For tests that decide what happens next.
//!
//! `net` is the twin of the library's module of that name, with the few calls that the heart uses;
//! its clock stands still until it is told. [`poller::Script`] answers the scheduler. Nothing else
//! comes in from outside, so the same decisions make the same recording, to the nanosecond.

extern crate self as bricks; // the tasks say `use bricks::…`

pub mod explore;
pub mod log;
pub mod net;
pub mod poller;
#[path = "../../src/recording/format.rs"]
pub mod recording;
#[path = "../../src/scheduler/mod.rs"]
pub mod scheduler;
#[path = "../../src/space.rs"]
pub mod space;
#[path = "../../src/bin/tasks/mod.rs"]
pub mod tasks;
#[path = "../../src/trace.rs"]
pub mod trace;

/// What the tasks know of the command line.
pub mod cli {
    /// What the user asked for.
    #[derive(Clone, Debug, Default)]
    pub struct Options {
        /// The server's log.
        pub log: crate::log::Log,
        /// Answer lines, instead of echoing bytes.
        pub lines: bool,
    }
}

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use net::Socket;
use poller::{Decision, Script};
use recording::{Recording, Sink};
use scheduler::Scheduler;
use scheduler::poller::Poller;
use trace::Trace;

/// Runs the server of stage 04 until there are no more decisions (or it has been stopped), and
/// returns its recording.
///
/// [Peer](net::Peer) 0 is that of its listening socket, peer 1 sends the signal to stop, and from
/// 2 on they are the clients, in the order in which they connect.
pub fn record(decisions: &[Decision], options: cli::Options) -> String {
    record_with(Script::default(), decisions, options)
}

/// The same, with a poller of your own.
pub fn record_with(
    script: Script,
    decisions: &[Decision],
    options: cli::Options,
) -> String {
    let text = Text::default();
    let recording = Recording::new("04_scheduler", tasks::SOURCE, text.clone());
    let sockets = [script.socket(), script.socket()];
    let mut scheduler = server(script.clone(), sockets, Box::new(recording), options);
    script.decide(decisions);
    // It is out of decisions; or it panics, and that was to be recorded.
    let _ = catch_unwind(AssertUnwindSafe(|| scheduler.run()));
    drop(scheduler); // and with it the recording
    text.take()
}

/// The server of stage 04, with this poller. It listens on the first of its sockets, and the
/// second brings the signal to stop.
pub fn server(
    poller: impl Poller + 'static,
    [sock, signals]: [Socket; 2],
    trace: Box<dyn Trace>,
    options: cli::Options,
) -> Scheduler {
    let mut scheduler = Scheduler::new(poller, Some(trace));
    let handle = scheduler.handle();
    scheduler.submit_task(tasks::echo_server(sock, handle.clone(), options));
    scheduler.submit_task(tasks::stop_on_signal(signals, handle));
    scheduler
}

/// A recording in memory.
#[derive(Clone, Debug, Default)]
pub struct Text(Rc<RefCell<String>>);

impl Text {
    /// Takes out what has been written.
    pub fn take(&self) -> String {
        self.0.take()
    }
}

impl Sink for Text {
    fn write(&mut self, lines: String) -> bool {
        // The numbered servers know their tasks by the path without this detour.
        self.0.borrow_mut().push_str(&lines.replace("memory/src/../../", ""));
        true
    }
}
