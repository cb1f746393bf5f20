//! The check of the exercise: a kernel that notices when a buffer is taken from it.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_07_completion, path = "../my/07_completion.rs")]
#[rustfmt::skip]
mod exercise;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::rc::Rc;

use exercise::Ring;
use exercises::without_a_panic;

/// A buffer that leaves its name behind when it is dropped.
#[derive(Debug)]
struct Buffer {
    name: &'static str,
    dropped: Rc<RefCell<Vec<&'static str>>>,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.name);
    }
}

#[derive(Default)]
struct Buffers(Rc<RefCell<Vec<&'static str>>>);

impl Buffers {
    fn make(&self, name: &'static str) -> Buffer {
        Buffer { name, dropped: Rc::clone(&self.0) }
    }

    fn dropped(&self) -> Vec<&'static str> {
        self.0.borrow().clone()
    }
}

#[test]
fn an_operation_completes() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    let (task, data) = ring.complete(key, 5).expect("task 1 waits for it");
    assert_eq!(task, 1, "who goes on");
    let (buffer, count) = data.expect("5 is no error");
    assert_eq!(
        (buffer.name, count),
        ("a", 5),
        "the buffer and how many bytes of it count"
    );
}

#[test]
fn completions_come_in_any_order() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let slow = ring.submit(buffers.make("slow"), 1);
    let fast = ring.submit(buffers.make("fast"), 2);
    for (key, task, name) in [(fast, 2, "fast"), (slow, 1, "slow")] {
        let (who, data) = ring.complete(key, 1).expect("somebody waits for it");
        let (buffer, _) = data.expect("1 is no error");
        assert_eq!(
            (who, buffer.name),
            (task, name),
            "who goes on, and with which buffer. What was submitted first need not be complete \
             first: the key says which it is"
        );
    }
}

#[test]
fn a_negative_result_is_an_error() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    let (_, data) = ring.complete(key, -libc::ECONNRESET).expect("task 1 waits for it");
    match data {
        Err(error) => assert_eq!(
            error.kind(),
            ErrorKind::ConnectionReset,
            "what the result -{} became: the kernel changes the sign of the error code",
            libc::ECONNRESET
        ),
        Ok((_, count)) => panic!(
            "the kernel said -{}, which is a negative error code: it became {count} bytes",
            libc::ECONNRESET
        ),
    }
}

#[test]
fn the_end_of_input_is_no_error() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    let (_, data) = ring.complete(key, 0).expect("task 1 waits for it");
    assert_eq!(data.expect("0 bytes are the end of input").1, 0, "how many bytes count");
}

#[test]
fn a_cancelled_operation_keeps_its_buffer() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    ring.cancel(key);
    assert_eq!(
        buffers.dropped(),
        Vec::<&str>::new(),
        "buffers that were freed by a cancel. The kernel has not completed the operation yet, \
         and may still write into that memory, which by then belongs to somebody else"
    );
    let completed = ring.complete(key, 5);
    assert!(completed.is_none(), "nobody waits for it: {completed:?}");
    assert_eq!(buffers.dropped(), ["a"], "buffers freed after the completion");
}

/// That is what becomes of most: the kernel has given them up.
#[test]
fn a_cancelled_operation_may_end_with_an_error() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    ring.cancel(key);
    let completed = ring.complete(key, -libc::ECANCELED);
    assert!(
        completed.is_none(),
        "an operation was cancelled, and completes with the error ECANCELED. Its task is gone, and \
         nobody else waits for that error: {completed:?}"
    );
}

/// Completes it, and says what it means if that panics.
fn complete(ring: &mut Ring<Buffer>, key: u64) -> Option<u32> {
    let panics = format!(
        "complete({key}, …) panics, on a key that no operation under way has. One report too \
         many would end the program, with all of its tasks: an unknown key is `None`"
    );
    let completed = without_a_panic(&panics, || ring.complete(key, 1));
    completed.map(|(task, _)| task)
}

#[test]
fn an_unknown_key() {
    let mut ring = Ring::<Buffer>::new();
    assert_eq!(complete(&mut ring, 99), None, "nobody has submitted 99");
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let key = ring.submit(buffers.make("a"), 1);
    assert_eq!(complete(&mut ring, key), Some(1), "the task that waits for it");
    assert_eq!(complete(&mut ring, key), None, "it has been completed once already");
    let panics = "cancel panics, for an operation that is complete. The task cannot know that: \
                  the completion may have come a moment before";
    without_a_panic(panics, || ring.cancel(key));
}

#[test]
fn a_key_is_used_once() {
    let (buffers, mut ring) = (Buffers::default(), Ring::new());
    let mut keys = BTreeSet::new();
    for task in 0..100 {
        let key = ring.submit(buffers.make("a"), task);
        assert!(
            keys.insert(key),
            "the key {key} was given to two operations. A completion that comes late would \
             resume the wrong task"
        );
        match task % 3 {
            0 => drop(ring.complete(key, 1)),
            1 => ring.cancel(key),
            _ => {}
        }
    }
    let left = keys.into_iter().filter_map(|key| ring.complete(key, 1)).count();
    assert_eq!(
        left, 33,
        "completions that reach a task: of a hundred operations, 34 had been complete before and 33 \
         were cancelled"
    );
}
