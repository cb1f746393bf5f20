//! Tempting: look often, then nothing has to be computed.
//! Told: somebody would always be looking
SOLVED
// NEXT
        while !activity.over.get() {
            if activity.last.get().elapsed() >= limit {
                shut_down(&client);
                break;
            }
            co.yield_(sleep(Duration::from_millis(10))).await;
        }
