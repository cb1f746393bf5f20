//! The rounds: in each, every scenario has its time, and every server is started anew for it.
//! They all run, but only one has something to do: they take turns of 20 milliseconds, A B C,
//! B C A, C A B and so on. So when the machine is slow for a while, it is slow for all of them, and
//! what is compared was measured side by side. Who comes after whom is left to chance each time,
//! because a server meets the processor's caches as the one before has left them.

use std::time::Duration;

use anyhow::{Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::resource::{Resource, getrlimit};

use crate::load::{Clients, Seen, verify};
use crate::loopback::packets;
use crate::results::{Results, Row};
use crate::scenario::Scenario;
use crate::server::{Cores, Running, Server, Usage};

/// Long enough that what a turn begins and ends with does not count, and short enough that the
/// machine is the same for neighbours.
pub const TURN: Duration = Duration::from_millis(20);

/// What to measure, and how often.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who is measured.
    pub servers: Vec<Server>,
    /// Doing what.
    pub scenarios: Vec<Scenario>,
    /// How often.
    pub rounds: usize,
    /// How many turns each has in a round.
    pub turns: usize,
    /// Where.
    pub cores: Cores,
}

/// A server that was left out, and why.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// Its name.
    pub server: String,
    /// What happened.
    pub why: String,
    /// It runs, and is wrong; not only cannot run here.
    pub is_wrong: bool,
}

/// Measures everything.
///
/// # Errors
///
/// If nothing can be measured at all. A server that fails is left out from then on, and the
/// others go on.
pub fn run(plan: &Plan) -> Result<(Results, Vec<LeftOut>)> {
    let (results, bar) = (Results::of_this_machine(), progress_bar());
    let mut bench = Bench { plan, left_out: vec![], results, bar };
    for server in &plan.servers {
        bench.check(server);
    }
    bench.bar.set_length((plan.rounds * plan.scenarios.len()) as u64);
    for round in 1..=plan.rounds {
        for scenario in &plan.scenarios {
            bench.bar.set_message(format!("round {round}: {}", scenario.name));
            for group in bench.groups(scenario, round)? {
                bench.measure(scenario, round, &group);
            }
            bench.bar.inc(1);
        }
    }
    bench.bar.finish_and_clear();
    // In the order in which they were named, in each round.
    let place = |row: &Row| {
        let scenario = plan.scenarios.iter().position(|it| it.name == row.scenario);
        let server = plan.servers.iter().position(|it| it.name == row.server);
        (scenario, row.round, server)
    };
    bench.results.rows.sort_by_key(place);
    Ok((bench.results, bench.left_out))
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {pos}/{len}  {elapsed} so far, {eta} left  {msg}",
    );
    let bar = ProgressBar::new(1).with_style(style.expect("the template is fine"));
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}

struct Bench<'a> {
    plan: &'a Plan,
    left_out: Vec<LeftOut>,
    results: Results,
    bar: ProgressBar,
}

/// A server with its clients, and what it has done so far in this round.
struct Turns<'a> {
    server: &'a Server,
    running: Running,
    clients: Clients,
    empty: Usage,
    before: Usage,
    seen: Seen,
    cpu: Duration,
    packets: u64,
}

impl<'a> Bench<'a> {
    /// Leaves a server out that does not run, or does not echo.
    fn check(&mut self, server: &Server) {
        match Running::start(server, Some(self.plan.cores)) {
            Err(error) => self.leave_out(server, false, &error),
            Ok(running) => {
                if let Err(error) = verify(running.addr) {
                    self.leave_out(server, true, &error);
                }
            }
        }
    }

    fn leave_out(&mut self, server: &Server, is_wrong: bool, error: &anyhow::Error) {
        let (server, why) = (server.name.clone(), format!("{error:#}"));
        self.results.rows.retain(|row| row.server != server);
        self.left_out.push(LeftOut { server, why, is_wrong });
    }

