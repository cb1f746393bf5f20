//! Which version of a source file it is, in git's terms.

// ANCHOR: hash
/// What `git hash-object` prints for a file with this text: SHA-1 of its length and its bytes.
/// `git show` prints the file for the number, even when it has changed since.
pub fn git_hash(text: &str) -> String {
    let hash =
        sha1(&[format!("blob {}\0", text.len()).as_bytes(), text.as_bytes()].concat());
    hash.iter().map(|word| format!("{word:08x}")).collect()
}

/// SHA-1 as FIPS 180-4 has it, section 6.1.2. It names files here, and protects nothing.
fn sha1(message: &[u8]) -> [u32; 5] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());

    let mut hash = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0_u32];
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]))
            .collect();
        for t in 16..80 {
            let word = words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16];
            words.push(word.rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = hash;
        for (t, word) in words.into_iter().enumerate() {
            let (f, k) = match t {
                0..20 => ((b & c) ^ (!b & d), 0x5a827999),
                20..40 => (b ^ c ^ d, 0x6ed9eba1),
                40..60 => ((b & c) ^ (b & d) ^ (c & d), 0x8f1bbcdc),
                _ => (b ^ c ^ d, 0xca62c1d6_u32),
            };
            let next = [a.rotate_left(5), f, e, k, word];
            let next = next.into_iter().fold(0, u32::wrapping_add);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, word) in hash.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(word);
        }
    }
    hash
}
// ANCHOR_END: hash

#[cfg(test)]
mod tests {
    use super::*;

    /// The empty file's hash is well known; the second is longer than a block.
    #[test]
    fn the_hash_is_the_one_that_git_has() {
        assert_eq!(git_hash(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        let long = "What is this file called?\n".repeat(10);
        assert_eq!(git_hash(&long), "7b7e2efd7fec07acd23df643342c9bfc5d68faf1");
    }
}
