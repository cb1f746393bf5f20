//! Every solution, starter and wrong answer with its check; `cargo xtask exercises` runs them one
//! by one, and knows which of them must fail.

#![allow(non_snake_case, reason = "the names of exercises and variants, joined")]

include!(concat!(env!("OUT_DIR"), "/variants.rs"));
