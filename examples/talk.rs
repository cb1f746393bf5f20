//! A client for experiments: sends lines, and shows what comes back and after how long.
//!
//! Start a server in one terminal and talk to it in others:
//!
//! * `cargo run --example talk` sends each line that you type; Ctrl-D ends.
//! * `cargo run --example talk -- hello 'two words'` sends these lines and ends.
//! * `head -3 Cargo.toml | cargo run --example talk` sends what comes through the pipe.
//!
//! What you see with stage 01: the second `talk` is connected but gets no answer, says so
//! after a second, and is served as soon as you end the first one. From stage 02 on, both
//! are answered at once. With `cargo run -- --lines` (stage 04), each answer starts with
//! `Get: `.
//!
//! It can do what a simple client cannot: send a line that is longer than all the buffers
//! on the way. The server starts to send back while it is still receiving, so we must
//! receive while we are still sending, or both sides wait for ever, with full buffers.
//! Here one thread receives, another reads the input, and all that happens arrives at the
//! main thread as an [`Event`], through one channel.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt};

const NAME: &str = "talk";
const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

/// A silence of this length is worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server on this machine answers, or refuses, within microseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of a longer line, only the beginning is shown.
const LONG_LINE: usize = 256;

fn main() -> ExitCode {
    let options = match parse(Parser::from_env()) {
        Ok(Request::Talk(options)) => options,
        Ok(Request::Say(text)) => {
            let _ = say(text);
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(format_args!("{wrong}\ntry '{NAME} --help'"));
            return ExitCode::from(2);
        }
    };
    match talk(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Problem(message)) => {
            complain(message);
            ExitCode::FAILURE
        }
        Err(Failure::NobodyReads) => ExitCode::FAILURE,
    }
}

fn talk(options: Options) -> Result<(), Failure> {
    let stream = connect(options.connect)?;
    if options.texts.is_empty() && io::stdin().is_terminal() {
        complain("connected: each line that you type is sent; Ctrl-D ends");
    }
    let mut conversation = Conversation::start(stream, options.texts)?;
    while let Some(line) = conversation.next_line()? {
        conversation.exchange(&line)?;
    }
    conversation.finish()
}

fn connect(addr: SocketAddr) -> Result<TcpStream, Failure> {
    let connected = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT);
    let stream = connected.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::ConnectionRefused if addr.to_string() == DEFAULT_ADDRESS => {
                "start a server first: cargo run".to_string()
            }
            ErrorKind::ConnectionRefused => {
                format!("start a server first: cargo run -- --listen {addr}")
            }
            _ => format!("is this the server's address? try --connect {DEFAULT_ADDRESS}"),
        };
        Failure::Problem(format!("cannot connect to {addr}: {error}\n{hint}"))
    })?;
    // A short line should go at once, and not wait until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    // A blocked send gives up after this time (`WouldBlock`), so that we can say a word.
    stream
        .set_write_timeout(Some(PATIENCE))
        .map_err(|error| Failure::Problem(format!("cannot use the socket: {error}")))?;
    Ok(stream)
}

/// Why it ends with status 1.
enum Failure {
    /// What has happened, and what to try next.
    Problem(String),
    /// Standard output has been closed (`talk a b c | head -1`): end quietly.
    NobodyReads,
}

impl Failure {
    /// The server has ended the connection while it was still needed.
    fn closed(how: impl Display) -> Failure {
        Failure::Problem(format!(
            "the server closed the connection {how}\n\
             look at what the server says about it, and whether it still runs"
        ))
    }
}

/// What the main thread waits for.
enum Event {
    /// The next line of the input with a newline; `None` at its end.
    Input(io::Result<Option<Vec<u8>>>),
    /// Bytes from the server, and when they came. No bytes: the end of what it sends.
    Received(io::Result<Vec<u8>>, Instant),
}

struct Conversation {
    stream: Arc<TcpStream>,
    events: Receiver<Event>,
    /// Asks for the next line of the input. Without it, the thread that reads a long file
    /// would fill the channel with it, while we still wait for the first answer.
    ask: Sender<()>,
    /// The input is not from arguments, but from a terminal or a pipe, and may take long.
    typed: bool,
    /// What has been received and not yet been shown.
    received: Vec<u8>,
    /// How much of it is known to have no newline in it.
    searched: usize,
    received_at: Instant,
    /// When to say that nothing has come back; `None` after that has been said.
    patient_until: Option<Instant>,
}

impl Conversation {
    fn start(stream: TcpStream, texts: Vec<Vec<u8>>) -> Result<Conversation, Failure> {
        let (stream, typed) = (Arc::new(stream), texts.is_empty());
        let (sender, events) = mpsc::channel();
        let (ask, asked) = mpsc::channel();
        let (receiving, receiver) = (Arc::clone(&stream), sender.clone());
        // Nobody joins these threads: the process ends when the main thread does, even if
        // one of them sleeps in a read.
        thread::Builder::new()
            .spawn(move || receive(&receiving, &receiver))
            .and_then(|_| {
                thread::Builder::new().spawn(|| read_input(texts, asked, sender))
            })
            .map_err(|error| {
                Failure::Problem(format!("cannot start a thread: {error}"))
            })?;
        Ok(Conversation {
            stream,
            events,
            ask,
            typed,
            received: Vec::new(),
            searched: 0,
            received_at: Instant::now(),
            patient_until: None,
        })
    }

