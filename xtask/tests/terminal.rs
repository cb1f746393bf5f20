//! Chores from the outside: `learn` at a terminal, and what happens where nothing may be written.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{self, Signal};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;
use tempfile::TempDir;

/// Nothing here takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a learner works with. It is no package, so that no check compiles: that is quick, and the
/// keys do the same.
fn repository() -> TempDir {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let copy = tempfile::tempdir().unwrap();
    for folder in ["chapters", "exercises", "src"] {
        copy_folder(&here.join(folder), &copy.path().join(folder));
    }
    fs::create_dir(copy.path().join("xtask")).unwrap();
    fs::copy(here.join("xtask/Cargo.toml"), copy.path().join("xtask/Cargo.toml"))
        .unwrap();
    // The work and the progress of whoever tests this stay where they are.
    let _ = fs::remove_file(copy.path().join("exercises/progress.txt"));
    let _ = fs::remove_dir_all(copy.path().join("exercises/my"));
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&path, &copy),
            kind if kind.is_file() => drop(fs::copy(&path, &copy).unwrap()),
            _ => {}
        }
    }
}

/// A chore in this repository, and in no other that the environment names.
fn xtask(program: &Path, repository: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository).env("LC_ALL", "C.UTF-8");
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_TARGET_DIR");
    command
}

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");

/// What `learn` says when it waits for a key.
const WAITS: &str = "q to end.";

/// A terminal with a learner at it.
struct Terminal {
    learn: Child,
    keyboard: File,
    /// The end that `learn` has, too.
    line: OwnedFd,
    screen: Receiver<Vec<u8>>,
    /// What was shown, and is not looked at yet.
    shown: String,
}

