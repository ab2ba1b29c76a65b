//! JSON as ranges of bytes: validate, find and rewrite values without building them.
//!
//! Everything here works on the text itself, allocates nothing but what its caller hands in, uses no recursion, and
//! accepts exactly RFC 8259 (nesting up to [`JSON_DEPTH_MAX`](crate::limits::JSON_DEPTH_MAX)).

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::limits::JSON_DEPTH_MAX;

/// The text is no JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Where it stopped being one, in bytes from the start of the text.
    pub at: usize,
}

/// The first offset at or after `at` that is no JSON white space.
pub fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The end of the JSON value that begins at `at` (no white space before it).
///
/// # Errors
///
/// Where the text stops being one JSON value; nesting deeper than the limit counts as malformed.
pub fn skip_value(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let mut open = Nesting::default();
    let mut at = at;
    loop {
        at = match bytes.get(at) {
            Some(b'"') => skip_string(bytes, at)?,
            Some(b'{') => {
                open.push(true, at)?;
                let next = skip_space(bytes, at + 1);
                if bytes.get(next) == Some(&b'}') {
                    open.pop();
                    next + 1
                } else {
                    at = skip_key(bytes, next)?;
                    continue;
                }
            }
            Some(b'[') => {
                open.push(false, at)?;
                let next = skip_space(bytes, at + 1);
                if bytes.get(next) == Some(&b']') {
                    open.pop();
                    next + 1
                } else {
                    at = next;
                    continue;
                }
            }
            Some(b'-' | b'0'..=b'9') => skip_number(bytes, at)?,
            Some(b't') => skip_word(bytes, at, b"true")?,
            Some(b'f') => skip_word(bytes, at, b"false")?,
            Some(b'n') => skip_word(bytes, at, b"null")?,
            _ => return Err(Malformed { at }),
        };
        // A value ended at `at`: close what it completes, up to the next value.
        loop {
            if open.depth == 0 {
                return Ok(at);
            }
            at = skip_space(bytes, at);
            match (bytes.get(at), open.in_object()) {
                (Some(b','), true) => {
                    at = skip_key(bytes, skip_space(bytes, at + 1))?;
                    break;
                }
                (Some(b','), false) => {
                    at = skip_space(bytes, at + 1);
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    open.pop();
                    at += 1;
                }
                _ => return Err(Malformed { at }),
            }
        }
    }
}

/// Which brackets are open: one bit a level, set for an object.
#[derive(Default)]
struct Nesting {
    depth: usize,
    objects: [u64; JSON_DEPTH_MAX / 64],
}

impl Nesting {
    fn push(&mut self, object: bool, at: usize) -> Result<(), Malformed> {
        if self.depth == JSON_DEPTH_MAX {
            return Err(Malformed { at });
        }
        let bit = 1u64 << (self.depth % 64);
        let word = &mut self.objects[self.depth / 64];
        *word = if object { *word | bit } else { *word & !bit };
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn in_object(&self) -> bool {
        let level = self.depth.saturating_sub(1);
        self.objects[level / 64] & (1u64 << (level % 64)) != 0
    }
}

/// From the quote of a key to the start of its value.
fn skip_key(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    key_at(bytes, at).map(|(_, value)| value)
}

fn skip_word(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, Malformed> {
    if bytes[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(Malformed { at })
    }
}

fn skip_number(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let digits = |mut at: usize| {
        let start = at;
        while let Some(b'0'..=b'9') = bytes.get(at) {
            at += 1;
        }
        if at == start {
            Err(Malformed { at })
        } else {
            Ok(at)
        }
    };
    let first = if bytes.get(at) == Some(&b'-') {
        at + 1
    } else {
        at
    };
    let mut end = if bytes.get(first) == Some(&b'0') {
        first + 1
    } else {
        digits(first)?
    };
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Ok(end)
}

/// The offset after the closing quote of the string that opens at `at`.
///
/// # Errors
///
/// Where a control character, a wrong escape or the end of the text stops it.
pub fn skip_string(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let mut at = at + 1;
    loop {
        at = find_special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') if hex4(bytes, at + 2).is_some() => at += 6,
                _ => return Err(Malformed { at }),
            },
            _ => return Err(Malformed { at }),
        }
    }
}

