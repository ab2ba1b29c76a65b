//! `key=value` pairs in a line of text: Go's slog and logrus write them, and many others.
//!
//! ```text
//! time=2026-01-02T03:04:05.123Z level=INFO msg="order \"42\" accepted" ms=12 retried
//! ```

use std::ops::Range;

/// One pair. Ranges are offsets into the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Range<usize>,
    /// The value, without quotes, its escapes as they were written; `None` for a word that stands alone.
    pub value: Option<Range<usize>>,
    /// The value stood in quotes.
    pub quoted: bool,
}

/// The pairs of a line, in order; words that stand alone are pairs without a value. Ends at the text's end, or before
/// a quote that is not closed.
pub fn pairs(text: &[u8]) -> Pairs<'_> {
    Pairs { text, at: 0 }
}

/// See [`pairs`].
#[derive(Debug, Clone)]
pub struct Pairs<'t> {
    text: &'t [u8],
    at: usize,
}

impl Pairs<'_> {
    /// What was not read, from the first byte of the pair that could not be.
    pub fn rest(&self) -> usize {
        self.at
    }
}

/// Whether a key may hold the byte: no space, quote or `=`.
fn in_key(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'=' | b'"')
}

impl Iterator for Pairs<'_> {
    type Item = Pair;

    fn next(&mut self) -> Option<Pair> {
        let text = self.text;
        let length = |from: usize, inside: fn(u8) -> bool| {
            let rest = &text[from..];
            rest.iter()
                .position(|byte| !inside(*byte))
                .unwrap_or(rest.len())
        };
        self.at += length(self.at, |byte| byte <= b' ');
        let key = self.at..self.at + length(self.at, in_key);
        if key.is_empty() {
            return None;
        }
        if text.get(key.end) != Some(&b'=') {
            // A quote inside a word: no pair, and nothing after it can be trusted.
            if text.get(key.end) == Some(&b'"') {
                return None;
            }
            self.at = key.end;
            return Some(Pair {
                key,
                value: None,
                quoted: false,
            });
        }
        let start = key.end + 1;
        let (value, quoted) = if text.get(start) == Some(&b'"') {
            let end = closing_quote(text, start + 1)?;
            self.at = end + 1;
            (start + 1..end, true)
        } else {
            let end = start + length(start, |byte| byte > b' ');
            self.at = end;
            (start..end, false)
        };
        Some(Pair {
            key,
            value: Some(value),
            quoted,
        })
    }
}

/// The offset of the quote that closes a string whose inside begins at `at`.
pub fn closing_quote(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Option<&str>)> {
        let pair = |pair: Pair| (&text[pair.key], pair.value.map(|value| &text[value]));
        pairs(text.as_bytes()).map(pair).collect()
    }

    #[test]
    fn keys_values_quotes_and_lone_words_are_told_apart() {
        assert_eq!(
            read(r#"a=1 b="x \"y\" z"  flag c= d=e=f"#),
            [
                ("a", Some("1")),
                ("b", Some(r#"x \"y\" z"#)),
                ("flag", None),
                ("c", Some("")),
                ("d", Some("e=f")),
            ]
        );
    }

    #[test]
    fn reading_ends_at_what_is_no_pair() {
        assert_eq!(read(r#"a=1 b="open"#), [("a", Some("1"))]);
        assert_eq!(read(r#"a=1 x"y z=2"#), [("a", Some("1"))]);
        assert_eq!(read("=1"), []);
        assert_eq!(read(r#"a="\"#), []);
        assert_eq!(read(""), []);
    }
}
