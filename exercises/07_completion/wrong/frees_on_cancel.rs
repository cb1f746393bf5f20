//! Tempting: nobody wants the result, so forget the operation and free its memory.
//! Told: may still write into that memory
SOLVED
// NEXT
        self.under_way.remove(&key);
