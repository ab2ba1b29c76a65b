//! Health: numbers of patients, providers, insurances, drugs and treatments.

use super::Group::Health;
use super::checksum::{digit, luhn, number as value, weighted};
use super::numbers::{NUMBER, number, stands_apart, word};
use super::{Rule, rule};
use crate::redact::validate::{Check, Found, Verdict};

const fn worded(id: &'static str, words: &'static [&'static str], check: Check) -> Rule {
    Rule {
        words,
        ..rule(id, Health, NUMBER, check)
    }
}

/// The table.
pub const RULES: &[Rule] = &[
    worded("NhsNumber-GB", &["nhs"], |found| {
        number(
            found,
            &["dddddddddd", "ddd ddd dddd", "ddd-ddd-dddd"],
            is_nhs,
        )
    }),
    worded(
        "NationalProviderId-US",
        &["npi", "nationalprovider", "providerid"],
        |found| number(found, &["dddddddddd"], is_npi),
    ),
    Rule {
        words: &["dea", "drugenforcement"],
        ..rule(
            "DrugEnforcementAgencyNumber-US",
            Health,
            "[ABCDEFGHJ-MPRSTUX][A-Z9][0-9]{7}",
            |found| word(found, is_dea),
        )
    },
    // Letters without S, L, O, I, B and Z. Source:
    // <https://www.cms.gov/medicare/new-medicare-card/understanding-the-mbi.pdf>, read 2026-11-25.
    rule(
        "MedicareBeneficiaryNumber-US",
        Health,
        "[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9](?:[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]|-[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y][0-9]-)[AC-HJKMNP-RT-Y]{2}[0-9]{2}",
        |found| word(found, |_| true),
    ),
    Rule {
        words: &[
            "hicn",
            "healthinsuranceclaim",
            "medicareclaim",
            "claimnumber",
        ],
        ..rule(
            "HealthInsuranceClaimNumber-US",
            Health,
            "[0-9]{3}-?[0-9]{2}-?[0-9]{4}-?[A-Z][0-9A-Z]?",
            |found| word(found, |_| true),
        )
    },
    worded("NationalDrugCode-US", &["ndc", "nationaldrug"], |found| {
        let shapes = &[
            "ddddd-dddd-dd",
            "dddd-dddd-dd",
            "ddddd-ddd-dd",
            "ddddd-dddd-d",
        ];
        number(found, shapes, |_| true)
    }),
    Rule {
        keys: &[
            "hcpcs",
            "hcpcs_code",
            "hcpcscode",
            "cpt",
            "cpt_code",
            "cptcode",
            "procedure_code",
            "procedurecode",
        ],
        ..rule(
            "HealthcareProcedureCode-US",
            Health,
            r#"(?i:hcpcs|cpt|procedure[ _-]?code)(?:[ _-]?(?i:codes?))?[\\"' \t:=#]{1,8}(?:[A-V][0-9]{4}|[0-9]{4}[0-9FTU])|(?i:hcpcs|cpt|procedure)(?:_?(?i:code))?" *:"#,
            procedure,
        )
    },
    // Source: <https://www.nhsbsa.nhs.uk/european-health-insurance-card-specification>, read 2026-11-25: issuers begin
    // with 80.
    worded(
        "HealthInsuranceCardNumber-EU",
        &[
            "ehic",
            "ceam",
            "healthcard",
            "healthinsurance",
            "krankenversicherung",
            "assurancemaladie",
            "assicurazionesanitaria",
            "tesserasanitaria",
            "tarjetasanitaria",
            "segurodesalud",
        ],
        |found| {
            number(found, &["dddddddddddddddddddd"], |digits| {
                digits.starts_with(b"80")
            })
        },
    ),
    worded(
        "PersonalHealthNumber-CA",
        &[
            "phn",
            "personalhealth",
            "healthcard",
            "carecard",
            "ohip",
            "ramq",
        ],
        |found| {
            let shapes = &[
                "dddddddddd",
                "dddd ddd ddd",
                "dddd-ddd-ddd",
                "ddddddddd",
                "ddddd-dddd",
            ];
            number(found, shapes, |_| true)
        },
    ),
    worded("Medicare-AU", &["medicare"], |found| {
        let shapes = &[
            "dddddddddd",
            "dddd ddddd d",
            "ddddddddddd",
            "dddd-ddddd-d",
            "dddd ddddd d/d",
        ];
        number(found, shapes, is_australian)
    }),
];

/// Weights 10 to 2, by 11; what leaves ten is not given out.
///
/// Source: <https://www.datadictionary.nhs.uk/attributes/nhs_number.html>, read 2026-11-25.
fn is_nhs(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    (11 - sum % 11) % 11 == digit(digits[9])
}

/// Luhn, with 80840 before it.
///
/// Source: <https://www.cms.gov/Regulations-and-Guidance/Administrative-Simplification/NationalProvIdentStand/Downloads/NPIcheckdigit.pdf>,
/// read 2026-11-25.
fn is_npi(digits: &[u8]) -> bool {
    let mut whole = *b"808400000000000";
    whole[5..].copy_from_slice(digits);
    matches!(digits[0], b'1' | b'2') && luhn(&whole)
}

/// Source: <https://en.wikipedia.org/wiki/DEA_number>, read 2026-11-25.
fn is_dea(word: &[u8]) -> bool {
    weighted(&word[2..8], &[1, 2, 1, 2, 1, 2]) % 10 == digit(word[8])
}

fn procedure(found: &Found<'_>) -> Verdict {
    if found.bytes().ends_with(b":") {
        return found.none_in_it();
    }
    let start = found.range.end - 5;
    let range = start..found.range.end;
    if found.before().is_ascii_alphabetic() || !stands_apart(found.text, &range) {
        return found.no();
    }
    Verdict::Redact(range)
}

/// The ninth digit checks the first eight; the last is the person on the card.
///
/// Source: <https://meteor.aihw.gov.au/content/270101>, read 2026-11-25.
fn is_australian(digits: &[u8]) -> bool {
    let sum = weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]);
    matches!(digits[0], b'2'..=b'6') && sum % 10 == digit(digits[8]) && value(&digits[9..]) > 0
}
