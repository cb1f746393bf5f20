//! `src/lib.rs` is the map of the library. What it says about the files is true, and so is what
//! the house promises about what each of them uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The code of each file below `src`, without comments and unit tests.
fn sources() -> BTreeMap<String, String> {
    let (mut sources, mut folders) = (BTreeMap::new(), vec!["src".to_string()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path().to_str().unwrap().to_string();
            if Path::new(&path).is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let code = code.lines().map(|line| line.split("//").next().unwrap());
            sources.insert(path, code.collect::<Vec<_>>().join("\n"));
        }
    }
    sources
}

/// Adds each path and each word in `code`: `crate::net::{self, Socket}` are two paths.
fn add_paths(before: &str, code: &str, paths: &mut BTreeSet<String>) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut rest = code;
    while let Some(start) = rest.find(is_part) {
        rest = &rest[start..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let path = format!("{before}{}", &rest[..end]);
        rest = &rest[end..];
        match rest.strip_prefix('{').filter(|_| path.ends_with("::")) {
            Some(group) => {
                let depth = |depth: &mut i32, c| {
                    *depth += i32::from(c == '{') - i32::from(c == '}');
                    Some(*depth)
                };
                let end = group.chars().scan(0, depth).position(|it| it < 0).unwrap();
                add_paths(&path, &group[..end], paths);
                rest = &group[end..];
            }
            None => drop(paths.insert(path)),
        }
    }
}

fn paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    add_paths("", code, &mut paths);
    paths
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit("::").next().unwrap()
}

/// The files of the library, by the paths of their modules. That of `src/net/accept.rs` is
/// `net::accept`, that of `src/ring/mod.rs` is `ring`, and that of `src/lib.rs` is empty.
struct Library(BTreeMap<String, File>);

struct File {
    /// The modules that it declares.
    children: BTreeSet<String>,
    /// What it hands on from them: `pub use child::Name`.
    hands_on: BTreeSet<String>,
    /// All paths and words in the rest of its code.
    paths: BTreeSet<String>,
}

impl Library {
    fn read() -> Library {
        let mut files = BTreeMap::new();
        for (path, code) in sources() {
            let module = path.trim_start_matches("src/").trim_end_matches(".rs");
            let module = module.trim_end_matches("/mod").replace('/', "::");
            if !module.starts_with("bin::") {
                let module = if module == "lib" { String::new() } else { module };
                files.insert(module, File::read(&code));
            }
        }
        Library(files)
    }

    /// The files that this one uses.
    fn used_by(&self, module: &str) -> BTreeSet<String> {
        let file = &self.0[module];
        let leads_to_a_file = |path: &&String| match path.split_once("::") {
            Some(("crate" | "super", _)) => true,
            Some((first, _)) => file.children.contains(first),
            None => false,
        };
        // What it hands on, it may use itself.
        let ours = file.hands_on.iter().filter(|it| file.paths.contains(name(it)));
        let named = file.paths.iter().filter(leads_to_a_file).chain(ours);
        let used = named.map(|path| self.file_of(module, path));
        used.filter(|used| used != module).collect()
    }

    /// The file in which that stands which `path` names in this module.
    fn file_of(&self, module: &str, path: &str) -> String {
        let mut here: Vec<&str> =
            module.split("::").filter(|it| !it.is_empty()).collect();
        for part in path.split("::") {
            let place = here.join("::");
            let file = &self.0[&place];
            match part {
                "crate" => here.clear(),
                "super" => drop(here.pop()),
                child if file.children.contains(child) => here.push(child),
                item => {
                    let from = file.hands_on.iter().find(|it| name(it) == item);
                    return from.map_or(place.clone(), |from| self.file_of(&place, from));
                }
            }
        }
        here.join("::")
    }
}

impl File {
    fn read(code: &str) -> File {
        let (mut children, mut rest) = (BTreeSet::new(), String::new());
        let mut handed_on = BTreeSet::new();
        for statement in code.split_inclusive(';') {
            let words: Vec<&str> = statement.split_whitespace().collect();
            if let [.., "mod", child] = words[..] {
                children.insert(child.trim_end_matches(';').to_string());
            }
            match statement.trim_start().strip_prefix("pub use ") {
                Some(tree) => add_paths("", tree, &mut handed_on),
                None => rest += statement,
            }
        }
        let is_childs =
            |path: &String| children.contains(path.split("::").next().unwrap());
        let (hands_on, others) = handed_on.into_iter().partition(is_childs);
        let mut paths: BTreeSet<String> = others;
        add_paths("", &rest, &mut paths);
        File { children, hands_on, paths }
    }
}

