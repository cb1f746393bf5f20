//! What came of the exercises, or of a server, as one JSON document: for programs that grade.
//! `chapters/teachers/results.md` describes both documents.

use std::fs::{self, File};
use std::io::Write;

use serde_json::Value;

/// A file that will have the document.
pub struct Report {
    file: File,
    path: String,
}

impl Report {
    /// Opens the file. If it cannot be written, that is told before the work and not after it,
    /// and what an earlier run has left in the file cannot be taken for the result of this one.
    pub fn begin(path: &str) -> Result<Report, String> {
        let file = File::create(path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Report { file, path: path.into() })
    }

    pub fn write(mut self, document: &Value) -> Result<(), String> {
        let written = writeln!(self.file, "{document:#}");
        written.map_err(|error| format!("{}: {error}", self.path))?;
        let path = fs::canonicalize(&self.path).unwrap_or(self.path.into());
        println!("\nThe report is in {}.", path.display());
        Ok(())
    }
}
