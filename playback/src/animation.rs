//! One line of a client on its way through the scheduler, as a picture that moves: what the
//! recording says, step by step, over and over.
//!
//! It is an SVG that an `<img>` can show: its colours follow the reader's scheme, and it stands
//! still for a reader who has asked for less motion.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::fold::Fold;
use crate::read::{Event, Recording, Wrong};
use crate::words::Words;

const SECONDS_A_STEP: f64 = 2.4;
/// The parts of a round, from left to right.
const ROUND: [&str; 4] = ["run the ready tasks", "select", "events happen", "timers"];
/// Which step is shown where nothing moves: the result is on the ready queue.
const STILL: usize = 3;

/// Where things are: the middle of a token.
type Place = (f64, f64);
const CLIENT: Place = (82.0, 120.0);
const KERNEL: Place = (82.0, 268.0);
const READ: Place = (262.0, 122.0);
const WRITE: Place = (262.0, 268.0);
const READY: Place = (460.0, 122.0);
const CALL: Place = (460.0, 268.0);
const RUNS: Place = (652.0, 122.0);
const LINES: Place = (52.0, 322.0);
const ROW: f64 = 32.0;
/// The bytes that a task has, or its event, stand to the right of it.
const BESIDE: f64 = 68.0;
/// The boxes: their corner, their size, and what is in them.
const BOXES: [(Place, Place, &str); 7] = [
    ((16.0, 72.0), (132.0, 76.0), "the client"),
    ((16.0, 220.0), (132.0, 76.0), "the kernel"),
    ((190.0, 72.0), (188.0, 136.0), "waiting to read"),
    ((190.0, 220.0), (188.0, 76.0), "waiting to write"),
    ((414.0, 72.0), (166.0, 76.0), "ready queue"),
    ((414.0, 220.0), (166.0, 76.0), "the system call"),
    ((606.0, 72.0), (178.0, 76.0), "the task runs"),
];

const STYLE: &str = "\
text { font: 15px system-ui, sans-serif; fill: var(--ink) }
.title { font-weight: 600 }
.code { font: 15px ui-monospace, monospace; white-space: pre }
.box { fill: none; stroke: var(--line) }
.token { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5 }
.bytes { fill: var(--lit); stroke: var(--ink) }
.lit { fill: var(--lit) }
svg { --ink: #1f2328; --paper: #ffffff; --line: #8c959f; --lit: #ffe08a }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6edf3; --paper: #0d1117; --line: #768390; --lit: #6b4f00 }
}
@media (prefers-reduced-motion: reduce) { * { animation: none !important } }
";

/// One step: where everything is, and what is said.
struct Frame {
    says: String,
    phase: usize,
    tasks: BTreeMap<u64, Place>,
    bytes: Place,
    /// The line of source at which the task is suspended, or was last.
    line: u32,
    /// Whether it stops there now, or goes on from there.
    is_there: bool,
}

/// The way of the first bytes that a client sends, from one wait to the wait after their answer.
///
/// # Errors
///
/// If the steps do not add up, or no bytes arrive.
pub fn svg(
    recording: &Recording,
    source: impl Fn(u32) -> String,
) -> Result<String, Wrong> {
    let way = Way::find(recording)
        .ok_or(Wrong { line: 1, why: "no client is answered in it".to_string() })?;
    let frames = way.frames(recording)?;
    let mut out = String::new();
    head(&mut out, &recording.header.stage, &frames);
    background(&mut out, &way, &frames);
    code(&mut out, way.task, &frames, source);
    for id in frames[0].tasks.keys() {
        let places: Vec<Place> = frames.iter().map(|it| it.tasks[id]).collect();
        token(&mut out, &format!("task {id}"), &places, "token");
    }
    let places: Vec<Place> = frames.iter().map(|it| it.bytes).collect();
    token(&mut out, &way.bytes, &places, "bytes");
    for frame in &frames {
        let text = format!("<text x=\"16\" y=\"414\">{}</text>", escape(&frame.says));
        let says: Vec<bool> = frames.iter().map(|it| std::ptr::eq(it, frame)).collect();
        during(&mut out, &says, &text);
    }
    out += "</svg>\n";
    Ok(out)
}

fn head(out: &mut String, stage: &str, frames: &[Frame]) {
    let says: Vec<&str> = frames.iter().map(|it| it.says.as_str()).collect();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 430\" role=\"img\" \
         aria-labelledby=\"title desc\">\n\
         <title id=\"title\">A line of a client goes through {stage}</title>\n\
         <desc id=\"desc\">A recording of a real run, step by step. {}</desc>\n\
         <style>\n{STYLE}</style>",
        escape(&says.join(" "))
    );
}

