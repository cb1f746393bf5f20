//! The live scheduler of the book: what its page runs is what this code does, whatever a reader
//! decides.

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use bricks_live::exports::json as as_json;
use bricks_live::moves::Scenario;
use bricks_live::practise::practise;
use bricks_live::{Played, play};
use playback::fold::Fold;
use playback::read::Recording;
use playback::words::Words;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use support::machine::node_works;

/// A scenario of so many moves, each of which is possible; `picks` says which.
fn scenario(has_second: bool, picks: &[u16]) -> String {
    let mut text = if has_second { "second" } else { "" }.to_string();
    for pick in picks {
        let now = play(&text).unwrap().now;
        let Some(count) = now.possible.len().checked_sub(1) else { break };
        let pick = usize::from(*pick);
        let kind = &now.possible[pick % (count + 1)];
        let (word, rest) = (kind.rsplit(':').next().unwrap(), pick / (count + 1));
        let about = match word {
            "send" => ["=hi%0A", "=%00%FF", "=a"][rest % 3].to_string(),
            "room" => format!("={}", rest % 4),
            "time" => format!("={}", [1, 50, 100, 1000, 4000][rest % 5]),
            "select" => {
                let word = |fd, read| format!("{fd}{}", if read { "r" } else { "w" });
                let those = now.watched.iter().enumerate();
                let mut those: Vec<_> = those
                    .filter(|(at, _)| rest >> at & 1 == 1)
                    .map(|(_, it)| word(it.fd, it.read))
                    .collect();
                if those.is_empty() {
                    those.push(word(now.watched[0].fd, now.watched[0].read));
                }
                if rest % 2 == 0 {
                    those.reverse();
                }
                format!("={}", those.join("+"))
            }
            _ => String::new(),
        };
        let comma = if text.is_empty() { "" } else { "," };
        text += &format!("{comma}{kind}{about}");
    }
    text
}

fn played(text: &str) -> Played {
    let played = play(text).unwrap();
    assert_eq!(played.refused, None, "{text}");
    played
}

/// Numbers that are different enough.
fn picks(seed: u32) -> Vec<u16> {
    let mut it = seed.wrapping_mul(2_654_435_761) | 1;
    let next = || {
        it = it.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (it >> 16) as u16
    };
    std::iter::repeat_with(next).take(20 + seed as usize).collect()
}

/// What the page's scripts make of these; none if there is no Node.js.
fn in_the_page(asked: &[Value]) -> Option<Vec<String>> {
    if !node_works() {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live_program.js");
    let mut node = Command::new("node");
    node.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().unwrap();
    let lines: String = asked.iter().map(|it| format!("{it}\n")).collect();
    node.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), asked.len());
    Some(answers.lines().map(String::from).collect())
}

/// The two are told apart by all that they answer: the recording, and what is possible.
#[test]
fn what_the_page_runs_is_what_this_code_does() {
    let scenarios = (0..60).map(|seed| scenario(seed % 5 == 4, &picks(seed)));
    let mut scenarios: Vec<String> = scenarios.collect();
    scenarios.extend(["what?", "connect,3:end", "stop,truth,truth"].map(String::from));
    let mut asked: Vec<_> = scenarios.iter().map(|it| json!(it)).collect();
    asked.extend((0..40).map(|seed| json!(seed)));
    let mut expected: Vec<String> =
        scenarios.iter().map(|it| as_json(play(it))).collect();
    expected.extend((0..40).map(|seed| as_json(Ok(practise(seed)))));
    let Some(answers) = in_the_page(&asked) else { return };
    // The operating system's own words for an error are another system's in the page.
    let without_log = |answer: &str| -> Value {
        let mut answer: Value = serde_json::from_str(answer).unwrap();
        answer["log"] = Value::Null;
        answer
    };
    for ((asked, answer), expected) in asked.iter().zip(answers).zip(&expected) {
        assert!(
            without_log(&answer) == without_log(expected),
            "chapters/theme/live-program.js is not made of this code; `cargo xtask live` makes \
             it anew.\nasked: {asked}\nthe page: {answer}\nthis code: {expected}"
        );
    }
}

