//! Tempting: the result is how many bytes.
//! Told: which is a negative error code
SOLVED
// NEXT
SOLVED
// NEXT
        let Operation { buffer, task } = self.under_way.remove(&key)?;
        Some((task?, Ok((buffer, result as usize))))
