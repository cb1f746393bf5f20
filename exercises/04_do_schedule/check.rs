//! The check of the exercise: each kind of event, and two that want the same.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_do_schedule, path = "../my/04_do_schedule.rs")]
#[rustfmt::skip]
mod exercise;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use exercise::{Data, Event, Scheduler, Task};

/// Where everybody is after these events.
fn scheduled(events: &[(Task, Event)]) -> Scheduler {
    let mut scheduler = Scheduler::default();
    for (task, event) in events {
        event.clone().do_schedule(&mut scheduler, *task);
    }
    scheduler
}

/// How many are in each place.
fn places(scheduler: &Scheduler) -> [usize; 4] {
    [
        scheduler.read_waiting.len(),
        scheduler.write_waiting.len(),
        scheduler.sleeping.len(),
        scheduler.ready.len(),
    ]
}

const COLUMNS: &str = "how many wait to read, wait to write, sleep, are ready";

#[test]
fn who_waits_for_input() {
    for event in [Event::Connect(3), Event::Receive(3)] {
        let scheduler = scheduled(&[(1, event.clone())]);
        assert_eq!(places(&scheduler), [1, 0, 0, 0], "after {event:?}: {COLUMNS}");
        assert_eq!(scheduler.read_waiting[&3], (event, 1), "what is found under 3");
    }
}

#[test]
fn who_waits_for_room() {
    let event = Event::Send(4, b"hello".to_vec());
    let scheduler = scheduled(&[(1, event.clone())]);
    assert_eq!(
        places(&scheduler),
        [0, 1, 0, 0],
        "after {event:?}: {COLUMNS}. `select` wakes a task when its socket can be read from, or \
         when there is room to write: which of the two does a send need?"
    );
    assert_eq!(scheduler.write_waiting[&4], (event, 1), "what is found under 4");
}

#[test]
fn who_sleeps() {
    let until = Instant::now() + Duration::from_secs(1);
    let scheduler = scheduled(&[(1, Event::Sleep(until))]);
    assert_eq!(places(&scheduler), [0, 0, 1, 0], "after a Sleep: {COLUMNS}");
    assert_eq!(scheduler.sleeping, [(until, 1)], "who sleeps, and until when");
}

#[test]
fn who_waits_for_the_peer_to_finish() {
    let scheduler = scheduled(&[(1, Event::Close { fd: 5, ended: false })]);
    assert_eq!(places(&scheduler), [1, 0, 0, 0], "the peer may still send: {COLUMNS}");
}

#[test]
fn who_need_not_wait() {
    let scheduler = scheduled(&[(1, Event::Close { fd: 5, ended: true })]);
    assert_eq!(
        places(&scheduler),
        [0, 0, 0, 1],
        "the peer has finished already: {COLUMNS}. Nothing more will ever arrive that could \
         wake a task"
    );
    assert_eq!(scheduler.ready, [(1, Data::Closed)], "who is ready, and with what");
}

#[test]
fn one_reads_and_one_writes() {
    let send = Event::Send(6, b"x".to_vec());
    let scheduler = scheduled(&[(1, Event::Receive(6)), (2, send)]);
    assert_eq!(places(&scheduler), [1, 1, 0, 0], "they do not disturb each other");
}

#[test]
fn two_want_the_same() {
    let busy = [(2, Data::Failed(ErrorKind::ResourceBusy))];
    let scheduler = scheduled(&[(1, Event::Receive(7)), (2, Event::Receive(7))]);
    let waiting = scheduler.read_waiting.get(&7).map(|(_, task)| *task);
    assert_eq!(
        waiting,
        Some(1),
        "the task that waits under 7: task 1 was there first, and if its entry is gone, nothing \
         will ever wake it"
    );
    assert_eq!(scheduler.ready, busy, "task 2 must hear that it cannot wait");

    let send = |bytes: &[u8]| Event::Send(7, bytes.to_vec());
    let scheduler = scheduled(&[(1, send(b"first")), (2, send(b"second"))]);
    let waiting = scheduler.write_waiting.get(&7).map(|(_, task)| *task);
    assert_eq!(waiting, Some(1), "the task that waits to write to 7");
    assert_eq!(scheduler.ready, busy, "task 2 must hear that it cannot wait");
}
