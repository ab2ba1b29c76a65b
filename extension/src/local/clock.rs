//! The simulator's clocks and its random names: the one file in `local` that reads them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

pub use tokio::time::Instant;

/// The monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

/// Time since 1970-01-01T00:00:00Z by the wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator is the world of the processes that it starts; it has no other"
)]
pub fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// Milliseconds since the epoch, as `deadlineMs` carries them, of a moment `ahead` from now.
pub fn epoch_ms(ahead: Duration) -> u64 {
    u64::try_from((wall() + ahead).as_millis()).unwrap_or(u64::MAX)
}

/// `2026-01-02T03:04:05.678Z`, the form of the platform's `time`.
pub fn timestamp(epoch: Duration) -> String {
    let seconds = epoch.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let milli = epoch.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// `2026/01/02`, the beginning of a log stream's name.
pub fn date(epoch: Duration) -> String {
    let (year, month, day) = civil(epoch.as_secs() / 86_400);
    format!("{year:04}/{month:02}/{day:02}")
}

/// Days since the epoch as year, month and day. Howard Hinnant's `civil_from_days`, for days from 1970 on.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// 64 bits that do not repeat in practice. Names, no secrets.
pub fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(wall().as_nanos());
    hasher.finish()
}

/// A random UUID of version 4.
pub fn uuid() -> String {
    let bits = (u128::from(random()) << 64) | u128::from(random());
    let bits = bits & !(0xf << 76) | (4 << 76);
    let bits = bits & !(0x3 << 62) | (2 << 62);
    let hex = format!("{bits:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// Whether `text` has the form of a UUID.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_the_platforms_form() {
        assert_eq!(timestamp(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        let leap = Duration::from_millis(1_709_164_800_123);
        assert_eq!(timestamp(leap), "2024-02-29T00:00:00.123Z");
        assert_eq!(date(Duration::from_secs(1_767_323_045)), "2026/01/02");
    }

    #[test]
    fn uuids_are_of_version_4_and_differ() {
        let (a, b) = (uuid(), uuid());
        assert!(is_uuid(&a) && a.as_bytes()[14] == b'4', "{a}");
        assert!(matches!(a.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{a}");
        assert_ne!(a, b);
        assert!(!is_uuid("not-a-uuid"));
    }
}
