//! The text of one configuration file, and where things are in it.

use std::ops::Range;

/// Most parts that a dotted key may have. Each part is one level of tables, and levels are walked by recursion.
const KEY_PARTS_MAX: usize = 16;

/// The text of one configuration file with the name to print.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As messages name it, for example `/opt/tapline/tapline.toml`.
    pub name: String,
    /// The whole text; spans are byte offsets into it.
    pub text: String,
}

impl Source {
    /// Line and column of a byte offset, both from 1; the column counts characters.
    ///
    /// An offset beyond the end counts as the end, one inside a character as its start.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor(&self.text, offset);
        let line = self.line_range(offset);
        let number = self.text[..line.start].matches('\n').count() + 1;
        (number, self.text[line.start..offset].chars().count() + 1)
    }

    /// The range of the line that holds an offset, without its line break.
    pub(super) fn line_range(&self, offset: usize) -> Range<usize> {
        let offset = floor(&self.text, offset);
        let start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[start..];
        let line = rest.find('\n').map_or(rest, |length| &rest[..length]);
        start..start + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The span moved to where it may be sliced: inside the text, on borders of characters, not backwards.
    pub(super) fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let start = floor(&self.text, span.start);
        let mut end = span.end.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        start..end.max(start)
    }

    /// Where, in the text, a range of the content of the string at `span` is.
    ///
    /// Exact for a string whose content stands in the file as it is; `None` with escapes or replaced variables.
    pub(super) fn inside(
        &self,
        span: &Range<usize>,
        content: &str,
        range: &Range<usize>,
    ) -> Option<Range<usize>> {
        let raw = self.text.get(span.clone())?;
        let (quotes, multiline) = match raw.as_bytes() {
            [b'"', b'"', b'"', _, ..] | [b'\'', b'\'', b'\'', _, ..] => (3, true),
            [b'"', ..] | [b'\'', ..] => (1, false),
            _ => return None,
        };
        let mut body = raw.get(quotes..raw.len().checked_sub(quotes)?)?;
        let mut start = span.start + quotes;
        if multiline {
            // TOML drops a line break right after the opening quotes.
            let rest = body.strip_prefix("\r\n").or(body.strip_prefix('\n'));
            let rest = rest.unwrap_or(body);
            start += body.len() - rest.len();
            body = rest;
        }
        let exact = body == content && range.start <= range.end && range.end <= body.len();
        exact.then(|| start + range.start..start + range.end)
    }

    /// Where a dotted key has more than [`KEY_PARTS_MAX`] parts.
    pub(super) fn deep_key(&self) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let (mut at, mut parts) = (0, 0);
        while at < bytes.len() {
            match bytes[at] {
                b'.' => parts += 1,
                b'#' => at += memchr::memchr(b'\n', &bytes[at..]).unwrap_or(bytes.len() - at),
                b'"' | b'\'' => at = string_end(bytes, at) - 1,
                b' ' | b'\t' | b'_' | b'-' => {}
                byte if byte.is_ascii_alphanumeric() => {}
                _ => parts = 0,
            }
            if parts >= KEY_PARTS_MAX {
                return Some(at);
            }
            at += 1;
        }
        None
    }
}

/// The last border of a character at or before an offset.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The offset after the string that begins at `start`; an unclosed one ends with its line, or with the text.
pub(super) fn string_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let multiline = bytes[start..].starts_with(&[quote; 3]);
    let width = if multiline { 3 } else { 1 };
    let mut at = start + width;
    while at < bytes.len() {
        if bytes[at] == b'\n' && !multiline {
            return at;
        }
        let escaped = bytes[at] == b'\\' && quote == b'"';
        if escaped && (multiline || bytes.get(at + 1) != Some(&b'\n')) {
            at += 2;
        } else if bytes[at..].starts_with(&[quote; 3][..width]) {
            // Up to two quotes may stand right before the three that close.
            let more = bytes[at + width..].iter().take(2);
            let more = more.take_while(|byte| multiline && **byte == quote);
            return at + width + more.count();
        } else {
            at += 1;
        }
    }
    bytes.len()
}
