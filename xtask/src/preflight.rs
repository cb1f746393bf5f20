//! `cargo xtask preflight`: whether this machine has what the lessons need, and what to do if not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::place::{self, build};
use crate::{breaks, root};

const MDBOOK: &str = "0.5.4";

/// What came of looking at one thing.
enum Found {
    /// It is as it should be.
    Good(String),
    /// Something is less convenient, or one lesson cannot be tried: and what to do.
    Less(String, &'static str),
    /// The lessons cannot be followed without it: and what to do.
    Missing(String, &'static str),
}
use Found::{Good, Less, Missing};

type Look = fn() -> Found;

const LOOKS: [(&str, Look); 15] = [
    ("Rust", rust),
    ("linker", linker),
    ("servers", servers),
    ("clients", clients),
    ("exercises", exercises),
    ("port 8000", port),
    ("IPv6", ipv6),
    ("descriptors", descriptors),
    ("threads", threads),
    ("epoll", epoll),
    ("io_uring", io_uring),
    ("nc", nc),
    ("python3", python),
    ("strace", strace),
    ("mdBook", mdbook),
];

/// What a newcomer types next: a server, a client, and what there is to do.
const NEXT: &str = "
Type this next:

  cargo run --bin 01_blocking     the first server, in this terminal
  cargo talk hello                a client, in a second terminal
  cargo xtask learn               the first exercise
";

pub fn preflight() -> Result<(), String> {
    println!("Is everything here that the lessons need?\n");
    let (mut less, mut missing) = (0, 0);
    for (name, look) in LOOKS {
        let (mark, found, advice) = match look() {
            Good(found) => ("ok  ", found, None),
            Less(found, advice) => ("less", found, Some(advice)),
            Missing(found, advice) => ("NO  ", found, Some(advice)),
        };
        println!("{mark}  {name:<12} {found}");
        if let Some(advice) = advice {
            for line in advice.lines() {
                println!("      {:12} -> {line}", "");
            }
            match mark {
                "NO  " => missing += 1,
                _ => less += 1,
            }
        }
    }
    println!();
    match (missing, less) {
        (0, 0) => println!("Everything is here."),
        (0, _) => println!(
            "All lessons can be followed; what is marked `less` says which part \
            of them\nyou only read."
        ),
        _ => return Err(format!("{missing} of the things above are needed and missing")),
    }
    print!("{NEXT}");
    Ok(())
}

/// What a command prints, if it can be run and succeeds.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    output.status.success().then_some(text)
}

/// The numbers in a version: `1.88` of `rustc 1.88.0 (…)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text.split_whitespace().find(|word| word.contains('.'))?;
    let mut numbers =
        word.trim_start_matches(|c: char| !c.is_ascii_digit()).split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn rust() -> Found {
    let text = output("rustc", &["--version"]).unwrap_or_default();
    match version(&text) {
        Some(version) if version >= (1, 88) => Good(text),
        Some(_) => Missing(text, "1.88 or later is needed: rustup update stable"),
        None => Missing("no rustc".into(), "install Rust: https://rustup.rs"),
    }
}

fn linker() -> Found {
    match output("cc", &["--version"]) {
        Some(text) => Good(text.lines().next().unwrap_or_default().to_string()),
        None => Missing(
            "no cc, with which Rust links programs".into(),
            "Debian, Ubuntu, WSL: sudo apt install build-essential\n\
             Fedora: sudo dnf install gcc\nmacOS: xcode-select --install",
        ),
    }
}

/// For `cargo run` alone, some crates are compiled with fewer of their features. Whoever has
/// run the preflight should wait for neither.
fn servers() -> Found {
    println!("Compiling, which can take minutes the first time:");
    let cargo = place::readers_cargo;
    compiles(
        build(cargo(), &["build", "--bins", "--examples"])
            .and_then(|_| build(cargo(), &["build"])),
    )
}

/// What `cargo talk`, `cargo swarm` and `cargo crowd` run.
fn clients() -> Found {
    compiles(build(place::readers_cargo(), &["build", "--package", "clients"]))
}

/// What the checks of `cargo xtask learn` use.
fn exercises() -> Found {
    compiles(build(place::cargo(), &["build", "--package", "exercises"]))
}

fn compiles(built: Result<Vec<PathBuf>, String>) -> Found {
    match (built, breaks::applied()) {
        (Ok(_), _) => Good("they compile".into()),
        (Err(why), Some(name)) => Missing(
            format!("{why}. They are broken: {name}"),
            "take that back: cargo xtask fix",
        ),
        (Err(why), None) => Missing(
            why,
            "have you edited them? `git diff src clients exercises` shows it, and a fresh \n\
             copy of this folder is as it was, beside your work\n\
             no network? compile once where there is one: cargo fetch && cargo build",
        ),
    }
}

fn port() -> Found {
    match TcpListener::bind("127.0.0.1:8000") {
        Ok(_) => Good("free".into()),
        Err(error) => Less(
            error.to_string(),
            "something else has it. Find it: ss -ltnp 'sport = :8000' (macOS: lsof -i :8000)\n\
             or use another one: --listen 127.0.0.1:8001 for servers, --connect for clients",
        ),
    }
}

fn ipv6() -> Found {
    match TcpListener::bind("[::1]:0") {
        Ok(_) => Good("there is a loopback address".into()),
        Err(error) => {
            Less(error.to_string(), "no lesson needs it; its tests are skipped")
        }
    }
}

/// A limit of the shell: `None` is none at all.
fn limit(flags: &str) -> Option<u64> {
    let text = output("sh", &["-c", &format!("ulimit {flags}")]).unwrap_or_default();
    text.parse().ok()
}

fn descriptors() -> Found {
    let (soft, hard) = (limit("-S -n"), limit("-H -n"));
    let text = |limit: Option<u64>| limit.map_or("any number".into(), |n| n.to_string());
    let both =
        format!("{} for each process, up to {} on request", text(soft), text(hard));
    match hard {
        Some(hard) if hard < 4096 => Less(
            both,
            "the experiment with 1,100 clients needs 4096: ask who runs this machine\n\
             (/etc/security/limits.conf, or --ulimit nofile=4096 for a container)",
        ),
        _ => Good(both),
    }
}

fn threads() -> Found {
    // They stay until the channel that they wait for is closed.
    let (stay, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    let started = thread::scope(|scope| {
        let wait = || drop(gone.lock().map(|gone| gone.recv()));
        let start = |_| thread::Builder::new().spawn_scoped(scope, wait).ok();
        let count = (0..100).map_while(start).count();
        drop(stay);
        count
    });
    match started {
        100 => Good("a hundred can be started".into()),
        count => Less(
            format!("only {count}"),
            "the lesson about threads starts 100: ulimit -u",
        ),
    }
}

/// Starts a numbered server on any port: whether it listens, or what it says instead.
fn starts(name: &str) -> Result<(), String> {
    let mut cargo = place::readers_cargo();
    cargo.arg("build").arg("--quiet");
    let built = build(cargo, &["--bin", name])?;
    let program = built.last().ok_or("cargo named no program")?;
    let mut child = Command::new(program)
        .args(["--listen", "127.0.0.1:0", "--quiet"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (line, lines) = mpsc::channel();
    let outputs: [Box<dyn std::io::Read + Send>; 2] = [
        Box::new(child.stdout.take().expect("piped")),
        Box::new(child.stderr.take().expect("piped")),
    ];
    for output in outputs {
        let line = line.clone();
        thread::spawn(move || {
            let mut first = String::new();
            let _ = BufReader::new(output).read_line(&mut first);
            let _ = line.send(first);
        });
    }
    drop(line);
    let said = loop {
        match lines.recv_timeout(Duration::from_secs(5)) {
            Ok(line) if line.is_empty() => {}
            Ok(line) => break line,
            Err(_) => break "it says nothing".to_string(),
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    match said.starts_with("listening on ") {
        true => Ok(()),
        false => Err(said.trim().to_string()),
    }
}

fn epoll() -> Found {
    match starts("05_epoll") {
        Ok(()) => Good("05_epoll starts".into()),
        Err(why) => Less(why, "chapter 5 needs Linux; elsewhere, read it"),
    }
}

fn io_uring() -> Found {
    let why = match starts("07_io_uring") {
        Ok(()) => return Good("07_io_uring starts".into()),
        Err(why) => why,
    };
    let disabled =
        fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let advice = match disabled.trim() {
        "1" | "2" => {
            "this system forbids it. If you may: sudo sysctl kernel.io_uring_disabled=0\n\
             else chapter 7 is for reading; its recordings show what happens"
        }
        _ => {
            "it needs Linux 6.1 or later, and containers often forbid it (for Docker:\n\
             --security-opt seccomp=unconfined). Else chapter 7 is for reading; its\n\
             recordings show what happens"
        }
    };
    Less(why, advice)
}

fn found(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn nc() -> Found {
    let advice = "use `cargo talk` wherever a page says nc 127.0.0.1 8000\n\
         or install it: sudo apt install netcat-openbsd";
    match ["nc", "telnet"].into_iter().find(|program| found(program)) {
        Some("nc") => Good("found".into()),
        Some(other) => Good(format!("no nc, but {other}: {other} 127.0.0.1 8000")),
        None => Less("none".into(), advice),
    }
}

fn python() -> Found {
    let text = output("python3", &["--version"]).unwrap_or_default();
    match version(&text) {
        Some(version) if version >= (3, 8) => Good(text),
        _ => Less(
            format!("3.8 or later is not here {text}"),
            "needed for the page beside the Python original: sudo apt install python3",
        ),
    }
}

fn strace() -> Found {
    let Some(text) = output("strace", &["--version"]) else {
        return Less(
            "not here".into(),
            "needed to count system calls (Linux): sudo apt install strace",
        );
    };
    let first = text.lines().next().unwrap_or_default().to_string();
    match output("strace", &["-o", "/dev/null", "true"]) {
        Some(_) => Good(first),
        None => Less(
            format!("{first}, but it may not look at programs"),
            "in a container: --cap-add SYS_PTRACE; elsewhere: sudo sysctl \
             kernel.yama.ptrace_scope=0",
        ),
    }
}

fn mdbook() -> Found {
    let advice = "needed for the book in a browser: \
         cargo install mdbook --version 0.5.4 --locked\n\
         (the pages can be read as they are, too: chapters/start.md)";
    match output("mdbook", &["--version"]) {
        Some(text) if text.contains(MDBOOK) => Good(text),
        _ if root().join("book/index.html").is_file() => {
            Good("not needed: book/index.html has been built".into())
        }
        Some(text) => Less(format!("{text}, not {MDBOOK}"), advice),
        None => Less("not here".into(), advice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found() {
        assert_eq!(version("rustc 1.95.0 (abc 2026-01-01)"), Some((1, 95)));
        assert_eq!(version("Python 3.11.2"), Some((3, 11)));
        assert_eq!(version("mdbook v0.5.4"), Some((0, 5)));
        assert_eq!(version("no such thing"), None);
    }
}
