//! The measurement itself, run on a few servers for a moment.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use bench::book::Measured;
use bench::load::{Clients, Load, verify};
use bench::memory::{self, Case};
use bench::results::Results;
use bench::scenario;
use bench::server::{self, Running, Server, root};

/// A program that was built with this test.
fn built(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    assert!(path.exists(), "{} was not built", path.display());
    path
}

fn measure(name: &str, arguments: &[&str]) -> (Output, PathBuf) {
    let csv = env::temp_dir().join(format!("bench-{}-{name}.csv", std::process::id()));
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--rounds", "2", "--milliseconds", "40", "--output"])
        .arg(&csv)
        .args(arguments)
        .output()
        .unwrap();
    (output, csv)
}

#[test]
fn rounds_end_in_a_table_and_a_file() {
    let servers = ["--servers", "epoll,mio,tokio", "--base", "epoll"];
    let scenarios = ["--scenarios", "ping4,16k,short"];
    let (output, csv) = measure("rounds", &[&servers[..], &scenarios].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{problems}");
    let results = Results::read(&csv).unwrap();
    fs::remove_file(csv).unwrap();
    assert_eq!(results.scenarios(), ["ping4", "16k", "short"]);
    for scenario in results.scenarios() {
        assert_eq!(results.servers(scenario), ["tokio", "mio", "epoll"]);
        assert!(text.contains(&format!("\n{scenario}: ")), "{text}");
    }
    assert_eq!(results.rows.len(), 3 * 3 * 2);
    for row in &results.rows {
        let value = |field| results.value(row, field);
        assert!(value("echoes") > 0.0 && value("cpu_ns") > 0.0, "{row:?}");
        assert!(value("p50_us") <= value("p999_us"), "{row:?}");
        assert!(value("full_kib") > 100.0 && value("threads") >= 1.0, "{row:?}");
    }
    assert_eq!(results.ratio("16k", "epoll", "epoll"), Some([1.0; 3]));
    assert!(results.machine.contains_key("processor"));
}

/// With the machine's settings, a comparison would be one of this machine only.
#[test]
fn the_measurement_has_a_loopback_of_its_own() {
    let arguments = ["--servers", "epoll", "--scenarios", "ping4"];
    for shared in [false, true] {
        let option: &[&str] = if shared { &["--shared-loopback"] } else { &[] };
        let name = if shared { "shared" } else { "own" };
        let (output, csv) = measure(name, &[&arguments, option].concat());
        let problems = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{problems}");
        let results = Results::read(&csv).unwrap();
        fs::remove_file(csv).unwrap();
        // Not every machine permits it; then the user is told why.
        let impossible = problems.contains("bench: uses the machine's loopback: ");
        assert!(!(shared && impossible), "{problems}");
        let own = results.machine["loopback"] == "its own";
        assert_eq!(own, !shared && !impossible, "{problems}");
        if own {
            assert_eq!(results.machine["congestion control"], "reno");
            for row in &results.rows {
                // A message, its echo, and perhaps an acknowledgement of each.
                let packets = results.value(row, "packets");
                assert!((2.0..=4.1).contains(&packets), "{row:?}");
            }
        }
    }
}

#[test]
fn more_is_appended() {
    let (_, csv) = measure("append", &["--servers", "mio", "--scenarios", "ping1,ping4"]);
    let more = ["--servers", "epoll", "--scenarios", "ping4", "--append"];
    assert!(measure("append", &more).0.status.success());
    let results = Results::read(&csv).unwrap();
    fs::remove_file(csv).unwrap();
    assert_eq!(results.servers("ping1"), ["mio"]);
    assert_eq!(results.servers("ping4"), ["mio", "epoll"]);
}

#[test]
fn a_wrong_server_is_named_and_left_out() {
    let liar = format!("liar={}", built("examples/liar").display());
    let servers = ["--servers", "epoll", "--server", &liar];
    let (output, csv) =
        measure("liar", &[&servers[..], &["--scenarios", "ping4"]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("liar: WRONG, and left out"), "{text}");
    assert!(!output.status.success());
    let results = Results::read(&csv).unwrap();
    fs::remove_file(csv).unwrap();
    assert_eq!(results.servers("ping4"), ["epoll"]);
}

/// Before anything is measured, which takes minutes.
#[test]
fn a_server_that_does_not_start_is_an_error() {
    let silent = "silent=sh -c true";
    for (server, why) in [("none=/no/such", "cannot start"), (silent, "not listen")] {
        let (output, csv) = measure("none", &["--servers", "epoll", "--server", server]);
        let problems = String::from_utf8_lossy(&output.stderr);
        let name = server.split('=').next().unwrap();
        assert!(problems.contains(&format!("--server {name}: ")), "{problems}");
        assert!(problems.contains(why), "{problems}");
        assert!(!output.status.success() && !csv.exists(), "{problems}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_wrong_byte_is_found_under_load() {
    let liar = Server::new("liar", built("examples/liar").to_str().unwrap());
    let running = Running::start(&liar, None).unwrap();
    assert!(verify(running.addr).is_err());
    for scenario in scenario::ALL.iter().filter(|it| !it.load.short && it.load.idle == 0)
    {
        // With few clients, so that each of them carries enough.
        let load = Load { clients: 1, ..scenario.load };
        let mut clients = Clients::connect(running.addr, load).unwrap();
        let seen =
            (0..100).try_for_each(|_| clients.run(Duration::from_millis(50)).map(drop));
        let error = seen.expect_err(scenario.name);
        assert!(error.to_string().contains("is not the one that was sent"), "{error:#}");
    }
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
    let (output, _) = measure("unknown", &["--scenarios", "pong"]);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(problems.contains("\"pong\"") && problems.contains("ping64"), "{problems}");
}

#[test]
fn a_buffer_that_a_waiting_read_has_borrowed_is_counted() {
    let (clients, servers) = (40, server::all(built("bench").parent().unwrap()));
    let each = |name: &str, bytes, in_turn| {
        let case = Case { name: "a few", about: "", clients, bytes, in_turn };
        let server = servers.iter().find(|server| server.name == name).unwrap();
        let [(_, empty), (_, full), ..] = memory::measure(server, &case).unwrap();
        (full - empty) / clients as f64
    };
    for in_turn in [true, false] {
        let [small, large] =
            ["tokio", "tokio-64k"].map(|server| each(server, 1 << 20, in_turn));
        assert!(small > 4.0 && large - small > 56.0, "{small} and {large}");
    }
    let silent = each("tokio", 0, false);
    assert!((4.0..20.0).contains(&silent), "{silent}");
}

/// Charts, tables and numbers in the text are those that would be made now.
#[test]
fn the_book_shows_what_was_measured() {
    let measured = Measured::read(&root()).unwrap();
    for (path, text) in measured.files(&root()).unwrap() {
        let file = root().join(&path);
        let shown = fs::read_to_string(&file).unwrap_or_default();
        assert!(shown == text, "{} is out of date: `cargo xtask plots`", path.display());
    }
}

/// A number with a decimal point in the text of these pages was measured, so it is marked.
#[test]
fn no_measured_number_is_typed_by_hand() {
    for entry in fs::read_dir(root().join("chapters/measured")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(
                typed_numbers(&text),
                Vec::<String>::new(),
                "in {}",
                path.display()
            );
        }
    }
    assert_eq!(
        typed_numbers("1.5 and <data value=\"x\">2.5</data>, and\n3.5."),
        ["1.5", "3.5"]
    );
    assert_eq!(
        typed_numbers("1,024 and `0.25`\n```sh\n1.5\n```\n"),
        Vec::<String>::new()
    );
}

fn typed_numbers(text: &str) -> Vec<String> {
    let mut found = vec![];
    let mut in_block = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        }
        if in_block || line.starts_with("{{#") {
            continue;
        }
        let mut prose = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("<data ") {
            prose += before;
            rest = after.split_once("</data>").map_or("", |(_, after)| after);
        }
        prose += rest;
        // Every second piece is code.
        for piece in prose.split('`').step_by(2) {
            for word in piece.split(|c: char| !c.is_ascii_digit() && c != '.') {
                let number = word.trim_matches('.');
                if number.contains('.') {
                    found.push(number.to_string());
                }
            }
        }
    }
    found
}
