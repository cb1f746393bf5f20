//! Whatever a scheduler does, its recording tells where all its tasks are: for random runs, the
//! steps lead to the scheduler's own state before each wait.

mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use std::{mem, thread};

use bricks::executor::both::join;
use bricks::executor::{Executor, Handle, ReadBuffer, Stream};
use bricks::net::{Direction, Socket};
use bricks::recording::{Recording, Sink};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::sleep;
use bricks::scheduler::task::{Co, Coroutine, Task};
use bricks::trace::{On, Outcome, State, Step, Trace, Want};
use playback::fold::Fold;
use playback::perfetto;
use playback::read;
use playback::text;
use proptest::prelude::*;
use serde_json::Value;

use support::scripted::{Client, Random};

/// Records a state before every wait.
struct Every(Recording);

impl Trace for Every {
    fn record(&mut self, step: Step<'_>) {
        self.0.record(step);
    }

    fn wants_state(&self) -> bool {
        true
    }
}

/// Keeps the lines in memory.
#[derive(Clone, Default)]
struct Lines(Rc<RefCell<String>>);

impl Sink for Lines {
    fn write(&mut self, lines: String) -> bool {
        self.0.borrow_mut().push_str(&lines);
        true
    }
}

fn recording_in(lines: &Lines) -> Option<Box<dyn Trace>> {
    let source = (file!(), include_str!("fold.rs"));
    Some(Box::new(Every(Recording::new("fold", source, lines.clone()))))
}

