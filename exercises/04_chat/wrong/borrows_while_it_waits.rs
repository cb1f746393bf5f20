//! Tempting: take lines off the outbox as long as there are any, in the loop's condition.
//! Told: how long does the `borrow_mut` in your `sender` live?
SOLVED
// NEXT
SOLVED
// NEXT
        while let Some(line) = member.outbox.borrow_mut().pop_front() {
            if co.yield_(member.client.send(line)).await.is_err() {
                break;
            }
        }
        member.sending.set(false);
