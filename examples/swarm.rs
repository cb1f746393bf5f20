//! Many clients at once: who is served, and who waits?
//!
//! Start one of the stages in one terminal, and this in another:
//!
//! * `cargo run --bin 01_blocking`, then `cargo run --example swarm`: exactly one of the
//!   ten clients is served, and the others wait. A client takes 2 s, the swarm 20 s.
//! * `cargo run --bin 02_threads`, or 03, or 04: all are served side by side, and the
//!   swarm takes no longer than one client.
//! * `cargo run --example swarm -- --clients 1100 --pause 1000` shows what a thread for
//!   each client costs (02), and that `select(2)` ends at 1,024 descriptors (03, 04). If
//!   `ulimit -n` ends before that, it says so.
//! * `cargo run --release --example swarm -- --size 10000000 --pause 0` is about bulk.
//!
//! Each client has a thread of its own and blocks in it, as in stage 02; it tells the
//! main thread what happens to it ([`News`]), and the main thread draws. Every byte that
//! comes back is compared with the one that was sent, so a server that mixes up two
//! clients is found out.

#![forbid(unsafe_code)]

use std::env;
use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::{Range, RangeInclusive};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use lexopt::{Arg, Parser, ValueExt};

const NAME: &str = "swarm";
const DEFAULT_ADDRESS: &str = "127.0.0.1:8000";

/// Who has sent something and has heard nothing for longer than this is waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often the table is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// A message up to this size fits the socket buffers, and sending it cannot block for
/// ever.
const CHUNK: usize = 16 * 1024;

/// Enough for a client; a thousand of the usual stacks is 2 GiB of addresses.
const STACK: usize = 128 * 1024;

/// "Too many open files", in the whole system or in this process. The standard library
/// has no name for them; all Unix systems have the same numbers.
const NO_DESCRIPTOR: RangeInclusive<i32> = 23..=24;

/// So many clients get a line each; from more on, a character each, up to `GRID`.
const TABLE: usize = 20;
const GRID: usize = 1000;
const GRID_WIDTH: usize = 70;

/// The widest bar of answered messages.
const BAR: usize = 20;

/// How many reasons for failures are listed at the end.
const REASONS: usize = 5;

