//! From the text of a recording to its header and its steps.

use std::fmt;

use serde::Deserialize;
use serde_json::error::Category;

/// The version of the format that is read here.
pub const VERSION: u64 = 2;

/// A recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// What was recorded.
    pub header: Header,
    /// What happened.
    pub steps: Vec<Step>,
    /// The last line is not whole, and has been left out.
    pub cut_off: bool,
}

/// The first line.
#[derive(Clone, Debug, Deserialize)]
pub struct Header {
    /// The format's version.
    pub v: u64,
    /// The program.
    pub stage: String,
    /// Its source file.
    pub src: String,
    /// Which version of that file.
    pub sha: String,
}

/// One further line.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line's number, and the step's.
    pub number: usize,
    /// When it happened, in nanoseconds.
    pub t: u64,
    /// What happened.
    pub event: Event,
}

#[derive(Deserialize)]
struct Line {
    t: u64,
    #[serde(flatten)]
    event: Event,
}

/// What happened, with the fields of the format.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "e", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the appendix explains them")]
pub enum Event {
    Spawn {
        task: u64,
        name: String,
    },
    Resume {
        task: u64,
        with: Option<With>,
    },
    Yield(Yield),
    Park {
        task: u64,
        on: String,
        fd: Option<i32>,
        #[serde(default)]
        also: bool,
    },
    Wake {
        task: u64,
    },
    Call {
        task: u64,
        #[serde(flatten)]
        call: Call,
    },
    #[serde(rename = "not_yet")]
    NotYet {
        task: u64,
        left: Option<u64>,
    },
    Happened(Happened),
    Finish {
        task: u64,
        #[serde(default)]
        panicked: bool,
    },
    Enter(Call),
    Leave(Call),
    Accept {
        fd: i32,
        peer: String,
        conn: u64,
    },
    Close {
        fd: i32,
    },
    Stop,
    State(State),
    /// A kind of step that is not known here.
    #[serde(other)]
    Other,
}

/// What is sent into a task, where that is more than nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum With {
    /// So many bytes.
    Count(u64),
    /// A new client.
    Client {
        /// Its descriptor.
        fd: i32,
    },
    /// An error's name.
    Error(String),
}

/// A task wants something.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the appendix explains them")]
pub struct Yield {
    pub task: u64,
    pub want: String,
    pub fd: Option<i32>,
    pub len: Option<u64>,
    pub data: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
}

/// What a task wanted has happened.
#[derive(Clone, Debug, Deserialize)]
#[expect(missing_docs, reason = "the appendix explains them")]
pub struct Happened {
    pub task: u64,
    pub op: String,
    pub fd: Option<i32>,
    pub len: Option<u64>,
    pub data: Option<String>,
    pub error: Option<String>,
}

/// A system call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the appendix explains them")]
pub struct Call {
    pub call: String,
    pub r: Option<Vec<i32>>,
    pub w: Option<Vec<i32>>,
    pub timeout: Option<u64>,
    pub fd: Option<i32>,
    pub len: Option<u64>,
    pub data: Option<String>,
    pub th: Option<u64>,
    pub line: Option<u32>,
    pub error: Option<String>,
}

/// Where all tasks are.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the appendix explains them")]
pub struct State {
    pub running: usize,
    pub ready: Vec<u64>,
    pub read: Vec<(i32, u64)>,
    pub write: Vec<(i32, u64)>,
    pub timer: Vec<u64>,
    pub kernel: Vec<u64>,
}

/// What is wrong with a recording, and in which line.
#[derive(Debug, PartialEq)]
pub struct Wrong {
    /// The line's number.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for Wrong {}

impl Recording {
    /// Whether what was recorded has tasks; stages 01 to 03 have none.
    pub fn has_tasks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.event, Event::Spawn { .. }))
    }

    /// Reads a recording. One that is still being written may end in the middle of a line.
    ///
    /// # Errors
    ///
    /// If it is none, or of another version, or if a line is not what it should be.
    pub fn read(text: &str) -> Result<Recording, Wrong> {
        let mut lines = (1..).zip(text.lines());
        let wrong = |line, why: String| Wrong { line, why };
        let no_recording = |why: &dyn fmt::Display| {
            wrong(1, format!("this is no recording of --trace: {why}"))
        };
        let (_, first) = lines.next().ok_or(no_recording(&"the file is empty"))?;
        let header: Header =
            serde_json::from_str(first).map_err(|error| no_recording(&error))?;
        if header.v != VERSION {
            let why = format!(
                "this is a recording in version {} of the format, not {VERSION}: record it \
                 again with --trace, by a server of this version of the repository",
                header.v
            );
            return Err(wrong(1, why));
        }
        let mut recording = Recording { header, steps: vec![], cut_off: false };
        let count = text.lines().count();
        for (number, line) in lines {
            match serde_json::from_str::<Line>(line) {
                Ok(Line { t, event }) => {
                    recording.steps.push(Step { number, t, event });
                }
                Err(error) if number == count && error.classify() == Category::Eof => {
                    recording.cut_off = true;
                }
                Err(error) => return Err(wrong(number, format!("no step: {error}"))),
            }
        }
        Ok(recording)
    }
}
