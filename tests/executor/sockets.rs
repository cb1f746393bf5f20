//! Sockets: who may wait, and that no byte and no end is missed.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bricks::epoll::epoll_or_select;
use bricks::executor::both::join;
use bricks::executor::{BufReader, Executor, Listener, ReadBuffer};

use crate::support::drivers::{listener, watch_the_clock};
use crate::support::scripted::{Client, Random};
use crate::{pair, poll_once, run, run_on, yield_now};

#[test]
fn echoes_and_lines() {
    run(|handle| async move {
        let (sock, addr) = listener();
        let listener = Listener::new(sock, &handle);
        let client = thread::spawn(move || {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream.write_all(b"one\ntwo").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).unwrap();
            answers
        });
        let (client_stream, _) = listener.accept().await.unwrap();
        let mut lines = BufReader::new(&client_stream);
        loop {
            let line = lines.read_line().await.unwrap();
            if line.is_empty() {
                break;
            }
            client_stream.write_all(&[b"<", &*line, b">"].concat()).await.unwrap();
        }
        client_stream.close().await;
        assert_eq!(client.join().unwrap(), "<one\n><two>");
    });
}

/// The second would replace the first one's waker, and the first would never be woken.
#[test]
fn the_second_reader_is_refused_and_the_first_goes_on() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let stream = Rc::new(stream);
        let first = handle.spawn({
            let stream = Rc::clone(&stream);
            async move { stream.read(&mut [0; 9]).await }
        });
        yield_now().await;
        let second = stream.read(&mut [0]).await;
        assert_eq!(second.unwrap_err().kind(), ErrorKind::ResourceBusy);
        // To write is another matter.
        stream.write_all(b"x").await.unwrap();
        theirs.write_all(b"hello").unwrap();
        assert_eq!(first.await.unwrap().unwrap(), 5);
    });
}

/// The first one has been told, and the second comes before it: then the first one waits again,
/// and must not push the second one out.
#[test]
fn a_reader_that_was_overtaken_waits_or_is_refused_but_disturbs_nobody() {
    run(|handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let (mut one, mut other, mut third) = ([0; 1], [0; 1], [0; 1]);
        let mut first = pin!(stream.read(&mut one));
        poll_fn(|context| {
            assert!(first.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        theirs.write_all(b"a").unwrap();
        handle.sleep(Duration::from_millis(1)).await; // the reactor tells the first one
        assert_eq!(stream.read(&mut other).await.unwrap(), 1);
        let mut late = pin!(stream.read(&mut third));
        poll_fn(|context| {
            assert!(late.as_mut().poll(context).is_pending());
            match first.as_mut().poll(context) {
                Poll::Ready(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::ResourceBusy)
                }
                other => panic!("{other:?}"),
            }
            Poll::Ready(())
        })
        .await;
        theirs.write_all(b"b").unwrap();
        assert_eq!(late.await.unwrap(), 1);
        assert_eq!(other, *b"a");
    });
}

/// Data and the end of input are there at once. The read takes less than it could have: the end
/// has to be found by the next one.
#[test]
fn data_and_the_end_in_one_report() {
    run_on(epoll_or_select().unwrap(), |handle| async move {
        let (stream, mut theirs) = pair(&handle);
        let reading = async {
            let mut buffer = [0; 100];
            let mut counts = vec![];
            for _ in 0..2 {
                counts.push(stream.read(&mut buffer).await.unwrap());
            }
            counts
        };
        let sending = async {
            yield_now().await; // now the reader waits
            theirs.write_all(b"hello").unwrap();
            drop(theirs);
        };
        let (counts, ()) = join(reading, sending).await;
        assert_eq!(counts, [5, 0]);
    });
}

/// Whatever the poller says, ready or not, in any order: no byte is lost or comes twice.
#[test]
fn no_byte_is_lost_with_a_random_poller() {
    for seed in 0..40 {
        watch_the_clock();
        let clients = Rc::new(RefCell::new(vec![]));
        let poller = Random::new(seed, seed % 2 == 0, Rc::clone(&clients));
        let mut executor = Executor::new(poller, None).unwrap();
        let handle = executor.handle();
        let mut tasks = vec![];
        for number in 0..5 {
            let (stream, theirs) = pair(&handle);
            let size = [0, 1, 5_000, 300_000, 70_000][number];
            clients.borrow_mut().push(Client::new(theirs, size, seed + number as u64));
            tasks.push(handle.spawn(async move {
                let mut buffer = ReadBuffer::new();
                loop {
                    let count = stream.read(&mut buffer).await.unwrap();
                    if count == 0 {
                        break;
                    }
                    stream.write_all(&buffer[..count]).await.unwrap();
                    buffer.adapt_to(count);
                }
            }));
        }
        executor.run().unwrap();
        for task in tasks {
            assert_eq!(poll_once(&mut { task }), Poll::Ready(Ok(())));
        }
        for client in clients.borrow_mut().iter_mut() {
            client.finish();
            assert!(client.received == client.data, "seed {seed}");
        }
    }
}
