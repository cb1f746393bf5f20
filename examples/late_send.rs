//! When the kernel reads the bytes of a send: not when the send is handed over.
//!
//! `cargo run --example late_send`. It needs no client: both ends of the connection are here.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[expect(unsafe_code, reason = "memory that is shared with the kernel")]
fn main() -> std::io::Result<()> {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use io_uring::{IoUring, opcode, types::Fd};

    /// More than the kernel takes before the client reads.
    const SIZE: usize = 4 << 20;

    let (server, mut client) = UnixStream::pair()?;
    let mut ring = IoUring::new(1)?;

    // ANCHOR: late
    let bytes: &'static mut [u8] = vec![b'A'; SIZE].leak();
    let send = opcode::Send::new(Fd(server.as_raw_fd()), bytes.as_ptr(), SIZE as u32)
        .flags(libc::MSG_WAITALL)
        .build();
    // SAFETY: The bytes are never freed.
    unsafe { ring.submission().push(&send) }.expect("the queue is empty");
    ring.submit()?; // the kernel takes what fits, and waits for room

    bytes.fill(b'B');

    let reader = thread::spawn(move || {
        let mut received = vec![0; SIZE];
        client.read_exact(&mut received).map(|()| received)
    });
    ring.submit_and_wait(1)?;
    // ANCHOR_END: late

    let received = reader.join().expect("a read does not panic")?;
    let runs = received.chunk_by(|one, next| one == next);
    let letters: Vec<String> = runs.map(|run| char::from(run[0]).to_string()).collect();
    println!("the client has received {}", letters.join(", then "));
    Ok(())
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn main() {
    println!("Linux only: this system has no io_uring");
}
