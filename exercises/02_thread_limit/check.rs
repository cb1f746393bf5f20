//! The check of the exercise: clients that stay until they are told to go.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_02_thread_limit, path = "../my/02_thread_limit.rs")]
#[rustfmt::skip]
mod exercise;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use exercise::{Limit, start};
use exercises::steps::hold_up;
use exercises::{PATIENCE, in_time, without_a_panic};

/// A client that is served until the sender is dropped.
fn client(limit: &Limit) -> io::Result<Sender<()>> {
    let (stay, gone) = mpsc::channel::<()>();
    let (started, is_started) = mpsc::channel();
    let serve = move || {
        let _ = started.send(());
        let _ = gone.recv();
    };
    let limit = limit.clone();
    in_time(
        "`start` did not return while the places were taken: it should refuse, not wait",
        move || start(&limit, serve),
    )?;
    is_started
        .recv_timeout(PATIENCE)
        .expect("`start` returned Ok, and `serve` never ran");
    Ok(stay)
}

/// Somebody has gone: the place is free again in a moment.
fn eventually(limit: &Limit, otherwise: &str) -> Sender<()> {
    let start = Instant::now();
    loop {
        match client(limit) {
            Ok(client) => return client,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{otherwise}: {error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn everybody_up_to_the_limit_is_served() {
    let limit = Limit::new(3);
    for number in 1..=3 {
        let served = client(&limit);
        assert!(served.is_ok(), "client {number} of 3 was refused: {served:?}");
        std::mem::forget(served); // it stays
    }
}

#[test]
fn one_more_is_refused() {
    let limit = Limit::new(2);
    let _first = client(&limit).expect("client 1 of 2");
    let _second = client(&limit).expect("client 2 of 2");
    let Err(error) = client(&limit) else {
        panic!(
            "the third client was served, where there are two places. How long does each \
             thread keep its place?"
        );
    };
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy, "the kind of the error");
}

/// One thread takes a place, and another one comes between any two of its steps.
#[test]
fn two_come_at_the_same_time() {
    const LOOK_AND_TAKE: &str = "There was one place, and two threads came at the same time: \
        both saw that it was free, and took it: look and take while you hold the lock, \
        without letting go of it between the two";
    for step in 0.. {
        let limit = Limit::new(1);
        let taken = Arc::new(AtomicUsize::new(0));
        let (second, second_taken) = (limit.clone(), Arc::clone(&taken));
        let enter = move |limit: &Limit, taken: &AtomicUsize| {
            if let Some(place) = limit.enter() {
                taken.fetch_add(1, Ordering::SeqCst);
                std::mem::forget(place); // it stays
            }
        };
        let is_held_up = without_a_panic(LOOK_AND_TAKE, || {
            hold_up(step, move || enter(&second, &second_taken), || enter(&limit, &taken))
        });
        if !is_held_up {
            break;
        }
        assert_eq!(taken.load(Ordering::SeqCst), 1, "places taken. {LOOK_AND_TAKE}");
    }
}

#[test]
fn a_place_comes_back() {
    let limit = Limit::new(1);
    for _ in 0..3 {
        drop(eventually(
            &limit,
            "the only client has gone, and its place did not come back",
        ));
    }
}

#[test]
fn a_place_comes_back_after_a_panic() {
    let limit = Limit::new(1);
    let (panics, has_panicked) = mpsc::channel::<()>();
    let serve = move || {
        let _panics = panics;
        std::panic::resume_unwind(Box::new("planned")); // a handler with a bug
    };
    start(&limit, serve).expect("the place is free");
    let _ = has_panicked.recv_timeout(PATIENCE);
    eventually(&limit, "the handler panicked, and its place did not come back");
}
