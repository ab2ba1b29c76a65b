//! A ceiling on what one sink is sent within an hour.

use std::time::Duration;

/// Length of one part of the window, in milliseconds.
const PART_MS: i64 = 5 * 60 * 1_000;

/// Parts that an hour can touch: twelve, and one that it only begins or ends in.
const PARTS: usize = 13;

/// Bytes of records over the last hour, in parts of 5 min. By the wall clock: an hour in the freezer is an hour.
///
/// In no hour are more than `bytes_max` spent. What was spent counts for 60 to 65 min.
#[derive(Debug)]
pub struct Ceiling {
    bytes_max: u64,
    parts: [u64; PARTS],
    current: i64,
}

impl Ceiling {
    /// A ceiling of `bytes_max` in any hour.
    pub fn new(bytes_max: u64) -> Ceiling {
        Ceiling {
            bytes_max,
            parts: [0; PARTS],
            current: 0,
        }
    }

    /// The ceiling.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Counts bytes that are sent now.
    pub fn spend(&mut self, bytes: u64, wall_ms: i64) {
        let now = wall_ms.div_euclid(PART_MS);
        // A clock that went back counts into the latest part, which is kept the longest.
        if now > self.current {
            for part in self.current.max(now - PARTS as i64) + 1..=now {
                self.parts[index(part)] = 0;
            }
            self.current = now;
        }
        self.parts[index(self.current)] += bytes;
    }

    /// How long `bytes` have to wait; zero when they may go now. More than `bytes_max` can never go, and wait as long
    /// as the ceiling has a memory.
    pub fn wait(&self, bytes: u64, wall_ms: i64) -> Duration {
        let now = wall_ms.div_euclid(PART_MS).max(self.current);
        // The oldest part that still counts comes first.
        let oldest = now - (PARTS as i64 - 1);
        let mut spent: u64 = (oldest..=self.current).map(|part| self.of(part)).sum();
        for part in oldest..=now {
            if spent.saturating_add(bytes) <= self.bytes_max {
                let free_ms = if part == oldest {
                    wall_ms
                } else {
                    // The part before this one no longer counts from then on.
                    (part - 1 + PARTS as i64).saturating_mul(PART_MS)
                };
                return span(free_ms.saturating_sub(wall_ms));
            }
            spent -= self.of(part);
        }
        let forgotten_ms = (now + PARTS as i64).saturating_mul(PART_MS);
        span(forgotten_ms.saturating_sub(wall_ms))
    }

    fn of(&self, part: i64) -> u64 {
        let known = part > self.current - PARTS as i64 && part <= self.current;
        if known { self.parts[index(part)] } else { 0 }
    }
}

fn index(part: i64) -> usize {
    part.rem_euclid(PARTS as i64) as usize
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = 1_773_480_413_000;
    const MINUTE: i64 = 60_000;

    #[test]
    fn what_fits_goes_now_and_the_rest_within_65_minutes() {
        let mut ceiling = Ceiling::new(1_000);
        assert_eq!(ceiling.wait(1_000, START), Duration::ZERO, "just under");
        ceiling.spend(600, START);
        assert_eq!(ceiling.wait(400, START), Duration::ZERO, "just under");
        let wait = ceiling.wait(401, START).as_millis() as i64;
        assert!((60 * MINUTE..=65 * MINUTE).contains(&wait), "{wait}");
        assert_eq!(ceiling.wait(401, START + wait), Duration::ZERO);
        assert!(ceiling.wait(401, START + wait - 1) > Duration::ZERO);
        assert!(
            ceiling.wait(1_001, START) > Duration::from_secs(3_600),
            "never"
        );
    }

    #[test]
    fn a_clock_that_jumps_neither_breaks_it_nor_opens_it_early() {
        let mut ceiling = Ceiling::new(100);
        ceiling.spend(100, START);
        assert!(ceiling.wait(1, START - 3_600_000) > Duration::from_secs(3_600));
        ceiling.spend(0, START - 3_600_000);
        assert!(ceiling.wait(1, START + MINUTE) > Duration::ZERO);
        assert_eq!(ceiling.wait(100, START + 3_600_000 * 24), Duration::ZERO);
        ceiling.spend(7, i64::MAX);
        ceiling.spend(7, i64::MIN);
        ceiling.wait(7, i64::MAX);
    }

    proptest! {
        /// Whoever sends as soon as it may never sends more than the ceiling within any hour.
        #[test]
        fn no_hour_holds_more_than_the_ceiling(
            sends in prop::collection::vec((1u64..400, 0i64..40), 1..80),
        ) {
            let (mut ceiling, mut now, mut sent) = (Ceiling::new(1_000), START, Vec::new());
            for (bytes, minutes) in sends {
                now += minutes * MINUTE;
                now += ceiling.wait(bytes, now).as_millis() as i64;
                prop_assert_eq!(ceiling.wait(bytes, now), Duration::ZERO);
                ceiling.spend(bytes, now);
                sent.push((now, bytes));
                let hour: u64 = sent.iter().filter(|(at, _)| now - at < 60 * MINUTE).map(|(_, b)| b).sum();
                prop_assert!(hour <= 1_000, "{}", hour);
            }
        }
    }
}