/// The first offset at or after `at` with a quote, a backslash or a control character, else the end.
///
/// Eight bytes a step: for each byte, `x - n` borrows into its top bit when `x < n` and `x` had none.
fn find_special(bytes: &[u8], at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let mut offset = at;
    while let Some(chunk) = bytes.get(offset..offset + 8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let hit = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        // The lowest set bit is exact; higher ones may come from a borrow, and are looked at again.
        if hit & TOPS != 0 {
            return offset + ((hit & TOPS).trailing_zeros() / 8) as usize;
        }
        offset += 8;
    }
    while let Some(&byte) = bytes.get(offset) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return offset;
        }
        offset += 1;
    }
    bytes.len()
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| {
        let digit = (*digit as char).to_digit(16)?;
        Some(value * 16 + digit)
    })
}

/// Whether the bytes are exactly one JSON value, white space around it allowed. Gives its range.
pub fn whole_value(bytes: &[u8]) -> Option<Range<usize>> {
    let start = skip_space(bytes, 0);
    let end = skip_value(bytes, start).ok()?;
    (skip_space(bytes, end) == bytes.len()).then_some(start..end)
}

/// The key whose quote opens at `at`, between its quotes and still escaped, and where its value begins.
///
/// # Errors
///
/// Where there is no key or no colon.
pub fn key_at(bytes: &[u8], at: usize) -> Result<(Range<usize>, usize), Malformed> {
    if bytes.get(at) != Some(&b'"') {
        return Err(Malformed { at });
    }
    let end = skip_string(bytes, at)?;
    let colon = skip_space(bytes, end);
    if bytes.get(colon) != Some(&b':') {
        return Err(Malformed { at: colon });
    }
    Ok((at + 1..end - 1, skip_space(bytes, colon + 1)))
}

/// The members of an object, in order: the key between its quotes (still escaped), and the value's range.
///
/// Ends early where the text is no valid object; [`Members::end`] tells.
pub fn members(bytes: &[u8], object: Range<usize>) -> Members<'_> {
    let opens = bytes.get(object.start) == Some(&b'{');
    Members {
        bytes: &bytes[..object.end],
        at: object.start + usize::from(opens),
        follows: if opens {
            Follows::First
        } else {
            Follows::Nothing
        },
    }
}

/// The members of an object that is written without its braces.
pub fn bare_members(bytes: &[u8]) -> Members<'_> {
    Members {
        bytes,
        at: 0,
        follows: Follows::First,
    }
}

/// See [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a> {
    bytes: &'a [u8],
    at: usize,
    follows: Follows,
}

/// What may come next in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// A member, or the closing brace.
    First,
    /// A member: there was a comma.
    Another,
    /// The closing brace.
    Nothing,
}

impl Members<'_> {
    /// Once there is no other member: the offset after the closing brace, if the text is a valid object.
    pub fn end(&self) -> Option<usize> {
        let closed = self.bytes.get(self.at) == Some(&b'}');
        (closed && self.follows != Follows::Another).then_some(self.at + 1)
    }
}

impl Iterator for Members<'_> {
    type Item = (Range<usize>, Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.bytes;
        if self.follows == Follows::Nothing {
            return None;
        }
        self.at = skip_space(bytes, self.at);
        let (key, value) = key_at(bytes, self.at).ok()?;
        let end = skip_value(bytes, value).ok()?;
        self.at = skip_space(bytes, end);
        if bytes.get(self.at) == Some(&b',') {
            self.at += 1;
            self.follows = Follows::Another;
        } else {
            self.follows = Follows::Nothing;
        }
        Some((key, value..end))
    }
}

