//! Tempting: sleep for the limit, then end the connection.
//! Told: from the last word?
SOLVED
// NEXT
        co.yield_(sleep(limit)).await;
        shut_down(&client);
