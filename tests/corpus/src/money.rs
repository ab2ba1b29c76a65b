//! Cards, bank accounts, addresses of cryptocurrencies.

use sha2::{Digest, Sha256};

use crate::chars::{
    HEX, UPPER, between, digits, in_one_of, joined, luhn, of, padded, shaped, text,
};
use crate::random::Random;
use crate::values::{Made, Row, bare, worded};

pub const ROWS: &[Row] = &[
    bare("CreditCardNumber", |r| {
        let number = card(r);
        Made::whole(match (number.len(), r.below(2)) {
            (16, 0) => in_one_of(r, &["dddd dddd dddd dddd", "dddd-dddd-dddd-dddd"], &number),
            (15, 0) => shaped("dddd dddddd ddddd", &number),
            (14, 0) => shaped("dddd dddddd dddd", &number),
            _ => text(&number),
        })
    }),
    bare("CreditCardMagneticStripe", |r| {
        let number = text(&card(r));
        let expiry = format!("{:02}{:02}", between(r, 26, 40), between(r, 1, 13));
        let rest = text(&digits(r, 10));
        match r.below(2) {
            0 => Made::within(";", format!("{number}={expiry}{rest}?"), ""),
            _ => Made::within(
                "%B",
                format!(
                    "{number}^{}/{}^{expiry}{rest}?",
                    of(r, UPPER, 6),
                    of(r, UPPER, 4)
                ),
                "",
            ),
        }
    }),
    bare("CreditCardSecurityCode", |r| {
        let code = text(&digits(r, 3));
        match r.below(4) {
            0 => Made::within("cvv: ", code, ""),
            1 => Made::within("CVC=", code, ""),
            2 => Made::within("card security code is ", code, ""),
            _ => Made::within("", code, " is the cvv"),
        }
    }),
    worded(
        "CreditCardExpiration",
        &["exp", "expiry", "expiration date", "valid thru"],
        |r| {
            let (month, year) = (between(r, 1, 13), between(r, 26, 40));
            Made::whole(match r.below(3) {
                0 => format!("{month:02}/{year}"),
                1 => format!("{month:02}/20{year}"),
                _ => format!("{month:02}-20{year}"),
            })
        },
    ),
    bare("BankAccountNumber-DE", |r| {
        iban(r, "DE", "dddddddddddddddddd")
    }),
    bare("BankAccountNumber-ES", |r| {
        iban(r, "ES", "dddddddddddddddddddd")
    }),
    bare("BankAccountNumber-FR", |r| {
        iban(r, "FR", "ddddddddddcccccccccccdd")
    }),
    bare("BankAccountNumber-GB", |r| {
        iban(r, "GB", "aaaadddddddddddddd")
    }),
    bare("BankAccountNumber-IT", |r| {
        iban(r, "IT", "addddddddddcccccccccccc")
    }),
    bare("Iban", |r| {
        let (country, shape) = *r.pick(&REGISTRY);
        iban(r, country, shape)
    }),
    worded(
        "RoutingNumber-US",
        &["routing", "routing number", "ABA", "aba_rtn"],
        |r| {
            let district = *r.pick(&[1, 5, 12, 21, 32, 61, 72, 80]);
            let body = joined(&padded(district, 2), &digits(r, 6));
            let total = 3 * (body[0] + body[3] + body[6])
                + 7 * (body[1] + body[4] + body[7])
                + body[2]
                + body[5];
            Made::whole(text(&joined(&body, &[(10 - total % 10) % 10])))
        },
    ),
    worded(
        "BankAccountNumber-US",
        &["bank account", "account number", "checking account"],
        |r| {
            let count = between(r, 8, 18) as usize;
            Made::whole(text(&digits(r, count)))
        },
    ),
    bare("CryptoAddress", |r| {
        Made::whole(match r.below(3) {
            0 => format!("0x{}", of(r, HEX, 40)),
            1 => base58_check(r),
            _ => bech32(r),
        })
    }),
];

