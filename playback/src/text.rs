//! A recording as a table: each step, and the three queues after it.

use std::fmt::{Display, Write};

use crate::fold::Fold;
use crate::read::{Recording, Wrong};
use crate::words::Words;

/// Where no task runs, or a queue is empty.
const NOTHING: &str = "-";

/// The table, with what it is about above and what was found below it.
///
/// # Errors
///
/// If the steps do not add up.
pub fn table(recording: &Recording) -> Result<String, Wrong> {
    let has_tasks = recording.has_tasks();
    let mut table = Table::default();
    table.row(if has_tasks {
        vec!["step", "ms", "runs", "ready", "read-waiting", "write-waiting", "what"]
    } else {
        vec!["step", "ms", "what"]
    });
    let words = Words::of(recording);
    let mut fold = Fold::default();
    for step in &recording.steps {
        let says = words.sentence(&step.event, &fold);
        let applied = fold.apply(&step.event);
        applied.map_err(|why| Wrong { line: step.number, why })?;
        let Some(says) = says else { continue };
        let ms = format!("{:.3}", step.t as f64 / 1e6);
        let mut row = vec![step.number.to_string(), ms];
        if has_tasks {
            let runs = fold.running.map_or(NOTHING.to_string(), |it| it.to_string());
            let pairs = |table: &std::collections::BTreeMap<i32, u64>| {
                list(table.iter().map(|(fd, task)| format!("{fd}:{task}")))
            };
            row.extend([runs, list(&fold.ready), pairs(&fold.read), pairs(&fold.write)]);
        }
        row.push(says);
        table.row(row);
    }
    let header = &recording.header;
    let sha = header.sha.get(..8).unwrap_or(&header.sha);
    let mut text = format!("{}, recorded from {} ({sha})\n", header.stage, header.src);
    if has_tasks {
        text += "The waiting tables show descriptor:task.\n";
    }
    text += &format!("\n{}\n", table.aligned());
    if has_tasks {
        let count = fold.verified;
        text += &format!("verified: the steps agree with {count} checkpoints\n");
    }
    if recording.cut_off {
        text += "the last line is cut off, and has been left out\n";
    }
    Ok(text)
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
    if items.is_empty() { NOTHING.to_string() } else { items.join(" ") }
}

/// Rows whose columns are aligned.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn row<T: ToString>(&mut self, cells: Vec<T>) {
        self.rows.push(cells.iter().map(T::to_string).collect());
    }

    fn aligned(&self) -> String {
        let width = |cell: &String| cell.chars().count();
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|i| self.rows.iter().map(|row| width(&row[i])).max().unwrap_or(0))
            .collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                // Numbers stand on the right.
                let _ = match i {
                    0 | 1 => write!(line, "{cell:>width$}  "),
                    _ => write!(line, "{cell:<width$}  "),
                };
            }
            line.trim_end().to_string() + "\n"
        };
        self.rows.iter().map(line).collect()
    }
}
