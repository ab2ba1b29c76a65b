//! Judging what a pattern caught: the frame, and numbers with check digits.

use std::ops::Range;

use super::keys::Link;

/// How far from a match a word may stand that says what it is, in bytes.
pub const NEAR_BYTES: usize = 32;

/// Longest word that counts only where it stands for itself, in bytes.
const SHORT_WORD_BYTES: usize = 5;

/// What a pattern caught, in its text.
#[derive(Debug, Clone)]
pub struct Found<'t> {
    pub text: &'t [u8],
    pub range: Range<usize>,
    /// The keys of the JSON members that the text is the value of, innermost first.
    pub path: Option<&'t Link<'t>>,
}

impl<'t> Found<'t> {
    /// The bytes that were caught.
    pub fn bytes(&self) -> &'t [u8] {
        self.text.get(self.range.clone()).unwrap_or_default()
    }

    /// The byte before; 0 at the start of the text.
    pub fn before(&self) -> u8 {
        before(self.text, self.range.start)
    }

    /// The byte behind; 0 at the end of the text.
    pub fn behind(&self) -> u8 {
        behind(self.text, self.range.end)
    }

    /// Whether the match is no part of a longer word.
    pub fn stands_alone(&self) -> bool {
        !self.before().is_ascii_alphanumeric() && !self.behind().is_ascii_alphanumeric()
    }

    /// Whether the keys that lead to it, or the text up to `reach` bytes before or [`NEAR_BYTES`] behind, have one of
    /// these words: in lower case, compared without the separators `_`, `-`, `.` and space. A word of up to
    /// [`SHORT_WORD_BYTES`] bytes must be one there too: `pan` is not near `company`, but near `userPan`.
    pub fn is_near(&self, words: &[&str], reach: usize) -> bool {
        self.is_near_range(&self.range, words, reach)
    }

    fn is_near_range(&self, range: &Range<usize>, words: &[&str], reach: usize) -> bool {
        let text = self.text;
        let start = range.start.saturating_sub(reach);
        let end = (range.end + NEAR_BYTES).min(text.len());
        let holds = |text: &[u8], within: Range<usize>| {
            let mut words = words.iter();
            words.any(|word| holds_word(text, within.clone(), word.as_bytes()))
        };
        if holds(text, start..range.start) || holds(text, range.end..end) {
            return true;
        }
        let mut link = self.path;
        while let Some(member) = link {
            if holds(member.key, 0..member.key.len()) {
                return true;
            }
            link = member.parent;
        }
        false
    }

    /// What a check says of it; of what the check would take, one of the words must be near.
    pub fn judged(&self, check: Check, words: &[&str]) -> Verdict {
        match check(self) {
            Verdict::Redact(range)
                if !words.is_empty() && !self.is_near_range(&range, words, NEAR_BYTES) =>
            {
                Verdict::Reject(range.end)
            }
            verdict => verdict,
        }
    }

    /// Reject it, and look again from its second byte.
    pub fn no(&self) -> Verdict {
        Verdict::Reject(self.range.start + 1)
    }

    /// Reject all of it.
    pub fn none_in_it(&self) -> Verdict {
        Verdict::Reject(self.range.end)
    }

    /// Redact all of it.
    pub fn yes(&self) -> Verdict {
        Verdict::Redact(self.range.clone())
    }
}

/// The byte before an offset; 0 at the start.
pub fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(0)
}

/// The byte at an offset; 0 at the end.
pub fn behind(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Whether a part of `text` holds a lower-case word, in any case and with separators inside it.
fn holds_word(text: &[u8], within: Range<usize>, word: &[u8]) -> bool {
    let first = word.first().copied().unwrap_or_default();
    within.clone().any(|start| {
        text[start].to_ascii_lowercase() == first && holds_word_at(text, start..within.end, word)
    })
}

fn holds_word_at(text: &[u8], within: Range<usize>, word: &[u8]) -> bool {
    let (start, mut at) = (within.start, within.start);
    for letter in word {
        while at > start && at < within.end && matches!(text[at], b'_' | b'-' | b'.' | b' ') {
            at += 1;
        }
        if at >= within.end || text[at].to_ascii_lowercase() != *letter {
            return false;
        }
        at += 1;
    }
    word.len() > SHORT_WORD_BYTES || (is_border(text, start) && is_border(text, at))
}

/// Whether no word goes on over an offset: one side is no letter, or a capital follows what is none.
fn is_border(text: &[u8], at: usize) -> bool {
    let (first, next) = (before(text, at), behind(text, at));
    !first.is_ascii_alphabetic()
        || !next.is_ascii_alphabetic()
        || (first.is_ascii_lowercase() && next.is_ascii_uppercase())
}

/// What a check decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These bytes of the text go.
    Redact(Range<usize>),
    /// It is none; look again from here.
    Reject(usize),
}

