//! Random numbers that follow from a seed.

/// Numbers that look random and follow from a seed: SplitMix64.
///
/// Source: <https://prng.di.unimi.it/splitmix64.c>, read 2026-11-23.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).expect("it is an index")]
    }
}
