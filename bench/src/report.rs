//! The table that a run prints.

use std::fmt::Write as _;

use crate::results::Results;
use crate::scenario;

/// What stands in each column: a title, a field, the unit that it is in there, and digits.
const COLUMNS: [(&str, &str, f64, usize); 10] = [
    ("CPU µs", "cpu_ns", 1000.0, 3),
    ("kernel %", "system_share", 0.01, 0),
    ("echoes/s", "echoes_per_second", 1.0, 0),
    ("p50 µs", "p50_us", 1.0, 1),
    ("p99 µs", "p99_us", 1.0, 1),
    ("p99.9", "p999_us", 1.0, 1),
    ("switches", "switches", 1.0, 3),
    ("packets", "packets", 1.0, 2),
    ("MiB", "full_kib", 1024.0, 1),
    ("threads", "threads", 1.0, 0),
];

/// A table for each scenario: medians over the rounds, and processor time in parts of `base`'s.
pub fn report(results: &Results, base: &str) -> String {
    let mut text = String::new();
    for name in results.scenarios() {
        table(results, name, base, &mut text).expect("a string takes everything");
    }
    text
}

fn table(
    results: &Results,
    name: &str,
    base: &str,
    text: &mut String,
) -> std::fmt::Result {
    let about = scenario::named(name).map_or("", |it| it.about);
    let rounds = results.rows.iter().filter(|row| row.scenario == name);
    let rounds = rounds.map(|row| row.round).max().unwrap_or(0);
    write!(text, "\n{name}: {about} (medians of {rounds} rounds)\n{:16}", "")?;
    for (title, ..) in COLUMNS {
        write!(text, " {title:>9}")?;
    }
    writeln!(text, "  CPU in parts of {base}'s")?;
    for server in results.servers(name) {
        write!(text, "  {server:14}")?;
        for (_, field, unit, digits) in COLUMNS {
            let value = results.median(name, server, field).unwrap_or(f64::NAN);
            write!(text, " {:>9.digits$}", value / unit)?;
        }
        match results.ratio(name, server, base) {
            Some([low, ratio, high]) => {
                writeln!(text, "  {ratio:.3} ({low:.3}–{high:.3})")?;
            }
            None => writeln!(text, "  -")?,
        }
    }
    Ok(())
}
