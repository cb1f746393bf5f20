//! Tempting: in a terminal, each receive brings a line.
//! Told: TCP knows bytes, not messages
    let more = co.yield_(lines.client.recv()).await?;
    Ok((!more.is_empty()).then_some(more))
