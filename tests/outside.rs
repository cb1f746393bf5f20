//! Bytes that come from outside, whatever they are: lines out of a stream, and recordings.

use std::cell::RefCell;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;
use std::sync::LazyLock;

use bricks::recording::{self, Sink};
use bricks::scheduler::lines::{MAX_LINE, Unread};
use bricks::trace::{On, Outcome, State, Step, Trace, Want};
use playback::read::{Event, Recording, With};
use playback::{perfetto, picture, strace, text};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// The lines of a stream that comes in these pieces.
fn lines<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut unread, mut lines) = (Unread::default(), vec![]);
    for piece in pieces {
        unread.add(piece);
        while let Some(line) = unread.line().unwrap() {
            lines.push(line);
        }
    }
    lines.extend(Some(unread.rest()).filter(|rest| !rest.is_empty()));
    lines
}

/// Pieces of `bytes`, cut at these places.
fn cut<'a>(bytes: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> =
        places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|two| &bytes[two[0]..two[1]]).collect()
}

/// Few kinds of bytes, so that newlines are many.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![2 => Just(b'\n'), 3 => Just(b'\r'), 5 => any::<u8>()], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn lines_do_not_depend_on_the_pieces(
        bytes in stream(),
        places in vec(any::<Index>(), 0..20),
    ) {
        let expected: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        prop_assert_eq!(lines(cut(&bytes, &places)), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// A line of the greatest length is read; one of a byte more is refused as soon as it is there,
    /// so that no client makes a server keep more than that and a piece.
    #[test]
    fn the_longest_line_is_the_same_in_any_pieces(
        before in stream(),
        places in vec(any::<Index>(), 0..20),
        more in 0..3_usize,
    ) {
        let mut unread = Unread::default();
        let longest = vec![b'x'; MAX_LINE + more];
        unread.add(&before);
        unread.add(b"\n");
        while unread.line().unwrap().is_some() {}
        let mut received = 0;
        for piece in cut(&longest, &places) {
            unread.add(piece);
            received += piece.len();
            prop_assert_eq!(unread.line().is_err(), received > MAX_LINE);
        }
        unread.add(b"\n");
        match more {
            0 => prop_assert_eq!(unread.line().unwrap().unwrap().len(), MAX_LINE + 1),
            _ => prop_assert!(unread.line().is_err()),
        }
    }
}

/// Shows a recording in every way that there is. How many ways found it wrong.
fn show(text: &str) -> usize {
    let Ok(recording) = Recording::read(text) else { return 4 };
    let wrong = [
        recording.fold().is_err(),
        text::table(&recording).is_err(),
        picture::svg(&recording, "x").is_err(),
        perfetto::export(&recording).is_err(),
    ];
    wrong.iter().filter(|&&wrong| wrong).count()
}

/// The recordings of the book.
static RECORDINGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("chapters/traces");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
});

