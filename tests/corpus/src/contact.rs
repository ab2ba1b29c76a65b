//! Mail, telephone, networks, places, documents, vehicles.

use crate::chars::{HEX, UPPER, between, date, digits, digits_from, of, shaped, text};
use crate::random::Random;
use crate::values::{Made, Row, bare, worded};

const PHONE: &[&str] = &["phone", "tel", "mobile", "Telefon", "cell"];

pub const ROWS: &[Row] = &[
    bare("EmailAddress", |r| {
        let (first, last) = (of(r, "abcdefghijklmnop", 5), of(r, "qrstuvwxyz", 4));
        let mark = *r.pick(&[".", "_", "-", "+", ""]);
        let host = of(r, "abcdefghijkl", 6);
        let end = *r.pick(&["com", "co.uk", "de", "museum", "example.org"]);
        let at = *r.pick(&["@", "@", "@", "%40"]);
        Made::whole(format!("{first}{mark}{last}{at}{host}.{end}"))
    }),
    bare("PhoneNumber", |r| match r.below(3) {
        0 => Made::whole(american(r)),
        1 => Made::whole(format!("+{}", text(&digits_from(r, &[2, 6, 9], 11)))),
        _ => {
            let number = digits_from(r, &[3, 4], 11);
            Made::whole(format!("+{}", shaped("dd ddd ddd ddd", &number)))
        }
    }),
    worded("PhoneNumber", PHONE, |r| {
        let count = between(r, 8, 13) as usize;
        Made::whole(text(&digits(r, count)))
    }),
    bare("PhoneNumber-US", |r| Made::whole(american(r))),
    bare("PhoneNumber-US", |r| {
        Made::whole(format!("+1{}", text(&nanp(r))))
    }),
    worded("PhoneNumber-US", PHONE, |r| Made::whole(text(&nanp(r)))),
    bare("PhoneNumber-GB", |r| {
        Made::whole(format!(
            "+44{}",
            shaped(" dd dddd dddd", &digits_from(r, &[1, 2, 7], 10))
        ))
    }),
    worded("PhoneNumber-GB", PHONE, |r| {
        Made::whole(shaped("0dddd dddddd", &digits_from(r, &[1, 2, 7], 10)))
    }),
    bare("PhoneNumber-DE", |r| {
        Made::whole(shaped("+49 (0) ddd ddddddd", &digits_from(r, &[1, 8], 10)))
    }),
    worded("PhoneNumber-DE", PHONE, |r| {
        Made::whole(shaped("0ddd/ddddddd", &digits_from(r, &[1, 2, 3], 10)))
    }),
    bare("PhoneNumber-FR", |r| {
        Made::whole(shaped("+33 d dd dd dd dd", &digits_from(r, &[1, 6, 7], 9)))
    }),
    worded("PhoneNumber-FR", PHONE, |r| {
        Made::whole(shaped("0d dd dd dd dd", &digits_from(r, &[1, 6, 7], 9)))
    }),
    bare("PhoneNumber-ES", |r| {
        Made::whole(shaped("+34 ddd ddd ddd", &digits_from(r, &[6, 7, 9], 9)))
    }),
    worded("PhoneNumber-ES", PHONE, |r| {
        Made::whole(shaped("ddd ddd ddd", &digits_from(r, &[6, 7, 9], 9)))
    }),
    bare("PhoneNumber-IT", |r| {
        Made::whole(shaped("+39 ddd ddddddd", &digits_from(r, &[3], 10)))
    }),
    worded("PhoneNumber-IT", PHONE, |r| {
        Made::whole(shaped("ddd ddddddd", &digits_from(r, &[3], 10)))
    }),
    bare("PhoneNumber-BR", |r| {
        Made::whole(shaped("+55 dd ddddd-dddd", &digits_from(r, &[1, 2, 8], 11)))
    }),
    worded("PhoneNumber-BR", PHONE, |r| {
        Made::whole(shaped("(dd) ddddd-dddd", &digits_from(r, &[1, 2, 8], 11)))
    }),
    bare("IpAddress", |r| {
        Made::whole(match r.below(3) {
            0 | 1 => format!(
                "{}.{}.{}.{}",
                r.below(256),
                r.below(256),
                r.below(256),
                r.below(256)
            ),
            _ => {
                let groups: Vec<String> = (0..8)
                    .map(|_| format!("{:x}", between(r, 0x10, 0x10000)))
                    .collect();
                groups.join(":")
            }
        })
    }),
    bare("MacAddress", |r| {
        let pairs: Vec<String> = (0..6).map(|_| of(r, HEX, 2)).collect();
        Made::whole(pairs.join(*r.pick(&[":", "-"])))
    }),
    worded(
        "LatLong",
        &["location", "gps", "latLong", "coordinates"],
        |r| {
            let (latitude, longitude) = (
                r.below(180_000_000) as f64 / 1e6 - 90.0,
                r.below(360_000_000) as f64 / 1e6 - 180.0,
            );
            Made::whole(format!("{latitude:.5}, {longitude:.5}"))
        },
    ),
    bare("DateOfBirth", |r| {
        let (year, month, day) = date(r);
        let word = *r.pick(&["dob: ", "date of birth ", "birthdate=", "born on "]);
        let name = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ][month as usize - 1];
        let born = match r.below(5) {
            0 => format!("{year}-{month:02}-{day:02}"),
            1 => format!("{day:02}.{month:02}.{year}"),
            2 => format!("{month}/{day}/{:02}", year % 100),
            3 => format!("{day} {name} {year}"),
            _ => format!("{name} {day}, {year}"),
        };
        Made::within(word, born, "")
    }),
    worded(
        "PassportNumber",
        &["passport", "Passport No", "reisepass", "passeport"],
        |r| {
            Made::whole(match r.below(5) {
                0 => text(&digits(r, 9)),
                1 => format!("{}{}", of(r, UPPER, 1), text(&digits(r, 8))),
                2 => format!("{}{}", of(r, UPPER, 2), text(&digits(r, 6))),
                3 => format!("{}{}", of(r, UPPER, 2), text(&digits(r, 7))),
                _ => format!(
                    "{}{}{}",
                    text(&digits(r, 2)),
                    of(r, UPPER, 2),
                    text(&digits(r, 5))
                ),
            })
        },
    ),
    worded(
        "DriversLicense",
        &[
            "driver's license",
            "drivers license",
            "driving licence",
            "Führerschein",
        ],
        |r| {
            Made::whole(match r.below(4) {
                0 => format!("{}{}", of(r, UPPER, 1), text(&digits(r, 7))),
                1 => text(&digits(r, 8)),
                2 => format!(
                    "{}{}",
                    of(r, UPPER, 1),
                    shaped("ddd-dddd-dddd", &digits(r, 11))
                ),
                _ => format!(
                    "{}{}{}{}",
                    of(r, UPPER, 1),
                    text(&digits(r, 3)),
                    of(r, "CDFGHJ0123456789", 6),
                    r.below(10)
                ),
            })
        },
    ),
    worded(
        "VehicleIdentificationNumber",
        &["vin", "VIN", "chassis number", "vehicle"],
        |r| {
            Made::whole(format!(
                "{}{}",
                of(r, "ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 11),
                text(&digits(r, 6))
            ))
        },
    ),
];

fn nanp(r: &mut Random) -> Vec<u64> {
    let area = digits_from(r, &[2, 3, 4, 5, 6, 7, 8, 9], 3);
    let exchange = digits_from(r, &[2, 3, 4, 5, 6, 7, 8, 9], 7);
    [area, exchange].concat()
}

fn american(r: &mut Random) -> String {
    let shape = *r.pick(&["ddd-ddd-dddd", "(ddd) ddd-dddd", "ddd.ddd.dddd"]);
    shaped(shape, &nanp(r))
}
