//! Tempting: the place has been taken, and `_` says that nobody looks at it.
//! Told: How long does each thread keep its place?
SOLVED
// NEXT
SOLVED
// NEXT
    let _ = limit.enter().ok_or(ErrorKind::ResourceBusy)?;
    thread::Builder::new().spawn(serve)?;
    Ok(())
