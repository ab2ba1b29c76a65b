//! How often failed requests of one sink may be repeated: a bucket of tokens.

use std::time::Duration;

use crate::world::Instant;

/// Tokens in a full bucket, in thousandths.
const CAPACITY: i64 = 100_000;

/// What one more attempt costs, in thousandths: twice as much after a silence, which costs the function more.
///
/// The shape (a cost for each retry, twice that after a time-out, given back by a success) is that of the retry quota
/// of the AWS SDKs, <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>, read 2026-11-25.
/// Theirs is only refilled by successes; here time refills it too, since records must not be stuck for ever.
const COST: i64 = 5_000;
const COST_UNANSWERED: i64 = 2 * COST;

/// What a request that is taken at its first attempt gives back, in thousandths.
const THANKS: i64 = 1_000;

/// Most attempts beyond the first ones within an hour of running time, whatever the settings: a full bucket, and what
/// an hour refills, at the lower cost.
pub const REPEATS_PER_HOUR_MAX: u64 = (CAPACITY / COST) as u64 + 3_600 * 1_000 / COST as u64;

/// A bucket of 100 tokens. Another attempt costs 5, or 10 after no answer; 1 comes back every second of running time
/// and with every request that is taken at once; the last attempt's cost comes back when it succeeds.
#[derive(Debug)]
pub struct Quota {
    tokens: i64,
    counted: Instant,
    spent: i64,
}

impl Default for Quota {
    fn default() -> Quota {
        Quota {
            tokens: CAPACITY,
            counted: Instant::default(),
            spent: 0,
        }
    }
}

impl Quota {
    /// Pays for one more attempt, and says when it is paid: now, or once enough time has refilled the bucket.
    pub fn pay(&mut self, now: Instant, answered: bool) -> Instant {
        self.refill(now);
        self.spent = if answered { COST } else { COST_UNANSWERED };
        self.tokens -= self.spent;
        now + Duration::from_millis(u64::try_from(-self.tokens).unwrap_or(0))
    }

    /// A request was taken.
    pub fn success(&mut self) {
        let back = std::mem::take(&mut self.spent).max(THANKS);
        self.tokens = (self.tokens + back).min(CAPACITY);
    }

    /// A token a second is a thousandth a millisecond.
    fn refill(&mut self, now: Instant) {
        let passed = now.since(self.counted).as_millis();
        self.counted = self.counted.max(now);
        let passed = i64::try_from(passed).unwrap_or(CAPACITY).min(2 * CAPACITY);
        self.tokens = (self.tokens + passed).min(CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_full_bucket_pays_for_twenty_attempts_and_then_time_does() {
        let mut quota = Quota::default();
        for _ in 0..20 {
            assert_eq!(quota.pay(at(0), true), at(0));
        }
        assert_eq!(quota.pay(at(0), true), at(5), "just over");
        assert_eq!(quota.pay(at(5), true), at(10));
        assert_eq!(quota.pay(at(10), false), at(20), "silence costs twice");
        assert_eq!(quota.pay(at(1_000), true), at(1_000));
    }

    #[test]
    fn a_success_gives_the_last_cost_back() {
        let mut quota = Quota::default();
        for _ in 0..1_000 {
            assert_eq!(quota.pay(at(0), false), at(0));
            quota.success();
        }
        quota.pay(at(0), true);
        let left = quota.tokens;
        quota.success();
        quota.success();
        assert_eq!(quota.tokens, CAPACITY.min(left + COST + THANKS));
    }

    /// The stated bound, with whoever asks as soon as it may.
    #[test]
    fn an_hour_of_failures_stays_under_the_bound() {
        let (mut quota, mut now, mut paid) = (Quota::default(), at(0), 0);
        while now < at(3_600) {
            now = quota.pay(now, true);
            paid += 1;
        }
        assert!(paid <= REPEATS_PER_HOUR_MAX + 1, "{paid}");
        assert!(
            paid >= REPEATS_PER_HOUR_MAX - 1,
            "it is no more than said, and no less: {paid}"
        );
    }
}
