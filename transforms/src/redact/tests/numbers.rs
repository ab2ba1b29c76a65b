//! Numbers of persons, firms, accounts and the like: a published example of each goes, and one that is a little off
//! stays.

use super::{RULES, text};

/// Rule, a word that stands near it, an example, and the nearest that is none.
const EXAMPLES: &[(&str, &str, &str, &str)] = &[
    ("NhsNumber-GB", "nhs", "943 476 5919", "943 476 5918"),
    ("NhsNumber-GB", "NHS number", "9434765919", "9434765928"),
    ("NationalProviderId-US", "npi", "1234567893", "1234567892"),
    (
        "DrugEnforcementAgencyNumber-US",
        "DEA",
        "AB1234563",
        "AB1234564",
    ),
    (
        "MedicareBeneficiaryNumber-US",
        "",
        "1EG4-TE5-MK73",
        "1EG4-TE5-MS73",
    ),
    (
        "MedicareBeneficiaryNumber-US",
        "",
        "1EG4TE5MK73",
        "0EG4TE5MK73",
    ),
    (
        "HealthInsuranceClaimNumber-US",
        "hicn",
        "123-45-6789A",
        "123-45-678A",
    ),
    ("NationalDrugCode-US", "NDC", "0777-3105-02", "0777-310-02"),
    (
        "HealthInsuranceCardNumber-EU",
        "EHIC",
        "80756000000000012345",
        "81756000000000012345",
    ),
    (
        "PersonalHealthNumber-CA",
        "PHN",
        "9698 658 215",
        "9698 658 21",
    ),
    ("Medicare-AU", "medicare", "2123 45670 1", "2123 45671 1"),
    ("Ssn-US", "ssn", "123121034", "000121034"),
    (
        "IndividualTaxIdentificationNumber-US",
        "",
        "912-70-1234",
        "912-49-1234",
    ),
    (
        "IndividualTaxIdentificationNumber-US",
        "ITIN",
        "912701234",
        "812701234",
    ),
    (
        "SocialInsuranceNumber-CA",
        "SIN",
        "130 692 544",
        "130 692 545",
    ),
    (
        "PermanentResidenceNumber-CA",
        "permanent resident card",
        "AB1234567",
        "AB123456",
    ),
    ("PostalCode-CA", "postal code", "K1A 0B1", "K1A 0O1"),
    ("CpfCode-BR", "", "529.982.247-25", "529.982.247-26"),
    ("CpfCode-BR", "cpf", "52998224725", "52998224726"),
    ("Cnpj-BR", "", "11.222.333/0001-81", "11.222.333/0001-82"),
    ("Cnpj-BR", "cnpj", "11222333000181", "11222333000182"),
    ("RgNumber-BR", "rg", "24.678.131-4", "24.678.13-4"),
    ("CepCode-BR", "cep", "01310-100", "01310-10"),
    ("Curp-MX", "", "BOXW310820HNERXN09", "BOXW310820HNERXN08"),
    ("Cuit-AR", "cuit", "20-05536168-2", "20-05536168-3"),
    ("Rut-CL", "rut", "76.086.428-5", "76.086.428-6"),
    (
        "NationalInsuranceNumber-GB",
        "",
        "AB 12 34 56 C",
        "GB 12 34 56 C",
    ),
    (
        "NationalInsuranceNumber-GB",
        "nino",
        "AB123456C",
        "AB123456E",
    ),
    (
        "DriversLicense-GB",
        "",
        "MORGA657054SM9IJ",
        "MORGA677054SM9IJ",
    ),
    ("TaxId-GB", "utr", "1955839661", "2955839661"),
    ("Pps-IE", "pps", "6433435F", "6433435E"),
    (
        "InseeCode-FR",
        "",
        "2 95 10 99 126 111 93",
        "2 95 10 99 126 111 92",
    ),
    ("InseeCode-FR", "", "295109912611193", "295149912611193"),
    ("TaxId-FR", "spi", "3023217600053", "3023217600054"),
    (
        "NationalIdentificationNumber-DE",
        "Ausweis",
        "L01X00T471",
        "L01X00T472",
    ),
    ("TaxId-DE", "Steuer-ID", "36 574 261 809", "36 574 261 808"),
    (
        "NationalIdentificationNumber-IT",
        "",
        "RCCMNL83S18D969H",
        "RCCMNL83S18D969I",
    ),
    ("PartitaIva-IT", "P.IVA", "00743110157", "00743110158"),
    ("NifNumber-ES", "dni", "54362315K", "54362315A"),
    ("NieNumber-ES", "", "X2482300W", "X2482300A"),
    (
        "Ssn-ES",
        "seguridad social",
        "28/12345678/40",
        "28/12345678/41",
    ),
    ("Nif-PT", "nif", "501964843", "501964842"),
    ("Bsn-NL", "bsn", "111222333", "111222334"),
    (
        "NationalNumber-BE",
        "",
        "85.07.30-033.28",
        "85.07.30-033.29",
    ),
    ("NationalNumber-BE", "", "85073003328", "85133003328"),
    (
        "SocialInsuranceNumber-AT",
        "SVNR",
        "1237 010180",
        "1238 010180",
    ),
    ("Ahv-CH", "", "756.9217.0769.85", "756.9217.0769.84"),
    (
        "Personnummer-SE",
        "personnummer",
        "880320-0016",
        "880320-0017",
    ),
    ("Cpr-DK", "cpr", "211062-5629", "211362-5629"),
    ("Fodselsnummer-NO", "", "15108695088", "15108695089"),
    ("Hetu-FI", "", "131052-308T", "131052-308U"),
    ("Pesel-PL", "pesel", "44051401359", "44051401358"),
    ("Nip-PL", "nip", "8567346215", "8567346216"),
    ("BirthNumber-CZ", "rodné", "710319/2745", "710319/2746"),
    ("Cnp-RO", "cnp", "1630615123457", "1630615123458"),
    ("Egn-BG", "egn", "7523169263", "7523169264"),
    ("Oib-HR", "oib", "33392005961", "33392005962"),
    ("Amka-GR", "amka", "01013099997", "01013099998"),
    ("PersonalCode-EE", "isikukood", "36805280109", "36805280108"),
    ("IdentityNumber-TR", "tckn", "17291716060", "17291716061"),
    ("Aadhaar-IN", "aadhaar", "2341 2341 2346", "2341 2341 2347"),
    ("Pan-IN", "", "ACUPA7085R", "ACUDA7085R"),
    (
        "ResidentId-CN",
        "",
        "360426199101010071",
        "360426199101010072",
    ),
    (
        "MyNumber-JP",
        "マイナンバー",
        "123456789018",
        "123456789017",
    ),
    ("Rrn-KR", "주민등록번호", "971013-9019902", "971313-9019902"),
    ("Nric-SG", "", "S1234567D", "S1234567E"),
    ("Hkid-HK", "", "A123456(3)", "A123456(4)"),
    ("NationalId-TW", "national id", "A123456789", "A123456788"),
    (
        "NationalId-TH",
        "citizen id",
        "1-2345-45678-78-1",
        "1-2345-45678-78-2",
    ),
    ("MyKad-MY", "mykad", "770305-02-1234", "771305-02-1234"),
    ("Tfn-AU", "tfn", "123 456 782", "123 456 783"),
    ("Abn-AU", "abn", "83 914 571 673", "83 914 571 674"),
    ("Ird-NZ", "ird", "49-091-850", "49-091-851"),
    ("Ird-NZ", "ird", "136410132", "136410133"),
    (
        "IdentityNumber-IL",
        "teudat zehut",
        "039337423",
        "039337424",
    ),
    (
        "IdentityNumber-ZA",
        "id number",
        "7503305044089",
        "7503305044088",
    ),
    ("PassportNumber", "Passport", "C01X00T47", "C01X00T"),
    ("PassportNumber", "passport no", "123456789", "12345678901"),
    (
        "DriversLicense",
        "driver's license",
        "A123-4567-8901",
        "A12B",
    ),
    (
        "VehicleIdentificationNumber",
        "VIN",
        "1HGCM82633A004352",
        "1HGCM82633I004352",
    ),
    (
        "BankAccountNumber-ES",
        "",
        "ES91 2100 0418 4502 0005 1332",
        "ES91 2100 0418 4502 0005 1333",
    ),
    (
        "BankAccountNumber-FR",
        "",
        "FR1420041010050500013M02606",
        "FR1420041010050500013M0260",
    ),
    (
        "BankAccountNumber-IT",
        "",
        "IT60X0542811101000000123456",
        "IT61X0542811101000000123456",
    ),
    ("RoutingNumber-US", "routing", "021000021", "021000022"),
    (
        "BankAccountNumber-US",
        "account number",
        "000123456789",
        "1234567",
    ),
    ("CreditCardExpiration", "exp", "04/29", "13/29"),
    ("CreditCardExpiration", "valid thru", "12/2029", "12/2129"),
    (
        "CreditCardMagneticStripe",
        "",
        "4111111111111111=29121010000000000000?",
        "4111111111111112=29121010000000000000?",
    ),
    (
        "CreditCardMagneticStripe",
        "",
        "4111111111111111^DOE/JOHN^2912101",
        "4111111111111111^DOE/JOHN^2913101",
    ),
    (
        "CryptoAddress",
        "",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    ),
    (
        "CryptoAddress",
        "",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLz",
    ),
    (
        "CryptoAddress",
        "",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp",
    ),
    (
        "CryptoAddress",
        "",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x52908400098527886E0F7030069857D2E4169EE",
    ),
    ("LatLong", "location", "48.8566, 2.3522", "98.8566, 2.3522"),
    ("PhoneNumber", "", "415-555-2671", "115-555-2671"),
    ("PhoneNumber-US", "", "(415) 555-2671", "(415) 155-2671"),
    ("PhoneNumber", "phone", "020 7183 8750", "020 71"),
    ("PhoneNumber-GB", "tel", "020 7183 8750", "120 7183 8750"),
    ("PhoneNumber-DE", "Telefon", "030/901820", "930/901820"),
    (
        "PhoneNumber-FR",
        "portable",
        "06 12 34 56 78",
        "16 12 34 56 78",
    ),
    ("PhoneNumber-ES", "móvil", "612 345 678", "512 345 678"),
    (
        "PhoneNumber-IT",
        "cellulare",
        "347 123 4567",
        "847 123 4567",
    ),
    (
        "PhoneNumber-BR",
        "celular",
        "11 91234-5678",
        "01 91234-5678",
    ),
];

