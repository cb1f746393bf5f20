//! The steps of the order that loom has chosen, to be read when it fails.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::panic::Location;

/// What the thread is called on which the scenario begins.
pub const EXECUTOR: &str = "executor";

/// One step.
struct Step {
    who: &'static str,
    what: What,
    at: &'static Location<'static>,
}

/// What a thread has done.
pub enum What {
    /// It has taken the queue's lock.
    Lock,
    /// It has exchanged `queued`.
    Swap {
        /// What it is.
        value: bool,
        /// What it was.
        was: bool,
    },
    /// It has set `queued`, without a look.
    Store {
        /// What it is.
        value: bool,
    },
    /// It has started another thread.
    Start(&'static str),
    /// What the scenario says.
    Say(&'static str),
}

// Loom's threads are one thread of the system, and each test has one.
thread_local! {
    static ENDED: Cell<bool> = const { Cell::new(false) };
    static STEPS: RefCell<Vec<Step>> = const { RefCell::new(vec![]) };
}

loom::thread_local! {
    static WHO: Cell<&'static str> = Cell::new(EXECUTOR);
}

/// From now on, the steps of this thread are those of `who`.
pub fn call_me(who: &'static str) {
    WHO.with(|it| it.set(who));
}

/// Whose steps those of this thread are.
pub fn who() -> &'static str {
    WHO.with(Cell::get)
}

/// A new order begins.
pub fn clear() {
    ENDED.set(false);
    STEPS.with_borrow_mut(Vec::clear);
}

/// What comes now is of no interest.
pub fn end() {
    ENDED.set(true);
}

/// A step of this thread.
#[track_caller]
pub fn add(what: What) {
    let (who, at) = (who(), Location::caller());
    if !ENDED.get() {
        STEPS.with_borrow_mut(|steps| steps.push(Step { who, what, at }));
    }
}

/// A step of a scenario, in its words.
#[track_caller]
pub fn say(words: &'static str) {
    add(What::Say(words));
}

/// The steps since there has been more than one thread, numbered, a line each.
pub fn list() -> String {
    let is_start = |step: &Step| matches!(step.what, What::Start(_));
    STEPS.with_borrow(|steps| {
        let first = steps.iter().position(is_start).unwrap_or(0);
        let line = |(number, step): (usize, &Step)| {
            format!("{number:4}  {:10}{step}\n", step.who)
        };
        (1..).zip(&steps[first..]).map(line).collect()
    })
}

impl Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Say(words) => f.write_str(words),
            What::Start(thread) => write!(f, "starts {thread}"),
            What::Swap { value, was } if value == was => {
                write!(f, "sets `queued` to {value}: it was {was} already")
            }
            What::Swap { value, .. } | What::Store { value } => {
                write!(f, "sets `queued` to {value}")
            }
            What::Lock => match function(self.at) {
                "new" => f.write_str("counts a new task"),
                "push" => f.write_str("puts the task onto the queue"),
                "take" => f.write_str("takes all tasks off the queue"),
                "fall_asleep" => f.write_str("looks whether the queue is empty"),
                "can_wake_any" => f.write_str("looks whether a waker is left"),
                "wake_up" => f.write_str("is awake"),
                "forget" => f.write_str("notes that nothing wakes the task any more"),
                "close" => f.write_str("closes the queue"),
                other => write!(f, "takes the queue's lock in `{other}`"),
            },
        }
    }
}

/// The function of the queue's file in which that is.
fn function(at: &Location<'_>) -> &'static str {
    let source = include_str!("../../src/executor/queue.rs");
    let names = source.lines().take(at.line() as usize).filter_map(|line| {
        let (_, rest) = line.split_once("fn ")?;
        Some(rest.split(['(', '<']).next().unwrap_or(rest))
    });
    names.last().unwrap_or("?")
}
