//! Tempting: the sender sends the line, and has done its work.
//! Told: eight clients said 200 lines each, and a ninth heard
SOLVED
// NEXT
SOLVED
// NEXT
        let next = member.outbox.borrow_mut().pop_front();
        if let Some(line) = next {
            let _ = co.yield_(member.client.send(line)).await;
        }
        member.sending.set(false);
