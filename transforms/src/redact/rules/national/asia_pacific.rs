//! Asia, the Pacific and Africa.

use super::worded;
use crate::redact::rules::Group::Personal;
use crate::redact::rules::checksum::{
    digit, is_one_digit, luhn, month_and_day, number as value, verhoeff, weighted,
};
use crate::redact::rules::numbers::{number, word};
use crate::redact::rules::{Rule, rule};

/// The table.
pub const RULES: &[Rule] = &[
    // Source: <https://uidai.gov.in/en/my-aadhaar/about-your-aadhaar.html>, read 2026-11-25.
    worded(
        "Aadhaar-IN",
        &["aadhaar", "aadhar", "uidai", "uid"],
        |found| {
            let shapes = &["dddddddddddd", "dddd dddd dddd", "dddd-dddd-dddd"];
            number(found, shapes, |digits| {
                digits[0] >= b'2' && verhoeff(digits)
            })
        },
    ),
    // The fourth letter is the kind of holder. Source:
    // <https://en.wikipedia.org/wiki/Permanent_account_number>, read 2026-11-25.
    rule(
        "Pan-IN",
        Personal,
        "[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]",
        |found| word(found, |word| &word[5..9] != b"0000"),
    ),
    rule(
        "ResidentId-CN",
        Personal,
        "[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9X]",
        |found| word(found, is_chinese),
    ),
    worded(
        "MyNumber-JP",
        &[
            "mynumber",
            "individualnumber",
            "kojinbango",
            "個人番号",
            "マイナンバー",
        ],
        |found| {
            let shapes = &["dddddddddddd", "dddd dddd dddd", "dddd-dddd-dddd"];
            number(found, shapes, is_japanese)
        },
    ),
    // Date of birth, century and sex. Numbers given out since October 2020 have no check digit. Source:
    // <https://en.wikipedia.org/wiki/Resident_registration_number>, read 2026-11-25.
    worded(
        "Rrn-KR",
        &[
            "rrn",
            "residentregistration",
            "jumin",
            "주민등록번호",
            "foreignregistration",
        ],
        |found| {
            number(found, &["dddddd-ddddddd", "ddddddddddddd"], |digits| {
                month_and_day(&digits[2..4], &digits[4..6])
            })
        },
    ),
    rule("Nric-SG", Personal, "[FGMST][0-9]{7}[A-Z]", |found| {
        word(found, is_nric)
    }),
    rule(
        "Hkid-HK",
        Personal,
        r"[A-Z]{1,2}[0-9]{6}\([0-9A]\)",
        |found| word(found, is_hkid),
    ),
    Rule {
        words: &["nationalid", "idcard", "taiwanid", "身分證", "統一編號"],
        ..rule("NationalId-TW", Personal, "[A-Z][1289][0-9]{8}", |found| {
            word(found, is_taiwanese)
        })
    },
    worded(
        "NationalId-TH",
        &["thaiid", "citizenid", "nationalid", "idcard", "บัตรประชาชน"],
        |found| {
            number(
                found,
                &["ddddddddddddd", "d-dddd-ddddd-dd-d", "d dddd ddddd dd d"],
                is_thai,
            )
        },
    ),
    // Source: <https://en.wikipedia.org/wiki/Malaysian_identity_card>, read 2026-11-25.
    worded(
        "MyKad-MY",
        &["mykad", "nric", "kadpengenalan", "icnumber"],
        |found| {
            number(found, &["dddddd-dd-dddd", "dddddddddddd"], |digits| {
                month_and_day(&digits[2..4], &digits[4..6])
            })
        },
    ),
    worded("Tfn-AU", &["tfn", "taxfile"], |found| {
        number(
            found,
            &["ddddddddd", "ddd ddd ddd", "ddd-ddd-ddd", "dddddddd"],
            is_tfn,
        )
    }),
    worded("Abn-AU", &["abn", "businessnumber"], |found| {
        number(found, &["ddddddddddd", "dd ddd ddd ddd"], is_abn)
    }),
    worded("Ird-NZ", &["ird", "inlandrevenue"], |found| {
        let shapes = &["ddddddddd", "ddd-ddd-ddd", "dd-ddd-ddd", "dddddddd"];
        number(found, shapes, is_ird)
    }),
    // Source: <https://en.wikipedia.org/wiki/Israeli_identity_card>, read 2026-11-25.
    worded(
        "IdentityNumber-IL",
        &["teudat", "zehut", "israeliid", "תעודתזהות"],
        |found| {
            number(found, &["ddddddddd", "dddddddd-d"], |digits| {
                luhn(digits) && !is_one_digit(digits)
            })
        },
    ),
    // Source: <https://en.wikipedia.org/wiki/South_African_identity_card>, read 2026-11-25.
    worded(
        "IdentityNumber-ZA",
        &["rsaid", "idnumber", "identitynumber", "southafrican"],
        |found| {
            number(found, &["ddddddddddddd", "dddddd dddd ddd"], |digits| {
                month_and_day(&digits[2..4], &digits[4..6])
                    && matches!(digits[10], b'0'..=b'2')
                    && luhn(digits)
            })
        },
    ),
];