#[test]
fn a_published_example_goes_and_one_a_little_off_stays() {
    for (rule, word, value, off) in EXAMPLES {
        let named = format!("'{rule}'");
        for (before, behind) in [("", ""), (" ", " ok"), (" \"", "\","), (" (", ").")] {
            let line = format!("{word}{before}{value}{behind}");
            let line = if word.is_empty() {
                line
            } else {
                line.replacen(*word, &format!("{word}:"), 1)
            };
            let wanted = line.replacen(*value, &format!("[{rule}]"), 1);
            assert_eq!(text(&named, &line), wanted, "{line}");
        }
        let line = format!("{word}: {off} ok");
        assert_eq!(text(&named, &line), line, "{rule}");
    }
}

#[test]
fn a_word_may_stand_behind_or_in_a_key_on_the_way_and_not_too_far_away() {
    for (rule, word, value, _) in EXAMPLES.iter().filter(|(_, word, ..)| !word.is_empty()) {
        let named = format!("'{rule}'");
        assert_eq!(
            text(&named, &format!("{value} is the {word}")),
            format!("[{rule}] is the {word}")
        );
        let nested = serde_json::json!({ *word: { "a": [*value] } }).to_string();
        assert_eq!(
            text(&named, &nested),
            nested.replacen(*value, &format!("[{rule}]"), 1)
        );
        let near = format!("{word}{}{value}", " ".repeat(20));
        let far = format!("{word}{}{value}", " ".repeat(33));
        assert_eq!(
            text(&named, &near),
            near.replacen(*value, &format!("[{rule}]"), 1)
        );
        assert_eq!(text(&named, &far), far);
    }
}

