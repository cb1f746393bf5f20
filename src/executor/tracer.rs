//! What a trace is told of the executor: the same steps as of stage 04.
//!
//! A leaf future reports its system call itself, in the midst of its task's turn. Where the task
//! waits when its turn is over is read from the reactor and the timers. And wakers may be called
//! on any thread, where there is no trace: what they have done is seen on the ready queue.

use std::mem;
use std::panic::Location;

use super::task::Tasks;
use crate::net::Descriptor;
use crate::trace::{On, State, Step, TaskId, Trace, Want};

/// A line of a task's source.
pub(super) type Line = &'static Location<'static>;

/// Reports to a trace, and remembers what it has reported.
pub(super) struct Tracer {
    trace: Box<dyn Trace>,
    /// So many tasks at the front of the queue have been reported.
    seen: usize,
    /// The last task whose beginning has been reported.
    spawned: TaskId,
    /// What the running task has begun to wait for, the first thing first.
    wanted: Vec<Wanted>,
}

/// What a future waits for.
pub(super) struct Wanted {
    pub place: On,
    pub want: Want,
    pub on: Option<Descriptor>,
    pub bytes: Vec<u8>,
    pub at: Line,
}

impl Tracer {
    pub fn new(trace: Box<dyn Trace>) -> Tracer {
        Tracer { trace, seen: 0, spawned: 0, wanted: vec![] }
    }

    pub fn record(&mut self, step: Step<'_>) {
        if let Step::Resume { .. } = step {
            self.wanted.clear();
        }
        self.trace.record(step);
    }

    /// Reports which tasks are new on the queue.
    pub fn woken(&mut self, queue: &[TaskId], tasks: &Tasks, running: TaskId) {
        for &task in &queue[self.seen..] {
            if task == running {
                return; // it has woken itself; first it has to come to the end of its turn
            }
            self.seen += 1;
            match tasks.get(&task) {
                None => {} // it has finished, and its waker did not know
                Some(_) if task <= self.spawned => self.record(Step::Wake { task }),
                Some(new) => {
                    self.spawned = task;
                    self.record(Step::Spawn { task, name: new.name });
                }
            }
        }
    }

    /// The queue has been emptied. These tasks were on it.
    pub fn taken(&mut self, batch: &[TaskId], tasks: &Tasks) {
        self.woken(batch, tasks, 0);
        self.seen = 0;
    }

    /// A future of the running task waits.
    pub fn waits(&mut self, wanted: Wanted) {
        self.wanted.retain(|earlier| earlier.place != wanted.place);
        self.wanted.push(wanted);
    }

    /// The turn of this task is over, and it waits in these places.
    pub fn pending(&mut self, task: TaskId, places: Vec<(On, TaskId)>) {
        // What it has given up in the same turn it does not wait for.
        let wanted = mem::take(&mut self.wanted);
        let first = wanted.iter().find(|it| places.contains(&(it.place, task)));
        self.record(match first {
            Some(Wanted { want, on, bytes, at, .. }) => {
                Step::Yield { task, want: *want, on: on.clone(), bytes, at: Some(at) }
            }
            None => {
                Step::Yield { task, want: Want::Wake, on: None, bytes: &[], at: None }
            }
        });
        for (number, (on, _)) in places.into_iter().enumerate() {
            self.record(Step::Park { task, on, also: number > 0 });
        }
    }

    /// Reports where all tasks are, if the trace wants to know: on the queue, or in these places.
    pub fn state(&mut self, queue: &[TaskId], places: Vec<(On, TaskId)>, tasks: &Tasks) {
        if !self.trace.wants_state() {
            return;
        }
        // Another thread may have woken more since.
        let mut ready = queue[..self.seen].to_vec();
        ready.retain(|task| tasks.contains_key(task));
        let mut state = State { running: tasks.len(), ready, ..State::default() };
        for (on, task) in places {
            // A task that has been woken may still be in its other places, but does not wait.
            if state.ready.contains(&task) {
                continue;
            }
            match on {
                On::Read(fd) => state.read.push((fd, task)),
                On::Write(fd) => state.write.push((fd, task)),
                On::Timer => state.timer.push(task),
                On::Kernel => state.kernel.push(task),
            }
        }
        self.record(Step::State(&state));
    }
}
