//! What the scheduler did, as far as the questions of a practice are about it.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::rc::Rc;

use bricks_in_memory::recording::Recording;
use bricks_in_memory::trace::{self, On, Outcome, TaskId, Trace, Want};

/// What happened.
#[derive(Clone, Debug)]
pub enum Step {
    /// A task is the last on the ready queue, and has this name.
    Spawn(TaskId, &'static str),
    /// The first task on the ready queue runs, with this result.
    Resume(TaskId, String),
    /// It wants something, at this line.
    Yield(TaskId, Want, Option<RawFd>, u32),
    /// It waits here.
    Park(TaskId, On),
    /// What it wanted has happened: it is the last on the ready queue.
    Happened(TaskId),
    /// It has ended.
    Finish(TaskId),
    /// `select` has returned.
    Returned,
}

impl Step {
    /// Whose step this is.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Step::Spawn(task, _)
            | Step::Resume(task, _)
            | Step::Yield(task, ..)
            | Step::Park(task, _)
            | Step::Happened(task)
            | Step::Finish(task) => Some(*task),
            Step::Returned => None,
        }
    }
}

/// Where all tasks are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Their names; the first is that of task 1.
    names: Vec<&'static str>,
    /// The ready queue, from its front.
    pub ready: Vec<TaskId>,
    /// The others that wait, in the order of their descriptors.
    waiting: Vec<(On, TaskId)>,
}

impl Places {
    /// Where they are after these steps.
    pub fn after(steps: &[Step]) -> Places {
        let mut places = Places::default();
        steps.iter().for_each(|step| places.apply(step));
        places
    }

    fn apply(&mut self, step: &Step) {
        if let Some(task) = step.task() {
            self.ready.retain(|it| *it != task);
            self.waiting.retain(|it| it.1 != task);
        }
        match step {
            Step::Spawn(task, name) => {
                self.names.push(name);
                self.ready.push(*task);
            }
            Step::Happened(task) => self.ready.push(*task),
            Step::Park(task, on) => {
                let at = self.waiting.partition_point(|it| *it < (*on, *task));
                self.waiting.insert(at, (*on, *task));
            }
            _ => {}
        }
    }

    /// All tasks that there were.
    pub fn all(&self) -> impl Iterator<Item = TaskId> {
        1..=self.names.len() as TaskId
    }

    /// A task's number and name.
    pub fn name(&self, task: TaskId) -> String {
        format!("Task {task}, {}", self.names[task as usize - 1])
    }

    /// A line for each place where tasks are.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![];
        let mut line = |place: &str, tasks: Vec<String>| {
            if !tasks.is_empty() {
                lines.push(format!("{place}: {}", tasks.join(", ")));
            }
        };
        line(
            "Ready queue",
            self.ready.iter().map(|task| format!("task {task}")).collect(),
        );
        let waiting = |test: fn(&On) -> Option<RawFd>| -> Vec<String> {
            let those = self.waiting.iter();
            let word = |(on, task): &(On, TaskId)| {
                test(on).map(|fd| format!("task {task} for {fd}"))
            };
            those.filter_map(word).collect()
        };
        line(
            "Waiting to read",
            waiting(|on| if let On::Read(fd) = on { Some(*fd) } else { None }),
        );
        line(
            "Waiting to write",
            waiting(|on| if let On::Write(fd) = on { Some(*fd) } else { None }),
        );
        lines
    }
}

/// Collects the steps.
#[derive(Clone, Debug, Default)]
pub struct Steps(Rc<RefCell<Vec<Step>>>);

impl Steps {
    /// Takes out what has been collected.
    pub fn take(&self) -> Vec<Step> {
        self.0.take()
    }

    fn note(&self, step: &trace::Step<'_>) {
        use trace::Step::{Finish, Happened, Leave, Park, Resume, Spawn, Yield};
        self.0.borrow_mut().push(match step {
            Spawn { task, name } => Step::Spawn(*task, name),
            Resume { task, with } => Step::Resume(*task, result(with)),
            Yield { task, want, on, at, .. } => {
                let fd = on.as_ref().map(|on| on.number);
                Step::Yield(*task, *want, fd, at.map_or(0, |at| at.line()))
            }
            Park { task, on, .. } => Step::Park(*task, *on),
            Happened { task, .. } => Step::Happened(*task),
            Finish { task, .. } => Step::Finish(*task),
            Leave { .. } => Step::Returned,
            _ => return,
        });
    }
}

/// A run of which a recording is made, and whose steps are collected.
pub struct Watched {
    /// The recording.
    pub recording: Recording,
    /// The steps.
    pub steps: Steps,
}

impl Trace for Watched {
    fn record(&mut self, step: trace::Step<'_>) {
        self.steps.note(&step);
        self.recording.record(step);
    }

    fn wants_state(&self) -> bool {
        self.recording.wants_state()
    }
}

/// What a task is resumed with, in words.
fn result(with: &Outcome<'_>) -> String {
    match with {
        Outcome::Accepted { client, .. } => format!(" with descriptor {}", client.number),
        Outcome::Received([]) => " with the end of input".into(),
        Outcome::Received(bytes) => format!(" with {} bytes", bytes.len()),
        Outcome::Sent(count) => format!(" with {count} bytes sent"),
        Outcome::Failed(error) => format!(" with {error:?}"),
        Outcome::Nothing | Outcome::Closed => String::new(),
    }
}
