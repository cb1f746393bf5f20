//! The first look at a server, before anything is compiled: does it start, and what does it do?

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::causes::shorten;
use super::foreign::{self, Group, PORT};

/// How long a server may take until it is ready.
const START: Duration = Duration::from_secs(10);

/// How long the first look waits for an answer.
const MOMENT: Duration = Duration::from_secs(2);

/// What the first look has found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// A message is answered when a newline has come, and not before.
    pub lines_only: bool,
    /// The second client is served when the first has gone.
    pub one_at_a_time: bool,
    /// The connection stays when the client has said that no more comes.
    pub stays: bool,
    /// What it has received when the client says that no more comes is lost.
    pub drops: bool,
    /// Much that is sent before anything is read is not all answered, and the connection stays.
    pub sticks: bool,
    /// It is not all answered, but the connection ends as it should.
    pub loses: bool,
}

pub fn look(words: &[String]) -> Result<Found, String> {
    let first = Started::new(words)?;
    if !has_port(words) {
        // Several of them must be able to run.
        let port = first.addr.port();
        let second = Started::new(words)
            .map_err(|why| format!("beside one of it, a second does not start: {why}"))?;
        if second.addr.port() == port {
            return Err(format!(
                "it takes port {port} whatever it is told: {}",
                ask(words)
            ));
        }
    }
    let answer = |error| format!("it does not answer a short message: {error}");
    let (found, answer) = find(first.addr).map_err(answer)?;
    match MESSAGE.starts_with(&answer) {
        true => Ok(found),
        false => Err(format!(
            "it is no echo server: to {:?} it answers {:?}",
            String::from_utf8_lossy(MESSAGE),
            String::from_utf8_lossy(&answer)
        )),
    }
}

fn has_port(words: &[String]) -> bool {
    words.iter().any(|word| word.contains(PORT))
}

/// What is missing where nothing says which port it has.
fn ask(words: &[String]) -> String {
    format!(
        "write {PORT} where its port belongs, as in `-- {} {PORT}`",
        super::shown(words)
    )
}

/// A server that is ready.
struct Started {
    child: Child,
    addr: SocketAddr,
    _group: Group,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Started {
    /// Starts it as the suite will, and waits until it is ready.
    fn new(words: &[String]) -> Result<Started, String> {
        let port = foreign::free_port();
        let words_with_port =
            words.iter().map(|word| word.replace(PORT, &port.to_string()));
        let words_with_port: Vec<String> = words_with_port.collect();
        let mut command = Command::new(&words_with_port[0]);
        command.args(&words_with_port[1..]).current_dir(crate::root());
        if !has_port(words) {
            command.args(["--listen", "127.0.0.1:0", "--quiet"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (mut child, group) = Group::start(&mut command)
            .map_err(|error| format!("cannot start {}: {error}", words[0]))?;
        let said = listen_to(&mut child);
        let known = has_port(words).then(|| foreign::on_port(port));
        match ready(&mut child, &said, known) {
            Ok(addr) => Ok(Started { child, addr, _group: group }),
            Err(what) => {
                drop(group);
                let _ = child.wait();
                Err(match has_port(words) {
                    true => format!("{what}; its port was to be {port}"),
                    false => format!(
                        "{what}; it was given `--listen 127.0.0.1:0 --quiet` and should print its \
                         address (and flush), or {}",
                        ask(words)
                    ),
                })
            }
        }
    }
}

/// The lines of both outputs; one that is very long in pieces.
fn listen_to(child: &mut Child) -> mpsc::Receiver<String> {
    const LONGEST: u64 = 8192;
    fn pass_on(from: impl Read + Send + 'static, to: SyncSender<String>) {
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = vec![];
            // Some servers print without end, and some of them print no newline.
            while let Ok(1..) = from.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                let _ = to.send(String::from_utf8_lossy(&line).into_owned());
                line.clear();
            }
        });
    }
    let (to, lines) = mpsc::sync_channel(1000);
    pass_on(child.stdout.take().expect("piped"), to.clone());
    pass_on(child.stderr.take().expect("piped"), to);
    lines
}

/// Where it accepts connections; or why it is not ready, in a line.
fn ready(
    child: &mut Child,
    lines: &mpsc::Receiver<String>,
    told: Option<Vec<SocketAddr>>,
) -> Result<SocketAddr, String> {
    const MANY: usize = 20;
    let start = Instant::now();
    let mut last = String::new();
    let is_told = told.is_some();
    let mut known = told.unwrap_or_default();
    loop {
        let ended = child.try_wait().ok().flatten();
        thread::sleep(Duration::from_millis(if ended.is_some() { 300 } else { 20 }));
        // Not more than there are at once: some servers print without end.
        for line in lines.try_iter().take(1000).filter(|line| !line.trim().is_empty()) {
            let found = foreign::addresses(&line);
            // What it complains about may have an address in it, too.
            if !is_told && known.len() < MANY {
                known.extend(found);
            }
            last = format!(", and said last: {}", shorten(line.trim()));
        }
        if let Some(status) = ended {
            let background = match status.success() {
                true => ": it must stay in the foreground",
                false => "",
            };
            return Err(format!(
                "it has ended before it was ready ({status}){background}{last}"
            ));
        }
        if let Some(addr) = foreign::accepting(&known) {
            return Ok(addr);
        }
        if start.elapsed() > START {
            let seconds = START.as_secs();
            let what = match known.is_empty() {
                true => "prints no address",
                false => "accepts no connection",
            };
            return Err(format!("it {what} within {seconds} seconds{last}"));
        }
    }
}

/// The first message; a line echo answers when all of it is there.
const MESSAGE: &[u8] = b"hello\n";

/// What comes of a message, of a second client, and of the end of input; and the first answer.
fn find(addr: SocketAddr) -> io::Result<(Found, Vec<u8>)> {
    let connect = || -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&addr, MOMENT)?;
        stream.set_read_timeout(Some(MOMENT))?;
        stream.set_write_timeout(Some(MOMENT))?;
        Ok(stream)
    };
    let mut found = Found::default();
    let (mut first, mut answer) = (connect()?, [0; 6]);
    first.write_all(&MESSAGE[..5])?;
    let mut result = first.read(&mut answer);
    let late = is_late(&result);
    first.write_all(&MESSAGE[5..])?;
    if late {
        result = first.read(&mut answer);
        found.lines_only = result.is_ok();
    }
    let answer = match result {
        Err(_) => return Err(io::Error::other("nothing comes back")),
        Ok(0) => return Err(io::Error::other("it closes the connection")),
        Ok(count) => answer[..count].to_vec(),
    };
    if !MESSAGE.starts_with(&answer) {
        return Ok((found, answer));
    }
    let mut second = connect()?;
    second.write_all(MESSAGE)?;
    let waits = is_late(&second.read(&mut [0; 6]));
    first.shutdown(Shutdown::Write)?;
    found.stays = is_late(&receive(&mut first, usize::MAX));
    drop(first);
    found.one_at_a_time = waits && second.read(&mut [0; 6]).is_ok_and(|count| count > 0);
    drop(second);
    if !found.stays {
        let mut third = connect()?;
        third.write_all(MESSAGE)?;
        third.shutdown(Shutdown::Write)?;
        found.drops = receive(&mut third, usize::MAX).is_ok_and(|count| count == 0);
    }
    let mut fourth = connect()?;
    if !answers_much(&mut fourth) {
        let _ = fourth.shutdown(Shutdown::Write);
        found.sticks = is_late(&receive(&mut fourth, usize::MAX));
        found.loses = !found.sticks;
    }
    Ok((found, answer))
}

