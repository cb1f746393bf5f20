//! Tempting: the kernel completes what was submitted, so the key must be there.
//! Told: that no operation under way has
SOLVED
// NEXT
SOLVED
// NEXT
        let Operation { buffer, task } = self.under_way.remove(&key).unwrap();
        let data = match usize::try_from(result) {
            Ok(count) => Ok((buffer, count)),
            Err(_) => Err(io::Error::from_raw_os_error(-result)),
        };
        Some((task?, data))
