//! Random characters, digits in shapes, and sums for check digits.

use crate::random::Random;

pub const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
pub const LOWER_DIGITS: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
pub const UPPER_DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
pub const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
pub const URL64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
pub const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
pub const HEX: &str = "0123456789abcdef";

/// So many characters of an alphabet; the first and the last are letters or digits.
pub fn of(random: &mut Random, alphabet: &str, count: usize) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let plain: Vec<char> = alphabet
        .chars()
        .filter(|letter| letter.is_alphanumeric())
        .collect();
    (0..count)
        .map(|at| {
            let edge = at == 0 || at + 1 == count;
            *random.pick(if edge { &plain } else { &letters })
        })
        .collect()
}

/// A number from `start` to before `end`.
pub fn between(random: &mut Random, start: u64, end: u64) -> u64 {
    start + random.below(end - start)
}

/// So many digits.
pub fn digits(random: &mut Random, count: usize) -> Vec<u64> {
    (0..count).map(|_| random.below(10)).collect()
}

/// So many digits, the first from these.
pub fn digits_from(random: &mut Random, first: &[u64], count: usize) -> Vec<u64> {
    let mut made = digits(random, count);
    made[0] = *random.pick(first);
    made
}

/// The digits of a number, with zeros before it.
pub fn padded(number: u64, count: usize) -> Vec<u64> {
    let text = format!("{number:0count$}");
    text.bytes().map(|byte| u64::from(byte - b'0')).collect()
}

/// Digits one after the other as a number.
pub fn value(digits: &[u64]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + digit)
}

/// Digits written one after the other.
pub fn text(digits: &[u64]) -> String {
    digits.iter().map(u64::to_string).collect()
}

/// Digits in the places of `d`, all else as it is.
pub fn shaped(shape: &str, digits: &[u64]) -> String {
    let mut rest = digits.iter();
    let text: String = shape
        .chars()
        .map(|place| match place {
            'd' => rest.next().expect("a digit for each place").to_string(),
            other => other.to_string(),
        })
        .collect();
    assert!(rest.next().is_none(), "{shape} has no place for all digits");
    text
}

/// Digits in one of several shapes.
pub fn in_one_of(random: &mut Random, shapes: &[&str], digits: &[u64]) -> String {
    let count = digits.len();
    let fits = |shape: &&str| shape.matches('d').count() == count;
    let fitting: Vec<&str> = shapes.iter().copied().filter(fits).collect();
    let shape = *random.pick(&fitting);
    shaped(shape, digits)
}

/// Each digit times a weight, added up.
pub fn sum(digits: &[u64], weights: &[u64]) -> u64 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

/// The digit that makes a number pass Luhn's test behind these.
pub fn luhn(digits: &[u64]) -> u64 {
    let mut total = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        let doubled = if place % 2 == 0 { digit * 2 } else { *digit };
        total += doubled / 10 + doubled % 10;
    }
    (10 - total % 10) % 10
}

/// A date of the last hundred years: year, month, day.
pub fn date(random: &mut Random) -> (u64, u64, u64) {
    (
        between(random, 1930, 2025),
        between(random, 1, 13),
        between(random, 1, 29),
    )
}

/// Two digits each of a date, in the order that `order` gives: `y` the year in its century, `m`, `d`.
pub fn dated(order: &str, (year, month, day): (u64, u64, u64)) -> Vec<u64> {
    order
        .chars()
        .flat_map(|part| match part {
            'y' => padded(year % 100, 2),
            'm' => padded(month, 2),
            _ => padded(day, 2),
        })
        .collect()
}

/// Both lists one behind the other.
pub fn joined(first: &[u64], next: &[u64]) -> Vec<u64> {
    [first, next].concat()
}

/// Base64 of bytes, without padding.
pub fn base64(bytes: &[u8], alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    bits.chunks(6)
        .map(|chunk| {
            let mut index = 0;
            for place in 0..6 {
                index = index * 2 + usize::from(chunk.get(place).copied().unwrap_or(0));
            }
            alphabet[index]
        })
        .collect()
}
