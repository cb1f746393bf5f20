//! Many clients at once: who is served, and who waits?
//!
//! Start one of the stages in one terminal, and this in another:
//!
//! * `cargo run --bin 01_blocking`, then `cargo swarm`: exactly one of the ten clients is
//!   served, and the others wait. A client takes 2 s, the swarm 20 s.
//! * `cargo run --bin 02_threads`, or 03, or 04: all are served side by side, and the
//!   swarm takes no longer than one client.
//! * `cargo swarm --clients 1100 --pause 1000` shows what a thread for each client costs
//!   (02), and that `select(2)` ends at 1,024 descriptors (03, 04). If `ulimit -n` ends
//!   before that, it says so.
//!
//! Each client has a thread of its own and blocks in it, as in stage 02; it notes what has
//! happened to it ([`Seen`]), and the main thread draws that. Every byte that comes back is
//! compared with the one that was sent, so a server that mixes up two clients is found out.

#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use clients::{ADDRESS, address, advice, complain, human, no_descriptor_is_left, say};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};

/// Who has sent something and has heard nothing for longer than this is waiting.
const PATIENCE: Duration = Duration::from_millis(300);

/// How often the screen is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// So much fits the socket buffers on the way, and sending it cannot block for ever.
const PIECE: usize = 64 * 1024;

/// So many clients get a line each, with a bar of this width.
const TABLE: usize = 20;
const BAR: usize = 20;

/// How many reasons for failures are listed at the end.
const REASONS: usize = 5;

/// Many clients of an echo server at once: shows who is served, and who waits.
#[derive(Parser)]
#[command(name = "swarm", version, after_help = AFTER_HELP)]
#[command(allow_negative_numbers = true)] // and then refused, by name
struct Options {
    /// Where the server is
    #[arg(long, value_name = "ADDR:PORT")]
    #[arg(default_value = ADDRESS, value_parser = address)]
    connect: SocketAddr,
    /// How many clients
    #[arg(long, default_value = "10", value_parser = number(1..=60_000))]
    clients: usize,
    /// How many messages each of them sends
    #[arg(long, default_value = "10", value_parser = number(1..=1_000_000))]
    messages: usize,
    /// How long it pauses after each, in milliseconds
    #[arg(long, default_value = "200", value_parser = number(0..=3_600_000))]
    pause: usize,
    /// How long a message is, in bytes
    #[arg(long, default_value = "64", value_parser = number(1..=1_000_000_000))]
    size: usize,
}

const AFTER_HELP: &str = "\
A client sends each of its messages, checks that the same bytes come back, and pauses.
So it takes about MESSAGES times PAUSE, once it is served.

The exit status is 0 if all were served and all bytes were right, 1 if not,
2 for wrong usage.";

fn number(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

fn main() -> ExitCode {
    clients::run(swarm)
}

/// Runs all clients, draws what happens to them, and says in the end how it went.
fn swarm(options: Options) -> Result<(), String> {
    let new = |number| Client { number, options: &options, seen: Mutex::default() };
    let clients: Vec<Client> = (1..=options.clients).map(new).collect();
    let style = "{bar:50} {pos} of {len} answered\n{msg}";
    let style = ProgressStyle::with_template(style).expect("it is a template");
    // Where standard error is no terminal, it shows nothing.
    let screen = ProgressBar::new((options.clients * options.messages) as u64);
    screen.set_style(style.progress_chars("#."));
    thread::scope(|scope| {
        let (running, all_have_ended) = mpsc::channel::<()>();
        for client in &clients {
            let running = running.clone();
            let run = move || {
                client.ends(client.run());
                drop(running);
            };
            // Not `thread::spawn`: that panics when the system has no thread to give.
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, run) {
                client.ends(failure(NO_THREAD, format!("no thread for it: {error}")));
            }
        }
        drop(running);
        while all_have_ended.recv_timeout(REDRAW) == Err(RecvTimeoutError::Timeout) {
            draw(&screen, &clients);
        }
    });
    draw(&screen, &clients);
    screen.abandon(); // what it shows stays
    let seen: Vec<_> = clients.iter().map(Client::seen).collect();
    say(summary(&options, &seen, screen.elapsed()));
    explain_failures(&seen)
}