    /// The next line to send; `None` at the end of the input.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        self.patient_until = None; // the user may think for as long as they like
        let _ = self.ask.send(());
        loop {
            self.show_unasked()?;
            match self.wait() {
                Some(Event::Input(line)) => return line.map_err(cannot_read),
                Some(Event::Received(bytes, at)) => {
                    if !self.keep(bytes, at)? {
                        break;
                    }
                }
                None => break,
            }
        }
        // The server has closed. That is fine if the input is at its end too: arguments
        // say that soon. Someone who types may think for long, and should know now.
        let input = match self.typed {
            true => self.events.recv_timeout(PATIENCE / 10).ok(),
            false => self.events.recv().ok(),
        };
        match input {
            Some(Event::Input(Ok(None))) => Ok(None),
            _ => {
                self.show_rest()?;
                Err(Failure::closed("before the end of the input"))
            }
        }
    }

    /// Sends one line, waits for one line, and shows it.
    fn exchange(&mut self, line: &[u8]) -> Result<(), Failure> {
        let sent_at = Instant::now();
        self.patient_until = Some(sent_at + PATIENCE);
        self.send(line)?;
        let answer = loop {
            if let Some(answer) = self.take_line() {
                break answer;
            }
            let goes_on = match self.wait() {
                Some(Event::Received(bytes, at)) => self.keep(bytes, at)?,
                _ => false,
            };
            if !goes_on {
                return Err(self.unanswered());
            }
        };
        let took = human(self.received_at.saturating_duration_since(sent_at));
        say(format_args!("{}   (after {took})", shown(&answer, Some(line))))
    }

    /// Says that we will send no more, and waits until the server does the same.
    fn finish(mut self) -> Result<(), Failure> {
        // An error here means that the connection is gone; the receiving thread says why.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.patient_until = Some(Instant::now() + PATIENCE);
        while let Some(Event::Received(bytes, at)) = self.wait() {
            if !self.keep(bytes, at)? {
                break;
            }
            self.show_unasked()?;
        }
        self.show_rest()?;
        say("the server closed the connection")
    }

    fn send(&mut self, line: &[u8]) -> Result<(), Failure> {
        let (stream, mut rest) = (Arc::clone(&self.stream), line);
        while !rest.is_empty() {
            match (&*stream).write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    // The server receives nothing, and the buffers on the way are full.
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => self.say_nothing_yet(),
                    _ => {
                        let how = format!("while it was being sent a line: {error}");
                        return Err(Failure::closed(how));
                    }
                },
            }
        }
        Ok(())
    }

    /// The next event; `None` if there can be none, because the other threads have ended.
    fn wait(&mut self) -> Option<Event> {
        if let Some(until) = self.patient_until {
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) => return Some(event),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.say_nothing_yet(),
            }
        }
        self.events.recv().ok()
    }

    /// Says once that the server is silent.
    fn say_nothing_yet(&mut self) {
        if self.patient_until.take().is_none() {
            return;
        }
        let seconds = PATIENCE.as_secs();
        match self.received.len() {
            0 => complain(format_args!(
                "nothing yet after {seconds} s: the server may be serving another \
                 client; still waiting"
            )),
            count => complain(format_args!(
                "nothing more for {seconds} s: {count} bytes so far, and no newline; \
                 still waiting"
            )),
        }
    }

    /// Keeps what was received, until it is shown. False if that is the end of it.
    fn keep(&mut self, bytes: io::Result<Vec<u8>>, at: Instant) -> Result<bool, Failure> {
        let bytes = bytes.map_err(|error| Failure::closed(format_args!("({error})")))?;
        self.received.extend_from_slice(&bytes);
        self.received_at = at;
        self.patient_until = self.patient_until.map(|_| at + PATIENCE);
        Ok(!bytes.is_empty())
    }

    /// One line of what was received, with its newline. One receive may bring a part of a
    /// line, or several; what is not taken stays for the next time.
    fn take_line(&mut self) -> Option<Vec<u8>> {
        let new = &self.received[self.searched..];
        let Some(at) = new.iter().position(|&byte| byte == b'\n') else {
            self.searched = self.received.len();
            return None;
        };
        let line = self.received.drain(..=self.searched + at).collect();
        self.searched = 0;
        Some(line)
    }

    /// Shows the lines that have come while no line of ours was without an answer.
    fn show_unasked(&mut self) -> Result<(), Failure> {
        while let Some(line) = self.take_line() {
            say(format_args!("{}   (not asked for)", shown(&line, None)))?;
        }
        Ok(())
    }

    /// Shows a last line without a newline.
    fn show_rest(&self) -> Result<(), Failure> {
        if self.received.is_empty() {
            return Ok(());
        }
        say(format_args!("{}   (not asked for)", shown(&self.received, None)))
    }

    fn unanswered(&self) -> Failure {
        match self.received.len() {
            0 => Failure::closed("without an answer to this line"),
            count => {
                Failure::closed(format_args!("after {count} bytes without a newline"))
            }
        }
    }
}