    /// Those who have their turns in a scenario: all of them at the same time, unless that would
    /// be more connections than this process may have.
    fn groups(&self, scenario: &Scenario, round: usize) -> Result<Vec<Vec<&'a Server>>> {
        let mut servers: Vec<&Server> = self.plan.servers.iter().collect();
        servers.retain(|server| {
            let is_left_out = self.left_out.iter().any(|it| it.server == server.name);
            server.can_carry(scenario.load) && !is_left_out
        });
        // So that not always the same ones are in a group.
        let first = round % servers.len().max(1);
        servers.rotate_left(first);
        let (_, limit) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let connections = scenario.connections();
        let most = (limit as usize - 200) / connections;
        ensure!(most > 0, "{connections} connections are more than `ulimit -Hn` allows");
        Ok(servers.chunks(most).map(<[&Server]>::to_vec).collect())
    }

    /// A round of a scenario: one short turn of each, and again, and again.
    fn measure(&mut self, scenario: &Scenario, round: usize, group: &[&'a Server]) {
        let mut all: Vec<Turns> = vec![];
        for server in group {
            match Turns::prepare(server, scenario, self.plan) {
                Ok(turns) => all.push(turns),
                Err(error) => self.fail(scenario, server, error),
            }
        }
        for _ in 0..self.plan.turns {
            fastrand::shuffle(&mut all);
            all.retain_mut(|turns| match turns.take() {
                Ok(()) => true,
                Err(error) => {
                    self.fail(scenario, turns.server, error);
                    false
                }
            });
        }
        for turns in all {
            match turns.values() {
                Ok(values) => {
                    let server = &turns.server.name;
                    self.results.add(scenario.name, server, round, &values);
                }
                Err(error) => self.fail(scenario, turns.server, error),
            }
        }
    }

    fn fail(&mut self, scenario: &Scenario, server: &Server, error: anyhow::Error) {
        self.leave_out(server, true, &error.context(scenario.name));
    }
}

impl Turns<'_> {
    fn prepare<'a>(
        server: &'a Server,
        scenario: &Scenario,
        plan: &Plan,
    ) -> Result<Turns<'a>> {
        let running = Running::start(server, Some(plan.cores))?;
        let empty = running.usage()?;
        let mut clients = Clients::connect(running.addr, scenario.load)?;
        clients.run(2 * TURN)?; // to warm up
        let before = running.usage()?;
        let (seen, cpu, packets) = (Seen::default(), Duration::ZERO, 0);
        Ok(Turns { server, running, clients, empty, before, seen, cpu, packets })
    }

    fn take(&mut self) -> Result<()> {
        let (before, packets_before) = (self.running.processor_time()?, packets()?);
        let seen = self.clients.run(TURN)?;
        self.cpu += self.running.processor_time()? - before;
        self.packets += packets()? - packets_before;
        self.seen.add(&seen);
        Ok(())
    }

    /// What was measured. "An echo" is one message, or one short connection.
    fn values(&self) -> Result<[(&'static str, f64); 12]> {
        let after = self.running.usage()?;
        let (user, system) =
            (after.user - self.before.user, after.system - self.before.system);
        let switches = after.switches.saturating_sub(self.before.switches);
        let echoes = self.seen.echoes.max(1) as f64;
        let latency = |part| self.seen.latency.value_at_quantile(part) as f64 / 1000.0;
        Ok([
            ("echoes", self.seen.echoes as f64),
            ("seconds", self.seen.time.as_secs_f64()),
            // The server's processor time, and how much of it was the kernel's.
            ("cpu_ns", self.cpu.as_nanos() as f64 / echoes),
            ("system_share", system as f64 / (user + system).max(1) as f64),
            // Context switches an echo.
            ("switches", switches as f64 / echoes),
            // Packets an echo, of both sides together.
            ("packets", self.packets as f64 / echoes),
            ("p50_us", latency(0.5)),
            ("p99_us", latency(0.99)),
            ("p999_us", latency(0.999)),
            // Resident memory, without a client and with all of them.
            ("empty_kib", self.empty.resident as f64 / 1024.0),
            ("full_kib", after.resident as f64 / 1024.0),
            ("threads", after.threads as f64),
        ])
    }
}
