//! Text into the fields of a JSON object.

use tapline_core::json;
use tapline_core::recognise::logfmt::{self, Pair};

/// Most fields of one text; one with more is kept as it is.
pub const FIELDS_MAX: usize = 256;
/// Longest number that becomes one, in digits: all of them are exact in a reader's 64-bit float.
const NUMBER_DIGITS_MAX: usize = 15;

/// What a text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Nothing: it stays text.
    None,
    /// One JSON object.
    Json,
    /// Pairs and nothing else.
    Logfmt,
    /// Pairs anywhere in a text, which stays as `message`.
    KeyValue,
}

/// Appends the object that a text holds. `false`, with nothing appended, where it does not hold one.
pub fn write(format: Format, text: &[u8], pairs: &mut Vec<Pair>, out: &mut Vec<u8>) -> bool {
    let text = text.trim_ascii();
    match format {
        Format::None => false,
        Format::Json => {
            let whole = text.first() == Some(&b'{') && json::whole_value(text).is_some();
            if whole {
                out.extend_from_slice(text);
            }
            whole
        }
        Format::Logfmt => read_logfmt(text, pairs) && write_pairs(text, pairs, None, out),
        Format::KeyValue => read_anywhere(text, pairs) && write_pairs(text, pairs, Some(text), out),
    }
}

/// Every word must be a pair or a key alone, the first one a pair.
fn read_logfmt(text: &[u8], pairs: &mut Vec<Pair>) -> bool {
    pairs.clear();
    let mut reading = logfmt::pairs(text);
    for pair in reading.by_ref() {
        if pairs.len() == FIELDS_MAX {
            return false;
        }
        pairs.push(pair);
    }
    reading.rest() == text.len() && pairs.first().is_some_and(|pair| pair.value.is_some())
}

/// Pairs between other words; commas and semicolons may stand behind values.
fn read_anywhere(text: &[u8], pairs: &mut Vec<Pair>) -> bool {
    pairs.clear();
    for mut pair in logfmt::pairs(text) {
        let Some(value) = &mut pair.value else {
            continue;
        };
        if !pair.quoted {
            let bare = &text[value.clone()];
            let end = bare.iter().rposition(|byte| !matches!(byte, b',' | b';'));
            value.end = value.start + end.map_or(0, |last| last + 1);
        }
        let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.@".contains(byte);
        if text[pair.key.clone()].iter().all(word) {
            if pairs.len() == FIELDS_MAX {
                return false;
            }
            pairs.push(pair);
        }
    }
    !pairs.is_empty()
}

/// Of equal keys the last counts. With a message, a field of that name gives way to it.
fn write_pairs(text: &[u8], pairs: &[Pair], message: Option<&[u8]>, out: &mut Vec<u8>) -> bool {
    let key = |pair: &Pair| &text[pair.key.clone()];
    let mut separator = b'{';
    if let Some(message) = message {
        out.extend_from_slice(b"{\"message\":");
        json::quote_into(message, out);
        separator = b',';
    }
    for (position, pair) in pairs.iter().enumerate() {
        let again = pairs[position + 1..]
            .iter()
            .any(|later| key(later) == key(pair));
        if again || (message.is_some() && key(pair) == b"message") {
            continue;
        }
        out.push(separator);
        separator = b',';
        json::quote_into(key(pair), out);
        out.push(b':');
        match &pair.value {
            None => out.extend_from_slice(b"true"),
            Some(value) => write_value(&text[value.clone()], pair.quoted, out),
        }
    }
    out.push(b'}');
    true
}

/// Text in quotes is text; a bare number or boolean is one.
fn write_value(value: &[u8], quoted: bool, out: &mut Vec<u8>) {
    if !quoted && (matches!(value, b"true" | b"false") || is_number(value)) {
        out.extend_from_slice(value);
    } else if quoted && memchr::memchr(b'\\', value).is_some() {
        json::quote_into(&unescaped(value), out);
    } else {
        json::quote_into(value, out);
    }
}

/// Only what stands for one plain character. `\u0040` stays as it was written: a redaction that came before could not
/// see what it stands for.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let plain = match (byte, bytes.peek()) {
            (b'\\', Some(b'n')) => Some(b'\n'),
            (b'\\', Some(b't')) => Some(b'\t'),
            (b'\\', Some(b'r')) => Some(b'\r'),
            (b'\\', Some(other @ (b'"' | b'\\'))) => Some(*other),
            _ => None,
        };
        if plain.is_some() {
            bytes.next();
        }
        text.push(plain.unwrap_or(byte));
    }
    text
}

/// A JSON number that no reader rounds and that is no id with a zero in front.
fn is_number(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits <= NUMBER_DIGITS_MAX
        && value
            .first()
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-')
        && json::skip_value(value, 0) == Ok(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &str) -> Option<String> {
        let mut out = Vec::new();
        write(format, text.as_bytes(), &mut Vec::new(), &mut out).then(|| {
            let text = String::from_utf8(out).unwrap();
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            text
        })
    }

    #[test]
    fn logfmt_becomes_fields_with_their_types() {
        let text = r#"time=2026-01-02T03:04:05Z level=INFO msg="order \"42\"\taccepted" n=12 share=-0.5e1 ok=true id=007 card=4111111111111111 retried empty= url=/a?b=c"#;
        assert_eq!(
            read(Format::Logfmt, text).unwrap(),
            r#"{"time":"2026-01-02T03:04:05Z","level":"INFO","msg":"order \"42\"\taccepted","n":12,"share":-0.5e1,"ok":true,"id":"007","card":"4111111111111111","retried":true,"empty":"","url":"/a?b=c"}"#
        );
        assert_eq!(
            read(Format::Logfmt, "a=1 a=2 b=3").unwrap(),
            r#"{"a":2,"b":3}"#
        );
        assert_eq!(
            read(Format::Logfmt, r#"a="\u0040 \x""#).unwrap(),
            r#"{"a":"\\u0040 \\x"}"#
        );
    }

    #[test]
    fn what_is_no_logfmt_is_not_read() {
        for text in [
            "",
            "plain text",
            "a b=1",
            r#"a=1 b="open"#,
            r#"a=1 x"y"#,
            "=1",
            r#"{"a":1}"#,
        ] {
            assert_eq!(read(Format::Logfmt, text), None, "{text}");
        }
        let many = |count: usize| {
            (0..count)
                .map(|number| format!("k{number}=1 "))
                .collect::<String>()
        };
        assert!(read(Format::Logfmt, &many(FIELDS_MAX)).is_some());
        assert!(read(Format::Logfmt, &many(FIELDS_MAX + 1)).is_none());
        assert!(read(Format::KeyValue, &many(FIELDS_MAX + 1)).is_none());
    }

    #[test]
    fn pairs_are_found_among_words() {
        assert_eq!(
            read(
                Format::KeyValue,
                r#"order accepted id=42, total=3.5; by="A B" (x)=1 message=no"#
            )
            .unwrap(),
            r#"{"message":"order accepted id=42, total=3.5; by=\"A B\" (x)=1 message=no","id":42,"total":3.5,"by":"A B"}"#
        );
        assert_eq!(read(Format::KeyValue, "no pairs here"), None);
        assert_eq!(read(Format::KeyValue, "1 + 1 == 2"), None);
    }

    #[test]
    fn json_is_taken_as_it_is() {
        assert_eq!(
            read(Format::Json, " {\"a\": 1.0}\n").unwrap(),
            "{\"a\": 1.0}"
        );
        for text in ["[1]", "{\"a\":1", "x {\"a\":1}", "5", ""] {
            assert_eq!(read(Format::Json, text), None, "{text}");
        }
    }
}
