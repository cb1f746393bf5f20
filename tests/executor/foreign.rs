//! Futures that know nothing of this executor.

use std::io::Write;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::{pair, run};

/// `async-channel` and `futures-util` work on any executor: a waker is all that they ask for.
#[test]
fn foreign_futures_run() {
    run(|handle| async move {
        let (numbers, input) = async_channel::bounded::<u32>(2);
        let mut input = pin!(input);
        for task in 0..4 {
            let (numbers, sleeper) = (numbers.clone(), handle.clone());
            handle.spawn(async move {
                for i in 0..10 {
                    sleeper.sleep(Duration::from_micros(100)).await;
                    numbers.send(task * 10 + i).await.unwrap();
                }
            });
        }
        let from_a_thread = numbers.clone();
        let thread = thread::spawn(move || {
            (40..50).for_each(|i| from_a_thread.send_blocking(i).unwrap());
        });
        drop(numbers);
        let mut received = vec![];
        while let Some(number) = input.next().await {
            received.push(number);
        }
        received.sort_unstable();
        assert!(received.into_iter().eq(0..50));
        thread.join().unwrap();
    });
}

/// `FuturesUnordered` gives each future a waker of its own.
#[test]
fn leaf_futures_run_inside_foreign_ones() {
    run(|handle| async move {
        let (streams, ends): (Vec<_>, Vec<_>) = (0..50).map(|_| pair(&handle)).unzip();
        let reads = streams.iter().map(|stream| async move {
            let mut buffer = [0];
            stream.read(&mut buffer).await.unwrap();
            buffer[0]
        });
        let mut reads: FuturesUnordered<_> = reads.collect();
        let thread = thread::spawn(move || {
            for (number, mut end) in (0..50).zip(ends).rev() {
                end.write_all(&[number]).unwrap();
            }
        });
        let mut received = vec![];
        while let Some(number) = reads.next().await {
            received.push(number);
        }
        received.sort_unstable();
        assert!(received.into_iter().eq(0..50));
        thread.join().unwrap();
    });
}