fn background(out: &mut String, way: &Way, frames: &[Frame]) {
    for (part, name) in ROUND.iter().enumerate() {
        let x = 16.0 + 200.0 * part as f64;
        let place = format!("x=\"{x}\" y=\"14\" width=\"168\" height=\"36\" rx=\"6\"");
        let now: Vec<bool> = frames.iter().map(|it| it.phase == part).collect();
        during(out, &now, &format!("<rect class=\"lit\" {place}/>"));
        let _ = writeln!(
            out,
            "<rect class=\"box\" {place}/>\n\
             <text x=\"{}\" y=\"37\" text-anchor=\"middle\">{name}</text>",
            x + 84.0
        );
        if part > 0 {
            let _ = writeln!(out, "<text x=\"{}\" y=\"37\">→</text>", x - 23.0);
        }
    }
    for ((x, y), (width, height), name) in BOXES {
        let _ = writeln!(
            out,
            "<rect class=\"box\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             rx=\"6\"/>\n<text class=\"title\" x=\"{}\" y=\"{}\">{name}</text>",
            x + 9.0,
            y + 21.0
        );
    }
    for (fds, (x, y)) in way.rows.iter().zip([READ, WRITE]) {
        for (row, fd) in fds.iter().enumerate() {
            let y = y + ROW * row as f64 + 5.0;
            let _ = writeln!(out, "<text x=\"{}\" y=\"{y}\">{fd}</text>", x - 62.0);
        }
    }
}

/// The lines at which the task stops, and where it is.
fn code(out: &mut String, task: u64, frames: &[Frame], source: impl Fn(u32) -> String) {
    let lines: BTreeSet<u32> = frames.iter().map(|it| it.line).collect();
    let (x, y) = LINES;
    let place =
        |line: u32| y + ROW * lines.iter().position(|it| *it == line).unwrap_or(0) as f64;
    for line in &lines {
        let y = place(*line);
        let lit = format!(
            "<rect class=\"lit\" x=\"16\" y=\"{}\" width=\"768\" height=\"28\" rx=\"6\"/>",
            y - 14.0
        );
        let now: Vec<bool> =
            frames.iter().map(|it| it.is_there && it.line == *line).collect();
        during(out, &now, &lit);
        let _ = writeln!(
            out,
            "<text class=\"code\" x=\"{}\" y=\"{}\">{line}  {}</text>",
            x + 44.0,
            y + 5.0,
            escape(&source(*line))
        );
    }
    let places: Vec<Place> = frames.iter().map(|it| (x, place(it.line))).collect();
    token(out, &format!("task {task}"), &places, "token");
}

/// What moves from place to place.
fn token(out: &mut String, text: &str, places: &[Place], class: &str) {
    let width = 18.0 + 7.2 * text.chars().count() as f64;
    let inside = format!(
        "<rect class=\"{class}\" x=\"{}\" y=\"-12\" width=\"{width}\" height=\"24\" rx=\"6\"/>\
         <text y=\"5\" text-anchor=\"middle\">{}</text>",
        -width / 2.0,
        escape(text)
    );
    let at = |(x, y): Place| format!("transform: translate({x}px, {y}px)");
    let states: Vec<String> = places.iter().map(|it| at(*it)).collect();
    animate(out, &states, "ease-in-out", &inside);
}

/// What is seen in these steps only.
fn during(out: &mut String, now: &[bool], inside: &str) {
    let states: Vec<String> =
        now.iter().map(|it| format!("opacity: {}", u8::from(*it))).collect();
    animate(out, &states, "step-end", inside);
}

