//! Everything that can happen to the server of stage 04, to a bound: each answer of the poller,
//! true or not, and each move of the clients, in each order.
//!
//! A state cannot be copied, because tasks cannot. So it is reached again, by a run from the
//! beginning, for each move that can follow; a run takes some microseconds. What keeps the number
//! of runs small is that different ways lead to the same state, from which on the same things can
//! happen: it is followed once. The search goes from near to far, so the first failure that it
//! finds is the shortest.

mod failure;
mod moves;
mod seen;
mod world;

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::thread;

use crate::poller::{Decision, Script};
pub use failure::Failure;
use moves::Move;
use world::World;

/// How far the exploration goes.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How many clients may connect.
    pub clients: usize,
    /// How many bytes each of them may send.
    pub bytes: usize,
    /// How many things may go wrong: a reset, an error of accept, a signal that cannot be read.
    pub faults: usize,
    /// How often half a second may pass, beside the moments at which something is due.
    pub pauses: usize,
    /// Whether the scheduler tries a send before it watches it.
    pub sends_first: bool,
}

/// Explored in a few seconds.
pub const NEAR: [Bounds; 2] = [
    Bounds { clients: 1, bytes: 2, faults: 1, pauses: 2, sends_first: false },
    Bounds { clients: 2, bytes: 2, faults: 0, pauses: 0, sends_first: false },
];

/// Explored within a minute.
pub const FAR: [Bounds; 3] = [
    Bounds { clients: 2, bytes: 2, faults: 0, pauses: 1, sends_first: false },
    Bounds { clients: 2, bytes: 2, faults: 0, pauses: 0, sends_first: true },
    Bounds { clients: 2, bytes: 2, faults: 1, pauses: 0, sends_first: false },
];

impl Bounds {
    /// A poller to be answered for.
    fn script(&self) -> Script {
        let script = Script::default();
        if self.sends_first {
            script.send_first();
        }
        script
    }

    /// What a client sends: each byte is another one.
    fn bytes(&self, client: usize) -> Vec<u8> {
        (b'a' + (client * self.bytes) as u8..).take(self.bytes).collect()
    }
}

/// What has been explored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Different states.
    pub states: usize,
    /// Runs, each from the beginning.
    pub runs: usize,
    /// How many moves it takes to reach the state that is farthest away.
    pub depth: usize,
}

/// A state: how it was reached first, and where the two continuations lead, unless they end here.
struct Node {
    parent: usize,
    by: Move,
    depth: usize,
    leads_to: [Option<usize>; 2],
}

/// What follows from a state: the state after each move, and the moves of the two continuations
/// that have to come to an end.
#[derive(PartialEq)]
struct Follows {
    states: Vec<(Move, u64)>,
    continued_by: [Option<Move>; 2],
}

/// The continuations: what is wrong if they do not come to an end.
const ENDLESS: [&str; 2] = [
    "the poller tells the truth, the clients do their part, and there is no end",
    "a stop has begun, the clients do nothing more, and there is no end",
];

/// Explores all that can happen within the bounds.
///
/// # Errors
///
/// The shortest run that comes to something wrong.
pub fn explore(bounds: &Bounds) -> Result<Explored, Box<Failure>> {
    let mut nodes = vec![Node { parent: 0, by: vec![], depth: 0, leads_to: [None; 2] }];
    let mut known = HashMap::from([(World::after(bounds, vec![]).key(), 0)]);
    let (mut done, mut runs) = (0, 1);
    while done < nodes.len() {
        let (from, all) = (done, all_follow(bounds, &nodes, done));
        for (node, follows) in (from..).zip(all) {
            let Follows { states, continued_by } = follows?;
            runs += 1 + states.len();
            for (by, key) in states {
                let next = nodes.len();
                let to = *known.entry(key).or_insert(next);
                for (leads_to, continued) in
                    nodes[node].leads_to.iter_mut().zip(&continued_by)
                {
                    if *continued == Some(by.clone()) {
                        *leads_to = Some(to);
                    }
                }
                if to == next {
                    let depth = nodes[node].depth + 1;
                    nodes.push(Node { parent: node, by, depth, leads_to: [None; 2] });
                }
            }
            done = node + 1;
        }
    }
    (0..2).try_for_each(|which| comes_to_an_end(bounds, &nodes, which))?;
    let depth = nodes.last().map_or(0, |node| node.depth);
    Ok(Explored { states: nodes.len(), runs, depth })
}

/// Of how many states it is kept in memory what follows.
const AT_ONCE: usize = 4096;

