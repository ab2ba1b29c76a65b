//! Europe, numbers of digits alone.

use super::worded;
use crate::redact::rules::Group::Personal;
use crate::redact::rules::checksum::{
    digit, ean, is_day, is_one_digit, luhn, mod_11_10, month_and_day, number as value, weighted,
};
use crate::redact::rules::numbers::{NUMBER, number};
use crate::redact::rules::{Rule, rule};

/// The table.
pub const RULES: &[Rule] = &[
    worded(
        "TaxId-GB",
        &["utr", "uniquetaxpayer", "taxreference", "taxid"],
        |found| number(found, &["dddddddddd", "ddddd ddddd"], is_utr),
    ),
    worded("TaxId-FR", &["spi", "fiscal", "taxid", "impots"], |found| {
        number(found, &["ddddddddddddd", "dd dd ddd ddd ddd"], is_spi)
    }),
    // Source: <https://de.wikipedia.org/wiki/Steuerliche_Identifikationsnummer>, read 2026-11-25.
    worded("TaxId-DE", &["steuer", "taxid", "tin", "idnr"], |found| {
        number(found, &["ddddddddddd", "dd ddd ddd ddd"], is_steuer_id)
    }),
    worded(
        "PartitaIva-IT",
        &["partitaiva", "piva", "iva", "vat"],
        |found| {
            number(found, &["ddddddddddd"], |digits| {
                luhn(digits) && !is_one_digit(digits)
            })
        },
    ),
    worded(
        "Ssn-ES",
        &[
            "seguridadsocial",
            "nuss",
            "naf",
            "ssn",
            "socialsecurity",
            "afiliacion",
        ],
        |found| {
            let shapes = &[
                "dddddddddddd",
                "dd/dddddddd/dd",
                "dd dddddddd dd",
                "dd-dddddddd-dd",
            ];
            number(found, shapes, is_spanish_ssn)
        },
    ),
    worded(
        "Nif-PT",
        &["nif", "contribuinte", "nipc", "taxid"],
        |found| number(found, &["ddddddddd", "ddd ddd ddd"], is_portuguese),
    ),
    worded(
        "Bsn-NL",
        &["bsn", "burgerservice", "sofi", "citizenservice"],
        |found| number(found, &["ddddddddd", "dddd.dd.ddd"], is_bsn),
    ),
    rule("NationalNumber-BE", Personal, NUMBER, |found| {
        number(
            found,
            &["ddddddddddd", "dd.dd.dd-ddd.dd", "dd dd dd ddd dd"],
            is_belgian,
        )
    }),
    worded(
        "SocialInsuranceNumber-AT",
        &[
            "svnr",
            "sozialversicherung",
            "svnummer",
            "versicherungsnummer",
        ],
        |found| number(found, &["dddddddddd", "dddd dddddd"], is_austrian),
    ),
    // Source: <https://en.wikipedia.org/wiki/National_identification_number#Switzerland>, read 2026-11-25.
    rule("Ahv-CH", Personal, NUMBER, |found| {
        number(found, &["ddd.dddd.dddd.dd", "ddddddddddddd"], |digits| {
            digits.starts_with(b"756") && ean(digits)
        })
    }),
    worded(
        "Personnummer-SE",
        &[
            "personnummer",
            "personnr",
            "pnr",
            "samordningsnummer",
            "ssn",
            "personalid",
        ],
        |found| {
            let shapes = &["dddddd-dddd", "dddddddd-dddd", "dddddddddddd", "dddddddddd"];
            number(found, shapes, is_swedish)
        },
    ),
    // Source: <https://en.wikipedia.org/wiki/Personal_identification_number_(Denmark)>, read 2026-11-25. Since 2007
    // numbers without a valid check digit are given out.
    worded("Cpr-DK", &["cpr", "personnummer"], |found| {
        number(found, &["dddddd-dddd", "dddddddddd"], |digits| {
            month_and_day(&digits[2..4], &digits[..2])
        })
    }),
    rule("Fodselsnummer-NO", Personal, NUMBER, |found| {
        number(found, &["ddddddddddd", "dddddd ddddd"], is_norwegian)
    }),
    worded("Pesel-PL", &["pesel"], |found| {
        number(found, &["ddddddddddd"], is_pesel)
    }),
    worded("Nip-PL", &["nip", "podatkow", "vat"], |found| {
        let shapes = &["dddddddddd", "ddd-ddd-dd-dd", "ddd-dd-dd-ddd"];
        number(found, shapes, is_nip)
    }),
    worded(
        "BirthNumber-CZ",
        &["rodne", "rodné", "birthnumber", "rc"],
        |found| number(found, &["dddddd/dddd", "dddddddddd"], is_czech),
    ),
    worded("Cnp-RO", &["cnp", "codnumeric"], |found| {
        number(found, &["ddddddddddddd"], is_romanian)
    }),
    worded("Egn-BG", &["egn", "edinengrazhdanski"], |found| {
        number(found, &["dddddddddd"], is_bulgarian)
    }),
    // Source: <https://en.wikipedia.org/wiki/Personal_identification_number_(Croatia)>, read 2026-11-25.
    worded("Oib-HR", &["oib", "osobniidentifikacijski"], |found| {
        number(found, &["ddddddddddd"], |digits| {
            mod_11_10(digits) && !is_one_digit(digits)
        })
    }),
    // Source: <https://www.oecd.org/tax/automatic-exchange/crs-implementation-and-assistance/tax-identification-numbers/Greece-TIN.pdf>,
    // read 2026-11-25.
    worded("Amka-GR", &["amka"], |found| {
        number(found, &["ddddddddddd"], |digits| {
            luhn(digits) && month_and_day(&digits[2..4], &digits[..2])
        })
    }),
    worded(
        "PersonalCode-EE",
        &["isikukood", "asmenskodas", "personalcode", "idcode"],
        |found| number(found, &["ddddddddddd"], is_baltic),
    ),
    worded(
        "IdentityNumber-TR",
        &["tckn", "tckimlik", "kimlik"],
        |found| number(found, &["ddddddddddd"], is_turkish),
    ),
];

