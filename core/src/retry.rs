//! When to try again, as a pure function.

use std::time::Duration;

/// First upper bound of the delay.
const BASE: Duration = Duration::from_millis(50);
/// Highest upper bound of the delay.
const CAP: Duration = Duration::from_secs(2);
/// Longest wait that a destination may ask for.
const HINT_MAX: Duration = Duration::from_secs(600);

/// Time to wait after failed attempt number `attempt` (from 1): full jitter between zero and a bound that doubles
/// from 50 ms to 2 s, and never less than the destination's `hint` (up to 10 min).
///
/// Full jitter, as in "Exponential Backoff And Jitter", AWS Architecture Blog, 2015, read 2026-11-23.
pub fn delay(attempt: u32, hint: Option<Duration>, random: u64) -> Duration {
    let bound = BASE
        .saturating_mul(1 << attempt.saturating_sub(1).min(16))
        .min(CAP);
    let share = (random >> 11) as f64 / (1u64 << 53) as f64;
    bound
        .mul_f64(share)
        .max(hint.unwrap_or_default().min(HINT_MAX))
}

/// How long a breaker stays open before its next probe: 1 s, doubled with each failed probe, at most 60 s, and never
/// less than the destination's hint.
pub fn probe_delay(probes_failed: u32, hint: Option<Duration>) -> Duration {
    let wait = Duration::from_secs(1 << probes_failed.min(6)).min(Duration::from_secs(60));
    wait.max(hint.unwrap_or_default().min(HINT_MAX))
}

/// How long a destination that does not let us is left alone: 1 min, doubled with each time that it still does not, at
/// most 10 min. Permissions and secrets are changed by people.
pub fn denied_delay(probes_failed: u32) -> Duration {
    Duration::from_secs(60 << probes_failed.min(4)).min(Duration::from_secs(600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_stays_under_its_bound_and_over_the_hint() {
        for attempt in 1..40 {
            let longest = delay(attempt, None, u64::MAX);
            assert!(longest <= CAP, "{attempt}");
            assert_eq!(delay(attempt, None, 0), Duration::ZERO);
            assert!(delay(attempt, Some(Duration::from_secs(30)), 0) == Duration::from_secs(30));
        }
        assert!(delay(1, None, u64::MAX) <= BASE);
        assert_eq!(delay(1, Some(Duration::from_secs(1 << 40)), 0), HINT_MAX);
    }

    #[test]
    fn probes_become_rare_but_never_stop() {
        assert_eq!(probe_delay(0, None), Duration::from_secs(1));
        assert_eq!(probe_delay(3, None), Duration::from_secs(8));
        assert_eq!(probe_delay(99, None), Duration::from_secs(60));
    }
}
