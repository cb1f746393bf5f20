//! Tempting: the second client is not served, so it must be waiting for its `connect`.
//! Told: Who answers a `connect`
    C
