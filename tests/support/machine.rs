//! What this machine can do. Where it cannot, the tests that need it say so and pass; with
//! `REQUIRE_…=1` in the environment they fail instead.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use bricks::ring::Kernel;

/// Nothing in a test takes so long unless it hangs. (`BRICKS_PATIENCE` is another number of
/// seconds, for servers of which nobody knows yet whether they hang.)
pub static PATIENCE: LazyLock<Duration> = LazyLock::new(|| {
    let seconds = env::var("BRICKS_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
});

/// Whether there is an `strace` that may trace.
pub fn strace_works() -> bool {
    static WORKS: LazyLock<bool> =
        LazyLock::new(|| succeeds("strace", &["-f", "-o", "/dev/null", "true"]));
    is_here(*WORKS, "strace", "no strace that works (Debian: apt-get install strace)")
}

/// Whether there is a `valgrind` that can run something.
pub fn valgrind_works() -> bool {
    static WORKS: LazyLock<bool> =
        LazyLock::new(|| succeeds("valgrind", &["--quiet", "true"]));
    is_here(
        *WORKS,
        "valgrind",
        "no valgrind that works (Debian: apt-get install valgrind)",
    )
}

/// Whether there is a Python that is new enough.
pub fn python_works() -> bool {
    static WORKS: LazyLock<bool> = LazyLock::new(|| {
        let is_too_old = "import sys; sys.exit(sys.version_info < (3, 8))";
        succeeds("python3", &["-c", is_too_old])
    });
    is_here(*WORKS, "python", "no python3 of 3.8 or later")
}

/// Whether there is a Node.js, which runs scripts as a browser does.
pub fn node_works() -> bool {
    static WORKS: LazyLock<bool> = LazyLock::new(|| {
        let is_too_old = "process.exit(globalThis.DecompressionStream ? 0 : 1)";
        succeeds("node", &["-e", is_too_old])
    });
    is_here(*WORKS, "node", "no Node.js of 18 or later (Debian: apt-get install nodejs)")
}

/// Whether this system permits `io_uring`.
pub fn io_uring_works() -> bool {
    static REFUSED: LazyLock<Option<String>> =
        LazyLock::new(|| Kernel::new().err().map(|error| error.to_string()));
    let why = REFUSED.as_deref();
    is_here(why.is_none(), "io_uring", why.unwrap_or_default())
}

/// Says that a test is skipped, and why: past the test harness, which keeps to itself what a test
/// that passes has printed.
pub fn skipped(why: &str) {
    let test = thread::current();
    let test = test.name().unwrap_or("a test");
    let _ = writeln!(io::stderr(), "{test} is skipped: {why}");
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    let status = command.args(arguments).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn is_here(works: bool, name: &str, why_not: &str) -> bool {
    let variable = format!("REQUIRE_{}", name.to_uppercase());
    assert!(works || env::var_os(variable).is_none(), "{why_not}");
    if !works {
        skipped(why_not);
    }
    works
}
