//! What drives tasks: the scheduler, on each of its pollers, and the ring.

use std::io;

use bricks::epoll::Epoll;
use bricks::ring::{Kernel, Ring};
use bricks::scheduler::Scheduler;
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::Task;
use bricks::select::Select;

use crate::support::drivers::{Panics, watch_the_clock};
use crate::support::machine::{io_uring_works, skipped};

/// Which driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The scheduler with `select`.
    Select,
    /// The scheduler with `epoll`.
    Epoll,
    /// The ring.
    Ring,
}

impl Kind {
    /// Whether this system has it; if not, that has been said.
    pub fn is_here(self) -> bool {
        match self {
            Kind::Epoll if cfg!(not(target_os = "linux")) => {
                skipped("Linux only");
                false
            }
            Kind::Ring => io_uring_works(),
            _ => true,
        }
    }

    /// One without tasks.
    pub fn driver(self, panics: Panics) -> Driver {
        watch_the_clock();
        let trace = panics.trace();
        let scheduler = match self {
            Kind::Select => Scheduler::new(Select::default(), trace),
            Kind::Epoll => Scheduler::new(Epoll::new().unwrap(), trace),
            Kind::Ring => {
                let ring = Ring::new(Kernel::new().unwrap(), trace);
                return Driver::Ring(Box::new(ring));
            }
        };
        Driver::Scheduler(Box::new(scheduler))
    }

    /// One of tasks that must not panic.
    pub fn strict(self) -> Driver {
        self.driver(Panics::Fail)
    }
}

/// The two have the same methods, and no trait in common.
pub enum Driver {
    Scheduler(Box<Scheduler>),
    Ring(Box<Ring>),
}

impl Driver {
    pub fn submit_task(&mut self, task: impl Task + 'static) {
        match self {
            Driver::Scheduler(scheduler) => scheduler.submit_task(task),
            Driver::Ring(ring) => ring.submit_task(task),
        }
    }

    pub fn handle(&self) -> Handle {
        match self {
            Driver::Scheduler(scheduler) => scheduler.handle(),
            Driver::Ring(ring) => ring.handle(),
        }
    }

    pub fn run(&mut self) -> io::Result<()> {
        match self {
            Driver::Scheduler(scheduler) => scheduler.run(),
            Driver::Ring(ring) => ring.run(),
        }
    }
}
