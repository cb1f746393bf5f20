//! Tempting: `&&` looks shorter, and does not look at the right when the left is false.
//! Told: you have built a sequence
SOLVED
// NEXT
        match join.a.poll(context) && join.b.poll(context) {
            true => Poll::Ready((join.a.take(), join.b.take())),
            false => Poll::Pending,
        }
