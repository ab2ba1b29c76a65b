//! Which of the rules that want a word near a match find one of their words in a text at all.
//!
//! Many rules look for bare numbers, and share what they suspect with every date and order number; but each wants a word
//! of its own nearby. One search for all words over the text and its keys, in lower case and without separators, tells
//! which of them need not look. It finds at least what [`Found::is_near`](super::validate::Found::is_near) does.

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::gate::Suspects;
use super::keys::Link;
use super::scan::Active;
use super::validate::is_separator;
use super::work::looked_at;

/// The words of all rules.
pub struct Words {
    /// The rules that want a word.
    wanting: Suspects,
    finder: AhoCorasick,
    /// For each word of the finder, the rules that want it.
    rules: Vec<Vec<usize>>,
    /// The text that is searched.
    plain: Vec<u8>,
    /// The rules of which a word was found.
    named: Suspects,
}

/// Largest buffer that is kept, in bytes.
const PLAIN_BYTES_MAX: usize = 256 << 10;

/// Stands between texts, and in no word.
const BORDER: u8 = 0;

impl Words {
    /// The words of some rules.
    pub fn new(active: &[Active]) -> Result<Words, BuildError> {
        let mut wanting = Suspects::new(active.len());
        let mut words: Vec<(Vec<u8>, Vec<usize>)> = Vec::new();
        // A rule that takes values by their keys needs no word for those.
        let worded = active.iter().enumerate();
        for (rule, active) in worded.filter(|(_, active)| active.keys.is_empty()) {
            for word in active.words {
                wanting.add(rule);
                let mut plain = Vec::new();
                add_plain(word.as_bytes(), &mut plain);
                match words.iter_mut().find(|(known, _)| *known == plain) {
                    Some((_, rules)) => rules.push(rule),
                    None => words.push((plain, vec![rule])),
                }
            }
        }
        let (words, rules): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        Ok(Words {
            finder: AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(words)?,
            wanting,
            rules,
            plain: Vec::new(),
            named: Suspects::new(active.len()),
        })
    }

    /// Leaves out those of the suspects that want a word and have none in a text or its keys.
    pub fn acquit(&mut self, suspects: &mut Suspects, text: &[u8], path: Option<&Link<'_>>) {
        if !suspects.meets(&self.wanting) {
            return;
        }
        if path.is_some_and(Link::is_long) {
            return;
        }
        self.plain.clear();
        add_plain(text, &mut self.plain);
        let mut link = path;
        while let Some(member) = link {
            self.plain.push(BORDER);
            add_plain(member.key, &mut self.plain);
            link = member.parent;
        }
        looked_at(self.plain.len());
        self.named.clear();
        for found in self.finder.find_overlapping_iter(&self.plain) {
            for rule in &self.rules[found.pattern().as_usize()] {
                self.named.add(*rule);
            }
        }
        suspects.keep_named(&self.wanting, &self.named);
        if self.plain.capacity() > PLAIN_BYTES_MAX {
            self.plain = Vec::new();
        }
    }
}

/// Appends a text in lower case and without separators.
fn add_plain(text: &[u8], plain: &mut Vec<u8>) {
    plain.reserve(text.len());
    let letters = text.iter().filter(|byte| !is_separator(**byte));
    plain.extend(letters.map(u8::to_ascii_lowercase));
}
