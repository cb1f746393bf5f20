use super::*;

defects! {
    of_a_source_that_has_moved_on:
        insert("src/run.rs", "fn run() {", " ")
        => RECORDING, 1, "src/run.rs has moved on: run `cargo xtask record`";
    of_nothing:
        write("chapters/traces/other.jsonl", "nothing")
        => "chapters/traces/other.jsonl", 1, "name the source in \"src\"";
}
