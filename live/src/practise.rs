//! Practice that never runs out: a number makes a scenario and asks what comes next. The answer is
//! what the scheduler then does.

use std::os::fd::RawFd;

use bricks_in_memory::tasks::SOURCE;
use bricks_in_memory::trace::{On, Want};
use serde::Serialize;

use crate::kernel::Now;
use crate::moves::{Move, Scenario};
use crate::steps::{Places, Step};
use crate::{Played, play_moves};

/// A scenario with a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Practice {
    /// What is played to see the answer.
    pub scenario: String,
    /// What has happened, in words.
    pub told: Vec<String>,
    /// Where the tasks are.
    pub places: Vec<String>,
    /// What is asked.
    pub question: String,
    /// What can be answered.
    pub choices: Vec<String>,
    /// Which of them is right.
    pub right: usize,
    /// Why.
    pub why: String,
}

/// Practice number `seed`. The same number always makes the same.
pub fn practise(seed: u64) -> Practice {
    const KINDS: [fn(&Situation, &mut Dice) -> Option<Practice>; 4] =
        [who_runs_next, which_table, what_is_reported, which_line];
    let mut dice = Dice(seed);
    loop {
        let practice = Situation::any(&mut dice)
            .and_then(|it| KINDS[(seed % 4) as usize](&it, &mut dice));
        if let Some(practice) = practice {
            return practice;
        }
    }
}

/// A scenario that ends with an answer of `select`, and what came of it.
struct Situation {
    scenario: Scenario,
    /// How it stood before that answer.
    before: Now,
    /// What had been decided by then, and the answer, in words.
    told: Vec<String>,
    steps: Vec<Step>,
    /// The step at which `select` returned.
    returned: usize,
}

impl Situation {
    /// Some moves, one after the other, each of those that are possible; unless they lead nowhere.
    fn any(dice: &mut Dice) -> Option<Situation> {
        let mut scenario = Scenario::default();
        let mut played = play_moves(&scenario);
        let length = 8 + dice.below(16);
        loop {
            let next = any_move(&played.0.now, dice)?;
            let is_answer = matches!(next, Move::Select(_) | Move::Truth);
            scenario.moves.push(next);
            let before = std::mem::replace(&mut played, play_moves(&scenario)).0.now;
            if is_answer && scenario.moves.len() >= length {
                let (Played { decided: told, .. }, steps) = played;
                let returned = steps.iter().rposition(|it| matches!(it, Step::Returned));
                let returned = returned.expect("select has returned");
                return Some(Situation { scenario, before, told, steps, returned });
            }
        }
    }

    /// The steps after the answer, with their numbers.
    fn after(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().skip(self.returned + 1)
    }

    /// What happens next to the task of this step.
    fn next(&self, after: usize) -> impl Iterator<Item = &Step> {
        let task = self.steps[after].task();
        self.steps[after + 1..].iter().filter(move |step| step.task() == task)
    }

    /// A question that is asked after so many steps.
    fn practice(
        &self,
        places: &Places,
        question: &str,
        choices: Vec<String>,
        right: &str,
        why: &str,
    ) -> Option<Practice> {
        let at = choices.iter().position(|it| it == right)?;
        (choices.len() > 1).then(|| Practice {
            scenario: self.scenario.to_string(),
            told: self.told.clone(),
            places: places.lines(),
            question: question.to_string(),
            choices,
            right: at,
            why: why.to_string(),
        })
    }
}

/// The first of several ready tasks.
fn who_runs_next(it: &Situation, dice: &mut Dice) -> Option<Practice> {
    let (at, _) = it.after().find(|(_, step)| matches!(step, Step::Resume(..)))?;
    let mut places = Places::after(&it.steps[..at]);
    let tasks = std::mem::take(&mut places.ready); // in order, they are the answer
    let right = places.name(*tasks.first()?);
    let choices = places.all().filter(|task| tasks.contains(task));
    let mut choices: Vec<_> = choices.map(|task| places.name(task)).collect();
    // Mostly, the task with the lowest number is right: it has the lowest descriptor.
    let other = dice.below(choices.len());
    choices.swap(0, other);
    it.practice(
        &places,
        "The events have happened. These tasks are on the ready queue, in some order. \
         Which of them runs next?",
        choices,
        &right,
        "The ready queue is a queue: what happened first is resumed first, and the events happen \
         in the order in which select reports their descriptors.",
    )
}

