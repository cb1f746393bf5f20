//! What is measured: loads with names.

use crate::load::Load;

/// A load, and what it shows.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line and in the results.
    pub name: &'static str,
    /// What the clients do, in words.
    pub about: &'static str,
    /// What they do.
    pub load: Load,
    /// It is part of `--quick`.
    pub quick: bool,
}

/// One client, and small messages.
pub const PING: Load = Load { clients: 1, message: 64, depth: 1, idle: 0, short: false };

const fn load(name: &'static str, about: &'static str, load: Load) -> Scenario {
    Scenario { name, about, load, quick: false }
}

const fn ping(name: &'static str, about: &'static str, clients: usize) -> Scenario {
    load(name, about, Load { clients, ..PING })
}

const fn idle(name: &'static str, about: &'static str, idle: usize) -> Scenario {
    load(name, about, Load { clients: 64, idle, ..PING })
}

const fn quick(scenario: Scenario) -> Scenario {
    Scenario { quick: true, ..scenario }
}

/// Everything that is measured, in this order.
pub const ALL: [Scenario; 18] = [
    quick(ping("ping1", "1 client sends 64 bytes, again and again", 1)),
    ping("ping4", "4 clients send 64 bytes each", 4),
    ping("ping16", "16 clients send 64 bytes each", 16),
    quick(ping("ping64", "64 clients send 64 bytes each", 64)),
    ping("ping256", "256 clients send 64 bytes each", 256),
    ping("ping512", "512 clients send 64 bytes each", 512),
    idle("idle300", "64 clients send 64 bytes each, 300 more are silent", 300),
    idle("idle600", "64 clients send 64 bytes each, 600 more are silent", 600),
    idle("idle900", "64 clients send 64 bytes each, 900 more are silent", 900),
    idle("idle2000", "64 clients send 64 bytes each, 2,000 more are silent", 2000),
    idle("idle4000", "64 clients send 64 bytes each, 4,000 more are silent", 4000),
    idle("idle8000", "64 clients send 64 bytes each, 8,000 more are silent", 8000),
    idle("idle10000", "64 clients send 64 bytes each, 10,000 more are silent", 10_000),
    load(
        "pipelined",
        "16 clients have 16 messages of 64 bytes on their way each",
        Load { clients: 16, depth: 16, ..PING },
    ),
    quick(load(
        "16k",
        "16 clients send 16 KiB each",
        Load { clients: 16, message: 16 * 1024, ..PING },
    )),
    load(
        "bulk1",
        "1 client has 1 MiB on its way (an echo is 64 KiB)",
        Load { message: 64 * 1024, depth: 16, ..PING },
    ),
    load(
        "bulk4",
        "4 clients have 1 MiB on its way each (an echo is 64 KiB)",
        Load { clients: 4, message: 64 * 1024, depth: 16, ..PING },
    ),
    quick(load(
        "short",
        "16 clients at a time connect, send 64 bytes, and go",
        Load { clients: 16, short: true, ..PING },
    )),
];

/// The scenario of this name, if there is one.
pub fn named(name: &str) -> Option<Scenario> {
    ALL.into_iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// All clients, talking or not.
    pub fn connections(&self) -> usize {
        self.load.clients + self.load.idle
    }
}
