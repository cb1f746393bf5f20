//! A client for experiments: sends lines, and shows what comes back and after how long.
//!
//! Start a server in one terminal and talk to it in others:
//!
//! * `cargo talk` sends each line that you type; Ctrl-D ends.
//! * `cargo talk hello 'two words'` sends these lines and ends.
//! * `head -3 Cargo.toml | cargo talk` sends what comes through the pipe.
//!
//! What you see with stage 01: the second `talk` is connected but gets no answer, says so
//! after a second, and is served as soon as you end the first one. From stage 02 on, both
//! are answered at once. With `cargo run -- --lines` (stage 04), each answer starts with
//! `Get: `.
//!
//! It can do what a simple client cannot: send a line that is longer than all the buffers
//! on the way. The server starts to send back while it is still receiving. So a thread of its
//! own receives while the main thread is still sending; else both sides would wait for ever.
//! Another one reads the input, and all that happens arrives as an [`Event`].

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use clients::{ADDRESS, address, advice, complain, human, say};

/// A silence of this length is worth a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server on this machine answers, or refuses, within microseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Of a longer line, only the beginning is shown.
const LONG_LINE: usize = 256;

/// Sends lines to a server, and shows what comes back and after how long.
#[derive(Parser)]
#[command(name = "talk", version, after_help = AFTER_HELP)]
struct Options {
    /// Where the server is
    #[arg(long, value_name = "ADDR:PORT")]
    #[arg(default_value = ADDRESS, value_parser = address)]
    connect: SocketAddr,
    /// Sent as one line; without any, standard input is read and sent
    #[arg(value_name = "TEXT")]
    texts: Vec<OsString>,
}

const AFTER_HELP: &str =
    "The exit status is 0 if every line was answered, 1 if not, 2 for wrong usage.";

fn main() -> ExitCode {
    clients::run(talk)
}

fn talk(options: Options) -> Result<(), String> {
    let stream = connect(options.connect)?;
    if options.texts.is_empty() && io::stdin().is_terminal() {
        complain("connected: each line that you type is sent; Ctrl-D ends");
    }
    let mut conversation = Conversation::start(stream, input(options.texts));
    while let Some(line) = conversation.next_line()? {
        conversation.exchange(&line)?;
    }
    conversation.finish()
}

fn connect(addr: SocketAddr) -> Result<TcpStream, String> {
    let stream = TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT).map_err(|error| {
        format!("cannot connect to {addr}: {error}\n{}", advice(addr, &error))
    })?;
    // A short line should go at once, and not wait until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// What is to be sent: the texts, a line each, or else standard input.
fn input(texts: Vec<OsString>) -> Box<dyn BufRead + Send> {
    if texts.is_empty() {
        return Box::new(BufReader::new(io::stdin()));
    }
    let mut lines = Vec::new();
    for text in texts {
        lines.extend(text.into_vec());
        lines.push(b'\n');
    }
    Box::new(Cursor::new(lines))
}

/// The next line of the input, with a newline; `None` at its end.
type Input = io::Result<Option<Vec<u8>>>;

/// What the main thread waits for.
enum Event {
    Input(Input),
    /// Bytes from the server, and when they came. No bytes: the end of what it sends.
    Received(io::Result<Vec<u8>>, Instant),
}

struct Conversation {
    stream: Arc<TcpStream>,
    events: Receiver<Event>,
    /// Asks for the next line of the input. Without it, the thread that reads a long file
    /// would fill the channel with it, while we still wait for the first answer.
    ask: Sender<()>,
    /// The lines that have come and not yet been shown, and the beginning of the next.
    lines: VecDeque<Vec<u8>>,
    rest: Vec<u8>,
    received_at: Instant,
    /// The server sends no more.
    ended: bool,
    /// When to say that nothing has come back; `None` after that has been said.
    patient_until: Option<Instant>,
}

impl Conversation {
    fn start(stream: TcpStream, input: Box<dyn BufRead + Send>) -> Conversation {
        let stream = Arc::new(stream);
        let (sender, events) = mpsc::channel();
        let (ask, asked) = mpsc::channel();
        let (receiving, received) = (Arc::clone(&stream), sender.clone());
        // Nobody joins these threads: the process ends when the main thread does, even if
        // one of them sleeps in a read.
        thread::spawn(move || receive(&receiving, &received));
        thread::spawn(move || read(input, &asked, &sender));
        Conversation {
            stream,
            events,
            ask,
            lines: VecDeque::new(),
            rest: Vec::new(),
            received_at: Instant::now(),
            ended: false,
            patient_until: None,
        }
    }

