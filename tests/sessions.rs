//! The terminal sessions that the book shows are recordings, and this keeps them true: it runs
//! each again and compares what comes out.
//!
//! A session is a script, `chapters/**/sessions/NAME.session`, one step a line:
//!
//! ```text
//! server $ cargo run -q --bin 01_blocking     starts a command in a terminal of this name
//! one $ cargo talk                            and another one
//! server ? listening on                       waits until it has printed that
//! one < hello                                 types a line into it
//! one .                                       ends its input (Ctrl-D) and waits for its end
//! server !                                    ends it (Ctrl-C)
//! ~                                           numbers differ each time, see below
//! # a comment
//! ```
//!
//! A server may have a limit: `server $ (ulimit -n 4096; ./target/debug/03_select)`.
//!
//! What a terminal showed is recorded beside the script as `NAME.TERMINAL.txt`. The first server
//! is shown on port 8000 whatever port it had, clients' ports are shown as 50001, 50002, …;
//! times are shown as recorded, and not compared. `cargo xtask record` makes new recordings.
//!
//! Where a limit is met, numbers differ from one machine to the next, and the same message comes
//! many times. In a session with a line `~` no numbers are compared, and `…` stands for lines that
//! differ from an earlier one in numbers only.

#![cfg(target_os = "linux")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty;
use nix::sys::signal::{self, Signal};
use nix::sys::termios::{self, LocalFlags, SetArg};
use nix::unistd::Pid;

use support::clients::client;
use support::default_signals;
use support::recorded::{find, is_recording};

const PATIENCE: Duration = Duration::from_secs(60);

/// What the key sends; at the beginning of a line it ends the input.
const CTRL_D: &[u8] = b"\x04";

#[test]
fn recorded_sessions_are_true() {
    let mut count = 0;
    for script in find("session") {
        let text = fs::read_to_string(&script).unwrap();
        let mut shown = Session::default().run(&script, &text);
        // Where the machine stands still for a second, `talk` says that it waits. What has really
        // changed is different each time.
        for _ in 0..3 {
            if is_recording() || differences(&script, &text, &shown).is_empty() {
                break;
            }
            shown = Session::default().run(&script, &text);
        }
        if is_recording() {
            for (terminal, shown) in &shown {
                fs::write(recording(&script, terminal), shown).unwrap();
            }
        }
        let differences = differences(&script, &text, &shown);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        count += shown.len();
    }
    assert!(count > 0, "no session was found");
}

/// Where it is recorded what a terminal of this session showed.
fn recording(script: &Path, terminal: &str) -> PathBuf {
    script.with_extension(format!("{terminal}.txt"))
}

/// What the terminals of a session show and have not shown when they were recorded.
fn differences(
    script: &Path,
    text: &str,
    shown: &BTreeMap<String, String>,
) -> Vec<String> {
    let numbers = !numbers_differ(text);
    let in_one = |(terminal, shown): (&String, &String)| {
        let file = recording(script, terminal);
        let recorded = fs::read_to_string(&file).unwrap_or_else(|e| {
            panic!("{}: {e}; run `cargo xtask record`", file.display())
        });
        let difference = difference(&recorded, shown, numbers)?;
        Some(format!("{} shows what no longer happens: {difference}", file.display()))
    };
    shown.iter().filter_map(in_one).collect()
}

/// Whether the script has a line `~`.
fn numbers_differ(script: &str) -> bool {
    script.lines().any(|line| line.trim() == "~")
}

#[derive(Default)]
struct Session {
    terminals: BTreeMap<String, Terminal>,
    /// The first server's real address.
    server: Option<String>,
    clients: Vec<String>,
}

struct Terminal {
    shown: String,
    child: Child,
    keyboard: File,
    lines: Receiver<String>,
}

