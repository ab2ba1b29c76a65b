//! `Retry-After`: `120`, or a date.

use std::time::Duration;

use tapline_core::time;

/// What a value asks to wait from `wall_ms` on (milliseconds since 1970): `120`, `Sun, 06 Nov 1994 08:49:37 GMT`, and
/// the two older forms of a date. `None` for anything else. There is no upper bound here; the retry policy has one.
///
/// Source: RFC 9110 §10.2.3 and §5.6.7, read 2026-11-23.
pub(crate) fn parse(value: &[u8], wall_ms: i64) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_ascii();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for 64 bits are many seconds.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let wait_ms = date_ms(text.as_bytes())?.saturating_sub(wall_ms);
    Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)))
}

/// A date of HTTP in milliseconds since 1970.
pub(super) fn date_ms(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let mut words = [""; 6];
    let mut found = text.split([' ', ',', '-']).filter(|word| !word.is_empty());
    for word in &mut words {
        *word = found.next().unwrap_or_default();
    }
    if found.next().is_some() {
        return None;
    }
    let (day, month, year, clock) = match words {
        // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`.
        [_, day, month, year, clock, "GMT"] => (day, month, year, clock),
        // `Sun Nov  6 08:49:37 1994`.
        [_, month, day, clock, year, ""] => (day, month, year, clock),
        _ => return None,
    };
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let day: u8 = day.parse().ok()?;
    let year: u16 = match (year.len(), year.parse().ok()?) {
        (4, year) => year,
        (2, year @ 70..) => 1900 + year,
        (2, year) => 2000 + year,
        _ => return None,
    };
    time::parse_rfc3339_ms(format!("{year:04}-{month:02}-{day:02}T{clock}Z").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WALL_MS: i64 = 784_111_777_000;

    #[test]
    fn seconds_and_all_three_dates_are_read() {
        let rows: [(&str, Option<u64>); 19] = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(1)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Tue, 19 Jan 2038 03:14:08 GMT", Some(1_363_371_871)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 25:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT GMT", None),
        ];
        for (text, seconds) in rows {
            let wanted = seconds.map(Duration::from_secs);
            assert_eq!(parse(text.as_bytes(), WALL_MS), wanted, "{text}");
        }
        assert_eq!(parse(b"\xff\xfe", WALL_MS), None);
    }

    proptest! {
        #[test]
        fn no_value_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..64), wall_ms: i64) {
            parse(&bytes, wall_ms);
        }

        #[test]
        fn nothing_like_a_date_breaks_it(
            text in "[A-Z][a-z]{2},? [0-9]{1,3}[ -](Jan|Feb|Dec)[ -][0-9]{2,5} [0-9:.+]{0,12} GMT", wall_ms: i64,
        ) {
            parse(text.as_bytes(), wall_ms);
        }
    }
}
