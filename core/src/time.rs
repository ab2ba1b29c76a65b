//! Moments in UTC: RFC 3339 text to milliseconds and back, without a calendar library.
//!
//! A moment is an `i64`: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. There is no clock here;
//! the wall clock comes from `World`.

/// First millisecond that [`write_rfc3339`] can write: year 0.
const WRITABLE_MS_MIN: i64 = -62_167_219_200_000;

/// Last millisecond of the year 9999.
const WRITABLE_MS_MAX: i64 = 253_402_300_799_999;

const DAY_MS: i64 = 86_400_000;

/// A moment taken apart, in UTC by the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Year; 0 is 1 BC.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Millisecond, 0 to 999.
    pub ms: u16,
}

/// Takes a moment apart. Total: every `i64` has a date.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub fn civil(ms: i64) -> Civil {
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    // An `i64` of milliseconds spans 292 million years each way, so no cast here loses a bit.
    Civil {
        year: year as i32,
        month: month as u8,
        day: day as u8,
        hour: (in_day / 3_600_000) as u8,
        minute: (in_day / 60_000 % 60) as u8,
        second: (in_day / 1_000 % 60) as u8,
        ms: (in_day % 1_000) as u16,
    }
}

/// Appends a moment as `2026-11-23T09:05:07.042Z`, always 24 bytes.
///
/// A moment before year 0 or after 9999 is written as the nearest one inside, so that the form holds.
pub fn write_rfc3339(ms: i64, out: &mut Vec<u8>) {
    let at = civil(ms.clamp(WRITABLE_MS_MIN, WRITABLE_MS_MAX));
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], at.year as u32);
    digits(&mut text[5..7], u32::from(at.month));
    digits(&mut text[8..10], u32::from(at.day));
    digits(&mut text[11..13], u32::from(at.hour));
    digits(&mut text[14..16], u32::from(at.minute));
    digits(&mut text[17..19], u32::from(at.second));
    digits(&mut text[20..23], u32::from(at.ms));
    out.extend_from_slice(&text);
}

/// Fills a place with a number's last digits, zeros in front.
pub(crate) fn digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Reads RFC 3339 text, for example `2026-11-23T09:05:07.042Z`, as milliseconds since 1970.
///
/// Accepts `T`, `t` or a space between date and time, any number of fraction digits (cut to milliseconds) or none, and
/// `Z`, `z` or an offset `±hh:mm`. `None` for anything else: a year outside 1970 to 9999, a moment outside them in
/// UTC, a date that the calendar lacks, second 60 (a leap second has no millisecond of its own), text before or after.
///
/// Source: RFC 3339, §5.6.
pub fn parse_rfc3339_ms(text: &[u8]) -> Option<i64> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let separated = head[4] == b'-'
        && head[7] == b'-'
        && matches!(head[10], b'T' | b't' | b' ')
        && head[13] == b':'
        && head[16] == b':';
    if !separated {
        return None;
    }
    let year = two(head[0], head[1])? * 100 + two(head[2], head[3])?;
    let (month, day) = (two(head[5], head[6])?, two(head[8], head[9])?);
    let (hour, minute, second) = (
        two(head[11], head[12])?,
        two(head[14], head[15])?,
        two(head[17], head[18])?,
    );
    let exists = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !exists {
        return None;
    }
    let (fraction_ms, zone) = fraction(rest)?;
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let local_ms = days_before(year, month, day) * DAY_MS + seconds * 1_000 + fraction_ms;
    let ms = local_ms - offset_ms(zone)?;
    (0..=WRITABLE_MS_MAX).contains(&ms).then_some(ms)
}

/// The milliseconds of a fraction, 0 where there is none, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', text)) = text.split_first() else {
        return Some((0, text));
    };
    let length = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    if length == 0 {
        return None;
    }
    let place = |at: usize, weight: i64| {
        if at < length {
            i64::from(text[at] - b'0') * weight
        } else {
            0
        }
    };
    Some((place(0, 100) + place(1, 10) + place(2, 1), &text[length..]))
}

