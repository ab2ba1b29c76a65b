//! When to flush, and whether an invocation is held for it: pure decisions on settings and times.

use std::time::Duration;

use crate::settings::{FlushSettings, Strategy};

/// On Managed Instances, where nothing is frozen, records leave this long after they came.
pub const MANAGED_LINGER: Duration = Duration::from_secs(1);

/// Whether the end of each invocation is waited for and flushed before the next event is asked for.
///
/// `adaptive` behaves as `end` until it learns arrival patterns.
pub fn holds(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Adaptive | Strategy::End)
}

/// Longest time that a record is gathered while an invocation runs.
pub fn staleness(settings: &FlushSettings, managed: bool) -> Duration {
    if managed {
        settings.interval.min(MANAGED_LINGER)
    } else {
        settings.interval
    }
}

/// How long before the invocation's deadline everything has to be over: `deadline_margin`, at most a tenth of what
/// the invocation was given.
pub fn margin(settings: &FlushSettings, given: Duration) -> Duration {
    settings.deadline_margin.min(given / 10)
}

/// How long before the deadline records leave once, in case the function is about to time out.
pub fn race(settings: &FlushSettings, given: Duration) -> Duration {
    margin(settings, given) + settings.max_hold.min(given / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_a_tenth_of_a_short_timeout_at_most() {
        let settings = FlushSettings::default();
        assert_eq!(
            margin(&settings, Duration::from_secs(60)),
            settings.deadline_margin
        );
        assert_eq!(
            margin(&settings, Duration::from_secs(3)),
            Duration::from_millis(300)
        );
    }
}