fn echo_task(client: Socket) -> impl Task {
    Coroutine::new(async move |co: Co| {
        loop {
            let bytes = co.yield_(client.recv()).await.unwrap();
            if bytes.is_empty() {
                break;
            }
            co.yield_(client.send(bytes)).await.unwrap();
        }
        co.yield_(sleep(Duration::from_micros(50))).await;
        co.yield_(client.close()).await;
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn the_steps_lead_to_the_schedulers_own_state(
        seed in any::<u64>(),
        try_first in any::<bool>(),
        stop_early in any::<bool>(),
        sizes in prop::collection::vec(0..100_000_usize, 1..6),
    ) {
        let lines = Lines::default();
        let clients = Rc::new(RefCell::new(vec![]));
        let poller = Random::new(seed, try_first, Rc::clone(&clients));
        let mut scheduler = Scheduler::new(poller, recording_in(&lines));
        for (i, size) in (0..).zip(&sizes) {
            let (ours, theirs) = UnixStream::pair().unwrap();
            clients.borrow_mut().push(Client::new(theirs, *size, seed ^ i));
            scheduler.submit_task(echo_task(Socket::new(ours).unwrap()));
        }
        if stop_early {
            scheduler.handle().stop();
        }
        scheduler.run().unwrap();
        drop(scheduler);
        let waits = assert_adds_up(&lines)?;
        prop_assert!(waits > 0 || stop_early);
    }

    #[test]
    fn the_steps_lead_to_the_executors_own_state(
        seed in any::<u64>(),
        try_first in any::<bool>(),
        stop_early in any::<bool>(),
        tasks in prop::collection::vec((0..100_000_usize, 0..6_usize), 1..6),
    ) {
        let lines = Lines::default();
        let clients = Rc::new(RefCell::new(vec![]));
        let poller = Random::new(seed, try_first, Rc::clone(&clients));
        let mut executor = Executor::new(poller, recording_in(&lines)).unwrap();
        let handle = executor.handle();
        for (i, (size, manner)) in (0..).zip(&tasks) {
            let (ours, theirs) = UnixStream::pair().unwrap();
            clients.borrow_mut().push(Client::new(theirs, *size, seed ^ i));
            let stream = Stream::new(Socket::new(ours).unwrap(), &handle);
            handle.spawn(echo_future(stream, executor.handle(), *manner));
        }
        if stop_early {
            handle.stop();
        }
        executor.run().unwrap();
        drop((executor, handle)); // the recording ends with the last of them
        prop_assert!(assert_adds_up(&lines)? > 0);
    }
}

/// An echo, with something more: it does that in its own manner.
async fn echo_future(client: Stream, executor: Handle, manner: usize) {
    let mut buffer = ReadBuffer::new();
    loop {
        let read = client.read(&mut buffer);
        let soon = Duration::from_micros(30);
        let count = match manner {
            // It waits for two things, gives up one of them, and waits for something else.
            0 => match executor.timeout(soon, read).await {
                Ok(count) => count.unwrap(),
                Err(_) => {
                    executor.sleep(soon).await;
                    continue;
                }
            },
            // It waits for three things, two of the same kind, to the end of all.
            1 => {
                let sleeps = join(executor.sleep(soon), executor.sleep(2 * soon));
                join(read, sleeps).await.0.unwrap()
            }
            _ => read.await.unwrap(),
        };
        if count == 0 {
            break;
        }
        client.write_all(&buffer[..count]).await.unwrap();
        buffer.adapt_to(count);
    }
    match manner {
        // It waits for another task, which another thread wakes.
        2 => {
            let (sender, receiver) = async_channel::bounded(1);
            thread::spawn(move || sender.send_blocking(()));
            executor.spawn(async move { receiver.recv().await.unwrap() }).await.unwrap();
        }
        3 => executor.sleep(Duration::from_micros(50)).await,
        // It is woken, and does not wait for that.
        4 => {
            let mut is_first = true;
            poll_fn(|context| {
                context.waker().wake_by_ref();
                if mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
        }
        _ => {}
    }
    client.close().await;
}

/// The steps lead to each state, and whoever shows the recording finds nothing to complain of.
/// How many waits there were.
fn assert_adds_up(lines: &Lines) -> Result<usize, TestCaseError> {
    let recording = read::Recording::read(&lines.0.borrow()).unwrap();
    prop_assert!(!recording.cut_off);
    let mut fold = Fold::default();
    let mut waits = 0;
    for step in &recording.steps {
        let applied = fold.apply(&step.event);
        prop_assert!(applied.is_ok(), "line {}: {:?}", step.number, applied);
        waits += usize::from(matches!(step.event, read::Event::Enter(_)));
    }
    prop_assert!(fold.tasks.is_empty(), "all have finished");
    prop_assert_eq!(fold.verified, waits);
    prop_assert!(text::table(&recording).is_ok());
    prop_assert!(perfetto::export(&recording).is_ok());
    Ok(waits)
}

const HEADER: &str = r#"{"t":0,"e":"trace","v":2,"stage":"s","src":"s.rs","sha":"0"}"#;

/// What is wrong with a recording whose steps are these.
fn wrong(steps: &[&str]) -> String {
    let steps = steps.iter().map(|step| format!("{{\"t\":1,{step}}}"));
    let lines: Vec<String> = [HEADER.to_string()].into_iter().chain(steps).collect();
    let recording = match read::Recording::read(&lines.join("\n")) {
        Ok(recording) => recording,
        Err(error) => return error.to_string(),
    };
    match text::table(&recording) {
        Ok(table) => table,
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_recording_that_does_not_add_up_is_found_out() {
    const SPAWN: &str = r#""e":"spawn","task":1,"name":"one""#;
    const RESUME: &str = r#""e":"resume","task":1,"with":null"#;
    const YIELD: &str = r#""e":"yield","task":1,"want":"read","fd":5,"line":7"#;
    const PARK: &str = r#""e":"park","task":1,"on":"read","fd":5"#;
    const CALL: &str = r#""e":"call","task":1,"call":"recv","fd":5"#;
    const NOT_YET: &str = r#""e":"not_yet","task":1"#;
    const HAPPENED: &str = r#""e":"happened","task":1,"op":"read","fd":5,"len":0"#;
    const STATE: &str = r#""e":"state","running":1,"ready":[],"read":[[5,1]],"write":[]"#;
    let again = [CALL, NOT_YET, PARK, STATE, CALL, HAPPENED];
    let right = wrong(&[&[SPAWN, RESUME, YIELD, PARK, STATE][..], &again].concat());
    assert!(right.contains("agree with 2 checkpoints"), "{right}");
    for (steps, expected) in [
        (&[RESUME][..], "line 2: task 1 is resumed, but nobody is at the front"),
        (&[SPAWN, YIELD], "line 3: task 1 yields, but it was not running"),
        (&[SPAWN, SPAWN], "line 3: there is a task 1 already"),
        (&[PARK], "line 2: there is no task 1"),
        (&[SPAWN, RESUME, YIELD, STATE], "line 5: the steps lead to"),
        (&[SPAWN, STATE], "line 3: the steps lead to"),
        (&[SPAWN, RESUME, YIELD, PARK, NOT_YET], "line 6: no call was made for task 1"),
        (&[SPAWN, RESUME, YIELD, PARK, CALL, STATE], "line 7: the steps lead to"),
        (&[SPAWN, RESUME, YIELD, PARK, CALL, RESUME], "line 7: task 1 is resumed, but"),
        (&[r#""e":"spawn","task":"x""#], "line 2: no step: "),
    ] {
        let why = wrong(steps);
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    let why = |text: &str| read::Recording::read(text).unwrap_err().to_string();
    assert!(why("").contains("the file is empty"));
    assert!(
        why("listening on 127.0.0.1:8000\n").starts_with("line 1: this is no recording")
    );
    assert_eq!(
        why(&HEADER.replace("\"v\":2", "\"v\":1")),
        "line 1: this is a recording in version 1 of the format, not 2: record it again \
         with --trace, by a server of this version of the repository"
    );
    // A live recording may end in the middle of a line; no other line may.
    let cut = format!("{HEADER}\n{{\"t\":1,\"e\":\"st");
    assert!(read::Recording::read(&cut).unwrap().cut_off);
    assert!(why(&format!("{cut}\n{HEADER}")).starts_with("line 2: no step"));
}

/// Every kind of step, with all that it can have, is the line that the book's page says.
#[test]
fn each_step_is_the_line_that_the_page_lists() {
    let lines = Lines::default();
    let source = ("a.rs", "");
    let mut recording = Recording::new("s", source, lines.clone());
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (socket, client) = (Socket::new(ours).unwrap(), Socket::new(theirs).unwrap());
    let on = || Some(socket.descriptor());
    let here = Location::caller();
    let at = Some(here);
    let peer = "127.0.0.1:50001".parse().unwrap();
    let accepted = || Outcome::Accepted { client: client.descriptor(), peer };
    let (nothing, bytes) = (&[][..], &b"hi\n"[..]);
    let task = 1;
    let state = State {
        running: 9,
        ready: vec![3, 2],
        read: vec![(5, 4), (6, 5)],
        write: vec![(5, 6)],
        timer: vec![8, 7],
        kernel: vec![9],
    };
    for step in [
        Step::Spawn { task, name: "one" },
        Step::Resume { task, with: Outcome::Nothing },
        Step::Yield { task, want: Want::Accept, on: on(), bytes: nothing, at },
        Step::Park { task, on: On::Read(3), also: false },
        Step::Call { task, want: Want::Accept, on: on(), bytes: nothing, at: None },
        Step::Happened { task, result: accepted(), at: None },
        Step::Resume { task, with: accepted() },
        Step::Yield { task, want: Want::Write, on: on(), bytes, at: None },
        Step::Call { task, want: Want::Write, on: on(), bytes, at },
        Step::NotYet { task, left: Some(2) },
        Step::Park { task, on: On::Write(3), also: true },
        Step::Happened { task, result: Outcome::Sent(3), at },
        Step::Resume { task, with: Outcome::Sent(3) },
        Step::Yield { task, want: Want::Read, on: on(), bytes: nothing, at: None },
        Step::Park { task, on: On::Kernel, also: false },
        Step::Happened { task, result: Outcome::Received(b"<{&\"\xff"), at: None },
        Step::Resume { task, with: Outcome::Received(b"12345") },
        Step::Yield { task, want: Want::Sleep, on: None, bytes: nothing, at: None },
        Step::Park { task, on: On::Timer, also: false },
        Step::Wake { task },
        Step::Yield { task, want: Want::Close, on: on(), bytes: nothing, at: None },
        Step::Call { task, want: Want::Close, on: on(), bytes: nothing, at: None },
        Step::NotYet { task, left: None },
        Step::Happened { task, result: Outcome::Failed(ErrorKind::TimedOut), at: None },
        Step::Resume { task, with: Outcome::Failed(ErrorKind::TimedOut) },
        Step::Finish { task, panicked: true },
        Step::Stop,
        Step::State(&state),
        Step::Enter {
            call: "select",
            asked: Some(vec![(3, Direction::Read), (4, Direction::Write)]),
            timeout: Some(Duration::from_nanos(7)),
        },
        Step::Leave { call: "select", ready: Some(&[(4, Direction::Write)]) },
        Step::Enter { call: "io_uring_enter", asked: None, timeout: None },
        Step::Leave { call: "io_uring_enter", ready: None },
    ] {
        recording.record(step);
    }
    let (fd, new) = (socket.as_raw_fd(), client.as_raw_fd());
    drop((socket, client));
    drop(recording);
    let (file, line) = (file!(), here.line());
    let at = format!(r#""file":"{file}","line":{line}"#);
    let sha = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"; // git's name for an empty file
    let (first, last) = (fd.min(new), fd.max(new));
    let expected = format!(
        r#"
"e":"trace","v":2,"stage":"s","clock":"ns","src":"a.rs","sha":"{sha}"
"e":"spawn","task":1,"name":"one"
"e":"resume","task":1,"with":null
"e":"yield","task":1,"want":"accept","fd":{fd},{at}
"e":"park","task":1,"on":"read","fd":3
"e":"call","task":1,"call":"accept","fd":{fd}
"e":"accept","fd":{new},"peer":"127.0.0.1:50001","conn":1
"e":"happened","task":1,"op":"accept","fd":{fd}
"e":"resume","task":1,"with":{{"fd":{new}}}
"e":"yield","task":1,"want":"write","fd":{fd},"len":3,"data":"hi\n"
"e":"call","task":1,"call":"send","fd":{fd},"len":3,"data":"hi\n",{at}
"e":"not_yet","task":1,"left":2
"e":"park","task":1,"on":"write","fd":3,"also":true
"e":"happened","task":1,"op":"write","fd":{fd},"len":3,{at}
"e":"resume","task":1,"with":3
"e":"yield","task":1,"want":"read","fd":{fd}
"e":"park","task":1,"on":"kernel"
"e":"happened","task":1,"op":"read","fd":{fd},"len":5,"data":"\u003c\u007b\u0026\"\u00ff"
"e":"resume","task":1,"with":5
"e":"yield","task":1,"want":"sleep"
"e":"park","task":1,"on":"timer"
"e":"wake","task":1
"e":"yield","task":1,"want":"close","fd":{fd}
"e":"call","task":1,"call":"recv","fd":{fd}
"e":"not_yet","task":1
"e":"happened","task":1,"op":"close","fd":{fd},"error":"TimedOut"
"e":"resume","task":1,"with":"TimedOut"
"e":"finish","task":1,"panicked":true
"e":"stop"
"e":"state","running":9,"ready":[3,2],"read":[[5,4],[6,5]],"write":[[5,6]],"timer":[7,8],"kernel":[9]
"e":"enter","call":"select","r":[3],"w":[4],"timeout":7
"e":"leave","call":"select","r":[],"w":[4]
"e":"enter","call":"io_uring_enter"
"e":"leave","call":"io_uring_enter"
"e":"close","fd":{first}
"e":"close","fd":{last}
"#
    );
    let written = lines.0.borrow();
    let without_times = |line: &str| {
        let (time, rest) = line.split_once(',').unwrap();
        assert!(time.starts_with("{\"t\":"), "{line}");
        rest.strip_suffix('}').unwrap().to_string()
    };
    let written: Vec<String> = written.lines().map(without_times).collect();
    assert_eq!(written, expected.trim().lines().collect::<Vec<_>>());

    // The page has these fields, and no others but those of stages 01 to 03.
    let page = include_str!("../chapters/appendix/trace_format.md");
    let mut listed = fields_on(page);
    let mut found = BTreeSet::new();
    for line in &written {
        let line: Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
        for field in line.as_object().unwrap().keys().filter(|key| *key != "e") {
            found.insert((line["e"].as_str().unwrap().to_string(), field.clone()));
        }
    }
    for (e, fields) in
        [("enter", "fd len data th line"), ("leave", "fd len data th error")]
    {
        let from_strace =
            fields.split(' ').map(|field| (e.to_string(), field.to_string()));
        from_strace
            .for_each(|it| assert!(listed.remove(&it), "{it:?} is not on the page"));
    }
    assert_eq!(listed, found, "what the page lists, and what is written");
}

/// The fields that the page lists, each with its kind of line.
fn fields_on(page: &str) -> BTreeSet<(String, String)> {
    let code = |cell: &str| {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_string).collect::<Vec<_>>()
    };
    let mut fields = BTreeSet::new();
    let mut section = "";
    for line in page.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let one = match section {
            "The first line" => Some("trace"),
            "State" => Some("state"),
            _ => None,
        };
        match (one, &cells[..]) {
            (Some(e), ["", field, _, ""]) => {
                fields.extend(code(field).into_iter().map(|it| (e.to_string(), it)));
            }
            (None, ["", e, those, _, ""]) => {
                let e = code(e).first().cloned().unwrap_or_default();
                let those = code(those).into_iter().map(|field| (e.clone(), field));
                fields.extend(those);
            }
            _ => {}
        }
    }
    fields
}
