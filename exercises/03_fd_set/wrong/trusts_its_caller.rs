//! Tempting: C's macro does not check either.
//! Told: refuse it with an error
    let fd = fd as usize;
    Some((fd / WORD_BITS, 1 << (fd % WORD_BITS)))
