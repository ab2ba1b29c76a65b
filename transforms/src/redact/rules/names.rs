//! Names that stand for other rules, and those of AWS that no rule answers to.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL-managed-data-identifiers.html>, read
//! 2026-11-25.

/// Names that stand for one rule or several.
pub const ALIASES: &[(&str, &[&str])] = &[
    (
        "PrivateKey",
        &[
            "OpenSshPrivateKey",
            "PgpPrivateKey",
            "PkcsPrivateKey",
            "PuttyPrivateKey",
            "AgeSecretKey",
        ],
    ),
    ("GcpServiceAccountKey", &["PkcsPrivateKey"]),
    ("SlackWebhook", &["SlackToken"]),
    ("CnpjCode-BR", &["Cnpj-BR"]),
    ("CodiceFiscale-IT", &["NationalIdentificationNumber-IT"]),
    ("Dni-ES", &["NifNumber-ES"]),
    ("PersonalCode-LT", &["PersonalCode-EE"]),
    ("HealthInsuranceNumber-FR", &["InseeCode-FR"]),
    (
        "NationalIdentificationNumber-ES",
        &["NifNumber-ES", "NieNumber-ES"],
    ),
    ("TaxId-ES", &["NifNumber-ES", "NieNumber-ES"]),
    ("PassportNumber-CA", &["PassportNumber"]),
    ("PassportNumber-DE", &["PassportNumber"]),
    ("PassportNumber-ES", &["PassportNumber"]),
    ("PassportNumber-FR", &["PassportNumber"]),
    ("PassportNumber-GB", &["PassportNumber"]),
    ("PassportNumber-IT", &["PassportNumber"]),
    ("PassportNumber-US", &["PassportNumber"]),
    ("DriversLicense-AT", &["DriversLicense"]),
    ("DriversLicense-AU", &["DriversLicense"]),
    ("DriversLicense-BE", &["DriversLicense"]),
    ("DriversLicense-BG", &["DriversLicense"]),
    ("DriversLicense-CA", &["DriversLicense"]),
    ("DriversLicense-CY", &["DriversLicense"]),
    ("DriversLicense-CZ", &["DriversLicense"]),
    ("DriversLicense-DE", &["DriversLicense"]),
    ("DriversLicense-DK", &["DriversLicense"]),
    ("DriversLicense-EE", &["DriversLicense"]),
    ("DriversLicense-ES", &["DriversLicense"]),
    ("DriversLicense-FI", &["DriversLicense"]),
    ("DriversLicense-FR", &["DriversLicense"]),
    ("DriversLicense-GR", &["DriversLicense"]),
    ("DriversLicense-HR", &["DriversLicense"]),
    ("DriversLicense-HU", &["DriversLicense"]),
    ("DriversLicense-IE", &["DriversLicense"]),
    ("DriversLicense-IT", &["DriversLicense"]),
    ("DriversLicense-LT", &["DriversLicense"]),
    ("DriversLicense-LU", &["DriversLicense"]),
    ("DriversLicense-LV", &["DriversLicense"]),
    ("DriversLicense-MT", &["DriversLicense"]),
    ("DriversLicense-NL", &["DriversLicense"]),
    ("DriversLicense-PL", &["DriversLicense"]),
    ("DriversLicense-PT", &["DriversLicense"]),
    ("DriversLicense-RO", &["DriversLicense"]),
    ("DriversLicense-SE", &["DriversLicense"]),
    ("DriversLicense-SI", &["DriversLicense"]),
    ("DriversLicense-SK", &["DriversLicense"]),
    ("DriversLicense-US", &["DriversLicense"]),
];

/// AWS's identifiers that no pattern can find, each with the reason.
pub const NOT_OFFERED: &[(&str, &str)] = &[
    ("Name", "it takes a model of language"),
    ("Address", "it takes a model of language"),
    (
        "ElectoralRollNumber-GB",
        "a few letters and digits in any order are no shape",
    ),
];

/// What AWS's policies write before an identifier.
pub const AWS_PREFIX: &str = "arn:aws:dataprotection::aws:data-identifier/";
