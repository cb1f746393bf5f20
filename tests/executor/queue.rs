//! The ready queue, beside a model.

use std::io::Read;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread;

use bricks::executor::queue::{Queue, TaskWaker};
use bricks::trace::TaskId;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Wake(usize),
    WakeFromAThread(usize),
    Take,
    FallAsleep,
    WakeUp,
    Poll(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..5usize).prop_map(Step::Wake),
        1 => (0..5usize).prop_map(Step::WakeFromAThread),
        2 => Just(Step::Take),
        2 => Just(Step::FallAsleep),
        1 => Just(Step::WakeUp),
        3 => (0..5usize).prop_map(Step::Poll),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A task that has been woken is on the queue once, in the order of the first wakes; after
    /// its poll has begun, the next wake puts it there again. And the bell has been rung if
    /// a task came while the executor slept, else not.
    #[test]
    fn the_ready_queue_behaves_like_its_model(steps in steps()) {
        let (queue, bell) = Queue::new().unwrap();
        bell.set_nonblocking(true).unwrap();
        let id = |n: usize| n as TaskId + 1;
        let wakers: Vec<_> =
            (0..5).map(|n| TaskWaker::new(id(n), Arc::clone(&queue))).collect();
        let (mut expected, mut queued) = (vec![], [false; 5]);
        let (mut asleep, mut rung) = (false, false);
        let mut wake = |task: usize, expected: &mut Vec<_>, queued: &mut [bool; 5], asleep: &mut bool| {
            if !std::mem::replace(&mut queued[task], true) {
                expected.push(id(task));
                rung |= std::mem::take(asleep);
            }
        };
        for step in steps {
            match step {
                Step::Wake(task) => {
                    wakers[task].wake_by_ref();
                    wake(task, &mut expected, &mut queued, &mut asleep);
                }
                Step::WakeFromAThread(task) => {
                    let waker = Waker::from(Arc::clone(&wakers[task]));
                    thread::spawn(move || waker.wake()).join().unwrap();
                    wake(task, &mut expected, &mut queued, &mut asleep);
                }
                Step::Take => {
                    let mut batch = vec![];
                    queue.take(&mut batch);
                    prop_assert_eq!(batch, std::mem::take(&mut expected));
                    // The tasks that are taken are polled sooner or later; here later.
                }
                Step::FallAsleep => {
                    asleep = expected.is_empty();
                    prop_assert_eq!(queue.fall_asleep(), asleep);
                }
                Step::WakeUp => {
                    queue.wake_up();
                    asleep = false;
                }
                Step::Poll(task) => {
                    // Only a task that has been taken is polled.
                    if queued[task] && !expected.contains(&id(task)) {
                        wakers[task].about_to_poll();
                        queued[task] = false;
                    }
                }
            }
        }
        let heard = (&bell).read(&mut [0; 100]).is_ok();
        prop_assert_eq!(heard, rung);
    }
}
