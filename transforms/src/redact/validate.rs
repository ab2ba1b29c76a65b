//! Judging what a pattern caught: the match with what is around it, and the verdict.

use std::ops::Range;

use super::keys::Link;
use super::work::looked_at;

/// How far from a match a word may stand that says what it is, in bytes.
pub const NEAR_BYTES: usize = 32;

/// Longest word that counts only where it stands for itself, in bytes.
const SHORT_WORD_BYTES: usize = 5;

/// What a pattern caught, in its text.
#[derive(Debug, Clone)]
pub struct Found<'t> {
    pub text: &'t [u8],
    pub range: Range<usize>,
    /// The keys of the JSON members that the text is the value of, innermost first.
    pub path: Option<&'t Link<'t>>,
}

impl<'t> Found<'t> {
    /// The bytes that were caught.
    pub fn bytes(&self) -> &'t [u8] {
        self.text.get(self.range.clone()).unwrap_or_default()
    }

    /// The byte before; 0 at the start of the text.
    pub fn before(&self) -> u8 {
        before(self.text, self.range.start)
    }

    /// The byte behind; 0 at the end of the text.
    pub fn behind(&self) -> u8 {
        behind(self.text, self.range.end)
    }

    /// Whether the match is no part of a longer word.
    pub fn stands_alone(&self) -> bool {
        !self.before().is_ascii_alphanumeric() && !self.behind().is_ascii_alphanumeric()
    }

    /// Whether one of these words is in the keys that lead to it, or ends up to `reach` bytes before it, or begins up to
    /// [`NEAR_BYTES`] behind: in lower case, compared without the separators `_`, `-`, `.` and space. A word of up to
    /// [`SHORT_WORD_BYTES`] bytes must be one there too: `pan` is not near `company`, but near `userPan`.
    pub fn is_near(&self, words: &[&str], reach: usize) -> bool {
        self.is_near_range(&self.range, words, reach)
    }

    fn is_near_range(&self, range: &Range<usize>, words: &[&str], reach: usize) -> bool {
        let text = self.text;
        let near_before = range.start.saturating_sub(reach)..range.start;
        let near_behind = range.end..(range.end + NEAR_BYTES + 1).min(text.len());
        words.iter().any(|word| {
            let word = word.as_bytes();
            // A word may begin further away than it ends, with separators inside it.
            let first = near_before.start.saturating_sub(2 * word.len())..near_before.end;
            holds_word(text, first, near_before.start..near_before.end, word)
                || holds_word(
                    text,
                    near_behind.clone(),
                    near_behind.start..text.len(),
                    word,
                )
                || self.is_in_path(word)
        })
    }

    fn is_in_path(&self, word: &[u8]) -> bool {
        if self.path.is_some_and(Link::is_long) {
            return true;
        }
        let mut link = self.path;
        while let Some(member) = link {
            let whole = 0..member.key.len();
            if holds_word(member.key, whole.clone(), whole, word) {
                return true;
            }
            link = member.parent;
        }
        false
    }

    /// What a check says of it; of what the check would take, one of the words must be near.
    pub fn judged(&self, check: Check, words: &[&str]) -> Verdict {
        match words {
            [] => check(self),
            words => self.near_or_none(check(self), words),
        }
    }

    /// A verdict, if one of the words is within [`NEAR_BYTES`] of what it takes or in the keys that lead to it.
    pub fn near_or_none(&self, verdict: Verdict, words: &[&str]) -> Verdict {
        match verdict {
            Verdict::Redact(range) if !self.is_near_range(&range, words, NEAR_BYTES) => {
                Verdict::Reject(range.end)
            }
            verdict => verdict,
        }
    }

    /// Reject it, and look again from its second byte.
    pub fn no(&self) -> Verdict {
        Verdict::Reject(self.range.start + 1)
    }

    /// Reject all of it.
    pub fn none_in_it(&self) -> Verdict {
        Verdict::Reject(self.range.end)
    }

    /// Redact all of it.
    pub fn yes(&self) -> Verdict {
        Verdict::Redact(self.range.clone())
    }
}

/// The byte before an offset; 0 at the start.
pub fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or(0)
}

/// The byte at an offset; 0 at the end.
pub fn behind(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Whether `text` holds a lower-case word that begins in `first` and ends in `last`, in any case and with separators
/// inside it.
fn holds_word(text: &[u8], first: Range<usize>, last: Range<usize>, word: &[u8]) -> bool {
    let Some(letter) = word.first() else {
        return false;
    };
    looked_at(first.len());
    first.into_iter().any(|start| {
        text[start].to_ascii_lowercase() == *letter
            && word_end(&text[..last.end], start, word).is_some_and(|end| {
                let stands_alone = is_border(text, start) && is_border(text, end);
                end >= last.start && (word.len() > SHORT_WORD_BYTES || stands_alone)
            })
    })
}

/// The end of a word that begins at `start`.
fn word_end(text: &[u8], start: usize, word: &[u8]) -> Option<usize> {
    let mut at = start;
    for letter in word {
        while at > start && text.get(at).is_some_and(|byte| is_separator(*byte)) {
            at += 1;
        }
        if text.get(at)?.to_ascii_lowercase() != *letter {
            return None;
        }
        at += 1;
    }
    Some(at)
}

/// Whether a byte may stand between the letters of a word: `_`, `-`, `.` or a space.
pub fn is_separator(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

/// Whether no word goes on over an offset: one side is no letter, or a capital follows what is none.
fn is_border(text: &[u8], at: usize) -> bool {
    let (first, next) = (before(text, at), behind(text, at));
    !first.is_ascii_alphabetic()
        || !next.is_ascii_alphabetic()
        || (first.is_ascii_lowercase() && next.is_ascii_uppercase())
}

/// What a check decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These bytes of the text go.
    Redact(Range<usize>),
    /// It is none; look again from here.
    Reject(usize),
}

/// Decides on one match. Total, and linear in the length of the match and a bounded distance around it.
pub type Check = fn(&Found<'_>) -> Verdict;

/// The shape is enough.
pub fn whole(found: &Found<'_>) -> Verdict {
    found.yes()
}
