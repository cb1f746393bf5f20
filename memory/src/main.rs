//! Everything that can happen to the server of stage 04, to a bound: each answer of the poller,
//! true or not, and each move of the clients, in each order. `chapters/appendix/explored.md`
//! tells of it.
//!
//! ```sh
//! cargo explore           # a few seconds
//! cargo explore --far     # a minute
//! ```

#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use bricks_in_memory::explore::{FAR, NEAR, explore};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let is_far = arguments == ["--far"];
    if !is_far && !arguments.is_empty() {
        eprintln!("usage: cargo explore [--far]");
        return ExitCode::from(2);
    }
    let far = FAR.iter().filter(|_| is_far);
    for bounds in NEAR.iter().chain(far) {
        println!("{bounds}:");
        match explore(bounds) {
            Ok(explored) => println!("  {explored}"),
            Err(failure) => {
                println!("{failure}");
                match record(&failure.recording) {
                    Ok(file) => println!("recorded in {}", file.display()),
                    Err(error) => println!("not recorded: {error}"),
                }
                return ExitCode::FAILURE;
            }
        }
    }
    println!("all is well");
    ExitCode::SUCCESS
}

/// Writes a recording beside this program: cargo has a folder there, wherever the user is.
fn record(recording: &str) -> io::Result<PathBuf> {
    let file = env::current_exe()?.with_file_name("explored.jsonl");
    fs::write(&file, recording)?;
    Ok(file)
}
