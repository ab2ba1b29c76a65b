//! Numbers of persons and firms outside Europe.

use crate::chars::{
    UPPER, between, date, dated, digits, digits_from, in_one_of, joined, luhn, of, padded, shaped,
    sum, text,
};
use crate::random::Random;
use crate::values::{Made, Row, bare, worded};

pub const ROWS: &[Row] = &[
    bare("Ssn-US", |r| Made::whole(shaped("ddd-dd-dddd", &ssn(r)))),
    worded(
        "Ssn-US",
        &["ssn", "SSN", "social_security_number", "Social Security"],
        |r| {
            let digits = ssn(r);
            Made::whole(in_one_of(r, &["ddddddddd", "ddd dd dddd"], &digits))
        },
    ),
    bare("IndividualTaxIdentificationNumber-US", |r| {
        Made::whole(shaped("ddd-dd-dddd", &itin(r)))
    }),
    worded(
        "IndividualTaxIdentificationNumber-US",
        &["itin", "ITIN", "taxpayerId"],
        |r| Made::whole(text(&itin(r))),
    ),
    bare("ZipCode-US", |r| {
        let word = *r.pick(&["zip: ", "zip code ", "ZIP=", "zipCode: "]);
        let number = digits(r, 9);
        let short = r.below(2) == 0;
        let zip = if short {
            text(&number[..5])
        } else {
            shaped("ddddd-dddd", &number)
        };
        Made::within(word, zip, "")
    }),
    worded(
        "SocialInsuranceNumber-CA",
        &["SIN", "social insurance number", "sin"],
        |r| {
            let body = digits_from(r, &[1, 2, 3, 4, 5, 6, 7, 9], 8);
            let number = joined(&body, &[luhn(&body)]);
            Made::whole(in_one_of(
                r,
                &["ddddddddd", "ddd ddd ddd", "ddd-ddd-ddd"],
                &number,
            ))
        },
    ),
    worded(
        "PermanentResidenceNumber-CA",
        &[
            "permanent resident card",
            "PR card",
            "permanentResidentNumber",
        ],
        |r| {
            let count = *r.pick(&[7, 10]);
            Made::whole(format!("{}{}", of(r, UPPER, 2), text(&digits(r, count))))
        },
    ),
    worded(
        "PostalCode-CA",
        &["postal code", "postalCode", "postcode"],
        |r| {
            let first = of(r, "ABCEGHJKLMNPRSTVXY", 1);
            let letters = of(r, "ABCEGHJKLMNPRSTVWXYZ", 2);
            let (one, two) = letters.split_at(1);
            let gap = *r.pick(&["", " ", "-"]);
            let d = digits(r, 3);
            Made::whole(format!("{first}{}{one}{gap}{}{two}{}", d[0], d[1], d[2]))
        },
    ),
    bare("CpfCode-BR", |r| {
        Made::whole(shaped("ddd.ddd.ddd-dd", &brazilian(r, 9, 11)))
    }),
    worded("CpfCode-BR", &["cpf", "CPF", "numeroCpf"], |r| {
        Made::whole(text(&brazilian(r, 9, 11)))
    }),
    bare("Cnpj-BR", |r| {
        Made::whole(shaped("dd.ddd.ddd/dddd-dd", &brazilian(r, 12, 9)))
    }),
    worded("Cnpj-BR", &["cnpj", "CNPJ"], |r| {
        Made::whole(text(&brazilian(r, 12, 9)))
    }),
    worded("RgNumber-BR", &["rg", "RG", "registro geral"], |r| {
        let number = digits_from(r, &[1, 2, 3, 4, 5], 8);
        let check = *r.pick(&["0", "5", "9", "X"]);
        Made::whole(format!("{}-{check}", shaped("dd.ddd.ddd", &number)))
    }),
    worded("CepCode-BR", &["cep", "CEP"], |r| {
        let number = digits(r, 8);
        Made::whole(in_one_of(r, &["ddddd-ddd", "dddddddd"], &number))
    }),
    bare("Curp-MX", |r| Made::whole(curp(r))),
    worded("Cuit-AR", &["cuit", "CUIT", "cuil"], |r| {
        let number = loop {
            let kind = *r.pick(&[20, 23, 24, 27, 30, 33, 34]);
            let body = joined(&padded(kind, 2), &digits(r, 8));
            let check = (11 - sum(&body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            if check < 10 {
                break joined(&body, &[check]);
            }
        };
        Made::whole(in_one_of(r, &["dd-dddddddd-d", "ddddddddddd"], &number))
    }),
    worded("Rut-CL", &["rut", "RUT"], |r| {
        let body = digits_from(r, &[1, 2, 7], 8);
        let check = match 11 - sum(&body, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
            11 => "0".to_owned(),
            10 => "K".to_owned(),
            digit => digit.to_string(),
        };
        let shape = *r.pick(&["dd.ddd.ddd", "dddddddd"]);
        Made::whole(format!("{}-{check}", shaped(shape, &body)))
    }),
    worded(
        "Aadhaar-IN",
        &["aadhaar", "Aadhaar number", "aadhaarNo"],
        |r| {
            let body = digits_from(r, &[2, 3, 4, 5, 6, 7, 8, 9], 11);
            let number = joined(&body, &[verhoeff(&body)]);
            Made::whole(in_one_of(r, &["dddddddddddd", "dddd dddd dddd"], &number))
        },
    ),
    bare("Pan-IN", |r| {
        let kind = of(r, "ABCFGHJLPT", 1);
        let serial = padded(between(r, 1, 10_000), 4);
        Made::whole(format!(
            "{}{kind}{}{}{}",
            of(r, UPPER, 3),
            of(r, UPPER, 1),
            text(&serial),
            of(r, UPPER, 1)
        ))
    }),
    bare("ResidentId-CN", |r| {
        let (year, month, day) = date(r);
        let region = digits_from(r, &[1, 2, 3, 4, 5, 6], 6);
        let born = [padded(year, 4), padded(month, 2), padded(day, 2)].concat();
        let body = [region, born, digits(r, 3)].concat();
        // MOD 11-2: the weights are powers of two from the right.
        let total = body.iter().fold(0, |total, digit| (total + digit) * 2 % 11);
        let check = match (12 - total) % 11 {
            10 => "X".to_owned(),
            digit => digit.to_string(),
        };
        Made::whole(format!("{}{check}", text(&body)))
    }),
    worded(
        "MyNumber-JP",
        &["my number", "myNumber", "マイナンバー"],
        |r| {
            let body = digits(r, 11);
            let total: u64 = (1..=11)
                .map(|place: usize| {
                    body[11 - place]
                        * if place <= 6 {
                            place as u64 + 1
                        } else {
                            place as u64 - 5
                        }
                })
                .sum();
            let check = if total % 11 <= 1 { 0 } else { 11 - total % 11 };
            let number = joined(&body, &[check]);
            Made::whole(in_one_of(r, &["dddddddddddd", "dddd dddd dddd"], &number))
        },
    ),
    worded(
        "Rrn-KR",
        &["rrn", "resident registration number", "주민등록번호"],
        |r| {
            let born = date(r);
            let century = if born.0 < 2000 { [1, 2] } else { [3, 4] };
            let number = joined(&dated("ymd", born), &digits_from(r, &century, 7));
            Made::whole(shaped("dddddd-ddddddd", &number))
        },
    ),
    bare("Nric-SG", |r| {
        let body = digits(r, 7);
        let total = sum(&body, &[2, 7, 6, 5, 4, 3, 2]);
        let (prefix, letters, shift) = *r.pick(&[
            ("S", "JZIHGFEDCBA", 0),
            ("T", "JZIHGFEDCBA", 4),
            ("F", "XWUTRQPNMLK", 0),
            ("G", "XWUTRQPNMLK", 4),
        ]);
        let letter = &letters[((total + shift) % 11) as usize..][..1];
        Made::whole(format!("{prefix}{}{letter}", text(&body)))
    }),
    bare("Hkid-HK", |r| {
        let letter = of(r, UPPER, 1);
        let place = u64::from(letter.as_bytes()[0] - b'A') + 10;
        let body = digits(r, 6);
        let total = 9 * 36 + 8 * place + sum(&body, &[7, 6, 5, 4, 3, 2]);
        let check = match (11 - total % 11) % 11 {
            10 => "A".to_owned(),
            digit => digit.to_string(),
        };
        Made::whole(format!("{letter}{}({check})", text(&body)))
    }),
    worded(
        "NationalId-TW",
        &["national id", "ID card", "身分證"],
        |r| {
            const ORDER: &str = "ABCDEFGHJKLMNPQRSTUVXYWZIO";
            let index = r.below(26);
            let letter = &ORDER[index as usize..][..1];
            let place = index + 10;
            let body = digits_from(r, &[1, 2], 8);
            let total = place / 10 + place % 10 * 9 + sum(&body, &[8, 7, 6, 5, 4, 3, 2, 1]);
            Made::whole(format!("{letter}{}{}", text(&body), (10 - total % 10) % 10))
        },
    ),
    worded(
        "NationalId-TH",
        &["thai id", "citizen id", "บัตรประชาชน"],
        |r| {
            let body = digits_from(r, &[1, 2, 3, 4, 5], 12);
            let total: u64 = body
                .iter()
                .zip((2..=13).rev())
                .map(|(digit, weight)| digit * weight)
                .sum();
            let number = joined(&body, &[(11 - total % 11) % 10]);
            Made::whole(in_one_of(
                r,
                &["ddddddddddddd", "d-dddd-ddddd-dd-d"],
                &number,
            ))
        },
    ),
    worded("MyKad-MY", &["mykad", "MyKad number", "nric"], |r| {
        let born = date(r);
        let number = joined(&dated("ymd", born), &digits(r, 6));
        Made::whole(shaped("dddddd-dd-dddd", &number))
    }),
    worded("Tfn-AU", &["tfn", "TFN", "tax file number"], |r| {
        let number = loop {
            let number = digits_from(r, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 9);
            if sum(&number, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) {
                break number;
            }
        };
        Made::whole(in_one_of(
            r,
            &["ddddddddd", "ddd ddd ddd", "ddd-ddd-ddd"],
            &number,
        ))
    }),
    worded("Abn-AU", &["abn", "ABN"], |r| {
        let number = loop {
            let mut number = digits_from(r, &[1, 2, 3, 4, 5, 6, 7, 8, 9], 11);
            number[0] -= 1;
            let total = sum(&number, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
            number[0] += 1;
            if total.is_multiple_of(89) {
                break number;
            }
        };
        Made::whole(in_one_of(r, &["ddddddddddd", "dd ddd ddd ddd"], &number))
    }),
    worded("Ird-NZ", &["ird", "IRD number"], |r| Made::whole(ird(r))),
    worded("IdentityNumber-IL", &["teudat zehut", "zehut"], |r| {
        let body = digits(r, 8);
        let check = luhn(&body);
        Made::whole(text(&joined(&body, &[check])))
    }),
    worded(
        "IdentityNumber-ZA",
        &["id number", "South African ID", "RSA ID"],
        |r| {
            let born = date(r);
            let citizen = r.below(2);
            let body = [dated("ymd", born), digits(r, 4), vec![citizen, 8]].concat();
            Made::whole(text(&joined(&body, &[luhn(&body)])))
        },
    ),
];

fn ssn(r: &mut Random) -> Vec<u64> {
    let area = loop {
        let area = between(r, 1, 900);
        if area != 666 {
            break area;
        }
    };
    [
        padded(area, 3),
        padded(between(r, 1, 100), 2),
        padded(between(r, 1, 10_000), 4),
    ]
    .concat()
}

fn itin(r: &mut Random) -> Vec<u64> {
    let group = *r.pick(&[50, 57, 65, 70, 81, 88, 90, 92, 94, 99]);
    [vec![9], digits(r, 2), padded(group, 2), digits(r, 4)].concat()
}

/// Two check digits by 11, with weights from 2 to `most` from the right and again.
fn brazilian(r: &mut Random, count: usize, most: u64) -> Vec<u64> {
    let mut number = digits(r, count);
    for _ in 0..2 {
        let weights = (2..=most).cycle();
        let total: u64 = number
            .iter()
            .rev()
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum();
        number.push(if total % 11 < 2 { 0 } else { 11 - total % 11 });
    }
    number
}

fn curp(r: &mut Random) -> String {
    const ORDER: &str = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ";
    let born = date(r);
    let (sex, vowel) = (of(r, "HM", 1), of(r, "AEIOU", 1));
    let consonants = of(r, "BCDFGHJKLMNPQRSTVWXYZ", 3);
    let body = format!(
        "{}{vowel}{}{}{sex}{}{consonants}{}",
        of(r, UPPER, 1),
        of(r, UPPER, 2),
        text(&dated("ymd", born)),
        r.pick(&["AS", "BC", "DF", "JC", "NE", "ZS"]),
        if born.0 < 2000 {
            of(r, "0123456789", 1)
        } else {
            of(r, UPPER, 1)
        },
    );
    let total: u64 = body
        .chars()
        .enumerate()
        .map(|(place, letter)| {
            let rank = ORDER
                .chars()
                .position(|known| known == letter)
                .expect("it is in the order");
            rank as u64 * (18 - place as u64)
        })
        .sum();
    format!("{body}{}", (10 - total % 10) % 10)
}

/// Verhoeff's tables, as in his book.
fn verhoeff(body: &[u64]) -> u64 {
    const D: [&str; 10] = [
        "0123456789",
        "1234067895",
        "2340178956",
        "3401289567",
        "4012395678",
        "5987604321",
        "6598710432",
        "7659821043",
        "8765932104",
        "9876543210",
    ];
    const P: [&str; 8] = [
        "0123456789",
        "1576283094",
        "5803796142",
        "8916043527",
        "9453126870",
        "4286573901",
        "2793806415",
        "7046913258",
    ];
    let at = |table: &str, index: u64| u64::from(table.as_bytes()[index as usize] - b'0');
    let mut check = 0;
    for (place, digit) in body.iter().rev().enumerate() {
        check = at(D[check as usize], at(P[(place + 1) % 8], *digit));
    }
    at("0432156789", check)
}

fn ird(r: &mut Random) -> String {
    loop {
        let number = between(r, 1_000_000, 15_000_000);
        let body = padded(number, 8);
        let check = |weights: [u64; 8]| (11 - sum(&body, &weights) % 11) % 11;
        let check = match check([3, 2, 7, 6, 5, 4, 3, 2]) {
            10 => check([7, 4, 3, 2, 5, 2, 7, 6]),
            digit => digit,
        };
        if check < 10 {
            let whole = number * 10 + check;
            return match whole {
                100_000_000.. => in_one_of(r, &["ddddddddd", "ddd-ddd-ddd"], &padded(whole, 9)),
                _ => in_one_of(r, &["dddddddd", "dd-ddd-ddd"], &padded(whole, 8)),
            };
        }
    }
}
