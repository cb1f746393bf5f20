//! The regression guard: what an echo costs, against bounds that are kept in the repository. It
//! counts and does not time, so it says the same on every machine (nearly: another compiler makes
//! other instructions, and the bounds leave room for that).

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::count::{Counts, Tool, calls, count};
use crate::server::{Server, root};

/// Where the bounds are.
pub const BOUNDS: &str = "bench/bounds.csv";

/// What an echo of a server with so many clients may cost at most.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    server: String,
    clients: usize,
    /// None if they are not counted.
    instructions: Option<f64>,
    calls: f64,
}

fn read(file: &Path) -> Result<Vec<Bound>> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(file)?;
    let mut bounds = vec![];
    for record in reader.records() {
        let record = record?;
        ensure!(record.len() == 4, "4 columns are wanted");
        let instructions = &record[2];
        bounds.push(Bound {
            server: record[0].to_string(),
            clients: record[1].parse()?,
            instructions: match instructions {
                "-" => None,
                number => Some(number.parse()?),
            },
            calls: record[3].parse()?,
        });
    }
    Ok(bounds)
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
        let once = || -> Result<_> {
            let mut counts = Counts::new();
            for tool in &usable {
                if *tool == Tool::Strace || bound.instructions.is_some() {
                    counts.extend(count(server, bound.clients, *tool)?);
                }
            }
            Ok(compare(bound, &counts))
        };
        let (mut line, mut excess) = once()?;
        // On a busy machine the clients are not in step, and then fewer are served at once. That
        // is not so each time.
        for _ in 0..2 {
            if excess.is_some() {
                (line, excess) = once()?;
            }
        }
        say(&line);
        is_kept &= excess.is_none();
        excess.iter().for_each(|excess| say(excess));
    }
    Ok(is_kept)
}

/// What was counted beside its bound, and what to do if it is more.
fn compare(bound: &Bound, counts: &Counts) -> (String, Option<String>) {
    let Bound { server, clients, .. } = bound;
    let mut line = format!("  {server:14} {clients:>3}");
    let mut excess = String::new();
    let instructions = counts.get("instructions").copied().zip(bound.instructions);
    let calls = Some(calls(counts)).filter(|calls| *calls > 0.0).zip(Some(bound.calls));
    for (what, counted, digits) in
        [("instructions", instructions, 0), ("system calls", calls, 2)]
    {
        let Some((counted, most)) = counted else { continue };
        let _ = write!(line, "  {counted:>7.digits$} of at most {most:.digits$} {what}");
        if counted > most {
            let _ = writeln!(
                excess,
                "{server} with {clients} clients: {counted:.digits$} {what} an echo, and \
                 {BOUNDS} allows {most:.digits$}.\n\
                 What has been added to the way of every echo? If it is worth that, raise \
                 the bound, and say why in the commit message."
            );
        }
    }
    line.push('\n');
    (line, Some(excess).filter(|excess| !excess.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bound {
        let (server, clients) = ("05_epoll".to_string(), 1);
        Bound { server, clients, instructions: Some(780.0), calls: 3.05 }
    }

    #[test]
    fn more_than_the_bound_is_said() {
        let counts = |instructions, calls| {
            let counts = [("instructions", instructions), ("recvfrom", calls)];
            Counts::from(counts.map(|(name, count)| (name.to_string(), count)))
        };
        assert_eq!(compare(&bound(), &counts(780.0, 3.0)).1, None);
        let excess = compare(&bound(), &counts(812.0, 3.0)).1.unwrap();
        assert!(excess.contains("812 instructions an echo"), "{excess}");
        let excess = compare(&bound(), &counts(780.0, 4.0)).1.unwrap();
        assert!(excess.contains("4.00 system calls an echo"), "{excess}");
        assert!(!excess.contains("instructions an echo"), "{excess}");
        // What was not counted exceeds nothing.
        assert_eq!(compare(&bound(), &Counts::new()).1, None);
    }

    #[test]
    fn the_bounds_can_be_read() {
        let bounds = read(&root().join(BOUNDS)).unwrap();
        assert!(bounds.iter().any(|bound| bound.server == "04_scheduler"));
    }
}