#[test]
fn a_word_is_near_up_to_thirty_two_bytes_away_on_both_sides() {
    let nhs = "'NhsNumber-GB'";
    for (gap, label) in [(32, "[NhsNumber-GB]"), (33, "9434765919")] {
        let gap = " ".repeat(gap);
        assert_eq!(
            text(nhs, &format!("nhs{gap}9434765919")),
            format!("nhs{gap}{label}")
        );
        assert_eq!(
            text(nhs, &format!("9434765919{gap}nhs")),
            format!("{label}{gap}nhs")
        );
    }
    assert_eq!(text(nhs, "nhsx 9434765919"), "nhsx 9434765919");
    assert_eq!(
        text(nhs, "myNhsNumber 9434765919"),
        "myNhsNumber [NhsNumber-GB]"
    );
}

#[test]
fn codes_need_the_word_that_says_what_they_are() {
    for (rule, line, wanted) in [
        ("CreditCardSecurityCode", "cvv: 123", "cvv: []"),
        ("CreditCardSecurityCode", "CVC2=1234;", "CVC2=[];"),
        ("CreditCardSecurityCode", "cardCvv 123", "cardCvv []"),
        (
            "CreditCardSecurityCode",
            "123 is the security code",
            "[] is the security code",
        ),
        (
            "CreditCardSecurityCode",
            "{\"card\":{\"cvv\":123}}",
            "{\"card\":{\"cvv\":\"[]\"}}",
        ),
        ("CreditCardSecurityCode", "cvv: 12", "cvv: 12"),
        ("CreditCardSecurityCode", "cvv: 12345", "cvv: 12345"),
        ("CreditCardSecurityCode", "took 123 ms", "took 123 ms"),
        ("ZipCode-US", "zip code: 90210-1234", "zip code: []"),
        (
            "ZipCode-US",
            "{\"zipCode\":\"90210\"}",
            "{\"zipCode\":\"[]\"}",
        ),
        ("ZipCode-US", "unzip 90210", "unzip 90210"),
        ("ZipCode-US", "zip 902101", "zip 902101"),
        ("HealthcareProcedureCode-US", "HCPCS: J1100.", "HCPCS: []."),
        ("HealthcareProcedureCode-US", "HCPCS: Z1100", "HCPCS: Z1100"),
        ("DateOfBirth", "dob: 1990-02-13 x", "dob: [] x"),
        ("DateOfBirth", "born 13 February 1990", "born []"),
        ("DateOfBirth", "born February 13, 1990", "born []"),
        (
            "DateOfBirth",
            "{\"dateOfBirth\":\"whatever\"}",
            "{\"dateOfBirth\":\"[]\"}",
        ),
        ("DateOfBirth", "seen 1990-02-13", "seen 1990-02-13"),
        ("LatLong", "lat=48.8566 lon=2.3522", "lat=[] lon=[]"),
        ("LatLong", "{\"latitude\":48.8566}", "{\"latitude\":\"[]\"}"),
        ("LatLong", "48.8566, 2.3522", "48.8566, 2.3522"),
    ] {
        let wanted = wanted.replace("[]", &format!("[{rule}]"));
        assert_eq!(text(&format!("'{rule}'"), line), wanted, "{line}");
    }
}

