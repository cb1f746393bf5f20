//! An echo server on smol, as short as its examples: `?` hands every error of `accept` to `main`.
//! `cargo xtask foreign` judges it.

#![forbid(unsafe_code)]

use std::io;

use smol::net::TcpListener;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).expect("an address");
    smol::block_on(serve(&addr))
}

async fn serve(addr: &str) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, _) = listener.accept().await?;
        smol::spawn(smol::io::copy(client.clone(), client)).detach();
    }
}
