//! Practice that never runs out: a number makes a scenario and asks what comes next. The answer is
//! what the scheduler then does.

use bricks_in_memory::tasks::SOURCE;
use playback::fold::Fold;
use playback::read::{Event, Recording, Step};
use serde::Serialize;

use crate::kernel::Now;
use crate::moves::{Move, Scenario};
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
        let situation = Situation::any(&mut dice);
        if let Some(practice) = KINDS[(seed % 4) as usize](&situation, &mut dice) {
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
    /// Where the tasks were before each step.
    folds: Vec<Fold>,
    /// The step at which `select` returned.
    returned: usize,
}

impl Situation {
    /// Some moves, one after the other, each of those that are possible.
    fn any(dice: &mut Dice) -> Situation {
        let mut scenario = Scenario::default();
        let mut played = play_moves(&scenario);
        let length = 8 + dice.below(16);
        while let Some(next) = any_move(&played.now, dice) {
            let is_answer = matches!(next, Move::Select(_) | Move::Truth);
            scenario.moves.push(next);
            let before = std::mem::replace(&mut played, play_moves(&scenario)).now;
            if is_answer && scenario.moves.len() >= length {
                return Situation::new(scenario, before, played);
            }
        }
        unreachable!("as long as the server runs, something can be decided")
    }

    fn new(scenario: Scenario, before: Now, played: Played) -> Situation {
        let recording = Recording::read(&played.recording).expect("it is one");
        let mut folds = vec![Fold::default()];
        for step in &recording.steps {
            let mut fold = folds[folds.len() - 1].clone();
            fold.apply(&step.event).expect("it is possible");
            folds.push(fold);
        }
        let steps = recording.steps;
        let returned = steps.iter().rposition(|it| matches!(it.event, Event::Leave(_)));
        let returned = returned.expect("select has returned");
        Situation { scenario, before, told: played.decided, steps, folds, returned }
    }

    /// The steps after the answer, and where the tasks were before each.
    fn after(&self) -> impl Iterator<Item = (usize, &Step, &Fold)> {
        let steps = self.steps.iter().zip(&self.folds).enumerate();
        steps.skip(self.returned + 1).map(|(at, (step, fold))| (at, step, fold))
    }

    /// What happens to a task next, after a step.
    fn next(&self, after: usize, of: u64) -> impl Iterator<Item = &Event> {
        let events = self.steps[after + 1..].iter().map(|it| &it.event);
        events.filter(move |event| task(event) == Some(of))
    }

    fn practice(
        &self,
        fold: &Fold,
        question: String,
        choices: Vec<String>,
        right: &str,
        why: &str,
    ) -> Option<Practice> {
        let at = choices.iter().position(|it| it == right)?;
        (choices.len() > 1).then(|| Practice {
            scenario: self.scenario.to_string(),
            told: self.told.clone(),
            places: places(fold),
            question,
            choices,
            right: at,
            why: why.to_string(),
        })
    }
}

/// The first of several ready tasks.
fn who_runs_next(it: &Situation, _: &mut Dice) -> Option<Practice> {
    let (.., fold) =
        it.after().find(|(_, step, _)| matches!(step.event, Event::Resume { .. }))?;
    let mut tasks: Vec<u64> = fold.ready.iter().copied().collect();
    let right = name(*tasks.first()?, fold);
    tasks.sort();
    let choices = tasks.into_iter().map(|task| name(task, fold)).collect();
    let mut hidden = fold.clone();
    hidden.ready.clear(); // that would be the answer
    it.practice(
        &hidden,
        "The events have happened, and these tasks are on the ready queue, in some order. \
         Which of them runs next?"
            .into(),
        choices,
        &right,
        "The ready queue is a queue: what happened first is resumed first, and select reports \
         the descriptors in the order of the list above.",
    )
}

