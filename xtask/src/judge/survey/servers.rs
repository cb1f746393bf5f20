//! The servers of the table: how they are started, and why judge is right about them.

/// A server that others wrote, or that is written as others write it. (A command with
/// `target/debug/published-PACKAGE` is the example of that package: see `published.rs`.)
pub struct Server {
    pub name: &'static str,
    /// The program that must be installed.
    pub needs: &'static str,
    pub command: &'static str,
    /// Behaviours that it keeps on one day and not on another.
    pub at_times: &'static [&'static str],
    /// In words.
    pub why: &'static str,
}

pub const SERVERS: [Server; 10] = [
    Server {
        name: "socat",
        needs: "socat",
        command: "socat -t 60 TCP-LISTEN:{port},fork,reuseaddr,backlog=128,max-children=200 \
                  EXEC:cat",
        at_times: &[],
        why: "Its option `max-children=200` is a limit: it serves 200 clients, and the others wait.",
    },
    Server {
        name: "ncat",
        needs: "ncat",
        command: "ncat -l -k -p {port} -e /bin/cat",
        at_times: &[
            "flooding client beside a ping client",
            "harmless signals",
            "large both ways",
            "partial sends",
            "resets in mid transfer",
        ],
        why: "At the end of input it does not wait for the rest of what `cat` answers. It gets stuck \
              when it waits until `cat` takes more while `cat` waits for it: a large transfer meets \
              one of the two by chance. And it serves 100 clients at most.",
    },
    Server {
        name: "xinetd",
        needs: "xinetd",
        command: "env TMPDIR=target/foreign sh tests/foreign/xinetd.sh {port}",
        at_times: &[],
        why: "Its own `echo` service is a process for each client, which does nothing else.",
    },
    Server {
        name: "node",
        needs: "node",
        command: "node tests/foreign/net.js {port}",
        at_times: &[],
        why: "A reset is an `error` event of the socket. Nothing listens for it here, and then node \
              ends the process.",
    },
    Server {
        name: "asyncio, streams",
        needs: "python3",
        command: "python3 tests/foreign/streams.py {port}",
        at_times: &[],
        why: "`await writer.drain()` waits until the client has read enough.",
    },
    Server {
        name: "asyncio, protocol",
        needs: "python3",
        command: "python3 tests/foreign/protocol.py {port}",
        at_times: &[],
        why: "`transport.write` never waits: it keeps in memory what the client does not read, \
              however much that is.",
    },
    Server {
        name: "socketserver",
        needs: "python3",
        command: "python3 tests/foreign/lines.py {port}",
        at_times: &[],
        why: "It is a line echo: it answers when a newline has come, and most messages of the tests \
              have none.",
    },
    Server {
        name: "tokio",
        needs: "cargo",
        command: "target/debug/published-tokio 127.0.0.1:{port}",
        at_times: &[],
        why: "When there is no descriptor for one more client, `accept().await?` hands the error to \
              `main`, and the server ends with “Too many open files”.",
    },
    Server {
        name: "smol",
        needs: "cargo",
        command: "target/debug/published-smol 127.0.0.1:{port}",
        at_times: &[],
        why: "The same `?`, and the same end.",
    },
    Server {
        name: "io_uring",
        needs: "io_uring",
        command: "target/debug/published-io-uring 127.0.0.1:{port}",
        at_times: &["gone before it is accepted", "the last bytes before a late end"],
        why: "It prints an error and does nothing about it: a socket that was reset stays open, an \
              `accept` that has failed is not submitted again, and a signal ends the loop.",
    },
];
