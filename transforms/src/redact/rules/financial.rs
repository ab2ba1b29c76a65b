//! Payment cards, bank accounts, addresses of cryptocurrencies.

use super::Group::Financial;
use super::checksum::{digit, luhn, weighted};
use super::numbers::{NUMBER, number, stands_apart};
use super::{Rule, crypto, rule};
use crate::redact::keys::Link;
use crate::redact::validate::{Found, Verdict, before, behind};
use crate::redact::work::looked_at;

/// Two capitals, two digits, and 11 to 30 characters in groups or not.
const IBAN: &str = "[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}";

/// How far before its digits the name of a span's id may begin, in bytes.
const SPAN_NAME_BYTES: usize = 12;

/// The table.
pub const RULES: &[Rule] = &[
    // Tracks 1 and 2. Source: <https://en.wikipedia.org/wiki/ISO/IEC_7813>, read 2026-11-25.
    rule(
        "CreditCardMagneticStripe",
        Financial,
        r"[0-9]{13,19}(?:\^[^^\r\n]{2,26}\^|=)[0-9]{4}[0-9A-Za-z]*\??",
        stripe,
    ),
    rule(
        "CreditCardNumber",
        Financial,
        // No issuer's numbers begin with 0 or 1, and every time in milliseconds does.
        "[2-9](?:[ -]?[0-9]){12,}",
        card,
    ),
    Rule {
        keys: &[
            "cvv",
            "cvv2",
            "cvc",
            "cvc2",
            "csc",
            "*_cvv",
            "*_cvc",
            "*cardcvv",
            "*cardcvc",
            "*securitycode",
            "*security_code",
            "*security-code",
            "*verificationvalue",
            "*verification_value",
        ],
        ..rule(
            "CreditCardSecurityCode",
            Financial,
            r#"(?i:cvv|cvc|csc|cav2|cid|security[ _-]?code|verification[ _-]?(?:code|value|number))2?[^0-9]{0,28}[0-9]{3,4}|[0-9]{3,4}[^0-9]{1,16}(?i:cvv|cvc|csc|security[ _-]?code)|(?i:cvv2?|cvc2?|csc|security[_-]?code|verification_?value)" *:"#,
            security_code,
        )
    },
    Rule {
        keys: &[
            "*card_exp*",
            "*cardexp*",
            "cc_exp*",
            "ccexp*",
            "exp_month",
            "exp_year",
            "expmonth",
            "expyear",
        ],
        words: &[
            "exp",
            "expiry",
            "expires",
            "expiration",
            "expdate",
            "validthru",
            "validuntil",
            "goodthru",
        ],
        ..rule(
            "CreditCardExpiration",
            Financial,
            r#"(?:0[1-9]|1[0-2])(?: ?/ ?(?:20)?[0-9]{2}|-20[0-9]{2})|(?i:card_?exp[a-z_]*|cc_?exp[a-z_]*|exp_?(?:month|year))" *:"#,
            expiration,
        )
    },
    rule("BankAccountNumber-DE", Financial, IBAN, |found| {
        iban(found, "DE")
    }),
    rule("BankAccountNumber-ES", Financial, IBAN, |found| {
        iban(found, "ES")
    }),
    rule("BankAccountNumber-FR", Financial, IBAN, |found| {
        iban(found, "FR")
    }),
    rule("BankAccountNumber-GB", Financial, IBAN, |found| {
        iban(found, "GB")
    }),
    rule("BankAccountNumber-IT", Financial, IBAN, |found| {
        iban(found, "IT")
    }),
    rule("Iban", Financial, IBAN, |found| iban(found, "")),
    Rule {
        words: &["routing", "aba", "rtn", "transitnumber", "ach"],
        ..rule("RoutingNumber-US", Financial, NUMBER, |found| {
            number(found, &["ddddddddd", "dddd-dddd-d"], is_routing)
        })
    },
    Rule {
        words: &[
            "bankaccount",
            "bankacct",
            "checking",
            "savings",
            "accountnumber",
            "acctnumber",
            "accountno",
            "acctno",
            "depositaccount",
        ],
        ..rule("BankAccountNumber-US", Financial, NUMBER, |found| {
            let shapes = &[
                "ddddddddddddddddd",
                "dddddddddddddddd",
                "ddddddddddddddd",
                "dddddddddddddd",
                "ddddddddddddd",
                "dddddddddddd",
                "ddddddddddd",
                "dddddddddd",
                "ddddddddd",
                "dddddddd",
            ];
            number(found, shapes, |_| true)
        })
    },
    rule(
        "CryptoAddress",
        Financial,
        "(?:bc|tb)1[ac-hj-np-z02-9]{11,71}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9A-Fa-f]{40}",
        crypto::address,
    ),
];