#[test]
fn versions_are_no_addresses() {
    for line in [
        "Mozilla/5.0 Chrome/120.0.0.0 Safari/537.36",
        "version 1.2.3.4",
        "\"version\":\"1.2.3.4\"",
        "v1.2.3.4",
        "pkg@1.2.3.4",
    ] {
        assert_eq!(text("'IpAddress'", line), line);
    }
    assert_eq!(
        text("'IpAddress'", "localhost/127.0.0.1:80"),
        "localhost/[IpAddress]:80"
    );
}

#[test]
fn names_of_aws_are_rules_or_stand_for_some_or_are_refused_with_the_reason() {
    let countries = |name: &str, codes: &str| -> Vec<String> {
        codes
            .split(' ')
            .map(|code| format!("{name}-{code}"))
            .collect()
    };
    let mut names: Vec<String> = [
        "AwsSecretKey",
        "OpenSshPrivateKey",
        "PgpPrivateKey",
        "PkcsPrivateKey",
        "PuttyPrivateKey",
        "IpAddress",
        "CreditCardExpiration",
        "CreditCardNumber",
        "CreditCardSecurityCode",
        "CreditCardMagneticStripe",
        "DateOfBirth",
        "EmailAddress",
        "LatLong",
        "VehicleIdentificationNumber",
        "CepCode-BR",
        "Cnpj-BR",
        "CpfCode-BR",
        "RgNumber-BR",
        "DrugEnforcementAgencyNumber-US",
        "HealthInsuranceCardNumber-EU",
        "HealthInsuranceClaimNumber-US",
        "HealthInsuranceNumber-FR",
        "HealthcareProcedureCode-US",
        "IndividualTaxIdentificationNumber-US",
        "InseeCode-FR",
        "MedicareBeneficiaryNumber-US",
        "NationalDrugCode-US",
        "NationalInsuranceNumber-GB",
        "NationalProviderId-US",
        "NhsNumber-GB",
        "NieNumber-ES",
        "NifNumber-ES",
        "PermanentResidenceNumber-CA",
        "PersonalHealthNumber-CA",
        "PostalCode-CA",
        "SocialInsuranceNumber-CA",
        "Ssn-ES",
        "Ssn-US",
        "ZipCode-US",
    ]
    .map(String::from)
    .to_vec();
    names.extend(countries("BankAccountNumber", "DE ES FR GB IT US"));
    names.extend(countries("NationalIdentificationNumber", "DE ES IT"));
    names.extend(countries("PassportNumber", "CA DE ES FR GB IT US"));
    names.extend(countries("PhoneNumber", "BR DE ES FR GB IT US"));
    names.extend(countries("TaxId", "DE ES FR GB"));
    names.extend(countries(
        "DriversLicense",
        "AT AU BE BG CA CY CZ DE DK EE ES FI FR GB GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK US",
    ));
    for name in names {
        super::made(&super::KIND, &format!("rules = ['{name}']"));
        super::made(
            &super::KIND,
            &format!("rules = ['arn:aws:dataprotection::aws:data-identifier/{name}']"),
        );
    }
    for (refused, reason) in [
        ("Name", "model of language"),
        ("Address", "model of language"),
        ("ElectoralRollNumber-GB", "are no shape"),
    ] {
        let said = super::problems(&super::KIND, &format!("rules = ['{refused}']"));
        assert!(said.iter().any(|line| line.contains(reason)), "{said:?}");
    }
}

