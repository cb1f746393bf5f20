//! A recording in the format of Chrome's tracing, which <https://ui.perfetto.dev> opens.
//!
//! Each task is a thread there, which runs, waits or is ready; the poller is thread 0. Counters
//! show the three queues, and an arrow leads from what has happened to the task that is resumed
//! with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fold::Fold;
use crate::read::{Call, Event, Recording, Wrong};

/// The one process.
const PID: u64 = 1;

/// The thread that asks the system.
const POLLER: u64 = 0;

/// In the name of what the poller does for a task.
const FOR: &str = " for task ";

/// The recording as one JSON object.
///
/// # Errors
///
/// If the steps do not add up.
pub fn export(recording: &Recording) -> Result<Value, Wrong> {
    let mut export = Export::default();
    export.name("process_name", POLLER, &recording.header.stage);
    if recording.has_tasks() {
        export.name("thread_name", POLLER, "poller");
    }
    let mut fold = Fold::default();
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
    /// The tasks on the ready queue: the number of the arrow that leads to their next turn.
    results: BTreeMap<u64, u64>,
    arrows: u64,
    /// The queues as they were counted last.
    counted: Option<[usize; 3]>,
}

impl Export {
    fn add(&mut self, event: &Event, running: Option<u64>) {
        // Who has come or gone is reported in the middle of a call.
        let is_between = matches!(event, Event::Accept { .. } | Event::Close { .. });
        if !is_between && self.open.get(&POLLER).is_some_and(|it| it.contains(FOR)) {
            self.end(POLLER);
        }
        match event {
            Event::Spawn { task, name } => {
                self.name("thread_name", *task, &format!("task {task} {name}"));
                self.begin(*task, "ready");
            }
            Event::Resume { task, .. } => {
                self.begin(*task, "run");
                if let Some(arrow) = self.results.remove(task) {
                    self.arrow("f", *task, arrow);
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
            Event::Call { task, call } if running == Some(*task) => {
                self.instant(*task, &title(call)); // the task itself makes it
            }
            Event::Call { task, call } => {
                self.begin(POLLER, &format!("{}{FOR}{task}", title(call)));
            }
            Event::Happened(it) if running == Some(it.task) => {
                let fd = it.fd.map_or(String::new(), |fd| format!(" {fd}"));
                self.instant(it.task, &format!("{}{fd}", it.op));
            }
            Event::Happened(it) => {
                self.becomes_ready(it.task, &format!("happen: {}", it.op));
            }
            Event::Wake { task } => self.becomes_ready(*task, "wake"),
            Event::Finish { task, .. } => self.end(*task),
            Event::Enter(call) => self.begin(thread(call), &title(call)),
            Event::Leave(call) => self.end(thread(call)),
            _ => {}
        }
    }

    /// What the poller does is why the task will be resumed.
    fn becomes_ready(&mut self, task: u64, why: &str) {
        self.begin(POLLER, &format!("{why}{FOR}{task}"));
        self.arrows += 1;
        self.arrow("s", POLLER, self.arrows);
        self.results.insert(task, self.arrows);
        self.begin(task, "ready");
    }

    /// An end of an arrow. A viewer ties it to the slice that is open at that place among the
    /// events; those of the same time it takes in the order of the file.
    fn arrow(&mut self, ph: &str, tid: u64, number: u64) {
        self.events.push(json!({
            "ph": ph, "bp": "e", "name": "result", "cat": "result", "id": number,
            "pid": PID, "tid": tid, "ts": self.ts, "args": { "step": self.step },
        }));
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
        // Who had no turn any more has no end of an arrow.
        let ends = self.events.iter().filter(|it| it["ph"] == "f");
        let ends: BTreeSet<u64> = ends.filter_map(|it| it["id"].as_u64()).collect();
        let leads_nowhere = |it: &Value| {
            it["ph"] == "s" && it["id"].as_u64().is_some_and(|id| !ends.contains(&id))
        };
        self.events.retain(|it| !leads_nowhere(it));
    }

    fn push(&mut self, ph: &str, tid: u64, name: &str) {
        self.events.push(json!({
            "ph": ph, "name": name, "cat": "bricks", "pid": PID, "tid": tid,
            "ts": self.ts, "args": { "step": self.step },
        }));
    }

    fn instant(&mut self, tid: u64, name: &str) {
        self.events.push(json!({
            "ph": "i", "s": "t", "name": name, "cat": "bricks", "pid": PID, "tid": tid,
            "ts": self.ts, "args": { "step": self.step },
        }));
    }

    fn name(&mut self, what: &str, tid: u64, name: &str) {
        let event = json!({
            "ph": "M", "name": what, "pid": PID, "tid": tid, "args": { "name": name },
        });
        self.events.push(event);
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
    const RECORDING: &str = r#"{"t":0,"e":"trace","v":2,"stage":"s","src":"s.rs","sha":"1"}
{"t":1000,"e":"spawn","task":1,"name":"one"}
{"t":2000,"e":"spawn","task":2,"name":"two"}
{"t":3000,"e":"resume","task":1,"with":null}
{"t":4000,"e":"yield","task":1,"want":"read","fd":5,"line":7}
{"t":5000,"e":"park","task":1,"on":"read","fd":5}
{"t":6000,"e":"enter","call":"select","r":[5],"w":[],"timeout":0}
{"t":7000,"e":"leave","call":"select","r":[5],"w":[]}
{"t":7100,"e":"call","task":1,"call":"recv","fd":5}
{"t":8000,"e":"happened","task":1,"op":"read","fd":5,"len":1,"data":"x"}
{"t":8000,"e":"resume","task":2,"with":null}
{"t":9000,"e":"finish","task":2}
{"t":9500,"e":"resume","task":1,"with":1}
{"t":9600,"e":"yield","task":1,"want":"read","fd":5,"line":7}
{"t":9650,"e":"call","task":1,"call":"recv","fd":5}
{"t":9660,"e":"not_yet","task":1}
{"t":9670,"e":"park","task":1,"on":"read","fd":5}
{"t":9680,"e":"call","task":1,"call":"recv","fd":5}
{"t":9700,"e":"happened","task":1,"op":"read","fd":5,"len":1,"data":"y"}
"#;

    fn events(recording: &str) -> Vec<Value> {
        let exported = export(&Recording::read(recording).unwrap()).unwrap();
        assert_eq!(exported["displayTimeUnit"], "ns");
        exported["traceEvents"].as_array().unwrap().clone()
    }

    /// What Chrome's "Trace Event Format" says of each kind of event that is used here.
    fn assert_documented(event: &Value) {
        let is_one_of = |field: &str, these: &[&str]| {
            event[field].as_str().is_some_and(|it| these.contains(&it))
        };
        assert!(is_one_of("ph", &["B", "E", "C", "M", "i", "s", "f"]), "{event}");
        assert!(event["name"].is_string() && event["args"].is_object(), "{event}");
        assert!(event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        let ph = event["ph"].as_str().unwrap();
        assert_eq!(
            event["ts"].is_f64(),
            ph != "M",
            "{event}: it has a time, or is a name"
        );
        match ph {
            "s" => assert!(event["id"].is_u64() && event["cat"].is_string()),
            "f" => assert!(event["id"].is_u64() && event["bp"] == "e"),
            "i" => assert!(is_one_of("s", &["t", "p", "g"]), "{event}"),
            "C" => {
                let counts = event["args"].as_object().unwrap();
                assert!(counts.values().all(Value::is_number), "{event}");
            }
            "M" => {
                assert!(is_one_of("name", &["process_name", "thread_name"]), "{event}");
                assert!(event["args"]["name"].is_string(), "{event}");
            }
            _ => {}
        }
    }

    /// What Perfetto makes of the arrows. It sorts the events by time, and leaves those of the
    /// same time in their order; then each end of an arrow must be in a slice of its thread.
    fn assert_arrows_are_tied(events: &[Value]) {
        let mut events: Vec<&Value> =
            events.iter().filter(|it| it["ph"] != "M").collect();
        events.sort_by(|a, b| a["ts"].as_f64().partial_cmp(&b["ts"].as_f64()).unwrap());
        let mut open: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for event in events {
            let slices = open.entry(event["tid"].as_u64().unwrap()).or_default();
            let name = event["name"].as_str().unwrap();
            match event["ph"].as_str().unwrap() {
                "B" => slices.push(name),
                "E" => assert_eq!(slices.pop(), Some(name)),
                "s" => {
                    assert!(slices.last().is_some_and(|it| it.contains(FOR)), "{event}")
                }
                "f" => assert_eq!(slices.last(), Some(&"run"), "{event}"),
                _ => {}
            }
        }
    }

    /// What a viewer relies on.
    fn assert_well_formed(events: &[Value]) {
        events.iter().for_each(assert_documented);
        assert_arrows_are_tied(events);
        let names = events.iter().filter(|it| it["name"] == "thread_name");
        let named: Vec<&Value> = names.map(|it| &it["tid"]).collect();
        let mut tasks = events.iter().filter(|it| it["ph"] == "B" && it["name"] == "run");
        assert!(tasks.all(|it| named.contains(&&it["tid"])), "tasks have names");
        let mut open: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
        let mut flows = BTreeMap::new();
        let mut last = 0.0;
        for event in events {
            let (ph, tid) =
                (event["ph"].as_str().unwrap(), event["tid"].as_u64().unwrap());
            assert_eq!(event["pid"], PID);
            if let Some(ts) = event["ts"].as_f64() {
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
                "M" | "i" => {}
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
        let calls = events.iter().filter(|it| it["name"] == "recv 5 for task 1");
        let calls: Vec<_> =
            calls.map(|it| (it["ph"].clone(), it["ts"].clone())).collect();
        assert_eq!(
            json!(calls),
            json!([
                ["B", 7.1],
                ["E", 8.0],
                ["B", 9.65],
                ["E", 9.66],
                ["B", 9.68],
                ["E", 9.7]
            ]),
            "from the call to what came of it"
        );
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