/// The modules in the map, from top to bottom.
fn map() -> Vec<String> {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    rows.map(|row| row.split('`').next().unwrap().to_string()).collect()
}

/// A row of the map stands for its file, and for those in its folder that have no rows of their
/// own.
#[test]
fn each_file_uses_only_files_that_stand_before_it() {
    let (library, map) = (Library::read(), map());
    let row_of = |module: &str| {
        let is_in =
            |row: &&String| format!("{module}::").starts_with(&format!("{row}::"));
        let row = map.iter().filter(is_in).max_by_key(|row| row.len());
        let row = row.unwrap_or_else(|| panic!("the map does not have {module:?}"));
        map.iter().position(|it| it == row).unwrap()
    };
    for row in &map {
        assert!(
            library.0.contains_key(row),
            "the map has {row}, and there is no such file"
        );
    }
    for module in library.0.keys().filter(|it| !it.is_empty()) {
        for used in library.used_by(module) {
            assert!(
                row_of(&used) <= row_of(module),
                "{module} uses {used}, which is below it"
            );
        }
    }
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    let library = Library::read();
    let mut left: BTreeMap<&String, BTreeSet<String>> =
        library.0.keys().map(|module| (module, library.used_by(module))).collect();
    assert!(left.values().map(BTreeSet::len).sum::<usize>() > 80, "{left:#?}");
    // Takes out the files that use none of those that are left, until there are none of that
    // kind. The rest go round in circles.
    loop {
        let before = left.len();
        let names: BTreeSet<String> = left.keys().map(|it| it.to_string()).collect();
        left.retain(|_, used| !used.is_disjoint(&names));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "in circles, or above them: {left:#?}");
}

/// The scheduler runs wherever there are sockets with the few calls of `net`, and a clock.
#[test]
fn the_heart_knows_nothing_of_unix_but_the_descriptors_type() {
    for (path, code) in sources() {
        if !path.starts_with("src/scheduler/") {
            continue;
        }
        for used in paths(&code) {
            let parts: Vec<&str> = used.split("::").collect();
            let is_allowed = match parts[..] {
                ["libc" | "socket2" | "signal_hook" | "io_uring", ..] => false,
                ["std", "os", ..] => {
                    matches!(parts[2..], ["fd", "RawFd" | "AsRawFd"])
                }
                ["std", "fs" | "process" | "thread", ..] => false,
                ["std", "net", part, ..] => part == "SocketAddr",
                [.., "Instant" | "SystemTime", "now"] => false,
                [part] => part != "elapsed",
                _ => true,
            };
            assert!(is_allowed, "{path} uses {used}");
        }
    }
}

#[test]
fn unsafe_code_is_confined() {
    let allowed = ["src/select.rs", "src/epoll.rs", "src/limit.rs", "src/net.rs"];
    for (path, code) in sources() {
        let may = allowed.contains(&&*path) || path.starts_with("src/ring/");
        assert!(may || !paths(&code).contains("unsafe"), "{path} has unsafe code");
        let is_binary = path.starts_with("src/bin/") && code.contains("fn main()");
        assert!(!is_binary || code.contains("#![forbid(unsafe_code)]"), "{path}");
    }
}

/// Which poller asks, and whether anybody watches, are values.
#[test]
fn no_type_says_who_polls_or_who_watches() {
    for (path, code) in sources() {
        let code = code.replace("impl Poller + 'static", ""); // what `new` puts into a box
        for bound in [": Poller", "+ Poller", ": Trace", "+ Trace"] {
            assert!(!code.contains(bound), "{path}: {bound}");
        }
        for (at, found) in
            code.match_indices("impl Poller").chain(code.match_indices("impl Trace"))
        {
            let rest = &code[at + found.len()..];
            let is_longer = rest.starts_with(char::is_alphanumeric); // `impl Tracer`
            assert!(is_longer || rest.starts_with(" for "), "{path}: {found}");
        }
    }
}