/// What follows from each of the next states from this one on, in their order.
fn all_follow(
    bounds: &Bounds,
    nodes: &[Node],
    from: usize,
) -> Vec<Result<Follows, Box<Failure>>> {
    let part = |numbers: Vec<usize>| -> Vec<_> {
        numbers.into_iter().map(|node| follow(bounds, way(nodes, node))).collect()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let numbers: Vec<usize> = (from..nodes.len()).take(AT_ONCE).collect();
    let size = numbers.len().div_ceil(threads);
    thread::scope(|scope| {
        let parts = numbers.chunks(size).map(<[usize]>::to_vec);
        let started: Vec<_> =
            parts.map(|numbers| scope.spawn(|| part(numbers))).collect();
        let done = started.into_iter().map(|it| it.join().expect("it does not panic"));
        done.flatten().collect()
    })
}

/// All that was decided on the way to a state.
fn way(nodes: &[Node], mut node: usize) -> Vec<Decision> {
    let mut moves = vec![];
    while node > 0 {
        moves.push(&nodes[node].by[..]);
        node = nodes[node].parent;
    }
    moves.reverse();
    moves.concat()
}

/// What follows from the state after these decisions.
fn follow(bounds: &Bounds, decisions: Vec<Decision>) -> Result<Follows, Box<Failure>> {
    let world = World::after(bounds, decisions);
    let wrong = |world: &World, why| Err(Failure::new(bounds, &world.decisions, why));
    if world.over.is_some() {
        return Ok(Follows { states: vec![], continued_by: [None, None] });
    }
    let fair = world.fair_move();
    if let (true, Some(why)) = (fair == world.signal(), world.is_unserved()) {
        return wrong(&world, why);
    }
    let silent = world.has_stopped().then_some(vec![Decision::TimeOut]);
    let (moves, decisions) = (world.moves(), world.decisions.clone());
    assert!(fair == world.signal() || moves.contains(&fair), "{fair:?} is possible");
    drop(world); // its descriptors are free again
    let mut states = vec![];
    for by in moves {
        let world = World::after(bounds, [&decisions[..], &by].concat());
        if let Some(why) = world.wrong() {
            return wrong(&world, why);
        }
        states.push((by, world.key()));
    }
    Ok(Follows { states, continued_by: [Some(fair), silent] })
}

/// From each state on, this continuation leads to where it ends, and not back to where it was.
fn comes_to_an_end(
    bounds: &Bounds,
    nodes: &[Node],
    which: usize,
) -> Result<(), Box<Failure>> {
    let mut is_good = vec![false; nodes.len()];
    for start in 0..nodes.len() {
        let (mut node, mut passed) = (start, vec![]);
        while let (false, Some(next)) = (is_good[node], nodes[node].leads_to[which]) {
            if passed.len() > nodes.len() {
                return Err(Failure::new(
                    bounds,
                    &way(nodes, node),
                    ENDLESS[which].into(),
                ));
            }
            passed.push(node);
            node = next;
        }
        passed.into_iter().for_each(|node| is_good[node] = true);
    }
    Ok(())
}

/// A state is told apart by its key. If the key forgot something, two states would be taken for
/// one, and what follows from the second would not be seen. So this meets states on a second way,
/// and compares what follows then with what follows on the first. Returns how often it did.
///
/// # Panics
///
/// If something else follows.
pub fn doubt(bounds: &Bounds, one_of: usize) -> usize {
    let (mut ways, mut known) = (vec![vec![]], HashMap::new());
    let (mut done, mut met, mut doubted) = (0, 0, 0);
    while done < ways.len() {
        let first = ways[done].clone();
        let follows = follow(bounds, first).unwrap_or_else(|why| panic!("{why}"));
        for (by, key) in &follows.states {
            let way = [&ways[done][..], by].concat();
            let Some(first) = known.get(key) else {
                known.insert(*key, way.clone());
                ways.push(way);
                continue;
            };
            met += 1;
            if met % one_of == 0 && way != *first {
                let [one, other] = [first, &way].map(|way| follow(bounds, way.clone()));
                assert!(one.ok() == other.ok(), "not the same: {first:?} and {way:?}");
                doubted += 1;
            }
        }
        done += 1;
    }
    doubted
}

impl Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bounds { clients, bytes, faults, pauses, sends_first } = self;
        write!(f, "clients {clients}, bytes each {bytes}, faults {faults}, ")?;
        let sends = if *sends_first { ", sends before it waits" } else { "" };
        write!(f, "pauses {pauses}{sends}")
    }
}

impl Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explored { states, runs, depth } = self;
        write!(f, "{states} states, {runs} runs, {depth} moves deep")
    }
}
