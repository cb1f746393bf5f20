//! A server that knows nothing of this book: its command, its port, the address that it prints,
//! and its end. (`cargo xtask judge` uses this file, too.)

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// What a command has in the place of its port.
pub const PORT: &str = "{port}";

/// A port that is free now. (It is below those that the system itself gives to clients.)
pub fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16 % 600 * 20;
    loop {
        let port =
            20_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed) % 12_000) % 12_000;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// Where a server may be that was given this port, and does not say which address it took.
pub fn on_port(port: u16) -> Vec<SocketAddr> {
    vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

/// The addresses that a line may mean: none, if it has none in it.
///
/// `127.0.0.1:8000`, `localhost:8000.`, `http://[::]:8000/`, `port 8000`, `('0.0.0.0', 8000)`.
pub fn addresses(line: &str) -> Vec<SocketAddr> {
    let apart =
        |c: char| c.is_whitespace() || c.is_control() || "'\"`,()<>/=".contains(c);
    let around = |c: char| ".:;!]}".contains(c);
    let words: Vec<&str> = line.split(apart).filter(|word| !word.is_empty()).collect();
    let joined = words.iter().find_map(|word| {
        let (host, port) = word.trim_end_matches(around).rsplit_once(':')?;
        on_host(host, port)
    });
    let apart = || {
        words.windows(2).find_map(|pair| {
            let (word, port) = (pair[0].trim_matches(around), pair[1]);
            let host = match word {
                _ if pair[0].parse::<IpAddr>().is_ok() => pair[0],
                _ if word.eq_ignore_ascii_case("port") => "localhost",
                // Behind a star or a bracket, a number is a number.
                _ => Some(word).filter(|word| word.contains(char::is_alphanumeric))?,
            };
            on_host(host, port.trim_end_matches(around))
        })
    };
    joined.or_else(apart).unwrap_or_default()
}

fn on_host(host: &str, port: &str) -> Option<Vec<SocketAddr>> {
    let port: u16 = port.parse().ok().filter(|&port| port > 0)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if ["", "*", "localhost"].contains(&host) {
        return Some(on_port(port));
    }
    Some(match host.parse().ok()? {
        IpAddr::V4(ip) if ip.is_unspecified() => vec![(Ipv4Addr::LOCALHOST, port).into()],
        IpAddr::V6(ip) if ip.is_unspecified() => on_port(port),
        ip => vec![(ip, port).into()],
    })
}

/// The first of the addresses where a connection is accepted.
pub fn accepting(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    const SOON: Duration = Duration::from_secs(1);
    let accepts = |addr: &&SocketAddr| TcpStream::connect_timeout(addr, SOON).is_ok();
    addresses.iter().find(accepts).copied()
}

/// All processes that a command has started, unless they have left its process group. They are
/// killed when this is dropped, and also when the process that has it is itself killed: a guard
/// waits for the end of a pipe.
pub struct Group {
    guard: Child,
}

impl Group {
    pub fn start(command: &mut Command) -> io::Result<(Child, Group)> {
        let script = "read group && { read nothing; kill -s KILL -- -\"$group\"; }";
        let guard = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // It is there before what it guards: nobody knows when this process is killed.
        let mut group = Group { guard };
        let child = command.process_group(0).spawn()?;
        writeln!(group.guard.stdin.as_mut().expect("piped"), "{}", child.id())?;
        Ok((child, group))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[test]
fn an_address_is_found_in_whatever_words() {
    let v4 = |port| vec![SocketAddr::from(([127, 0, 0, 1], port))];
    for line in [
        "listening on 127.0.0.1:8000",
        "Listening on: 127.0.0.1:8000",
        "2026-11-29 13:30:11 INFO server ready at http://127.0.0.1:8000/.",
        "Serving on ('127.0.0.1', 8000)",
        "\x1b[32mready\x1b[0m tcp://0.0.0.0:8000",
        "addr=127.0.0.1:8000, workers=4",
        "bound to [127.0.0.1:8000]",
        "* 4 workers at 127.0.0.1:8000",
    ] {
        assert_eq!(addresses(line), v4(8000), "{line}");
    }
    for line in [
        "listening on localhost:8000.",
        "Echo server started on port 8000",
        "Port: 8000",
        "listening on :8000",
        "server is bound to { address: '::', family: 'IPv6', port: 8000 }",
        "listening on [::]:8000!",
        "listening on *:8000",
        "{\"port\":8000}",
        "Serving on ('::', 8000, 0, 0)",
    ] {
        assert_eq!(addresses(line), on_port(8000), "{line}");
    }
    assert_eq!(addresses("on [::1]:80"), ["[::1]:80".parse().unwrap()]);
    for line in [
        "",
        "13:30:11 starting 4 workers",
        "node:events:497",
        "pid 8000",
        "a:0",
        "* 4 workers",
    ] {
        assert_eq!(addresses(line), [], "{line}");
    }
}
