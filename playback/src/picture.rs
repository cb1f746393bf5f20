//! A recording as a timeline: a lane for each task (or each thread, where there are no tasks),
//! from left to right a column for each step. Time is not to scale, because nearly all of it is
//! spent asleep.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::fold::Fold;
use crate::read::{Call, Event, Happened, Recording, Wrong};

const WIDTH: f64 = 640.0;
const LANE: f64 = 30.0;
const TOP: f64 = 8.0;
/// The lanes begin here, behind their names.
const LEFT: f64 = 132.0;

/// What a task does, or a thread.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Runs,
    /// On the ready queue.
    IsReady,
    /// For an event.
    Waits,
    /// In a system call.
    Sleeps,
}

struct Lane {
    name: String,
    is_task: bool,
    /// From which step on it does what, until which.
    parts: Vec<(usize, usize, Does)>,
    now: Option<(usize, Does)>,
}

impl Lane {
    fn new(name: String, is_task: bool) -> Lane {
        Lane { name, is_task, parts: vec![], now: None }
    }

    fn change(&mut self, column: usize, now: Option<Does>) {
        if let Some((from, does)) = self.now.take()
            && from < column
        {
            self.parts.push((from, column, does));
        }
        self.now = now.map(|does| (column, does));
    }
}

/// The picture, an SVG whose ids begin with `name`.
///
/// # Errors
///
/// If the steps do not add up.
pub fn svg(recording: &Recording, name: &str) -> Result<String, Wrong> {
    let (lanes, columns) = lanes(recording)?;
    let height = TOP + LANE * lanes.len() as f64 + 34.0;
    let step = (WIDTH - LEFT - 4.0) / columns as f64;
    let stage = &recording.header.stage;
    let has_tasks = recording.has_tasks();
    let who = if has_tasks { "task" } else { "thread" };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg role=\"img\" aria-labelledby=\"{name}-title {name}-desc\" \
         viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" \
         font-size=\"13\" fill=\"currentColor\" stroke=\"none\">\n\
         <title id=\"{name}-title\">A recording of {stage}, from left to right</title>\n\
         <desc id=\"{name}-desc\">A lane for each {who}, a column for each of {columns} steps. {}</desc>",
        describe(&lanes)
    );
    for (i, lane) in lanes.iter().enumerate() {
        let y = TOP + LANE * i as f64;
        let _ = writeln!(out, "<text x=\"0\" y=\"{}\">{}</text>", y + 19.0, lane.name);
        for &(from, to, does) in &lane.parts {
            let x = LEFT + from as f64 * step;
            part(&mut out, x, y, (to - from) as f64 * step, does);
        }
    }
    let y = TOP + LANE * lanes.len() as f64 + 4.0;
    let legend = if has_tasks {
        &[
            (Does::Runs, "runs"),
            (Does::IsReady, "ready"),
            (Does::Waits, "waits"),
            (Does::Sleeps, "asleep"),
        ][..]
    } else {
        &[(Does::Runs, "runs"), (Does::Sleeps, "in a system call")]
    };
    for (i, (does, word)) in legend.iter().enumerate() {
        let x = LEFT + 112.0 * i as f64;
        part(&mut out, x, y, 28.0, *does);
        let _ =
            writeln!(out, "<text x=\"{}\" y=\"{}\">{word}</text>", x + 36.0, y + 19.0);
    }
    out += "</svg>\n";
    Ok(out)
}

fn part(out: &mut String, x: f64, y: f64, width: f64, does: Does) {
    let middle = y + LANE / 2.0;
    let end = x + width;
    let _ = match does {
        Does::Runs => writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"18\"/>",
            middle - 9.0
        ),
        Does::IsReady => writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"10\" \
             fill=\"var(--bg)\" stroke=\"currentColor\"/>",
            middle - 5.0
        ),
        Does::Waits => writeln!(
            out,
            "<path d=\"M{x:.1} {middle:.1}H{end:.1}\" stroke=\"currentColor\"/>"
        ),
        Does::Sleeps => writeln!(
            out,
            "<path d=\"M{x:.1} {middle:.1}H{end:.1}\" stroke=\"currentColor\" \
             stroke-width=\"3\" stroke-dasharray=\"3 3\"/>"
        ),
    };
}

/// For those who do not see it: who does what, how often.
fn describe(lanes: &[Lane]) -> String {
    let count = |lane: &Lane, does| lane.parts.iter().filter(|it| it.2 == does).count();
    let times = |count| match count {
        1 => "once".to_string(),
        2 => "twice".to_string(),
        count => format!("{count} times"),
    };
    let sentence = |lane: &Lane| match lane.is_task {
        true => format!("Task {} runs {}.", lane.name, times(count(lane, Does::Runs))),
        false => format!("{} sleeps {}.", lane.name, times(count(lane, Does::Sleeps))),
    };
    lanes.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

fn lanes(recording: &Recording) -> Result<(Vec<Lane>, usize), Wrong> {
    let mut lanes = Lanes::default();
    let mut fold = Fold::default();
    for step in &recording.steps {
        let applied = fold.apply(&step.event);
        applied.map_err(|why| Wrong { line: step.number, why })?;
        if !matches!(step.event, Event::State(_) | Event::Other) {
            lanes.add(&step.event, recording.has_tasks(), fold.running);
            lanes.columns += 1;
        }
    }
    let Lanes { mut lanes, columns } = lanes;
    lanes.values_mut().for_each(|lane| lane.change(columns, None));
    Ok((lanes.into_values().collect(), columns.max(1)))
}

#[derive(Default)]
struct Lanes {
    /// Those of tasks come first, by number; then those of system calls, by thread.
    lanes: BTreeMap<(bool, u64), Lane>,
    /// How many steps there were.
    columns: usize,
}

impl Lanes {
    fn add(&mut self, event: &Event, has_tasks: bool, running: Option<u64>) {
        match event {
            Event::Spawn { task, name } => self.task(*task, name, Some(Does::IsReady)),
            Event::Resume { task, .. } => self.task(*task, "", Some(Does::Runs)),
            Event::Yield(it) => self.task(it.task, "", Some(Does::Waits)),
            Event::Happened(it) if running == Some(it.task) => {} // and it goes on
            Event::Happened(Happened { task, .. }) | Event::Wake { task } => {
                self.task(*task, "", Some(Does::IsReady));
            }
            Event::Finish { task, .. } => self.task(*task, "", None),
            Event::Enter(call) => self.call(call, has_tasks, Some(Does::Sleeps)),
            Event::Leave(call) => {
                self.call(call, has_tasks, (!has_tasks).then_some(Does::Runs));
            }
            _ => {}
        }
    }

    fn task(&mut self, task: u64, name: &str, does: Option<Does>) {
        let name = format!("{task} {name}");
        let lane = self.lanes.entry((false, task));
        lane.or_insert_with(|| Lane::new(name, true)).change(self.columns, does);
    }

    fn call(&mut self, call: &Call, has_tasks: bool, does: Option<Does>) {
        let name = match call.th {
            Some(th) => format!("thread {th}"),
            None if has_tasks => call.call.clone(),
            None => "the thread".to_string(),
        };
        let lane = self.lanes.entry((true, call.th.unwrap_or(0)));
        lane.or_insert_with(|| Lane::new(name, false)).change(self.columns, does);
    }
}
