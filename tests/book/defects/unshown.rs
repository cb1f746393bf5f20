use super::*;
use crate::unshown::Exception;

const OLD: &str = "src/old.rs";
const NEW: &str = "src/new.rs";

defects! {
    below_what_is_shown:
        insert(CODE, "// ANCHOR_END: rest\n", "\n/// More.\nfn more() {\n}\n")
        => CODE, 11, "show and explain src/net.rs:11-12 on a page";
    between_what_is_shown:
        insert(CODE, "// ANCHOR_END: listen\n", "const N: u8 = 1;\n")
        => CODE, 4, "show and explain src/net.rs:4-4 on a page";
    in_a_file_of_its_own:
        write("src/net/more.rs", "use std::io;\nfn more() {}\n")
        => "src/net/more.rs", 2, "show and explain src/net/more.rs:2-2 on a page";
}

#[test]
fn but_need_not_be() {
    let fixture = Fixture::new();
    let why = "it is generated";
    let found = |exceptions: &[Exception]| check(fixture.root(), exceptions);
    assert_eq!(found(&[("src/more/", why)]).len(), 0);
    assert_eq!(found(&[("src/net.rs", why)])[0].path, "tests/book/unshown.rs");
    fixture.write("src/more/tables.rs", "fn more() {}\n");
    assert_eq!(found(&[]).len(), 1);
    assert_eq!(found(&[("src/more/", why)]).len(), 0);
}

#[test]
fn but_beside_a_recording() {
    let fixture = Fixture::new();
    let listing = "*src/run.rs*\n\n```rust\n{{#include ../src/run.rs:run}}\n```\n";
    fixture.replace(WORDS, listing, "");
    assert_eq!(
        found(&fixture),
        ["src/run.rs:2: show and explain src/run.rs:2-2 on a page"]
    );
}

#[test]
fn by_a_diff_either() {
    let fixture = Fixture::new();
    let lines = ["a", "b", "c", "d", "e", "f"].map(|name| format!("fn {name}() {{}}\n"));
    fixture.write(OLD, &lines.concat());
    fixture.write(NEW, &format!("{}fn g() {{}}\n", lines.concat()));
    fixture.write(DIFF, "--- src/old.rs\n+++ src/new.rs\n@@ -5,2 +5,3 @@\n");
    let expected = [
        "src/new.rs:1: show and explain src/new.rs:1-4 on a page",
        "src/old.rs:1: show and explain src/old.rs:1-6 on a page",
    ];
    assert_eq!(found(&fixture), expected);

    // What a page shows of the older file is shown of the newer one, too.
    let listing = "\n*src/old.rs*\n\n```rust\n{{#include ../src/old.rs}}\n```\n";
    fixture.insert(WORDS, ": what can go on\n", listing);
    assert_eq!(found(&fixture), Vec::<String>::new());
}

in_order! {
    that_say_nothing:
        insert(CODE, "// ANCHOR_END: rest\n", "\n}\n    });\n");
    of_tests:
        insert(CODE, "// ANCHOR_END: rest\n", "\n#[cfg(test)]\nmod tests {\n    fn x() {}\n}\n");
    that_say_where_a_name_is_from:
        insert(CODE, "// ANCHOR_END: rest\n", "\n#[cfg(unix)]\npub use a::{\n    b,\n};\n");
    outside_of_the_library:
        write("xtask/src/main.rs", "fn main() {}\n");
}
