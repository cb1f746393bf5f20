//! Tempting: look once in each limit. A client may then be idle for nearly two.
//! Told: For how long does it sleep after a look?
SOLVED
// NEXT
        while !activity.over.get() {
            if activity.last.get().elapsed() >= limit {
                shut_down(&client);
                break;
            }
            co.yield_(sleep(limit)).await;
        }
