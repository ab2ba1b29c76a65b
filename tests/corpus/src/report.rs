//! The published table: each rule with what the corpus found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tapline_transforms::built_in_rules;

use crate::run::{Noise, Recall};

/// What stands before and behind the part of the page that is made.
const BEGIN: &str = "<!-- made by the corpus -->\n";
const END: &str = "<!-- end -->\n";

/// The page.
pub fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/transforms/redact-rules.md")
}

/// The part of the page that is made.
pub fn made_part(text: &str) -> Option<&str> {
    let start = text.find(BEGIN)? + BEGIN.len();
    let length = text[start..].find(END)?;
    Some(&text[start..start + length])
}

/// The page with another part.
pub fn with_part(text: &str, part: &str) -> Option<String> {
    let old = made_part(text)?;
    Some(text.replacen(
        &format!("{BEGIN}{old}{END}"),
        &format!("{BEGIN}{part}{END}"),
        1,
    ))
}

/// The table and its sums.
pub fn table(recall: &BTreeMap<&'static str, Recall>, noise: &Noise, cards: u64) -> String {
    let lines: u64 = recall.values().map(|recall| recall.lines).sum();
    let right: u64 = recall.values().map(|recall| recall.right).sum();
    let mut out = format!(
        "{} rules. Of {lines} records with a value {right} came out as they should. Of {} lines without one {} were changed \
         by all rules together, and {cards} of as many lines of times, UUIDs and hex ids held what was taken for a card.\n\n\
         | Rule | Group | Needs a word | Values found | False finds |\n|---|---|---|---|---|\n",
        built_in_rules().count(),
        noise.lines,
        noise.changed,
    );
    for rule in built_in_rules() {
        let recall = recall.get(rule.id).copied().unwrap_or_default();
        let false_finds = noise.by_rule.get(rule.id).copied().unwrap_or_default();
        let word = if rule.needs_word { "yes" } else { "" };
        let group = rule
            .group
            .map_or_else(|| "none".to_owned(), |group| format!("`@{group}`"));
        out.push_str(&format!(
            "| `{}` | {group} | {word} | {} of {} | {false_finds} |\n",
            rule.id, recall.right, recall.lines
        ));
    }
    out.push('\n');
    out
}
