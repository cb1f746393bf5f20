//! `cargo xtask live`: the program behind the book's live scheduler, compiled to WebAssembly, as a
//! script that the page loads.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zopfli::{Format, Options};

use crate::{place, root, succeeds};

const TARGET: &str = "wasm32-wasip1";
const SCRIPT: &str = "chapters/theme/live-program.js";

pub fn live() -> Result<(), String> {
    look_for_target()?;
    let folder = place::target().join("live");
    let build = format!("build --profile live --package bricks-live --target {TARGET}");
    println!("\nxtask: cargo {build}");
    let mut cargo = place::cargo();
    cargo.args(build.split(' ')).arg("--target-dir").arg(&folder);
    succeeds(&mut cargo, &build)?;
    let program = folder.join(TARGET).join("live/bricks_live.wasm");
    let program =
        fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    let packed = packed(&program)?;
    let script = format!("globalThis.LIVE_PROGRAM = \"{packed}\";\n");
    fs::write(root().join(SCRIPT), &script)
        .map_err(|error| format!("{SCRIPT}: {error}"))?;
    println!(
        "xtask: {} bytes of WebAssembly are {} in {SCRIPT}",
        program.len(),
        script.len()
    );
    Ok(())
}

/// What rustc needs to compile for WebAssembly is no part of every installation.
fn look_for_target() -> Result<(), String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    let output = rustc.output().map_err(|error| format!("rustc: {error}"))?;
    let folder = String::from_utf8_lossy(&output.stdout);
    match output.status.success() && Path::new(folder.trim()).is_dir() {
        true => Ok(()),
        false => Err(format!(
            "this Rust cannot compile to WebAssembly; this installs what it needs:\n\n    \
             rustup target add {TARGET}\n"
        )),
    }
}

/// Compressed, and as text. The same program makes the same text.
fn packed(program: &[u8]) -> Result<String, String> {
    let mut packed = vec![];
    zopfli::compress(Options::default(), Format::Gzip, program, &mut packed)
        .map_err(|error| format!("gzip: {error}"))?;
    Ok(BASE64_STANDARD.encode(packed))
}
