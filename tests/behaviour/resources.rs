//! What a server uses: processor time, memory, descriptors, threads.

use crate::client::Client;
use crate::proc::{assert_rests, heap, resident, socket_flags, usage, wait_for_usage};
use crate::server::{Server, Setup};
use crate::stage::Stage;

pub fn idle_costs_no_time(stage: &Stage) {
    let server = Server::quiet(stage);
    assert_rests(&server);
    let mut clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    clients[0].echo(b"hello");
    assert_rests(&server);
}

/// It waits until it can send, and does not ask again and again.
pub fn a_stuck_client_costs_no_time(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut client = server.connect();
    client.stuff(64 * 1024 * 1024);
    assert_rests(&server);
    // One more that has said everything and waits for nothing.
    drop(client);
    let mut gone = server.connect();
    gone.echo(b"hello");
    gone.shutdown();
    assert_rests(&server);
}

/// A program that the server started would inherit what is not marked.
pub fn close_on_exec(stage: &Stage) {
    const O_CLOEXEC: u32 = 0o2000000;
    let server = Server::quiet(stage);
    let mut client = server.connect();
    client.echo(b"hello");
    let flags = socket_flags(&server);
    assert!(flags.len() >= 2, "at least the listening socket and the client's");
    for (number, flags) in flags {
        assert!(flags & O_CLOEXEC != 0, "descriptor {number} has flags {flags:o}");
    }
}

/// 10,000 of them for the stages with one thread: descriptors and memory stay what they were.
pub fn short_connections_leave_nothing(stage: &Stage) {
    let server = Server::quiet(stage);
    let before = usage(&server);
    let connections = |count| {
        for _ in 0..count {
            let mut client = server.connect();
            client.echo(b"hello");
            client.finish();
        }
    };
    connections(1000);
    wait_for_usage(&server, before);
    let memory = resident(&server);
    connections(if stage.thread_for_each { 1000 } else { 9000 });
    wait_for_usage(&server, before);
    let grown = resident(&server).saturating_sub(memory);
    assert!(grown < 512 * 1024, "the memory grew by {grown} bytes");
}

pub fn threads_are_counted(stage: &Stage) {
    let server = Server::quiet(stage);
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(b"hello");
    }
    assert_eq!(clients[0].receive(5), b"hello");
    if !stage.one_at_a_time {
        clients[1..]
            .iter_mut()
            .for_each(|client| assert_eq!(client.receive(5), b"hello"));
    }
    let threads = usage(&server).threads;
    assert_eq!(threads, if stage.thread_for_each { 21 } else { 1 });
}

/// With one thread, a connection that waits costs little more than its task; and it holds no
/// buffer, but for stage 06, whose reads borrow one.
pub fn an_idle_connection_is_small(stage: &Stage) {
    const CLIENTS: usize = 900;
    if stage.one_at_a_time || stage.thread_for_each {
        return;
    }
    let server = Setup::new(stage).limit("-n", 1024).argument("--quiet").start();
    let connect = || {
        let mut client = server.connect();
        client.echo(b"hello");
        client
    };
    let each = heap_for_each(&server, CLIENTS, connect);
    let (most, _) = stage.idle_heap;
    assert!(each <= most, "{each} bytes of heap for each idle connection");
}

/// The same for one that has read lines: it keeps the rest of what it has received, and here
/// there is none.
pub fn an_idle_connection_with_lines_is_small(stage: &Stage) {
    const CLIENTS: usize = 900;
    if !stage.lines {
        return;
    }
    let setup = Setup::new(stage).limit("-n", 1024).argument("--quiet");
    let server = setup.argument("--lines").start();
    let line = [&[b'x'; 8000][..], b"\n"].concat();
    let connect = || {
        let mut client = server.connect();
        client.send(&line);
        assert_eq!(client.receive(5 + line.len()).len(), 5 + line.len());
        client
    };
    let each = heap_for_each(&server, CLIENTS, connect);
    let (_, most) = stage.idle_heap;
    assert!(each <= most, "{each} bytes of heap for each idle connection");
}

/// How much the server's heap grows with each connection that stays.
fn heap_for_each(server: &Server, clients: usize, connect: impl Fn() -> Client) -> usize {
    let _first: Vec<Client> = (0..10).map(|_| connect()).collect();
    let before = heap(server);
    let _others: Vec<Client> = (0..clients).map(|_| connect()).collect();
    heap(server).saturating_sub(before) / clients
}