impl Terminal {
    fn new(repository: &Path) -> Terminal {
        // So wide that no line is broken.
        let size = Winsize { ws_row: 50, ws_col: 250, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(Some(&size), None).unwrap();
        let line = || ends.slave.try_clone().unwrap();
        let mut command = xtask(Path::new(XTASK), repository, &["learn"]);
        let learn = command.stdin(line()).stdout(line()).stderr(line()).spawn().unwrap();
        let keyboard = File::from(ends.master);
        let (shown, screen) = mpsc::channel();
        let mut from = keyboard.try_clone().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if shown.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { learn, keyboard, line: ends.slave, screen, shown: String::new() }
    }

    /// Presses keys, and waits for these words: what is shown up to them.
    fn press(&mut self, keys: &str, words: &str) -> String {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.shows(words)
    }

    fn shows(&mut self, words: &str) -> String {
        let start = Instant::now();
        loop {
            if let Some(at) = self.shown.find(words) {
                return self.shown.drain(..at + words.len()).collect();
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            match self.screen.recv_timeout(left) {
                Ok(more) => self.shown += &String::from_utf8_lossy(&more),
                Err(_) => panic!("{words:?} is not shown: {}", self.shown),
            }
        }
    }

    fn modes(&self) -> Termios {
        tcgetattr(&self.line).unwrap()
    }

    fn end(mut self) -> (ExitStatus, Termios) {
        let status = self.learn.wait().unwrap();
        (status, self.modes())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.learn.kill();
        let _ = self.learn.wait();
    }
}

#[test]
fn the_keys_do_what_they_say() {
    let repository = repository();
    let mut learner = Terminal::new(repository.path());
    let file = |name: &str| repository.path().join("exercises/my").join(name);
    let first_screen = learner.shows(WAITS);
    assert!(first_screen.contains("\x1b[H\x1b[2J"), "it is cleared: {first_screen}");

    let list = learner.press("l", "Enter to stay:");
    let names: Vec<&str> = list
        .lines()
        .filter(|line| line.contains(" min "))
        .filter_map(|line| {
            line.split_whitespace().find(|it| it.starts_with(['0', '1']) && it.len() > 2)
        })
        .collect();
    assert!(names.len() > 15, "{list}");
    assert!(first_screen.contains(&format!("{}: ", names[0])), "{first_screen}");
    let is_at = |screen: &str, number: usize| {
        let title = format!("\n{}: ", names[number]);
        assert!(screen.replace('\r', "").contains(&title), "{title:?} in {screen}");
    };

    // The list: a number, and one that was corrected.
    is_at(&learner.press("3\r", WAITS), 2);
    is_at(&learner.press("l5\x7f2\r", WAITS), 1);
    is_at(&learner.press("b", WAITS), 0);
    learner.press("b", "This is the first exercise.");
    is_at(&learner.press("n", WAITS), 1);
    learner.press("h", "Hint 1 of 3:");
    learner.press("h", "Hint 2 of 3:");
    learner.press("x", WAITS);
    is_at(&learner.press("\r", WAITS), 1);

    // What is saved is checked without a key.
    let mine = format!("{}.rs", names[1]);
    fs::write(file(&mine), "my work\n").unwrap();
    is_at(&learner.shows(WAITS), 1);
    learner.press("r", "(y/n)");
    learner.press("n\r", &format!("exercises/my/{mine} stays as it is."));
    learner.shows(WAITS);
    assert_eq!(fs::read_to_string(file(&mine)).unwrap(), "my work\n");
    learner.press("r", "(y/n)");
    let kept = format!("{}.kept-1.rs", names[1]);
    learner.press("y\r", &format!("What you had is in exercises/my/{kept}."));
    learner.shows(WAITS);
    assert_eq!(fs::read_to_string(file(&kept)).unwrap(), "my work\n");
    assert_ne!(fs::read_to_string(file(&mine)).unwrap(), "my work\n");

    learner.press("q", "");
    assert_eq!(learner.learn.wait().unwrap().code(), Some(0));

    // The next start goes on where this one has ended.
    let mut learner = Terminal::new(repository.path());
    is_at(&learner.shows(WAITS), 1);
}

/// However it ends: the shell shows again what is typed.
#[test]
fn the_terminal_is_left_as_it_was() {
    let repository = repository();
    for (signal, code) in [(None, 0), (Some(Signal::SIGINT), 130)] {
        let mut learner = Terminal::new(repository.path());
        learner.shows(WAITS);
        let during = learner.modes();
        match signal {
            None => drop(learner.press("q", "")),
            Some(signal) => {
                signal::kill(Pid::from_raw(learner.learn.id() as i32), signal).unwrap();
            }
        }
        let new = openpty(None, None).unwrap();
        let before = tcgetattr(&new.slave).unwrap();
        let (status, after) = learner.end();
        assert_eq!(status.code(), Some(code));
        assert_ne!(during.local_flags, before.local_flags, "keys need no Enter");
        assert_eq!(after.local_flags, before.local_flags);
    }
}

/// A folder that its user may only read. Root may write everywhere: then it is another user.
struct ReadOnly {
    repository: TempDir,
    program: PathBuf,
    as_another: bool,
}

impl ReadOnly {
    fn new() -> ReadOnly {
        let repository = repository();
        let program = repository.path().join("program");
        // Another process writes it. If this one did, a child that another test starts meanwhile
        // could hold it open for writing, and then it cannot be run.
        assert!(Command::new("cp").arg(XTASK).arg(&program).status().unwrap().success());
        permit(repository.path(), 0o555);
        let as_another = File::create(repository.path().join("new")).is_ok();
        ReadOnly { repository, program, as_another }
    }

    /// What a chore says; nothing, where this process may not become another user.
    fn run(&self, arguments: &[&str]) -> Option<Output> {
        const NOBODY: u32 = 65534;
        let mut command = xtask(&self.program, self.repository.path(), arguments);
        if self.as_another {
            command.uid(NOBODY).gid(NOBODY);
        }
        match command.output() {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                eprintln!("skipped: no folder is read-only here");
                None
            }
            output => Some(output.unwrap()),
        }
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        permit(self.repository.path(), 0o755); // to be removed
    }
}

/// Sets the mode of all folders; files are what folders are, but for the right to run them.
fn permit(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => permit(&entry.path(), mode),
            false if entry.file_name() == "program" => {}
            false => {
                let mode = Permissions::from_mode(mode & 0o666);
                fs::set_permissions(entry.path(), mode).unwrap();
            }
        }
    }
    fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn where_nothing_may_be_written_what_reads_works_and_the_rest_says_so() {
    let folder = ReadOnly::new();
    for reads in
        [&["learn", "--list"][..], &["learn", "01_run_it", "--starter"], &["break"]]
    {
        let Some(output) = folder.run(reads) else { return };
        assert!(output.status.success() && !output.stdout.is_empty(), "{output:?}");
    }
    for (writes, file) in [
        (&["learn", "01_run_it", "--once"][..], "exercises/my"),
        (&["learn", "01_run_it", "--hint"], "exercises/progress.txt"),
        (&["break", "thread-spawn"], "src/blocking.rs"),
    ] {
        let Some(output) = folder.run(writes) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(file) && said.contains("Permission denied"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}
