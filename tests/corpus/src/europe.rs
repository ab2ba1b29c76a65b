//! Numbers of persons and firms in Europe.

use crate::chars::{
    UPPER, between, date, dated, digits, digits_from, in_one_of, joined, luhn, of, padded, shaped,
    sum, text, value,
};
use crate::random::Random;
use crate::values::{Made, Row, bare, worded};

pub const ROWS: &[Row] = &[
    bare("NationalInsuranceNumber-GB", |r| {
        let d = digits(r, 6);
        Made::whole(format!(
            "{} {} {}",
            nino_prefix(r),
            shaped("dd dd dd", &d),
            of(r, "ABCD", 1)
        ))
    }),
    worded(
        "NationalInsuranceNumber-GB",
        &["nino", "NINO", "national insurance number"],
        |r| {
            Made::whole(format!(
                "{}{}{}",
                nino_prefix(r),
                text(&digits(r, 6)),
                of(r, "ABCD", 1)
            ))
        },
    ),
    bare("DriversLicense-GB", |r| {
        let (year, month, day) = date(r);
        let count = between(r, 2, 6) as usize;
        let surname = format!("{:9<5}", of(r, UPPER, count));
        let month = month + 50 * r.below(2);
        let decade = year % 100 / 10;
        Made::whole(format!(
            "{surname}{decade}{month:02}{day:02}{}{}9{}{}",
            year % 10,
            of(r, UPPER, 1),
            r.below(10),
            of(r, UPPER, 2)
        ))
    }),
    worded(
        "TaxId-GB",
        &["utr", "UTR", "unique taxpayer reference"],
        |r| {
            let body = digits(r, 9);
            let rest = sum(&body, &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
            let first = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1][rest as usize];
            Made::whole(in_one_of(
                r,
                &["dddddddddd", "ddddd ddddd"],
                &joined(&[first], &body),
            ))
        },
    ),
    worded("Pps-IE", &["pps", "PPSN", "PPS number"], |r| {
        let body = digits(r, 7);
        let second = *r.pick(&["", "A", "H"]);
        let extra = match second {
            "A" => 9,
            "H" => 72,
            _ => 0,
        };
        let total = sum(&body, &[8, 7, 6, 5, 4, 3, 2]) + extra;
        let letter = char::from(b"WABCDEFGHIJKLMNOPQRSTUV"[(total % 23) as usize]);
        Made::whole(format!("{}{letter}{second}", text(&body)))
    }),
    bare("InseeCode-FR", |r| {
        let (year, month, _) = date(r);
        let department = *r.pick(&["13", "2A", "2B", "75", "97"]);
        let head = format!("{}{:02}{month:02}", between(r, 1, 3), year % 100);
        let tail = text(&digits(r, 6));
        let number = format!(
            "{head}{}{tail}",
            department.replace("2A", "19").replace("2B", "18")
        );
        let check = 97 - number.parse::<u64>().expect("it is a number") % 97;
        Made::whole(match r.below(2) {
            0 => format!("{head}{department}{tail}{check:02}"),
            _ => format!(
                "{} {} {} {department} {} {} {check:02}",
                &head[..1],
                &head[1..3],
                &head[3..],
                &tail[..3],
                &tail[3..]
            ),
        })
    }),
    worded(
        "TaxId-FR",
        &["spi", "numéro fiscal", "numeroFiscal"],
        |r| {
            let body = digits_from(r, &[0, 1, 2, 3], 10);
            let number = joined(&body, &padded(value(&body) % 511, 3));
            Made::whole(in_one_of(
                r,
                &["ddddddddddddd", "dd dd ddd ddd ddd"],
                &number,
            ))
        },
    ),
    worded(
        "TaxId-DE",
        &[
            "Steuer-ID",
            "steuerId",
            "Steueridentifikationsnummer",
            "IdNr",
        ],
        |r| {
            let number = steuer_id(r);
            Made::whole(in_one_of(r, &["ddddddddddd", "dd ddd ddd ddd"], &number))
        },
    ),
    worded(
        "NationalIdentificationNumber-DE",
        &["Ausweis", "Personalausweis", "ausweisnummer"],
        |r| {
            let body = format!(
                "{}{}",
                of(r, "LMNPRTVWXY", 1),
                of(r, "CFGHJKLMNPRTVWXYZ0123456789", 8)
            );
            let total: u64 = body
                .chars()
                .zip([7, 3, 1, 7, 3, 1, 7, 3, 1])
                .map(|(letter, weight)| {
                    u64::from(letter.to_digit(36).expect("a digit or letter")) * weight
                })
                .sum();
            Made::whole(format!("{body}{}", total % 10))
        },
    ),
    bare("NationalIdentificationNumber-IT", |r| {
        Made::whole(codice_fiscale(r))
    }),
    worded(
        "PartitaIva-IT",
        &["P.IVA", "partita iva", "partitaIva"],
        |r| {
            let body = digits(r, 10);
            Made::whole(text(&joined(&body, &[luhn(&body)])))
        },
    ),
    worded("NifNumber-ES", &["dni", "DNI", "NIF"], |r| {
        let number = r.below(100_000_000);
        Made::whole(format!("{number:08}{}", spanish(number)))
    }),
    bare("NieNumber-ES", |r| {
        let (first, number) = (r.below(3), r.below(10_000_000));
        let letter = spanish(first * 10_000_000 + number);
        Made::whole(format!(
            "{}{number:07}{letter}",
            ["X", "Y", "Z"][first as usize]
        ))
    }),
    worded("Ssn-ES", &["seguridad social", "NUSS", "naf"], |r| {
        let (province, number) = (between(r, 1, 53), r.below(100_000_000));
        let joint = if number < 10_000_000 {
            province * 10_000_000
        } else {
            province * 100_000_000
        } + number;
        let number = [
            padded(province, 2),
            padded(number, 8),
            padded(joint % 97, 2),
        ]
        .concat();
        Made::whole(in_one_of(r, &["dddddddddddd", "dd/dddddddd/dd"], &number))
    }),
    worded("Nif-PT", &["nif", "NIF", "contribuinte"], |r| {
        let body = digits_from(r, &[1, 2, 3, 5, 6, 8, 9], 8);
        let rest = sum(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        let number = joined(&body, &[if rest < 2 { 0 } else { 11 - rest }]);
        Made::whole(in_one_of(r, &["ddddddddd", "ddd ddd ddd"], &number))
    }),
    worded("Bsn-NL", &["bsn", "BSN", "burgerservicenummer"], |r| {
        let number = loop {
            let body = digits_from(r, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 8);
            let check = sum(&body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
            if check < 10 {
                break joined(&body, &[check]);
            }
        };
        Made::whole(text(&number))
    }),
    bare("NationalNumber-BE", |r| {
        let born = date(r);
        let body = joined(&dated("ymd", born), &padded(between(r, 1, 998), 3));
        let century = if born.0 < 2000 { 0 } else { 2_000_000_000 };
        let number = joined(&body, &padded(97 - (century + value(&body)) % 97, 2));
        Made::whole(in_one_of(r, &["ddddddddddd", "dd.dd.dd-ddd.dd"], &number))
    }),
    worded(
        "SocialInsuranceNumber-AT",
        &["SVNR", "svnr", "Sozialversicherungsnummer"],
        |r| {
            let number = loop {
                let born = date(r);
                let serial = padded(between(r, 100, 1000), 3);
                let born = dated("dmy", born);
                let total = sum(&serial, &[3, 7, 9]) + sum(&born, &[5, 8, 4, 2, 1, 6]);
                if total % 11 < 10 {
                    break [serial, vec![total % 11], born].concat();
                }
            };
            Made::whole(in_one_of(r, &["dddddddddd", "dddd dddddd"], &number))
        },
    ),
    bare("Ahv-CH", |r| {
        let body = joined(&[7, 5, 6], &digits(r, 9));
        let total: u64 = body
            .iter()
            .enumerate()
            .map(|(place, digit)| digit * [1, 3][place % 2])
            .sum();
        let number = joined(&body, &[(10 - total % 10) % 10]);
        Made::whole(in_one_of(
            r,
            &["ddd.dddd.dddd.dd", "ddddddddddddd"],
            &number,
        ))
    }),
    worded(
        "Personnummer-SE",
        &["personnummer", "pnr", "personnr"],
        |r| {
            let born = date(r);
            let body = joined(&dated("ymd", born), &digits(r, 3));
            let short = joined(&body, &[luhn(&body)]);
            let long = joined(&padded(born.0 / 100, 2), &short);
            Made::whole(match r.below(3) {
                0 => shaped("dddddd-dddd", &short),
                1 => shaped("dddddddd-dddd", &long),
                _ => text(&long),
            })
        },
    ),
    worded("Cpr-DK", &["cpr", "CPR-nummer"], |r| {
        let born = date(r);
        let number = joined(&dated("dmy", born), &digits(r, 4));
        Made::whole(in_one_of(r, &["dddddddddd", "dddddd-dddd"], &number))
    }),
    bare("Fodselsnummer-NO", |r| {
        let number = loop {
            let born = date(r);
            let body = joined(&dated("dmy", born), &digits(r, 3));
            let first = (11 - sum(&body, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
            let ten = joined(&body, &[first]);
            let second = (11 - sum(&ten, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            if first < 10 && second < 10 {
                break joined(&ten, &[second]);
            }
        };
        Made::whole(in_one_of(r, &["ddddddddddd", "dddddd ddddd"], &number))
    }),
    bare("Hetu-FI", |r| {
        let born = date(r);
        let head = dated("dmy", born);
        let serial = padded(between(r, 2, 900), 3);
        let sign = if born.0 < 2000 { "-" } else { "A" };
        let number = value(&joined(&head, &serial));
        let check = char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize]);
        Made::whole(format!("{}{sign}{}{check}", text(&head), text(&serial)))
    }),
    worded("Pesel-PL", &["pesel", "PESEL"], |r| {
        let (year, month, day) = date(r);
        let month = if year < 2000 { month } else { month + 20 };
        let body = joined(&dated("ymd", (year, month, day)), &digits(r, 4));
        let total: u64 = body
            .iter()
            .zip([1, 3, 7, 9].iter().cycle())
            .map(|(digit, weight)| digit * weight)
            .sum();
        Made::whole(text(&joined(&body, &[(10 - total % 10) % 10])))
    }),
    worded("Nip-PL", &["nip", "NIP"], |r| {
        let number = loop {
            let body = digits_from(r, &[1, 5, 6, 7, 8, 9], 9);
            let check = sum(&body, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
            if check < 10 {
                break joined(&body, &[check]);
            }
        };
        Made::whole(in_one_of(r, &["dddddddddd", "ddd-ddd-dd-dd"], &number))
    }),
    worded(
        "BirthNumber-CZ",
        &["rodné číslo", "rodne cislo", "birth number"],
        |r| {
            let number = loop {
                let (year, month, day) = date(r);
                let month = month + 50 * r.below(2);
                let number = joined(&dated("ymd", (year, month, day)), &digits(r, 4));
                if value(&number).is_multiple_of(11) {
                    break number;
                }
            };
            Made::whole(in_one_of(r, &["dddddddddd", "dddddd/dddd"], &number))
        },
    ),
    worded("Cnp-RO", &["cnp", "CNP"], |r| {
        let born = date(r);
        let sex = between(r, 1, 7);
        let body = [
            vec![sex],
            dated("ymd", born),
            padded(between(r, 1, 53), 2),
            padded(between(r, 1, 1000), 3),
        ]
        .concat();
        let rest = sum(&body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        Made::whole(text(&joined(&body, &[if rest == 10 { 1 } else { rest }])))
    }),
    worded("Egn-BG", &["egn", "EGN"], |r| {
        let (year, month, day) = date(r);
        let month = if year < 2000 { month } else { month + 40 };
        let body = joined(&dated("ymd", (year, month, day)), &digits(r, 3));
        let rest = sum(&body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11;
        Made::whole(text(&joined(&body, &[rest % 10])))
    }),
    worded("Oib-HR", &["oib", "OIB"], |r| {
        let body = digits(r, 10);
        Made::whole(text(&joined(&body, &[mod_11_10(&body)])))
    }),
    worded("Amka-GR", &["amka", "AMKA"], |r| {
        let born = date(r);
        let body = joined(&dated("dmy", born), &digits(r, 4));
        Made::whole(text(&joined(&body, &[luhn(&body)])))
    }),
    worded(
        "PersonalCode-EE",
        &["isikukood", "asmens kodas", "personal code"],
        |r| {
            let born = date(r);
            let sex = if born.0 < 2000 { [3, 4] } else { [5, 6] };
            let body = [vec![*r.pick(&sex)], dated("ymd", born), digits(r, 3)].concat();
            let rest = match sum(&body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
                10 => sum(&body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
                rest => rest,
            };
            Made::whole(text(&joined(&body, &[rest])))
        },
    ),
    worded("IdentityNumber-TR", &["tckn", "TC Kimlik No"], |r| {
        let d = digits_from(r, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 9);
        let odd = d[0] + d[2] + d[4] + d[6] + d[8];
        let even = d[1] + d[3] + d[5] + d[7];
        let tenth = (odd * 7 + 100 - even) % 10;
        Made::whole(text(&[d, vec![tenth, (odd + even + tenth) % 10]].concat()))
    }),
];

fn nino_prefix(r: &mut Random) -> String {
    loop {
        let prefix = format!(
            "{}{}",
            of(r, "ABCEGHJKLMNOPRSTWXYZ", 1),
            of(r, "ABCEGHJKLMNPRSTWXYZ", 1)
        );
        if !["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"].contains(&prefix.as_str()) {
            return prefix;
        }
    }
}

fn spanish(number: u64) -> char {
    char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize])
}

/// ISO 7064's recursive method.
fn mod_11_10(body: &[u64]) -> u64 {
    let mut carried = 10;
    for digit in body {
        let sum = (carried + digit) % 10;
        carried = if sum == 0 { 20 % 11 } else { sum * 2 % 11 };
    }
    (11 - carried) % 10
}

/// Ten digits of which exactly one is there twice.
fn steuer_id(r: &mut Random) -> Vec<u64> {
    let mut body: Vec<u64> = (0..10).collect();
    for place in (1..10).rev() {
        body.swap(place, r.below(place as u64 + 1) as usize);
    }
    let (from, to) = (r.below(10) as usize, r.below(9) as usize);
    body[if to >= from { to + 1 } else { to }] = body[from];
    if body[0] == 0 {
        return steuer_id(r);
    }
    let check = mod_11_10(&body);
    joined(&body, &[check])
}

fn codice_fiscale(r: &mut Random) -> String {
    // What letters count as in odd places, as the sequence in which they count 0, 1, 2 …
    const ODD: &str = "BAKPLCQDREVOSFTGUHMINJWZYX";
    let (year, _, day) = date(r);
    let day = day + 40 * r.below(2);
    let body = format!(
        "{}{:02}{}{day:02}{}{}",
        of(r, "BCDFGLMNPRSTVZ", 6),
        year % 100,
        of(r, "ABCDEHLMPRST", 1),
        of(r, "ABCDEFGHIL", 1),
        text(&digits(r, 3)),
    );
    let total: usize = body
        .bytes()
        .enumerate()
        .map(|(place, byte)| {
            let letter = if byte.is_ascii_digit() {
                byte - b'0' + b'A'
            } else {
                byte
            };
            match place % 2 {
                0 => ODD
                    .bytes()
                    .position(|known| known == letter)
                    .expect("all letters are there"),
                _ => usize::from(letter - b'A'),
            }
        })
        .sum();
    format!("{body}{}", char::from(b'A' + (total % 26) as u8))
}
