//! Whatever a scheduler does, its recording tells where all its tasks are: for random runs, the
//! steps lead to the scheduler's own state before each wait.

mod support;

use std::cell::RefCell;
use std::future::poll_fn;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use std::{mem, thread};

use bricks::executor::both::join;
use bricks::executor::{Executor, Handle, ReadBuffer, Stream};
use bricks::net::Socket;
use bricks::recording::{Recording, Sink};
use bricks::scheduler::Scheduler;
use bricks::scheduler::event::sleep;
use bricks::scheduler::task::{Co, Coroutine, Task};
use bricks::trace::{Step, Trace};
use playback::fold::Fold;
use playback::perfetto;
use playback::read;
use playback::text;
use proptest::prelude::*;

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
            // It waits for two things, to the end of both.
            1 => join(read, executor.sleep(soon)).await.0.unwrap(),
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
