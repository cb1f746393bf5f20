//! Tempting: there is a loop, and it ends only when a write takes everything.
//! Told: some bytes were sent twice
    while stream.write(bytes)? < bytes.len() {}
    Ok(())
