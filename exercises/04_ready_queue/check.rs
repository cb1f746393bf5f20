//! The check of the exercise: steps that push steps.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_04_ready_queue, path = "../my/04_ready_queue.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use exercise::{BATCH, Ready};
use exercises::without_a_panic;

/// A step that pushes itself again, so often; counts how often it has run.
fn again(ready: &Ready, count: Rc<Cell<usize>>, left: usize) {
    ready.push(move |ready| {
        count.set(count.get() + 1);
        if left > 0 {
            again(ready, count, left - 1);
        }
    });
}

#[test]
fn the_oldest_comes_first() {
    let ready = Ready::default();
    let order = Rc::new(RefCell::new(vec![]));
    for number in 1..=3 {
        let order = Rc::clone(&order);
        ready.push(move |_| order.borrow_mut().push(number));
    }
    assert!(ready.step(), "there was a step to take");
    assert_eq!(*order.borrow(), [1], "one call of `step`, one step");
    ready.run_ready();
    assert_eq!(*order.borrow(), [1, 2, 3], "the order in which the steps were taken");
    assert!(!ready.step(), "there was no step to take");
}

#[test]
fn a_step_may_push_another() {
    let ready = Ready::default();
    ready.push(|ready| ready.push(|_| {}));
    let went = without_a_panic(
        "a step that pushed another one panicked. While a step runs, the queue must not be \
         borrowed: how long does the `borrow_mut` in your `step` live?",
        || ready.step(),
    );
    assert!(went, "there was a step to take");
    assert_eq!(ready.len(), 1, "the step that was pushed waits");
}

#[test]
fn a_short_chain_is_run_to_its_end() {
    let (ready, count) = (Ready::default(), Rc::default());
    again(&ready, Rc::clone(&count), 9);
    ready.run_ready();
    assert_eq!(
        count.get(),
        10,
        "steps taken of ten that make each other ready: each look at the sockets costs a system \
         call, so it is not worth one for each step"
    );
}

#[test]
fn a_chain_without_end_is_interrupted() {
    let (ready, count) = (Ready::default(), Rc::default());
    again(&ready, Rc::clone(&count), 10_000); // as good as without end
    ready.run_ready();
    assert!(
        count.get() <= BATCH,
        "{} steps were taken in a row. Whoever waits for a socket waits all that time: two \
         tasks that keep making each other ready would keep everybody else out",
        count.get()
    );
    assert_eq!(count.get(), BATCH, "steps taken in a row");
    assert_eq!(ready.len(), 1, "the next step waits");
}

#[test]
fn a_large_round_is_run_as_a_whole() {
    let (ready, count) = (Ready::default(), Rc::new(Cell::new(0)));
    for _ in 0..100 {
        again(&ready, Rc::clone(&count), 1);
    }
    ready.run_ready();
    assert_eq!(
        count.get(),
        100,
        "steps taken where a hundred were ready at once: all of them, and what they pushed \
         waits for the next round"
    );
}

/// A step that pushes two more of itself, in so many generations.
fn twice(ready: &Ready, count: Rc<Cell<usize>>, generations: usize) {
    ready.push(move |ready| {
        count.set(count.get() + 1);
        for _ in 0..if generations > 0 { 2 } else { 0 } {
            twice(ready, Rc::clone(&count), generations - 1);
        }
    });
}

#[test]
fn a_queue_that_grows_meanwhile_is_interrupted() {
    let (ready, count) = (Ready::default(), Rc::default());
    twice(&ready, Rc::clone(&count), 12);
    ready.run_ready();
    assert_eq!(
        count.get(),
        BATCH,
        "steps taken where one was ready at the beginning, and each pushed two more. How many \
         there are changes while you take them: count them once, before the first step"
    );
}
