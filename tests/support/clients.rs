//! The clients in `clients/`, another package: plain `cargo test` does not build them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where `talk`, `swarm` or `crowd` is. The first call builds all three, as they are now.
pub fn client(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build).join(name)
}

/// Builds them in the profile of this test, and beside it.
fn build() -> PathBuf {
    let test = env::current_exe().unwrap();
    // The test is target/debug/deps/sessions-…
    let folder = test.ancestors().nth(2).unwrap();
    let profile = match folder.file_name().and_then(|name| name.to_str()).unwrap() {
        "debug" => "dev",
        name => name,
    };
    let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "clients", "--profile", profile])
        .arg("--target-dir")
        .arg(folder.parent().unwrap())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo builds the clients");
    assert!(status.success(), "the clients cannot be built");
    folder.to_path_buf()
}