impl Session {
    fn run(mut self, script: &Path, text: &str) -> BTreeMap<String, String> {
        for (number, step) in (1..).zip(text.lines()) {
            let step = step.trim();
            if step.is_empty() || step.starts_with('#') || step == "~" {
                continue;
            }
            let place = format!("{}:{number}", script.display());
            let mut words = step.splitn(3, ' ');
            let (name, verb) = (words.next().unwrap(), words.next().unwrap_or(""));
            let rest = words.next().unwrap_or("");
            match verb {
                "$" => self.start(name, rest, &place),
                "?" => self.wait_for(name, rest, &place),
                "<" => {
                    let terminal = self.terminal(name, &place);
                    terminal.shown += &format!("{rest}\n");
                    writeln!(terminal.keyboard, "{rest}").unwrap();
                }
                "." => {
                    let terminal = self.terminal(name, &place);
                    terminal.keyboard.write_all(CTRL_D).unwrap();
                    self.end(name, &place);
                }
                "!" => {
                    self.show_what_is_there(name, &place);
                    let terminal = self.terminal(name, &place);
                    let pid = Pid::from_raw(terminal.child.id() as i32);
                    signal::kill(pid, Signal::SIGINT).unwrap();
                    terminal.shown += "^C\n";
                    self.end(name, &place);
                }
                _ => panic!("{place}: what is {verb:?}?"),
            }
        }
        let server = self.server.take();
        let clients = std::mem::take(&mut self.clients);
        let terminals = std::mem::take(&mut self.terminals);
        let show = |(name, terminal): (String, Terminal)| {
            let mut shown = terminal.shown;
            if let Some(server) = &server {
                shown = shown.replace(server, "127.0.0.1:8000");
            }
            for (i, client) in clients.iter().enumerate() {
                shown = shown.replace(client, &format!("127.0.0.1:{}", 50001 + i));
            }
            let shown = if numbers_differ(text) { shortened(&shown) } else { shown };
            (name, shown)
        };
        terminals.into_iter().map(show).collect()
    }

    fn terminal(&mut self, name: &str, place: &str) -> &mut Terminal {
        let terminal = self.terminals.get_mut(name);
        terminal.unwrap_or_else(|| panic!("{place}: nothing runs in the terminal {name}"))
    }

    fn start(&mut self, name: &str, shown: &str, place: &str) {
        default_signals::restore();
        let (keyboard, stdin) = keyboard();
        let mut command = self.command(shown, place);
        // One pipe for both, as both are one screen: what is written first is shown first.
        let (screen, output) = io::pipe().unwrap();
        let child = command
            .stdin(stdin)
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{place}: {error}; `cargo build --examples` makes the examples")
            });
        let (sender, lines) = mpsc::channel();
        collect(screen, sender);
        let shown = format!("$ {shown}\n");
        self.terminals
            .insert(name.to_string(), Terminal { shown, child, keyboard, lines });
    }

    /// `cargo run --bin NAME -- ARGUMENTS` is shown, or `cargo talk ARGUMENTS`; what was
    /// built is run, and told the real address. (What `cargo` says itself is not shown.)
    fn command(&self, shown: &str, place: &str) -> Command {
        let words: Vec<&str> = shown.split_whitespace().collect();
        let test = env::current_exe().unwrap();
        let target = test.ancestors().nth(2).unwrap();
        let listen = ["--listen", "127.0.0.1:0"];
        if let Some((limit, server)) = limited(shown) {
            let mut words = server.split(' ');
            let mut command = Command::new("sh");
            command.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
            command.arg(target.join(words.next().unwrap())).args(listen).args(words);
            return command;
        }
        let words: Vec<&str> = words.into_iter().filter(|&word| word != "-q").collect();
        let (program, address, arguments) = match words[..] {
            ["cargo", "run", "--bin", name, ref arguments @ ..] => {
                (target.join(name), listen, arguments)
            }
            ["cargo", "run", "--example", name, ref arguments @ ..] => {
                (target.join("examples").join(name), listen, arguments)
            }
            ["cargo", "run", ref arguments @ ..] => {
                (target.join("04_scheduler"), listen, arguments)
            }
            ["cargo", name @ ("talk" | "swarm" | "crowd"), ref arguments @ ..] => {
                let server = self.server.as_deref();
                let server = server.unwrap_or_else(|| panic!("{place}: no server runs"));
                (client(name), ["--connect", server], arguments)
            }
            _ => panic!(
                "{place}: only `cargo run`, `(ulimit …; ./target/debug/…)` and clients \
                 can be recorded"
            ),
        };
        let mut command = Command::new(program);
        command.args(address).args(arguments.iter().filter(|&&word| word != "--"));
        command
    }

    fn wait_for(&mut self, name: &str, text: &str, place: &str) {
        loop {
            let terminal = self.terminal(name, place);
            let line = terminal.lines.recv_timeout(PATIENCE);
            let line =
                line.unwrap_or_else(|_| panic!("{place}: it never printed {text:?}"));
            self.show(name, &line, place);
            if line.contains(text) {
                return;
            }
        }
    }

    /// What it has printed so far, and nothing has waited for.
    fn show_what_is_there(&mut self, name: &str, place: &str) {
        while let Ok(line) = self.terminal(name, place).lines.try_recv() {
            self.show(name, &line, place);
        }
    }

    fn end(&mut self, name: &str, place: &str) {
        while let Ok(line) = self.terminal(name, place).lines.recv_timeout(PATIENCE) {
            self.show(name, &line, place);
        }
        self.terminal(name, place).child.wait().unwrap();
    }

    fn show(&mut self, name: &str, line: &str, place: &str) {
        if let Some(addr) = line.strip_prefix("listening on ") {
            self.server.get_or_insert(addr.to_string());
        }
        if let Some(addr) = line.strip_prefix("Connection from: ") {
            self.clients.push(addr.to_string());
        }
        self.terminal(name, place).shown += &format!("{line}\n");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for terminal in self.terminals.values_mut() {
            let _ = terminal.child.kill();
        }
    }
}

