//! The suite itself, against servers that others might have written: what it finds in them, what
//! it must not hold against them, and that it leaves none of their processes behind.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::server::{Killed, eventually};
use crate::support::machine::python_works;

/// An echo server with a thread for each client; its first argument is the port.
const THREADS: &str = "\
import os, socket, sys, threading, time
backlog, patience = 100, None
def serve(client):
    client.settimeout(patience)
    try:
        while data := client.recv(65536):
            client.sendall(data)
    except OSError:
        pass
    client.close()
def start():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(('127.0.0.1', int(sys.argv[1])))
    server.listen(backlog)
    return server
def run(server):
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            time.sleep(0.1)
            continue
        threading.Thread(target=serve, args=[client], daemon=True).start()
";

/// A server that was written for one test, in a folder of its own.
struct Script {
    folder: PathBuf,
}

impl Script {
    fn new(name: &str, rest: &str) -> Script {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("server.py"), format!("{THREADS}{rest}")).unwrap();
        Script { folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// What the suite says about one behaviour of it.
    fn judge(&self, behaviour: &str) -> Verdict {
        self.judge_command(&["python3", &self.file("server.py"), "{port}"], behaviour)
    }

    fn judge_command(&self, words: &[&str], behaviour: &str) -> Verdict {
        Verdict::of(suite(words, behaviour).output().expect("this program"))
    }
}

fn suite(words: &[&str], behaviour: &str) -> Command {
    let mut suite = Command::new(env::current_exe().expect("the test's own path"));
    suite.args(["--exact", &format!("yours::{behaviour}")]);
    suite.env("BRICKS_SERVER", words.join("\n") + "\n").env("BRICKS_PATIENCE", "60");
    suite.env("RUST_BACKTRACE", "0");
    suite
}

struct Verdict {
    kept: bool,
    said: String,
}

impl Verdict {
    fn of(output: Output) -> Verdict {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("running 1 test"), "{said}");
        Verdict { kept: output.status.success(), said }
    }

    fn assert_kept(&self) {
        assert!(self.kept, "{}", self.said);
    }

    fn assert_not_kept(&self, words: &[&str]) {
        assert!(!self.kept, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not in {}", self.said);
        }
    }
}

macro_rules! with_python {
    ($($(#[$doc:meta])* fn $name:ident() $body:block)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            if python_works() $body
        }
    )*};
}

