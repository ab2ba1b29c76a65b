//! How values are made: each rule has rows, one for each way of writing.

use crate::random::Random;
use crate::{contact, europe, health, money, persons, secrets, vendors};

/// A value with what stays of the text around it.
#[derive(Debug, Clone)]
pub struct Made {
    /// Stays, before the value.
    pub before: String,
    /// Goes.
    pub secret: String,
    /// Stays, behind the value.
    pub after: String,
}

impl Made {
    /// A value all of which goes.
    pub fn whole(secret: impl Into<String>) -> Made {
        Made::within("", secret, "")
    }

    /// A value in a text that stays.
    pub fn within(
        before: impl Into<String>,
        secret: impl Into<String>,
        after: impl Into<String>,
    ) -> Made {
        Made {
            before: before.into(),
            secret: secret.into(),
            after: after.into(),
        }
    }
}

/// How to make values of one rule, in one way of writing them.
#[derive(Debug)]
pub struct Row {
    /// The rule's name.
    pub rule: &'static str,
    /// What people write near such a value to say what it is; where there is nothing, it stands without.
    pub words: &'static [&'static str],
    /// Whether only a space may follow, because a comma or a bracket could belong to the value.
    pub open_ended: bool,
    /// Makes one.
    pub make: fn(&mut Random) -> Made,
}

/// A value that is known without a word near it.
pub const fn bare(rule: &'static str, make: fn(&mut Random) -> Made) -> Row {
    worded(rule, &[], make)
}

/// A value that stands near one of these words.
pub const fn worded(
    rule: &'static str,
    words: &'static [&'static str],
    make: fn(&mut Random) -> Made,
) -> Row {
    Row {
        rule,
        words,
        open_ended: false,
        make,
    }
}

/// A value that goes on to the next space.
pub const fn open_ended(rule: &'static str, make: fn(&mut Random) -> Made) -> Row {
    Row {
        open_ended: true,
        ..bare(rule, make)
    }
}

/// All ways of writing, each rule's at least once.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    let tables: [&[Row]; 7] = [
        secrets::ROWS,
        vendors::ROWS,
        money::ROWS,
        health::ROWS,
        persons::ROWS,
        europe::ROWS,
        contact::ROWS,
    ];
    tables.into_iter().flatten()
}
