//! The Americas: social security and tax numbers, postal codes.

use super::worded;
use crate::redact::rules::Group::Personal;
use crate::redact::rules::checksum::{
    digit, is_day, is_one_digit, luhn, number as value, weighted,
};
use crate::redact::rules::numbers::{NUMBER, number, stands_apart, word};
use crate::redact::rules::{Rule, rule};
use crate::redact::validate::{Found, Verdict};

/// Nine digits in the groups that [`american`] knows. A net for any groups would catch every date.
const NINE: &str = "[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{3} [0-9]{2} [0-9]{4}|[0-9]{9}";

/// The table.
pub const RULES: &[Rule] = &[
    Rule {
        apart: true,
        ..rule("Ssn-US", Personal, NINE, |found| {
            american(found, is_ssn, &["ssn", "socialsecurity", "socsec", "ss#"])
        })
    },
    Rule {
        apart: true,
        ..rule(
            "IndividualTaxIdentificationNumber-US",
            Personal,
            NINE,
            |found| american(found, is_itin, &["itin", "taxpayer", "taxid", "tin"]),
        )
    },
    Rule {
        keys: &["zip", "zipcode", "zip_code", "zip-code"],
        ..rule(
            "ZipCode-US",
            Personal,
            r#"(?i:zip)(?:[ _-]?(?i:code))?\\*["']?[ \t]{0,3}[:=#]?[ \t]{0,3}\\*["']?[0-9]{5}(?:-[0-9]{4})?|(?i:zip(?:[_-]?code)?)" *:"#,
            zip,
        )
    },
    worded(
        "SocialInsuranceNumber-CA",
        &["sin", "socialinsurance", "nas", "assurancesociale"],
        |found| number(found, &["ddddddddd", "ddd ddd ddd", "ddd-ddd-ddd"], is_sin),
    ),
    Rule {
        words: &[
            "permanentresident",
            "prcard",
            "residentcard",
            "residence",
            "residentpermanent",
        ],
        ..rule(
            "PermanentResidenceNumber-CA",
            Personal,
            "[A-Z]{2}(?:[0-9]{10}|[0-9]{7})",
            |found| word(found, |_| true),
        )
    },
    Rule {
        words: &["postal", "postcode", "zip", "codepostal"],
        ..rule(
            "PostalCode-CA",
            Personal,
            "[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z][ -]?[0-9][ABCEGHJ-NPRSTV-Z][0-9]",
            |found| word(found, |_| true),
        )
    },
    rule("CpfCode-BR", Personal, NUMBER, cpf),
    rule("Cnpj-BR", Personal, NUMBER, cnpj),
    Rule {
        words: &["rg", "registrogeral", "identidade"],
        ..rule(
            "RgNumber-BR",
            Personal,
            r"[0-9]{1,2}\.[0-9]{3}\.[0-9]{3}-[0-9Xx]",
            |found| word(found, |_| true),
        )
    },
    worded("CepCode-BR", &["cep", "enderecamento", "postal"], |found| {
        number(found, &["ddddd-ddd", "dd.ddd-ddd", "dddddddd"], |_| true)
    }),
    rule(
        "Curp-MX",
        Personal,
        "[A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]",
        |found| word(found, is_curp),
    ),
    worded("Cuit-AR", &["cuit", "cuil"], |found| {
        number(found, &["dd-dddddddd-d", "ddddddddddd"], is_cuit)
    }),
    Rule {
        words: &["rut", "run", "rolunico"],
        ..rule(
            "Rut-CL",
            Personal,
            r"[0-9]{1,2}(?:\.[0-9]{3}\.[0-9]{3}|[0-9]{6})-[0-9Kk]",
            |found| word(found, is_rut),
        )
    },
];

/// `ddd-dd-dddd`, or nine digits near a word that says what they are.
fn american(found: &Found<'_>, judge: fn(&[u8]) -> bool, words: &[&str]) -> Verdict {
    match number(found, &["ddd-dd-dddd"], judge) {
        Verdict::Reject(_) => {
            let bare = number(found, &["ddddddddd", "ddd dd dddd"], judge);
            found.near_or_none(bare, words)
        }
        dashed => dashed,
    }
}

/// Areas 000, 666 and from 900, group 00 and serial 0000 are not given out.
///
/// Source: <https://www.ssa.gov/employer/randomization.html>, read 2026-11-23.
fn is_ssn(digits: &[u8]) -> bool {
    let (area, group, serial) = (value(&digits[..3]), &digits[3..5], &digits[5..]);
    (1..900).contains(&area) && area != 666 && group != b"00" && serial != b"0000"
}