with_python! {
    /// A process of it has worked, and ends while the server is idle.
    fn a_good_server_keeps_them() {
        let helper = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
                      full, fill = os.pipe()\nif os.fork() == 0:\n    \
                      while time.process_time() < 0.1: pass\n    os.write(fill, b'!')\n    \
                      time.sleep(3)\n    os._exit(0)\nos.read(full, 1)\nrun(start())\n";
        let script = Script::new("good", helper);
        script.judge("ten_idle_seconds").assert_kept();
        script.judge("clients_beyond_the_descriptors").assert_kept();
        script.judge("half_close").assert_kept();
    }

    fn a_time_limit_is_found() {
        let script = Script::new("limit", "patience = 3\nrun(start())\n");
        script.judge("ten_idle_seconds").assert_not_kept(&["is served no more"]);
    }

    fn a_server_that_asks_all_the_time_is_found() {
        let spin = "def spin():\n    while True: pass\n\
                    threading.Thread(target=spin, daemon=True).start()\nrun(start())\n";
        let script = Script::new("spin", spin);
        script.judge("ten_idle_seconds").assert_not_kept(&["it used the processor for"]);
    }

    fn a_server_that_ends_without_descriptors_is_found() {
        let ends = "server = start()\nwhile True:\n    client, _ = server.accept()\n    \
                    threading.Thread(target=serve, args=[client], daemon=True).start()\n";
        let script = Script::new("descriptors", ends);
        script.judge("clients_beyond_the_descriptors").assert_not_kept(&[
            "the server's end: ",
            "the server's limits: ulimit -n 32",
            "OSError: [Errno 24] Too many open files",
        ]);
    }

    fn an_end_by_a_reset_is_told() {
        let ends = "import traceback\ndef serve(client):\n    try:\n        while data := \
                    client.recv(65536):\n            client.sendall(data)\n    except OSError:\n        \
                    traceback.print_exc()\n        os._exit(3)\nrun(start())\n";
        let script = Script::new("reset", ends);
        script.judge("resets_in_mid_transfer").assert_not_kept(&[
            "the server's end: exit status: 3",
            "the server's clients: ",
            "Error: [Errno",
        ]);
    }

    fn what_it_prints_need_not_be_text() {
        let prints = "def serve(client):\n    while data := client.recv(65536):\n        \
                      os.write(1, data + b'\\n')\n        client.sendall(data)\n    client.close()\n\
                      run(start())\n";
        Script::new("bytes", prints).judge("half_close").assert_kept();
        Script::new("bytes", prints).judge("sixteen_kib_in_ping_pong").assert_kept();
    }

    /// Its processes that still serve clients are ended with it: that the address is free again
    /// is what this behaviour is about. One of them takes its time to end: it has much memory to
    /// give back, and only then closes the listening socket.
    fn a_child_that_still_serves_is_no_fault_of_a_restart() {
        let forks = "server = start()\nimport signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
                     full, fill = os.pipe()\nif os.fork() == 0:\n    much = b'x' * (256 << 20)\n    \
                     os.write(fill, b'!')\n    signal.pause()\nos.read(full, 1)\n\
                     while True:\n    client, _ = server.accept()\n    if os.fork() == 0:\n        \
                     serve(client)\n        os._exit(0)\n    client.close()\n";
        Script::new("forks", forks).judge("restart_at_once").assert_kept();
    }

    /// It complains before it is ready, and about another address.
    fn an_address_in_a_complaint_is_not_where_it_listens() {
        let complains = "for output in [sys.stdout, sys.stderr]:\n    \
                         print('127.0.0.1:1 is taken', file=output, flush=True)\n\
                         time.sleep(0.3)\nsys.argv[1] = 0\nserver = start()\n\
                         print('at %s:%d' % server.getsockname(), flush=True)\nrun(server)\n";
        let script = Script::new("complains", complains);
        let words = ["python3", &script.file("server.py")];
        script.judge_command(&words, "half_close").assert_kept();
    }

    fn a_short_backlog_is_no_fault() {
        let script = Script::new("backlog", "backlog = 1\nrun(start())\n");
        script.judge("gone_before_it_is_accepted").assert_kept();
    }

    /// The system would try for two minutes.
    fn connecting_has_a_limit() {
        let script = Script::new("deaf", "import signal\nbacklog = 0\nserver = start()\nsignal.pause()\n");
        let words = ["python3", &script.file("server.py"), "{port}"];
        let verdict_within = |seconds: &str| {
            let mut suite = suite(&words, "interleaved_clients");
            Verdict::of(suite.env("BRICKS_PATIENCE", seconds).output().unwrap())
        };
        // Where the machine is busy, it may not be ready so soon.
        let is_ready = |verdict: &Verdict| !verdict.said.contains("the server is ready");
        let verdict = ["2", "10", "60"].into_iter().map(verdict_within).find(is_ready);
        verdict.expect("it starts").assert_not_kept(&["to connect: connection timed out"]);
    }

    fn a_start_script_without_exec_leaves_nothing() {
        let script = Script::new("script", "open(sys.argv[2], 'w').write(str(os.getpid()))\nrun(start())\n");
        let (server, number) = (script.file("server.py"), script.file("pid"));
        let start = "python3 \"$0\" \"$1\" \"$2\"; echo it has ended";
        let words = ["sh", "-c", start, &server, "{port}", &number];
        script.judge_command(&words, "half_close").assert_kept();
        assert_is_gone(&number);
    }

    /// By Ctrl-C, or because it took too long.
    fn a_suite_that_is_killed_leaves_nothing() {
        let script = Script::new("killed", "open(sys.argv[2], 'w').write(str(os.getpid()))\nrun(start())\n");
        let (server, number) = (script.file("server.py"), script.file("pid"));
        let words = ["python3", &server, "{port}", &number];
        let mut suite = suite(&words, "ten_idle_seconds");
        let suite = Killed(suite.stdout(Stdio::null()).spawn().unwrap());
        eventually("the server has started", || fs::read_to_string(&number).ok().filter(|it| !it.is_empty()));
        drop(suite);
        assert_is_gone(&number);
    }
}

/// The process with the number in this file is there no more (or waits for its parent).
fn assert_is_gone(file: &str) {
    let number = fs::read_to_string(file).expect("the server wrote its number");
    eventually("the server is gone", || {
        let state =
            Command::new("ps").args(["-o", "stat=", "-p", &number]).output().unwrap();
        let state = String::from_utf8_lossy(&state.stdout).trim().to_string();
        (state.is_empty() || state.starts_with('Z')).then_some(())
    });
}
