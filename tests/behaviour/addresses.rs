//! A server of which nothing is known says in its own words where it is: its address is found in
//! them, and no other words are taken for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;
use proptest::sample::select;

use crate::foreign::{addresses, on_port};

/// What servers print around their addresses: nothing of it is one.
const WORDS: [&str; 24] = [
    "listening",
    "Listening on:",
    "on",
    "at",
    "[info]",
    "13:30:11",
    "2026-11-29T13:30:11.123Z",
    "(pid 4071)",
    "4 workers:",
    "*",
    "3",
    "#",
    "node:events:497",
    "v20.20.2",
    "level=info",
    "\u{1b}[32m",
    "→",
    "{",
    "}",
    "v1.2.3",
    "addr:",
    "a:0",
    "tcp:",
    "ready!",
];

fn words() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&WORDS[..]), 0..6).prop_map(|words| words.join(" "))
}

/// Where a server that took this address is found.
fn found(ip: IpAddr, port: u16) -> Vec<SocketAddr> {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![(Ipv4Addr::LOCALHOST, port).into()],
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => on_port(port),
        ip => vec![(ip, port).into()],
    }
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<IpAddr>(),
        select(vec!["127.0.0.1", "0.0.0.0", "::1", "::"])
            .prop_map(|ip| ip.parse().expect("an address")),
    ]
}

/// An address as servers print it, and where it is.
fn printed() -> impl Strategy<Value = (String, Vec<SocketAddr>)> {
    let form = select(
        &[
            "{}",
            "http://{}",
            "http://{}/",
            "tcp://{}.",
            "{},",
            "{}!",
            "({})",
            "[{}]",
            "addr={}",
            "\"{}\"",
            "{\"address\":\"{}\"}",
            "/{}",
        ][..],
    );
    let with_ip = (ip(), 1..=u16::MAX).prop_map(|(ip, port)| {
        let text = SocketAddr::from((ip, port)).to_string();
        (text, found(ip, port))
    });
    let with_name = (select(&["localhost", "*", ""][..]), 1..=u16::MAX)
        .prop_map(|(host, port)| (format!("{host}:{port}"), on_port(port)));
    let joined = (form, prop_oneof![with_ip, with_name])
        .prop_map(|(form, (text, found))| (form.replace("{}", &text), found));
    let form = select(
        &[
            "port {}",
            "Port: {}",
            "on port {}.",
            "port={}",
            "{\"port\":{}}",
            "{ family: 'IPv6', port: {} }",
        ][..],
    );
    let by_port = (form, 1..=u16::MAX)
        .prop_map(|(form, port)| (form.replace("{}", &port.to_string()), on_port(port)));
    let in_python = (ip(), 1..=u16::MAX)
        .prop_map(|(ip, port)| (format!("('{ip}', {port})"), found(ip, port)));
    prop_oneof![3 => joined, 1 => by_port, 1 => in_python]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn an_address_is_found_in_any_words(
        before in words(),
        (text, expected) in printed(),
        after in words(),
    ) {
        let line = format!("{before} {text} {after}");
        prop_assert_eq!(addresses(&line), expected, "{}", line);
    }

    #[test]
    fn what_is_no_address_is_not_taken_for_one(words in words()) {
        prop_assert_eq!(addresses(&words), [], "{}", words);
    }

    #[test]
    fn any_line_has_addresses_that_can_be_connected_to(
        line in "\\PC{0,80}|([0-9:.\\[\\] *'(/]|port|localhost){0,30}",
    ) {
        let found = addresses(&line);
        prop_assert!(found.len() <= 2);
        for addr in found {
            prop_assert!(addr.port() > 0 && !addr.ip().is_unspecified(), "{}", line);
        }
    }
}
