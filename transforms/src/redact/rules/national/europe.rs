//! Europe, numbers with letters in them.

use crate::redact::rules::Group::Personal;
use crate::redact::rules::checksum::{digit, is_day, number as value, weighted};
use crate::redact::rules::numbers::word;
use crate::redact::rules::{Rule, rule};
use crate::redact::validate::{Found, Verdict};

/// The table.
pub const RULES: &[Rule] = &[
    rule(
        "NationalInsuranceNumber-GB",
        Personal,
        "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:[0-9]{6}| ?[0-9]{2} [0-9]{2} [0-9]{2} ?)[A-D]",
        national_insurance,
    ),
    // Surname, date of birth with 50 added to the month of a woman, initials.
    // Source: <https://en.wikipedia.org/wiki/Driving_licence_in_the_United_Kingdom>, read 2026-11-25.
    rule(
        "DriversLicense-GB",
        Personal,
        "[A-Z][A-Z9]{4}[0-9][0156][0-9][0-3][0-9]{2}[A-Z9]{2}[0-9A-Z][A-Z]{2}",
        |found| word(found, is_british_licence),
    ),
    Rule {
        words: &["pps", "ppsn", "personalpublicservice"],
        ..rule("Pps-IE", Personal, "[0-9]{7}[A-W][A-IW]?", |found| {
            word(found, is_pps)
        })
    },
    rule(
        "InseeCode-FR",
        Personal,
        "[1-4] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        |found| word(found, is_insee),
    ),
    Rule {
        words: &["ausweis", "idcard", "personalid", "ausweisnummer"],
        ..rule(
            "NationalIdentificationNumber-DE",
            Personal,
            "[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}[0-9]",
            |found| word(found, is_german_card),
        )
    },
    rule(
        "NationalIdentificationNumber-IT",
        Personal,
        "[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        |found| word(found, is_codice_fiscale),
    ),
    Rule {
        words: &["dni", "nif", "identidad", "nationalid", "fiscal", "taxid"],
        ..rule(
            "NifNumber-ES",
            Personal,
            "[0-9]{8}[ -]?[A-HJ-NP-TV-Z]",
            |found| word(found, |word| is_spanish(value(&word[..8]), word)),
        )
    },
    rule(
        "NieNumber-ES",
        Personal,
        "[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]",
        |found| word(found, is_nie),
    ),
    // Source: <https://dvv.fi/en/personal-identity-code>, read 2026-11-25.
    rule(
        "Hetu-FI",
        Personal,
        "[0-9]{6}[+A-FU-Y-][0-9]{3}[0-9A-FHJ-NPR-Y]",
        |found| word(found, is_hetu),
    ),
];

/// Written in groups, or near a word. Some pairs of letters are not given out.
///
/// Source: <https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110>, read 2026-11-25.
fn national_insurance(found: &Found<'_>) -> Verdict {
    const NEVER: [&[u8]; 7] = [b"BG", b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    let verdict = word(found, |word| !NEVER.contains(&&word[..2]));
    if found.bytes().contains(&b' ') {
        return verdict;
    }
    found.near_or_none(verdict, &["nino", "nationalinsurance", "ninumber"])
}

fn is_british_licence(word: &[u8]) -> bool {
    let month = value(&word[6..8]);
    is_day(month % 50, value(&word[8..10]))
}

/// Weights 8 to 2, and 9 for the second letter, by 23.
///
/// Source: <https://en.wikipedia.org/wiki/Personal_Public_Service_Number>, read 2026-11-25.
fn is_pps(word: &[u8]) -> bool {
    let second = word.get(8).map_or(0, |letter| u32::from(letter - b'A') + 1);
    let second = if second == 23 { 0 } else { second };
    let sum = weighted(&word[..7], &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    b"WABCDEFGHIJKLMNOPQRSTUV"[(sum % 23) as usize] == word[7]
}

/// 97 less the number's remainder by 97; 2A and 2B are Corsica and count as 19 and 18.
///
/// Source: <https://fr.wikipedia.org/wiki/Num%C3%A9ro_de_s%C3%A9curit%C3%A9_sociale_en_France>, read 2026-11-25.
fn is_insee(word: &[u8]) -> bool {
    let mut digits = [0; 15];
    let letters = word.iter().filter(|byte| **byte != b' ');
    for (slot, byte) in digits.iter_mut().zip(letters) {
        *slot = *byte;
    }
    match digits[6] {
        b'A' => digits[5..7].copy_from_slice(b"19"),
        b'B' => digits[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    let month = value(&digits[3..5]);
    let known = matches!(month, 1..=12 | 20 | 30..=42 | 50..=99);
    known && 97 - value(&digits[..13]) % 97 == value(&digits[13..])
}

/// Weights 7, 3 and 1 in turn, letters from 10, by 10.
///
/// Source: <https://de.wikipedia.org/wiki/Ausweisnummer>, read 2026-11-25.
fn is_german_card(word: &[u8]) -> bool {
    let values = word[..9].iter().map(|byte| match byte {
        b'0'..=b'9' => digit(*byte),
        _ => u32::from(byte - b'A') + 10,
    });
    let sum: u32 = values
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(value, weight)| value * weight)
        .sum();
    sum % 10 == digit(word[9])
}

/// The check letter of the Italian tax code. A digit may be written as one of ten letters where two codes would clash.
///
/// Source: <https://it.wikipedia.org/wiki/Codice_fiscale>, read 2026-11-25.
fn is_codice_fiscale(word: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let rank = |byte: u8| match byte {
        b'0'..=b'9' => digit(byte),
        _ => u32::from(byte - b'A'),
    };
    let sum: u32 = word[..15]
        .iter()
        .enumerate()
        .map(|(position, byte)| match position % 2 {
            0 => ODD[rank(*byte) as usize],
            _ => rank(*byte),
        })
        .sum();
    sum % 26 == u32::from(word[15] - b'A')
}

/// The letter of the number's remainder by 23.
///
/// Source: <https://www.interior.gob.es/opencms/en/servicios-al-ciudadano/tramites-y-gestiones/dni/calculo-del-digito-de-control-del-nif-nie/>,
/// read 2026-11-25.
fn is_spanish(number: u64, word: &[u8]) -> bool {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize] == word[word.len() - 1]
}

/// X, Y and Z stand for 0, 1 and 2.
fn is_nie(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit());
    let number = digits.fold(u64::from(word[0] - b'X'), |number, byte| {
        number * 10 + u64::from(digit(*byte))
    });
    is_spanish(number, word)
}

fn is_hetu(word: &[u8]) -> bool {
    let mut digits = [0; 9];
    digits[..6].copy_from_slice(&word[..6]);
    digits[6..].copy_from_slice(&word[7..10]);
    let check = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(value(&digits) % 31) as usize];
    is_day(value(&word[2..4]), value(&word[..2])) && check == word[10]
}
