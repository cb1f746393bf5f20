//! Prints a recording, one line a step, with the three queues after each.
//!
//! What to try: `cargo run -- --trace trace.jsonl`, talk to the server, Ctrl-C; then
//! `cargo run --example trace_text trace.jsonl`.

#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use bricks::log;
use playback::read::Recording;
use playback::text;

const USAGE: &str = "\
Prints a recording that --trace has made.

Usage: trace_text FILE";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match &arguments[..] {
        [flag] if ["-h", "--help"].iter().any(|it| flag.as_os_str() == *it) => {
            log::say(USAGE);
            ExitCode::SUCCESS
        }
        [file] => match print(file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                log::problem(format_args!("{}: {error}", file.display()));
                ExitCode::FAILURE
            }
        },
        _ => {
            log::problem(USAGE);
            ExitCode::from(2)
        }
    }
}

fn print(file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let text = fs::read_to_string(file)?;
    let table = text::table(&Recording::read(&text)?)?;
    match io::stdout().write_all(table.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()), // `| head`
        result => Ok(result?),
    }
}
