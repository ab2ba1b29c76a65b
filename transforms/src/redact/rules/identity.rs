//! Documents and dates of a person, and the number of a vehicle. None has a check digit everywhere: a word must be near.

use super::Group::Personal;
use super::numbers::{stands_apart, word};
use super::{Rule, rule};
use crate::redact::validate::{Found, Verdict};

/// The table.
pub const RULES: &[Rule] = &[
    Rule {
        words: &[
            "passport",
            "passeport",
            "reisepass",
            "pasaporte",
            "passaporto",
            "passnummer",
            "paspoort",
            "passaporte",
        ],
        ..rule("PassportNumber", Personal, "[A-Z0-9]{8,}", |found| {
            document(found, 8..=10)
        })
    },
    Rule {
        words: &[
            "driverlicense",
            "driverslicense",
            "driver'slicense",
            "driverlicence",
            "driverslicence",
            "drivinglicence",
            "drivinglicense",
            "dlnumber",
            "dl#",
            "permisdeconduire",
            "fuhrerschein",
            "führerschein",
            "permisodeconducir",
            "patente",
            "rijbewijs",
            "prawojazdy",
            "korkort",
            "körkort",
            "ajokortti",
            "kørekort",
            "cartadeconducao",
            "permisdeconducere",
            "vezetoiengedely",
        ],
        ..rule(
            "DriversLicense",
            Personal,
            "[A-Z0-9]{1,5}-?[0-9]{2}[A-Z0-9-]{2,}",
            |found| document(found, 5..=18),
        )
    },
    Rule {
        keys: &[
            "dob",
            "dateofbirth",
            "date_of_birth",
            "date-of-birth",
            "birthdate",
            "birth_date",
            "birthday",
            "bday",
        ],
        ..rule(
            "DateOfBirth",
            Personal,
            r#"(?i:dob|date[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)|b-?day|born)[^0-9]{0,20}(?:[0-9]{4}[ /.-][0-9]{1,2}[ /.-][0-9]{1,2}|[0-9]{1,2}[ /.-][0-9]{1,2}[ /.-][0-9]{2,4}|[0-9]{1,2}[ /.-]?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]{0,6}[ ,/.-]{1,2}[0-9]{2,4}|[0-9]{8})|(?i:dob|date[ _-]?of[ _-]?birth|birth[ _-]?(?:date|day)|b-?day|born)[^0-9]{0,20}(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[A-Za-z]{0,6}[ .]{1,2}[0-9]{1,2}[ ,]{1,2}[0-9]{4}|(?i:dob|date[_-]?of[_-]?birth|birth[_-]?date|birthday|bday)" *:"#,
            birth,
        )
    },
    // 17 characters without I, O and Q; only North America demands the check digit. Source:
    // <https://en.wikipedia.org/wiki/Vehicle_identification_number>, read 2026-11-25.
    Rule {
        words: &[
            "vin",
            "chassis",
            "vehicle",
            "vehicleidentification",
            "fahrgestell",
            "fin",
            "bastidor",
            "telaio",
        ],
        ..rule(
            "VehicleIdentificationNumber",
            Personal,
            "[A-HJ-NPR-Z0-9]{17}",
            |found| {
                word(found, |word| {
                    word.iter().any(u8::is_ascii_digit) && word[13..].iter().all(u8::is_ascii_digit)
                })
            },
        )
    },
];

/// A word of capitals and digits, with some digits in it, of one of these lengths without dashes.
fn document(found: &Found<'_>, lengths: std::ops::RangeInclusive<usize>) -> Verdict {
    let bytes = found.bytes();
    let tail = bytes.iter().rev().take_while(|byte| **byte == b'-').count();
    let range = found.range.start..found.range.end - tail;
    let letters = bytes.iter().filter(|byte| **byte != b'-').count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if lengths.contains(&letters) && digits >= 3 && stands_apart(found.text, &range) {
        return Verdict::Redact(range);
    }
    found.none_in_it()
}

/// The date behind the word.
fn birth(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let Some(digit) = bytes.iter().position(u8::is_ascii_digit) else {
        return found.none_in_it();
    };
    // The month may come first: then the date begins with the word before the first digit.
    let spaces = bytes[..digit]
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'.'))
        .count();
    let word = bytes[..digit - spaces]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let month = digit - spaces - word;
    const MONTHS: [&[u8]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let named = bytes
        .get(month..month + 3)
        .is_some_and(|head| MONTHS.iter().any(|month| head.eq_ignore_ascii_case(month)));
    let start = found.range.start + if named && month > 0 { month } else { digit };
    let range = start..found.range.end;
    if found.before().is_ascii_alphabetic() || !stands_apart(found.text, &range) {
        return found.no();
    }
    Verdict::Redact(range)
}
