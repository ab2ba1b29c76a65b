//! The corpus in small, and that nothing is missing from it.

use std::collections::{BTreeMap, BTreeSet};

use tapline_transforms::built_in_rules;

use crate::run::{any_noise, precision, recall};
use crate::values::rows;
use crate::{noise, report};

/// Every rule has values in the corpus, and the published table has every rule, in order.
#[test]
fn the_corpus_and_the_published_table_hold_every_rule() {
    let rules: Vec<&str> = built_in_rules().map(|rule| rule.id).collect();
    let made: BTreeSet<&str> = rows().map(|row| row.rule).collect();
    let missing: Vec<&&str> = rules.iter().filter(|rule| !made.contains(*rule)).collect();
    assert!(missing.is_empty(), "no values are made for {missing:?}");
    assert!(made.iter().all(|rule| rules.contains(rule)));
    let page = std::fs::read_to_string(report::page()).expect("the page is there");
    let part = report::made_part(&page).expect("the page has a part that is made");
    assert_eq!(rules_in(part), rules, "run the corpus with --write");
}

/// A few values of every rule, in text, JSON, JSON in text, and escaped: all are found, and nothing else goes.
#[test]
fn every_value_is_found_in_every_form() {
    let (found, missed) = recall(11, 1);
    assert!(missed.is_empty(), "{}\n{}", missed.len(), missed.join("\n"));
    let whole: BTreeMap<_, _> = found
        .iter()
        .filter(|(_, recall)| recall.right == recall.lines)
        .collect();
    assert_eq!(whole.len(), built_in_rules().count());
}

/// Some noise: at most one line in a thousand is changed.
#[test]
fn noise_is_left_alone() {
    let noise = precision(12, 400, "'@all', 'HighEntropy'", any_noise);
    assert!(
        noise.changed * 1_000 <= noise.lines,
        "{:?} {}",
        noise.by_rule,
        noise.examples.join("\n")
    );
}

/// Times, UUIDs and hex ids: none is a card.
#[test]
fn numbers_are_no_cards() {
    let noise = precision(13, 5_000, "'CreditCardNumber'", noise::number);
    assert_eq!(noise.changed, 0, "{}", noise.examples.join("\n"));
}

/// The rules that a table has a row for, in its order.
fn rules_in(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}
