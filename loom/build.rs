//! `src/executor/sync.rs` looks at this to know for whom it is compiled.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cfg=loom");
}
