//! Tempting: the echo comes back, so the handler is done.
//! Told: how does the watchman hear of what was received
    loop {
        let bytes = co.yield_(client.recv()).await?;
        if bytes.is_empty() {
            break;
        }
        co.yield_(client.send(bytes)).await?;
    }
    co.yield_(client.close()).await;
    Ok(())
