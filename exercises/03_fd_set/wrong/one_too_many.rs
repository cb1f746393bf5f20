//! Tempting: 1,024 is the size, so up to 1,024 there should be room.
//! Told: One client too many would end the server
    let fd = usize::try_from(fd).ok().filter(|&fd| fd <= FD_SETSIZE)?;
    Some((fd / WORD_BITS, 1 << (fd % WORD_BITS)))
