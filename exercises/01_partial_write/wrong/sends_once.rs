//! Tempting: `write` returned `Ok`, so it must have sent everything.
//! Told: What about the rest?
    stream.write(bytes)?;
    Ok(())
