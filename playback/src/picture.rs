//! A recording as a timeline: a lane for each task (or each thread, where there are no tasks),
//! from left to right a column for each step. Time is not to scale, because nearly all of it is
//! spent asleep.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::fold::Fold;
use crate::read::{Event, Recording, Wrong};

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
    /// From which step on it does what, until which.
    parts: Vec<(usize, usize, Does)>,
    now: Option<(usize, Does)>,
}

impl Lane {
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
    let has_tasks =
        recording.steps.iter().any(|it| matches!(it.event, Event::Spawn { .. }));
    let who = if has_tasks { "task" } else { "thread" };
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg role=\"img\" aria-labelledby=\"{name}-title {name}-desc\" \
         viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" \
         font-size=\"13\" fill=\"currentColor\" stroke=\"none\">\n\
         <title id=\"{name}-title\">A recording of {stage}, from left to right</title>\n\
         <desc id=\"{name}-desc\">A lane for each {who}, a column for each of {columns} steps. {}</desc>",
        describe(&lanes, has_tasks)
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
fn describe(lanes: &[Lane], has_tasks: bool) -> String {
    let count = |lane: &Lane, does| lane.parts.iter().filter(|it| it.2 == does).count();
    let times = |count| match count {
        1 => "once".to_string(),
        2 => "twice".to_string(),
        count => format!("{count} times"),
    };
    let sentence = |lane: &Lane| match has_tasks && lane.name.starts_with("task") {
        true => format!("{} runs {}.", lane.name, times(count(lane, Does::Runs))),
        false => format!("{} sleeps {}.", lane.name, times(count(lane, Does::Sleeps))),
    };
    lanes.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

fn lanes(recording: &Recording) -> Result<(Vec<Lane>, usize), Wrong> {
    /// The lane of calls, where they are the scheduler's.
    const SCHEDULER: (u8, u64) = (1, 0);
    let mut lanes: BTreeMap<(u8, u64), Lane> = BTreeMap::new();
    let mut fold = Fold::new(&recording.header);
    let mut column = 0;
    for step in &recording.steps {
        let applied = fold.apply(&step.event);
        applied.map_err(|why| Wrong { line: step.number, why })?;
        let mut set = |key, name: &dyn Fn() -> String, now| {
            let new = || Lane { name: name(), parts: vec![], now: None };
            lanes.entry(key).or_insert_with(new).change(column, now);
        };
        let (task, now) = match &step.event {
            Event::Spawn { task, name } => {
                set((0, *task), &|| format!("{task} {name}"), Some(Does::IsReady));
                (None, None)
            }
            Event::Resume { task, .. } => (Some(*task), Some(Does::Runs)),
            Event::Yield(it) => (Some(it.task), Some(Does::Waits)),
            Event::Happened(it) => (Some(it.task), Some(Does::IsReady)),
            Event::Finish { task, .. } => (Some(*task), None),
            Event::Enter(call) | Event::Leave(call) => {
                let name = match call.th {
                    Some(th) => format!("thread {th}"),
                    None if fold.tasks.is_empty() => "the thread".to_string(),
                    None => call.call.clone(),
                };
                let key = call.th.map_or(SCHEDULER, |th| (0, th));
                let is_enter = matches!(step.event, Event::Enter(_));
                let after = (fold.tasks.is_empty()).then_some(Does::Runs);
                set(
                    key,
                    &|| name.clone(),
                    if is_enter { Some(Does::Sleeps) } else { after },
                );
                (None, None)
            }
            Event::State(_) | Event::Other => continue,
            _ => (None, None),
        };
        if let Some(lane) = task.and_then(|task| lanes.get_mut(&(0, task))) {
            lane.change(column, now);
        }
        column += 1;
    }
    lanes.values_mut().for_each(|lane| lane.change(column, None));
    Ok((lanes.into_values().collect(), column.max(1)))
}
