//! The servers that are measured, and what the system tells about a running one.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use procfs::process::Process;

use crate::load::{Load, PATIENCE};

/// A server, and how to start it.
#[derive(Clone, Debug)]
pub struct Server {
    /// What it is called on the command line and in the results.
    pub name: String,
    /// The words of the command, without `--listen`.
    pub command: Vec<String>,
    /// How many connections it can have at most.
    pub most: usize,
}

/// The stages of the book, by the names of their programs.
pub const STAGES: [&str; 7] = [
    "01_blocking",
    "02_threads",
    "03_select",
    "04_scheduler",
    "05_epoll",
    "06_async_await",
    "07_io_uring",
];

/// The peers: a name, a program, and its flags.
const PEERS: [(&str, &str); 9] = [
    ("tokio", "peer_tokio"),
    ("tokio-64k", "peer_tokio --buffer 65536"),
    ("tokio-mt", "peer_tokio --multi-thread"),
    ("mio", "peer_mio"),
    ("smol", "peer_smol"),
    ("epoll", "peer_epoll"),
    ("epoll-64k", "peer_epoll --buffer 65536"),
    ("io_uring", "peer_io_uring"),
    ("io_uring-64k", "peer_io_uring --buffer 65536"),
];

impl Server {
    /// A server that is started by `command`, whose words stand between spaces.
    pub fn new(name: &str, command: &str) -> Server {
        Server::of(name, command.split_whitespace().map(str::to_string).collect())
    }

    /// A program may lie in a folder whose name has a space.
    fn of(name: &str, command: Vec<String>) -> Server {
        let most = match name {
            "01_blocking" => 1,
            "03_select" | "04_scheduler" | "python" => 1000,
            "02_threads" => 4200,
            _ => usize::MAX,
        };
        Server { name: name.to_string(), command, most }
    }

    /// Whether this load is one that it claims to carry. (One client after the other is no
    /// trouble to anybody.)
    pub fn can_carry(&self, load: Load) -> bool {
        load.clients + load.idle <= self.most || load.short
    }
}

impl FromStr for Server {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Server, &'static str> {
        let (name, command) = text.split_once('=').ok_or("NAME=COMMAND is wanted")?;
        Ok(Server::new(name, command))
    }
}

/// The stages and peers whose programs lie in this folder, and the server in Python.
pub fn all(folder: &Path) -> Vec<Server> {
    let programs = STAGES.map(|stage| (stage, stage)).into_iter().chain(PEERS);
    let mut servers: Vec<Server> = programs
        .map(|(name, command)| {
            let mut server = Server::new(name, command);
            server.command[0] = text(&folder.join(&server.command[0]));
            server
        })
        .filter(|server| Path::new(&server.command[0]).is_file())
        .collect();
    let python = root().join("chapters/python/echo_server.py");
    servers.push(Server::of("python", vec!["python3".into(), text(&python)]));
    servers
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The folder of the repository: cargo says where its package lies, and `cargo xtask bench` starts
/// this there.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let lies_in = package.as_deref().and_then(Path::parent);
    lies_in.unwrap_or(Path::new(".")).to_path_buf()
}

/// Which processors the server and the client run on.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// The server's.
    pub server: usize,
    /// The client's.
    pub client: usize,
}

impl Cores {
    /// The first and the last that this process may use.
    ///
    /// # Errors
    ///
    /// If there is only one: nothing can be measured on it.
    pub fn choose() -> Result<Cores> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut allowed =
            (0..CpuSet::count()).filter(|&cpu| allowed.is_set(cpu).unwrap_or(false));
        let server = allowed.next().context("no processor at all")?;
        let client =
            allowed.next_back().context("two processors are needed, and there is one")?;
        Ok(Cores { server, client })
    }
}

