//! What Linux tells about a process in `/proc`.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use crate::server::{Server, eventually};

fn path(server: &Server, name: &str) -> PathBuf {
    of(server.pid(), name)
}

fn of(process: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{name}"))
}

fn read(server: &Server, name: &str) -> String {
    fs::read_to_string(path(server, name)).expect("the server is there")
}

/// The server's process; or all of its group, if it has one.
fn processes(server: &Server) -> Vec<u32> {
    let Some(group) = server.group() else { return vec![server.pid()] };
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let numbers = entries.filter_map(|it| it.file_name().to_str()?.parse().ok());
    let in_group = |&process: &u32| {
        let field = stat(process).and_then(|fields| fields.get(2)?.parse().ok());
        field == Some(group)
    };
    numbers.filter(in_group).collect()
}

/// What follows the name in parentheses, which may contain anything: the state, the parent, the
/// group …
fn stat(process: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(of(process, "stat")).ok()?;
    let fields = stat.rsplit(')').next()?;
    Some(fields.split_whitespace().map(str::to_string).collect())
}

/// Descriptors that are open, and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub descriptors: usize,
    pub threads: usize,
}

pub fn usage(server: &Server) -> Usage {
    let processes = processes(server);
    assert!(!processes.is_empty(), "the server is not there");
    let count = |name| {
        let entries =
            processes.iter().flat_map(|&process| fs::read_dir(of(process, name)));
        entries.map(Iterator::count).sum()
    };
    Usage { descriptors: count("fd"), threads: count("task") }
}

/// Waits until the server has given everything back.
pub fn wait_for_usage(server: &Server, expected: Usage) {
    eventually(&format!("{expected:?}"), || (usage(server) == expected).then_some(()));
}

/// Waits until the server has no more descriptors than that. Its threads are its own affair.
pub fn wait_for_descriptors(server: &Server, at_most: usize) {
    eventually("the descriptors of clients that are gone are closed", || {
        (usage(server).descriptors <= at_most).then_some(())
    });
}

/// Processor time so far.
pub fn processor_time(server: &Server) -> Duration {
    // The 14th and 15th field are the time in user and system mode, in ticks of 10 ms.
    let ticks = processes(server).into_iter().filter_map(stat).map(|fields| {
        let number = |n: usize| fields[n].parse::<u64>().unwrap();
        number(11) + number(12)
    });
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// Waits until each thread has noticed a SIGSTOP; before that, a SIGCONT would undo it.
pub fn wait_until_stopped(server: &Server) {
    eventually("it is stopped", || {
        let mut threads =
            fs::read_dir(path(server, "task")).expect("the server is there");
        let stopped = threads.all(|thread| {
            let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T"))
        });
        stopped.then_some(())
    });
}

/// How long its threads have run so far, or have waited for a processor that others were using.
/// Nothing where the system does not count that.
pub fn ready_time(server: &Server) -> Duration {
    let processes = processes(server).into_iter();
    let threads = processes.flat_map(|process| fs::read_dir(of(process, "task")));
    let times = threads.flatten().flatten().map(|thread| {
        let times = fs::read_to_string(thread.path().join("schedstat"));
        let times = times.unwrap_or_default();
        let times = times.split_whitespace().take(2);
        times.map_while(|time| time.parse::<u64>().ok()).sum::<u64>()
    });
    Duration::from_nanos(times.sum())
}

/// Asserts that a server with nothing to do does nothing. A loop that does not wait would take
/// all of the time in which we look, or wait for it where others are at work.
pub fn assert_rests(server: &Server) {
    const LOOK: Duration = Duration::from_millis(600);
    let before = processor_time(server);
    let was_ready = ready_time(server);
    // Nobody sends on this channel: it is a clock.
    let (_nobody, clock) = mpsc::channel::<()>();
    clock.recv_timeout(LOOK).unwrap_err();
    let spent = processor_time(server) - before;
    assert!(spent < LOOK / 4, "{spent:?} of processor time in {LOOK:?} without work");
    let ready = ready_time(server).saturating_sub(was_ready);
    assert!(ready < LOOK * 2 / 3, "ready to run for {ready:?} of {LOOK:?} without work");
}

/// Resident memory in bytes.
pub fn resident(server: &Server) -> usize {
    kib(&read(server, "status"), "VmRSS:") * 1024
}

/// Resident memory of the heap in bytes: what `malloc` has, without stacks and code.
pub fn heap(server: &Server) -> usize {
    let maps = read(server, "smaps");
    let heap = maps.split_once("[heap]").map_or("", |(_, heap)| heap);
    kib(heap, "Rss:") * 1024
}

fn kib(text: &str, name: &str) -> usize {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or("x 0 kB");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The number and flags of each open socket; the flags as `open(2)` has them. (Sockets, because
/// other descriptors above standard error come from whoever started this test.)
pub fn socket_flags(server: &Server) -> Vec<(u32, u32)> {
    let numbers = fs::read_dir(path(server, "fd")).expect("the server is there");
    let numbers = numbers.filter_map(|entry| {
        let entry = entry.ok()?;
        let link = fs::read_link(entry.path()).ok()?;
        let is_ours = link.to_str()?.starts_with("socket:");
        is_ours.then(|| entry.file_name().to_str()?.parse().ok()).flatten()
    });
    numbers
        .map(|number: u32| {
            let info = read(server, &format!("fdinfo/{number}"));
            let flags =
                info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
            (number, u32::from_str_radix(flags.trim(), 8).unwrap())
        })
        .collect()
}
