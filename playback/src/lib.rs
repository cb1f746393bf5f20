//! Reads the recordings that `--trace` makes, and shows them: as text, as a picture, in Perfetto.
//!
//! The book's appendix "The trace format" says what stands in a recording. The servers do not
//! need this package; the examples, the tests and the chores do.
//!
//! | Module | What it is |
//! |---|---|
//! | [`read`] | From a file to a header and steps. |
//! | [`fold`] | From steps to the state after each, checked against the recording's own. |
//! | [`words`] | A sentence for each step. |
//! | [`text`] | A table: each step, and the three queues after it. |
//! | [`picture`] | A timeline, as SVG. |
//! | [`animation`] | One line on its way through the scheduler, as an SVG that moves. |
//! | [`perfetto`] | The format of Chrome's tracing, which Perfetto opens. |
//! | [`strace`] | Recordings of the stages that cannot record themselves. |

#![forbid(unsafe_code)]

pub mod animation;
pub mod fold;
pub mod perfetto;
pub mod picture;
pub mod read;
pub mod strace;
pub mod text;
pub mod words;
