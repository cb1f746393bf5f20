//! What clients send, and how they know that exactly this comes back.

use std::sync::LazyLock;

/// Bytes after which the pattern begins anew: a prime, so that no block size divides it.
const PERIOD: usize = 1_048_573;

/// How much can be looked at at once.
pub const WINDOW: usize = 256 * 1024;

/// An endless sequence of bytes that look random, the same each time.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; PERIOD];
    fastrand::Rng::with_seed(1).fill(&mut bytes);
    bytes.extend_from_within(..WINDOW);
    bytes
});

/// Up to [`WINDOW`] bytes of what connection `seed` sends, from byte `position` on. Each
/// connection begins at another place, so a byte that is lost, doubled, changed, or another
/// client's shows at once.
pub fn pattern(seed: usize, position: u64, length: usize) -> &'static [u8] {
    let start = (seed as u64).wrapping_mul(7919).wrapping_add(position);
    let start = (start % PERIOD as u64) as usize;
    &BYTES[start..start + length.min(WINDOW)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_in_any_pieces_and_another_for_each_seed() {
        let whole = pattern(3, PERIOD as u64 - 100, 300);
        let first = pattern(3, PERIOD as u64 - 100, 150);
        let second = pattern(3, PERIOD as u64 + 50, 150);
        assert_eq!(whole, [first, second].concat());
        assert_ne!(whole, pattern(4, PERIOD as u64 - 100, 300));
        assert_eq!(pattern(0, 0, usize::MAX).len(), WINDOW);
    }
}