/// `-n 4096` and `03_select --quiet`, from `(ulimit -n 4096; ./target/debug/03_select --quiet)`.
fn limited(shown: &str) -> Option<(&str, &str)> {
    let inside = shown.strip_prefix("(ulimit ")?.strip_suffix(')')?;
    inside.split_once("; ./target/debug/")
}

/// A terminal's keyboard and what a program reads from it: some say more to a terminal than to a
/// pipe. It does not show what is typed; the recording does that.
fn keyboard() -> (File, Stdio) {
    let terminal = pty::openpty(None, None).unwrap();
    // Some servers are out of descriptors when they have 1,024: give them no more than three.
    for end in [&terminal.master, &terminal.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let mut settings = termios::tcgetattr(&terminal.slave).unwrap();
    settings.local_flags.remove(LocalFlags::ECHO);
    termios::tcsetattr(&terminal.slave, SetArg::TCSANOW, &settings).unwrap();
    (File::from(terminal.master), Stdio::from(terminal.slave))
}

fn collect(from: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                break;
            }
        }
    });
}

/// What a terminal shows that was not recorded, if it is more than times, or than numbers where
/// these are not compared.
fn difference(recorded: &str, shown: &str, numbers: bool) -> Option<String> {
    let compared = |text: &str| match numbers {
        true => without_times(text),
        false => without_numbers(text),
    };
    let (recorded, shown) = (compared(recorded), compared(shown));
    let help = "run `cargo xtask record`";
    (recorded != shown).then(|| format!("not\n{recorded}\nbut\n{shown}\n{help}"))
}

#[test]
fn what_no_longer_happens_is_found_and_another_time_is_not() {
    let shown = "$ cargo talk\nhello\n  hello (after 84 µs)\n";
    let other = |old, new| shown.replace(old, new);
    assert_eq!(difference(shown, &other("84 µs", "1 ms"), true), None);
    for (old, new) in [("hello (", "Hello ("), ("(after 84 µs)", ""), ("hello\n", "")] {
        assert!(difference(shown, &other(old, new), true).is_some(), "{old:?}");
    }
    let shown = "80 of 1100 are refused\n";
    assert_eq!(difference(shown, "7 of 110 are refused\n", false), None);
    assert_eq!(difference("in 56.7 ms\n", "in 386 µs\n", false), None);
    assert!(difference(shown, "7 of 110 are refused\n", true).is_some());
    assert!(difference(shown, "80 of 1100 were refused\n", false).is_some());
}

/// `(after 84 µs)` becomes `(after …)`: how long it took differs from run to run.
fn without_times(text: &str) -> String {
    let line = |line: &str| match line.split_once("(after ") {
        Some((before, _)) => format!("{before}(after …)"),
        None => line.to_string(),
    };
    text.lines().map(|it| line(it) + "\n").collect()
}

/// Each number becomes a 0, and a time, too, whatever its unit.
fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' | '.' if masked.ends_with('0') => {}
            '0'..='9' => masked.push('0'),
            _ => masked.push(c),
        }
    }
    let units = [" ns", " µs", " ms", " s"];
    units.iter().fold(masked, |masked, unit| masked.replace(&format!("0{unit}"), "0"))
}

/// One `…` for all the lines that differ from an earlier one in numbers only.
fn shortened(shown: &str) -> String {
    let (mut known, mut text) = (BTreeSet::new(), String::new());
    let mut is_cut = false;
    for line in shown.lines() {
        if known.insert(without_numbers(line)) {
            text += &format!("{line}\n");
        } else if !is_cut {
            text += "…\n";
            is_cut = true;
        }
    }
    text
}

#[test]
fn a_message_that_comes_many_times_is_shown_once() {
    let shown = "port 5: no\ntry less\nport 16: no\ntry less\nport 17: no\nend\n";
    assert_eq!(shortened(shown), "port 5: no\ntry less\n…\nend\n");
}
