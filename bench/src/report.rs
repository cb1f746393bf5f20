//! The table that a run prints.

use std::fmt::Write as _;

use crate::results::Results;
use crate::scenario;

/// A table for each scenario: medians over the rounds, and processor time in parts of `base`'s.
pub fn report(results: &Results, base: &str) -> String {
    let mut text = String::new();
    for name in results.scenarios() {
        table(results, &name, base, &mut text).expect("a string takes everything");
    }
    text
}

fn table(
    results: &Results,
    name: &str,
    base: &str,
    text: &mut String,
) -> std::fmt::Result {
    let about = scenario::ALL.iter().find(|scenario| scenario.name == name);
    let servers = results.servers(name);
    let rounds = results.rows.iter().filter(|row| row.scenario == name);
    let rounds = rounds.map(|row| row.round).max().unwrap_or(0);
    writeln!(
        text,
        "\n{name}: {} (medians of {rounds} rounds)",
        about.map_or("", |it| it.about)
    )?;
    writeln!(
        text,
        "  {:14} {:>9}  {:<21} {:>6} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "",
        "CPU µs",
        format!("of {base}'s"),
        "kernel",
        "echoes/s",
        "p50 µs",
        "p99 µs",
        "p99.9",
        "switches",
        "packets",
        "MiB"
    )?;
    for server in &servers {
        let value = |field| results.median(name, server, field).unwrap_or(f64::NAN);
        let ratio = match results.ratio(name, server, base, "cpu_ns") {
            Some([low, ratio, high]) => format!("{ratio:.3} ({low:.3}–{high:.3})"),
            None => "-".to_string(),
        };
        writeln!(
            text,
            "  {server:14} {:>9.3}  {ratio:<21} {:>5.0}% {:>9.0} {:>8.1} {:>8.1} {:>8.1} {:>8.3} {:>8.2} {:>7.1}",
            value("cpu_ns") / 1000.0,
            value("system_share") * 100.0,
            value("echoes_per_second"),
            value("p50_us"),
            value("p99_us"),
            value("p999_us"),
            value("switches"),
            value("packets"),
            value("full_kib") / 1024.0,
        )?;
    }
    Ok(())
}
