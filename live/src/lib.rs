//! The scheduler of stage 04 and its tasks, live in a page: the reader decides what the network
//! and the kernel do, and the scheduler answers.
//!
//! Nothing is stepped here. [`play`] begins each time anew, with all that has been decided so far,
//! and the run ends at the first `select` that has no answer yet. So the scheduler is the library's
//! own, a step back is a shorter list, and the list is all there is to a scenario.
//!
//! | Module | What it is |
//! |---|---|
//! | [`moves`] | What can be decided, and how an address writes it. |
//! | [`kernel`] | Answers the scheduler as it was decided, and knows what is possible now. |
//! | [`second`] | One more task, for the mission with two tasks and one descriptor. |
//! | [`steps`] | What the scheduler did, for the questions of a practice. |
//! | [`practise`] | Scenarios with a question, made from a number. |
//! | [`exports`] | What the page calls. |

pub mod exports;
pub mod kernel;
pub mod moves;
pub mod practise;
pub mod second;
pub mod steps;

use std::io::ErrorKind;

use bricks_in_memory::cli::Options;
use bricks_in_memory::poller::Script;
use bricks_in_memory::recording::Recording;
use bricks_in_memory::{Text, log, tasks};
use serde::Serialize;

use kernel::{Kernel, Now};
use moves::Scenario;
use steps::{Step, Steps, Watched};

/// What has come of a scenario.
#[derive(Debug, Serialize)]
pub struct Played {
    /// What the scheduler did, as `--trace` writes it.
    pub recording: String,
    /// What was decided, in words.
    pub decided: Vec<String>,
    /// What the server printed.
    pub log: Vec<String>,
    /// How it stands, and what can be decided now.
    pub now: Now,
    /// Why the next of the decisions was not possible.
    pub refused: Option<String>,
}

/// Runs the server of stage 04 as far as `scenario` decides what happens.
///
/// # Errors
///
/// If that is no scenario.
pub fn play(scenario: &str) -> Result<Played, String> {
    Ok(play_moves(&scenario.parse()?).0)
}

/// The same, for a scenario that has been read; and what the questions of a practice are about.
fn play_moves(scenario: &Scenario) -> (Played, Vec<Step>) {
    log::take();
    let script = Script::default();
    let (sock, signals) = (script.socket(), script.socket());
    let kernel = Kernel::new(script, scenario.moves.clone());
    let text = Text::default();
    let recording = Recording::new("04_scheduler", tasks::SOURCE, text.clone());
    let steps = Steps::default();
    let trace = Box::new(Watched { recording, steps: steps.clone() });
    let sockets = [sock.clone(), signals];
    let options = Options::default();
    let mut scheduler = bricks_in_memory::server(kernel.clone(), sockets, trace, options);
    if scenario.has_second {
        scheduler.submit_task(second::accepts_too(sock));
    } else {
        drop(sock); // the server's task alone keeps it open
    }
    let result = scheduler.run();
    let is_over = match &result {
        Ok(()) => true,
        Err(error) => {
            !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidInput)
        }
    };
    let now = kernel.now(is_over);
    let refused = kernel.refused(is_over);
    // To drop the scheduler is to end its tasks, which is no part of a run that goes on.
    let unfinished = (!is_over).then(|| text.take());
    drop(scheduler);
    let recording = unfinished.unwrap_or_else(|| text.take());
    let mut log = log::take();
    if let (true, Err(error)) = (is_over, result) {
        log.push(format!("the server has ended: {error}"));
    }
    (Played { recording, decided: kernel.decided(), log, now, refused }, steps.take())
}
