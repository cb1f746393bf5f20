//! `select(2)` and its sets: what is promised, and what they refuse.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use bricks::net::{Direction, Socket};
use bricks::scheduler::poller::Poller;
use bricks::select::{FD_SETSIZE, FdSet, Select, select};
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, raise};
use proptest::prelude::*;

fn set(fds: &[RawFd]) -> FdSet {
    let mut set = FdSet::new();
    fds.iter().for_each(|&fd| set.insert(fd).unwrap());
    set
}

fn numbers(set: &FdSet) -> Vec<RawFd> {
    set.iter().collect()
}

#[test]
fn descriptors_without_a_bit_are_refused() {
    for fd in [-1, RawFd::MIN, FD_SETSIZE as RawFd, RawFd::MAX] {
        let mut all = FdSet::new();
        let error = all.insert(fd).unwrap_err();
        assert!(
            error.to_string().contains(&format!("descriptor {fd} is refused")),
            "{error}"
        );
        assert!(error.to_string().contains("0 to 1023"), "{error}");
        all.remove(fd);
        assert!(!all.contains(fd));
        assert_eq!(numbers(&all), []);
    }
}

#[test]
fn debug_shows_the_descriptors() {
    assert_eq!(format!("{:?}", set(&[64, 3])), "{3, 64}");
}

proptest! {
    /// A set of bits is a set of numbers.
    #[test]
    fn a_set_is_a_set(steps in prop::collection::vec((any::<bool>(), 0..1200), 0..200)) {
        let (mut ours, mut model) = (FdSet::new(), BTreeSet::new());
        for (insert, fd) in steps {
            if insert {
                prop_assert_eq!(ours.insert(fd).is_ok(), fd < 1024);
                if fd < 1024 {
                    model.insert(fd);
                }
            } else {
                ours.remove(fd);
                model.remove(&fd);
            }
            prop_assert_eq!(ours.contains(fd), model.contains(&fd));
            prop_assert_eq!(numbers(&ours), model.iter().copied().collect::<Vec<_>>());
        }
    }
}

#[test]
fn only_what_is_ready_is_left() {
    let (mut here, there) = UnixStream::pair().unwrap();
    let (quiet, _other) = UnixStream::pair().unwrap();
    here.write_all(b"x").unwrap();
    let mut read = set(&[there.as_raw_fd(), quiet.as_raw_fd()]);
    let mut write = set(&[quiet.as_raw_fd()]);
    assert_eq!(select(&mut read, &mut write, None).unwrap(), 2);
    assert_eq!(numbers(&read), [there.as_raw_fd()]);
    assert_eq!(numbers(&write), [quiet.as_raw_fd()]);
}

/// The poller names to `select`, and to a recording, what is watched and has not been reported.
#[test]
fn the_poller_watches_until_it_has_reported() {
    let (here, mut there) = UnixStream::pair().unwrap();
    let socket = Socket::new(here).unwrap();
    let fd = socket.as_raw_fd();
    let mut poller = Select::default();
    assert_eq!(poller.call(), "select");
    assert_eq!(poller.asked(), Some(vec![]));
    poller.watch(&socket, Direction::Read).unwrap();
    poller.watch(&socket, Direction::Write).unwrap();
    let both = vec![(fd, Direction::Read), (fd, Direction::Write)];
    assert_eq!(poller.asked().as_ref(), Some(&both));
    there.write_all(b"x").unwrap();
    let mut ready = vec![];
    poller.wait(None, &mut ready).unwrap();
    assert_eq!(ready, both);
    assert_eq!(poller.asked(), Some(vec![]));
    poller.watch(&socket, Direction::Read).unwrap();
    poller.unwatch(fd, Direction::Read);
    poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
    assert_eq!(ready, both, "no more than before");
}

#[test]
fn the_end_of_input_is_something_to_read() {
    let (here, mut there) = UnixStream::pair().unwrap();
    drop(here);
    let mut read = set(&[there.as_raw_fd()]);
    assert_eq!(select(&mut read, &mut FdSet::new(), None).unwrap(), 1);
    assert_eq!(there.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_timeout_leaves_the_sets_empty() {
    let (_here, there) = UnixStream::pair().unwrap();
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let start = Instant::now();
        let mut read = set(&[there.as_raw_fd()]);
        assert_eq!(select(&mut read, &mut FdSet::new(), Some(timeout)).unwrap(), 0);
        assert_eq!(numbers(&read), []);
        assert!(start.elapsed() >= timeout, "it came back too early");
    }
}

#[test]
fn a_closed_descriptor_is_an_error() {
    let closed = {
        let (here, _there) = UnixStream::pair().unwrap();
        high(here.into(), 900).as_raw_fd()
    };
    let (here, _there) = UnixStream::pair().unwrap();
    let (mut read, mut write) = (set(&[closed]), set(&[here.as_raw_fd()]));
    let error = select(&mut read, &mut write, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert_eq!((numbers(&read), numbers(&write)), (vec![], vec![]));
}

/// The same open socket under a number from `number` on.
#[expect(unsafe_code, reason = "no safe call gives a descriptor a certain number")]
fn high(socket: OwnedFd, number: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    let high = fcntl(&socket, FcntlArg::F_DUPFD_CLOEXEC(number)).unwrap();
    // SAFETY: `fcntl` has just made this descriptor, so it is open, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(high) }
}

#[test]
fn the_last_descriptor_that_fits() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft <= 1030 && setrlimit(Resource::RLIMIT_NOFILE, hard.min(2048), hard).is_err()
        || hard <= 1030
    {
        let _ = writeln!(std::io::stderr(), "skipped: `ulimit -Hn` is only {hard}");
        return;
    }
    let (mut here, there) = UnixStream::pair().unwrap();
    let last = high(there.into(), 1023);
    if last.as_raw_fd() == 1023 {
        let mut read = set(&[1023]);
        here.write_all(b"x").unwrap();
        assert_eq!(select(&mut read, &mut FdSet::new(), None).unwrap(), 1);
        assert_eq!(numbers(&read), [1023]);
    }
    let beyond = high(last, 1024);
    let error = FdSet::new().insert(beyond.as_raw_fd()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
}

/// A signal with a handler ends the wait with EINTR, whatever `SA_RESTART` says; that is no
/// error, and nothing is ready.
#[test]
fn a_signal_ends_the_wait_with_nothing_ready() {
    let noticed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, noticed.clone()).unwrap();
    let (_here, there) = UnixStream::pair().unwrap();
    let (started, waiting) = mpsc::channel();
    let selecting = thread::spawn(move || {
        started.send(nix::sys::pthread::pthread_self()).unwrap();
        let mut read = set(&[there.as_raw_fd()]);
        let count = select(&mut read, &mut FdSet::new(), Some(Duration::from_secs(60)));
        (count.unwrap(), numbers(&read))
    });
    let thread = waiting.recv().unwrap();
    // The first signals may come before the thread is in `select`.
    while !selecting.is_finished() {
        nix::sys::pthread::pthread_kill(thread, Signal::SIGUSR1).unwrap();
        thread::yield_now();
    }
    assert_eq!(selecting.join().unwrap(), (0, vec![]));
    raise(Signal::SIGUSR1).unwrap();
    assert!(noticed.load(std::sync::atomic::Ordering::SeqCst));
}
