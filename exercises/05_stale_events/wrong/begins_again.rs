//! Tempting: count the uses of each number, and drop the count with the descriptor.
//! Told: What must you still know of 7 when it has been removed?
    generations: BTreeMap<RawFd, u32>,
// NEXT
        let generation = self.generations.entry(fd).or_default();
        *generation += 1;
        Key::from(*generation) << 32 | Key::from(fd as u32)