/// Where a task goes that has yielded.
fn which_table(it: &Situation, dice: &mut Dice) -> Option<Practice> {
    const READY: &str = "to the ready queue";
    const TIMERS: &str = "among the timers";
    let waiting = |on: &str, fd: RawFd| format!("to the {on}-waiting table, under {fd}");
    let yields = it.after().filter(|(_, step)| matches!(step, Step::Yield(..)));
    let (at, step) = dice.one_of(yields.collect())?;
    let Step::Yield(task, want, fd, _) = step else { return None };
    let right = match it.next(at).next()? {
        Step::Park(_, On::Read(fd)) => waiting("read", *fd),
        Step::Park(_, On::Write(fd)) => waiting("write", *fd),
        Step::Park(..) => TIMERS.into(),
        _ => READY.into(),
    };
    let fd = fd.unwrap_or_default();
    let choices =
        vec![READY.into(), TIMERS.into(), waiting("read", fd), waiting("write", fd)];
    let (event, why) = match want {
        Want::Accept => (
            "ConnectEvent",
            "To accept is to read from the listening socket: the event waits until that can be read.",
        ),
        Want::Read => {
            ("ReceiveEvent", "The event waits until there is something to read.")
        }
        Want::Write => (
            "SendEvent",
            "The event waits until there is room: in stage 04, every send is watched first.",
        ),
        Want::Close => (
            "CloseEvent",
            "A close waits for the end of input of the client, unless that has come already.",
        ),
        _ => ("SleepEvent", "It waits for nothing but time."),
    };
    let places = Places::after(&it.steps[..at]);
    let question = format!(
        "{}, runs, and yields a {event}. Where does it go with this event?",
        places.name(*task)
    );
    it.practice(&places, &question, choices, &right, why)
}

/// What `select` returns when it tells the truth.
fn what_is_reported(it: &Situation, dice: &mut Dice) -> Option<Practice> {
    let watched = &it.before.watched;
    if it.scenario.moves.last() != Some(&Move::Truth) || watched.len() < 2 {
        return None;
    }
    let says = |is_in: &dyn Fn(usize) -> bool| {
        let those = watched.iter().enumerate().filter(|(at, _)| is_in(*at));
        let words = those.map(|(_, it)| {
            format!("{} can be {}", it.fd, if it.read { "read" } else { "written" })
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() { "nothing is ready".into() } else { words.join(", ") }
    };
    let right = says(&|at| watched[at].ready);
    let other = dice.below(watched.len());
    let mut choices = vec![];
    for choice in [
        right.clone(),
        says(&|_| true),
        says(&|_| false),
        says(&|at| watched[at].ready != (at == other)),
    ] {
        if let Err(at) = choices.binary_search(&choice) {
            choices.insert(at, choice);
        }
    }
    let mut practice = it.practice(
        &Places::after(&it.steps[..it.returned]),
        "What does select return, if it tells the truth?",
        choices,
        &right,
        "A listening socket can be read when a client waits. Another one can be read when there are \
         bytes or the end of input, and written when there is room. Of what it was not asked, \
         select says nothing.",
    )?;
    practice.told.pop();
    Some(practice)
}

/// The line at which a resumed task stops next.
fn which_line(it: &Situation, dice: &mut Dice) -> Option<Practice> {
    const END: &str = "at none: it finishes";
    let resumes = it.after().filter(|(_, step)| matches!(step, Step::Resume(..)));
    let (at, step) = dice.one_of(resumes.collect())?;
    let Step::Resume(task, with) = step else { return None };
    let words = |line: u32| {
        let text = SOURCE.1.lines().nth(line as usize - 1).unwrap_or_default();
        format!("at line {line}: {}", text.trim())
    };
    let right = it.next(at).find_map(|step| match step {
        Step::Yield(.., line) => Some(words(*line)),
        Step::Finish(_) => Some(END.into()),
        _ => None,
    })?;
    let mut lines = vec![];
    for step in &it.steps {
        if let Step::Yield(.., line) = step
            && let Err(at) = lines.binary_search(line)
        {
            lines.insert(at, *line);
        }
    }
    let mut choices: Vec<_> = lines.into_iter().map(words).collect();
    choices.push(END.into());
    let places = Places::after(&it.steps[..at]);
    let question =
        format!("{}, is resumed{with}. Where does it stop next?", places.name(*task));
    it.practice(
        &places,
        &question,
        choices,
        &right,
        "It goes on after the line at which it was suspended, to the next line with yield_.",
    )
}

/// One of what is possible now. Clients come and speak more often than they leave.
fn any_move(now: &Now, dice: &mut Dice) -> Option<Move> {
    let has = |kind: &str| now.possible.iter().any(|it| it == kind);
    if has("truth") && dice.below(3) > 0 {
        return Some(Move::Truth);
    }
    let mut moves = vec![];
    if has("connect") && now.clients.len() < 4 {
        moves.extend([Move::Connect, Move::Connect]);
    }
    for client in 1..=now.clients.len() {
        if has(&format!("{client}:send")) {
            let text = ["hi\n", "abc\n", "to be\n"][dice.below(3)];
            let send = Move::Send(client, text.into());
            moves.extend([send.clone(), send, Move::End(client)]);
        }
        if has(&format!("{client}:room")) && dice.below(4) == 0 {
            moves.push(Move::Room(client, 1 + dice.below(3)));
        }
        if has(&format!("{client}:read")) {
            moves.push(Move::Read(client));
        }
    }
    if has("select") && dice.below(4) == 0 {
        let one = &now.watched[dice.below(now.watched.len())];
        use bricks_in_memory::net::Direction::{Read, Write};
        moves.push(Move::Select(vec![(one.fd, if one.read { Read } else { Write })]));
    }
    dice.one_of(moves)
}

/// Numbers that look random, and are not (splitmix64, by Guy Steele and others).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((it ^ (it >> 31)) % most as u64) as usize
    }

    fn one_of<T>(&mut self, mut these: Vec<T>) -> Option<T> {
        match these.len() {
            0 => None,
            count => Some(these.swap_remove(self.below(count))),
        }
    }
}
