//! The same server on the standard library's parts: `Future`, `Context`, `Waker`.
//!
//! Stage 04 hands an event to its scheduler and is resumed with the result. A standard future
//! hands out nothing. It is polled with a [`Context`](std::task::Context), and if it cannot go on
//! it keeps a clone of the *waker* in there and says `Pending`; whoever has that waker says when to
//! poll again. That is all that an executor and a future know of each other, and it is enough
//! for futures that were written for any other executor.
//!
//! | Module | What it is | In stage 04 |
//! |---|---|---|
//! | [`queue`] | The ready queue, and the wakers that fill it, from any thread. | ready queue |
//! | `task` | Futures that the executor owns; their results. | `Submitted` |
//! | `reactor` | Which waker to call when a socket becomes ready. | the waiting tables |
//! | [`both`] | Two futures in one. | |
//! | `time` | Futures that are ready later. | the timers |
//! | `net` | The leaf futures: they register a waker, and borrow buffers. | the events |
//! | `buffer` | A buffer that a handler keeps, and lends to its reads. | `Buffers` |
//! | `lines` | A buffered reader. | `Lines` |
//! | `run` | The executor: the round. | the scheduler |
//! | `traced` | What the executor tells whoever watches. | `trace` in `Ready` |

// ANCHOR: modules
pub mod both;
mod buffer;
mod lines;
mod net;
pub mod queue;
mod reactor;
mod run;
mod task;
mod time;
mod traced;

pub use buffer::ReadBuffer;
pub use lines::BufReader;
pub use net::{Accept, Listener, Read, Stream, Write, WriteAll};
pub use run::{Executor, Handle};
pub use task::{JoinHandle, Unfinished};
pub use time::{Elapsed, Sleep};
pub use traced::Traced;

/// The poller of an executor that is not given another: the best that the system has.
#[cfg(target_os = "linux")]
pub type System = crate::epoll::Epoll;
/// The poller of an executor that is not given another: the best that the system has.
#[cfg(not(target_os = "linux"))]
pub type System = crate::poller::Select;

/// The poller of [`Executor::new`].
///
/// # Errors
///
/// If there are no descriptors left.
pub fn system() -> std::io::Result<System> {
    #[cfg(target_os = "linux")]
    return System::new();
    #[cfg(not(target_os = "linux"))]
    return Ok(System::default());
}
// ANCHOR_END: modules
