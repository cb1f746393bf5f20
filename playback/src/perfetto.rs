//! A recording in the format of Chrome's tracing, which <https://ui.perfetto.dev> opens.
//!
//! Each task is a thread there, which runs, waits or is ready; the poller is thread 0. Counters
//! show the three queues, and an arrow leads from what has happened to the task that is resumed
//! with it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fold::Fold;
use crate::read::{Call, Event, Recording, Wrong};

/// The one process.
const PID: u64 = 1;

/// The thread that asks the system.
const POLLER: u64 = 0;

/// In the name of what the poller does for a task: it takes no time.
const FOR: &str = " for task ";

/// The recording as one JSON object.
///
/// # Errors
///
/// If the steps do not add up.
pub fn export(recording: &Recording) -> Result<Value, Wrong> {
    let mut export = Export::default();
    export.name("process_name", POLLER, &recording.header.stage);
    let mut fold = Fold::new(&recording.header);
    for step in &recording.steps {
        export.step = step.number;
        export.ts = step.t as f64 / 1000.0; // microseconds
        let applied = fold.apply(&step.event);
        applied.map_err(|why| Wrong { line: step.number, why })?;
        export.add(&step.event, fold.running);
        if !fold.tasks.is_empty() {
            export.count(&fold);
        }
    }
    export.close_all();
    Ok(json!({ "displayTimeUnit": "ns", "traceEvents": export.events }))
}

#[derive(Default)]
struct Export {
    events: Vec<Value>,
    step: usize,
    ts: f64,
    /// The slices that have begun and not ended, by thread.
    open: BTreeMap<u64, String>,
    /// The results on the ready queue, by task: the number of their arrow, and its start.
    results: BTreeMap<u64, Value>,
    arrows: u64,
    /// The queues as they were counted last.
    counted: Option<[usize; 3]>,
}

impl Export {
    fn add(&mut self, event: &Event, running: Option<u64>) {
        if self.open.get(&POLLER).is_some_and(|it| it.contains(FOR)) {
            self.end(POLLER);
        }
        match event {
            Event::Spawn { task, name } => {
                self.name("thread_name", POLLER, "poller");
                self.name("thread_name", *task, &format!("task {task} {name}"));
                self.begin(*task, "ready");
            }
            Event::Resume { task, .. } => {
                self.begin(*task, "run");
                if let Some(start) = self.results.remove(task) {
                    let end = json!({
                        "ph": "f", "bp": "e", "name": "result", "cat": "result",
                        "id": start["id"], "pid": PID, "tid": task, "ts": self.ts,
                        "args": { "step": self.step },
                    });
                    self.events.extend([start, end]);
                }
            }
            Event::Yield(it) => {
                let fd = it.fd.map_or(String::new(), |fd| format!(" {fd}"));
                self.begin(it.task, &format!("wants {}{fd}", it.want));
            }
            Event::Park { also: true, .. } => {}
            Event::Park { task, on, fd, .. } => {
                let fd = fd.map_or(String::new(), |fd| format!(" {fd}"));
                self.begin(*task, &format!("waits: {on}{fd}"));
            }
            Event::Happened(it) if running == Some(it.task) => {
                let fd = it.fd.map_or(String::new(), |fd| format!(" {fd}"));
                self.push("i", it.task, &format!("{}{fd}", it.op)); // the task itself does it
            }
            Event::Happened(it) => {
                self.becomes_ready(it.task, &format!("happen: {}", it.op));
            }
            Event::Wake { task } => self.becomes_ready(*task, "wake"),
            Event::Finish { task, .. } => {
                self.results.remove(task);
                self.end(*task);
            }
            Event::Enter(call) => self.begin(thread(call), &title(call)),
            Event::Leave(call) => self.end(thread(call)),
            _ => {}
        }
    }

    /// What the poller does is why the task will be resumed.
    fn becomes_ready(&mut self, task: u64, why: &str) {
        self.begin(POLLER, &format!("{why}{FOR}{task}"));
        self.arrows += 1;
        let start = json!({
            "ph": "s", "name": "result", "cat": "result", "id": self.arrows,
            "pid": PID, "tid": POLLER, "ts": self.ts,
            "args": { "step": self.step },
        });
        self.results.insert(task, start);
        self.begin(task, "ready");
    }

    /// From now on, this is what the thread does.
    fn begin(&mut self, tid: u64, name: &str) {
        self.end(tid);
        self.open.insert(tid, name.to_string());
        self.push("B", tid, name);
    }

    fn end(&mut self, tid: u64) {
        if let Some(name) = self.open.remove(&tid) {
            self.push("E", tid, &name);
        }
    }

    fn close_all(&mut self) {
        let tids: Vec<u64> = self.open.keys().copied().collect();
        tids.into_iter().for_each(|tid| self.end(tid));
    }