/// The elements of an array, in order. Ends early where the text is no valid array.
pub fn elements(bytes: &[u8], array: Range<usize>) -> Elements<'_> {
    Elements {
        bytes: &bytes[..array.end],
        at: array.start,
    }
}

/// See [`elements`].
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Elements<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        if !matches!(self.bytes.get(self.at), Some(b'[' | b',')) {
            return None;
        }
        let start = skip_space(self.bytes, self.at + 1);
        let end = skip_value(self.bytes, start).ok()?;
        self.at = skip_space(self.bytes, end);
        Some(start..end)
    }
}

/// Whether an escaped key (as [`members`] gives it) is the word `wanted`.
pub fn key_is(escaped: &[u8], wanted: &str) -> bool {
    if memchr::memchr(b'\\', escaped).is_none() {
        return escaped == wanted.as_bytes();
    }
    unescape(escaped) == wanted.as_bytes()
}

/// The text between a string's quotes with its escapes resolved; borrowed when there are none.
///
/// A half of a surrogate pair that stands alone becomes U+FFFD.
pub fn unescape(escaped: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', escaped).is_none() {
        return Cow::Borrowed(escaped);
    }
    let mut text = Vec::with_capacity(escaped.len());
    unescape_into(escaped, &mut text);
    Cow::Owned(text)
}

/// Appends the text between a string's quotes, its escapes resolved. Never longer than the escaped form, but for a
/// lone half of a surrogate pair.
pub fn unescape_into(escaped: &[u8], text: &mut Vec<u8>) {
    let mut at = 0;
    loop {
        at = push_plain(escaped, at, text);
        if at == escaped.len() {
            return;
        }
        let (character, length) = match escaped.get(at + 1) {
            Some(b'n') => ('\n', 2),
            Some(b't') => ('\t', 2),
            Some(b'r') => ('\r', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'u') => unicode_escape(escaped, at),
            Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
            _ => ('\\', 1),
        };
        if character.is_ascii() {
            text.push(character as u8);
        } else {
            let mut buffer = [0; 4];
            text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
        at = (at + length).min(escaped.len());
    }
}

/// Appends what stands before the next backslash; gives its offset, or the end. JSON inside a string has escapes a few
/// bytes apart, where a search and a copy by calls would cost more than the bytes.
fn push_plain(escaped: &[u8], at: usize, text: &mut Vec<u8>) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let mut offset = at;
    while let Some(chunk) = escaped.get(offset..).and_then(<[u8]>::first_chunk::<8>) {
        let differs = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(b'\\'));
        let hit = differs.wrapping_sub(ONES) & !differs & TOPS;
        text.extend_from_slice(chunk);
        if hit != 0 {
            let plain = (hit.trailing_zeros() / 8) as usize;
            text.truncate(text.len() - (8 - plain));
            return offset + plain;
        }
        offset += 8;
        // Far from any escape the search for the next one is the faster way.
        if offset - at == 64 {
            let rest = &escaped[offset..];
            let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
            text.extend_from_slice(&rest[..plain]);
            return offset + plain;
        }
    }
    while let Some(&byte) = escaped.get(offset).filter(|byte| **byte != b'\\') {
        text.push(byte);
        offset += 1;
    }
    offset
}

/// The character of a `\uXXXX` escape at `at`, with the second half of a pair, and how many bytes that took.
fn unicode_escape(escaped: &[u8], at: usize) -> (char, usize) {
    let Some(first) = hex4(escaped, at + 2) else {
        return ('\u{FFFD}', 2);
    };
    if let Some(character) = char::from_u32(first) {
        return (character, 6);
    }
    let second = (escaped.get(at + 6..at + 8) == Some(b"\\u"))
        .then(|| hex4(escaped, at + 8))
        .flatten();
    match second {
        Some(second @ 0xDC00..=0xDFFF) if first < 0xDC00 => {
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            (char::from_u32(code).unwrap_or('\u{FFFD}'), 12)
        }
        _ => ('\u{FFFD}', 6),
    }
}

