//! The bricks of an asynchronous TCP echo server, each a small module.
//!
//! Read them in this order; each file uses only files that stand before it. Nothing here knows
//! about echo: that is the business of the numbered binaries in `src/bin/`.
//!
//! | Module | What it is |
//! |---|---|
//! | [`select`] | `select(2)` behind a safe interface: sets of descriptors, and the call. |
//! | [`log`] | What a server says: clients on standard output, problems on standard error. |
//! | [`space`] | Memory for received bytes: an idle connection holds none. |
//! | [`net`] | Sockets: how to listen and accept, the options, and the calls that never block. |
//! | [`cli`] | The command line that all stages share. |
//! | [`blocking`] | Stages 01 and 02: blocking sockets, and a thread for each client. |
//! | [`trace`] | What happened, step by step. |
//! | [`scheduler::event`] | Stage 04, the article: what a task waits for, as a value. |
//! | [`scheduler::task`] | A task: what can be suspended at a wait and resumed with its result. |
//! | [`scheduler::ready`] | The ready queue: tasks that can go on, each with a result. |
//! | [`scheduler::poller`] | The seam to the operating system: which task can go on? |
//! | [`scheduler::timers`] | Tasks that wait for a moment in time. |
//! | [`scheduler::stop`] | The rule for a graceful stop. |
//! | [`scheduler`] | The loop that drives the tasks. |
//! | [`scheduler::lines`] | Lines out of a stream of bytes: a coroutine inside a coroutine. |
//! | [`select::poller`] | Stage 04's poller, on `select(2)`. |
//! | [`limit`] | How many descriptors the process may have. |
//! | [`signal`] | A signal as an event. |
//! | [`recording`] | A trace in a file, for `--trace`. |
//! | [`epoll`] | Stage 05: another poller, `epoll(7)`, which remembers what is watched. |
//! | [`executor`] | Stage 06: the same server on `std`'s `Future`, `Context` and `Waker`. |
//! | [`ring`] | Stage 07: another driver, `io_uring`, where the kernel lets events happen. |

#[cfg(not(unix))]
compile_error!(
    "These servers speak to a Unix kernel: select(2) and descriptors. \
     On Windows, build them inside WSL, the Windows Subsystem for Linux."
);

pub mod blocking;
pub mod cli;
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "a thin wrapper around system calls")
)]
#[cfg_attr(not(target_os = "linux"), path = "epoll/elsewhere.rs")]
pub mod epoll;
pub mod executor;
#[expect(unsafe_code, reason = "a thin wrapper around system calls")]
pub mod limit;
pub mod log;
pub mod net;
pub mod recording;
#[cfg_attr(
    not(all(target_os = "linux", target_pointer_width = "64")),
    path = "ring/elsewhere.rs"
)]
pub mod ring;
pub mod scheduler;
#[expect(unsafe_code, reason = "a thin wrapper around a system call")]
pub mod select;
pub mod signal;
pub mod space;
pub mod trace;
