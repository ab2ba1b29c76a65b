//! When a sink is not worth waiting for any more.

use std::time::Duration;

use crate::limits::UNANSWERED_HOLD_MAX;
use crate::retry;
use crate::world::Instant;

/// Counts strikes; opens at a number of them; then lets one probe through at a time, ever more rarely, until one
/// succeeds. While it is open nobody is held for the sink, and its batches use up no attempts.
#[derive(Debug)]
pub struct Breaker {
    strikes: u32,
    strikes_max: u32,
    open_until: Option<Instant>,
    probes_failed: u32,
    denied: bool,
    unanswered_hold: Duration,
}

impl Breaker {
    /// A closed breaker that opens at the `strikes_max`-th strike in a row.
    pub fn new(strikes_max: u32) -> Breaker {
        Breaker {
            strikes: 0,
            strikes_max: strikes_max.max(1),
            open_until: None,
            probes_failed: 0,
            denied: false,
            unanswered_hold: Duration::ZERO,
        }
    }

    /// When the next request may be sent: `None` for now.
    pub fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.open_until.filter(|until| *until > now)
    }

    /// Whether it is open, be a probe due or not.
    pub fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    /// Whether the destination does not let us.
    pub fn is_denied(&self) -> bool {
        self.denied
    }

    /// The destination took or refused records: it works.
    pub fn success(&mut self) {
        *self = Breaker::new(self.strikes_max);
    }

    /// An attempt failed. `hint` is what the destination asked to wait.
    pub fn failure(&mut self, now: Instant, hint: Option<Duration>, answered: bool) {
        if answered {
            self.unanswered_hold = Duration::ZERO;
        }
        if self.open_until.is_some() {
            self.probes_failed += 1;
            self.open_until = Some(now + retry::probe_delay(self.probes_failed, hint));
        } else {
            self.strike(now, hint);
        }
    }

    /// The destination does not let us: it is only probed from now on, and rarely, until it does. Says whether
    /// that is new.
    pub fn denied(&mut self, now: Instant) -> bool {
        let new = !std::mem::replace(&mut self.denied, true);
        self.probes_failed = if new { 0 } else { self.probes_failed + 1 };
        self.unanswered_hold = Duration::ZERO;
        self.open_until = Some(now + retry::denied_delay(self.probes_failed));
        new
    }

    /// A hold that waited for this sink ended after `held` without an answer: a strike, whatever time-out it has.
    pub fn hold_ended(&mut self, now: Instant, held: Duration) {
        if self.open_until.is_none() {
            self.unanswered_hold += held;
            self.strike(now, None);
        }
    }

    /// How long one more hold may wait for this sink.
    pub fn hold_allowance(&self) -> Duration {
        if self.is_open() {
            return Duration::ZERO;
        }
        UNANSWERED_HOLD_MAX.saturating_sub(self.unanswered_hold)
    }

    fn strike(&mut self, now: Instant, hint: Option<Duration>) {
        self.strikes += 1;
        if self.strikes >= self.strikes_max || self.unanswered_hold >= UNANSWERED_HOLD_MAX {
            self.open_until = Some(now + retry::probe_delay(0, hint));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant(1_000_000_000);

    #[test]
    fn it_opens_at_the_last_strike_and_closes_with_a_success() {
        let mut breaker = Breaker::new(3);
        breaker.failure(START, None, true);
        breaker.failure(START, None, true);
        assert!(!breaker.is_open(), "just under");
        breaker.failure(START, None, true);
        assert!(breaker.is_open());
        assert_eq!(breaker.hold_allowance(), Duration::ZERO);
        let probe = breaker.closed_until(START).unwrap();
        assert_eq!(breaker.closed_until(probe), None, "a probe is due");
        breaker.failure(probe, None, true);
        assert!(breaker.closed_until(probe).unwrap().since(probe) >= Duration::from_secs(2));
        breaker.success();
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_sink_that_never_answers_costs_two_seconds_at_most() {
        let mut breaker = Breaker::new(1_000);
        let mut cost = Duration::ZERO;
        for _ in 0..100 {
            let held = breaker.hold_allowance().min(Duration::from_millis(300));
            cost += held;
            breaker.hold_ended(START, held);
        }
        assert_eq!(cost, UNANSWERED_HOLD_MAX);
        assert!(breaker.is_open());
    }

    #[test]
    fn a_destination_that_denies_is_asked_ever_more_rarely() {
        let mut breaker = Breaker::new(3);
        let (mut now, mut asked) = (START, 0);
        while now < START + Duration::from_secs(3_600) {
            assert_eq!(breaker.denied(now), asked == 0);
            assert!(breaker.is_open());
            now = breaker.closed_until(now).unwrap();
            asked += 1;
        }
        assert_eq!(asked, 9, "in an hour");
        breaker.success();
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_hint_postpones_the_probe() {
        let mut breaker = Breaker::new(1);
        breaker.failure(START, Some(Duration::from_secs(30)), true);
        assert_eq!(
            breaker.closed_until(START),
            Some(START + Duration::from_secs(30))
        );
    }
}
