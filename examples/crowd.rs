//! Many clients of an echo server that are all connected at the same time, and hardly ever say
//! anything: what a chat or a telephone network looks like from the server.
//!
//! `swarm` gives each client a thread, so that it can show who waits. Here one thread is enough,
//! and ten thousand clients are no effort. All connect; then each says one word and hears it
//! again, the last one first.
//!
//! What to try: `ulimit -Sn 4096`, `cargo run --bin 04_scheduler -- --quiet`, and in a second
//! terminal `cargo run --example crowd -- --clients 2000`. The same with `05_epoll`, and 10,000.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use bricks::limit::raise_descriptor_limit;
use bricks::log;
use lexopt::{Arg, Parser, ValueExt};

const NAME: &str = "crowd";
const WORD: &[u8] = b"hello";

/// A server that has not answered after this time will not answer.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match parse(Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            log::say(HELP);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            log::problem(format_args!("{wrong}\ntry '{NAME} --help'"));
            return ExitCode::from(2);
        }
    };
    match crowd(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            log::problem(problem);
            ExitCode::FAILURE
        }
    }
}

// ANCHOR: crowd
/// Connects all clients, and lets each say one word.
fn crowd(options: &Options) -> Result<(), String> {
    let mut clients = Vec::new();
    for i in 0..options.clients {
        let client =
            connect(options.connect).map_err(|error| hint(i, options, &error))?;
        clients.push(client);
    }
    log::say(format_args!("{} clients are connected", clients.len()));
    if options.hold {
        log::say("they stay until you press Enter");
        let _ = io::stdin().read_line(&mut String::new());
    }
    let mut echoes = 0;
    for client in clients.iter_mut().rev() {
        match say_a_word(client) {
            Ok(()) => echoes += 1,
            Err(error) if is_late(&error) => {
                return Err(format!("no answer for {} seconds", PATIENCE.as_secs()));
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(error.to_string());
            }
            Err(_) => {} // refused: the server has closed this connection
        }
    }
    log::say(format_args!("{echoes} of them have been answered"));
    match clients.len() - echoes {
        0 => Ok(()),
        refused => Err(format!("{refused} have been refused")),
    }
}
// ANCHOR_END: crowd

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect_timeout(&addr, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    Ok(client)
}

fn say_a_word(client: &mut TcpStream) -> io::Result<()> {
    client.write_all(WORD)?;
    let mut echo = [0; WORD.len()];
    client.read_exact(&mut echo)?;
    if echo != WORD {
        let why = "what came back is not what was sent: is this an echo server?";
        return Err(io::Error::new(ErrorKind::InvalidData, why));
    }
    Ok(())
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn hint(connected: usize, options: &Options, error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(EMFILE) => {
            "this terminal lets a program have no more descriptors (`ulimit -Hn`): \
             take fewer --clients"
        }
        _ if connected == 0 => "start a server first: cargo run --bin 05_epoll",
        _ => "take fewer --clients",
    };
    format!("client {connected} cannot connect to {}: {error}\n{hint}", options.connect)
}

/// "Too many open files", on every Unix.
const EMFILE: i32 = 24;

struct Options {
    connect: SocketAddr,
    clients: usize,
    hold: bool,
}

fn parse(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    let mut options =
        Options { connect: ([127, 0, 0, 1], 8000).into(), clients: 10_000, hold: false };
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("connect") => options.connect = arguments.value()?.parse()?,
            Arg::Long("clients") => options.clients = arguments.value()?.parse()?,
            Arg::Long("hold") => options.hold = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    // What cannot be raised is told when it is too low.
    let _ = raise_descriptor_limit();
    Ok(Some(options))
}

const HELP: &str = "\
Many clients of an echo server, all connected at the same time.

Usage: crowd [--connect ADDR:PORT] [--clients N] [--hold]

Options:
  --connect ADDR:PORT  where the server is [default: 127.0.0.1:8000]
  --clients N          how many clients [default: 10000]
  --hold               wait for Enter before they say their word
  -h, --help           print this and exit

The exit status is 0 if all were answered, 1 if not, 2 for wrong usage.";
