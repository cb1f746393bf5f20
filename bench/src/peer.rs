//! What the peers share: their command line, which is that of the book's servers as far as it
//! makes sense for them, and a listening socket like theirs.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::{Args, Parser};

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 4096;

/// The options of every peer.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// How much one receive takes at most
    #[arg(long, value_name = "BYTES", default_value = "4096", value_parser = size)]
    pub buffer: usize,
    /// Changes nothing: peers say nothing about their clients
    #[arg(short, long)]
    pub quiet: bool,
}

/// The command line of a peer that has no option of its own.
#[derive(Parser)]
pub struct Plain {
    /// Those of every peer.
    #[command(flatten)]
    pub options: Options,
}

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=1 << 20).contains(size));
    size.ok_or("a number of bytes from 1 to 1048576 is wanted".to_string())
}

/// Reads the command line and runs `serve`.
pub fn run<O: Parser>(serve: impl FnOnce(O) -> io::Result<()>) -> ExitCode {
    match serve(O::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            problem(error);
            ExitCode::FAILURE
        }
    }
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
