//! Many clients of an echo server that are all connected at the same time, and hardly ever say
//! anything: what a chat or a telephone network looks like from the server.
//!
//! `swarm` gives each client a thread, so that it can show who waits. Here one thread is enough,
//! and ten thousand clients are no effort. All connect; then each says one word and hears it
//! again, the last one first.
//!
//! What to try: `ulimit -Sn 4096`, `cargo run --bin 04_scheduler -- --quiet`, and in a second
//! terminal `cargo crowd --clients 2000`. The same with `05_epoll`, and 10,000.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clients::{ADDRESS, address, advice, no_descriptor_is_left, say};

const WORD: &[u8] = b"hello";

/// A server that has not answered after this time will not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Many clients of an echo server, all connected at the same time.
#[derive(Parser)]
#[command(name = "crowd", version, after_help = AFTER_HELP)]
struct Options {
    /// Where the server is
    #[arg(long, value_name = "ADDR:PORT")]
    #[arg(default_value = ADDRESS, value_parser = address)]
    connect: SocketAddr,
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    clients: usize,
    /// Wait for Enter before they say their word
    #[arg(long)]
    hold: bool,
}

const AFTER_HELP: &str =
    "The exit status is 0 if all were answered, 1 if not, 2 for wrong usage.";

fn main() -> ExitCode {
    clients::run(crowd)
}

/// Connects all clients, and lets each say one word.
fn crowd(options: Options) -> Result<(), String> {
    // What cannot be raised is told when it is too low.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut clients = Vec::new();
    for i in 0..options.clients {
        clients
            .push(connect(options.connect).map_err(|error| hint(i, &options, &error))?);
    }
    say(format_args!("{} clients are connected", clients.len()));
    if options.hold {
        say("they stay until you press Enter");
        let _ = io::stdin().read_line(&mut String::new());
    }
    let mut echoes = 0;
    for client in clients.iter_mut().rev() {
        match say_a_word(client) {
            Ok(echo) if echo == WORD => echoes += 1,
            Ok(_) => {
                let problem =
                    "what came back is not what was sent: is this an echo server?";
                return Err(problem.to_string());
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    return Err(format!("no answer for {} seconds", PATIENCE.as_secs()));
                }
                _ => {} // refused: the server has closed this connection
            },
        }
    }
    say(format_args!("{echoes} of them have been answered"));
    match clients.len() - echoes {
        0 => Ok(()),
        refused => Err(format!("{refused} have been refused")),
    }
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let client = TcpStream::connect_timeout(&addr, PATIENCE)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    Ok(client)
}

/// What comes back for it.
fn say_a_word(client: &mut TcpStream) -> io::Result<[u8; WORD.len()]> {
    client.write_all(WORD)?;
    let mut echo = [0; WORD.len()];
    client.read_exact(&mut echo)?;
    Ok(echo)
}

fn hint(connected: usize, options: &Options, error: &io::Error) -> String {
    let hint = match connected {
        _ if no_descriptor_is_left(error) => {
            "this terminal lets a program have no more descriptors (`ulimit -Hn`): \
             take fewer --clients"
                .to_string()
        }
        0 => advice(options.connect, error),
        _ => "take fewer --clients".to_string(),
    };
    let (client, to) = (connected + 1, options.connect);
    format!("client {client} cannot connect to {to}: {error}\n{hint}")
}
