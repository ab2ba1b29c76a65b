//! Numbers in groups of digits: one net for all of them, and the shapes that people write.

use std::ops::Range;

use crate::redact::validate::{Found, Verdict, before, behind};

/// Eight digits or more with single separators.
pub const NUMBER: &str = "[0-9](?:[ ./-]?[0-9]){7,}";

/// Most digits of a shape.
const DIGITS_MAX: usize = 20;

/// The first number in a run of digits that is written in one of these shapes and that `judge` takes: in a shape `d`
/// is a digit, all else itself. It gets the digits alone.
///
/// A shape begins where a group of digits begins and stands apart from letters, digits and decimal fractions.
pub fn number(found: &Found<'_>, shapes: &[&str], judge: fn(&[u8]) -> bool) -> Verdict {
    let (text, run) = (found.text, found.range.clone());
    let mut digits = [0; DIGITS_MAX];
    for start in run.clone() {
        if before(text, start).is_ascii_digit() || !text[start].is_ascii_digit() {
            continue;
        }
        for shape in shapes {
            let end = start + shape.len();
            let Some(count) = fit(
                &text[start..end.min(run.end)],
                shape.as_bytes(),
                &mut digits,
            ) else {
                continue;
            };
            if stands_apart(text, &(start..end)) && judge(&digits[..count]) {
                return Verdict::Redact(start..end);
            }
        }
    }
    found.none_in_it()
}

/// The digits of a text that has a shape; how many they are.
fn fit(text: &[u8], shape: &[u8], digits: &mut [u8; DIGITS_MAX]) -> Option<usize> {
    if text.len() != shape.len() {
        return None;
    }
    let mut count = 0;
    for (byte, wanted) in text.iter().zip(shape) {
        if *wanted == b'd' {
            *digits.get_mut(count).filter(|_| byte.is_ascii_digit())? = *byte;
            count += 1;
        } else if byte != wanted {
            return None;
        }
    }
    Some(count)
}

/// Whether a range is no part of a word, of a UUID or another chain of words and digits, or of a decimal number.
pub fn stands_apart(text: &[u8], range: &Range<usize>) -> bool {
    let first = before(text, range.start);
    let second = before(text, range.start.saturating_sub(1));
    let (next, after) = (behind(text, range.end), behind(text, range.end + 1));
    let in_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let joined_before = match first {
        b'-' | b'.' => second.is_ascii_alphanumeric(),
        b'/' => second.is_ascii_digit(),
        b'+' => true,
        byte => in_word(byte),
    };
    let joined_behind = match next {
        b'-' => after.is_ascii_alphanumeric(),
        b'.' | b'/' => after.is_ascii_digit(),
        byte => in_word(byte),
    };
    !joined_before && !joined_behind
}

/// A word of capitals and digits that stands apart and that `judge` takes.
pub fn word(found: &Found<'_>, judge: fn(&[u8]) -> bool) -> Verdict {
    if stands_apart(found.text, &found.range) && judge(found.bytes()) {
        return found.yes();
    }
    // What begins further inside the same letters and digits does not stand apart either.
    let letters = found.text[found.range.start..].iter();
    let length = letters.take_while(|byte| byte.is_ascii_alphanumeric());
    Verdict::Reject(found.range.start + length.count().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<'t>(text: &'t str, shapes: &[&str]) -> Option<&'t str> {
        let found = Found {
            text: text.as_bytes(),
            range: 0..text.len(),
            path: None,
        };
        let start = text.find(|byte: char| byte.is_ascii_digit()).unwrap_or(0);
        let end = text
            .rfind(|byte: char| byte.is_ascii_digit())
            .map_or(0, |at| at + 1);
        let found = Found {
            range: start..end,
            ..found
        };
        match number(&found, shapes, |_| true) {
            Verdict::Redact(range) => Some(&text[range]),
            Verdict::Reject(_) => None,
        }
    }

    #[test]
    fn shapes_begin_with_a_group_and_stand_apart() {
        let shapes = &["ddd-ddd-ddd", "ddddddddd"];
        assert_eq!(taken("12 123-456-789 0", shapes), Some("123-456-789"));
        assert_eq!(taken("n=123456789.", shapes), Some("123456789"));
        assert_eq!(taken("1,123456789,2", shapes), Some("123456789"));
        assert_eq!(taken("/9/123456789 x", shapes), None);
        for line in [
            "1234567890",
            "0.123456789",
            "123456789.5",
            "a123456789",
            "123456789b",
            "x_123456789",
            "ab-123456789",
            "123456789-ab",
            "+123456789",
            "123 456 789",
            "123-456-7890",
        ] {
            assert_eq!(taken(line, shapes), None, "{line}");
        }
    }
}