/// What went wrong, and what to try next.
struct Failure {
    reason: String,
    hint: String,
}

fn failure(hint: impl Into<String>, reason: String) -> Result<(), Failure> {
    Err(Failure { reason, hint: hint.into() })
}

const NO_THREAD: &str = "each client needs a thread: take fewer --clients, \
                         or raise `ulimit -u` and `ulimit -v`";
const NO_ECHO: &str = "the server must send back exactly what it receives: is this \
                       an echo server, without --lines?";
const ASK_SERVER: &str = "look at what the server says about it: it may have no room \
                          for more clients, or have ended";

// What a client does, in a thread of its own.

struct Client<'a> {
    number: usize,
    options: &'a Options,
    seen: Mutex<Seen>,
}

/// What has happened to a client.
#[derive(Default)]
struct Seen {
    state: State,
    /// When it asked, or got a part of the answer. Nothing while it pauses.
    silent_since: Option<Instant>,
    /// How long it took to connect and to get the first answer.
    first_wait: Option<Duration>,
    round_trips: Vec<Duration>,
}

#[derive(Default)]
enum State {
    #[default]
    Connecting,
    Waiting,
    Served,
    Done,
    Failed(Failure),
}

impl Client<'_> {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no thread panics with it")
    }

    fn ends(&self, how: Result<(), Failure>) {
        self.seen().state = how.map_or_else(State::Failed, |()| State::Done);
    }

    /// Its whole life.
    fn run(&self) -> Result<(), Failure> {
        let started = Instant::now();
        let mut stream = self.connect()?;
        self.seen().state = State::Waiting;
        for message in 1..=self.options.messages {
            let asked = Instant::now();
            self.exchange(&mut stream, message)?;
            let mut seen = self.seen();
            seen.silent_since = None;
            seen.first_wait.get_or_insert(started.elapsed());
            seen.round_trips.push(asked.elapsed());
            drop(seen);
            thread::sleep(Duration::from_millis(self.options.pause as u64));
        }
        self.finish(stream)
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let addr = self.options.connect;
        let stream = TcpStream::connect(addr).map_err(|error| {
            let hint = match no_descriptor_is_left(&error) {
                true => format!(
                    "each client needs a descriptor, and this process may not have more: \
                     take fewer --clients,\nor raise the limit in this terminal, and in \
                     that of the server: ulimit -n {}",
                    self.options.clients + 50
                ),
                false => advice(addr, &error),
            };
            Failure { reason: format!("cannot connect to {addr}: {error}"), hint }
        })?;
        // A small message should go at once, and not wait until the last one is acknowledged.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    /// Sends a message and checks what comes back, piece by piece. (A server sends the first
    /// bytes back while we are still sending the last ones. If we received none of them, both
    /// sides would wait for ever in the end, with full buffers.)
    fn exchange(&self, stream: &mut TcpStream, message: usize) -> Result<(), Failure> {
        let size = self.options.size;
        // As good as random, and different for each client and message.
        let mut random = Rng::with_seed((self.number as u64) << 32 | message as u64);
        for start in (0..size).step_by(PIECE) {
            let mut piece = vec![0; PIECE.min(size - start)];
            random.fill(&mut piece);
            // A server that answers lines does answer, wrongly, and is found out at once.
            *piece.last_mut().expect("a piece is not empty") = b'\n';
            self.seen().silent_since = Some(Instant::now());
            let mut echo = vec![];
            let received = stream
                .write_all(&piece)
                .and_then(|()| stream.take(piece.len() as u64).read_to_end(&mut echo));
            if let Some(at) = (0..echo.len()).find(|&at| echo[at] != piece[at]) {
                let (position, right, wrong) = (start + at, piece[at], echo[at]);
                let reason = format!(
                    "wrong byte at position {position} of {size} in message {message}: \
                     sent {right:#04x}, received {wrong:#04x}"
                );
                return failure(NO_ECHO, reason);
            }
            if echo.len() < piece.len() {
                let end = |_| "the server closed the connection".to_string();
                let why = received.map_or_else(|error| error.to_string(), end);
                let position = start + echo.len();
                let place =
                    format!("after {position} of {size} bytes of message {message}");
                return failure(ASK_SERVER, format!("{why}, {place}"));
            }
            self.seen().state = State::Served;
        }
        Ok(())
    }

    /// Says that no more will be sent, and waits until the server does the same.
    fn finish(&self, mut stream: TcpStream) -> Result<(), Failure> {
        self.seen().silent_since = Some(Instant::now());
        // An error here means that the connection is gone; then the receive says why.
        let _ = stream.shutdown(Shutdown::Write);
        match io::copy(&mut stream, &mut io::sink()) {
            Ok(0) => Ok(()),
            Ok(extra) => {
                let reason = format!("bytes too many after the last message: {extra}");
                failure(NO_ECHO, reason)
            }
            Err(error) => {
                failure(ASK_SERVER, format!("at the end of the connection: {error}"))
            }
        }
    }
}

