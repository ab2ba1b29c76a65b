//! The catalogue of built-in rules: what each looks for, and how names in the configuration reach them.
//!
//! A pattern is a net: it may catch too much, never too little. What it caught is then judged by the rule's check,
//! which sees the text around it. Patterns have no anchors and no context of their own, so that one search over the
//! raw JSON of a record can tell that none of them matches inside it. All are ASCII only.

use super::validate::{self, Check};
use super::{credentials, personal};

/// What a rule belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Secrets,
    Financial,
    Personal,
    Network,
    Health,
}

impl Group {
    /// The group of a word without its `@`.
    pub fn parse(word: &str) -> Option<Group> {
        match word {
            "secrets" => Some(Group::Secrets),
            "financial" => Some(Group::Financial),
            "personal" => Some(Group::Personal),
            "network" => Some(Group::Network),
            "health" => Some(Group::Health),
            _ => None,
        }
    }
}

/// One built-in rule.
pub struct Rule {
    /// Its name, which is also its label. AWS's name where AWS has one.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL-managed-data-identifiers.html>, read
    /// 2026-11-23.
    pub id: &'static str,
    pub group: Group,
    pub pattern: &'static str,
    pub check: Check,
    /// Keys of JSON members whose whole value is taken, as globs.
    pub keys: &'static [&'static str],
}

const fn rule(id: &'static str, group: Group, pattern: &'static str, check: Check) -> Rule {
    Rule {
        id,
        group,
        pattern,
        check,
        keys: &[],
    }
}

use Group::{Financial, Network, Personal, Secrets};

/// Names that stand for several rules.
pub const ALIASES: &[(&str, &[&str])] = &[
    (
        "PrivateKey",
        &[
            "OpenSshPrivateKey",
            "PgpPrivateKey",
            "PkcsPrivateKey",
            "PuttyPrivateKey",
        ],
    ),
    ("SlackWebhook", &["SlackToken"]),
];

/// AWS's identifiers that no pattern can find.
pub const NOT_OFFERED: &[&str] = &["Name", "Address"];

