//! Why behaviours were not kept: one cause may explain many of them.

use super::PATIENCE;
use super::first::Found;
use crate::suite::Failure;

/// A cause, with the behaviours that it explains.
#[derive(Debug, PartialEq)]
pub struct Cause {
    text: String,
    /// The limits that the server was given, if they were always the same.
    limits: Option<String>,
    /// What the server wrote last, if that belongs to it.
    pub lines: Vec<String>,
    pub explains: Vec<String>,
}

impl Cause {
    pub fn text(&self) -> String {
        let limits = self.limits.as_deref();
        let under = limits.map(|limits| format!(" (under {limits})"));
        format!("{}{}", self.text, under.unwrap_or_default())
    }
}

/// What is known of one failure.
pub struct Reason {
    /// What tells its cause from others.
    key: String,
    text: String,
    limits: Option<String>,
    lines: Vec<String>,
}

/// Puts together the failures that have the same cause.
#[derive(Default)]
pub struct Causes(Vec<(String, Cause)>);

impl Causes {
    pub fn add(&mut self, name: &str, reason: Reason) {
        let Reason { key, text, limits, lines } = reason;
        match self.0.iter_mut().find(|(other, _)| *other == key) {
            Some((_, cause)) => {
                cause.explains.push(name.to_string());
                // It does not come of a limit if it comes without it, too.
                cause.limits =
                    cause.limits.take().filter(|it| Some(it) == limits.as_ref());
            }
            None => {
                let explains = vec![name.to_string()];
                self.0.push((key, Cause { text, limits, lines, explains }));
            }
        }
    }

    /// Those that explain the most come first.
    pub fn in_order(self) -> Vec<Cause> {
        let mut causes: Vec<Cause> = self.0.into_iter().map(|(_, cause)| cause).collect();
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.explains.len()));
        causes
    }
}

/// Why a behaviour was not kept.
pub fn reason(failure: &Failure, found: Found) -> Reason {
    let limits = after(failure, "the server's limits: ").map(str::to_string);
    let said = last_lines(failure);
    // A signal that the suite has sent is no end of the server's own.
    let end = after(failure, "the server's end: ")
        .filter(|_| failure.test.contains("yours::"))
        .filter(|end| !end.contains("(SIGKILL)"));
    if let Some(end) = end {
        let acts = after(failure, "the server's clients: ").unwrap_or_default();
        let last = said.last().map_or(String::new(), |line| without_digits(line));
        let key = format!("{end}{last}");
        let text = format!("the server has ended: {end}. Its clients' last acts: {acts}");
        return Reason { key, text, limits, lines: said };
    }
    if let Some(refusal) = failure.panic.strip_prefix(NO_START) {
        let text = match failure.test.ends_with("restart_at_once") {
            true => "it does not start again at once, with the same address",
            false => "it does not start",
        };
        let lines = last_of(refusal);
        return Reason { key: text.into(), text: text.into(), limits, lines };
    }
    let lines = said.into_iter().rev().take(1).collect();
    if let Some(known) = known(failure, found) {
        return Reason { key: known.into(), text: known.into(), limits: None, lines };
    }
    let text = shorten(&plain(&failure.panic));
    Reason { key: text.clone(), text, limits, lines }
}

const NO_START: &str = "the server does not start: ";

