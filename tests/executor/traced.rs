//! What the executor reports to a trace: each step, in the order in which things happen.
//! (That they lead to the executor's own state, whatever its tasks do, is tested in `tests/fold.rs`.)

use std::cell::RefCell;
use std::future::{poll_fn, ready};
use std::io::{Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::Location;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bricks::executor::both::{join, race};
use bricks::executor::{BufReader, Executor, Handle, Listener, Stream};
use bricks::net::Socket;
use bricks::select::Select;
use bricks::trace::{On, Outcome, State, Step, Trace};

use crate::support::drivers::{listener, watch_the_clock};
use crate::{pair, yield_now};

/// The steps, one a line, without the waits of the poller.
#[derive(Clone, Default)]
struct Steps(Rc<RefCell<Vec<String>>>);

impl Trace for Steps {
    fn record(&mut self, step: Step<'_>) {
        let line = |at: Option<&Location<'_>>| {
            at.map_or("nowhere".to_string(), |at| format!("line {}", at.line()))
        };
        let step = match step {
            Step::Spawn { task, .. } => format!("spawn {task}"),
            Step::Resume { task, with: Outcome::Nothing } => format!("resume {task}"),
            Step::Yield { task, want, bytes, at, .. } => {
                format!("yield {task} {want:?} {} {}", bytes.len(), line(at))
            }
            Step::Park { task, on, also } => {
                let on = match on {
                    On::Read(_) => "read",
                    On::Write(_) => "write",
                    _ => "timer",
                };
                format!("park {task} {on}{}", if also { " also" } else { "" })
            }
            Step::Call { task, want, bytes, at, .. } => {
                format!("call {task} {want:?} {} {}", bytes.len(), line(at))
            }
            Step::NotYet { task, left } => format!("not yet {task} {left:?}"),
            Step::Happened { task, result, at } => {
                let result = match result {
                    Outcome::Received(bytes) => format!("received {}", bytes.len()),
                    Outcome::Sent(count) => format!("sent {count}"),
                    Outcome::Accepted { .. } => "accepted".to_string(),
                    other => format!("{other:?}"),
                };
                format!("happened {task} {result} {}", line(at))
            }
            Step::Wake { task } => format!("wake {task}"),
            Step::Finish { task, panicked } => format!("finish {task} {panicked}"),
            Step::Stop => "stop".to_string(),
            Step::Enter { .. } | Step::Leave { .. } | Step::State(_) => return,
            other => panic!("{other:?}"),
        };
        self.0.borrow_mut().push(step);
    }
}

/// The steps of an executor with the tasks that `spawn` spawns.
fn steps(spawn: impl FnOnce(Handle)) -> Vec<String> {
    watch_the_clock();
    let steps = Steps::default();
    let trace: Box<dyn Trace> = Box::new(steps.clone());
    let mut executor = Executor::new(Select::default(), Some(trace)).unwrap();
    spawn(executor.handle());
    executor.run().unwrap();
    steps.0.take()
}

/// Each operation names the line of the task that asks for it, also through `write_all`, `close`
/// and `read_line`.
#[test]
fn an_echo_step_by_step() {
    let (sock, addr) = listener();
    let client = thread::spawn(move || {
        let mut client = TcpStream::connect(addr).unwrap();
        client.write_all(b"hi\n").unwrap();
        let mut answer = [0; 3];
        client.read_exact(&mut answer).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client.read(&mut answer).unwrap()
    });
    const FIRST: u32 = line!();
    let steps = steps(|handle| {
        let listener = Listener::new(sock, &handle);
        handle.clone().spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            handle.spawn(async move {
                let mut lines = BufReader::new(&client);
                let line = lines.read_line().await.unwrap();
                client.write_all(&line).await.unwrap();
                client.close().await;
            });
        });
    });
    assert_eq!(client.join().unwrap(), 0);
    let (accept, read) = (FIRST + 4, FIRST + 7);
    let (write, close) = (read + 1, read + 2);
    let expected = format!(
        "spawn 1; resume 1; yield 1 Accept 0 line {accept}; park 1 read; wake 1; \
         resume 1; call 1 Accept 0 line {accept}; happened 1 accepted line {accept}; \
         spawn 2; finish 1 false; resume 2; yield 2 Read 0 line {read}; park 2 read; \
         wake 2; resume 2; call 2 Read 0 line {read}; happened 2 received 3 line {read}; \
         call 2 Write 3 line {write}; happened 2 sent 3 line {write}; \
         yield 2 Close 0 line {close}; park 2 read; park 2 timer also; wake 2; resume 2; \
         call 2 Close 0 line {close}; happened 2 Closed line {close}; finish 2 false"
    );
    assert_eq!(steps.join("; "), expected);
}

/// A call that would block is reported, with what is left, and so is the wait for the rest.
#[test]
fn a_write_that_has_to_wait() {
    const MUCH: usize = 4 * 1024 * 1024;
    let steps = steps(|handle| {
        let (stream, mut theirs) = pair(&handle);
        handle.spawn(async move { stream.write_all(&vec![7; MUCH]).await });
        thread::spawn(move || theirs.read_to_end(&mut vec![]).unwrap());
    });
    let waits = steps.iter().position(|step| step.starts_with("not yet")).unwrap();
    let left: Vec<&str> = steps[waits].split(['(', ')']).collect();
    assert!(steps[waits - 1].starts_with(&format!("call 1 Write {} ", left[1])));
    assert!(steps[waits + 1].starts_with(&format!("yield 1 Write {} line ", left[1])));
    assert_eq!(steps[waits + 2], "park 1 write");
    assert_eq!(steps[waits + 3], "wake 1");
}

