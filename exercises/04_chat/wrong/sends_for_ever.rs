//! Tempting: a sender has been started, and `sending` says so.
//! Told: who sends what comes into the outbox after that?
SOLVED
// NEXT
SOLVED
// NEXT
        loop {
            let next = member.outbox.borrow_mut().pop_front();
            let Some(line) = next else { break };
            if co.yield_(member.client.send(line)).await.is_err() {
                break;
            }
        }