/// What the first look has found, if that is why something came too late.
fn known(failure: &Failure, found: Found) -> Option<&'static str> {
    let first_line = failure.panic.lines().next().unwrap_or_default();
    let is_short = first_line == "assertion `left == right` failed"
        || first_line.starts_with("bytes that came back");
    if found.drops && is_short && !failure.panic.trim_end().ends_with("wanted: 0") {
        return Some(DROPS);
    }
    if CHANGES.iter().any(|words| first_line.starts_with(words)) {
        return Some(if found.loses { LOSES } else { CHANGED });
    }
    if found.loses && is_short {
        return Some(LOSES);
    }
    if found.sticks && failure.panic.contains("the descriptors of clients that are gone")
    {
        return Some(STICKS);
    }
    if failure.panic.starts_with("not done after") {
        let waits = [
            (found.sticks, STICKS),
            (found.loses, LOSES),
            (found.lines_only, LINE_ECHO),
            (found.one_at_a_time, ONE_AT_A_TIME),
            (found.stays, STAYS),
            (true, NOT_DONE),
        ];
        return waits.into_iter().find(|(found, _)| *found).map(|(_, cause)| cause);
    }
    let late = ["WouldBlock", "TimedOut", "Resource temporarily unavailable"];
    if !late.iter().any(|word| failure.panic.contains(word)) {
        return None;
    }
    let awaits_the_end = failure.panic.contains("an orderly end");
    let awaits_an_answer = failure.panic.contains("the server answers")
        || failure.panic.contains("neither an answer nor an end");
    match awaits_the_end {
        true if found.stays => Some(STAYS),
        // What comes at the end is an answer, too.
        true if found.lines_only => Some(LINE_ECHO),
        _ if awaits_an_answer && found.lines_only => Some(LINE_ECHO),
        _ if found.one_at_a_time && (awaits_an_answer || awaits_the_end) => {
            Some(ONE_AT_A_TIME)
        }
        _ if found.sticks && !failure.panic.contains("to connect") => Some(STICKS),
        _ if found.loses && awaits_an_answer => Some(LOSES),
        _ => None,
    }
}

const DROPS: &str = "what it has received is lost when the client says that no more comes: it should be echoed first";

const STAYS: &str = "it does not close the connection when the client has said that no more comes \
                     (its `shutdown` of the sending side; `read` returns 0)";

const STICKS: &str = "it gets stuck when a client sends much before it reads: neither side of it goes on, and the \
                      connection is never closed";

const LOSES: &str = "when much comes at once, a part of it does not come back";

/// What the suite says when other bytes come back than were sent.
const CHANGES: [&str; 5] = [
    "what came back is not what was sent",
    "another client's bytes",
    "a stranger's bytes",
    "wrong after",
    "the hashes of what was sent and of what came back",
];

const CHANGED: &str = "other bytes come back than were sent: changed, in another order, or those of another client";

const NOT_DONE: &str = "it does not end, or is too slow: what was tried was not done in its share of the time";

pub(super) const ONE_AT_A_TIME: &str =
    "it serves one client after the other: a second client waits";

const LINE_ECHO: &str =
    "it is a line echo: it answers when a newline has come, and these bytes have none";

/// The rest of the line that begins so.
fn after<'a>(failure: &'a Failure, start: &str) -> Option<&'a str> {
    let line = failure.printed.lines().find_map(|line| line.strip_prefix(start))?;
    (!line.is_empty()).then_some(line)
}

/// What the server wrote last. Its address is no news.
fn last_lines(failure: &Failure) -> Vec<String> {
    let Some((_, said)) = failure.printed.split_once("\nthe server said: ") else {
        return vec![];
    };
    last_of(said.split("\nthe server's ").next().unwrap_or_default())
}

/// The last lines of a text: the error is below what led to it.
fn last_of(said: &str) -> Vec<String> {
    const MOST: usize = 8;
    let is_news =
        |line: &&str| !line.trim().is_empty() && !line.starts_with("listening on ");
    let lines: Vec<&str> = said.lines().filter(is_news).collect();
    let first = lines.len().saturating_sub(MOST);
    lines[first..].iter().map(|line| shorten(line)).collect()
}

/// Ports, addresses in memory and identifiers differ each time.
fn without_digits(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_hexdigit()).collect()
}

