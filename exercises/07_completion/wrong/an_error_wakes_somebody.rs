//! Tempting: an error is never to be ignored, so it is handed on before the task is looked at.
//! Told: Its task is gone, and nobody else waits for that error
SOLVED
// NEXT
SOLVED
// NEXT
        let Operation { buffer, task } = self.under_way.remove(&key)?;
        match usize::try_from(result) {
            Ok(count) => Some((task?, Ok((buffer, count)))),
            Err(_) => {
                let error = io::Error::from_raw_os_error(-result);
                Some((task.unwrap_or_default(), Err(error)))
            }
        }