/// How an escape by number begins.
static BY_NUMBER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));

/// Writes U+FFFD in place of each half of a surrogate pair that stands alone in JSON text, as long as it was: `\ud83d`
/// becomes `\ufffd`.
///
/// The grammar allows such a half, so a record may bring one; but it is no character, and strict decoders refuse all of
/// a text for it. Whoever puts records together into one text calls this, so that no record takes others with it. Text
/// without `\u` is looked through once: 270 bytes without a backslash take 140 instructions.
///
/// Source: RFC 8259, section 8.2.
pub fn mend_halves(text: &mut [u8]) {
    let Some(mut from) = memchr::memchr(b'\\', text) else {
        return;
    };
    while let Some(found) = BY_NUMBER.find(&text[from..]) {
        let at = from + found;
        // Behind a backslash that is escaped itself stands a plain letter.
        let slashes = text[..at].iter().rev().take_while(|byte| **byte == b'\\');
        if slashes.count() % 2 == 1 {
            from = at + 2;
            continue;
        }
        let (character, length) = unicode_escape(text, at);
        from = (at + length).min(text.len());
        if character == '\u{FFFD}'
            && let Some(digits) = text.get_mut(at + 2..at + 6)
        {
            digits.copy_from_slice(b"fffd");
        }
    }
}

/// Appends `text` as the inside of a JSON string: quotes, backslashes and control characters escaped.
pub fn escape_into(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut at = 0;
    loop {
        let special = find_special(text, at);
        out.extend_from_slice(&text[at..special]);
        let Some(&byte) = text.get(special) else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        at = special + 1;
    }
}

/// Appends `text` as a JSON string with its quotes.
pub fn quote_into(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape_into(text, out);
    out.push(b'"');
}