/// Decides on one match. Total, and linear in the length of the match and a bounded distance around it.
pub type Check = fn(&Found<'_>) -> Verdict;

/// The shape is enough.
pub fn whole(found: &Found<'_>) -> Verdict {
    found.yes()
}

/// A payment card number: groups of digits that are one, in a run of digits.
///
/// A group of 13 to 19 digits needs an issuer that uses its length, and Luhn's check digit. Groups as printed on cards
/// (4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3) with one kind of separator need the check digit alone where the run is nothing
/// else, and an issuer otherwise. Digits that belong to a word, a UUID or a decimal fraction are none.
///
/// Source: ISO/IEC 7812-1 for the check digit; <https://en.wikipedia.org/wiki/Payment_card_number>, read 2026-11-23,
/// for issuers.
pub fn card(found: &Found<'_>) -> Verdict {
    const SHAPES: [&[usize]; 4] = [&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
    let (text, run) = (found.text, found.range.clone());
    let mut start = run.start;
    while start < run.end {
        let end = digits_end(text, start, run.end);
        for shape in SHAPES {
            if let Some(card_end) = shaped(text, start, run.end, shape) {
                let bytes = &text[start..card_end];
                let alone = start == run.start && card_end == run.end;
                let good = luhn(bytes) && text[start] != b'0' && (alone || issued(bytes));
                if good && !in_a_word(text, start, card_end) {
                    return Verdict::Redact(start..card_end);
                }
            }
        }
        let bytes = &text[start..end];
        if issued(bytes) && luhn(bytes) && !in_a_word(text, start, end) {
            return Verdict::Redact(start..end);
        }
        start = end + 1;
    }
    found.none_in_it()
}

fn digits_end(text: &[u8], start: usize, limit: usize) -> usize {
    let digits = text[start..limit]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    start + digits.count()
}

/// The end of groups of these sizes that begin at `start`, all with the same separator.
fn shaped(text: &[u8], start: usize, limit: usize, sizes: &[usize]) -> Option<usize> {
    let separator = behind(text, start + sizes[0]);
    let mut at = start;
    for (position, size) in sizes.iter().enumerate() {
        if position > 0 {
            if behind(text, at) != separator {
                return None;
            }
            at += 1;
        }
        if at > limit || digits_end(text, at, limit) != at + size {
            return None;
        }
        at += size;
    }
    Some(at)
}

/// Whether digits belong to a word, or are the fraction of a number.
fn in_a_word(text: &[u8], start: usize, end: usize) -> bool {
    let first = before(text, start);
    first.is_ascii_alphanumeric()
        || behind(text, end).is_ascii_alphanumeric()
        || (first == b'.' && before(text, start - 1).is_ascii_digit())
}

/// Whether an issuer gives out numbers that begin and are as long like this; separators do not count.
fn issued(bytes: &[u8]) -> bool {
    let mut prefix = 0u32;
    let mut length = 0;
    for digit in bytes.iter().filter(|byte| byte.is_ascii_digit()) {
        if length < 6 {
            prefix = prefix * 10 + u32::from(digit - b'0');
        }
        length += 1;
    }
    if !(13..=19).contains(&length) {
        return false;
    }
    match prefix {
        400_000..500_000 => matches!(length, 13 | 16 | 19),
        510_000..560_000 | 222_100..272_100 => length == 16,
        340_000..350_000 | 370_000..380_000 => length == 15,
        300_000..306_000 | 309_500..309_600 | 360_000..370_000 | 380_000..400_000 => {
            (14..=19).contains(&length)
        }
        352_800..359_000 => (16..=19).contains(&length),
        // Discover, Maestro and UnionPay share these.
        601_100..601_200 | 620_000..630_000 | 644_000..660_000 => (16..=19).contains(&length),
        501_800..501_900
        | 502_000..502_100
        | 503_800..503_900
        | 630_400..630_500
        | 675_900..676_000
        | 676_100..676_400 => true,
        220_000..220_500 => (16..=19).contains(&length),
        _ => false,
    }
}

/// The check digit of ISO/IEC 7812; separators do not count.
pub fn luhn(bytes: &[u8]) -> bool {
    let digits = bytes.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .enumerate()
        .map(|(position, byte)| {
            let digit = u32::from(byte - b'0');
            match (position % 2, digit * 2) {
                (0, _) => digit,
                (_, double @ 0..=9) => double,
                (_, double) => double - 9,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Lengths of IBANs by country.
///
/// Source: SWIFT IBAN registry, <https://www.swift.com/standards/data-standards/iban>, release 99, read 2026-11-23.
const IBAN_LENGTHS: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FO FI GL NL SD FK"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU XK MN"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ TL SO OM"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// An IBAN of one country, or of any where `country` is empty: its length and its remainder by 97.
///
/// Source: ISO 13616.
pub fn iban_of(found: &Found<'_>, country: &str) -> Verdict {
    let bytes = found.bytes();
    let code = &bytes[..2];
    if found.before().is_ascii_alphanumeric() || (!country.is_empty() && code != country.as_bytes())
    {
        return found.no();
    }
    let wanted = IBAN_LENGTHS.iter().find(|(_, countries)| {
        let mut codes = countries.split(' ');
        codes.any(|country| country.as_bytes() == code)
    });
    let Some(&(wanted, _)) = wanted else {
        return found.no();
    };
    let mut count = 0;
    let length = bytes.iter().position(|byte| {
        count += usize::from(*byte != b' ');
        count == wanted
    });
    let Some(length) = length.map(|last| last + 1) else {
        return found.no();
    };
    let end = found.range.start + length;
    if behind(found.text, end).is_ascii_alphanumeric() || !remainder_is_one(&bytes[..length]) {
        return found.no();
    }
    Verdict::Redact(found.range.start..end)
}

/// Mod 97 over the characters behind the first four, then those; letters count from 10.
fn remainder_is_one(bytes: &[u8]) -> bool {
    let (head, rest) = bytes.split_at(4);
    let remainder = rest
        .iter()
        .chain(head)
        .filter_map(|byte| char::from(*byte).to_digit(36))
        .fold(0u32, |remainder, value| {
            let shifted = if value < 10 { 10 } else { 100 };
            (remainder * shifted + value) % 97
        });
    remainder == 1
}