#[test]
fn the_page_says_what_playback_says() {
    let recordings =
        (0..60).map(|seed| played(&scenario(seed % 5 == 4, &picks(seed))).recording);
    let recordings: Vec<String> = recordings.collect();
    let asked: Vec<_> = recordings.iter().map(|it| json!({ "recording": it })).collect();
    let Some(answers) = in_the_page(&asked) else { return };
    for (recording, answer) in recordings.iter().zip(answers) {
        let recording = Recording::read(recording).unwrap();
        let (words, mut fold, mut said) =
            (Words::of(&recording), Fold::default(), vec![]);
        for step in &recording.steps {
            if let Some(sentence) = words.sentence(&step.event, &fold) {
                said.push((step.number, sentence));
            }
            fold.apply(&step.event).unwrap();
        }
        let answer: Vec<(usize, String)> = serde_json::from_str(&answer).unwrap();
        for (page, playback) in answer.iter().zip(&said) {
            assert_eq!(page, playback);
        }
        assert_eq!(answer.len(), said.len());
    }
}

#[test]
fn one_echo_is_carried_through_by_hand() {
    let it = played("connect,truth,1:send=hi%0A,truth,truth,1:read");
    assert_eq!(it.now.clients[0].received, "hi\n");
    assert_eq!(it.now.clients[0].fd, Some(5));
    assert_eq!(it.decided[3], "select reports: 5 can be read.");
    assert_eq!(it.log, ["Connection from: 127.0.0.1:50001"]);
    let last = it.recording.lines().last().unwrap();
    assert!(last.contains(r#""e":"enter","call":"select""#), "{last}");
}

#[test]
fn a_lie_is_called_so_and_the_event_waits_again() {
    let it = played("connect,truth,select=5r");
    assert_eq!(it.decided[2], "select reports: 5 can be read (a lie).");
    assert!(it.recording.contains(r#""e":"not_yet","task":3"#), "{}", it.recording);
    assert_eq!(it.now.watched.iter().filter(|it| it.fd == 5).count(), 1);
}

#[test]
fn time_passes_up_to_the_timeout_and_wakes_the_scheduler_there() {
    let full = "connect,accept-fails,truth";
    assert_eq!(played(full).now.timeout, Some(100));
    assert_eq!(played(&format!("{full},time=40")).now.timeout, Some(60));
    let it = played(&format!("{full},time=40,time=500"));
    assert_eq!(it.now.timeout, None, "echo_server waits for clients again");
    assert_eq!(it.decided[4], "60 ms pass.", "select does not sleep longer");
    assert!(it.recording.contains(r#""t":100000000,"#), "{}", it.recording);
}

#[test]
fn a_second_task_is_refused_and_the_first_goes_on() {
    let it = played("second,time=1000");
    assert!(it.log[0].starts_with("The second task: "), "{:?}", it.log);
    assert!(it.recording.contains(r#""file":"live/src/second.rs""#), "{}", it.recording);
    let it = played("second,time=1000,connect,truth");
    assert_eq!(it.now.clients[0].fd, Some(5));
}

#[test]
fn a_stopped_server_ends_and_says_so() {
    let it = played("connect,truth,1:send=x,stop,truth,truth,1:end,truth");
    assert!(it.now.over, "{it:?}");
    assert!(it.now.possible.is_empty());
    assert_eq!(it.now.clients[0].to_client, "x");
    let it = play("stop,truth,truth,connect").unwrap();
    assert!(it.now.over, "{it:?}");
    assert_eq!(it.refused.as_deref(), Some("connect: the server has ended"));
}

#[test]
fn what_is_not_possible_is_refused_with_the_reason() {
    for (text, why) in [
        ("1:send=a", "1:send=a: that client has not connected"),
        ("0:end", "0:end: that client has not connected"),
        ("connect,1:end,1:send=a", "1:send=a: that client sends no more"),
        ("connect,1:end,1:end", "1:end: that client sends no more"),
        ("connect,1:reset,1:reset", "1:reset: that connection is over"),
        ("connect,1:read", "1:read: nothing has come for that client"),
        ("accept-fails", "accept-fails: no client waits to be accepted"),
        ("connect,accept-fails,accept-fails", "accept-fails: that has been decided"),
        ("stop,stop", "stop: the server has been told to stop"),
        ("time=1", "time=1: nothing waits for time, so only an event ends this select"),
        ("select=9r", "select=9r: select reports only what it was asked"),
        ("select=3w", "select=3w: select reports only what it was asked"),
        ("select=3r+3r", "select=3r+3r: select reports each descriptor once"),
        ("truth", "truth: nothing is ready, so select sleeps on"),
    ] {
        let played = play(text).unwrap();
        assert_eq!(played.refused.as_deref(), Some(why), "{text}");
    }
    let many = vec!["connect"; 21].join(",");
    assert!(play(&many).unwrap().refused.unwrap().contains("there are enough clients"));
}

#[test]
fn what_is_no_scenario_is_an_error() {
    for text in [
        "connect=1",
        "1:connect",
        "send=a",
        "1:send",
        "1:send=",
        "1:send=%",
        "1:send=%x",
        "1:send=%4",
        "select",
        "select=",
        "select=3",
        "select=r",
        "select=-3r",
        "time",
        "time=-1",
        "time=100001",
        "time=1.5",
        "1:room",
        "1:room=x",
        "x:end",
        "connect,second",
        "+1:end",
        " connect",
    ] {
        assert!(play(text).is_err(), "{text:?}");
    }
    assert!(play(&vec!["connect"; 2001].join(",")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// An address that somebody has changed by hand.
    #[test]
    fn no_text_makes_it_panic(text in "([a-z0-9:=%+,-]|connect,|truth,|1:|select=|3r|stop,){0,40}") {
        let _ = play(&text);
    }

    #[test]
    fn a_scenario_is_read_as_it_was_written(
        has_second in any::<bool>(),
        picks in vec(any::<u16>(), 0..40),
    ) {
        let text = scenario(has_second, &picks);
        let read: Scenario = text.parse().unwrap();
        prop_assert_eq!(read.to_string(), text);
    }

    /// So a step back is a shorter list. And what is called possible is.
    #[test]
    fn a_shorter_list_makes_the_beginning_of_the_same_recording(
        has_second in any::<bool>(),
        picks in vec(any::<u16>(), 1..40),
    ) {
        let text = scenario(has_second, &picks);
        let whole = played(&text);
        let (shorter, _) = text.rsplit_once(',').unwrap_or_default();
        let before = played(shorter);
        prop_assert!(whole.recording.starts_with(&before.recording));
        prop_assert!(whole.decided.starts_with(&before.decided));
    }
}

#[test]
fn a_practice_is_always_the_same_and_can_be_answered() {
    let mut questions = std::collections::BTreeSet::new();
    let mut firsts = 0;
    for seed in 0..200 {
        let it = practise(seed);
        if it.question.ends_with("runs next?") && it.right == 0 {
            firsts += 1;
        }
        assert_eq!(it, practise(seed));
        assert!(it.right < it.choices.len());
        let mut choices = it.choices.clone();
        choices.sort();
        choices.dedup();
        assert_eq!(choices.len(), it.choices.len(), "{it:?}");
        played(&it.scenario);
        let (_, last) = it.question.rsplit_once(". ").unwrap_or(("", &it.question));
        questions.insert(last.to_string());
    }
    assert_eq!(questions.len(), 4, "four kinds of questions: {questions:?}");
    assert!(firsts < 35, "of 50 tasks that run next, {firsts} are the first choice");
}
