//! Those who drive tasks.

use std::io;
use std::rc::Rc;

use bricks::poller::{Poller, Select};
use bricks::ready::Handle;
use bricks::scheduler::Scheduler;
use bricks::task::Task;

use crate::support::drivers::{Panics, watch_the_clock};
use crate::support::scripted::Random;

/// A scheduler on one of its pollers, or the ring.
pub trait Driver: Sized {
    /// Whether this system has it; if not, that has been said.
    fn is_here() -> bool {
        true
    }

    fn new(panics: Panics) -> Self;

    /// One of tasks that must not panic.
    fn strict() -> Self {
        Self::new(Panics::Fail)
    }

    fn submit_task(&mut self, task: impl Task + 'static);
    fn handle(&self) -> Handle;
    fn stop(&mut self);
    fn run(&mut self) -> io::Result<()>;
}

/// A poller that can be made of nothing.
pub trait Fresh: Poller {
    fn fresh() -> Self;
}

impl Fresh for Select {
    fn fresh() -> Select {
        Select::default()
    }
}

#[cfg(target_os = "linux")]
impl Fresh for bricks::epoll::Epoll {
    fn fresh() -> bricks::epoll::Epoll {
        bricks::epoll::Epoll::new().unwrap()
    }
}

/// One that tries before it waits.
impl Fresh for Random {
    fn fresh() -> Random {
        Random::new(3, true, Rc::default())
    }
}

/// One of tasks that must not panic, on this poller.
pub fn strict<P: Poller>(poller: P) -> Scheduler<P, Panics> {
    Scheduler::with_trace(poller, Panics::Fail)
}

/// Both have the same methods, and no trait in common.
macro_rules! driver_by_its_own_methods {
    () => {
        fn submit_task(&mut self, task: impl Task + 'static) {
            self.submit_task(task);
        }

        fn handle(&self) -> Handle {
            self.handle()
        }

        fn stop(&mut self) {
            self.stop();
        }

        fn run(&mut self) -> io::Result<()> {
            self.run()
        }
    };
}

impl<P: Fresh> Driver for Scheduler<P, Panics> {
    fn new(panics: Panics) -> Self {
        watch_the_clock();
        Scheduler::with_trace(P::fresh(), panics)
    }

    driver_by_its_own_methods!();
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
impl Driver for bricks::ring::Ring<Panics> {
    fn is_here() -> bool {
        crate::support::machine::io_uring_works()
    }

    fn new(panics: Panics) -> Self {
        watch_the_clock();
        bricks::ring::Ring::with_trace(bricks::ring::Kernel::new().unwrap(), panics)
    }

    driver_by_its_own_methods!();
}
