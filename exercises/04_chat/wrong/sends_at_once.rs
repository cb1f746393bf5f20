//! Tempting: nearly always there is room, so an outbox is not needed.
//! Told: What becomes of the bytes that there was no room for?
        let _ = member.client.try_send(line);
