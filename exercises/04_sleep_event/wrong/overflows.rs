//! Tempting: an instant and a duration can be added.
//! Told: Is there a gentler +?
    SleepEvent { until: now + duration }
