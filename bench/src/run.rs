//! The rounds: in each, every server has its turn in every scenario, one after the other. So
//! when the machine has a slow minute, it is slow for all of them, and what is compared was
//! measured side by side.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::load::{Clients, verify};
use crate::results::{FIELDS, Results, Row};
use crate::scenario::Scenario;
use crate::server::{Cores, Running, Server};

/// What to measure, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who is measured.
    pub servers: Vec<Server>,
    /// Doing what.
    pub scenarios: Vec<Scenario>,
    /// How often.
    pub rounds: usize,
    /// How long the clients talk before it counts.
    pub warm_up: Duration,
    /// How long it counts.
    pub time: Duration,
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
pub fn run(plan: &Plan) -> Result<(Vec<Row>, Vec<LeftOut>)> {
    let mut left_out = vec![];
    let mut servers = plan.servers.clone();
    servers.retain(|server| match check(server, plan.cores) {
        Ok(()) => true,
        Err(failure) => {
            left_out.push(failure);
            false
        }
    });
    let turns = |servers: &[Server]| -> u64 {
        let carried =
            |it: &Scenario| servers.iter().filter(|s| s.can_carry(it.load)).count();
        (plan.rounds * plan.scenarios.iter().map(carried).sum::<usize>()) as u64
    };
    let bar = ProgressBar::new(turns(&servers));
    let style = ProgressStyle::with_template(
        "{bar:30} {pos}/{len}  {elapsed} so far, {eta} left  {msg}",
    );
    bar.set_style(style.expect("the template is fine"));
    let mut rows = vec![];
    for round in 1..=plan.rounds {
        for scenario in &plan.scenarios {
            // Each round begins with another server: nobody always follows the same one.
            let first = round % servers.len().max(1);
            let order: Vec<Server> =
                servers[first..].iter().chain(&servers[..first]).cloned().collect();
            for server in order.iter().filter(|it| it.can_carry(scenario.load)) {
                bar.set_message(format!(
                    "round {round}: {} {}",
                    scenario.name, server.name
                ));
                match turn(plan, scenario, server) {
                    Ok(values) => rows.push(Row {
                        scenario: scenario.name.to_string(),
                        server: server.name.clone(),
                        round,
                        values,
                    }),
                    Err(error) => {
                        let why = format!("{}: {error:#}", scenario.name);
                        let name = server.name.clone();
                        left_out.push(LeftOut { server: name, why, is_wrong: true });
                        servers.retain(|other| other.name != server.name);
                        rows.retain(|row: &Row| row.server != server.name);
                        bar.set_length(turns(&servers).max(bar.position()));
                    }
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    // In the order in which they were named, in each round.
    let place = |row: &Row| {
        let scenario = plan.scenarios.iter().position(|it| it.name == row.scenario);
        let server = plan.servers.iter().position(|it| it.name == row.server);
        (scenario, row.round, server)
    };
    rows.sort_by_key(place);
    Ok((rows, left_out))
}

/// Whether it runs, and echoes.
fn check(server: &Server, cores: Cores) -> Result<(), LeftOut> {
    let failure = |is_wrong| {
        move |error: anyhow::Error| LeftOut {
            server: server.name.clone(),
            why: format!("{error:#}"),
            is_wrong,
        }
    };
    let running = Running::start(server, Some(cores)).map_err(failure(false))?;
    verify(running.addr).map_err(failure(true))
}

/// One server in one scenario, in a process of its own.
fn turn(
    plan: &Plan,
    scenario: &Scenario,
    server: &Server,
) -> Result<[f64; FIELDS.len()]> {
    let running = Running::start(server, Some(plan.cores))?;
    let empty = running.usage()?;
    let mut clients = Clients::connect(running.addr, scenario.load)?;
    clients.run(plan.warm_up)?;
    let before = (running.usage()?, running.processor_time()?);
    let seen = clients.run(plan.time)?;
    let after = (running.processor_time()?, running.usage()?);
    let cpu = (after.0 - before.1).as_nanos() as f64;
    let (user, system) =
        (after.1.user - before.0.user, (after.1.system - before.0.system) as f64);
    let echoes = seen.echoes.max(1) as f64;
    let latency = |quantile| seen.latency.value_at_quantile(quantile) as f64 / 1000.0;
    Ok([
        seen.echoes as f64,
        seen.time.as_secs_f64(),
        cpu / echoes,
        system / (user as f64 + system).max(1.0),
        after.1.switches.saturating_sub(before.0.switches) as f64 / echoes,
        latency(0.5),
        latency(0.99),
        latency(0.999),
        empty.resident as f64 / 1024.0,
        after.1.resident as f64 / 1024.0,
        after.1.threads as f64,
    ])
}

/// Adds the rows to what was measured before; those of the same servers in the same scenarios
/// take the place of the older ones.
pub fn merge(results: &mut Results, rows: Vec<Row>) {
    let is_same = |a: &Row, b: &Row| a.scenario == b.scenario && a.server == b.server;
    results.rows.retain(|old| !rows.iter().any(|new| is_same(old, new)));
    results.rows.extend(rows);
}