/// Areas from 900, and groups that are given to taxpayers without a social security number.
///
/// Source: <https://www.irs.gov/irm/part3/irm_03-021-263r>, read 2026-11-25.
fn is_itin(digits: &[u8]) -> bool {
    let group = value(&digits[3..5]);
    digits[0] == b'9' && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

fn zip(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let Some(digits) = bytes.iter().position(u8::is_ascii_digit) else {
        return found.none_in_it();
    };
    let range = found.range.start + digits..found.range.end;
    if found.before().is_ascii_alphabetic() || !stands_apart(found.text, &range) {
        return found.no();
    }
    Verdict::Redact(range)
}

/// Source: <https://www.canada.ca/en/employment-social-development/services/sin.html>, read 2026-11-25.
fn is_sin(digits: &[u8]) -> bool {
    luhn(digits) && !matches!(digits[0], b'0' | b'8')
}

/// The two check digits of CPF and CNPJ: sums with weights that grow from the right, by 11.
fn two_checks(digits: &[u8], weights: &[u32]) -> bool {
    let body = digits.len() - 2;
    let check = |count: usize| {
        let sum = weighted(&digits[..count], &weights[weights.len() - count..]);
        let rest = 11 - sum % 11;
        if rest > 9 { 0 } else { rest }
    };
    !is_one_digit(digits)
        && check(body) == digit(digits[body])
        && check(body + 1) == digit(digits[body + 1])
}

/// Source: <https://en.wikipedia.org/wiki/CPF_number>, read 2026-11-25.
fn is_cpf(digits: &[u8]) -> bool {
    two_checks(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// Source: <https://pt.wikipedia.org/wiki/Cadastro_Nacional_da_Pessoa_Jur%C3%ADdica>, read 2026-11-25.
fn is_cnpj(digits: &[u8]) -> bool {
    two_checks(digits, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
}

/// With its punctuation, or bare near a word.
fn cpf(found: &Found<'_>) -> Verdict {
    match number(found, &["ddd.ddd.ddd-dd"], is_cpf) {
        Verdict::Reject(_) => {
            let bare = number(found, &["ddddddddddd", "ddddddddd-dd"], is_cpf);
            found.near_or_none(bare, &["cpf", "pessoasfisicas", "pessoafisica"])
        }
        written => written,
    }
}

/// With its punctuation, or bare near a word.
fn cnpj(found: &Found<'_>) -> Verdict {
    match number(found, &["dd.ddd.ddd/dddd-dd"], is_cnpj) {
        Verdict::Reject(_) => {
            let bare = number(found, &["dddddddddddddd", "dddddddddddd-dd"], is_cnpj);
            found.near_or_none(bare, &["cnpj", "pessoajuridica"])
        }
        written => written,
    }
}

/// A date of birth, and a check digit over values of 0 to 36 (Ñ stands between N and O).
///
/// Source: <https://en.wikipedia.org/wiki/Unique_Population_Registry_Code>, read 2026-11-25.
fn is_curp(word: &[u8]) -> bool {
    let values = word[..17].iter().map(|byte| match byte {
        b'0'..=b'9' => digit(*byte),
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte - b'A') + 11,
    });
    let sum: u32 = values
        .zip((2..=18).rev())
        .map(|(value, weight)| value * weight)
        .sum();
    let month = value(&word[6..8]);
    is_day(month, value(&word[8..10])) && (10 - sum % 10) % 10 == digit(word[17])
}

/// Source: <https://es.wikipedia.org/wiki/Clave_%C3%9Anica_de_Identificaci%C3%B3n_Tributaria>, read 2026-11-25.
fn is_cuit(digits: &[u8]) -> bool {
    let kind = matches!(
        &digits[..2],
        b"20" | b"23" | b"24" | b"27" | b"30" | b"33" | b"34"
    );
    let sum = weighted(digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    kind && (11 - sum % 11) % 11 == digit(digits[10])
}

/// Source: <https://es.wikipedia.org/wiki/Rol_%C3%9Anico_Tributario>, read 2026-11-25.
fn is_rut(word: &[u8]) -> bool {
    let (check, body) = (word[word.len() - 1], &word[..word.len() - 2]);
    let digits = body.iter().rev().filter(|byte| byte.is_ascii_digit());
    let weights = (2..=7).cycle();
    let sum: u32 = digits
        .zip(weights)
        .map(|(byte, weight)| digit(*byte) * weight)
        .sum();
    match 11 - sum % 11 {
        11 => check == b'0',
        10 => check.eq_ignore_ascii_case(&b'k'),
        value => check.is_ascii_digit() && digit(check) == value,
    }
}
