//! Writes the lines of a recording to its file, on a thread of its own.
//!
//! A server that wrote each line itself would wait for a slow disk, or for the reader of a pipe.
//! So it hands over what has been collected whenever it goes to sleep, and this thread writes it.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

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
    waiting: usize,
    /// How many bytes have been written each time; closed when that is all.
    written: Receiver<usize>,
}

impl Writer {
    /// Opens the file, which is made, or emptied.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or there is no thread to be had.
    pub fn create(path: &Path) -> io::Result<Writer> {
        let (file, name) = (open(path)?, path.to_path_buf());
        let (sender, lines) = mpsc::channel();
        let (done, written) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            if let Err(error) = write(file, &lines, &done) {
                ends_here(&name, &error);
            }
        })?;
        Ok(Writer { path: path.to_path_buf(), lines: Some(sender), waiting: 0, written })
    }

    fn too_slow(&self) {
        ends_here(&self.path, "what it is written to takes too long");
    }
}

// ANCHOR: sink
impl Sink for Writer {
    fn write(&mut self, lines: String) -> bool {
        self.waiting += lines.len();
        self.waiting -= self.written.try_iter().sum::<usize>();
        if self.lines.is_some() && self.waiting > MOST {
            self.too_slow();
            self.lines = None;
        }
        self.lines.as_ref().is_some_and(|sender| sender.send(lines).is_ok())
    }

    fn finish(&mut self, until: Instant) {
        if self.lines.take().is_none() {
            return;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.written.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => return self.too_slow(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
// ANCHOR_END: sink

// ANCHOR: write
/// Writes what is handed over, until there will be no more.
///
/// # Errors
///
/// If the file does not take it. What is in the file then are whole lines.
fn write(
    mut file: File,
    lines: &Receiver<String>,
    done: &Sender<usize>,
) -> io::Result<()> {
    let mut size = 0;
    for lines in lines {
        if let Err(error) = file.write_all(lines.as_bytes()) {
            let _ = file.set_len(size); // it may be something that has no length
            return Err(error);
        }
        size += lines.len() as u64;
        let _ = done.send(lines.len()); // the server may have ended
    }
    Ok(())
}
// ANCHOR_END: write

/// The server goes on without a recording.
fn ends_here(path: &Path, why: impl Display) {
    log::problem(format_args!("the recording {} ends here: {why}", path.display()));
}

// ANCHOR: open
/// Opens a file to write to. A pipe that has no reader is an error, and no reason to wait for one;
/// to write to a pipe whose reader is slow is to wait, which this thread may.
fn open(path: &Path) -> io::Result<File> {
    log::outlive_a_full_file()?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path)?;
    SockRef::from(&file).set_nonblocking(false)?;
    Ok(file)
}
// ANCHOR_END: open
