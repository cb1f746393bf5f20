//! `--trace FILE`: the recording says what happened, and the server serves as ever, whatever
//! becomes of the file.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use playback::read::{Event, Recording};

use crate::client::{Client, Pattern};
use crate::command_line::assert_wrong_usage;
use crate::server::{Server, Setup, eventually};
use crate::stage::Stage;

/// A file for a recording, which is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(stage: &Stage) -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        Scratch(env::temp_dir().join(format!("bricks-{pid}-{number}-{}", stage.name)))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("temporary folders have plain names")
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn recorded<'a>(stage: &'a Stage, path: &str) -> Setup<'a> {
    Setup::new(stage).argument("--quiet").argument("--trace").argument(path)
}

pub fn trace_is_an_option_of_later_stages(stage: &Stage) {
    if stage.trace {
        assert_wrong_usage(stage, &["--trace"], "--trace");
    } else {
        assert_wrong_usage(stage, &["--trace", "file"], "--trace");
    }
}

/// Large transfers, clients beside each other, one that resets, and a stop: all is recorded, and
/// the steps lead to the states.
pub fn a_recorded_server_serves(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let file = Scratch::new(stage);
    let mut server = recorded(stage, file.path()).start();
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for (client, seed) in clients.iter_mut().zip(0..) {
        client.echo(&Pattern::new(seed).next(100_000));
    }
    clients.pop().unwrap().reset();
    clients.pop().unwrap().finish();
    clients[0].echo(b"</script>{{#include x}}\xff");
    server.signal(Signal::SIGTERM);
    drop(clients);
    assert_eq!(server.wait().code(), Some(0));

    let text = file.text();
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..0x7f).contains(&byte)));
    assert!(text.contains(r#""data":"\u003c/script>\u007b\u007b#include x}}\u00ff""#));
    let recording = Recording::read(&text).unwrap();
    let states = recording.fold().unwrap_or_else(|error| panic!("{error}"));
    let last = states.last().unwrap();
    assert!(last.verified > 0 && last.tasks.is_empty(), "{last:?}");
    let count = |is: fn(&Event) -> bool| {
        recording.steps.iter().filter(|step| is(&step.event)).count()
    };
    assert_eq!(count(|it| matches!(it, Event::Accept { .. })), 3);
    // The clients, the listening socket and the pipe of the signals.
    assert_eq!(count(|it| matches!(it, Event::Close { .. })), 5);
    assert_eq!(count(|it| matches!(it, Event::Stop)), 1);
}

/// The steps are in the file while the server runs.
pub fn a_recording_can_be_followed(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let file = Scratch::new(stage);
    let server = recorded(stage, file.path()).start();
    let mut client = server.connect();
    for word in ["one", "two", "three"] {
        client.echo(word.as_bytes());
        let len = word.len();
        let received =
            format!(r#""op":"read","fd":{},"len":{len},"data":"{word}""#, fd(&file));
        eventually("it is recorded", || file.text().contains(&received).then_some(()));
    }
}

/// The descriptor of the first client.
fn fd(file: &Scratch) -> i32 {
    eventually("it is accepted", || {
        let text = file.text();
        let whole = &text[..text.rfind('\n')? + 1];
        let steps = Recording::read(whole).ok()?.steps;
        steps.iter().find_map(|step| match step.event {
            Event::Accept { fd, .. } => Some(fd),
            _ => None,
        })
    })
}

pub fn a_recording_that_cannot_be_written(stage: &Stage) {
    if !stage.trace {
        return;
    }
    for (path, why) in
        [("/nowhere/trace.jsonl", "No such file or directory"), ("/", "Is a directory")]
    {
        let mut command = recorded(stage, path).command();
        let output = command.output().unwrap();
        let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(out.is_empty(), "it does not say that it listens");
        let expected = format!("cannot write the trace to {path}: {why}");
        assert!(
            err.starts_with(&expected) && err.contains("--trace trace.jsonl"),
            "{err}"
        );
    }
}

fn assert_serves_without(mut server: Server, why: &str) {
    let mut client = server.connect();
    client.echo(b"hello");
    for seed in 0..50 {
        client.echo(&Pattern::new(seed).next(100));
    }
    server.problems.wait_for(why);
    client.echo(b"are you still there?");
    client.finish();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    server.problems.wait(|_| None::<()>); // until all of it is there
    assert_eq!(server.problems.text().matches("ends here").count(), 1);
}

pub fn a_full_disk(stage: &Stage) {
    if stage.trace && cfg!(target_os = "linux") {
        let server = recorded(stage, "/dev/full").start();
        let why = "the recording /dev/full ends here: No space left on device";
        assert_serves_without(server, why);
    }
}

/// A pipe in the file system, and its end to read from.
fn pipe(stage: &Stage) -> (Scratch, File) {
    let file = Scratch::new(stage);
    mkfifo(&file.0, Mode::S_IRWXU).unwrap();
    // Without waiting for a writer; the reads wait.
    let reader = File::options()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(&file.0)
        .unwrap();
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    (file, reader)
}

/// Many times what a pipe takes is recorded, while its reader does not read.
fn assert_serves_without_a_reader(server: &Server) {
    let mut clients: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for _ in 0..20 {
        clients.iter_mut().for_each(|client| client.echo(b"hello"));
    }
    clients.into_iter().for_each(Client::finish);
}

/// A reader that is slow delays no client, and misses no line.
pub fn a_pipe_whose_reader_is_slow(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let (file, mut reader) = pipe(stage);
    let mut server = recorded(stage, file.path()).start();
    assert_serves_without_a_reader(&server);
    server.signal(Signal::SIGTERM);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(server.wait().code(), Some(0));
    let recording = Recording::read(&text).unwrap();
    let states = recording.fold().unwrap_or_else(|error| panic!("{error}"));
    assert!(!recording.cut_off && states.last().unwrap().tasks.is_empty());
    server.problems.wait(|_| None::<()>); // until all of it is there
    assert_eq!(server.problems.text(), "");
}

/// A reader that never reads delays the end of the server, but not beyond its five seconds.
pub fn a_pipe_whose_reader_never_reads(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let time_to_end = || {
        let (file, _reader) = pipe(stage);
        let mut server = recorded(stage, file.path()).start();
        assert_serves_without_a_reader(&server);
        let start = Instant::now();
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait().code(), Some(0));
        server.problems.wait_for("ends here: what it is written to takes too long");
        start.elapsed()
    };
    // As in `stop_beside_a_stuck_client`: the promise is kept, if not by a machine that stands
    // still for a second.
    let times: Vec<Duration> = (0..3)
        .map(|_| time_to_end())
        .take_while(|time| *time >= Duration::from_secs(5))
        .collect();
    assert!(times.len() < 3, "{times:?}");
}

pub fn a_pipe_without_a_reader(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let (file, reader) = pipe(stage);
    drop(reader);
    let output = recorded(stage, file.path()).command().output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    let expected = format!("cannot write the trace to {}: ", file.path());
    assert!(err.starts_with(&expected), "{err}");
}

/// `ulimit -f`: the system's signal for that would end the process.
pub fn the_largest_file(stage: &Stage) {
    if !stage.trace {
        return;
    }
    let file = Scratch::new(stage);
    let server = recorded(stage, file.path()).limit("-f", 4).start();
    assert_serves_without(server, "ends here: File too large");
    let text = file.text();
    assert!(text.len() > 1000 && text.len() <= 4 * 1024, "{}", text.len());
    assert!(text.ends_with('\n') && Recording::read(&text).is_ok_and(|it| !it.cut_off));
}
