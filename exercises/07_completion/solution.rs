//! Operations that the kernel carries out later, and what it may not be deprived of until then.
//!
//! The page of this exercise: chapters/exercises/07_completion.md

use std::collections::BTreeMap;
use std::io;

/// A suspended task, here only its number.
pub type Task = u32;

/// What the kernel is given with an operation, and gives back with its completion.
pub type Key = u64;

/// What a task is resumed with: the buffer and how many of its bytes count, or the error.
pub type Data<B> = io::Result<(B, usize)>;

/// An operation that has been submitted and is not complete: the kernel may read or write `buffer`
/// at any moment.
struct Operation<B> {
    buffer: B,
    /// The task that waits for it; none if it has been cancelled.
    task: Option<Task>,
}

/// The operations that are under way.
pub struct Ring<B> {
    under_way: BTreeMap<Key, Operation<B>>,
    submitted: Key,
}

impl<B> Ring<B> {
    /// A ring without operations.
    pub fn new() -> Ring<B> {
        Ring { under_way: BTreeMap::new(), submitted: 0 }
    }

    /// Submits an operation on `buffer` for `task`: its key, which no other has had.
    pub fn submit(&mut self, buffer: B, task: Task) -> Key {
        // ANSWER: keep buffer and task under a new key
        self.submitted += 1;
        self.under_way.insert(self.submitted, Operation { buffer, task: Some(task) });
        self.submitted
        // ANSWER_END
    }

    /// The task is gone. The kernel has been asked to give up the operation, and will complete it
    /// sooner or later.
    pub fn cancel(&mut self, key: Key) {
        // ANSWER: nobody waits for it any more
        if let Some(operation) = self.under_way.get_mut(&key) {
            operation.task = None;
        }
        // ANSWER_END
    }

    /// The kernel has completed an operation: who goes on, and with what; `None` if nobody waits,
    /// or there is no such operation.
    /// A `result` of 0 or more is a number of bytes, a negative one is an error code with its sign
    /// changed.
    pub fn complete(&mut self, key: Key, result: i32) -> Option<(Task, Data<B>)> {
        // ANSWER: the operation of this key is over: its task, and its data
        let Operation { buffer, task } = self.under_way.remove(&key)?;
        let data = match usize::try_from(result) {
            Ok(count) => Ok((buffer, count)),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        Some((task?, data))
        // ANSWER_END
    }
}