    fn push(&mut self, ph: &str, tid: u64, name: &str) {
        self.events.push(json!({
            "ph": ph, "name": name, "cat": "bricks", "pid": PID, "tid": tid,
            "ts": self.ts, "args": { "step": self.step },
        }));
    }

    fn name(&mut self, what: &str, tid: u64, name: &str) {
        let event = json!({
            "ph": "M", "name": what, "pid": PID, "tid": tid, "args": { "name": name },
        });
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    fn count(&mut self, fold: &Fold) {
        let counts = [fold.ready.len(), fold.read.len(), fold.write.len()];
        if self.counted == Some(counts) {
            return;
        }
        self.counted = Some(counts);
        for (name, count) in
            ["ready", "read-waiting", "write-waiting"].into_iter().zip(counts)
        {
            self.events.push(json!({
                "ph": "C", "name": name, "pid": PID, "tid": POLLER, "ts": self.ts,
                "args": { "tasks": count },
            }));
        }
    }
}

/// Where there are no tasks, threads make the calls.
fn thread(call: &Call) -> u64 {
    call.th.unwrap_or(POLLER)
}

fn title(call: &Call) -> String {
    let fd = call.fd.map_or(String::new(), |fd| format!(" {fd}"));
    format!("{}{fd}", call.call)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tasks, of which one still waits for its turn when the recording ends.
    const RECORDING: &str = r#"{"t":0,"e":"trace","v":1,"stage":"s","src":"s.rs","sha":"1"}
{"t":1000,"e":"spawn","task":1,"name":"one"}
{"t":2000,"e":"spawn","task":2,"name":"two"}
{"t":3000,"e":"resume","task":1,"with":null}
{"t":4000,"e":"yield","task":1,"want":"read","fd":5,"line":7}
{"t":5000,"e":"park","task":1,"on":"read","fd":5}
{"t":6000,"e":"enter","call":"select","r":[5],"w":[],"timeout":0}
{"t":7000,"e":"leave","call":"select","r":[5],"w":[]}
{"t":8000,"e":"happened","task":1,"op":"read","fd":5,"len":1,"data":"x"}
{"t":8000,"e":"resume","task":2,"with":null}
{"t":9000,"e":"finish","task":2}
{"t":9500,"e":"resume","task":1,"with":1}
{"t":9600,"e":"yield","task":1,"want":"read","fd":5,"line":7}
{"t":9700,"e":"happened","task":1,"op":"read","fd":5,"len":1,"data":"y"}
"#;

    fn events(recording: &str) -> Vec<Value> {
        let exported = export(&Recording::read(recording).unwrap()).unwrap();
        exported["traceEvents"].as_array().unwrap().clone()
    }

    /// What a viewer relies on.
    fn assert_well_formed(events: &[Value]) {
        let mut open: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
        let mut flows = BTreeMap::new();
        let mut last = 0.0;
        for event in events {
            let (ph, tid) =
                (event["ph"].as_str().unwrap(), event["tid"].as_u64().unwrap());
            assert_eq!(event["pid"], PID);
            if let ("B" | "E" | "C", Some(ts)) = (ph, event["ts"].as_f64()) {
                assert!(ts >= last, "{event} comes after {last}");
                last = ts;
            }
            match ph {
                "B" => open.entry(tid).or_default().push(&event["name"]),
                "E" => {
                    let name = open.get_mut(&tid).and_then(Vec::pop);
                    assert_eq!(name, Some(&event["name"]), "{event} ends something else");
                }
                "s" => assert!(
                    flows.insert(event["id"].as_u64().unwrap(), false).is_none(),
                    "{event}"
                ),
                "f" => {
                    let ended = flows
                        .get_mut(&event["id"].as_u64().unwrap())
                        .expect("it has a start");
                    assert!(!*ended, "{event} ends it again");
                    *ended = true;
                }
                "C" => assert!(event["args"]["tasks"].is_u64()),
                "M" => assert!(event["args"]["name"].is_string()),
                other => panic!("what is {other}?"),
            }
            assert!(ph == "M" || ph == "C" || event["args"]["step"].is_u64(), "{event}");
        }
        assert!(open.values().all(Vec::is_empty), "{open:?} have not ended");
        assert!(flows.values().all(|ended| *ended), "{flows:?}");
    }

    #[test]
    fn the_export_is_well_formed() {
        let events = events(RECORDING);
        assert_well_formed(&events);
        let count = |ph: &str| events.iter().filter(|it| it["ph"] == ph).count();
        assert_eq!((count("s"), count("f")), (1, 1));
        assert!(count("B") > 8);
        assert_eq!(count("B"), count("E"));
    }

    #[test]
    fn the_books_recordings_are_exported_well() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../chapters/traces");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "jsonl") {
                assert_well_formed(&events(&std::fs::read_to_string(path).unwrap()));
                count += 1;
            }
        }
        assert!(count > 0, "no recording was found");
    }
}