fn offset_ms(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let ms = i64::from(hours * 60 + minutes) * 60_000;
            Some(if sign == b'-' { -ms } else { ms })
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| u32::from(tens) * 10 + u32::from(ones))
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of 1970 or later: Hinnant's `days_from_civil` without the eras before.
fn days_before(year: u32, month: u32, day: u32) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    // The year begins in March here, so that the leap day is its last.
    let year = year - i64::from(month <= 2);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(ms: i64) -> String {
        let mut out = Vec::new();
        write_rfc3339(ms, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Counts the days one by one: slow, and too simple to be wrong in the same way.
    fn naive_days(year: u32, month: u32, day: u32) -> i64 {
        let by = |year: u32, years: u32| year.is_multiple_of(years);
        let leap = |year| (by(year, 4) && !by(year, 100)) || by(year, 400);
        let lengths = |year| {
            let february = if leap(year) { 29 } else { 28 };
            [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        };
        let years: i64 = (1970..year)
            .map(|year| lengths(year).iter().sum::<i64>())
            .sum();
        let months: i64 = lengths(year)[..month as usize - 1].iter().sum();
        years + months + i64::from(day) - 1
    }

    #[test]
    fn known_moments_read_and_write() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
            ("2024-02-29T12:00:00.000Z", 1_709_208_000_000),
            ("2026-11-23T09:05:07.042Z", 1_795_424_707_042),
            ("2030-01-01T00:00:00.000Z", 1_893_456_000_000),
            ("2030-12-31T23:59:59.999Z", 1_924_991_999_999),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400_000),
            ("9999-12-31T23:59:59.999Z", WRITABLE_MS_MAX),
        ] {
            assert_eq!(parse_rfc3339_ms(text.as_bytes()), Some(ms), "{text}");
            assert_eq!(written(ms), text);
        }
        assert_eq!(written(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(written(i64::MIN), "0000-01-01T00:00:00.000Z");
        assert_eq!(written(i64::MAX), "9999-12-31T23:59:59.999Z");
    }

    /// The freedoms that RFC 3339 leaves to a writer; each must give the moment of the plain form.
    #[test]
    fn other_spellings_are_the_same_moment() {
        let ms = Some(1_795_424_707_042);
        for text in [
            "2026-11-23t09:05:07.042z",
            "2026-11-23 09:05:07.042Z",
            "2026-11-23T09:05:07.0429999999999Z",
            "2026-11-23T10:35:07.042+01:30",
            "2026-11-22T23:05:07.042-10:00",
        ] {
            assert_eq!(parse_rfc3339_ms(text.as_bytes()), ms, "{text}");
        }
        assert_eq!(
            parse_rfc3339_ms(b"2026-11-23T09:05:07Z"),
            Some(1_795_424_707_000)
        );
        assert_eq!(
            parse_rfc3339_ms(b"2026-11-23T09:05:07.5Z"),
            Some(1_795_424_707_500)
        );
    }

    #[test]
    fn what_the_calendar_or_the_grammar_lacks_is_none() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T09:05:07",
            "2026-11-23T09:05:07.Z",
            "2026-11-23T09:05:07.042",
            "2026-11-23T09:05:07.042Zx",
            " 2026-11-23T09:05:07.042Z",
            "2026-11-23X09:05:07.042Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-12-31T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+0100",
            "20a6-01-01T00:00:00Z",
            "2026-01-01T00:00:0:Z",
        ] {
            assert_eq!(parse_rfc3339_ms(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn civil_is_total() {
        for ms in [i64::MIN, -1, 0, i64::MAX] {
            let at = civil(ms);
            assert!(
                (1..=12).contains(&at.month) && (1..=31).contains(&at.day),
                "{ms}"
            );
        }
        assert!(civil(i64::MIN).year < 0);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0..=WRITABLE_MS_MAX) {
            prop_assert_eq!(parse_rfc3339_ms(written(ms).as_bytes()), Some(ms));
        }

        #[test]
        fn dates_agree_with_counting_days(year in 1970u32..2500, month in 1u32..=12, day in 1u32..=31) {
            let text = format!("{year}-{month:02}-{day:02}T00:00:00Z");
            let naive = (day <= days_in(year, month)).then(|| naive_days(year, month, day) * DAY_MS);
            prop_assert_eq!(parse_rfc3339_ms(text.as_bytes()), naive);
            if let Some(ms) = naive {
                let at = civil(ms);
                prop_assert_eq!((at.year as u32, u32::from(at.month), u32::from(at.day)), (year, month, day));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            parse_rfc3339_ms(&bytes);
        }

        #[test]
        fn near_misses_never_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}[.0-9Zz+:-]{0,12}") {
            if let Some(ms) = parse_rfc3339_ms(text.as_bytes()) {
                prop_assert_eq!(&written(ms)[20..23].len(), &3);
            }
        }
    }
}
