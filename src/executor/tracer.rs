//! What a trace is told of the executor: the same steps as of stage 04.
//!
//! A leaf future reports its system call itself, in the midst of its task's turn. Where the task
//! waits when its turn is over is read from the reactor and the timers. And wakers may be called
//! on any thread, where there is no trace: what they have done is seen on the ready queue.

use std::collections::HashMap;
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
    /// What the futures of each task want, in the order in which they began to wait.
    wanted: HashMap<TaskId, Vec<Wanted>>,
}

/// What a future waits for.
pub(super) struct Wanted {
    pub place: On,
    pub want: Want,
    pub on: Option<Descriptor>,
    pub bytes: Vec<u8>,
    pub at: Line,
}

impl Wanted {
    pub fn sleep(at: Line) -> Wanted {
        Wanted { place: On::Timer, want: Want::Sleep, on: None, bytes: vec![], at }
    }
}

impl Tracer {
    pub fn new(trace: Box<dyn Trace>) -> Tracer {
        Tracer { trace, seen: 0, spawned: 0, wanted: HashMap::new() }
    }

    pub fn record(&mut self, step: Step<'_>) {
        if let Step::Finish { task, .. } = step {
            self.wanted.remove(&task);
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

    /// The tasks on the queue have been taken off it: all of them have been reported.
    pub fn taken(&mut self) {
        self.seen = 0;
    }

    /// A future of this task waits.
    pub fn waits(&mut self, task: TaskId, wanted: Wanted) {
        let all = self.wanted.entry(task).or_default();
        all.retain(|other| other.place != wanted.place);
        all.push(wanted);
    }

    /// The turn of this task is over, and it waits in these places.
    pub fn pending(&mut self, task: TaskId, places: Vec<(On, TaskId)>) {
        let wanted = self.wanted.entry(task).or_default();
        wanted.retain(|it| places.contains(&(it.place, task)));
        // The first thing that it wants stands for all of them.
        self.trace.record(match wanted.first() {
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

    /// Whether the trace wants to know where all tasks are.
    pub fn wants_state(&self) -> bool {
        self.trace.wants_state()
    }

    /// Reports where all tasks are: on the queue, or in these places.
    pub fn state(&mut self, queue: &[TaskId], places: Vec<(On, TaskId)>, tasks: &Tasks) {
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