/// Digits (`d`), capitals (`a`) and both (`c`) behind the check digits, for each country of the registry.
///
/// Source: SWIFT IBAN registry, <https://www.swift.com/standards/data-standards/iban>, read 2026-11-25.
const REGISTRY: [(&str, &str); 24] = [
    ("AT", "dddddddddddddddd"),
    ("BE", "dddddddddddd"),
    ("BG", "aaaaddddddcccccccc"),
    ("BR", "dddddddddddddddddddddddac"),
    ("CH", "dddddcccccccccccc"),
    ("CZ", "dddddddddddddddddddd"),
    ("DK", "dddddddddddddd"),
    ("EE", "dddddddddddddddd"),
    ("FI", "dddddddddddddd"),
    ("GR", "dddddddcccccccccccccccc"),
    ("HU", "dddddddddddddddddddddddd"),
    ("IE", "aaaadddddddddddddd"),
    ("IL", "ddddddddddddddddddd"),
    ("LU", "dddccccccccccccc"),
    ("MT", "aaaadddddcccccccccccccccccc"),
    ("NL", "aaaadddddddddd"),
    ("NO", "ddddddddddd"),
    ("PL", "dddddddddddddddddddddddd"),
    ("PT", "ddddddddddddddddddddd"),
    ("RO", "aaaacccccccccccccccc"),
    ("SA", "ddcccccccccccccccccc"),
    ("SE", "dddddddddddddddddddd"),
    ("TR", "ddddddcccccccccccccccc"),
    ("UA", "ddddddccccccccccccccccccc"),
];

/// Issuers' first digits with the lengths that they use.
fn card(r: &mut Random) -> Vec<u64> {
    let (first, last, count) = *r.pick(&[
        (4, 4, 16),
        (4, 4, 13),
        (4, 4, 19),
        (51, 55, 16),
        (2221, 2720, 16),
        (34, 34, 15),
        (37, 37, 15),
        (6011, 6011, 16),
        (644, 659, 16),
        (3528, 3589, 16),
        (300, 305, 14),
        (36, 36, 14),
        (62, 62, 16),
    ]);
    let issuer = between(r, first, last + 1).to_string();
    let issuer = padded(issuer.parse().expect("it is a number"), issuer.len());
    let body = joined(&issuer, &digits(r, count - 1 - issuer.len()));
    joined(&body, &[luhn(&body)])
}

fn iban(r: &mut Random, country: &str, shape: &str) -> Made {
    let body: String = shape
        .chars()
        .map(|place| match place {
            'd' => of(r, "0123456789", 1),
            'a' => of(r, UPPER, 1),
            _ => of(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 1),
        })
        .collect();
    // The remainder of the long number that the letters spell out, digit by digit.
    let spelled: String = format!("{body}{country}00")
        .chars()
        .map(|letter| letter.to_digit(36).expect("a digit or letter").to_string())
        .collect();
    let rest = spelled
        .bytes()
        .fold(0, |rest, byte| (rest * 10 + u64::from(byte - b'0')) % 97);
    let plain = format!("{country}{:02}{body}", 98 - rest);
    if r.below(2) == 0 {
        return Made::whole(plain);
    }
    let letters: Vec<char> = plain.chars().collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    Made::whole(groups.join(" "))
}

/// The number that the bytes are, in base 58 by long division; a zero byte in front is a `1`.
fn base58_check(r: &mut Random) -> String {
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![*r.pick(&[0u8, 5])];
    bytes.extend((0..20).map(|_| r.below(256) as u8));
    let check = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend_from_slice(&check[..4]);
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut made = Vec::new();
    while bytes.iter().any(|byte| *byte > 0) {
        let mut rest = 0u32;
        for byte in &mut bytes {
            let value = rest * 256 + u32::from(*byte);
            (*byte, rest) = ((value / 58) as u8, value % 58);
        }
        made.push(DIGITS[rest as usize]);
    }
    made.extend(std::iter::repeat_n(b'1', zeros));
    made.iter().rev().map(|byte| char::from(*byte)).collect()
}

/// A witness program of version 0, by the reference of BIP 173.
fn bech32(r: &mut Random) -> String {
    const DIGITS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let mut values: Vec<u64> = vec![0];
    values.extend((0..32).map(|_| r.below(32)));
    let mut all: Vec<u64> = vec![3, 3, 0, 2, 3];
    all.extend(&values);
    all.extend([0; 6]);
    let mut state: u64 = 1;
    for value in &all {
        let top = state / (1 << 25);
        state = (state % (1 << 25) * 32) ^ value;
        for (bit, generator) in [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
            .iter()
            .enumerate()
        {
            if top / (1 << bit) % 2 == 1 {
                state ^= generator;
            }
        }
    }
    state ^= 1;
    values.extend((0..6).map(|place| state / (1 << (5 * (5 - place))) % 32));
    let data: String = values
        .iter()
        .map(|value| char::from(DIGITS[*value as usize]))
        .collect();
    format!("bc1{data}")
}