// What the main thread shows of it.

const STATES: [&str; 5] = ["being served", "waiting", "done", "connecting", "failed"];

impl Seen {
    /// The state as it looks from outside. Who was served a moment ago may wait again.
    fn state(&self) -> &'static str {
        let is_silent = self.silent_since.is_some_and(|it| it.elapsed() > PATIENCE);
        match self.state {
            State::Served if is_silent => "waiting",
            State::Served => "being served",
            State::Waiting => "waiting",
            State::Done => "done",
            State::Connecting => "connecting",
            State::Failed(_) => "failed",
        }
    }
}

fn draw(screen: &ProgressBar, clients: &[Client]) {
    let (mut states, mut answered, mut text) = (vec![], 0, String::new());
    for client in clients {
        let seen = client.seen();
        let (number, state, trips) =
            (client.number, seen.state(), seen.round_trips.len());
        states.push(state);
        answered += trips;
        if clients.len() <= TABLE {
            let bar = "#".repeat(BAR * trips / client.options.messages);
            let _ = writeln!(text, "{number:6}  {state:12}  {bar:.<BAR$}");
        }
    }
    let _ = write!(text, "{:5.1} s", screen.elapsed().as_secs_f64());
    for name in STATES {
        let count = states.iter().filter(|&&state| state == name).count();
        if count > 0 {
            let _ = write!(text, "   {count} {name}");
        }
    }
    screen.set_position(answered as u64);
    screen.set_message(text);
}

fn summary(options: &Options, seen: &[MutexGuard<Seen>], elapsed: Duration) -> String {
    let Options { clients, messages, size, .. } = options;
    let failed = seen.iter().filter(|seen| seen.state() == "failed").count();
    let mut trips: Vec<Duration> =
        seen.iter().flat_map(|seen| &seen.round_trips).copied().collect();
    trips.sort_unstable();
    let (answered, all) = (trips.len(), clients * messages);
    let mut text = format!(
        "\n  clients          {clients}, {failed} failed\n  \
         messages         {answered} of {all} answered, size {size}\n  \
         bytes checked    {}\n  \
         elapsed          {}",
        answered * size,
        human(elapsed),
    );
    if let Some(wait) = seen.iter().filter_map(|seen| seen.first_wait).max() {
        let _ = write!(text, "\n  first answer     after {} at most", human(wait));
    }
    if let (Some(&fastest), Some(&slowest)) = (trips.first(), trips.last()) {
        let (fastest, slowest) = (human(fastest), human(slowest));
        let median = human(trips[answered / 2]);
        let _ = write!(
            text,
            "\n  round trip       fastest {fastest}, median {median}, slowest {slowest}"
        );
    }
    text
}

/// The first few reasons, and what to try next.
fn explain_failures(seen: &[MutexGuard<Seen>]) -> Result<(), String> {
    let mut hints: Vec<&str> = vec![];
    let mut count = 0;
    for (number, seen) in (1..).zip(seen) {
        let State::Failed(Failure { reason, hint }) = &seen.state else { continue };
        count += 1;
        if count <= REASONS {
            complain(format_args!("client {number}: {reason}"));
        }
        if !hints.contains(&hint.as_str()) {
            hints.push(hint);
        }
    }
    if count > REASONS {
        complain(format_args!("and {} more", count - REASONS));
    }
    match count {
        0 => Ok(()),
        _ => Err(hints.join("\n")),
    }
}
