//! Writes the lines of a recording to its file, on a thread of its own.
//!
//! A server that wrote each line itself would wait for a slow disk, or for the reader of a pipe.
//! So it hands over what has been collected whenever it goes to sleep, and this thread writes it.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

use signal_hook::consts::SIGXFSZ;
use socket2::SockRef;

use super::Sink;
use crate::log;

/// When so many bytes wait to be written, the recording ends: memory is not for that.
const MOST: usize = 64 * 1024 * 1024;

/// The server's end.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    /// None after the recording has ended.
    lines: Option<Sender<String>>,
    /// How many bytes have been handed over and not been written.
    waiting: Arc<AtomicUsize>,
    /// Closed when the thread has written everything.
    done: Receiver<()>,
}

impl Writer {
    /// Opens the file, which is made, or emptied.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or there is no thread to be had.
    pub fn create(path: &Path) -> io::Result<Writer> {
        let mut output = Output { file: open(path)?, written: 0 };
        let (sender, lines) = mpsc::channel::<String>();
        let (working, done) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (left, name) = (Arc::clone(&waiting), path.to_path_buf());
        thread::Builder::new().spawn(move || {
            let _working: Sender<()> = working;
            for lines in lines {
                if let Err(error) = output.write(lines.as_bytes()) {
                    return output.give_up(&name, &error);
                }
                left.fetch_sub(lines.len(), Ordering::Relaxed);
            }
        })?;
        Ok(Writer { path: path.to_path_buf(), lines: Some(sender), waiting, done })
    }

    fn too_slow(&self) {
        let path = self.path.display();
        log::problem(format_args!(
            "the recording {path} ends here: what it is written to takes too long"
        ));
    }
}

impl Sink for Writer {
    fn write(&mut self, lines: String) -> bool {
        let waiting = self.waiting.fetch_add(lines.len(), Ordering::Relaxed);
        if self.lines.is_some() && waiting > MOST {
            self.too_slow();
            self.lines = None;
        }
        self.lines.as_ref().is_some_and(|sender| sender.send(lines).is_ok())
    }

    fn finish(&mut self, until: Instant) {
        if self.lines.take().is_some() {
            let left = until.saturating_duration_since(Instant::now());
            if self.done.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                self.too_slow();
            }
        }
    }
}

/// The file, and how much of it is whole lines.
struct Output {
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
    fn give_up(&self, path: &Path, error: &io::Error) {
        let path = path.display();
        log::problem(format_args!("the recording {path} ends here: {error}"));
        let _ = self.file.set_len(self.written); // it may be something that has no length
    }
}

/// Opens a file to write to. A pipe that has no reader is an error, and no reason to wait for one;
/// to write to a pipe whose reader is slow is to wait, which this thread may.
fn open(path: &Path) -> io::Result<File> {
    // Writing past the limit of a file's size (`ulimit -f`) ends a process that does not handle
    // this signal; for one that does it is an error.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    SockRef::from(&file).set_nonblocking(false)?;
    Ok(file)
}