/// A group that has another style in each step. What moves takes a third of the step for it.
fn animate(out: &mut String, states: &[String], how: &str, inside: &str) {
    let count = states.len() as f64;
    let percent = |step: f64| format!("{:.2}%", 100.0 * step / count);
    let still = &states[STILL.min(states.len() - 1)];
    if states.iter().all(|it| it == still) {
        let _ = writeln!(out, "<g style=\"{still}\">{inside}</g>");
        return;
    }
    let name = format!("m{}", out.len());
    let mut frames = format!("0% {{ {} }} ", states[0]);
    for (step, pair) in states.windows(2).enumerate().filter(|(_, it)| it[0] != it[1]) {
        let from = (step + 1) as f64;
        if how != "step-end" {
            let _ = write!(frames, "{} {{ {} }} ", percent(from), pair[0]);
        }
        let there = if how == "step-end" { from } else { from + 0.35 };
        let _ = write!(frames, "{} {{ {} }} ", percent(there), pair[1]);
    }
    let last = states.last().unwrap_or(still);
    let _ = writeln!(
        out,
        "<style>@keyframes {name} {{ {frames}100% {{ {last} }} }}</style>\n\
         <g style=\"{still}; animation: {name} {:.1}s {how} infinite\">{inside}</g>",
        SECONDS_A_STEP * count
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Which steps are shown, and of which task.
struct Way {
    task: u64,
    fd: i32,
    bytes: String,
    from: usize,
    to: usize,
    /// The descriptors of the two waiting tables, in their rows.
    rows: [Vec<i32>; 2],
}

impl Way {
    fn find(recording: &Recording) -> Option<Way> {
        let steps = &recording.steps;
        let (at, it) =
            steps.iter().enumerate().find_map(|(at, step)| match &step.event {
                Event::Happened(it) if it.op == "read" && it.len > Some(0) => {
                    Some((at, it))
                }
                _ => None,
            })?;
        let is_wait = |at: &usize| matches!(steps[*at].event, Event::Enter(_));
        let is_back = |at: &usize| match &steps[*at].event {
            Event::Yield(back) => back.task == it.task && back.want == "read",
            _ => false,
        };
        let from = (0..at).rev().find(is_wait)?;
        let back = (at..steps.len()).find(is_back)?;
        let to = (back..steps.len()).find(is_wait)?;
        let folds = recording.fold().ok()?;
        let fds = |table: fn(&Fold) -> &BTreeMap<i32, u64>| {
            let mut fds: Vec<i32> = folds[from..=to]
                .iter()
                .flat_map(|it| table(it).keys().copied())
                .collect();
            fds.sort_unstable();
            fds.dedup();
            fds
        };
        let rows = [fds(|it| &it.read), fds(|it| &it.write)];
        let data = it.data.as_deref().unwrap_or_default();
        let bytes = format!("\"{}\"", data.escape_debug());
        Some(Way { task: it.task, fd: it.fd?, bytes, from, to, rows })
    }

    fn frames(&self, recording: &Recording) -> Result<Vec<Frame>, Wrong> {
        let words = Words::of(recording);
        let mut fold = Fold::default();
        let mut frames: Vec<Frame> = vec![];
        let mut bytes_are = Bytes::AtTheClient;
        for (at, step) in recording.steps.iter().enumerate().take(self.to + 1) {
            let says = words.sentence(&step.event, &fold);
            let applied = fold.apply(&step.event);
            applied.map_err(|why| Wrong { line: step.number, why })?;
            let (true, Some(says)) = (at >= self.from, says) else { continue };
            bytes_are = bytes_are.after(&step.event, self);
            let phase = match &step.event {
                Event::Enter(_) | Event::Leave(_) => 1,
                Event::Call { .. } | Event::Happened(_) | Event::NotYet { .. } => 2,
                _ => 0,
            };
            let tasks = fold.tasks.keys().map(|id| (*id, self.place(&fold, *id, phase)));
            let tasks: BTreeMap<u64, Place> = tasks.collect();
            let (x, y) = tasks[&self.task];
            let bytes = match bytes_are {
                Bytes::AtTheClient => CLIENT,
                Bytes::InTheKernel => KERNEL,
                Bytes::WithTheTask => (x + BESIDE, y),
            };
            let line = fold.tasks[&self.task].at.as_ref().map_or(0, |(_, line)| *line);
            let is_there = matches!(step.event, Event::Resume { .. } | Event::Yield(_));
            frames.push(Frame { says, phase, tasks, bytes, line, is_there });
        }
        Ok(frames)
    }

    fn place(&self, fold: &Fold, task: u64, phase: usize) -> Place {
        let row = |(x, y): Place, row: usize| (x, y + ROW * row as f64);
        for ((table, fds), place) in
            [&fold.read, &fold.write].into_iter().zip(&self.rows).zip([READ, WRITE])
        {
            let fd = table.iter().find(|it| *it.1 == task).map(|it| *it.0);
            if let Some(at) = fds.iter().position(|it| Some(*it) == fd) {
                return row(place, at);
            }
        }
        match fold.ready.iter().position(|it| *it == task) {
            Some(at) => row(READY, at),
            None if phase == 2 => CALL,
            None => RUNS,
        }
    }
}

#[derive(Clone, Copy)]
enum Bytes {
    AtTheClient,
    InTheKernel,
    WithTheTask,
}

impl Bytes {
    fn after(self, event: &Event, way: &Way) -> Bytes {
        match event {
            Event::Leave(it) if it.r.as_ref().is_some_and(|r| r.contains(&way.fd)) => {
                Bytes::InTheKernel
            }
            Event::Happened(it) if it.task == way.task && it.op == "read" => {
                Bytes::WithTheTask
            }
            Event::Happened(it) if it.task == way.task && it.op == "write" => {
                Bytes::InTheKernel
            }
            // They are on their way when the send has happened.
            Event::Resume { task, .. } if *task == way.task => match self {
                Bytes::InTheKernel => Bytes::AtTheClient,
                other => other,
            },
            _ => self,
        }
    }
}
