//! Records as functions write them, from a seed.

use serde_json::{Value, json};

/// Numbers that look random and follow from a seed: SplitMix64.
///
/// Source: <https://prng.di.unimi.it/splitmix64.c>, read 2026-11-23.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From `SEED`, if that is set, or from `seed`. Prints it, so that a failing test tells which one it was.
    pub fn seeded(seed: u64) -> Random {
        let given = std::env::var_os("SEED").and_then(|text| text.to_str()?.parse().ok());
        let seed = given.unwrap_or(seed);
        println!("SEED={seed}");
        Random(seed)
    }

    /// One for each of `SEEDS` seeds, or of `count`.
    pub fn seeds(count: u64) -> impl Iterator<Item = Random> {
        let given = std::env::var_os("SEEDS").and_then(|text| text.to_str()?.parse().ok());
        (0..given.unwrap_or(count)).map(Random::seeded)
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

/// Texts that are hard to carry: escapes, other scripts, control characters, JSON that looks like an envelope.
const HARD: [&str; 10] = [
    "plain",
    "quotes \" and \\ backslashes \\\" both",
    "snowman \u{2603}, treble clef \u{1d11e}, combining e\u{301}",
    "tab\tand\u{1}control\u{7f}",
    "nul \u{0} inside",
    "{\"time\":\"x\",\"type\":\"function\",\"record\":\"nested\"}",
    "}],{[\\",
    "right to left \u{202e} and separators \u{2028}\u{2029}",
    "",
    "</script><!-- ${jndi} %s %n",
];

/// A line as a function prints it: text, or JSON of a structured logger. No line breaks, which would make it two.
pub fn line(random: &mut Random) -> String {
    let text = *random.pick(&HARD);
    let number = random.below(1_000_000);
    if random.below(2) == 0 {
        return format!("{text} {number}");
    }
    structured(random, text, number).to_string()
}

fn structured(random: &mut Random, text: &str, number: u64) -> Value {
    let level = *random.pick(&["debug", "info", "warn", "error"]);
    json!({ "level": level, "message": text, "n": number, "nested": { "list": [1, 2.5, null, true, text] } })
}
