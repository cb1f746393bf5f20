//! Puts each exercise's solution, starter and wrong answers beside a copy of its check, so that
//! one program (`variants/main.rs`) can run them all.

#[allow(dead_code, reason = "the chores use all of it")]
mod answers;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=answers.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let mut modules = String::new();
    for folder in sorted(Path::new(".")) {
        let (solution, check) = (folder.join("solution.rs"), folder.join("check.rs"));
        let is_a_name = folder.file_name().is_some_and(answers::is_a_name);
        if !is_a_name || !solution.is_file() {
            continue;
        }
        let wrong = folder.join("wrong");
        for path in [&solution, &check, &wrong] {
            println!("cargo:rerun-if-changed={}", path.display());
        }
        let name = stem(&folder);
        let (solution, check) = (read(&solution), read(&check));
        let mut variants = vec![
            ("solution".to_string(), answers::solved(&solution)),
            ("starter".to_string(), answers::starter(&solution)),
        ];
        for path in answers::sources(&wrong).unwrap_or_default() {
            let text = answers::mistaken(&solution, &read(&path));
            variants.push((format!("wrong_{}", stem(&path)), text));
        }
        for (variant, text) in variants {
            let place = out.join(&name).join(&variant);
            fs::create_dir_all(&place).expect("a folder of cargo's");
            fs::write(place.join("exercise.rs"), text).expect("a file of cargo's");
            fs::write(place.join("check.rs"), &check).expect("a file of cargo's");
            let quiet = match variant.as_str() {
                "solution" => "",
                _ => "#[allow(warnings, clippy::all)]\n",
            };
            let path = place.join("check.rs");
            modules += &format!("{quiet}#[path = {path:?}]\nmod e{name}__{variant};\n");
        }
    }
    fs::write(out.join("variants.rs"), modules).expect("a file of cargo's");
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A text whose lines end with LF, whatever ends them in this copy of the repository.
fn read(path: &Path) -> String {
    let text = fs::read_to_string(path);
    let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.replace("\r\n", "\n")
}
