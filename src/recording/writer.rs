//! Writes the lines of a recording to its file, on a thread of its own.
//!
//! A server that wrote each line itself would wait for the disk, and would spend more time on the
//! recording than on its clients. So it hands over what has been collected whenever it goes to
//! sleep, and this thread writes it: at once if it has written nothing for a while, and no more
//! often than that under load. Whoever follows the file sees every step a moment later.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::SIGXFSZ;

use crate::log;

// ANCHOR: writer
/// There is so much time at least between two writes.
const PAUSE: Duration = Duration::from_millis(50);

/// When so much waits to be written, the server waits, too.
const MOST: usize = 4 * 1024 * 1024;

/// The server's end.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    /// There will be no more.
    ended: bool,
    /// The file cannot be written to any more.
    failed: bool,
}

impl Writer {
    /// Opens the file, which is made, or emptied.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or there is no thread to be had.
    pub fn create(path: &Path) -> io::Result<Writer> {
        let file = open(path)?;
        let shared = Arc::new(Shared::default());
        let output = Output { path: path.to_path_buf(), file, written: 0 };
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().spawn(move || theirs.write_to(output))?;
        Ok(Writer { shared, thread: Some(thread) })
    }
    // ANCHOR_END: writer

    // ANCHOR: hand_over
    /// Takes whole lines over. False if nobody needs any more: the file could not be written.
    pub fn hand_over(&self, lines: &mut Vec<u8>) -> bool {
        let full = |pending: &mut Pending| pending.lines.len() > MOST && !pending.failed;
        let pending = self.shared.pending();
        let waited = self.shared.changed.wait_while(pending, full);
        let mut pending = waited.unwrap_or_else(PoisonError::into_inner);
        if pending.lines.is_empty() {
            self.shared.changed.notify_all();
        }
        pending.lines.append(lines);
        !pending.failed
    }
    // ANCHOR_END: hand_over
}

// ANCHOR: drop
impl Drop for Writer {
    /// What has been handed over is in the file after this.
    fn drop(&mut self) {
        self.shared.pending().ended = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
    // ANCHOR_END: drop

    // ANCHOR: write_to
    fn write_to(&self, mut output: Output) {
        let mut lines = Vec::new();
        loop {
            let nothing =
                |pending: &mut Pending| pending.lines.is_empty() && !pending.ended;
            let waited = self.changed.wait_while(self.pending(), nothing);
            let mut pending = waited.unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut pending.lines, &mut lines);
            drop(pending);
            self.changed.notify_all();

            if let Err(error) = output.write(&lines) {
                output.give_up(&error);
                self.pending().failed = true;
                self.changed.notify_all();
                return;
            }
            lines.clear();

            let going_on = |pending: &mut Pending| !pending.ended;
            let waited = self.changed.wait_timeout_while(self.pending(), PAUSE, going_on);
            let (pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if pending.ended && pending.lines.is_empty() {
                return;
            }
        }
    }
    // ANCHOR_END: write_to
}

// ANCHOR: output
/// The file, and how much of it is whole lines.
struct Output {
    path: PathBuf,
    file: File,
    written: u64,
}

impl Output {
    fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        let mut line = 0; // what has been written of the last line
        while !lines.is_empty() {
            let count = match self.file.write(lines) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match lines[..count].iter().rposition(|&byte| byte == b'\n') {
                Some(end) => {
                    self.written += (line + end + 1) as u64;
                    line = count - end - 1;
                }
                None => line += count,
            }
            lines = &lines[count..];
        }
        Ok(())
    }

    /// The server goes on without a recording. What is in the file are whole lines.
    fn give_up(&self, error: &io::Error) {
        let path = self.path.display();
        log::problem(format_args!("the recording {path} ends here: {error}"));
        let _ = self.file.set_len(self.written); // it may be something that has no length
    }
}
// ANCHOR_END: output

// ANCHOR: open
/// Opens a file to write to, never to wait for: a pipe that nobody reads from is an error.
fn open(path: &Path) -> io::Result<File> {
    // Writing past the limit of a file's size (`ulimit -f`) ends a process that does not handle
    // this signal; for one that does it is an error.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
}
// ANCHOR_END: open
