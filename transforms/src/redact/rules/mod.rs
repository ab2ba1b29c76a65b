//! The catalogue of built-in rules: what each looks for, and how names in the configuration reach them.
//!
//! A pattern is a net: it may catch too much, never too little. What it caught is then judged by the rule's check,
//! which sees the text around it. Patterns have no anchors and no context of their own, so that one search over the
//! raw JSON of a record can tell that none of them matches inside it. All are ASCII only.

mod contact;
mod credentials;
mod secrets;
mod vendors;

use super::validate::{self, Check};

/// What a rule belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Secrets,
    Financial,
    Personal,
    Network,
    Health,
    /// In no group, not even in `@all`: only by name.
    OptIn,
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
#[derive(Clone, Copy)]
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
    /// Words of which one must stand near a match, see [`Found::is_near`](super::validate::Found::is_near); where there
    /// are none, a match needs none.
    pub words: &'static [&'static str],
}

const fn rule(id: &'static str, group: Group, pattern: &'static str, check: Check) -> Rule {
    Rule {
        id,
        group,
        pattern,
        check,
        keys: &[],
        words: &[],
    }
}

use Group::{Financial, Network, Personal};

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

/// Rules in the order of the catalogue, table by table. Credentials first: of two matches that begin at the same byte
/// the earlier rule gives the label.
const TABLES: &[&[Rule]] = &[
    secrets::SHAPED,
    vendors::CLOUD,
    vendors::CODE,
    vendors::CHAT,
    vendors::PAYMENT,
    vendors::MODELS,
    vendors::TOOLS,
    secrets::WORDED,
    OTHERS,
];

/// All rules, in the order of precedence.
pub static RULES: [Rule; count()] = joined();

const fn count() -> usize {
    let (mut table, mut count) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
}

const fn joined() -> [Rule; count()] {
    let mut rules = [TABLES[0][0]; count()];
    let (mut table, mut at) = (0, 0);
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            rules[at] = TABLES[table][row];
            (row, at) = (row + 1, at + 1);
        }
        table += 1;
    }
    rules
}

const OTHERS: &[Rule] = &[
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
        contact::email,
    ),
    rule(
        "Ssn-US",
        Personal,
        "[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}",
        contact::ssn,
    ),
    rule("PhoneNumber", Personal, PHONE, |found| {
        contact::phone(found, "")
    }),
    rule("PhoneNumber-BR", Personal, PHONE, |found| {
        contact::phone(found, "55")
    }),
    rule("PhoneNumber-DE", Personal, PHONE, |found| {
        contact::phone(found, "49")
    }),
    rule("PhoneNumber-ES", Personal, PHONE, |found| {
        contact::phone(found, "34")
    }),
    rule("PhoneNumber-FR", Personal, PHONE, |found| {
        contact::phone(found, "33")
    }),
    rule("PhoneNumber-GB", Personal, PHONE, |found| {
        contact::phone(found, "44")
    }),
    rule("PhoneNumber-IT", Personal, PHONE, |found| {
        contact::phone(found, "39")
    }),
    rule("PhoneNumber-US", Personal, PHONE, |found| {
        contact::phone(found, "1")
    }),
    rule(
        "IpAddress",
        Network,
        r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}",
        contact::ip,
    ),
    rule(
        "MacAddress",
        Network,
        "[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}",
        contact::mac,
    ),
];

/// Two capitals, two digits, and 11 to 30 characters in groups or not.
const IBAN: &str = "[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}";

/// E.164 with its plus, and what people write between digits.
const PHONE: &str = r"\+[0-9](?:[ ().-]{0,2}[0-9]){7,14}";
