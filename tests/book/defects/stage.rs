//! A book with the chapter of a stage, of one page, which keeps all that such a page has to.

use super::*;

pub const STAGE: &str = "chapters/01_one/index.md";

pub fn with_a_stage() -> Fixture {
    let fixture = Fixture::new();
    let question = |n| {
        format!(
            "{n}. Why?\n\n   <details>\n   <summary>Answer</summary>\n\n   \
             Because.\n\n   </details>\n\n"
        )
    };
    let questions: String = (1..=5).map(question).collect();
    let text = PAGE.replace("PROSE", &"word ".repeat(345));
    fixture.write(STAGE, &text.replace("QUESTIONS", &questions));
    fixture.write("chapters/01_one/breaks/slow.patch", "");
    fixture.insert(SUMMARY, "- [One](one.md)\n", "- [Stage](01_one/index.md)\n");
    fixture
}

/// The one defect of a stage's chapter after a change of its page.
pub fn the_defect_after(changes: &[(&str, &str)]) -> String {
    let fixture = with_a_stage();
    for (old, new) in changes {
        fixture.replace(STAGE, old, new);
    }
    let found = found(&fixture);
    assert_eq!(found.len(), 1, "{changes:?}: {found:#?}");
    found[0].clone()
}

const PAGE: &str = "# Stage

*8 minutes. Before: nothing.*

PROSE

{{#include ../figures/wait.svg}}

## Predict first

How many?

1. One.
2. Two.

Look:

```sh
cargo run
```

```console
{{#include ../sessions/run.txt}}
```

<details>
<summary>The answer</summary>

1. There are more.
2. **Right.** One, and one more.

</details>

*src/net.rs*

```rust
{{#include ../../src/net.rs:listen}}
```

## Break it

```sh
cargo xtask break slow
cargo xtask fix
```

## Check yourself

QUESTIONS## What comes next

[More](../two/index.md).
";
