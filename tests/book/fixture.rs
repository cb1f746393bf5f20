//! A small book that is in order, in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

pub const BOOK: &str = "book.toml";
pub const SUMMARY: &str = "chapters/SUMMARY.md";
pub const ONE: &str = "chapters/one.md";
pub const TWO: &str = "chapters/two/index.md";
pub const WORDS: &str = "chapters/words.md";
pub const FIGURE: &str = "chapters/figures/wait.svg";
pub const SESSION: &str = "chapters/sessions/run.txt";
pub const DIFF: &str = "chapters/diffs/two.diff";
pub const RECORDING: &str = "chapters/traces/run.jsonl";
pub const CODE: &str = "src/net.rs";
/// Marks outside of `src/` may be spare ones.
pub const SPARE: &str = "examples/spare.rs";

const FILES: [(&str, &str); 15] = [
    (".cargo/config.toml", "[alias]\nxtask = \"run\"\ntalk = \"run\"\n"),
    (BOOK, "[build]\nextra-watch-dirs = [\"src\"]\n"),
    (
        SUMMARY,
        "# Summary\n\n- [One](one.md)\n- [Two](two/index.md)\n\n\
         ---\n\n[Words](words.md)\n",
    ),
    (ONE, PAGE),
    (
        TWO,
        "# Two\n\n*5 minutes. Before: [one](../one.md).*\n\n\
         ## The end\n\n## The end\n\nPROSE",
    ),
    (
        WORDS,
        "# Words\n\n## `do_schedule()`\n\n**ready queue**\n: what can go on\n\n\
         *src/net.rs*\n\n```rust\n{{#include ../src/net.rs:rest}}\n```\n\n\
         *src/run.rs*\n\n```rust\n{{#include ../src/run.rs:run}}\n```\n",
    ),
    (FIGURE, SVG),
    (SESSION, "$ cargo run\nlistening on 127.0.0.1:8000\n"),
    (DIFF, "--- src/net.rs:compared\n+++ src/whole.rs\n-fn one() {}\n+fn two() {}\n"),
    (
        CODE,
        // Each line in its quotes, or the lines would be anchors of this file.
        concat!(
            "// ANCHOR: listen\n",
            "fn listen() {}\n",
            "// ANCHOR_END: listen\n",
            "// ANCHOR: rest\n",
            "fn rest() {}\n",
            "// ANCHOR_END: rest\n",
            "// ANCHOR: compared\n",
            "fn one() {}\n",
            "// ANCHOR_END: compared\n",
        ),
    ),
    (SPARE, concat!("// ANCHOR: spare\n", "fn spare() {}\n", "// ANCHOR_END: spare\n")),
    ("src/whole.rs", "fn whole() {}\n"),
    // The hash is what `git hash-object` prints for the file below.
    (
        RECORDING,
        "{\"t\":0,\"e\":\"trace\",\"v\":1,\"src\":\"src/run.rs\",\
         \"sha\":\"b4885b9c77f377c4bd5570824da9665dcb743eec\"}\n",
    ),
    ("src/run.rs", concat!("// ANCHOR: run\n", "fn run() {}\n", "// ANCHOR_END: run\n")),
    ("chapters/traces/run.txt", "1  the recording begins\n"),
];

/// Its lines are known by their numbers in the tests: new ones go to the end.
const PAGE: &str = r#"# One

*5 minutes. Before: nothing, not even
Rust.*

See [two](two/index.md#the-end-1), [below](#run-it), [the schedule][words], [the
code](../src/net.rs) and <https://example.org/a?b=c>. No [link: `[a](nowhere.md)`].

*src/net.rs: listening*, where it starts:

```rust
{{#include ../src/net.rs:listen}}
```

## Run it

```sh
cargo run
```

```console
{{#include sessions/run.txt}}
```

```diff
{{#include diffs/two.diff}}
```

{{#include figures/wait.svg}}

![Two clients wait](figures/wait.svg)

<details>
<summary>Who waits?</summary>

The second one, as `!=` says.

</details>

[words]: words.md#do_schedule

*src/whole.rs*

```rust,ignore
{{#include ../src/whole.rs}}
```

PROSE

<trace-player id="played" label="One client">

```text
{{#include traces/run.txt}}
```

<script type="application/x-jsonlines">
{{#include traces/run.jsonl}}
</script>

<script type="text/x-rust" data-file="src/run.rs">
{{#include ../src/run.rs}}
</script>

</trace-player>

<aside class="teacher">

Wait for the answers.

</aside>

| At | Minutes | What |
|---|---|---|
| 0:00 | 5 | [Words](words.md) |
| 0:05 | 10 | A break |
| 0:15 | **15** | The end |
"#;

const SVG: &str = r##"<svg role="img" aria-labelledby="wait-title wait-desc" fill="none">
<title id="wait-title">Two clients</title>
<desc id="wait-desc">The second waits for the first.</desc>
<path id="wait-arrow" stroke="currentColor" style="fill: var(--bg, none)"/>
<use href="#wait-arrow" fill="url(#wait-arrow)"/>
</svg>
"##;

/// The folder that it is in, until this is dropped.
pub struct Fixture(PathBuf);

impl Fixture {
    pub fn new() -> Fixture {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bricks-book-{}-{number}", process::id());
        let fixture = Fixture(env::temp_dir().join(name));
        for (file, text) in FILES {
            fixture.write(file, &text.replace("PROSE", &"word ".repeat(400)));
        }
        fixture
    }

    pub fn root(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().expect("it is in a folder")).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `old` occurs once.
    pub fn replace(&self, file: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.0.join(file)).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {file}");
        self.write(file, &text.replace(old, new));
    }

    pub fn insert(&self, file: &str, after: &str, new: &str) {
        self.replace(file, after, &format!("{after}{new}"));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