/// Where a task goes that has yielded.
fn which_table(it: &Situation, dice: &mut Dice) -> Option<Practice> {
    const READY: &str = "to the ready queue";
    const TIMERS: &str = "among the timers";
    let yields = it.after().filter(|(_, step, _)| matches!(step.event, Event::Yield(_)));
    let (at, step, fold) = dice.one_of(yields.collect())?;
    let Event::Yield(event) = &step.event else { return None };
    let right = match it.next(*at, event.task).next()? {
        Event::Park { on, fd, .. } if on == "read" || on == "write" => waiting(on, *fd),
        Event::Park { .. } => TIMERS.into(),
        _ => READY.into(),
    };
    let mut choices = vec![READY.to_string(), TIMERS.to_string()];
    choices.extend(["read", "write"].map(|on| waiting(on, event.fd)));
    let what = match event.want.as_str() {
        "accept" => "a ConnectEvent",
        "read" => "a ReceiveEvent",
        "write" => "a SendEvent",
        "close" => "a CloseEvent",
        _ => "a SleepEvent",
    };
    let why = match event.want.as_str() {
        "accept" => "To accept is to read from the listening socket: the event waits until that can be read.",
        "read" => "The event waits until there is something to read.",
        "write" => "The event waits until there is room: in stage 04, every send is watched first.",
        "close" => "A close waits for the client's end of input, if that has not come yet.",
        _ => "It waits for nothing but time.",
    };
    let question = format!(
        "{} runs, and yields {what}. Where does it go with this event?",
        name(event.task, fold)
    );
    it.practice(fold, question, choices, &right, why)
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
    let mut choices = vec![
        right.clone(),
        says(&|_| true),
        says(&|_| false),
        says(&|at| watched[at].ready != (at == other)),
    ];
    choices.sort();
    choices.dedup();
    let question = "What does select return, if it tells the truth?".to_string();
    let mut practice = it.practice(
        &it.folds[it.returned],
        question,
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
    let resumes =
        it.after().filter(|(_, step, _)| matches!(step.event, Event::Resume { .. }));
    let (at, step, fold) = dice.one_of(resumes.collect())?;
    let task = task(&step.event)?;
    let line = |number: u32| {
        let text = SOURCE.1.lines().nth(number as usize - 1).unwrap_or_default();
        format!("at line {number}: {}", text.trim())
    };
    let right = it.next(*at, task).find_map(|event| match event {
        Event::Yield(it) => it.line.map(line),
        Event::Finish { .. } => Some(END.into()),
        _ => None,
    })?;
    let yields = it.steps.iter().filter_map(|step| match &step.event {
        Event::Yield(it) => it.line,
        _ => None,
    });
    let mut lines: Vec<u32> = yields.collect();
    lines.sort();
    lines.dedup();
    let mut choices: Vec<_> = lines.into_iter().map(line).collect();
    choices.push(END.into());
    let Event::Resume { with, .. } = &step.event else { return None };
    let with = match with {
        Some(playback::read::With::Count(0)) => " with the end of input".into(),
        Some(playback::read::With::Count(count)) => format!(" with {count} bytes"),
        Some(playback::read::With::Client { fd }) => format!(" with descriptor {fd}"),
        Some(playback::read::With::Error(error)) => format!(" with {error}"),
        None => String::new(),
    };
    let question =
        format!("{} is resumed{with}. Where does it stop next?", name(task, fold));
    it.practice(
        fold,
        question,
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

/// A step's task.
fn task(event: &Event) -> Option<u64> {
    match event {
        Event::Spawn { task, .. }
        | Event::Resume { task, .. }
        | Event::Park { task, .. }
        | Event::Wake { task }
        | Event::Call { task, .. }
        | Event::NotYet { task, .. }
        | Event::Finish { task, .. } => Some(*task),
        Event::Yield(it) => Some(it.task),
        Event::Happened(it) => Some(it.task),
        _ => None,
    }
}

fn name(task: u64, fold: &Fold) -> String {
    let name = fold.tasks.get(&task).map_or("", |it| it.name.as_str());
    format!("Task {task}, {name},")
}

fn waiting(on: &str, fd: Option<i32>) -> String {
    format!("to the {on}-waiting table, under {}", fd.unwrap_or_default())
}

/// Where the tasks are, a line for each place.
fn places(fold: &Fold) -> Vec<String> {
    let mut lines = vec![];
    let mut line = |place: &str, tasks: Vec<String>| {
        if !tasks.is_empty() {
            lines.push(format!("{place}: {}", tasks.join(", ")));
        }
    };
    let pair = |(fd, task): (&i32, &u64)| format!("task {task} for {fd}");
    let single = |task: &u64| format!("task {task}");
    line("Ready queue", fold.ready.iter().map(single).collect());
    line("Waiting to read", fold.read.iter().map(pair).collect());
    line("Waiting to write", fold.write.iter().map(pair).collect());
    line("Sleeping", fold.timer.iter().map(single).collect());
    lines
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
