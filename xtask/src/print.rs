//! `print!` and its like, for all chores. Where std's would panic, these end the chore: silently if
//! the pipe behind it was closed (`cargo xtask perfetto FILE | head -1`).

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::panic;
use std::process::ExitCode;

macro_rules! print {
    ($($text:tt)*) => { $crate::print::out(format_args!($($text)*)) };
}

macro_rules! println {
    () => { $crate::print::out(format_args!("\n")) };
    ($($text:tt)*) => { $crate::print::out(format_args!("{}\n", format_args!($($text)*))) };
}

macro_rules! eprint {
    ($($text:tt)*) => { $crate::print::problem(format_args!($($text)*)) };
}

macro_rules! eprintln {
    ($($text:tt)*) => {
        $crate::print::problem(format_args!("{}\n", format_args!($($text)*)))
    };
}

/// What a shell calls a program that SIGPIPE has ended.
const ENDED_BY_SIGPIPE: u8 = 128 + 13;

/// Unwinds up to `main`, so that whatever was started is ended on the way.
struct Unprinted(io::Error);

pub fn out(text: fmt::Arguments) {
    if let Err(error) = io::stdout().write_fmt(text) {
        panic::resume_unwind(Box::new(Unprinted(error)));
    }
}

pub fn problem(text: fmt::Arguments) {
    // There is no other place to complain.
    let _ = io::stderr().write_fmt(text);
}

/// Runs a chore to its end, or until what it prints cannot be written.
pub fn while_printed(chore: impl FnOnce() -> ExitCode + panic::UnwindSafe) -> ExitCode {
    let panic = match panic::catch_unwind(chore) {
        Ok(status) => return status,
        Err(panic) => panic,
    };
    match panic.downcast::<Unprinted>() {
        Ok(why) if why.0.kind() == ErrorKind::BrokenPipe => {
            ExitCode::from(ENDED_BY_SIGPIPE)
        }
        Ok(why) => {
            eprintln!("xtask: cannot print: {}", why.0);
            ExitCode::FAILURE
        }
        Err(panic) => panic::resume_unwind(panic),
    }
}
