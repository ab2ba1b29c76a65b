//! Check digits and dates. All take ASCII digits, without separators.

/// The value of one digit.
pub fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

/// The digits as one number; 19 digits at most.
pub fn number(digits: &[u8]) -> u64 {
    let values = digits.iter().map(|byte| u64::from(digit(*byte)));
    values.fold(0, |number, value| number.wrapping_mul(10) + value)
}

/// Each digit times its weight, added up; the longer of both is cut.
pub fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    let pairs = digits.iter().zip(weights);
    pairs.map(|(byte, weight)| digit(*byte) * weight).sum()
}

/// The check digit of ISO/IEC 7812; what is no digit does not count.
pub fn luhn(bytes: &[u8]) -> bool {
    let digits = bytes.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .enumerate()
        .map(|(position, byte)| match (position % 2, digit(*byte) * 2) {
            (0, double) => double / 2,
            (_, double @ 0..=9) => double,
            (_, double) => double - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The check digit of Verhoeff, over the dihedral group of order ten.
///
/// Source: <https://en.wikipedia.org/wiki/Verhoeff_algorithm>, read 2026-11-25.
pub fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTED: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut sum = 0;
    for (position, byte) in digits.iter().rev().enumerate() {
        let mut value = digit(*byte) as u8;
        for _ in 0..position % 8 {
            value = PERMUTED[usize::from(value)];
        }
        sum = dihedral(sum, value);
    }
    sum == 0
}

/// Rotations are 0 to 4, reflections 5 to 9.
fn dihedral(first: u8, next: u8) -> u8 {
    match (first < 5, next < 5) {
        (true, true) => (first + next) % 5,
        (true, false) => (first + next - 5) % 5 + 5,
        (false, true) => (first + 5 - next) % 5 + 5,
        (false, false) => (first + 5 - next) % 5,
    }
}

/// ISO 7064, MOD 11,10.
pub fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let product = rest.iter().fold(10, |product, byte| {
        let sum = (digit(*byte) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (digit(*check) + product) % 10 == 1
}

/// The check digit of EAN-13: weights 1 and 3 in turn.
pub fn ean(digits: &[u8]) -> bool {
    let sum = digits.iter().enumerate();
    let sum: u32 = sum
        .map(|(position, byte)| digit(*byte) * if position % 2 == 0 { 1 } else { 3 })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether two digits each are a month and a day of it, in any year.
pub fn month_and_day(month: &[u8], day: &[u8]) -> bool {
    is_day(number(month), number(day))
}

/// Whether a month has such a day, in any year.
pub fn is_day(month: u64, day: u64) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Whether all digits are the same one, which passes many checks and means nothing.
pub fn is_one_digit(digits: &[u8]) -> bool {
    digits.iter().all(|byte| Some(byte) == digits.first())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_pass_and_one_digit_off_does_not() {
        assert!(luhn(b"79927398713") && !luhn(b"79927398710"));
        assert!(verhoeff(b"2363") && !verhoeff(b"2364") && !verhoeff(b"3263"));
        assert!(mod_11_10(b"86095742719") && !mod_11_10(b"86095742718"));
        assert!(ean(b"4006381333931") && !ean(b"4006381333932"));
        assert_eq!(weighted(b"123", &[3, 2, 1]), 10);
        assert_eq!(number(b"0042"), 42);
        assert!(
            is_day(2, 29) && !is_day(2, 30) && !is_day(13, 1) && !is_day(4, 31) && !is_day(1, 0)
        );
    }
}
