//! The servers that are measured, and what the system tells about a running one.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

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

/// The peers: a name, the program beside this one, and its flags.
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
        let command = command.split_whitespace().map(str::to_string).collect();
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

/// The stages and peers whose programs lie beside this one.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn all() -> Result<Vec<Server>> {
    all_in(&folder()?)
}

/// The stages and peers whose programs lie in this folder.
///
/// # Errors
///
/// If it cannot be read.
pub fn all_in(folder: &Path) -> Result<Vec<Server>> {
    let mut stages = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_program = entry.metadata()?.permissions().mode() & 0o111 != 0;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_stage = name.len() > 3
            && name.as_bytes()[..2].iter().all(u8::is_ascii_digit)
            && name.as_bytes()[2] == b'_'
            && !name.contains('.');
        if is_program && entry.path().is_file() && is_stage {
            stages.push(name);
        }
    }
    stages.sort();
    let beside = |name: &str, command: &str| {
        Server::new(name, &folder.join(command).to_string_lossy())
    };
    let stages = stages.iter().map(|name| beside(name, name));
    let peers = PEERS.iter().map(|(name, command)| beside(name, command));
    let mut servers: Vec<Server> = stages.chain(peers).collect();
    let python = root().join("chapters/python/echo_server.py");
    servers.push(Server::new("python", &format!("python3 {}", python.display())));
    Ok(servers)
}

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this lies in the repository")
}

fn folder() -> Result<PathBuf> {
    let program = env::current_exe().context("where is this program?")?;
    let folder = program.parent().expect("a program lies in a folder");
    // A test lies one folder deeper.
    let is_test = folder.ends_with("deps");
    let folder = if is_test { folder.parent().expect("of deps") } else { folder };
    Ok(folder.to_path_buf())
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
    ///
    /// # Errors
    ///
    /// What it said instead.
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
        if let Some(addr) = listening_addr(out) {
            return Ok(addr);
        }
        let _ = self.child.kill();
        let complaint =
            complaints.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        Err(anyhow!("it does not listen: {}", complaint.trim()))
    }

    /// The processor time it has used so far, all of its threads together.
    ///
    /// # Errors
    ///
    /// If it is not there any more.
    pub fn processor_time(&self) -> Result<Duration> {
        Ok(self.clock.now().context("the server is gone")?.into())
    }

    /// What `/proc` says about it.
    ///
    /// # Errors
    ///
    /// If it is not there any more.
    pub fn usage(&self) -> Result<Usage> {
        let folder = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(folder.join("status"))?;
        let field = |text: &str, name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let resident = 1024 * field(&status, "VmRSS:").context("it has ended")?;
        let addresses = 1024 * field(&status, "VmSize:").context("it has ended")?;
        let mut usage = Usage { resident, addresses, ..Usage::default() };
        for thread in fs::read_dir(folder.join("task"))? {
            // Between the two, a thread may end.
            let Ok(status) = fs::read_to_string(thread?.path().join("status")) else {
                continue;
            };
            usage.threads += 1;
            for kind in ["voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"] {
                usage.switches += field(&status, kind).unwrap_or(0);
            }
        }
        let stat = fs::read_to_string(folder.join("stat"))?;
        let fields: Vec<&str> = match stat.rsplit_once(')') {
            Some((_, fields)) => fields.split_whitespace().collect(),
            None => vec![],
        };
        ensure!(fields.len() > 12, "/proc looks different here");
        (usage.user, usage.system) = (fields[11].parse()?, fields[12].parse()?);
        Ok(usage)
    }
}

/// The address of a server that says `listening on` it; none if it does not.
pub fn listening_addr(out: ChildStdout) -> Option<SocketAddr> {
    let (said, lines) = mpsc::channel();
    // It is read to its end, or the server would wait for somebody to do it.
    thread::spawn(move || {
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        lines.for_each(|line| drop(said.send(line)));
    });
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        if let Some(addr) = line.strip_prefix("listening on ") {
            return addr.parse().ok();
        }
    }
    None
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used, from `/proc`.
#[derive(Clone, Copy, Debug, Default)]
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
///
/// # Errors
///
/// Those of `setrlimit(2)`.
pub fn raise_descriptor_limit() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let enough = hard.max(PLENTY);
    match setrlimit(Resource::RLIMIT_NOFILE, enough, enough) {
        Err(Errno::EPERM) => Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?),
        result => Ok(result?),
    }
}
