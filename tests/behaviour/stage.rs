//! The servers under test, and what each of them is known to do differently.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::sync::LazyLock;

use crate::foreign;
use crate::support::default_signals;
use crate::support::machine::{io_uring_works, python_works, skipped};

/// A server, with its known differences.
pub struct Stage {
    pub name: &'static str,
    program: Program,
    /// The second client waits until the first has gone.
    pub one_at_a_time: bool,
    /// Each client has a thread of its own.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "seen in /proc"))]
    pub thread_for_each: bool,
    /// The descriptors it can use are 0 up to this; clients beyond are refused.
    pub descriptors: Option<usize>,
    /// It raises its own limit of descriptors, and serves ten thousand clients.
    pub thousands: bool,
    /// The kernel accepts, receives and sends by itself: there is no system call for that.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "faults are injected by strace")
    )]
    pub kernel_acts: bool,
    /// Elsewhere it only says so.
    linux_only: bool,
    /// SIGINT and SIGTERM end it gracefully, with exit status 0.
    pub stops_gracefully: bool,
    /// It has words of its own for what goes wrong.
    pub own_words: bool,
    /// It has the flag `--lines`.
    pub lines: bool,
    /// It has the option `--trace`.
    pub trace: bool,
    /// How many bytes of heap an idle connection takes at most: after small messages, and after
    /// a line of 8,000 bytes. They are for its task, and in stage 06 for the buffer that a read
    /// borrows.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "seen in /proc"))]
    pub idle_heap: (usize, usize),
    /// System calls of an echo with one client, and at most with 64 in step.
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "counted by strace")
    )]
    pub calls_of_an_echo: (f64, f64),
}

enum Program {
    Binary(&'static str),
    Example(&'static str),
    Python(&'static str),
    /// The command in the environment variable `BRICKS_SERVER`.
    Yours,
}

pub const BLOCKING: Stage = Stage {
    name: "01_blocking",
    program: Program::Binary(env!("CARGO_BIN_EXE_01_blocking")),
    one_at_a_time: true,
    thread_for_each: false,
    descriptors: None,
    thousands: false,
    kernel_acts: false,
    linux_only: false,
    stops_gracefully: false,
    own_words: false,
    lines: false,
    trace: false,
    idle_heap: (1024, 1024),
    calls_of_an_echo: (2.0, 2.0),
};

pub const THREADS: Stage = Stage {
    name: "02_threads",
    program: Program::Binary(env!("CARGO_BIN_EXE_02_threads")),
    one_at_a_time: false,
    thread_for_each: true,
    ..BLOCKING
};

pub const SELECT: Stage = Stage {
    name: "03_select",
    program: Program::Binary(env!("CARGO_BIN_EXE_03_select")),
    thread_for_each: false,
    descriptors: Some(1024),
    calls_of_an_echo: (4.0, 2.1),
    ..THREADS
};

pub const SCHEDULER: Stage = Stage {
    name: "04_scheduler",
    program: Program::Binary(env!("CARGO_BIN_EXE_04_scheduler")),
    stops_gracefully: true,
    lines: true,
    trace: true,
    ..SELECT
};

pub const EPOLL: Stage = Stage {
    name: "05_epoll",
    program: Program::Binary(env!("CARGO_BIN_EXE_05_epoll")),
    descriptors: None,
    thousands: true,
    linux_only: true,
    calls_of_an_echo: (3.0, 2.1),
    ..SCHEDULER
};

/// The same on `std`'s futures, where the system has what it needs for that.
pub const ASYNC_AWAIT: Stage = Stage {
    name: "06_async_await",
    program: Program::Binary(env!("CARGO_BIN_EXE_06_async_await")),
    descriptors: if cfg!(target_os = "linux") { None } else { Some(1024) },
    thousands: cfg!(target_os = "linux"),
    linux_only: false,
    idle_heap: (1536 + 1024, 1536 + 16 * 1024),
    ..EPOLL
};

pub const IO_URING: Stage = Stage {
    name: "07_io_uring",
    program: Program::Binary(env!("CARGO_BIN_EXE_07_io_uring")),
    kernel_acts: true,
    calls_of_an_echo: (2.0, 0.1),
    ..EPOLL
};

/// The scheduler with tasks that are written by hand.
pub const BY_HAND: Stage = Stage {
    name: "by_hand",
    program: Program::Example("by_hand"),
    lines: false,
    trace: false,
    ..SCHEDULER
};

/// Chapter three begins with it. It does what an echo server does, at a price.
pub const ASK_ALL: Stage =
    Stage { name: "ask_all", program: Program::Example("ask_all"), ..SELECT };

/// Chapter six begins with it. It has no words for what goes wrong.
pub const SMALL_EXECUTOR: Stage = Stage {
    name: "small_executor",
    program: Program::Example("small_executor"),
    descriptors: ASYNC_AWAIT.descriptors,
    own_words: true,
    ..SELECT
};

/// The original design, in Python. It keeps the promises that it makes; those that it does not
/// make are in `original.rs`.
pub const PYTHON: Stage = Stage {
    name: "echo_server.py",
    program: Program::Python(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/chapters/python/echo_server.py"
    )),
    ..SELECT
};

/// Any other echo server, which is named in the environment: for example
/// `BRICKS_SERVER="target/debug/my_server --fast" cargo test --test behaviour yours::`. It is given
/// `--listen 127.0.0.1:0`, and `--quiet`, and must print its address; or its command has `{port}`.
pub const YOURS: Stage = Stage {
    name: "BRICKS_SERVER",
    program: Program::Yours,
    descriptors: None,
    own_words: true,
    ..SELECT
};

/// It also has the flag `--lines`.
pub const YOURS_WITH_LINES: Stage = Stage { lines: true, ..YOURS };

/// It also stops gracefully.
pub const YOURS_THAT_STOPS: Stage = Stage { stops_gracefully: true, ..YOURS };

/// Its log, its messages and its exit status are also those of this book.
pub const YOURS_STRICTLY: Stage = Stage { own_words: false, ..YOURS };

/// The words of `BRICKS_SERVER`: each in a line of its own, if there are lines, or between spaces.
static YOUR_WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let command = env::var("BRICKS_SERVER").unwrap_or_default();
    match command.contains('\n') {
        true => command.lines().map(str::to_string).collect(),
        false => command.split_whitespace().map(str::to_string).collect(),
    }
});