/// A card's number, then its holder or nothing, its expiry, and what follows of the track.
fn stripe(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    let length = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let month = bytes
        .iter()
        .rposition(|byte| matches!(byte, b'^' | b'='))
        .map_or(0, |at| at + 3);
    let dated = matches!(
        bytes.get(month..month + 2),
        Some([b'0', b'1'..=b'9'] | [b'1', b'0'..=b'2'])
    );
    let first = found.before();
    let begins = matches!(first, b'B' | b'b') || !first.is_ascii_alphanumeric();
    if begins && dated && issued(&bytes[..length]) && luhn(&bytes[..length]) {
        found.yes()
    } else {
        found.no()
    }
}

/// Three or four digits beside the word; that may stand before or behind them.
fn security_code(found: &Found<'_>) -> Verdict {
    let bytes = found.bytes();
    if bytes.ends_with(b":") {
        return found.none_in_it();
    }
    let leads = !bytes[0].is_ascii_digit();
    let (word, code) = if leads {
        let digits = bytes
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (found.range.start, bytes.len() - digits..bytes.len())
    } else {
        let digits = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (found.range.start + digits, 0..digits)
    };
    let code = found.range.start + code.start..found.range.start + code.end;
    let glued =
        leads && before(found.text, word).is_ascii_alphabetic() && bytes[0].is_ascii_lowercase();
    let goes_on = !leads && found.behind().is_ascii_alphabetic();
    if glued || goes_on || !(3..=4).contains(&code.len()) || !stands_apart(found.text, &code) {
        return found.no();
    }
    Verdict::Redact(code)
}

fn expiration(found: &Found<'_>) -> Verdict {
    if found.bytes().ends_with(b":") || !stands_apart(found.text, &found.range) {
        return found.none_in_it();
    }
    found.yes()
}

/// Weights 3, 7 and 1 in turn, by 10; the first two digits are those of a district of the Federal Reserve.
///
/// Source: <https://en.wikipedia.org/wiki/ABA_routing_transit_number>, read 2026-11-25.
fn is_routing(digits: &[u8]) -> bool {
    let district = digit(digits[0]) * 10 + digit(digits[1]);
    let sum = weighted(digits, &[3, 7, 1, 3, 7, 1, 3, 7, 1]);
    matches!(district, 1..=12 | 21..=32 | 61..=72 | 80) && sum.is_multiple_of(10)
}

/// A payment card number: groups of digits that are one, in a run of digits.
///
/// A group of 13 to 19 digits needs an issuer that uses its length, and Luhn's check digit. Groups as printed on cards
/// (4-4-4-4, 4-6-5, 4-6-4, 4-4-4-4-3) with one kind of separator need the check digit alone where the run is nothing
/// else, and an issuer otherwise. Digits that belong to a word, a UUID or a decimal fraction are none.
///
/// Source: ISO/IEC 7812-1 for the check digit; <https://en.wikipedia.org/wiki/Payment_card_number>, read 2026-11-23,
/// for issuers.
fn card(found: &Found<'_>) -> Verdict {
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
        if issued(bytes)
            && luhn(bytes)
            && !in_a_word(text, start, end)
            && !is_span(found, start..end)
        {
            return Verdict::Redact(start..end);
        }
        start = end + 1;
    }
    found.none_in_it()
}

/// Whether sixteen digits are the id of a span: one id of hex digits in two thousand has digits alone, and its name
/// stands right before it or is its key.
fn is_span(found: &Found<'_>, digits: std::ops::Range<usize>) -> bool {
    const NAMES: [&[u8]; 2] = [b"span", b"spanid"];
    let named = |text: &[u8]| {
        let letters = text.iter().rev().filter(|byte| byte.is_ascii_alphabetic());
        NAMES.iter().any(|name| {
            let tail = letters.clone().take(name.len()).map(u8::to_ascii_lowercase);
            tail.eq(name.iter().rev().copied())
        })
    };
    let start = digits.start.saturating_sub(SPAN_NAME_BYTES);
    let keyed = |link: &Link<'_>| {
        let asked = digits.start == 0 && !link.is_long();
        looked_at(if asked { link.key.len() } else { 0 });
        asked && named(link.key)
    };
    digits.len() == 16 && (named(&found.text[start..digits.start]) || found.path.is_some_and(keyed))
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
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

/// An IBAN of one country, or of any where `country` is empty: its length and its remainder by 97.
///
/// Source: ISO 13616.
fn iban(found: &Found<'_>, country: &str) -> Verdict {
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
