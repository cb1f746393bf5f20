//! Tempting: neither is ready, so ask again soon.
//! Told: nothing had happened yet
SOLVED
// NEXT
        let a_is_done = join.a.poll(context);
        let b_is_done = join.b.poll(context);
        if a_is_done && b_is_done {
            return Poll::Ready((join.a.take(), join.b.take()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
