//! The check of the exercise: a clock that is set by hand.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_sleep_event, path = "../my/04_sleep_event.rs")]
#[rustfmt::skip]
mod exercise;

use std::time::{Duration, Instant};

use exercise::{CENTURY, SleepEvent, Timers, sleep};
use exercises::without_a_panic;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Tasks that sleep for so many milliseconds from `start` on.
fn timers(start: Instant, tasks: &[(u64, u32)]) -> Timers {
    let mut timers = Timers::default();
    for &(millis, task) in tasks {
        timers.waiting_until(SleepEvent { until: start + ms(millis) }, task);
    }
    timers
}

fn due(timers: &mut Timers, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| timers.pop_due(now)).take(10).collect()
}

#[test]
fn an_event_knows_its_end() {
    let now = Instant::now();
    assert_eq!(sleep(ms(20), now).until, now + ms(20), "the end of 20 ms of sleep");
}

#[test]
fn a_sleep_that_no_clock_can_express() {
    let now = Instant::now();
    let event = without_a_panic(
        "sleep(Duration::MAX) panics: `now + duration` overflows. Is there a gentler +?",
        || sleep(Duration::MAX, now),
    );
    assert_eq!(event.until, now + CENTURY, "the end of Duration::MAX");
}

#[test]
fn select_sleeps_until_the_first() {
    let now = Instant::now();
    let timers = timers(now, &[(300, 1), (100, 2), (200, 3)]);
    assert_eq!(
        timers.timeout(now),
        Some(ms(100)),
        "how long `select` may sleep, with tasks due in 300, 100 and 200 ms: who would be woken \
         too late?"
    );
    assert_eq!(timers.timeout(now + ms(40)), Some(ms(60)), "the same, 40 ms later");
    assert_eq!(timers.timeout(now + ms(150)), Some(ms(0)), "one is late already");
}

#[test]
fn without_sleepers_select_sleeps_for_ever() {
    let timeout = Timers::default().timeout(Instant::now());
    assert_eq!(
        timeout, None,
        "how long `select` may sleep while nobody does. A time-out of zero means: look, and \
         come back at once; in a loop, that is a busy one"
    );
}

#[test]
fn who_is_due_is_woken() {
    let start = Instant::now();
    let mut timers = timers(start, &[(300, 1), (100, 2), (200, 3)]);
    assert_eq!(due(&mut timers, start), [], "woken at once");
    assert_eq!(due(&mut timers, start + ms(250)), [2, 3], "woken after 250 ms, in order");
    assert_eq!(due(&mut timers, start + ms(250)), [], "woken a second time");
    assert_eq!(due(&mut timers, start + ms(400)), [1], "woken after 400 ms");
    assert_eq!(timers.timeout(start + ms(400)), None, "all have been woken");
}

#[test]
fn on_the_dot() {
    let start = Instant::now();
    let mut timers = timers(start, &[(100, 1)]);
    assert_eq!(
        due(&mut timers, start + ms(100)),
        [1],
        "woken at exactly its time. `timeout` says zero then: if nobody is due, the scheduler \
         turns round and round"
    );
}

#[test]
fn two_at_the_same_moment() {
    let start = Instant::now();
    let mut timers = timers(start, &[(100, 7), (100, 5)]);
    let mut woken = due(&mut timers, start + ms(100));
    woken.sort();
    assert_eq!(woken, [5, 7], "both sleep until the same moment, and both must wake");
}
