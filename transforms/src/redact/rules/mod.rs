//! The catalogue of built-in rules: what each looks for, and how names in the configuration reach them.
//!
//! A pattern is a net: it may catch too much, never too little. What it caught is then judged by the rule's check,
//! which sees the text around it. Patterns have no anchors and no context of their own, so that one search over the
//! raw JSON of a record can tell that none of them matches inside it. All are ASCII only.

mod checksum;
mod contact;
mod credentials;
mod crypto;
mod financial;
mod health;
mod identity;
mod names;
mod national;
mod numbers;
mod secrets;
mod vendors;

pub use names::{ALIASES, AWS_PREFIX, NOT_OFFERED};

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
    /// The groups that have a word.
    const NAMED: [(&str, Group); 5] = [
        ("secrets", Group::Secrets),
        ("financial", Group::Financial),
        ("personal", Group::Personal),
        ("network", Group::Network),
        ("health", Group::Health),
    ];

    /// The group of a word without its `@`.
    pub fn parse(word: &str) -> Option<Group> {
        let mut named = Group::NAMED.iter();
        named
            .find(|(name, _)| *name == word)
            .map(|(_, group)| *group)
    }

    /// Its word, without the `@`.
    pub fn word(self) -> Option<&'static str> {
        let mut named = Group::NAMED.iter();
        named
            .find(|(_, group)| *group == self)
            .map(|(name, _)| *name)
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
    /// Keys of JSON members whose whole value is taken, as globs. The pattern must catch each of them with the colon
    /// behind it, because a record in which no pattern catches anything is not looked into.
    pub keys: &'static [&'static str],
    /// Words of which one must stand near a match, see [`Found::is_near`](super::validate::Found::is_near); where there
    /// are none, a match needs none.
    pub words: &'static [&'static str],
    /// Whether the check takes a match only as a whole, and only where no letter, digit or `_` stands beside it.
    pub apart: bool,
}

const fn rule(id: &'static str, group: Group, pattern: &'static str, check: Check) -> Rule {
    Rule {
        id,
        group,
        pattern,
        check,
        keys: &[],
        words: &[],
        apart: false,
    }
}

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
    financial::RULES,
    health::RULES,
    national::americas::RULES,
    national::europe::RULES,
    national::europe_digits::RULES,
    national::asia_pacific::RULES,
    identity::RULES,
    contact::RULES,
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
