//! What is around the executor: other threads, and a poller that sleeps where loom sees it.

use std::cell::RefCell;
use std::io::{self, Write};
use std::mem;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::LocalKey;
use std::time::Duration;

use bricks::net::{Direction, Readiness, Socket};
use bricks::scheduler::poller::Poller;
use bricks::select::Select;
use loom::thread::JoinHandle;

use crate::executor::Executor;
use crate::steps::{self, EXECUTOR, What, say};

/// `Err` says what went wrong.
pub type Verdict = Result<(), String>;

/// What is around the executor.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    state: loom::sync::Mutex<State>,
    changed: loom::sync::Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    bell: Arc<()>,
}

#[derive(Default)]
struct State {
    /// How many of the other threads have not ended.
    threads: usize,
    /// How often the poller was told to sleep, and the bell was rung.
    sleeps: usize,
    rings: usize,
    /// The executor, which was awake, has rung its own bell.
    for_nothing: bool,
}

// The queue makes its bell without being told in which world.
thread_local! {
    static CURRENT: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Runs a scenario in every order, and panics with the list of steps of the first that fails.
///
/// # Panics
///
/// If the scenario's verdict is an error, or if the queue still exists afterwards.
pub fn explore(scenario: fn(&World) -> Verdict) {
    explore_up_to(None, scenario);
}

/// Runs a scenario in every order in which no more often than so a thread has to stop that could
/// go on. With two threads beside the executor, there are too many others.
///
/// # Panics
///
/// As [`explore`].
pub fn explore_up_to(
    preemptions: impl Into<Option<usize>>,
    scenario: fn(&World) -> Verdict,
) {
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.check(move || {
        steps::clear();
        let order = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let world = World::new();
        let verdict = scenario(&world);
        let verdict = verdict.and(world.end());
        if let Err(why) = verdict {
            println!("order {order} fails: {why}\n{}", steps::list());
            panic!("{why}");
        }
    });
    println!("{} orders", orders.load(Ordering::Relaxed));
}

fn current() -> &'static LocalKey<RefCell<Option<World>>> {
    &CURRENT
}

impl World {
    fn new() -> World {
        let world = World(Arc::new(Inner {
            state: loom::sync::Mutex::default(),
            changed: loom::sync::Condvar::new(),
            threads: Mutex::default(),
            bell: Arc::new(()),
        }));
        current().set(Some(world.clone()));
        world
    }

    /// The world of this order.
    pub(crate) fn current() -> World {
        current().with_borrow(Clone::clone).expect("a scenario runs")
    }

    /// An executor, whose poller sleeps in this world.
    ///
    /// # Panics
    ///
    /// If there are no descriptors left.
    pub fn executor(&self) -> Executor {
        let poller = Sleeper { select: Select::default(), world: self.clone() };
        Executor::new(poller, None).expect("there are descriptors")
    }

    /// Runs `work` on another thread.
    pub fn thread(&self, name: &'static str, work: impl FnOnce() + 'static) {
        self.state().threads += 1;
        steps::add(What::Start(name));
        let world = self.clone();
        let thread = loom::thread::spawn(move || {
            steps::call_me(name);
            work();
            world.state().threads -= 1;
            world.0.changed.notify_one();
        });
        self.0.threads.lock().expect("no thread panics").push(thread);
    }

    /// Waits for the other threads.
    pub fn join(&self) {
        let threads = mem::take(&mut *self.0.threads.lock().expect("no thread panics"));
        for thread in threads {
            thread.join().expect("it does not panic");
        }
    }

    fn end(&self) -> Verdict {
        self.join();
        current().take();
        match Arc::strong_count(&self.0.bell) {
            1 => Ok(()),
            _ => Err("the queue still exists".into()),
        }
    }

    /// The bell costs a system call: it is rung once for each sleep at most, and by others.
    ///
    /// # Errors
    ///
    /// If it was rung more often, or by the executor.
    pub fn rings_only_for_sleeps(&self) -> Verdict {
        let State { sleeps, rings, for_nothing, .. } = *self.state();
        if for_nothing {
            return Err("the executor has rung its own bell".into());
        }
        match rings > sleeps {
            true => Err(format!("the bell rang {rings} times for {sleeps} sleeps")),
            false => Ok(()),
        }
    }

    /// A client sends a byte.
    ///
    /// # Panics
    ///
    /// If the system refuses.
    pub fn send(&self, mut client: &UnixStream) {
        let _state = self.state();
        say("sends a byte");
        client.write_all(&[1]).expect("there is room");
        self.0.changed.notify_one();
    }

    fn state(&self) -> loom::sync::MutexGuard<'_, State> {
        self.0.state.lock().expect("no thread panics")
    }

    /// A part of the bell, which exists as long as one of these.
    pub(crate) fn bell(&self) -> Arc<()> {
        Arc::clone(&self.0.bell)
    }

    /// Rings the bell, by writing to it.
    pub(crate) fn ring<T>(&self, write: impl FnOnce() -> T) -> T {
        let mut state = self.state();
        state.rings += 1;
        state.for_nothing |= steps::who() == EXECUTOR;
        say("rings the bell");
        let written = write();
        self.0.changed.notify_one();
        written
    }
}

/// Asks `select` what is ready, and sleeps in the world, where loom sees it.
struct Sleeper {
    select: Select,
    world: World,
}

impl Poller for Sleeper {
    fn call(&self) -> &'static str {
        self.select.call()
    }

    fn watch(&mut self, socket: &Socket, direction: Direction) -> io::Result<()> {
        self.select.watch(socket, direction)
    }

    fn unwatch(&mut self, fd: RawFd, direction: Direction) {
        self.select.unwatch(fd, direction);
    }

    fn wait(
        &mut self,
        timeout: Option<Duration>,
        ready: &mut Vec<Readiness>,
    ) -> io::Result<()> {
        let at_once = Some(Duration::ZERO);
        if timeout == at_once {
            say("looks at the sockets, and does not sleep");
            return self.select.wait(at_once, ready);
        }
        assert_eq!(timeout, None, "no scenario has a timer");
        let mut state = self.world.state();
        state.sleeps += 1;
        say("sleeps");
        loop {
            self.select.wait(at_once, ready)?;
            if !ready.is_empty() {
                say("is woken");
                return Ok(());
            }
            if state.threads == 0 {
                say("sleeps for ever: no thread is left to ring");
                return Err(io::Error::other("the executor sleeps for ever"));
            }
            state = self.world.0.changed.wait(state).expect("no thread panics");
        }
    }
}
