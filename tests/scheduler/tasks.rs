//! Tasks: that all of them run, each by itself, and what becomes of those that panic.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bricks::scheduler::event::{Data, sleep};
use bricks::scheduler::ready::Handle;
use bricks::scheduler::task::{Co, Coroutine, Resumed, Task};

use crate::driver::Kind;
use crate::support::drivers::{Panics, echo_task, hear_all, pair, say_all};

pub fn without_tasks_there_is_nothing_to_run(kind: Kind) {
    kind.strict().run().unwrap();
}

pub fn a_task_runs_only_when_the_scheduler_does(kind: Kind) {
    let ran = Rc::new(Cell::new(false));
    let mut driver = kind.strict();
    let inside = Rc::clone(&ran);
    driver.submit_task(Coroutine::new(async move |_: Co| inside.set(true)));
    assert!(!ran.get());
    driver.run().unwrap();
    assert!(ran.get());
}

pub fn tasks_submit_tasks(kind: Kind) {
    fn family(scheduler: Handle, depth: u32, count: Rc<Cell<u32>>) -> Box<dyn Task> {
        Box::new(Coroutine::new(async move |_: Co| {
            count.set(count.get() + 1);
            for _ in 0..depth {
                scheduler.submit_task(family(
                    scheduler.clone(),
                    depth - 1,
                    count.clone(),
                ));
            }
        }))
    }
    let count = Rc::new(Cell::new(0));
    let mut driver = kind.strict();
    driver.submit_task(family(driver.handle(), 4, count.clone()));
    driver.run().unwrap();
    assert_eq!(count.get(), 1 + 4 + 12 + 24 + 24);
}

pub fn a_panicking_task_ends_alone(kind: Kind) {
    let mut driver = kind.driver(Panics::AreExpected);
    let mut others = vec![];
    for i in 0..51 {
        let (socket, theirs) = pair();
        if i == 25 {
            driver.submit_task(Coroutine::new(async move |co: Co| {
                let bytes = co.yield_(socket.recv()).await.unwrap();
                panic!("after {} bytes", bytes.len());
            }));
        } else {
            driver.submit_task(echo_task(socket));
        }
        say_all(&theirs, b"hello");
        others.push(theirs);
    }
    driver.run().unwrap();
    for (i, theirs) in others.into_iter().enumerate() {
        let expected: &[u8] = if i == 25 { b"" } else { b"hello" };
        assert_eq!(hear_all(theirs), expected);
    }
}

pub fn what_a_task_owns_may_panic_when_it_is_dropped(kind: Kind) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let mut driver = kind.driver(Panics::AreExpected);
    let bomb = Bomb;
    // A coroutine drops what it owns when its body ends …
    driver.submit_task(Coroutine::new(async move |_: Co| {
        let _bomb = &bomb;
    }));
    // … and another task when it is dropped itself.
    struct Owner(Bomb);
    impl Task for Owner {
        fn send(&mut self, _: Data) -> Resumed {
            let Owner(Bomb) = self;
            Resumed::Finished
        }
    }
    driver.submit_task(Owner(Bomb));
    let ran = Rc::new(Cell::new(false));
    let inside = Rc::clone(&ran);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        co.yield_(sleep(Duration::from_millis(1))).await;
        inside.set(true);
    }));
    driver.run().unwrap();
    assert!(ran.get());
}

/// The original scheduler would sleep in `select` for ever.
pub fn a_task_that_waits_for_nothing_is_ended(kind: Kind) {
    let mut driver = kind.driver(Panics::AreExpected);
    driver.submit_task(Coroutine::new(async |_: Co| pending().await));
    let (socket, theirs) = pair();
    driver.submit_task(echo_task(socket));
    say_all(&theirs, b"hello");
    driver.run().unwrap();
    assert_eq!(hear_all(theirs), b"hello");
}

pub fn a_task_waits_in_one_place_at_a_time(kind: Kind) {
    let (one, _one) = pair();
    let (two, _two) = pair();
    let reached = Rc::new(Cell::new(false));
    let inside = Rc::clone(&reached);
    let mut driver = kind.driver(Panics::AreExpected);
    driver.submit_task(Coroutine::new(async move |co: Co| {
        let _first = co.yield_(one.recv());
        let _second = co.yield_(two.recv());
        inside.set(true);
    }));
    driver.run().unwrap();
    assert!(!reached.get(), "the second yield must panic");
}

pub fn fail_stops_and_becomes_the_result(kind: Kind) {
    let (socket, _theirs) = pair();
    let mut driver = kind.strict();
    driver.submit_task(echo_task(socket));
    driver.handle().fail(io::Error::other("broken"));
    assert_eq!(driver.run().unwrap_err().to_string(), "broken");
}

pub fn sleepers_wake_in_the_order_of_their_times(kind: Kind) {
    let notes = Rc::new(RefCell::new(vec![]));
    let mut driver = kind.strict();
    let start = Instant::now();
    for millis in [30, 10, 0, 20] {
        let notes = Rc::clone(&notes);
        driver.submit_task(Coroutine::new(async move |co: Co| {
            // Until a moment of one clock: a busy machine may run this late.
            let until = start + Duration::from_millis(200 + millis);
            co.yield_(sleep(until.saturating_duration_since(Instant::now()))).await;
            assert!(Instant::now() >= until);
            notes.borrow_mut().push(millis);
        }));
    }
    driver.run().unwrap();
    assert_eq!(*notes.borrow(), [0, 10, 20, 30]);
}

#[test]
#[should_panic(expected = "awaits a future that yields no event")]
fn a_task_that_waits_for_nothing_says_so() {
    Coroutine::new(async |_: Co| pending().await).send(Data::Start);
}
