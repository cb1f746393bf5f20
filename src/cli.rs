//! The command line that all stages share: the same flags, the same messages, the same exit
//! status.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser};

use crate::log::{self, Log};
use crate::net;
use crate::recording::{Recording, Source};

// ANCHOR: program
/// Where a server listens unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

/// A numbered binary, for `--help` and `--version`.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The binary's name, `env!("CARGO_BIN_NAME")`.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// Whether it has the flag `--lines` (stage 04 and later).
    pub lines: bool,
    /// Whether it has the option `--trace` (stage 04 and later).
    pub trace: bool,
}

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--listen ADDR:PORT`.
    pub listen: SocketAddr,
    /// What to say about clients: nothing after `--quiet`.
    pub log: Log,
    /// `--lines`: answer lines, instead of echoing bytes.
    pub lines: bool,
    /// `--trace FILE`: where to record what happens.
    pub trace: Option<PathBuf>,
}
// ANCHOR_END: program

// ANCHOR: run
impl Program {
    /// Reads the command line and runs `serve`. What it returns becomes the exit status: 0
    /// after a graceful stop, 1 if the server cannot run, 2 for wrong usage.
    pub fn run(self, serve: impl FnOnce(Options) -> io::Result<()>) -> ExitCode {
        let options = match self.parse(Parser::from_env()) {
            Ok(Request::Serve(options)) => options,
            Ok(Request::Say(text)) => {
                log::say(text);
                return ExitCode::SUCCESS;
            }
            Err(wrong) => {
                log::problem(format_args!("{wrong}\ntry '{} --help'", self.name));
                return ExitCode::from(2);
            }
        };
        match serve(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                log::problem(error);
                ExitCode::FAILURE
            }
        }
    }
    // ANCHOR_END: run

    // ANCHOR: parse
    fn parse(self, mut arguments: Parser) -> Result<Request, lexopt::Error> {
        let mut listen = DEFAULT_ADDRESS.parse().expect("the default is an address");
        let (mut quiet, mut lines, mut trace) = (false, false, None);
        while let Some(argument) = arguments.next()? {
            match argument {
                Arg::Long("listen") => listen = address(&arguments.value()?)?,
                Arg::Short('q') | Arg::Long("quiet") => quiet = true,
                Arg::Long("lines") if self.lines => lines = true,
                Arg::Long("trace") if self.trace => {
                    trace = Some(arguments.value()?.into());
                }
                Arg::Short('h') | Arg::Long("help") => {
                    return Ok(Request::Say(self.to_string()));
                }
                Arg::Short('V') | Arg::Long("version") => {
                    let version = env!("CARGO_PKG_VERSION");
                    return Ok(Request::Say(format!("{} {version}", self.name)));
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(Request::Serve(Options { listen, log: Log::new(quiet), lines, trace }))
    }
}

fn address(value: &OsStr) -> Result<SocketAddr, String> {
    value.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        format!(
            "invalid value {value:?} for option '--listen': an address has the form \
             ADDR:PORT, in numbers: 127.0.0.1:8000, or [::1]:8000 for IPv6"
        )
    })
}

enum Request {
    Serve(Options),
    Say(String),
}
// ANCHOR_END: parse

// ANCHOR: help
/// The text of `--help`.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Program { name, about, lines, trace } = *self;
        let with_lines = if lines { " [--lines]" } else { "" };
        let with_trace = if trace { " [--trace FILE]" } else { "" };
        write!(
            f,
            "{about}\n\n\
             Usage: {name} [--listen ADDR:PORT] [--quiet]{with_lines}{with_trace}\n\n\
             Options:\n  \
               --listen ADDR:PORT  where to listen [default: {DEFAULT_ADDRESS}];\n                      \
                                   [::1]:8000 is IPv6, [::]:8000 and 0.0.0.0:8000 let other\n                      \
                                   machines in, port 0 takes any free port\n  \
               -q, --quiet         log no connections\n"
        )?;
        if lines {
            f.write_str(
                "      --lines         answer each line with 'Get: ' and that line\n",
            )?;
        }
        if trace {
            f.write_str(
                "      --trace FILE    record each step in FILE, as JSON Lines\n",
            )?;
        }
        write!(
            f,
            "  -h, --help          print this and exit\n  \
               -V, --version       print the version and exit\n\n\
             Talk to it with: nc {}",
            DEFAULT_ADDRESS.replace(':', " ")
        )
    }
}
// ANCHOR_END: help

// ANCHOR: listen
impl Options {
    /// Starts to listen.
    ///
    /// # Errors
    ///
    /// If that is impossible, with what to try next.
    pub fn listen(&self) -> io::Result<TcpListener> {
        net::listen(self.listen).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program has this port: stop it, or take another port, \
                     such as --listen 127.0.0.1:8001 (port 0 takes any free one)"
                }
                io::ErrorKind::AddrNotAvailable => {
                    "this machine does not have this address: \
                     try 127.0.0.1, or 0.0.0.0 for all it has"
                }
                io::ErrorKind::PermissionDenied => {
                    "ports below 1024 are reserved: take a larger one"
                }
                _ => "try --listen 127.0.0.1:8000",
            };
            let listen = self.listen;
            io::Error::new(
                error.kind(),
                format!("cannot listen on {listen}: {error}\n{hint}"),
            )
        })
    }
}
// ANCHOR_END: listen

// ANCHOR: recording
impl Options {
    /// Starts the recording that `--trace` asks for, if it does.
    ///
    /// # Errors
    ///
    /// If its file cannot be written.
    pub fn recording(&self, source: Source) -> io::Result<Option<Recording>> {
        let create = |path: &PathBuf| Recording::create(path, source);
        self.trace.as_ref().map(create).transpose()
    }
}
// ANCHOR_END: recording

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Program =
        Program { name: "99_test", about: "A test.", lines: true, trace: true };

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        match PROGRAM.parse(Parser::from_args(arguments)) {
            Ok(Request::Serve(options)) => Ok(options),
            Ok(Request::Say(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.listen.to_string(), DEFAULT_ADDRESS);
        assert!(!options.lines);
    }

    #[test]
    fn a_wrong_argument_is_named() {
        for (arguments, name) in [
            (&["--lissten", "x"][..], "--lissten"),
            (&["--listen"], "--listen"),
            (&["--listen", "localhost"], "localhost"),
            (&["--listen", "1.2.3.4"], "1.2.3.4"),
            (&["--quiet=yes"], "--quiet"),
            (&["extra"], "extra"),
        ] {
            let message = parse(arguments).unwrap_err();
            assert!(message.contains(name), "{arguments:?}: {message}");
        }
    }

    #[test]
    fn only_the_later_stages_have_lines() {
        assert!(parse(&["--lines"]).unwrap().lines);
        let early = Program { lines: false, trace: false, ..PROGRAM };
        for flag in ["--lines", "--trace"] {
            assert!(early.parse(Parser::from_args([flag, "file"])).is_err());
            assert!(!early.to_string().contains(flag));
            assert!(PROGRAM.to_string().contains(flag));
        }
    }

    #[test]
    fn a_trace_has_a_file() {
        assert_eq!(parse(&[]).unwrap().trace, None);
        assert_eq!(parse(&["--trace", "a b"]).unwrap().trace, Some("a b".into()));
        assert!(parse(&["--trace"]).unwrap_err().contains("--trace"));
    }
}
