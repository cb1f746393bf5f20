//! What a trace is told of the executor: the same steps as of stage 04.
//!
//! A leaf future reports its system call itself, in the midst of its task's turn. What a task
//! waits for when its turn is over is read from the reactor and the timers. And wakers may be
//! called on any thread, where there is no trace: what they have done is seen on the ready queue.

use std::collections::HashMap;
use std::panic::Location;
use std::time::Duration;

use super::queue::Queue;
use super::reactor::Reactor;
use super::task::Tasks;
use super::timers::Timers;
use crate::net::{Descriptor, Direction, Readiness};
use crate::trace::{On, State, Step, TaskId, Trace, Want};

/// Reports to a trace, and remembers what it has reported.
pub(super) struct Tracer {
    trace: Box<dyn Trace>,
    /// So many tasks at the front of the queue have been reported.
    seen: usize,
    /// The last task whose beginning has been reported.
    spawned: TaskId,
    /// What the last future that waited there wanted.
    wants: HashMap<Readiness, Wanted>,
}

/// What a future that waits for a socket wants.
pub(super) struct Wanted {
    pub(super) want: Want,
    pub(super) on: Descriptor,
    pub(super) bytes: Vec<u8>,
    pub(super) at: &'static Location<'static>,
}

impl Tracer {
    pub(super) fn new(trace: Box<dyn Trace>) -> Tracer {
        Tracer { trace, seen: 0, spawned: 0, wants: HashMap::new() }
    }

    pub(super) fn record(&mut self, step: Step<'_>) {
        self.trace.record(step);
    }

    /// Reports which tasks are new on the queue.
    pub(super) fn queue(&mut self, queue: &Queue, tasks: &Tasks, running: TaskId) {
        for id in queue.since(self.seen) {
            // The running task has woken itself. First it has to come to the end of its turn.
            if id == running {
                break;
            }
            self.woken(id, tasks);
        }
    }

    /// The queue has been emptied, and these tasks were on it.
    pub(super) fn taken(&mut self, batch: &[TaskId], tasks: &Tasks) {
        for id in &batch[self.seen..] {
            self.woken(*id, tasks);
        }
        self.seen = 0;
    }

    fn woken(&mut self, task: TaskId, tasks: &Tasks) {
        self.seen += 1;
        let Some(known) = tasks.get(&task) else {
            return; // it has finished, and its waker did not know
        };
        if task > self.spawned {
            self.spawned = task;
            self.record(Step::Spawn { task, name: known.name });
        } else {
            self.record(Step::Wake { task });
        }
    }

    /// A future waits for a socket, and wants this of it.
    pub(super) fn wants(&mut self, key: Readiness, wanted: Wanted) {
        self.wants.insert(key, wanted);
    }

    /// The turn of this task is over, and it waits.
    pub(super) fn pending(&mut self, task: TaskId, reactor: &Reactor, timers: &Timers) {
        let sockets = reactor.waiting().filter(|(_, waits)| *waits == task);
        let sockets: Vec<Readiness> = sockets.map(|(key, _)| key).collect();
        let timer = timers.waiting().find(|(waits, _)| *waits == task);
        // The first thing that it waits for stands for all of them.
        let wanted = sockets.first().and_then(|key| self.wants.get(key));
        let (want, at) = match (wanted, timer) {
            (Some(wanted), _) => (wanted.want, Some(wanted.at)),
            (None, Some((_, at))) => (Want::Sleep, Some(at)),
            (None, None) => (Want::Wake, None),
        };
        let on = wanted.map(|wanted| wanted.on.clone());
        let bytes = wanted.map_or(&[][..], |wanted| &wanted.bytes);
        self.trace.record(Step::Yield { task, want, on, bytes, at });
        let places = sockets.into_iter().map(On::from).chain(timer.map(|_| On::Timer));
        for (number, on) in places.enumerate() {
            self.record(Step::Park { task, on, also: number > 0 });
        }
    }

    /// Reports where all tasks are, if that is wanted.
    pub(super) fn state(
        &mut self,
        queue: &Queue,
        tasks: &Tasks,
        reactor: &Reactor,
        timers: &Timers,
    ) {
        if !self.trace.wants_state() {
            return;
        }
        let mut ready = queue.since(0);
        ready.truncate(self.seen); // another thread may have added one since
        ready.retain(|task| tasks.contains_key(task));
        // A task that has been woken may still have a waker elsewhere, but it does not wait.
        let waits = |task: &TaskId| tasks.contains_key(task) && !ready.contains(task);
        let (mut read, mut write) = (vec![], vec![]);
        for ((fd, direction), task) in reactor.waiting().filter(|(_, it)| waits(it)) {
            match direction {
                Direction::Read => read.push((fd, task)),
                Direction::Write => write.push((fd, task)),
            }
        }
        let mut timer: Vec<TaskId> =
            timers.waiting().map(|(task, _)| task).filter(waits).collect();
        timer.sort_unstable();
        timer.dedup();
        let running = tasks.len();
        let state = State { running, ready, read, write, timer, kernel: vec![] };
        self.record(Step::State(&state));
    }

    /// The reactor is about to wait.
    pub(super) fn enter(&mut self, reactor: &Reactor, timeout: Option<Duration>) {
        let (call, asked) = (reactor.poller.call(), reactor.poller.asked());
        self.record(Step::Enter { call, asked, timeout });
    }

    /// The reactor has waited.
    pub(super) fn leave(&mut self, reactor: &Reactor) {
        let call = reactor.poller.call();
        self.record(Step::Leave { call, ready: &reactor.readiness });
    }
}
