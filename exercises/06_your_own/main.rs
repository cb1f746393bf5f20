//! Your own server of the exercise, as a program: `cargo xtask judge` can start it.

#[allow(unused, reason = "it is not finished yet")]
#[cfg_attr(my_06_your_own, path = "../my/06_your_own.rs")]
#[rustfmt::skip]
mod exercise;

use std::env;
use std::io;
use std::net::TcpListener;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip_while(|argument| argument != "--listen").skip(1);
    let addr = arguments.next().unwrap_or("127.0.0.1:8000".into());
    let listener = TcpListener::bind(addr)?;
    println!("listening on {}", listener.local_addr()?);
    exercise::serve(listener)
}