/// The first digit checks the others.
///
/// Source: <https://design.tax.service.gov.uk/hmrc-design-patterns/unique-taxpayer-reference/>, read 2026-11-25; weights from
/// <https://arthurdejong.org/python-stdnum/doc/1.20/stdnum.gb.utr>.
fn is_utr(digits: &[u8]) -> bool {
    let sum = weighted(&digits[1..], &[6, 7, 8, 9, 10, 5, 4, 3, 2]);
    b"21987654321"[(sum % 11) as usize] == digits[0]
}

/// The last three are the remainder of the first ten by 511.
///
/// Source: <https://www.oecd.org/tax/automatic-exchange/crs-implementation-and-assistance/tax-identification-numbers/France-TIN.pdf>,
/// read 2026-11-25.
fn is_spi(digits: &[u8]) -> bool {
    digits[0] <= b'3' && value(&digits[..10]) % 511 == value(&digits[10..])
}

/// One digit of the first ten is there twice or three times, the others at most once.
fn is_steuer_id(digits: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    for byte in &digits[..10] {
        counts[digit(*byte) as usize] += 1;
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or_default();
    digits[0] != b'0' && repeated == 1 && most <= 3 && mod_11_10(digits)
}

/// Province and number by 97; a number below ten million counts as one of seven digits.
///
/// Source: <https://es.wikipedia.org/wiki/N%C3%BAmero_de_la_Seguridad_Social>, read 2026-11-25.
fn is_spanish_ssn(digits: &[u8]) -> bool {
    let (province, number) = (value(&digits[..2]), value(&digits[2..10]));
    let scale = if number < 10_000_000 {
        10_000_000
    } else {
        100_000_000
    };
    matches!(province, 1..=66) && (province * scale + number) % 97 == value(&digits[10..])
}

/// Source: <https://pt.wikipedia.org/wiki/N%C3%BAmero_de_identifica%C3%A7%C3%A3o_fiscal>, read 2026-11-25.
fn is_portuguese(digits: &[u8]) -> bool {
    let rest = 11 - weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest > 9 { 0 } else { rest };
    !matches!(digits[0], b'0' | b'4' | b'7') && check == digit(digits[8])
}

/// Source: <https://nl.wikipedia.org/wiki/Burgerservicenummer>, read 2026-11-25.
fn is_bsn(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * digit(digits[8]);
    sum.is_multiple_of(11) && !is_one_digit(digits)
}

/// 97 less the remainder of the first nine; from the year 2000 on with a 2 before them. Twenty or forty is added to the
/// month of one who is not a resident.
///
/// Source: <https://en.wikipedia.org/wiki/National_identification_number#Belgium>, read 2026-11-25.
fn is_belgian(digits: &[u8]) -> bool {
    let (body, check) = (value(&digits[..9]), value(&digits[9..]));
    let (month, day) = (value(&digits[2..4]), value(&digits[4..6]));
    let dated = month < 53 && is_day(month % 20, day);
    dated
        && [body, 2_000_000_000 + body]
            .iter()
            .any(|number| 97 - number % 97 == check)
}

/// The fourth digit checks the others; then the date of birth.
///
/// Source: <https://de.wikipedia.org/wiki/Sozialversicherungsnummer#%C3%96sterreich>, read 2026-11-25.
fn is_austrian(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let dated = month_and_day(&digits[6..8], &digits[4..6]) || value(&digits[6..8]) > 12;
    digits[0] != b'0' && dated && sum % 11 == digit(digits[3])
}

/// Luhn over the last ten. Sixty is added to the day of a coordination number.
///
/// Source: <https://www.skatteverket.se/privat/folkbokforing/personnummer.4.3810a01c150939e893f18c29.html>, read 2026-11-25.
fn is_swedish(digits: &[u8]) -> bool {
    let short = &digits[digits.len() - 10..];
    let day = value(&short[4..6]);
    let day = if day > 60 { day - 60 } else { day };
    let century = digits.len() == 10 || matches!(&digits[..2], b"18" | b"19" | b"20");
    century && is_day(value(&short[2..4]), day) && luhn(short)
}

/// Two check digits by 11. Forty is added to the day of a D number, and to the month of an auxiliary one.
///
/// Source: <https://www.skatteetaten.no/en/person/national-registry/identitetsnummer/>, read 2026-11-25.
fn is_norwegian(digits: &[u8]) -> bool {
    let (day, month) = (value(&digits[..2]), value(&digits[2..4]));
    let first = weighted(digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    is_day(month % 40, day % 40) && first.is_multiple_of(11) && second.is_multiple_of(11)
}

/// The century is added to the month, 20 for each.
///
/// Source: <https://www.gov.pl/web/gov/czym-jest-numer-pesel>, read 2026-11-25.
fn is_pesel(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    is_day(value(&digits[2..4]) % 20, value(&digits[4..6])) && sum.is_multiple_of(10)
}

/// Source: <https://pl.wikipedia.org/wiki/Numer_identyfikacji_podatkowej>, read 2026-11-25.
fn is_nip(digits: &[u8]) -> bool {
    weighted(digits, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == digit(digits[9]) && !is_one_digit(digits)
}

/// Divisible by 11, but that a remainder of 10 was once written as 0. Fifty, twenty or seventy is added to the month.
///
/// Source: <https://cs.wikipedia.org/wiki/Rodn%C3%A9_%C4%8D%C3%ADslo>, read 2026-11-25.
fn is_czech(digits: &[u8]) -> bool {
    let month = match value(&digits[2..4]) {
        month @ (21..=32 | 71..=82) => month % 50 - 20,
        month => month % 50,
    };
    let whole = value(digits).is_multiple_of(11);
    let old = value(&digits[..9]) % 11 == 10 && digits[9] == b'0';
    is_day(month, value(&digits[4..6])) && (whole || old)
}

/// Source: <https://en.wikipedia.org/wiki/National_identification_number#Romania>, read 2026-11-25.
fn is_romanian(digits: &[u8]) -> bool {
    let rest = weighted(digits, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if rest == 10 { 1 } else { rest };
    digits[0] != b'0' && month_and_day(&digits[3..5], &digits[5..7]) && check == digit(digits[12])
}

/// Twenty or forty is added to the month of other centuries.
///
/// Source: <https://en.wikipedia.org/wiki/Unique_citizenship_number>, read 2026-11-25.
fn is_bulgarian(digits: &[u8]) -> bool {
    let check = weighted(digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    is_day(value(&digits[2..4]) % 20, value(&digits[4..6])) && check == digit(digits[9])
}

/// Estonia and Lithuania: two rounds of weights, the second where the first leaves 10.
///
/// Source: <https://en.wikipedia.org/wiki/National_identification_number#Estonia>, read 2026-11-25.
fn is_baltic(digits: &[u8]) -> bool {
    let first = weighted(digits, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(digits, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = if first < 10 { first } else { second % 10 };
    let dated = month_and_day(&digits[3..5], &digits[5..7]);
    matches!(digits[0], b'1'..=b'8') && dated && check == digit(digits[10])
}

/// Source: <https://tr.wikipedia.org/wiki/T%C3%BCrkiye_Cumhuriyeti_kimlik_numaras%C4%B1>, read 2026-11-25.
fn is_turkish(digits: &[u8]) -> bool {
    let odd: u32 = digits[..9].iter().step_by(2).map(|byte| digit(*byte)).sum();
    let even: u32 = digits[1..8]
        .iter()
        .step_by(2)
        .map(|byte| digit(*byte))
        .sum();
    let tenth = (odd * 7 + 90 - even) % 10;
    digits[0] != b'0' && tenth == digit(digits[9]) && (odd + even + tenth) % 10 == digit(digits[10])
}
