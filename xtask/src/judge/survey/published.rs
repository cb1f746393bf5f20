//! Examples that packages are published with. They are compiled as they are, but for the address
//! at which they listen: their first argument takes its place.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{place, root};

struct Example {
    package: &'static str,
    file: &'static str,
    address: &'static str,
    /// What it needs.
    dependencies: &'static str,
}

const EXAMPLES: [Example; 3] = [
    Example {
        package: "tokio",
        file: "README.md",
        address: r#""127.0.0.1:8080""#,
        dependencies: r#"tokio = { version = "1", features = ["io-util", "macros", "net", "rt-multi-thread"] }"#,
    },
    Example {
        package: "smol",
        file: "examples/tcp-server.rs",
        address: "([127, 0, 0, 1], 7000)",
        dependencies: r#"smol = "2""#,
    },
    Example {
        package: "io-uring",
        file: "examples/tcp_echo.rs",
        address: r#"("127.0.0.1", 3456)"#,
        dependencies: "anyhow = \"1\"\nio-uring = \"0.7\"\nlibc = \"0.2\"\nslab = \"0.4\"",
    },
];

/// What takes the place of the address.
const ARGUMENT: &str =
    "std::env::args().nth(1).unwrap().parse::<std::net::SocketAddr>().unwrap()";

/// Compiles the example of this package, as `target/debug/published-PACKAGE`.
pub fn build(package: &str) -> Result<(), String> {
    let known = EXAMPLES.iter().find(|it| it.package == package);
    let Example { file, address, dependencies, .. } =
        known.ok_or_else(|| format!("no example of {package} is known"))?;
    let source = folder_of(package)?.join(file);
    let text = fs::read_to_string(&source).map_err(|e| wrong(&source, &e))?;
    let code = code_in(&text).replace(address, ARGUMENT);
    if !code.contains(ARGUMENT) {
        return Err(wrong(&source, &format!("it does not listen on {address} any more")));
    }
    let folder = place::target().join("foreign").join(package);
    let manifest = format!(
        "[package]\nname = \"published-{package}\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n\
         [workspace]\n\n[dependencies]\n{dependencies}\n"
    );
    write(&folder.join("src/main.rs"), &code)?;
    write(&folder.join("Cargo.toml"), &manifest)?;
    // The versions are those of this repository.
    write(&folder.join("Cargo.lock"), &crate::read("Cargo.lock")?)?;
    let manifest = folder.join("Cargo.toml").display().to_string();
    place::build(place::cargo(), &["build", "--quiet", "--manifest-path", &manifest])?;
    Ok(())
}

/// The code in a page, or all of a source.
fn code_in(text: &str) -> &str {
    let after = text.split_once("```rust,no_run\n").map_or(text, |(_, after)| after);
    after.split("\n```").next().unwrap_or(after)
}

/// Where cargo has put the sources of a package.
fn folder_of(package: &str) -> Result<PathBuf, String> {
    let mut cargo = place::cargo();
    cargo.args(["metadata", "--format-version=1", "--locked"]).current_dir(root());
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|it| it["name"] == package)
        .find_map(|it| it["manifest_path"].as_str());
    let folder = manifest.and_then(|path| Path::new(path).parent());
    folder.map(Path::to_path_buf).ok_or_else(|| format!("{package} is not used any more"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let folder = path.parent().expect("it is in a folder");
    fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    fs::write(path, text).map_err(|error| wrong(path, &error))
}

fn wrong(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{}: {why}", path.display())
}