/// Without what only Rust's friends understand.
fn plain(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take(3).collect();
    let text = readable(&lines.join(" "))
        .replace("assertion `left == right` failed", "not as wanted:")
        .replace("BRICKS_SERVER: ", "")
        .replace(
            "Error { kind: UnexpectedEof, message: \"failed to fill whole buffer\" }",
            "the connection ended before all was there",
        );
    let text = match (text.split_once("Os { "), text.split_once("message: \"")) {
        (Some((before, _)), Some((_, after))) => {
            format!("{before}{}", after.split('"').next().unwrap_or_default())
        }
        _ => text.split(" (os error").next().unwrap_or_default().to_string(),
    };
    // A socket with a limit of time says this when it has run out.
    let too_late = format!("nothing came for {PATIENCE} seconds");
    ["Resource temporarily unavailable", "operation would block"]
        .iter()
        .fold(text, |text, unclear| text.replace(unclear, &too_late))
        .replace("the server answers:", "an answer is awaited:")
        .replace("an orderly end:", "the end of the connection is awaited:")
        .replace("the server takes what it is sent:", "while something is sent:")
}

/// Lists of bytes are shown as text.
fn readable(text: &str) -> String {
    let mut readable = String::new();
    let mut rest = text;
    while let Some((before, (list, after))) =
        rest.split_once('[').and_then(|(before, it)| Some((before, it.split_once(']')?)))
    {
        readable.push_str(before);
        let numbers = list.split(", ").filter(|number| !number.is_empty());
        match numbers.map(str::parse).collect::<Result<Vec<u8>, _>>() {
            Ok(bytes) => readable.push_str(&format!("\"{}\"", bytes.escape_ascii())),
            Err(_) => readable.push_str(&format!("[{list}]")),
        }
        rest = after;
    }
    readable + rest
}