    /// The next line to send, with a newline; `None` at the end of the input.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.patient_until = None; // the user may think for as long as they like
        let _ = self.ask.send(());
        while !self.ended {
            self.show_unasked();
            if let Some(line) = self.hear()? {
                return line.map_err(|e| format!("cannot read standard input: {e}"));
            }
        }
        // The server has closed. That is fine if the input is at its end too. Someone who
        // types may think for long, and should know now.
        match self.events.recv_timeout(PATIENCE / 2) {
            Ok(Event::Input(Ok(None))) => Ok(None),
            _ => {
                self.show_unasked();
                Err(closed("before the end of the input"))
            }
        }
    }

    /// Sends one line, waits for one line, and shows it.
    fn exchange(&mut self, line: &[u8]) -> Result<(), String> {
        let sent_at = Instant::now();
        self.patient_until = Some(sent_at + PATIENCE);
        (&*self.stream).write_all(line).map_err(|error| {
            closed(format_args!("while it was being sent a line: {error}"))
        })?;
        let answer = loop {
            match self.lines.pop_front() {
                Some(answer) => break answer,
                None if self.ended => return Err(self.unanswered()),
                None => self.hear()?,
            };
        };
        let took = human(self.received_at.saturating_duration_since(sent_at));
        say(format_args!("{}   (after {took})", shown(&answer, Some(line))));
        Ok(())
    }

    /// Says that we will send no more, and waits until the server does the same.
    fn finish(mut self) -> Result<(), String> {
        // An error here means that the connection is gone; the receiving thread says why.
        let _ = self.stream.shutdown(Shutdown::Write);
        self.patient_until = Some(Instant::now() + PATIENCE);
        while !self.ended {
            self.hear()?;
            self.show_unasked();
        }
        say("the server closed the connection");
        Ok(())
    }

    /// Waits for the next event. Keeps what was received, and returns what was typed.
    fn hear(&mut self) -> Result<Option<Input>, String> {
        let (received, at) = match self.next_event() {
            Event::Input(line) => return Ok(Some(line)),
            Event::Received(received, at) => (received, at),
        };
        let bytes = received.map_err(|error| closed(format!("({error})")))?;
        self.ended = bytes.is_empty();
        self.received_at = at;
        self.patient_until = self.patient_until.map(|_| at + PATIENCE);
        // One receive may bring a part of a line, or several.
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.lines.push_back(mem::take(&mut self.rest));
            }
        }
        Ok(None)
    }

    /// The next event. If it is late, says so, once.
    fn next_event(&mut self) -> Event {
        if let Some(until) = self.patient_until {
            let left = until.saturating_duration_since(Instant::now());
            if let Ok(event) = self.events.recv_timeout(left) {
                return event;
            }
            self.patient_until = None;
            let what = match self.rest.len() {
                0 => "nothing yet after 1 s: the server may be serving another client"
                    .into(),
                n => format!("nothing more for 1 s: {n} bytes so far, and no newline"),
            };
            complain(format_args!("{what}; still waiting"));
        }
        self.events.recv().expect("the thread that reads the input waits for us")
    }

    /// Shows the lines that have come while no line of ours was without an answer, and in
    /// the end what has no newline.
    fn show_unasked(&mut self) {
        if self.ended && !self.rest.is_empty() {
            self.lines.push_back(mem::take(&mut self.rest));
        }
        for line in self.lines.drain(..) {
            say(format_args!("{}   (not asked for)", shown(&line, None)));
        }
    }

    fn unanswered(&self) -> String {
        match self.rest.len() {
            0 => closed("without an answer to this line"),
            count => closed(format_args!("after {count} bytes without a newline")),
        }
    }
}

/// The server has ended the connection while it was still needed.
fn closed(how: impl Display) -> String {
    format!(
        "the server closed the connection {how}\n\
         look at what the server says about it, and whether it still runs"
    )
}

/// The thread that receives.
fn receive(mut stream: &TcpStream, events: &Sender<Event>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let received = stream.read(&mut buffer).map(|count| buffer[..count].to_vec());
        let goes_on = received.as_ref().is_ok_and(|bytes| !bytes.is_empty());
        let told = events.send(Event::Received(received, Instant::now()));
        if told.is_err() || !goes_on {
            return;
        }
    }
}

/// The thread that reads the input.
fn read(input: Box<dyn BufRead + Send>, asked: &Receiver<()>, events: &Sender<Event>) {
    let mut lines = input.split(b'\n');
    while asked.recv().is_ok() {
        let mut line = lines.next().transpose();
        if let Ok(Some(line)) = &mut line {
            // The last line of a file may lack its newline, but wants an answer too.
            line.push(b'\n');
        }
        if events.send(Event::Input(line)).is_err() {
            return;
        }
    }
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
            match char.is_control() {
                true => text.extend(char.escape_default()),
                false => text.push(char),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}
