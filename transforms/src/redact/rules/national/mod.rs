//! Numbers that states give to persons and firms.
//!
//! A rule wants one of its words near a number, unless at most one in a thousand made-up numbers of the same shape
//! passes its check.

use super::numbers::NUMBER;
use super::validate::Check;
use super::{Group, Rule, rule};

pub mod americas;
pub mod asia_pacific;
pub mod europe;
pub mod europe_digits;

/// A rule for a number of digits that needs a word.
const fn worded(id: &'static str, words: &'static [&'static str], check: Check) -> Rule {
    Rule {
        words,
        ..rule(id, Group::Personal, NUMBER, check)
    }
}
