//! What the peers share: their command line, which is that of the book's servers as far as it
//! makes sense for them, and a listening socket like theirs.
//!
//! Peers say nothing about their clients, so `--quiet` changes nothing.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 4096;

/// What the user asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `--listen ADDR:PORT`.
    pub listen: SocketAddr,
    /// `--buffer BYTES`: how much one receive takes at most.
    pub buffer: usize,
    /// `--variant NAME`: the other way to write this peer, where it has two.
    pub variant: bool,
}

/// Reads the command line and runs `serve`. `variant` is the name of the other way that this
/// peer is written in, if it has two.
pub fn run(
    variant: Option<&str>,
    serve: impl FnOnce(Options) -> io::Result<()>,
) -> ExitCode {
    let options = match parse(variant) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(variant: Option<&str>) -> Result<Options, lexopt::Error> {
    let mut options =
        Options { listen: ([127, 0, 0, 1], 8000).into(), buffer: 4096, variant: false };
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("listen") => options.listen = arguments.value()?.parse()?,
            Arg::Long("buffer") => options.buffer = arguments.value()?.parse()?,
            Arg::Short('q') | Arg::Long("quiet") => {}
            Arg::Long(name) if Some(name) == variant => options.variant = true,
            other => return Err(other.unexpected()),
        }
    }
    if !(1..=1 << 20).contains(&options.buffer) {
        return Err("--buffer wants a number of bytes from 1 to 1048576".into());
    }
    Ok(options)
}

/// A non-blocking socket that listens on `addr`. Those that it accepts send at once (on Linux
/// they inherit that), but for runtimes that set it themselves.
///
/// # Errors
///
/// Those of `socket(2)`, `bind(2)` and `listen(2)`.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let domain = socket2::Domain::for_address(addr);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Says that the server accepts connections on `addr`.
pub fn listening(addr: SocketAddr) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "listening on {addr}").and_then(|()| out.flush());
}

/// Says what went wrong with one client, and goes on.
pub fn problem(what: impl Display) {
    let _ = writeln!(io::stderr(), "{what}");
}