#[test]
fn aliases_mean_rules() {
    for (alias, ids) in super::ALIASES {
        assert!(RULES.iter().all(|rule| rule.id != *alias), "{alias}");
        assert!(
            ids.iter().all(|id| RULES.iter().any(|rule| rule.id == *id)),
            "{alias}"
        );
    }
}

/// With all rules on, as with the one that is meant.
#[test]
fn the_seeds_of_the_catalogue_behave_as_stated() {
    for rules in [
        "'CreditCardNumber', 'Ssn-US', 'Iban'",
        "'@all', 'HighEntropy'",
    ] {
        for card in [
            "4111111111111111",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "2223003122003222",
        ] {
            assert_eq!(text(rules, card), "[CreditCardNumber]");
        }
        assert_eq!(text(rules, "123-12-1034"), "[Ssn-US]");
        assert!(!text(rules, "GB82WEST12345698765432").contains("WEST"));
        for stays in [
            "1647725122227",
            "1123-12-12345",
            "000-12-3456",
            "666-12-3456",
            "912-12-3456",
        ] {
            assert_eq!(text(rules, stays), stays);
        }
    }
}

/// Text made to be judged over and over: it takes time in proportion to its length, and comes out as one text.
#[test]
fn intricate_numbers_are_bounded() {
    for part in [
        "1 ", "12-", "A1", "nhs 1", "AZDO1234", "1Q~", "cvv1", "(1", "1.1,", "0x1",
    ] {
        let line = part.repeat(20_000 / part.len());
        let raw = serde_json::to_string(&line).unwrap();
        let out = super::redacted("rules = ['@financial', '@personal', '@health']", &raw);
        assert!(serde_json::from_str::<String>(&out).is_ok());
    }
}
