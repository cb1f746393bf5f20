//! Tempting: `^=` takes the bit out, and is shorter than `&= !`.
//! Told: 4 was taken out a second time
SOLVED
// NEXT
SOLVED
// NEXT
        if let Some((word, bit)) = place(fd) {
            self.words[word] ^= bit;
        }
