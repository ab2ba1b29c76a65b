//! Numbers of patients, providers, insurances, drugs and procedures.

use crate::chars::{
    between, digits, digits_from, in_one_of, joined, luhn, of, padded, shaped, sum, text,
};
use crate::values::{Made, Row, bare, worded};

pub const ROWS: &[Row] = &[
    worded("NhsNumber-GB", &["nhs", "NHS number", "nhsNumber"], |r| {
        let number = loop {
            let body = digits(r, 9);
            let check = (11 - sum(&body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
            if check < 10 {
                break joined(&body, &[check]);
            }
        };
        Made::whole(in_one_of(
            r,
            &["dddddddddd", "ddd ddd dddd", "ddd-ddd-dddd"],
            &number,
        ))
    }),
    worded(
        "NationalProviderId-US",
        &["npi", "NPI", "provider id"],
        |r| {
            let body = digits_from(r, &[1, 2], 9);
            let check = luhn(&joined(&[8, 0, 8, 4, 0], &body));
            Made::whole(text(&joined(&body, &[check])))
        },
    ),
    worded(
        "DrugEnforcementAgencyNumber-US",
        &["dea", "DEA number", "deaNumber"],
        |r| {
            let d = digits(r, 6);
            let check = (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10;
            Made::whole(format!(
                "{}{}{}{check}",
                of(r, "ABFGMPR", 1),
                of(r, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1),
                text(&d)
            ))
        },
    ),
    bare("MedicareBeneficiaryNumber-US", |r| {
        let dash = *r.pick(&["", "-"]);
        let places = [
            "C", "A", "AN", "N", dash, "A", "AN", "N", dash, "A", "A", "N", "N",
        ];
        let number: String = places
            .iter()
            .map(|place| match *place {
                "C" => of(r, "123456789", 1),
                "N" => of(r, "0123456789", 1),
                "A" => of(r, "ACDEFGHJKMNPQRTUVWXY", 1),
                "AN" => of(r, "0123456789ACDEFGHJKMNPQRTUVWXY", 1),
                other => other.to_owned(),
            })
            .collect();
        Made::whole(number)
    }),
    worded(
        "HealthInsuranceClaimNumber-US",
        &["hicn", "HICN", "health insurance claim number"],
        |r| {
            let number = digits_from(r, &[1, 2, 3, 4, 5], 9);
            let suffix = *r.pick(&["A", "B1", "C2", "T"]);
            let shape = *r.pick(&["ddddddddd", "ddd-dd-dddd"]);
            Made::whole(format!("{}{suffix}", shaped(shape, &number)))
        },
    ),
    worded(
        "NationalDrugCode-US",
        &["ndc", "NDC", "national drug code"],
        |r| {
            let number = digits(r, 10);
            Made::whole(in_one_of(
                r,
                &["dddd-dddd-dd", "ddddd-ddd-dd", "ddddd-dddd-d"],
                &number,
            ))
        },
    ),
    bare("HealthcareProcedureCode-US", |r| {
        let word = *r.pick(&["HCPCS: ", "hcpcs code: ", "CPT=", "procedure code "]);
        let letter = of(r, "ABCDEGHJKLMPQRSTV", 1);
        Made::within(word, format!("{letter}{}", text(&digits(r, 4))), "")
    }),
    worded(
        "HealthInsuranceCardNumber-EU",
        &["ehic", "EHIC", "health insurance card"],
        |r| Made::whole(text(&joined(&[8, 0], &digits(r, 18)))),
    ),
    worded(
        "PersonalHealthNumber-CA",
        &["phn", "PHN", "personal health number"],
        |r| {
            let number = digits_from(r, &[9], 10);
            Made::whole(in_one_of(r, &["dddddddddd", "dddd ddd ddd"], &number))
        },
    ),
    worded("Medicare-AU", &["medicare", "Medicare card"], |r| {
        let body = digits_from(r, &[2, 3, 4, 5, 6], 8);
        let check = sum(&body, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10;
        let number = [body, vec![check], padded(between(r, 1, 10), 1)].concat();
        Made::whole(in_one_of(r, &["dddddddddd", "dddd ddddd d"], &number))
    }),
];
