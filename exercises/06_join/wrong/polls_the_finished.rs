//! Tempting: poll both, and return when both say that they are ready in the same poll.
//! Told: a future that had finished was polled again
        match self {
            Half::Done(_) => true,
            Half::Running(future) => future.as_mut().poll(context).is_ready(),
        }
