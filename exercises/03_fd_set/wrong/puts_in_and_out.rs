//! Tempting: `^=` changes the bit from 0 to 1.
//! Told: it was put in a second time
SOLVED
// NEXT
        let refused = || io::Error::other(format!("no room for descriptor {fd}"));
        let (word, bit) = place(fd).ok_or_else(refused)?;
        self.words[word] ^= bit;
        Ok(())
