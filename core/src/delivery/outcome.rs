//! An outcome, sorted by what has to be done.

use std::time::Duration;

use crate::sink::{Outcome, Verdict};

/// The records of an outcome that are to be tried again.
pub(super) struct Retry {
    pub positions: Vec<usize>,
    pub why: String,
    pub after: Option<Duration>,
    pub answered: bool,
    /// The destination does not let us.
    pub denied: bool,
}

/// An outcome, sorted.
#[derive(Default)]
pub(super) struct Split {
    pub accepted: u64,
    pub rejected: Vec<(String, Vec<usize>)>,
    /// How many of `taken` were refused, by reason.
    pub unnamed: Vec<(String, u64)>,
    /// Where some were refused that nobody named: those, and those that count as accepted.
    pub taken: Vec<usize>,
    pub too_large: Vec<usize>,
    pub held: Vec<usize>,
    pub retry: Option<Retry>,
}

/// Sorts the fates of `count` records.
pub(super) fn split(count: usize, outcome: &Outcome) -> Split {
    let mut fates = vec![
        None;
        if outcome.exceptions.is_empty() {
            0
        } else {
            count
        }
    ];
    for (position, verdict) in &outcome.exceptions {
        if let Some(fate) = fates.get_mut(*position as usize) {
            *fate = Some(verdict);
        }
    }
    let of = |position: usize| {
        let own = fates.get(position).copied().flatten();
        own.unwrap_or(&outcome.verdict)
    };
    let mut split = Split::default();
    for position in 0..count {
        split.add(position, of(position));
    }
    if !split.unnamed.is_empty() {
        let taken =
            |position: &usize| matches!(of(*position), Verdict::Accepted | Verdict::Unnamed(_));
        split.taken = (0..count).filter(taken).collect();
    }
    split
}

impl Split {
    /// The destination worked: it took or refused something.
    pub fn is_answer(&self) -> bool {
        self.accepted > 0 || self.has_rejected() || !self.too_large.is_empty()
    }

    /// Something was refused for good.
    pub fn has_rejected(&self) -> bool {
        !self.rejected.is_empty() || !self.unnamed.is_empty()
    }

    fn add(&mut self, position: usize, verdict: &Verdict) {
        match verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::TooLarge => self.too_large.push(position),
            Verdict::Held => self.held.push(position),
            Verdict::Rejected(reason) => {
                match self.rejected.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, positions)) => positions.push(position),
                    None => {
                        let reason = reason.clone().into_owned();
                        self.rejected.push((reason, vec![position]));
                    }
                }
            }
            Verdict::Unnamed(reason) => {
                match self.unnamed.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, count)) => *count += 1,
                    None => self.unnamed.push((reason.clone().into_owned(), 1)),
                }
            }
            Verdict::Retry {
                why,
                after,
                answered,
            } => {
                let retry = self.again(position, why);
                retry.after = retry.after.max(*after);
                retry.answered |= answered;
            }
            Verdict::Denied { why } => {
                let retry = self.again(position, why);
                retry.answered = true;
                retry.denied = true;
            }
        }
    }

    /// The record is to be tried again.
    fn again(&mut self, position: usize, why: &str) -> &mut Retry {
        let retry = self.retry.get_or_insert_with(|| Retry {
            positions: Vec::new(),
            why: why.to_owned(),
            after: None,
            answered: false,
            denied: false,
        });
        retry.positions.push(position);
        retry
    }
}