/// The thread that receives.
fn receive(mut stream: &TcpStream, events: &Sender<Event>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let received = stream.read(&mut buffer);
        let at = Instant::now();
        let received = match received {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            received => received.map(|count| buffer[..count].to_vec()),
        };
        let goes_on = received.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        if events.send(Event::Received(received, at)).is_err() || !goes_on {
            return;
        }
    }
}

/// The thread that reads the input: the arguments, or else standard input.
fn read_input(texts: Vec<Vec<u8>>, asked: Receiver<()>, events: Sender<Event>) {
    if texts.is_empty() {
        feed(io::stdin().lock().split(b'\n'), &asked, &events);
    } else {
        feed(texts.into_iter().map(Ok), &asked, &events);
    }
}

fn feed(
    mut lines: impl Iterator<Item = io::Result<Vec<u8>>>,
    asked: &Receiver<()>,
    events: &Sender<Event>,
) {
    while asked.recv().is_ok() {
        let mut line = lines.next().transpose();
        if let Ok(Some(line)) = &mut line {
            // The last line of a file may lack its newline, but wants an answer too.
            line.push(b'\n');
        }
        let goes_on = matches!(line, Ok(Some(_)));
        if events.send(Event::Input(line)).is_err() || !goes_on {
            return;
        }
    }
}

fn cannot_read(error: io::Error) -> Failure {
    Failure::Problem(format!("cannot read standard input: {error}"))
}

/// What was received, fit for a terminal.
fn shown(received: &[u8], sent: Option<&[u8]>) -> String {
    let line = received.strip_suffix(b"\n").unwrap_or(received);
    if line.len() <= LONG_LINE {
        return printable(line);
    }
    let head: String = printable(&line[..LONG_LINE]).chars().take(40).collect();
    // Nobody compares thousands of bytes by eye. An answer ends in the line that was
    // sent, whether something stands before it (`Get: `) or not.
    let verdict = match sent {
        Some(sent) if received.ends_with(sent) => ", which end in the line that was sent",
        Some(_) => ", which do NOT end in the line that was sent",
        None => "",
    };
    format!("{head}... {} bytes{verdict}", line.len())
}

/// The text in `bytes`, and the rest as `\x..`: a terminal would obey control characters.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() {
                text.extend(char.escape_default());
            } else {
                text.push(char);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn human(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// One line on standard output, at once. (`println!` would panic if nobody reads.)
fn say(line: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::Problem(format!("cannot write to standard output: {error}")),
    })
}

/// One line (or more) on standard error; if even that is impossible, nobody can be told.
fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

struct Options {
    connect: SocketAddr,
    /// The lines to send, without their newlines; none means standard input.
    texts: Vec<Vec<u8>>,
}

enum Request {
    Talk(Options),
    Say(String),
}

fn parse(mut arguments: Parser) -> Result<Request, lexopt::Error> {
    let mut connect = OsString::from(DEFAULT_ADDRESS);
    let mut texts = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("connect") => connect = arguments.value()?,
            Arg::Value(text) => {
                // A text with newlines in it is several lines, and gets several answers.
                let text = text.into_vec();
                texts.extend(text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Say(help())),
            Arg::Short('V') | Arg::Long("version") => {
                let version = env!("CARGO_PKG_VERSION");
                return Ok(Request::Say(format!("{NAME} {version}")));
            }
            other => return Err(other.unexpected()),
        }
    }
    let connect = connect.parse_with(|text| {
        text.parse().map_err(|_| {
            "an address has the form ADDR:PORT, in numbers: \
             127.0.0.1:8000, or [::1]:8000 for IPv6"
        })
    })?;
    Ok(Request::Talk(Options { connect, texts }))
}

fn help() -> String {
    format!(
        "Sends lines to a server, and shows what comes back and after how long.\n\n\
         Usage: {NAME} [--connect ADDR:PORT] [TEXT ...]\n\n\
         Each TEXT is sent as one line. Without any, standard input is read and sent.\n\
         A TEXT that starts with '-' goes after '--'.\n\n\
         Options:\n  \
           --connect ADDR:PORT  where the server is [default: {DEFAULT_ADDRESS}]\n  \
           -h, --help           print this and exit\n  \
           -V, --version        print the version and exit\n\n\
         The exit status is 0 if every line was answered, 1 if not, 2 for wrong usage."
    )
}
