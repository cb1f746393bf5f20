//! From the steps of a recording to the state after each of them.
//!
//! Most steps move one task from one place to another. Where the recording says itself where
//! all tasks are, the two are compared: so a recording that does not add up is found out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::read::{Event, Happened, Recording, State, Wrong, Yield};

/// Where everybody is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    /// The tasks that have not finished.
    pub tasks: BTreeMap<u64, Task>,
    /// The task that runs.
    pub running: Option<u64>,
    /// The task whose event the scheduler has in its hand: it is about to put it somewhere, or
    /// makes its system call.
    pub held: Option<u64>,
    /// The ready queue.
    pub ready: VecDeque<u64>,
    /// The read-waiting table.
    pub read: BTreeMap<i32, u64>,
    /// The write-waiting table.
    pub write: BTreeMap<i32, u64>,
    /// Those that sleep.
    pub timer: BTreeSet<u64>,
    /// Those whose operation the kernel has.
    pub kernel: BTreeSet<u64>,
    /// How many states have been compared.
    pub verified: usize,
}

/// What is known of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Task {
    /// The function that made it.
    pub name: String,
    /// What it waits for: what it wants, and on which descriptor.
    pub wants: Option<(String, Option<i32>)>,
    /// Where it is suspended: the file, if it is not the program's own, and the line.
    pub at: Option<(Option<String>, u32)>,
}

impl Recording {
    /// The state after each step, in the order of the steps.
    ///
    /// # Errors
    ///
    /// If a step is not possible after those before it, or a state differs.
    pub fn fold(&self) -> Result<Vec<Fold>, Wrong> {
        let mut fold = Fold::default();
        let fold_step = |step: &crate::read::Step| {
            let applied = fold.apply(&step.event);
            applied.map_err(|why| Wrong { line: step.number, why })?;
            Ok(fold.clone())
        };
        self.steps.iter().map(fold_step).collect()
    }
}

impl Fold {
    /// Goes on by one step.
    ///
    /// # Errors
    ///
    /// Why this cannot have happened now.
    pub fn apply(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Spawn { task, name } => {
                let new = Task { name: name.clone(), ..Task::default() };
                if self.tasks.insert(*task, new).is_some() {
                    return Err(format!("there is a task {task} already"));
                }
                self.ready.push_back(*task);
            }
            Event::Resume { task, .. } => {
                if self.ready.front() != Some(task) {
                    let first = self.ready.front().map(|it| format!("task {it}"));
                    let first = first.unwrap_or("nobody".to_string());
                    return Err(format!(
                        "task {task} is resumed, but {first} is at the front of the queue"
                    ));
                }
                self.take(*task)?;
                self.running = Some(*task);
            }
            Event::Yield(Yield { task, want, fd, file, line, .. }) => {
                if self.running != Some(*task) {
                    return Err(format!("task {task} yields, but it was not running"));
                }
                self.running = None;
                // Who will wake it is known to nobody, so it is in no table.
                self.held = (want != "wake").then_some(*task);
                let it = self.tasks.entry(*task).or_default();
                it.wants = Some((want.clone(), *fd));
                it.at = line.map(|line| (file.clone(), line));
            }
            Event::Park { task, on, fd, also } => {
                if !also {
                    self.take(*task)?;
                }
                self.park(*task, on, *fd)?;
            }
            // A task that runs makes its calls itself, and goes on with what comes of them.
            Event::Call { task, .. }
            | Event::NotYet { task, .. }
            | Event::Happened(Happened { task, .. })
                if self.running == Some(*task) => {}
            Event::Call { task, .. } => {
                self.take(*task)?;
                self.held = Some(*task);
            }
            Event::NotYet { task, .. } if self.held == Some(*task) => {}
            Event::NotYet { task, .. } => {
                return Err(format!("no call was made for task {task}"));
            }
            Event::Happened(Happened { task, .. }) | Event::Wake { task } => {
                self.take(*task)?;
                self.ready.push_back(*task);
            }
            Event::Finish { task, .. } => {
                self.take(*task)?;
                self.tasks.remove(task);
            }
            Event::State(state) => self.compare(state)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes a task from wherever it is.
    fn take(&mut self, task: u64) -> Result<(), String> {
        if !self.tasks.contains_key(&task) {
            return Err(format!("there is no task {task}"));
        }
        self.ready.retain(|it| *it != task);
        self.read.retain(|_, it| *it != task);
        self.write.retain(|_, it| *it != task);
        for list in [&mut self.timer, &mut self.kernel] {
            list.remove(&task);
        }
        for place in [&mut self.running, &mut self.held] {
            place.take_if(|it| *it == task);
        }
        Ok(())
    }

    fn park(&mut self, task: u64, on: &str, fd: Option<i32>) -> Result<(), String> {
        let table = match on {
            "read" => &mut self.read,
            "write" => &mut self.write,
            "timer" | "kernel" => {
                let list = if on == "timer" { &mut self.timer } else { &mut self.kernel };
                list.insert(task);
                return Ok(());
            }
            _ => return Err(format!("what is it to be parked on {on:?}?")),
        };
        let fd = fd.ok_or(format!("task {task} is parked under no descriptor"))?;
        match table.insert(fd, task) {
            None => Ok(()),
            Some(other) => Err(format!("task {other} waits to {on} {fd} already")),
        }
    }

    fn compare(&mut self, state: &State) -> Result<(), String> {
        let mine = self.state();
        if mine != *state {
            return Err(format!("the steps lead to {mine:?}, but this says {state:?}"));
        }
        if let Some(task) = self.running.or(self.held) {
            return Err(format!("task {task} is nowhere"));
        }
        self.verified += 1;
        Ok(())
    }

    /// As a recording would say it.
    pub fn state(&self) -> State {
        State {
            running: self.tasks.len(),
            ready: self.ready.iter().copied().collect(),
            read: self.read.iter().map(|(fd, task)| (*fd, *task)).collect(),
            write: self.write.iter().map(|(fd, task)| (*fd, *task)).collect(),
            timer: self.timer.iter().copied().collect(),
            kernel: self.kernel.iter().copied().collect(),
        }
    }
}
