//! `--trace FILE`: the recording says what happened, and the server serves as ever, whatever
//! becomes of the file.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;
use playback::read::{Event, Recording};

use crate::client::Pattern;
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
    assert_eq!(count(|it| matches!(it, Event::Close { conn: Some(_), .. })), 3);
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
        let sent = format!("\"op\":\"write\",\"fd\":{}", fd(&file));
        let sent = (sent, format!("\"data\":\"{word}\""));
        let is_it = |line: &str| line.contains(&sent.0) && line.contains(&sent.1);
        eventually("it is recorded", || file.text().lines().any(is_it).then_some(()));
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