/// The inside of a raw JSON string value, still escaped; `None` for any other kind of value.
pub fn string_inside(raw: &[u8]) -> Option<&[u8]> {
    match raw {
        [b'"', inside @ .., b'"'] => Some(inside),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nesting_is_accepted_up_to_the_limit_and_refused_one_deeper() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let just = nested(JSON_DEPTH_MAX);
        assert_eq!(skip_value(just.as_bytes(), 0), Ok(just.len()));
        assert!(skip_value(nested(JSON_DEPTH_MAX + 1).as_bytes(), 0).is_err());
    }

    #[test]
    fn members_and_elements_are_found_in_order() {
        let text = br#"{ "a" : 1, "b\u0041":{"x":[1,2]} , "c":"}" }"#;
        let found: Vec<_> = members(text, 0..text.len())
            .map(|(key, value)| {
                (
                    String::from_utf8_lossy(&unescape(&text[key])).into_owned(),
                    String::from_utf8_lossy(&text[value]).into_owned(),
                )
            })
            .collect();
        let expected = [("a", "1"), ("bA", r#"{"x":[1,2]}"#), ("c", r#""}""#)];
        assert_eq!(
            found,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        let array = br#"[ 1, [2] ,"x" ]"#;
        let items: Vec<_> = elements(array, 0..array.len())
            .map(|item| &array[item])
            .collect();
        assert_eq!(items, [&b"1"[..], b"[2]", b"\"x\""]);
    }

    #[test]
    fn the_end_of_the_members_tells_whether_it_was_an_object() {
        let end = |text: &str| {
            let mut members = members(text.as_bytes(), 0..text.len());
            members.by_ref().for_each(drop);
            members.end()
        };
        for whole in ["{}", "{ }", r#"{"a":1}"#, r#"{"a":{"b":[]} , "c":null }"#] {
            assert_eq!(end(whole), Some(whole.len()), "{whole}");
        }
        for broken in [
            "",
            "{",
            "{,}",
            "x",
            "[]",
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            r#"{"a":1"#,
            r#"{"a":tru}"#,
            r#"{a:1}"#,
        ] {
            assert_eq!(end(broken), None, "{broken}");
        }
        assert_eq!(end("{} {}"), Some(2), "what follows is not looked at");
        let bare = br#""a":1, "b" : "x""#;
        let found: Vec<_> = bare_members(bare)
            .map(|(key, value)| (&bare[key], &bare[value]))
            .collect();
        assert_eq!(found, [(&b"a"[..], &b"1"[..]), (b"b", b"\"x\"")]);
        assert_eq!(bare_members(b"").count(), 0);
    }

    #[test]
    fn surrogate_pairs_join_and_halves_are_replaced() {
        assert_eq!(unescape(br"\ud83e\udd80\u0040"), "🦀@".as_bytes());
        assert_eq!(unescape(br"\ud83e!"), "\u{FFFD}!".as_bytes());
        assert_eq!(
            unescape(br"\udd80\ud83e\u0041"),
            "\u{FFFD}\u{FFFD}A".as_bytes()
        );
    }

    #[test]
    fn only_halves_that_stand_alone_are_mended_in_json() {
        for (text, wanted) in [
            (r#""\ud83e\udd80\u00e4""#, r#""\ud83e\udd80\u00e4""#),
            (r#""\ud83e""#, r#""\ufffd""#),
            (r#""\uD83E!\uDD80""#, r#""\ufffd!\ufffd""#),
            (r#""\udd80\ud83e\udd80""#, r#""\ufffd\ud83e\udd80""#),
            (r#""\ud83e\ud83e\udd80""#, r#""\ufffd\ud83e\udd80""#),
            (r#""\ud83e\u0041""#, r#""\ufffd\u0041""#),
            (r#""\\ud83e \\\ud83e""#, r#""\\ud83e \\\ufffd""#),
            (r#"{"\udead":1}"#, r#"{"\ufffd":1}"#),
            (r#""\ufffd""#, r#""\ufffd""#),
        ] {
            let mut mended = text.as_bytes().to_vec();
            mend_halves(&mut mended);
            assert_eq!(std::str::from_utf8(&mended), Ok(wanted));
            let read: Result<serde_json::Value, _> = serde_json::from_slice(&mended);
            assert!(read.is_ok(), "{wanted}");
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(6, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_generated_value_is_skipped_whole(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(skip_value(text.as_bytes(), 0), Ok(text.len()));
            if text.len() > 1 {
                let cut = text.len() - 1;
                let parses = serde_json::from_str::<serde_json::Value>(&text[..text.floor_char_boundary(cut)]).is_ok();
                prop_assert_eq!(whole_value(&text.as_bytes()[..text.floor_char_boundary(cut)]).is_some(), parses);
            }
        }

        #[test]
        fn validity_agrees_with_serde_json(text in r#"[\[\]{}",:\\u0-9eE.+\-tfnrualse \x01é]{0,40}"#) {
            let ours = whole_value(text.as_bytes()).is_some();
            let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }

        #[test]
        fn escaping_and_back_is_the_same_text(text: String) {
            let mut quoted = Vec::new();
            quote_into(text.as_bytes(), &mut quoted);
            prop_assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text.clone());
            prop_assert_eq!(unescape(string_inside(&quoted).unwrap()), text.as_bytes());
        }

        #[test]
        fn what_is_mended_reads_as_it_did_but_strictly(inside in r"(\\u[dD][89a-fA-F][0-9a-f]{2}|\\\\|\\n|u|d8|x|\\u00e4){0,12}") {
            let mut text = format!("\"{inside}\"").into_bytes();
            mend_halves(&mut text);
            let read: String = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read.as_bytes(), &*unescape(inside.as_bytes()));
        }

        #[test]
        fn unescaping_anything_ends(bytes: Vec<u8>) {
            let mut text = Vec::new();
            unescape_into(&bytes, &mut text);
            prop_assert!(text.len() <= bytes.len() * 3);
        }
    }
}