/// Region, date of birth, serial; MOD 11-2 with X for ten.
///
/// Source: <https://en.wikipedia.org/wiki/Resident_Identity_Card>, read 2026-11-25.
fn is_chinese(word: &[u8]) -> bool {
    let sum = weighted(
        &word[..17],
        &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2],
    );
    month_and_day(&word[10..12], &word[12..14]) && b"10X98765432"[(sum % 11) as usize] == word[17]
}

/// Source: <https://en.wikipedia.org/wiki/Individual_Number>, read 2026-11-25.
fn is_japanese(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest <= 1 { 0 } else { 11 - rest };
    check == digit(digits[11]) && !is_one_digit(digits)
}

/// Source: <https://en.wikipedia.org/wiki/National_Registration_Identity_Card#Structure_of_the_NRIC_number/FIN>, read
/// 2026-11-25.
fn is_nric(word: &[u8]) -> bool {
    let sum = weighted(&word[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    let (letters, shift): (&[u8; 11], u32) = match word[0] {
        b'S' => (b"JZIHGFEDCBA", 0),
        b'T' => (b"JZIHGFEDCBA", 4),
        b'F' => (b"XWUTRQPNMLK", 0),
        b'G' => (b"XWUTRQPNMLK", 4),
        _ => (b"XWUTRQPNJLK", 3),
    };
    letters[((sum + shift) % 11) as usize] == word[8]
}

/// Letters count from 10 and a missing first one 36; weights 9 to 1, by 11.
///
/// Source: <https://en.wikipedia.org/wiki/Hong_Kong_identity_card#HKID_number>, read 2026-11-25.
fn is_hkid(word: &[u8]) -> bool {
    let missing = (word.len() == 10).then_some(36);
    let rest = word
        .iter()
        .filter_map(|byte| char::from(*byte).to_digit(36));
    let values = missing.into_iter().chain(rest);
    let sum: u32 = values
        .zip((1..=9).rev())
        .map(|(value, weight)| value * weight)
        .sum();
    sum.is_multiple_of(11)
}

/// The letter counts as two digits, of the place.
///
/// Source: <https://en.wikipedia.org/wiki/National_identification_card_(Taiwan)>, read 2026-11-25.
fn is_taiwanese(word: &[u8]) -> bool {
    const PLACES: [u32; 26] = [
        10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32,
        30, 31, 33,
    ];
    let place = PLACES[usize::from(word[0] - b'A')];
    let sum = place / 10 + place % 10 * 9 + weighted(&word[1..], &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    sum.is_multiple_of(10)
}

/// Source: <https://en.wikipedia.org/wiki/Thai_identity_card>, read 2026-11-25.
fn is_thai(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    digits[0] != b'0' && (11 - sum % 11) % 10 == digit(digits[12])
}

/// Source: <https://en.wikipedia.org/wiki/Tax_file_number>, read 2026-11-25.
fn is_tfn(digits: &[u8]) -> bool {
    let weights: &[u32] = match digits.len() {
        9 => &[1, 4, 3, 7, 5, 8, 6, 9, 10],
        _ => &[10, 7, 8, 4, 6, 3, 5, 1],
    };
    weighted(digits, weights).is_multiple_of(11) && !is_one_digit(digits)
}

/// One is taken from the first digit; by 89.
///
/// Source: <https://abr.business.gov.au/Help/AbnFormat>, read 2026-11-25.
fn is_abn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    digits[0] != b'0' && (sum - 10).is_multiple_of(89)
}

/// Eight or nine digits; a second round of weights where the first leaves ten.
///
/// Source: <https://arthurdejong.org/python-stdnum/doc/1.20/stdnum.nz.ird>, read 2026-11-25.
fn is_ird(digits: &[u8]) -> bool {
    let (body, check) = (&digits[..digits.len() - 1], digits[digits.len() - 1]);
    let skip = 8 - body.len();
    let round = |weights: [u32; 8]| (11 - weighted(body, &weights[skip..]) % 11) % 11;
    let first = round([3, 2, 7, 6, 5, 4, 3, 2]);
    let value_of_check = if first < 10 {
        first
    } else {
        round([7, 4, 3, 2, 5, 2, 7, 6])
    };
    let given = (10_000_000..150_000_000).contains(&value(digits));
    given && value_of_check == digit(check)
}