/// This process, and what it starts from now on, runs on this processor.
fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// A server that runs. It is killed when it is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    clock: ClockId,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Running {
    /// Starts a server on its processor, and waits until it says that it listens.
    pub fn start(server: &Server, cores: Option<Cores>) -> Result<Running> {
        let (program, arguments) = server.command.split_first().context("no command")?;
        let mut command = Command::new(program);
        command.args(arguments).args(["--listen", "127.0.0.1:0", "--quiet"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(cores) = cores {
            pin(cores.server)?;
        }
        let child = command.spawn().with_context(|| format!("cannot start {program}"));
        if let Some(cores) = cores {
            pin(cores.client)?;
        }
        let child = child?;
        let clock = clock_getcpuclockid(Pid::from_raw(child.id() as i32))?;
        let mut running = Running { child, clock, addr: ([0; 4], 0).into() };
        running.addr = running.wait_until_it_listens()?;
        Ok(running)
    }

    fn wait_until_it_listens(&mut self) -> Result<SocketAddr> {
        let out = self.child.stdout.take().context("piped")?;
        let mut problems = self.child.stderr.take().context("piped")?;
        let (complained, complaints) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = problems.by_ref().take(1000).read_to_string(&mut text);
            let _ = complained.send(text);
            let _ = std::io::copy(&mut problems, &mut std::io::sink());
        });
        let (said, lines) = mpsc::channel();
        // It is read to its end, or the server would wait for somebody to do it.
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.for_each(|line| drop(said.send(line)));
        });
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if let Some(addr) = line.strip_prefix("listening on ") {
                return Ok(addr.parse()?);
            }
        }
        let _ = self.child.kill();
        let complaint =
            complaints.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        bail!("it does not listen: {}", complaint.trim())
    }

    /// Ends it in an orderly way, so that a tool that it runs under writes down what it has seen.
    pub fn end(mut self) -> Result<()> {
        // Not SIGINT, which a shell makes a job in the background ignore.
        kill(self.server(), Signal::SIGTERM).context("ending it")?;
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(start.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// The server itself: the child of the tool that it runs under, if it does.
    fn server(&self) -> Pid {
        let process = self.child.id() as i32;
        let children =
            Process::new(process).and_then(|it| it.task_main_thread()?.children());
        let child = children.ok().and_then(|it| it.first().copied());
        Pid::from_raw(child.map_or(process, |child| child as i32))
    }

    /// The processor time it has used so far, all of its threads together.
    pub fn processor_time(&self) -> Result<Duration> {
        Ok(self.clock.now().context("the server is gone")?.into())
    }

    /// What `/proc` says about it.
    pub fn usage(&self) -> Result<Usage> {
        let process = Process::new(self.child.id() as i32)?;
        let (status, stat) = (process.status()?, process.stat()?);
        let mut usage = Usage {
            resident: 1024 * status.vmrss.context("it has ended")?,
            addresses: 1024 * status.vmsize.context("it has ended")?,
            threads: 0,
            switches: 0,
            user: stat.utime,
            system: stat.stime,
        };
        for thread in process.tasks()? {
            // Between the two, a thread may end.
            let Ok(status) = thread?.status() else { continue };
            usage.threads += 1;
            usage.switches += status.voluntary_ctxt_switches.unwrap_or(0);
            usage.switches += status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
        Ok(usage)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = kill(self.server(), Signal::SIGKILL);
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a process has used, from `/proc`.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Memory in bytes that is in the machine's memory.
    pub resident: u64,
    /// Addresses that it has reserved, in bytes.
    pub addresses: u64,
    /// Threads.
    pub threads: u64,
    /// How often one of its threads gave way to another, or to nobody.
    pub switches: u64,
    /// Time in its own code, in ticks of the clock.
    pub user: u64,
    /// Time in the kernel, in ticks of the clock.
    pub system: u64,
}

/// So many descriptors are enough for all servers side by side, with 10,000 clients each.
const PLENTY: u64 = 1 << 18;

/// Raises the number of descriptors that this process, and what it starts, may have: to what is
/// enough, which root may do, or as far as it goes. Those who use `select` refuse the clients
/// beyond 1,024 themselves.
pub fn raise_descriptor_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let enough = hard.max(PLENTY);
    match setrlimit(Resource::RLIMIT_NOFILE, enough, enough) {
        Err(Errno::EPERM) => Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_a_folder_with_a_space() {
        let folder = std::env::temp_dir().join(format!("bricks {}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("peer_tokio"), "").unwrap();
        let servers = all(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let find = |name: &str| servers.iter().find(|it| it.name == name);
        let program = text(&folder.join("peer_tokio"));
        assert_eq!(find("tokio").unwrap().command, [&*program]);
        let command = &find("tokio-64k").unwrap().command;
        assert_eq!(command[..], [&*program, "--buffer", "65536"]);
        assert!(find("05_epoll").is_none());
        let script = &find("python").unwrap().command[1];
        assert!(Path::new(script).is_file(), "{script}");
    }
}