/// What may become of a text on its way.
#[derive(Clone, Debug)]
enum Change {
    Cut(Index, Index),
    Insert(Index, String),
    Copy(Index, Index, Index),
    /// A number becomes another.
    Number(Index, String),
    SwapLines(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    let number = prop_oneof![
        Just("0".to_string()),
        Just("-1".to_string()),
        Just(u64::MAX.to_string()),
        Just("1e9".to_string()),
        (0..9_u64).prop_map(|number| number.to_string()),
    ];
    prop_oneof![
        (place(), place()).prop_map(|(from, to)| Change::Cut(from, to)),
        (place(), ".{0,9}").prop_map(|(at, text)| Change::Insert(at, text)),
        (place(), place(), place()).prop_map(|(a, b, to)| Change::Copy(a, b, to)),
        (place(), number.clone()).prop_map(|(at, number)| Change::Number(at, number)),
        (place(), number).prop_map(|(at, number)| Change::Number(at, number)),
        (place(), place()).prop_map(|(one, other)| Change::SwapLines(one, other)),
    ]
}

/// A place between two characters.
fn place(text: &str, index: Index) -> usize {
    boundary(text, index.index(text.len() + 1))
}

fn boundary(text: &str, mut place: usize) -> usize {
    while !text.is_char_boundary(place) {
        place -= 1;
    }
    place
}

/// Between two places; but not most of the text.
fn range(text: &str, one: Index, other: Index) -> Range<usize> {
    let (one, other) = (place(text, one), place(text, other));
    let (from, to) = (one.min(other), one.max(other));
    from..boundary(text, to.min(from + text.len() / 8))
}

fn changed(mut text: String, change: &Change) -> String {
    match change {
        Change::Cut(one, other) => {
            text.replace_range(range(&text, *one, *other), "");
        }
        Change::Insert(at, what) => text.insert_str(place(&text, *at), what),
        Change::Copy(one, other, to) => {
            let copy = text[range(&text, *one, *other)].to_string();
            text.insert_str(place(&text, *to), &copy);
        }
        Change::Number(at, number) => {
            let at = place(&text, *at);
            let is_digit = |c: char| c.is_ascii_digit();
            if let Some(from) = text[at..].find(is_digit).map(|from| at + from) {
                let length = text[from..].find(|c| !is_digit(c));
                let to = length.map_or(text.len(), |length| from + length);
                text.replace_range(from..to, number);
            }
        }
        Change::SwapLines(one, other) => {
            let mut lines: Vec<&str> = text.lines().collect();
            let count = lines.len().max(1);
            if !lines.is_empty() {
                lines.swap(one.index(count), other.index(count));
            }
            text = lines.join("\n") + "\n";
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_shown_or_is_no_recording(text in "\\PC{0,200}|(\\{|\"|t|e|:|[0-9]|,){0,60}") {
        show(&text);
    }

    #[test]
    fn a_recording_that_was_changed_is_shown_or_is_wrong(
        which in any::<Index>(),
        changes in vec(change(), 1..4),
    ) {
        let mut text = which.get(&RECORDINGS).clone();
        for change in &changes {
            text = changed(text, change);
        }
        show(&text);
    }

    #[test]
    fn what_strace_says_is_converted_or_not_understood(changes in vec(change(), 1..4)) {
        let text = changes.iter().fold(STRACE.to_string(), changed);
        let _ = strace::convert(&text, &PROGRAM);
    }
}

/// As `strace` writes it.
const STRACE: &str = r#"7    1700000000.000001 bind(3, {sa_family=AF_INET, sin_port=htons(0)}, 16) = 0 <0.000020>
7    1700000000.000100 accept4(3, {sa_family=AF_INET, sin_port=htons(50001), sin_addr=inet_addr("\x31\x32\x37\x2e\x30\x2e\x30\x2e\x31")}, [128 => 16], SOCK_CLOEXEC) = 4 <0.500000>
7    1700000000.600000 recvfrom(4,  <unfinished ...>
8    1700000000.600500 select(5, [3 4], [], NULL, {tv_sec=1, tv_usec=0}) = 1 (in [4], left {tv_sec=0, tv_usec=9}) <0.100000>
7    1700000000.700000 <... recvfrom resumed>"\x68\x69", 65536, 0, NULL, NULL) = 2 <0.100000>
7    1700000000.800000 sendto(4, "\x68\x69", 2, MSG_NOSIGNAL, NULL, 0) = -1 ECONNRESET (Connection reset by peer) <0.000123>
7    1700000000.900000 --- SIGCHLD {si_signo=SIGCHLD} ---
7    1700000001.000000 close(4) = 0 <0.000010>
7    1700000001.100000 +++ exited with 0 +++
"#;

const PROGRAM: strace::Program = strace::Program {
    stage: "s",
    src: "s.rs",
    sha: "0",
    source: "accept()\n",
    threads: true,
    places: &[("accept", "accept()")],
};

#[test]
fn what_is_changed_is_right_before() {
    let converted = strace::convert(STRACE, &PROGRAM).unwrap();
    assert_eq!(show(&converted), 0, "{converted}");
    for recording in RECORDINGS.iter() {
        assert_eq!(show(recording), 0);
    }
}

/// Keeps the lines in memory.
#[derive(Clone, Default)]
struct Text(Rc<RefCell<String>>);

impl Sink for Text {
    fn write(&mut self, lines: String) -> bool {
        self.0.borrow_mut().push_str(&lines);
        true
    }
}

/// What is read of what these steps write.
fn written_and_read(steps: Vec<Step>) -> Vec<Event> {
    let text = Text::default();
    let mut recording = recording::Recording::new("s", ("s.rs", ""), text.clone());
    steps.into_iter().for_each(|step| recording.record(step));
    drop(recording);
    let read = Recording::read(&text.0.borrow()).unwrap();
    assert!(!read.cut_off);
    read.steps.into_iter().map(|step| step.event).collect()
}

/// The first bytes, each as a character.
fn shown(bytes: &[u8]) -> Option<String> {
    Some(bytes.iter().take(32).map(|&byte| char::from(byte)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_written_is_read(
        bytes in vec(any::<u8>(), 0..70),
        (task, fd, count) in (any::<u64>(), any::<i32>(), any::<usize>()),
        ready in vec(any::<u64>(), 0..4),
        read in prop::collection::btree_map(any::<i32>(), any::<u64>(), 0..4),
    ) {
        let read: Vec<_> = read.into_iter().collect();
        let state = State { running: count, ready: ready.clone(), read: read.clone(), ..State::default() };
        let events = written_and_read(vec![
            Step::Spawn { task, name: "one" },
            Step::Yield { task, want: Want::Write, on: None, bytes: &bytes, at: None },
            Step::Park { task, on: On::Write(fd), also: true },
            Step::NotYet { task, left: Some(count) },
            Step::Resume { task, with: Outcome::Sent(count) },
            Step::Yield { task, want: Want::Read, on: None, bytes: &[], at: None },
            Step::Happened { task, result: Outcome::Received(&bytes), at: None },
            Step::State(&state),
        ]);
        prop_assert_eq!(events.len(), 8);
        let Event::Yield(wanted) = &events[1] else { panic!("{events:?}") };
        let sent = shown(&bytes).filter(|bytes| !bytes.is_empty());
        prop_assert_eq!((wanted.task, &wanted.data), (task, &sent));
        let expected = Event::Park { task, on: "write".into(), fd: Some(fd), also: true };
        prop_assert_eq!(format!("{:?}", events[2]), format!("{expected:?}"));
        let expected = Event::NotYet { task, left: Some(count as u64) };
        prop_assert_eq!(format!("{:?}", events[3]), format!("{expected:?}"));
        let expected = Event::Resume { task, with: Some(With::Count(count as u64)) };
        prop_assert_eq!(format!("{:?}", events[4]), format!("{expected:?}"));
        let Event::Happened(happened) = &events[6] else { panic!("{events:?}") };
        prop_assert_eq!((happened.len, &happened.data), (Some(bytes.len() as u64), &shown(&bytes)));
        let Event::State(said) = &events[7] else { panic!("{events:?}") };
        prop_assert_eq!((said.running, &said.ready, &said.read), (count, &ready, &read));
    }
}

// The smallest that were found.

#[test]
fn a_name_may_be_longer_than_a_format_can_be_wide() {
    let name = "x".repeat(70_000);
    let header = r#"{"t":0,"e":"trace","v":2,"stage":"s","src":"s.rs","sha":"0"}"#;
    let spawn = format!(r#"{{"t":1,"e":"spawn","task":1,"name":"{name}"}}"#);
    assert_eq!(show(&format!("{header}\n{spawn}\n")), 0);
}

#[test]
fn a_clock_may_go_back() {
    let text = STRACE.replace("1700000000.000100", "0.000100");
    let why = strace::convert(&text, &PROGRAM).unwrap_err();
    assert!(why.starts_with("a time before the start: 7 "), "{why}");
    let text = STRACE.replace("1700000000.000100", "99999999999999999.000100");
    strace::convert(&text, &PROGRAM).unwrap_err();
}

#[test]
fn a_call_may_last_for_longer_than_can_be_said() {
    let text = STRACE.replace("<0.500000>", "<18000000000000.500000>");
    assert_eq!(show(&strace::convert(&text, &PROGRAM).unwrap()), 0);
}
