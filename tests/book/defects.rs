//! The test of the test: a book that is in order is broken in one way, and that defect is
//! found, in its place, and no other.

use crate::fixture::{
    BOOK, CODE, DIFF, FIGURE, Fixture, ONE, RECORDING, SESSION, SPARE, SUMMARY, TWO,
    WORDS,
};
use crate::{Defect, check};

#[test]
fn a_book_in_order() {
    assert_eq!(found(&Fixture::new()), Vec::<String>::new());
}

fn found(fixture: &Fixture) -> Vec<String> {
    check(fixture.root()).iter().map(Defect::to_string).collect()
}

/// Makes a test of each way to break the book: how, where the one defect is, and how what
/// is said about it begins.
macro_rules! defects {
    ($(
        $name:ident: $verb:ident($($argument:expr),*)
            => $file:expr, $line:expr, $message:expr;
    )*) => {$(
        #[test]
        fn $name() {
            let fixture = Fixture::new();
            fixture.$verb($($argument),*);
            let found = found(&fixture);
            let expected = format!("{}:{}: {}", $file, $line, $message);
            assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:#?}");
        }
    )*};
}

/// Makes a test of each change after which the book is still in order.
macro_rules! in_order {
    ($($name:ident: $verb:ident($($argument:expr),*);)*) => {$(
        #[test]
        fn $name() {
            let fixture = Fixture::new();
            fixture.$verb($($argument),*);
            assert_eq!(found(&fixture), Vec::<String>::new());
        }
    )*};
}

mod anchors;
mod answers;
mod budgets;
mod chapters;
mod commands;
mod explained;
mod figures;
mod includes;
mod lessons;
mod links;
mod listings;
mod notes;
mod pages;
mod plain;
mod players;
mod predictions;
mod reading_time;
mod recordings;
mod stage;
mod summary;
mod terms;
mod timetables;
