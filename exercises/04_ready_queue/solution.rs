//! The ready queue, and how much of it is run before the scheduler looks at its sockets again.
//!
//! The page of this exercise: chapters/exercises/04_ready_queue.md

use std::cell::RefCell;
use std::collections::VecDeque;

/// So many steps between two looks at the sockets, unless more tasks were ready at once.
pub const BATCH: usize = 64;

/// One step of a task. While it runs, it may push others.
pub type Step = Box<dyn FnOnce(&Ready)>;

/// Steps that can be taken, the oldest first.
#[derive(Default)]
pub struct Ready {
    queue: RefCell<VecDeque<Step>>,
}

impl Ready {
    /// `step` will be taken when its turn comes.
    pub fn push(&self, step: impl FnOnce(&Ready) + 'static) {
        self.queue.borrow_mut().push_back(Box::new(step));
    }

    /// How many steps wait.
    pub fn len(&self) -> usize {
        self.queue.borrow().len()
    }

    /// Takes the oldest step. False if there is none.
    pub fn step(&self) -> bool {
        // ANSWER: take the oldest step off the queue, and run it
        let step = self.queue.borrow_mut().pop_front();
        let Some(step) = step else { return false };
        step(self);
        true
        // ANSWER_END
    }

    /// Takes steps: [`BATCH`] of them, or as many as there are at the beginning if that is more;
    /// fewer if none is left.
    pub fn run_ready(&self) {
        // ANSWER: take a batch of steps
        for _ in 0..self.len().max(BATCH) {
            if !self.step() {
                break;
            }
        }
        // ANSWER_END
    }
}
