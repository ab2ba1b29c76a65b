//! Datadog's side: 10 rules that look for the same, with its own validators where it has them.

use std::hint::black_box;
use std::sync::Arc;

use dd_sds::{
    MatchAction, RegexRuleConfig, RootRuleConfig, RuleConfig, Scanner, SecondaryValidator,
};

use crate::corpus::Corpus;

/// Its scanner with some rules.
pub struct Theirs {
    scanner: Scanner,
}

type Rule = RootRuleConfig<Arc<dyn RuleConfig>>;

fn rule(name: &str, pattern: &str, validator: Option<SecondaryValidator>) -> Rule {
    let config = RegexRuleConfig::new(pattern).with_validator(validator);
    let replacement = format!("[{name}]");
    RootRuleConfig::new(config.build()).match_action(MatchAction::Redact { replacement })
}

impl Theirs {
    /// The 10 rules of the benchmark.
    pub fn ten() -> Theirs {
        Theirs::new(&[
            rule("Ssn-US", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", None),
            rule(
                "EmailAddress",
                r"\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b",
                None,
            ),
            rule(
                "CreditCardNumber",
                CARD,
                Some(SecondaryValidator::LuhnChecksum),
            ),
            rule(
                "AwsAccessKeyId",
                r"\b(?:AKIA|ASIA|AROA|ABIA|ACCA)[A-Z0-9]{16}\b",
                None,
            ),
            rule(
                "Jwt",
                r"\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+",
                None,
            ),
            rule("GitHubToken", r"\bgh[pousr]_[A-Za-z0-9]{36}\b", None),
            rule("SlackToken", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}", None),
            rule("Iban", IBAN, Some(SecondaryValidator::IbanChecker)),
            rule(
                "PkcsPrivateKey",
                r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----",
                None,
            ),
            rule(
                "StripeKey",
                r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,99}\b",
                None,
            ),
        ])
    }

    /// Those that judge by a checksum.
    pub fn validated() -> Theirs {
        Theirs::new(&[
            rule(
                "CreditCardNumber",
                CARD,
                Some(SecondaryValidator::LuhnChecksum),
            ),
            rule("Iban", IBAN, Some(SecondaryValidator::IbanChecker)),
        ])
    }

    fn new(rules: &[Rule]) -> Theirs {
        let scanner = Scanner::builder(rules).build();
        Theirs {
            scanner: scanner.expect("its patterns are right"),
        }
    }

    /// A corpus once, each line in a string of its own, as its interface wants it.
    pub fn redact(&mut self, corpus: &Corpus) {
        for line in corpus.lines() {
            let mut line = line.clone();
            black_box(self.scanner.scan(&mut line).expect("its scan ends"));
            black_box(line);
        }
    }

    /// Whether it finds anything in a text.
    pub fn finds(&self, text: &str) -> bool {
        let mut text = text.to_owned();
        !self
            .scanner
            .scan(&mut text)
            .expect("its scan ends")
            .is_empty()
    }
}

const CARD: &str = r"\b(?:[0-9]{4}[ -]?){3}[0-9]{4}\b|\b3[47][0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{5}\b";
const IBAN: &str = r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b";
