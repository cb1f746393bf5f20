//! What silent connections cost a server in memory: how much more of it the server has with them
//! than it had without any.
//!
//! Memory is not time: it is nearly the same on a busy machine, and nobody takes turns.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::load::{Clients, Load};
use crate::results::{Results, quartiles};
use crate::scenario::PING;
use crate::server::{Running, Server};

/// Clients, and what each has said before it fell silent.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it is called in the results.
    pub name: &'static str,
    /// The same in words.
    pub about: &'static str,
    /// How many clients there are.
    pub clients: usize,
    /// How many bytes each of them has sent, and got back.
    pub bytes: usize,
    /// Whether each of them has waited until the one before it had all of them back.
    pub in_turn: bool,
}

const SILENT: Case = Case {
    name: "nothing",
    about: "nothing said",
    clients: 1000,
    bytes: 0,
    in_turn: false,
};

const AT_ONCE: Case =
    Case { name: "at-once", about: "1 MiB each, all at once", bytes: 1 << 20, ..SILENT };

/// Everything that is measured, in this order.
pub const ALL: [Case; 4] = [
    SILENT,
    Case { name: "in-turn", about: "1 MiB each, in turn", in_turn: true, ..AT_ONCE },
    AT_ONCE,
    Case {
        name: "hundred",
        about: "100 clients, 64 bytes each",
        clients: 100,
        bytes: 64,
        ..SILENT
    },
];

/// Lets the clients say what they have to say. What is measured, in KiB: resident memory without
/// a client and with all of them, and addresses that the process has reserved, likewise.
pub fn measure(server: &Server, case: &Case) -> Result<[(&'static str, f64); 4]> {
    let load = Load { clients: case.clients, message: case.bytes.max(1), ..PING };
    let running = Running::start(server, None)?;
    let empty = running.usage()?;
    let mut clients = Clients::connect(running.addr, load)?;
    let once = Duration::ZERO; // nobody begins a second message
    match case {
        Case { bytes: 0, .. } => {}
        Case { in_turn: false, .. } => drop(clients.run(once)?),
        Case { in_turn: true, .. } => {
            for client in 0..case.clients {
                clients.run_some(client..client + 1, once)?;
            }
        }
    }
    // When one more, who comes last, has had an answer, the server has seen all the others.
    let last = Load { clients: 0, idle: 1, ..PING };
    let _last = Clients::connect(running.addr, last)?;
    let full = running.usage()?;
    let kib = |bytes| bytes as f64 / 1024.0;
    Ok([
        ("empty_kib", kib(empty.resident)),
        ("full_kib", kib(full.resident)),
        ("empty_addresses_kib", kib(empty.addresses)),
        ("full_addresses_kib", kib(full.addresses)),
    ])
}

/// Measures everything so many times.
pub fn measure_all(
    servers: &[Server],
    rounds: usize,
    progress: impl Fn(&str),
) -> Result<Results> {
    let mut memory = Results::of_this_machine();
    for server in servers {
        let mut line = format!("{:14}", server.name);
        for case in ALL.iter().filter(|case| case.clients <= server.most) {
            for round in 1..=rounds {
                let values = measure(server, case);
                let values =
                    values.with_context(|| format!("{}: {}", server.name, case.name))?;
                memory.add(case.name, &server.name, round, &values);
            }
            let each = each(&memory, case, &server.name);
            let [_, each, _] = each.context("no round")?;
            write!(line, "  {} {each:.2}", case.name)?;
        }
        progress(&line);
    }
    Ok(memory)
}

/// How many KiB more a server has for each client than it had without any: the quartiles.
pub fn each(memory: &Results, case: &Case, server: &str) -> Option<[f64; 3]> {
    let more = |row| memory.value(row, "full_kib") - memory.value(row, "empty_kib");
    let rows = memory.of(case.name, server);
    quartiles(rows.map(|row| more(row) / case.clients as f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_client_costs() {
        let mut memory = Results::of_this_machine();
        for full in [4000.0, 9000.0, 5000.0] {
            let values = [("empty_kib", 2000.0), ("full_kib", full)];
            memory.add("nothing", "a", 1, &values);
        }
        assert_eq!(each(&memory, &SILENT, "a"), Some([2.5, 3.0, 5.0]));
        assert_eq!(each(&memory, &SILENT, "b"), None);
    }
}