fn main() -> ExitCode {
    let options = match parse(Parser::from_env()) {
        Ok(Request::Swarm(options)) => options,
        Ok(Request::Say(text)) => {
            let _ = print(&format!("{text}\n"));
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            complain(format_args!("{wrong}\ntry '{NAME} --help'"));
            return ExitCode::from(2);
        }
    };
    match swarm(options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // `swarm | head -1` has seen what it wanted; a full disk is a problem.
            if error.kind() != ErrorKind::BrokenPipe {
                complain(format_args!("cannot write to standard output: {error}"));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs all clients, and returns whether each of them was served, and rightly.
fn swarm(options: Options) -> io::Result<bool> {
    let mut swarm = Swarm::new(options);
    let mut screen = Screen::new();
    let news = swarm.start_clients();
    let mut redraw = swarm.started + REDRAW;
    loop {
        let now = Instant::now();
        if now >= redraw {
            screen.draw(&swarm, now)?;
            redraw = now + REDRAW;
        }
        match news.recv_timeout(redraw.saturating_duration_since(now)) {
            Ok(report) => swarm.hear(report),
            Err(RecvTimeoutError::Timeout) => {}
            // All clients have ended, and with them all that could send a report.
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let now = Instant::now();
    screen.draw(&swarm, now)?;
    swarm.failures.sort_by_key(|(client, _)| *client);
    print(&swarm.summary(now))?;
    swarm.explain_failures();
    Ok(swarm.counts(now)[State::Done as usize] == options.clients)
}

// What a client does, in a thread of its own.

/// What a client tells the main thread, and when it happened.
struct Report {
    client: usize,
    at: Instant,
    news: News,
}

enum News {
    Connected,
    /// It is about to send a message, or the end of its input, and wants an answer.
    Asks,
    /// A part of the answer has come.
    Hears,
    /// The whole answer has come, and each byte of it is right.
    Answered,
    /// The server has closed the connection, at the right time.
    Done,
    Failed(Failure),
}

/// What went wrong, and what to try next.
struct Failure {
    reason: String,
    hint: Hint,
}

#[derive(Clone, Copy, PartialEq)]
enum Hint {
    StartServer,
    OtherAddress,
    MoreDescriptors,
    MoreThreads,
    NoEcho,
    AskServer,
}

impl Failure {
    fn new(reason: impl Display, hint: Hint) -> Failure {
        Failure { reason: reason.to_string(), hint }
    }
}

/// The whole life of a client.
fn client(number: usize, options: &Options, tell: &dyn Fn(News)) -> Result<(), Failure> {
    let stream = connect(options.connect)?;
    tell(News::Connected);
    for message in 1..=options.messages {
        let message = Message { client: number, number: message, size: options.size };
        tell(News::Asks);
        exchange(&stream, &message, tell)?;
        tell(News::Answered);
        thread::sleep(options.pause);
    }
    tell(News::Asks);
    finish(&stream)
}

fn connect(addr: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(addr).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(code) if NO_DESCRIPTOR.contains(&code) => Hint::MoreDescriptors,
            _ if error.kind() == ErrorKind::ConnectionRefused => Hint::StartServer,
            _ => Hint::OtherAddress,
        };
        Failure::new(format_args!("cannot connect to {addr}: {error}"), hint)
    })?;
    // A small message should go at once, and not wait until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Sends a message, and receives and checks as many bytes.
fn exchange(
    stream: &TcpStream,
    message: &Message,
    tell: &dyn Fn(News),
) -> Result<(), Failure> {
    if message.size <= CHUNK {
        message.send(stream).map_err(|error| {
            let number = message.number;
            let reason = format!("cannot send message {number}: {error}");
            Failure::new(reason, Hint::AskServer)
        })?;
        return message.receive(stream, tell);
    }
    // The server sends the first bytes back while we are still sending the last ones. If
    // nobody received them, all buffers would be full in the end, and both sides would
    // wait for ever.
    thread::scope(|scope| {
        let send = || {
            if message.send(stream).is_err() {
                // The receiving side will say what is wrong, unless it waits for ever.
                let _ = stream.shutdown(Shutdown::Both);
            }
        };
        let sender = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, send);
        let received = match sender {
            Ok(_) => message.receive(stream, tell),
            Err(error) => Err(no_thread(&error)),
        };
        if received.is_err() {
            // The sender may be blocked, and the scope waits for it.
            let _ = stream.shutdown(Shutdown::Both);
        }
        received
    })
}

/// Says that no more will be sent, and waits until the server does the same.
fn finish(mut stream: &TcpStream) -> Result<(), Failure> {
    // An error here means that the connection is gone; then the receive says why.
    let _ = stream.shutdown(Shutdown::Write);
    let mut extra = 0;
    let mut buffer = [0; 512];
    loop {
        match receive_some(&mut stream, &mut buffer) {
            Ok(0) if extra == 0 => return Ok(()),
            Ok(0) => {
                let reason = format!("bytes too many after the last message: {extra}");
                return Err(Failure::new(reason, Hint::NoEcho));
            }
            Ok(count) => extra += count,
            Err(error) => {
                let reason = format!("at the end of the connection: {error}");
                return Err(Failure::new(reason, Hint::AskServer));
            }
        }
    }
}

fn receive_some(stream: &mut &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

fn no_thread(error: &io::Error) -> Failure {
    Failure::new(format_args!("no thread for it: {error}"), Hint::MoreThreads)
}

/// What a client sends. Its bytes are computed when they are needed: a thousand clients
/// with messages of 10 MB have no room to keep them.
struct Message {
    client: usize,
    number: usize,
    size: usize,
}

impl Message {
    /// Some of its bytes: as good as random, and different for each client, message and
    /// position.
    fn bytes(&self, range: Range<usize>) -> Vec<u8> {
        let (first, skip) = (range.start / 8, range.start % 8);
        let mut bytes = Vec::with_capacity(range.len() + 16);
        for word in first..range.end.div_ceil(8) {
            bytes.extend_from_slice(&self.word(word).to_le_bytes());
        }
        bytes.drain(..skip);
        bytes.truncate(range.len());
        // The last one is a newline, so that a server that answers lines does answer,
        // wrongly, and is found out at once.
        if range.end == self.size && self.size > 1 {
            bytes.pop();
            bytes.push(b'\n');
        }
        bytes
    }

    /// Eight bytes at a time, or we would be busier with them than the server is.
    fn word(&self, index: usize) -> u64 {
        let mut mix = 0;
        for part in [self.client, self.number, index] {
            mix = (mix ^ part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mix ^= mix >> 32;
        }
        mix
    }

    fn send(&self, mut stream: &TcpStream) -> io::Result<()> {
        for start in (0..self.size).step_by(CHUNK) {
            let end = self.size.min(start + CHUNK);
            stream.write_all(&self.bytes(start..end))?;
        }
        Ok(())
    }

    fn receive(
        &self,
        mut stream: &TcpStream,
        tell: &dyn Fn(News),
    ) -> Result<(), Failure> {
        let mut buffer = vec![0; self.size.min(CHUNK)];
        let mut position = 0;
        while position < self.size {
            // Not more than is missing: what comes after the message belongs to the next.
            let room = buffer.len().min(self.size - position);
            let count = match receive_some(&mut stream, &mut buffer[..room]) {
                Ok(0) => {
                    return Err(
                        self.cut_off(position, "the server closed the connection")
                    );
                }
                Ok(count) => count,
                Err(error) => return Err(self.cut_off(position, error)),
            };
            self.check(position, &buffer[..count])?;
            position += count;
            if position < self.size {
                tell(News::Hears);
            }
        }
        Ok(())
    }

    fn cut_off(&self, position: usize, why: impl Display) -> Failure {
        let Message { number, size, .. } = self;
        let reason =
            format!("{why}, after {position} of {size} bytes of message {number}");
        Failure::new(reason, Hint::AskServer)
    }

    /// Checks what was received from position `start` on.
    fn check(&self, start: usize, received: &[u8]) -> Result<(), Failure> {
        let sent = self.bytes(start..start + received.len());
        // Nearly always they are equal, and to compare them as a whole is much faster.
        if sent == received {
            return Ok(());
        }
        let Some(at) = (0..sent.len()).find(|&at| sent[at] != received[at]) else {
            return Ok(());
        };
        let Message { number, size, .. } = self;
        let reason = format!(
            "wrong byte at position {} of {size} in message {number}: \
             sent {:#04x}, received {:#04x}",
            start + at,
            sent[at],
            received[at]
        );
        Err(Failure::new(reason, Hint::NoEcho))
    }
}

// What the main thread knows.

struct Swarm {
    options: Options,
    started: Instant,
    clients: Vec<Client>,
    /// How long each client waited for its first answer, from the beginning.
    first_waits: Vec<Duration>,
    round_trips: Vec<Duration>,
    /// Client and reason.
    failures: Vec<(usize, Failure)>,
}

/// What is known of a client.
#[derive(Clone, Default)]
struct Client {
    stage: Stage,
    /// When it sent what has not been answered yet.
    asked: Option<Instant>,
    /// When it last heard from the server.
    heard: Option<Instant>,
    answered: usize,
    round_trip: Option<Duration>,
}

#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Connecting,
    Connected,
    Done,
    Failed,
}

/// What a client looks like from outside.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Served,
    Waiting,
    Done,
    Connecting,
    Failed,
}

impl State {
    /// In the order of the summary line.
    const ALL: [State; 5] =
        [State::Served, State::Waiting, State::Done, State::Connecting, State::Failed];

    fn name(self) -> &'static str {
        match self {
            State::Served => "being served",
            State::Waiting => "waiting",
            State::Done => "done",
            State::Connecting => "connecting",
            State::Failed => "failed",
        }
    }

    fn letter(self) -> char {
        match self {
            State::Served => '#',
            State::Waiting => '.',
            State::Done => '=',
            State::Connecting => ' ',
            State::Failed => '!',
        }
    }
}

impl Client {
    fn state(&self, now: Instant) -> State {
        match self.stage {
            Stage::Connecting => State::Connecting,
            Stage::Done => State::Done,
            Stage::Failed => State::Failed,
            Stage::Connected => match (self.heard, self.asked) {
                (None, _) => State::Waiting,
                (Some(heard), Some(asked))
                    if now.saturating_duration_since(heard.max(asked)) > PATIENCE =>
                {
                    State::Waiting
                }
                _ => State::Served,
            },
        }
    }
}

impl Swarm {
    fn new(options: Options) -> Swarm {
        Swarm {
            options,
            started: Instant::now(),
            clients: vec![Client::default(); options.clients],
            first_waits: Vec::new(),
            round_trips: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Starts a thread for each client, and returns what brings their reports. Nobody
    /// joins these threads: if the main thread gives up, the process ends, and they with
    /// it.
    fn start_clients(&self) -> Receiver<Report> {
        let (sender, news) = mpsc::channel();
        for number in 0..self.options.clients {
            let (options, reports) = (self.options, sender.clone());
            let run = move || {
                let tell = |news| report(&reports, number, news);
                tell(match client(number, &options, &tell) {
                    Ok(()) => News::Done,
                    Err(failure) => News::Failed(failure),
                });
            };
            // Not `thread::spawn`: that panics when the system has no thread to give.
            if let Err(error) = thread::Builder::new().stack_size(STACK).spawn(run) {
                report(&sender, number, News::Failed(no_thread(&error)));
            }
        }
        news
    }

    fn hear(&mut self, report: Report) {
        let (number, at) = (report.client, report.at);
        let client = &mut self.clients[number];
        match report.news {
            News::Connected => client.stage = Stage::Connected,
            News::Asks => client.asked = Some(at),
            News::Hears => client.heard = Some(at),
            News::Answered => {
                client.heard = Some(at);
                client.answered += 1;
                if client.answered == 1 {
                    self.first_waits.push(at - self.started);
                }
                if let Some(asked) = client.asked.take() {
                    client.round_trip = Some(at - asked);
                    self.round_trips.push(at - asked);
                }
            }
            News::Done => client.stage = Stage::Done,
            News::Failed(failure) => {
                client.stage = Stage::Failed;
                self.failures.push((number, failure));
            }
        }
    }

    /// How many clients are in each state, in the order of `State::ALL`.
    fn counts(&self, now: Instant) -> [usize; 5] {
        let mut counts = [0; 5];
        for client in &self.clients {
            counts[client.state(now) as usize] += 1;
        }
        counts
    }

    fn summary(&mut self, now: Instant) -> String {
        let Options { clients, messages, size, .. } = self.options;
        let answered = self.round_trips.len();
        let bytes = answered as u128 * size as u128;
        let mut text = format!(
            "\n  clients          {clients}, {} failed\n  \
             messages         {answered} of {} answered, size {size}\n  \
             bytes checked    {bytes}\n  \
             elapsed          {}\n",
            self.failures.len(),
            clients as u128 * messages as u128,
            human(now - self.started),
        );
        if let Some(wait) = self.first_waits.iter().max() {
            let _ = writeln!(text, "  first answer     after {} at most", human(*wait));
        }
        self.round_trips.sort_unstable();
        let trips = &self.round_trips;
        if let (Some(fastest), Some(slowest)) = (trips.first(), trips.last()) {
            let _ = writeln!(
                text,
                "  round trip       fastest {}, median {}, slowest {}",
                human(*fastest),
                human(trips[trips.len() / 2]),
                human(*slowest)
            );
        }
        text
    }

    /// The first few reasons, and what to try next.
    fn explain_failures(&self) {
        for (client, failure) in self.failures.iter().take(REASONS) {
            complain(format_args!("client {}: {}", client + 1, failure.reason));
        }
        if self.failures.len() > REASONS {
            complain(format_args!("and {} more", self.failures.len() - REASONS));
        }
        let mut given = Vec::new();
        for (_, failure) in &self.failures {
            if !given.contains(&failure.hint) {
                given.push(failure.hint);
                complain(self.options.advice(failure.hint));
            }
        }
    }
}

fn report(reports: &Sender<Report>, client: usize, news: News) {
    // If nobody listens any more, the process is about to end.
    let _ = reports.send(Report { client, at: Instant::now(), news });
}

impl Options {
    fn advice(&self, hint: Hint) -> String {
        let Options { connect, clients, .. } = self;
        match hint {
            Hint::StartServer if connect.to_string() == DEFAULT_ADDRESS => {
                "start a server first: cargo run".to_string()
            }
            Hint::StartServer => {
                format!("start a server first: cargo run -- --listen {connect}")
            }
            Hint::OtherAddress => {
                format!("is this the server's address? try --connect {DEFAULT_ADDRESS}")
            }
            Hint::MoreDescriptors => format!(
                "each client needs a descriptor, and this process may not have more: \
                 take fewer --clients,\nor raise the limit in this terminal, and in that \
                 of the server: ulimit -n {}",
                clients + 50
            ),
            Hint::MoreThreads => "each client needs a thread: take fewer --clients, \
                 or raise `ulimit -u` and `ulimit -v`"
                .to_string(),
            Hint::NoEcho => {
                "the server must send back exactly what it receives: is this \
                 an echo server, without --lines?"
                    .to_string()
            }
            Hint::AskServer => {
                "look at what the server says about it: it may have no room \
                 for more clients, or have ended"
                    .to_string()
            }
        }
    }
}

// How it looks.

/// Standard output: a table that is drawn again and again in place, or, in a pipe or a
/// file, a line for each change.
enum Screen {
    Terminal { lines: usize },
    Plain { last: [usize; 5] },
}

impl Screen {
    fn new() -> Screen {
        let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        if io::stdout().is_terminal() && !dumb {
            Screen::Terminal { lines: 0 }
        } else {
            Screen::Plain { last: [0; 5] }
        }
    }

    fn draw(&mut self, swarm: &Swarm, now: Instant) -> io::Result<()> {
        let counts = swarm.counts(now);
        let summary = summary_line(now - swarm.started, counts);
        match self {
            Screen::Plain { last } => {
                if *last == counts {
                    return Ok(());
                }
                *last = counts;
                print(&format!("{summary}\n"))
            }
            Screen::Terminal { lines } => {
                let mut text = match swarm.clients.len() {
                    ..=TABLE => table(swarm, now),
                    _ => grid(swarm, now),
                };
                text.push(summary);
                if let Some((client, failure)) = swarm.failures.first() {
                    text.push(format!("  client {}: {}", client + 1, failure.reason));
                }
                let drawn = redraw(&text, *lines);
                *lines = text.len();
                print(&drawn)
            }
        }
    }
}

/// Goes up by the lines that were drawn last, and draws over them. Nothing else about the
/// terminal changes, so Ctrl-C leaves nothing to repair.
fn redraw(lines: &[String], drawn: usize) -> String {
    let mut text = String::new();
    if drawn > 0 {
        let _ = write!(text, "\x1b[{drawn}A\r");
    }
    for line in lines {
        // A line that wraps would be two, and then we would go up by too few.
        text.extend(line.chars().take(78));
        text.push_str("\x1b[K\n"); // erase the rest of what was there
    }
    text
}

fn summary_line(elapsed: Duration, counts: [usize; 5]) -> String {
    let mut text = format!("{:5.1} s", elapsed.as_secs_f64());
    for (state, count) in State::ALL.into_iter().zip(counts) {
        // The first three are always there: the eye finds them in the same place.
        if count > 0 || matches!(state, State::Served | State::Waiting | State::Done) {
            let _ = write!(text, "   {count} {}", state.name());
        }
    }
    text
}

/// A line for each client.
fn table(swarm: &Swarm, now: Instant) -> Vec<String> {
    let messages = swarm.options.messages;
    let bar = messages.min(BAR);
    let mut lines =
        vec![format!("client  state         {:bar$}  last round trip", "answered")];
    for (number, client) in (1..).zip(&swarm.clients) {
        let state = client.state(now).name();
        let answered = client.answered;
        let filled = bar * answered / messages;
        let bar = "#".repeat(filled) + &".".repeat(bar - filled);
        let trip = client.round_trip.map(human).unwrap_or_default();
        lines.push(format!("{number:6}  {state:12}  {bar:8}  {trip}"));
    }
    lines
}

/// A character for each client.
fn grid(swarm: &Swarm, now: Instant) -> Vec<String> {
    let letters = State::ALL.map(|state| format!("{} {}", state.letter(), state.name()));
    let mut lines = vec![letters.join("   ")];
    let shown = &swarm.clients[..swarm.clients.len().min(GRID)];
    for row in shown.chunks(GRID_WIDTH) {
        let row: String = row.iter().map(|client| client.state(now).letter()).collect();
        lines.push(format!("  {row}"));
    }
    if shown.len() < swarm.clients.len() {
        lines.push(format!("  (the first {GRID} of {})", swarm.clients.len()));
    }
    lines
}

fn human(time: Duration) -> String {
    match time.as_micros() {
        micros @ ..1_000 => format!("{micros} µs"),
        ..1_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.2} s", time.as_secs_f64()),
    }
}

/// Writes to standard output, at once. (`print!` would panic if nobody reads.)
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// One line (or more) on standard error; if even that is impossible, nobody can be told.
fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

// The command line.

#[derive(Clone, Copy)]
struct Options {
    connect: SocketAddr,
    clients: usize,
    messages: usize,
    pause: Duration,
    size: usize,
}

enum Request {
    Swarm(Options),
    Say(String),
}

fn parse(mut arguments: Parser) -> Result<Request, lexopt::Error> {
    let mut connect = OsString::from(DEFAULT_ADDRESS);
    let (mut clients, mut messages, mut pause, mut size) = (10, 10, 200, 64);
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("connect") => connect = arguments.value()?,
            Arg::Long("clients") => {
                clients = number("--clients", &mut arguments, 1..=60_000)?
            }
            Arg::Long("messages") => {
                messages = number("--messages", &mut arguments, 1..=1_000_000)?;
            }
            Arg::Long("pause") => {
                pause = number("--pause", &mut arguments, 0..=3_600_000)?
            }
            Arg::Long("size") => {
                size = number("--size", &mut arguments, 1..=1_000_000_000)?
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
    let pause = Duration::from_millis(pause as u64);
    Ok(Request::Swarm(Options { connect, clients, messages, pause, size }))
}

/// The value of an option that takes a number.
fn number(
    name: &str,
    arguments: &mut Parser,
    range: RangeInclusive<usize>,
) -> Result<usize, lexopt::Error> {
    arguments.value()?.parse_with(|text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let (least, most) = (range.start(), range.end());
            Err(format!("{name} takes a whole number from {least} to {most}"))
        }
    })
}

fn help() -> String {
    format!(
        "Many clients of an echo server at once: shows who is served, and who waits.\n\n\
         Usage: {NAME} [--connect ADDR:PORT] [--clients N] [--messages M]\n             \
                       [--pause MS] [--size BYTES]\n\n\
         M times, each client sends a message, checks that the same bytes come back,\n\
         and pauses. So it takes about M times MS, once it is served.\n\n\
         Options:\n  \
           --connect ADDR:PORT  where the server is [default: {DEFAULT_ADDRESS}]\n  \
           --clients N          how many clients [default: 10]\n  \
           --messages M         how many messages each of them sends [default: 10]\n  \
           --pause MS           how long it pauses after each, in ms [default: 200]\n  \
           --size BYTES         how long a message is [default: 64]\n  \
           -h, --help           print this and exit\n  \
           -V, --version        print the version and exit\n\n\
         The exit status is 0 if all were served and all bytes were right, 1 if not,\n\
         2 for wrong usage."
    )
}