/// Whether as much comes back as a client has sent before it reads. A server that hands on what it
/// receives to another process may wait for that one to take it, while that one waits for the
/// server to take the answer.
fn answers_much(client: &mut TcpStream) -> bool {
    const LINE: &[u8] = &[b'x'; 1023];
    let much = [LINE, b"\n"].concat().repeat(1024);
    let (start, mut sent) = (Instant::now(), 0);
    // A server that waits until its client reads takes less than that; a slow one takes long.
    while start.elapsed() < 2 * MOMENT
        && let Ok(count @ 1..) = client.write(&much[sent..])
    {
        sent += count;
    }
    // (A line echo does not answer a part of a line.)
    !is_late(&receive(client, sent / 1024 * 1024))
}

/// How many bytes come, until the end of input or until so many are there. Where they come without
/// end, or one now and then, this has an end.
fn receive(client: &mut TcpStream, most: usize) -> io::Result<usize> {
    let (start, mut space, mut received) = (Instant::now(), vec![0; 64 * 1024], 0);
    while received < most && start.elapsed() < 2 * MOMENT {
        match client.read(&mut space) {
            Ok(0) => break,
            Ok(count) => received += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(received)
}

/// Whether nothing came in time.
fn is_late(result: &io::Result<usize>) -> bool {
    let late = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    result.as_ref().is_err_and(|error| late.contains(&error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo server in Python: `read` is how it takes a message, `end` is what it does at the
    /// end of input.
    fn server(listen: &str, read: &str, end: &str) -> Vec<String> {
        let script = format!(
            "import socket, sys, time, threading\n\
             def serve(client):\n    file = client.makefile('rb', 0)\n    \
             while data := {read}:\n        client.sendall(data)\n    {end}\n    client.close()\n\
             server = socket.create_server({listen})\n\
             print('I am at', server.getsockname(), flush=True)\n\
             while True:\n    client, _ = server.accept()\n    \
             threading.Thread(target=serve, args=[client], daemon=True).start()\n    del client\n"
        );
        ["python3", "-c", &script].map(str::to_string).to_vec()
    }

    const BYTES: &str = "client.recv(9999)";
    const FREE: &str = "('127.0.0.1', 0)";

    /// (There is no Python on some machines.)
    fn look_at(words: &[String]) -> Option<Result<Found, String>> {
        Command::new("python3").arg("--version").output().ok().map(|_| look(words))
    }

    #[test]
    fn what_a_server_does_is_found() {
        let cases = [
            (BYTES, "pass", Found::default()),
            ("file.readline()", "pass", Found { lines_only: true, ..Found::default() }),
            (BYTES, "time.sleep(99)", Found { stays: true, ..Found::default() }),
        ];
        for (read, end, expected) in cases {
            let Some(found) = look_at(&server(FREE, read, end)) else { return };
            assert_eq!(found, Ok(expected), "{read} {end}");
        }
    }

    #[test]
    fn an_address_in_a_complaint_is_not_where_it_listens() {
        let mut words = server(FREE, BYTES, "pass");
        let complains =
            "print('127.0.0.1:1 is taken', flush=True)\ntime.sleep(0.3)\nserver = ";
        words[2] = words[2].replacen("server = ", complains, 1);
        let Some(found) = look_at(&words) else { return };
        assert_eq!(found, Ok(Found::default()));
    }

    /// It takes all before it answers, and does not answer all of it.
    #[test]
    fn a_server_that_gets_stuck_is_found() {
        let read = "(lambda data: time.sleep(99) if len(data) == 9999 else data)(client.recv(9999))";
        let Some(found) = look_at(&server(FREE, read, "pass")) else { return };
        assert_eq!(found, Ok(Found { sticks: true, ..Found::default() }));
    }

    /// It answers a part of what comes, and goes on.
    #[test]
    fn a_server_that_loses_bytes_is_found() {
        let Some(found) = look_at(&server(FREE, "client.recv(9999)[:999]", "pass"))
        else {
            return;
        };
        assert_eq!(found, Ok(Found { loses: true, ..Found::default() }));
    }

    /// The first look has an end, whatever comes.
    #[test]
    fn a_server_that_sends_without_end_is_looked_at() {
        let end = "while client.send(b'x'): time.sleep(0.1)";
        let Some(found) = look_at(&server(FREE, BYTES, end)) else { return };
        assert_eq!(found, Ok(Found::default()));
    }

    #[test]
    fn one_client_after_the_other_is_found() {
        let mut words = server(FREE, BYTES, "pass");
        words[2] = words[2].replace(
            "threading.Thread(target=serve, args=[client], daemon=True).start()",
            "serve(client)",
        );
        let Some(found) = look_at(&words) else { return };
        assert_eq!(found, Ok(Found { one_at_a_time: true, ..Found::default() }));
    }

    #[test]
    fn what_is_missing_is_asked_for_in_a_line() {
        let ended = ["sh", "-c", "echo one; echo no such option >&2; exit 2"];
        let other = server(FREE, "client.recv(9) and b'Welcome!'", "pass");
        let words =
            |words: &[&str]| words.iter().map(|it| it.to_string()).collect::<Vec<_>>();
        let fixed =
            server(&format!("('127.0.0.1', {})", foreign::free_port()), BYTES, "pass");
        let lock = tempfile::tempdir().unwrap();
        let script = "mkdir \"$0/lock\" || exit 3; exec python3 -c \"$1\"";
        let python = server(FREE, BYTES, "pass");
        let alone =
            words(&["sh", "-c", script, lock.path().to_str().unwrap(), &python[2]]);
        let cases = [
            (words(&ended), vec!["it has ended", "no such option", "write {port} where"]),
            (
                words(&["sh", "-c", "exec sleep 1000"]),
                vec!["prints no address", "{port}"],
            ),
            (
                words(&["sh", "-c", "exec sleep 1000", "{port}"]),
                vec!["accepts no connection"],
            ),
            (words(&["true", "{port}"]), vec!["it must stay in the foreground"]),
            (words(&["sh", "-c", "exec yes"]), vec!["prints no address", "said last: y"]),
            (words(&["/no/such/server"]), vec!["cannot start /no/such/server"]),
            (other, vec!["it is no echo server", "\"Welcom\""]),
            (fixed, vec!["write {port} where"]),
            (alone, vec!["beside one of it, a second does not start", "status: 3"]),
        ];
        // Some of them wait for ten seconds.
        thread::scope(|scope| {
            for (words, parts) in cases {
                scope.spawn(move || {
                    let Some(found) = look_at(&words) else { return };
                    let refusal = found.unwrap_err();
                    for part in parts {
                        assert!(refusal.contains(part), "{part:?}: {refusal}");
                    }
                    let is_script = words.iter().any(|word| word.contains('\n'));
                    assert!(is_script || refusal.lines().count() == 1, "{refusal}");
                });
            }
        });
    }

    /// A start script that does not become the server, and that holds its outputs open.
    #[test]
    fn nothing_is_left_of_what_was_started() {
        let python = server("('127.0.0.1', int(sys.argv[1]))", BYTES, "pass");
        let script = "python3 -c \"$0\" \"$1\"; echo it has ended";
        let words = ["sh", "-c", script, &*python[2], "{port}"].map(str::to_string);
        if Command::new("python3").arg("--version").output().is_err() {
            return;
        }
        let started = Started::new(&words).unwrap();
        let addr = started.addr;
        drop(started);
        // It is killed, but may take a moment to be gone.
        let start = Instant::now();
        while foreign::accepting(&[addr]).is_some() {
            assert!(start.elapsed() < START, "the server is still there");
        }
    }
}
