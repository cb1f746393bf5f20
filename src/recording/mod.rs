//! A trace in a file, for `--trace`: one JSON object a line, written while the server runs.

mod format;
mod writer;

use std::io;
use std::path::PathBuf;

pub use format::{Recording, Sink, git_hash};
use writer::Writer;

use crate::trace::Trace;

/// Starts the recording that `--trace` asks for, if it does. `source` is the path and the text of
/// the file that the trace speaks of.
///
/// Start it after the listening socket has been opened: its file takes a descriptor, too.
///
/// # Errors
///
/// If its file cannot be written.
pub fn start(
    file: &Option<PathBuf>,
    stage: &str,
    source: (&'static str, &str),
) -> io::Result<Option<Box<dyn Trace>>> {
    let Some(path) = file else { return Ok(None) };
    let writer = Writer::create(path).map_err(|error| {
        let why = format!(
            "cannot write the trace to {}: {error}\n\
             name a file in a folder that you may write to, such as --trace trace.jsonl",
            path.display()
        );
        io::Error::new(error.kind(), why)
    })?;
    Ok(Some(Box::new(Recording::new(stage, source, writer))))
}
