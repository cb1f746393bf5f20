//! Tempting: only the clock matters.
//! Told: it still owns the socket
SOLVED
// NEXT
        loop {
            let idle = activity.last.get().elapsed();
            if idle >= limit {
                shut_down(&client);
                break;
            }
            co.yield_(sleep(limit - idle)).await;
        }
