use super::*;

defects! {
    of_a_server_that_is_missing:
        replace(ONE, "cargo run\n", "cargo run --bin 01_one -- --quiet\n")
        => ONE, 18, "there is no server 01_one";
    of_an_example_that_is_missing:
        replace(ONE, "cargo run\n", "cargo run\ncargo run --example two  # twice\n")
        => ONE, 19, "there is no example two";
    of_a_client_that_is_missing:
        replace(ONE, "cargo run\n", "cargo swarm --clients 3\n")
        => ONE, 18, "there is no command cargo swarm";
    of_a_test_that_is_missing:
        replace(ONE, "cargo run\n", "cargo test --test book one\n")
        => ONE, 18, "there is no test book";
    of_a_break_that_is_missing:
        replace(ONE, "cargo run\n", "cargo xtask break one\n")
        => ONE, 18, "there is no break one";
}

in_order! {
    with_a_placeholder:
        replace(ONE, "cargo run\n", "cargo xtask break NAME\n");
    with_a_comment:
        replace(ONE, "cargo run\n", "cargo run  # not --bin one\n");
}

#[test]
fn of_what_is_there() {
    let fixture = Fixture::new();
    fixture.write("examples/two.rs", "");
    fixture.write("chapters/breaks/one.patch", "");
    let commands = "cargo run --example two\ncargo talk hello\ncargo xtask break one\n";
    fixture.replace(ONE, "cargo run\n", commands);
    assert_eq!(found(&fixture), Vec::<String>::new());
}