impl Stage {
    /// Its program, without arguments.
    pub fn command(&self) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    /// What to type to start its program.
    pub fn words(&self) -> Vec<OsString> {
        default_signals::restore();
        match self.program {
            Program::Binary(path) => vec![path.into()],
            Program::Python(path) => vec!["python3".into(), path.into()],
            Program::Yours => YOUR_WORDS.iter().map(OsString::from).collect(),
            Program::Example(name) => {
                // The test is target/debug/deps/behaviour-…; examples are built beside `deps`.
                let test = env::current_exe().expect("the test's own path");
                let target = test.ancestors().nth(2).expect("target/debug");
                let path = target.join("examples").join(name);
                // `cargo test --test behaviour` by itself does not build examples.
                assert!(path.exists(), "build it first: cargo build --examples");
                vec![path.into()]
            }
        }
    }

    /// Whether it knows nothing of this book: neither its process nor its words are known.
    pub fn is_foreign(&self) -> bool {
        matches!(self.program, Program::Yours)
    }

    /// Whether its port is a part of its command.
    pub fn is_told_its_port(&self) -> bool {
        self.is_foreign() && YOUR_WORDS.iter().any(|word| word.contains(foreign::PORT))
    }

    /// Whether what its program needs is installed.
    pub fn can_run(&self) -> bool {
        if self.linux_only && cfg!(not(target_os = "linux")) {
            skipped("Linux only");
            return false;
        }
        if self.kernel_acts && !io_uring_works() {
            return false;
        }
        match self.program {
            Program::Python(_) => python_works(),
            Program::Yours if YOUR_WORDS.is_empty() => {
                println!("skipped: no server is named in BRICKS_SERVER");
                false
            }
            _ => true,
        }
    }
}