/// Up to a line's length.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(panic: &str, printed: &str) -> Failure {
        Failure {
            test: "yours::half_close".into(),
            says: panic.into(),
            panic: panic.into(),
            printed: printed.into(),
        }
    }

    const LATE: &str = "Os { code: 11, kind: WouldBlock, message: \
                        \"Resource temporarily unavailable\" }";

    #[test]
    fn a_reason_is_short_and_plain() {
        let seen = "the server answers: Os { code: 104, kind: ConnectionReset, message: \
                    \"Connection reset by peer\" }";
        assert_eq!(plain(seen), "an answer is awaited: Connection reset by peer");
        let late = "neither an answer nor an end: Resource temporarily unavailable (os error 11)";
        let words = "neither an answer nor an end: nothing came for 10 seconds";
        assert_eq!(plain(late), words);
        let bytes = "not [all] yours:  [] wanted: [104, 105, 10]";
        assert_eq!(plain(bytes), r#"not [all] yours:  "" wanted: "hi\n""#);
        assert_eq!(shorten(&"x".repeat(200)).chars().count(), 161);
    }

    #[test]
    fn one_cause_is_said_once() {
        let found = Found { stays: true, ..Found::default() };
        let mut causes = Causes::default();
        let late = failure(&format!("an orderly end: {LATE}"), "");
        for name in ["half close", "harmless signals"] {
            causes.add(name, reason(&late, found));
        }
        causes.add("small", reason(&failure("no such thing", ""), found));
        let causes = causes.in_order();
        assert_eq!(causes.len(), 2);
        assert_eq!(causes[0].explains, ["half close", "harmless signals"]);
        assert!(causes[0].text.starts_with("it does not close the connection"));
    }

    /// Three different panics, and one thing is missing.
    #[test]
    fn a_server_that_gets_stuck_has_one_cause() {
        let found = Found { sticks: true, ..Found::default() };
        for panic in [
            format!("an orderly end: {LATE}"),
            format!("the server takes what it is sent: {LATE}"),
            "this did not happen: the descriptors of clients that are gone are closed"
                .into(),
        ] {
            assert_eq!(reason(&failure(&panic, ""), found).text, STICKS, "{panic}");
            assert_ne!(reason(&failure(&panic, ""), Found::default()).text, STICKS);
        }
        let other = failure("to connect: connection timed out", "");
        assert_ne!(reason(&other, found).text, STICKS);
    }

    /// The suite sees them in many ways.
    #[test]
    fn bytes_that_are_changed_have_one_cause() {
        let hashes = "the hashes of what was sent and of what came back\n    yours:  1\n    wanted: 2";
        for panic in ["a stranger's bytes", "wrong after 65536 bytes", hashes] {
            let text = |found| reason(&failure(panic, ""), found).text;
            assert_eq!(text(Found::default()), CHANGED);
            assert_eq!(text(Found { loses: true, ..Found::default() }), LOSES);
        }
    }

    #[test]
    fn a_server_that_loses_bytes_is_not_stuck() {
        let found = Found { loses: true, ..Found::default() };
        for panic in [
            format!("the server answers: {LATE}"),
            "bytes that came back\n  left: 2098688\n right: 16777216".into(),
            "not done after 15 seconds".into(),
        ] {
            assert_eq!(reason(&failure(&panic, ""), found).text, LOSES, "{panic}");
        }
    }

    #[test]
    fn a_slow_server_has_one_cause() {
        for seconds in [15, 40] {
            let slow = failure(&format!("not done after {seconds} seconds"), "");
            assert_eq!(reason(&slow, Found::default()).text, NOT_DONE);
        }
    }

    #[test]
    fn what_was_not_found_is_no_cause() {
        let late = failure(&format!("the server answers: {LATE}"), "");
        let text = reason(&late, Found { stays: true, ..Found::default() }).text;
        assert_eq!(text, "an answer is awaited: nothing came for 10 seconds");
        let text = reason(&late, Found { lines_only: true, ..Found::default() }).text;
        assert_eq!(text, LINE_ECHO);
    }

    #[test]
    fn a_server_that_has_ended_is_said_to_have_ended() {
        let said = "x\nthe server's end: exit status: 1\nthe server's clients: connect, reset\nthe server's limits: ulimit -n 32\nthe server said: \
                    listening on 127.0.0.1:4\nTraceback:\n  line 3\n\nValueError: port 4071\n";
        let mut causes = Causes::default();
        let reason =
            |panic: &str, said: &str| reason(&failure(panic, said), Found::default());
        causes.add("reset", reason("the server answers: it is reset", said));
        let again = said.replace("4071", "5");
        causes.add("again", reason("something else", &again));
        let ended = causes.in_order();
        assert_eq!(ended.len(), 1);
        assert_eq!(
            ended[0].text(),
            "the server has ended: exit status: 1. Its clients' last acts: connect, reset \
             (under ulimit -n 32)"
        );
        assert_eq!(ended[0].lines, ["Traceback:", "  line 3", "ValueError: port 4071"]);
        let killed = said.replace("exit status: 1", "signal: 9 (SIGKILL)");
        assert_eq!(reason("it does not listen", &killed).text, "it does not listen");
    }

    #[test]
    fn a_limit_is_named_where_nothing_fails_without_it() {
        let limited = "x\nthe server's limits: ulimit -n 32\n";
        let text = |printed: [&str; 2]| {
            let mut causes = Causes::default();
            for printed in printed {
                causes.add("a", reason(&failure("why", printed), Found::default()));
            }
            causes.in_order()[0].text()
        };
        assert_eq!(text([limited, limited]), "why (under ulimit -n 32)");
        assert_eq!(text([limited, ""]), "why");
        assert_eq!(text(["", limited]), "why");
    }

    /// The error is at the end of a traceback.
    #[test]
    fn a_server_that_does_not_start_shows_its_last_lines() {
        let lines: String = (1..20).map(|number| format!("line {number}\n")).collect();
        let panic = format!("{NO_START}Traceback:\n{lines}OSError: in use");
        let reason = reason(&failure(&panic, ""), Found::default());
        assert_eq!(reason.text, "it does not start");
        assert_eq!(reason.lines.last().unwrap(), "OSError: in use");
        assert_eq!(reason.lines.len(), 8);
    }
}
