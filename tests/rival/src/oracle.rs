//! What the rival finds by a checksum, we find too, but for what is explained here.

use crate::corpus::Random;
use crate::ours::Ours;
use crate::theirs::Theirs;

/// Numbers that are made up.
const COUNT: u64 = 20_000;

/// Numbers of payment cards and of bank accounts, right and wrong, as the rival judges them and as we do.
///
/// Two differences are meant. It takes any 16 digits in a row whose check digit is right, so one in ten of all; we ask
/// that an issuer gives out numbers that begin and are as long like this, unless they are grouped as on a card. And it
/// takes an account number of any country that it knows, while a country that we do not know of is none.
pub fn agrees() -> bool {
    let rival = Theirs::validated();
    let mut ours = Ours::new(&["CreditCardNumber", "Iban"]);
    let mut random = Random::new(7);
    let (mut both, mut theirs_only, mut unexplained) = (0, 0, 0);
    for _ in 0..COUNT {
        let (text, known) = made_up(&mut random);
        if !rival.finds(&text) {
            continue;
        }
        match (ours.text(&text) != text, known) {
            (true, _) => both += 1,
            (false, false) => theirs_only += 1,
            (false, true) => {
                println!("found by the rival alone: {text}");
                unexplained += 1;
            }
        }
    }
    println!(
        "of {COUNT} made-up numbers both find {both}; the rival alone {theirs_only} that no issuer gives out; \
         unexplained {unexplained}"
    );
    unexplained == 0 && both > 1_000
}

/// A number in a text, and whether an issuer or country gives it out if its check digits are right.
fn made_up(random: &mut Random) -> (String, bool) {
    let prefix = random.of(&["4", "51", "55", "2223", "6011", "3530"]);
    let express = random.of(&["34", "37"]);
    let (number, known) = match random.below(4) {
        0 => (iban(random), true),
        1 => (card(random, "9", 16), false),
        2 => (card(random, prefix, 16), true),
        _ => (card(random, express, 15), true),
    };
    (format!("paid with {number} today"), known)
}

/// A card number whose check digit is right in half of all cases, in groups in a third.
fn card(random: &mut Random, prefix: &str, length: usize) -> String {
    let mut digits: Vec<u8> = prefix.bytes().map(|byte| byte - b'0').collect();
    while digits.len() < length - 1 {
        digits.push(random.below(10) as u8);
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| doubled(at, *digit))
        .sum();
    let check = (10 - sum % 10) % 10;
    digits.push(if random.below(2) == 0 {
        check as u8
    } else {
        random.below(10) as u8
    });
    let grouped = prefix != "9" && length == 16 && random.below(3) == 0;
    let mut text = String::new();
    for (at, digit) in digits.iter().enumerate() {
        if grouped && at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(char::from(b'0' + digit));
    }
    text
}

fn doubled(at: usize, digit: u8) -> u32 {
    let value = u32::from(digit) * if at.is_multiple_of(2) { 2 } else { 1 };
    if value > 9 { value - 9 } else { value }
}

/// A German or Dutch account number whose check digits are right in half of all cases.
fn iban(random: &mut Random) -> String {
    let (country, bank, digits) = if random.below(2) == 0 {
        ("DE", String::new(), 18)
    } else {
        ("NL", "ABNA".to_owned(), 10)
    };
    let account = bank
        + &(0..digits)
            .map(|_| char::from(b'0' + random.below(10) as u8))
            .collect::<String>();
    let remainder = format!("{account}{country}00")
        .chars()
        .fold(0, |remainder, character| {
            let value = character.to_digit(36).unwrap_or(0);
            (remainder * if value < 10 { 10 } else { 100 } + value) % 97
        });
    let check = if random.below(2) == 0 {
        98 - remainder
    } else {
        random.below(97) as u32 + 2
    };
    format!("{country}{check:02}{account}")
}
