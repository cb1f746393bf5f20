//! The bricks of an asynchronous TCP echo server, each a small module.
//!
//! Read them in this order; each builds on those above it. (Two of them look down, and only to
//! record what happens: [`cli`] at [`recording`], and [`poller`] at [`trace`].) Nothing here knows
//! about echo: that is the business of the numbered binaries in `src/bin/`.
//!
//! | Module | What it is |
//! |---|---|
//! | [`select`] | `select(2)` behind a safe interface; the only `unsafe` code of 01 to 04. |
//! | [`log`] | What a server says: clients on standard output, problems on standard error. |
//! | [`buffer`] | Received bytes, and where their memory comes from: no idle connection holds any. |
//! | [`net`] | Sockets: how to listen and accept, the options, and the calls that never block. |
//! | [`cli`] | The command line that all stages share. |
//! | [`poller`] | The seam to the operating system: who can go on? |
//! | [`event`] | What a task waits for, as a value: `do_schedule` and `happen`. |
//! | [`task`] | What can be suspended and resumed: `send`, and the coroutine behind it. |
//! | [`trace`] | What happened, step by step, for whoever watches. |
//! | [`recording`] | A trace in a file, for `--trace`. |
//! | [`ready`] | The ready queue: tasks that can go on, each with a result. |
//! | [`timers`] | Who waits for a moment in time. |
//! | [`scheduler`] | The round: run the ready tasks, select, let events happen. |
//! | [`limit`] | How many descriptors the process may have. |
//! | [`epoll`] | Another poller: `epoll(7)`, which remembers who is watched. |
//! | [`ring`] | Another driver: `io_uring`, where the kernel lets events happen. |
//! | [`signal`] | A signal as an event. |
//! | [`lines`] | Lines out of bytes: a coroutine inside a coroutine. |
//! | [`executor`] | The same server on `std`'s `Future`, `Context` and `Waker`. |

// ANCHOR: modules
#[cfg(not(unix))]
compile_error!(
    "These servers speak to a Unix kernel: select(2) and descriptors. \
     On Windows, build them inside WSL, the Windows Subsystem for Linux."
);

pub mod buffer;
pub mod cli;
#[cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "a thin wrapper around system calls")
)]
pub mod epoll;
pub mod event;
pub mod executor;
#[expect(unsafe_code, reason = "a thin wrapper around system calls")]
pub mod limit;
pub mod lines;
pub mod log;
pub mod net;
pub mod poller;
pub mod ready;
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
pub mod task;
pub mod timers;
pub mod trace;
// ANCHOR_END: modules
