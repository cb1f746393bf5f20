//! Tempting: operations are completed in the order in which they were submitted.
//! Told: the key says which it is
SOLVED
// NEXT
SOLVED
// NEXT
        let _ = key;
        let (_, Operation { buffer, task }) = self.under_way.pop_first()?;
        let data = match usize::try_from(result) {
            Ok(count) => Ok((buffer, count)),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        Some((task?, data))
