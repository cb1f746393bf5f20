//! What clients send, and how they know that exactly this comes back.

use std::sync::LazyLock;

/// Bytes after which the pattern begins anew: a prime, so that no block size divides it.
const PERIOD: usize = 1_048_573;

/// How much can be looked at at once.
pub const WINDOW: usize = 256 * 1024;

/// An endless sequence of bytes that look random. Each connection begins at another place, so a
/// byte that is lost, doubled, changed, or another client's shows at once.
#[derive(Debug)]
pub struct Pattern(Vec<u8>);

impl Pattern {
    /// The same bytes each time.
    pub fn get() -> &'static Pattern {
        static PATTERN: LazyLock<Pattern> = LazyLock::new(Pattern::new);
        &PATTERN
    }

    fn new() -> Pattern {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut bytes: Vec<u8> = (0..PERIOD)
            .map(|_| {
                // xorshift64*: Marsaglia's generator with Vigna's multiplier.
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
            })
            .collect();
        bytes.extend_from_within(..WINDOW);
        Pattern(bytes)
    }

    /// Up to [`WINDOW`] bytes of what connection `seed` sends, from byte `position` on.
    pub fn at(&self, seed: usize, position: u64, length: usize) -> &[u8] {
        let start = (seed as u64).wrapping_mul(7919).wrapping_add(position);
        let start = (start % PERIOD as u64) as usize;
        &self.0[start..start + length.min(WINDOW)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_in_any_pieces_and_another_for_each_seed() {
        let pattern = Pattern::get();
        let whole = pattern.at(3, PERIOD as u64 - 100, 300);
        let first = pattern.at(3, PERIOD as u64 - 100, 150);
        let second = pattern.at(3, PERIOD as u64 + 50, 150);
        assert_eq!(whole, [first, second].concat());
        assert_ne!(whole, pattern.at(4, PERIOD as u64 - 100, 300));
        assert_eq!(pattern.at(0, 0, usize::MAX).len(), WINDOW);
    }
}