/// A task names the first thing that it waits for, and then each place. What it has given up in
/// the same turn does not count; of two that sleep, the last one counts.
#[test]
fn a_task_that_waits_for_several_things() {
    const FIRST: u32 = line!();
    let steps = steps(|handle| {
        let (stream, theirs) = pair(&handle);
        handle.clone().spawn(async move {
            let (soon, mut buffer) = (Duration::from_millis(1), [0]);
            race(stream.read(&mut buffer), ready(())).await;
            let sleep = handle.sleep(soon);
            join(sleep, handle.sleep(soon)).await;
            let sleep = handle.sleep(soon);
            race(sleep, stream.read(&mut buffer)).await;
            drop(theirs);
        });
    });
    let (first, second) = (FIRST + 7, FIRST + 8);
    let steps = steps.join("; ");
    let given_up =
        format!("resume 1; yield 1 Sleep 0 line {first}; park 1 timer; wake 1");
    assert!(steps.starts_with(&format!("spawn 1; {given_up}")), "{steps}");
    let both = format!("yield 1 Sleep 0 line {second}; park 1 read; park 1 timer also");
    assert!(
        steps.ends_with(&format!("{both}; wake 1; resume 1; finish 1 false")),
        "{steps}"
    );
}

/// A task that no future of this library wakes, and one that wakes itself, and then spawns another:
/// the queue's order is the order in the trace.
#[test]
fn wakes_are_reported_in_the_order_of_the_queue() {
    let steps = steps(|handle| {
        handle.clone().spawn(async move {
            let mut spawned = false;
            let wakes_itself = poll_fn(|context| {
                context.waker().wake_by_ref();
                if mem::replace(&mut spawned, true) {
                    return Poll::Ready(());
                }
                drop(handle.spawn(async {}));
                Poll::Pending
            });
            wakes_itself.await;
        });
    });
    let expected = "spawn 1; resume 1; yield 1 Wake 0 nowhere; wake 1; spawn 2; resume 1; \
                    finish 1 false; resume 2; finish 2 false";
    assert_eq!(steps.join("; "), expected);
}

#[test]
fn a_panic_and_a_stop() {
    let steps = steps(|handle| {
        let (stream, theirs) = pair(&handle);
        let stopper = handle.clone();
        handle.spawn(async move {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            drop(theirs);
            panic!("this is expected");
        });
        handle.spawn(async move { stopper.stop() });
    });
    let expected = "stop; finish 2 false; wake 1; resume 1; call 1 Read 0 line; \
                    not yet 1 None; happened 1 received 0 line; finish 1 true";
    let from = steps.iter().position(|step| step == "stop").unwrap();
    let without_lines = |step: &String| step.split(" line").next().unwrap().to_string();
    let found: Vec<String> = steps[from..].iter().map(without_lines).collect();
    assert_eq!(found.join("; "), expected.replace(" line", ""));
}

/// The peer has ended before: then there is nothing to wait for.
#[test]
fn a_close_after_the_end_of_input_makes_no_call() {
    let steps = steps(|handle| {
        let (stream, theirs) = pair(&handle);
        theirs.shutdown(Shutdown::Write).unwrap();
        handle.spawn(async move {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
            stream.close().await;
            drop(theirs);
        });
    });
    let received = steps.iter().position(|step| step.contains("received 0")).unwrap();
    assert_eq!(steps[received + 1..], ["finish 1 false"]);
}

/// Keeps the first state.
#[derive(Clone, Default)]
struct FirstState(Rc<RefCell<Option<State>>>);

impl Trace for FirstState {
    fn record(&mut self, step: Step<'_>) {
        if let Step::State(state) = step {
            *self.0.borrow_mut() = Some(state.clone());
        }
    }

    fn wants_state(&self) -> bool {
        self.0.borrow().is_none()
    }
}

/// A task that has been woken is on the queue, and not where it waited.
#[test]
fn where_all_tasks_are() {
    watch_the_clock();
    let first = FirstState::default();
    let trace: Box<dyn Trace> = Box::new(first.clone());
    let mut executor = Executor::new(Select::default(), Some(trace)).unwrap();
    let handle = executor.handle();
    let stream = || {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let fd = ours.as_raw_fd();
        (Stream::new(Socket::new(ours).unwrap(), &handle), theirs, fd)
    };
    let (reads, its_end, read_fd) = stream();
    let (writes, other_end, write_fd) = stream();
    let (woken, last_end, _) = stream();
    let sleeper = handle.clone();
    handle.spawn(async move {
        sleeper.sleep(Duration::from_millis(1)).await;
        drop((its_end, other_end, last_end));
    });
    handle.spawn(async move { reads.read(&mut [0]).await });
    handle.spawn(async move { writes.write_all(&vec![7; 4 * 1024 * 1024]).await });
    handle.spawn(async move { drop(race(woken.read(&mut [0]), yield_now()).await) });
    handle.spawn(async {});
    executor.run().unwrap();
    let expected = State {
        running: 4,
        ready: vec![4],
        read: vec![(read_fd, 2)],
        write: vec![(write_fd, 3)],
        timer: vec![1],
        kernel: vec![],
    };
    assert_eq!(first.0.take(), Some(expected));
}