/// Credentials first: of two matches that begin at the same byte the earlier rule gives the label.
pub static RULES: &[Rule] = &[
    rule(
        "OpenSshPrivateKey",
        Secrets,
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        credentials::pem,
    ),
    rule(
        "PgpPrivateKey",
        Secrets,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        credentials::pem,
    ),
    rule(
        "PkcsPrivateKey",
        Secrets,
        "-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----",
        credentials::pkcs,
    ),
    rule(
        "PuttyPrivateKey",
        Secrets,
        "PuTTY-User-Key-File-[0-9]+:",
        credentials::putty,
    ),
    rule(
        "AwsAccessKeyId",
        Secrets,
        "(?:A3T[A-Z0-9]|AKIA|ASIA|AROA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|ASCA|APKA)[A-Z0-9]{16}",
        credentials::aws_access_key,
    ),
    rule(
        "AwsSecretKey",
        Secrets,
        "[A-Za-z0-9/+]{40,}",
        credentials::aws_secret_key,
    ),
    rule(
        "AwsSessionToken",
        Secrets,
        "(?:IQoJb3|FwoGZX|FQoGZX)[A-Za-z0-9/+=]{80,}",
        validate::whole,
    ),
    rule(
        "Jwt",
        Secrets,
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        credentials::jwt,
    ),
    rule(
        "GitHubToken",
        Secrets,
        "gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",
        validate::whole,
    ),
    rule(
        "GitLabToken",
        Secrets,
        "glpat-[A-Za-z0-9_-]{20,}",
        validate::whole,
    ),
    rule(
        "SlackToken",
        Secrets,
        r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{16,}",
        credentials::slack,
    ),
    rule(
        "StripeKey",
        Secrets,
        "(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
        validate::whole,
    ),
    rule(
        "GoogleApiKey",
        Secrets,
        "AIza[A-Za-z0-9_-]{35,}",
        validate::whole,
    ),
    rule(
        "AnthropicKey",
        Secrets,
        "sk-ant-[A-Za-z0-9_-]{16,}",
        validate::whole,
    ),
    rule(
        "OpenAiKey",
        Secrets,
        "sk-[A-Za-z0-9_-]{20,}",
        credentials::open_ai,
    ),
    rule("NpmToken", Secrets, "npm_[A-Za-z0-9]{36,}", validate::whole),
    rule(
        "PyPiToken",
        Secrets,
        "pypi-AgE[A-Za-z0-9_-]{50,}",
        validate::whole,
    ),
    rule(
        "DockerToken",
        Secrets,
        "dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}",
        validate::whole,
    ),
    rule(
        "SendGridKey",
        Secrets,
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        validate::whole,
    ),
    rule(
        "VaultToken",
        Secrets,
        r"hv[sbr]\.[A-Za-z0-9_-]{24,}",
        validate::whole,
    ),
    rule(
        "ShopifyToken",
        Secrets,
        "shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
        validate::whole,
    ),
    rule(
        "DatabricksToken",
        Secrets,
        "dapi[a-f0-9]{32}",
        validate::whole,
    ),
    rule(
        "AzureStorageKey",
        Secrets,
        "AccountKey=[A-Za-z0-9+/=]{40,}",
        credentials::after_equals,
    ),
    rule(
        "UrlCredentials",
        Secrets,
        r#"://[^\s/?\#:@"'<>]*:[^\s"'<>]+@"#,
        credentials::url,
    ),
    Rule {
        keys: &["authorization", "*-authorization", "*_authorization"],
        ..rule(
            "AuthorizationHeader",
            Secrets,
            r#"(?i:bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]+|(?i:authorization)\\*["']?\s*[=:]\s*\\*["']?(?:[A-Za-z0-9-]+[ \t]+)?[^\s"'\\]+"#,
            credentials::authorization,
        )
    },
    Rule {
        keys: credentials::SECRET_KEYS,
        ..rule(
            "KeyValueSecret",
            Secrets,
            r#"(?i:password|passwd|passphrase|pwd|secret|(?:secret|api|private|access|account|signing|encryption)[-_. ]?key|token)\\*["']?\s*(?:=>|[=:])\s*(?:\\*"[^"]*|\\*'[^']*|[^\s"'&;]+)"#,
            credentials::key_value,
        )
    },
    rule(
        "CreditCardNumber",
        Financial,
        "[0-9](?:[ -]?[0-9]){12,}",
        validate::card,
    ),
    rule("BankAccountNumber-DE", Financial, IBAN, |found| {
        validate::iban_of(found, "DE")
    }),
    rule("BankAccountNumber-ES", Financial, IBAN, |found| {
        validate::iban_of(found, "ES")
    }),
    rule("BankAccountNumber-FR", Financial, IBAN, |found| {
        validate::iban_of(found, "FR")
    }),
    rule("BankAccountNumber-GB", Financial, IBAN, |found| {
        validate::iban_of(found, "GB")
    }),
    rule("BankAccountNumber-IT", Financial, IBAN, |found| {
        validate::iban_of(found, "IT")
    }),
    rule("Iban", Financial, IBAN, |found| {
        validate::iban_of(found, "")
    }),
    rule(
        "EmailAddress",
        Personal,
        r"[A-Za-z0-9._%+'\x80-\xff-]+(?:@|%40)[A-Za-z0-9\x80-\xff-]+(?:\.[A-Za-z0-9\x80-\xff-]+)+",
        personal::email,
    ),
    rule(
        "Ssn-US",
        Personal,
        "[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}",
        personal::ssn,
    ),
    rule("PhoneNumber", Personal, PHONE, |found| {
        personal::phone(found, "")
    }),
    rule("PhoneNumber-BR", Personal, PHONE, |found| {
        personal::phone(found, "55")
    }),
    rule("PhoneNumber-DE", Personal, PHONE, |found| {
        personal::phone(found, "49")
    }),
    rule("PhoneNumber-ES", Personal, PHONE, |found| {
        personal::phone(found, "34")
    }),
    rule("PhoneNumber-FR", Personal, PHONE, |found| {
        personal::phone(found, "33")
    }),
    rule("PhoneNumber-GB", Personal, PHONE, |found| {
        personal::phone(found, "44")
    }),
    rule("PhoneNumber-IT", Personal, PHONE, |found| {
        personal::phone(found, "39")
    }),
    rule("PhoneNumber-US", Personal, PHONE, |found| {
        personal::phone(found, "1")
    }),
    rule(
        "IpAddress",
        Network,
        r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}",
        personal::ip,
    ),
    rule(
        "MacAddress",
        Network,
        "[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}",
        personal::mac,
    ),
];

/// Two capitals, two digits, and 11 to 30 characters in groups or not.
const IBAN: &str = "[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}";

/// E.164 with its plus, and what people write between digits.
const PHONE: &str = r"\+[0-9](?:[ ().-]{0,2}[0-9]){7,14}";
