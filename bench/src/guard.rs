//! The regression guard: what an echo costs, against bounds that are kept in the repository. It
//! counts and does not time, so it says the same on every machine (nearly: another compiler makes
//! other instructions, and the bounds leave room for that).

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::count::{Counts, Tool, calls, count};
use crate::server::{Server, root};

/// Where the bounds are.
pub const BOUNDS: &str = "bench/bounds.csv";

/// What an echo of a server with so many clients may cost at most.
#[derive(Deserialize)]
struct Bound {
    server: String,
    clients: usize,
    /// None if they are not counted.
    instructions: Option<f64>,
    calls: f64,
}

fn read(file: &Path) -> csv::Result<Vec<Bound>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file)?;
    reader.deserialize().collect()
}

/// Counts every server that has a bound. False if one is exceeded, which is said.
///
/// # Errors
///
/// If the bounds cannot be read, or a server cannot be counted. Where a tool is not installed,
/// what it would count is left out, unless the environment says `REQUIRE_STRACE` or
/// `REQUIRE_VALGRIND`.
pub fn guard(servers: &[Server], say: impl Fn(&str)) -> Result<bool> {
    let bounds = read(&root().join(BOUNDS)).context(BOUNDS)?;
    let tools = [
        (Tool::Strace, "strace", "REQUIRE_STRACE"),
        (Tool::Callgrind, "valgrind", "REQUIRE_VALGRIND"),
    ];
    let mut usable = vec![];
    for (tool, name, required) in tools {
        if tool.works() {
            usable.push(tool);
        } else if std::env::var_os(required).is_some() {
            bail!("{name} does not work here");
        } else {
            say(&format!("skipped: no {name} that works\n"));
        }
    }
    let mut is_kept = true;
    for bound in &bounds {
        let server = servers.iter().find(|server| server.name == bound.server);
        let server = server.with_context(|| format!("there is no {}", bound.server))?;
        let once = || count(server, bound.clients, &usable).map(|it| compare(bound, &it));
        let (mut line, mut excess) = once()?;
        // On a busy machine the clients are not in step, and then fewer are served at once. That
        // is not so each time.
        for _ in 0..2 {
            if !excess.is_empty() {
                (line, excess) = once()?;
            }
        }
        say(&format!("{line}\n{excess}"));
        is_kept &= excess.is_empty();
    }
    Ok(is_kept)
}

/// What was counted beside its bound, and what to do if it is more.
fn compare(bound: &Bound, counts: &Counts) -> (String, String) {
    let Bound { server, clients, .. } = bound;
    let mut line = format!("  {server:14} {clients:>3}");
    let mut excess = String::new();
    let instructions = counts.get("instructions").copied().zip(bound.instructions);
    let calls = Some(calls(counts)).filter(|calls| *calls > 0.0).zip(Some(bound.calls));
    for (what, counted, digits) in
        [("instructions", instructions, 0), ("system calls", calls, 2)]
    {
        let Some((counted, most)) = counted else { continue };
        line += &format!("  {counted:>7.digits$} of at most {most:.digits$} {what}");
        if counted > most {
            excess += &format!(
                "{server} with {clients} clients: {counted:.digits$} {what} an echo, and \
                 {BOUNDS} allows {most:.digits$}.\n\
                 What has been added to the way of every echo? If it is worth that, raise \
                 the bound, and say why in the commit message.\n"
            );
        }
    }
    (line, excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_bound_is_said() {
        let server = "05_epoll".to_string();
        let bound = Bound { server, clients: 1, instructions: Some(780.0), calls: 3.05 };
        let excess = |counts: &[(&str, f64)]| {
            let counts = counts.iter().map(|(name, count)| (name.to_string(), *count));
            compare(&bound, &counts.collect()).1
        };
        assert_eq!(excess(&[("instructions", 780.0), ("recvfrom", 3.0)]), "");
        let instructions = excess(&[("instructions", 812.0), ("recvfrom", 3.0)]);
        assert!(instructions.contains("812 instructions an echo"), "{instructions}");
        let calls = excess(&[("instructions", 780.0), ("recvfrom", 4.0)]);
        assert!(calls.contains("4.00 system calls an echo"), "{calls}");
        assert!(!calls.contains("instructions an echo"), "{calls}");
        // What was not counted exceeds nothing.
        assert_eq!(excess(&[]), "");
    }

    #[test]
    fn the_bounds_can_be_read() {
        let bounds = read(&root().join(BOUNDS)).unwrap();
        assert!(bounds.iter().any(|bound| bound.server == "04_scheduler"));
        assert!(bounds.iter().any(|bound| bound.instructions.is_none()));
    }
}
