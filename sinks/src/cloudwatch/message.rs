//! A record as the message of CloudWatch Logs.
//!
//! - Events of the platform and reports of Tapline are whole: `{"time":"…","type":"…","record":…}`.
//! - All else is bare: text without its final newline, JSON byte for byte. So a line in the embedded metric format stays
//!   what it was.
//! - What `enrich` set is merged into the root of a message that is a JSON object and no embedded metrics; text carries
//!   none.
//! - With [`Format::Envelope`] it is [the line](tapline_core::line).
//!
//! A message has at least one character, so an empty one becomes a space.

use std::ops::Range;

use tapline_core::batch::{Batch, Origin, Record};
use tapline_core::json;
use tapline_core::line;

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// As the top of this file says.
    Bare,
    /// The line that other sinks write.
    Envelope,
}

/// Writes messages; holds the decoded form of one at most.
#[derive(Debug)]
pub(super) struct Writer {
    format: Format,
    text: Vec<u8>,
}

/// Most bytes of the decoded form that are kept between two messages.
const KEPT_BYTES_MAX: usize = 64 << 10;

impl Writer {
    pub fn new(format: Format) -> Writer {
        Writer {
            format,
            text: Vec::new(),
        }
    }

    /// Appends the message of a record as the inside of a JSON string. Gives its length before escaping, in bytes.
    pub fn write(&mut self, batch: &Batch, record: &Record, out: &mut Vec<u8>) -> usize {
        let raw = batch.bytes(record.value);
        let bare = self.format == Format::Bare
            && (record.as_line || !matches!(record.origin, Origin::Platform | Origin::Tapline));
        let merges = !record.attributes.is_empty() && !record.embedded_metrics;
        if bare && !merges {
            let length = match json::string_inside(raw) {
                Some(inside) => self.copy(without_newline(inside), out),
                None => escaped(raw, out),
            };
            return at_least_one(length, out);
        }
        self.text.clear();
        match self.format {
            Format::Envelope => line::write(batch, record, &mut self.text),
            Format::Bare if bare => write_merged(batch, record, &mut self.text),
            Format::Bare => write_whole(batch, record, &mut self.text),
        }
        let length = escaped(&self.text, out);
        self.text.shrink_to(KEPT_BYTES_MAX);
        at_least_one(length, out)
    }

    /// Copies the inside of a JSON string as it stands. Only `\u` is resolved and written anew, because half of a pair
    /// would make the whole request unreadable.
    fn copy(&mut self, inside: &[u8], out: &mut Vec<u8>) -> usize {
        match length_of(inside) {
            Some(length) => {
                out.extend_from_slice(inside);
                length
            }
            None => {
                self.text.clear();
                json::unescape_into(inside, &mut self.text);
                let length = escaped(&self.text, out);
                self.text.shrink_to(KEPT_BYTES_MAX);
                length
            }
        }
    }
}

fn escaped(text: &[u8], out: &mut Vec<u8>) -> usize {
    json::escape_into(text, out);
    text.len()
}

fn at_least_one(length: usize, out: &mut Vec<u8>) -> usize {
    if length == 0 {
        out.push(b' ');
        return 1;
    }
    length
}

/// The inside of a JSON string without one newline at its end.
fn without_newline(inside: &[u8]) -> &[u8] {
    let inside = without(inside, b"\\n");
    without(inside, b"\\r")
}

fn without<'a>(inside: &'a [u8], escape: &[u8]) -> &'a [u8] {
    let Some(rest) = inside.strip_suffix(escape) else {
        return inside;
    };
    // Behind a backslash that is escaped itself stands a plain letter.
    let slashes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
    if slashes % 2 == 0 { rest } else { inside }
}

/// Bytes of the inside of a JSON string once it is decoded; `None` where it has a `\u`, or what is no escape.
fn length_of(inside: &[u8]) -> Option<usize> {
    let mut length = inside.len();
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &inside[at..]) {
        at += found + 2;
        length -= 1;
        if !matches!(
            inside.get(at - 1),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
        ) {
            return None;
        }
    }
    Some(length)
}

/// `{"time":"…","type":"…","record":…}`, and behind it what `enrich` set.
fn write_whole(batch: &Batch, record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(batch.bytes(record.time));
    out.extend_from_slice(b"\",\"type\":\"");
    out.extend_from_slice(batch.bytes(record.kind));
    out.extend_from_slice(b"\",\"record\":");
    match batch.bytes(record.value) {
        b"" => out.extend_from_slice(b"null"),
        raw => out.extend_from_slice(raw),
    }
    if !record.attributes.is_empty() {
        out.push(b',');
        out.extend_from_slice(batch.bytes(record.attributes));
    }
    out.push(b'}');
}

/// The bare message with what `enrich` set merged into it, where it is a JSON object.
fn write_merged(batch: &Batch, record: &Record, out: &mut Vec<u8>) {
    let raw = batch.bytes(record.value);
    let text = match json::string_inside(raw) {
        Some(inside) => json::unescape(without_newline(inside)),
        None => raw.into(),
    };
    match json::whole_value(&text) {
        Some(object) if text[object.start] == b'{' => {
            merge(&text, object, batch.bytes(record.attributes), out);
        }
        _ => out.extend_from_slice(&text),
    }
}

/// Appends an object with more members. A member that is there already gives way, so that no key stands twice.
fn merge(text: &[u8], object: Range<usize>, attributes: &[u8], out: &mut Vec<u8>) {
    let mut added = Vec::with_capacity(attributes.len() + 2);
    added.push(b'{');
    added.extend_from_slice(attributes);
    added.push(b'}');
    let is_added = |key: &[u8]| {
        let key = json::unescape(key);
        json::members(&added, 0..added.len()).any(|(other, _)| json::unescape(&added[other]) == key)
    };
    let mut members = json::members(text, object.clone()).peekable();
    let is_empty = members.peek().is_none();
    if !members.any(|(key, _)| is_added(&text[key])) {
        out.extend_from_slice(&text[..object.end - 1]);
        if !is_empty {
            out.push(b',');
        }
        out.extend_from_slice(attributes);
        out.extend_from_slice(&text[object.end - 1..]);
        return;
    }
    out.push(b'{');
    for (key, value) in json::members(text, object) {
        if !is_added(&text[key.clone()]) {
            out.extend_from_slice(&text[key.start - 1..value.end]);
            out.push(b',');
        }
    }
    out.extend_from_slice(attributes);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tapline_core::budget::Budget;
    use tapline_core::test_util;

    fn message(format: Format, kind: &str, value: &str, change: impl FnOnce(&mut Batch)) -> String {
        let mut batch = test_util::batch_of(&Budget::new(1 << 20), &[(kind, value, None)]);
        if kind.starts_with("platform.") {
            batch.records_mut()[0].origin = Origin::Platform;
        }
        change(&mut batch);
        let mut out = b"{\"m\":\"".to_vec();
        let length = Writer::new(format).write(&batch, &batch.records()[0], &mut out);
        out.extend_from_slice(b"\"}");
        let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let text = parsed["m"].as_str().unwrap().to_owned();
        assert_eq!(length, text.len(), "{text}");
        text
    }

    fn bare(value: &str) -> String {
        message(Format::Bare, "function", value, |_| {})
    }

    fn with(attributes: &str, value: &str) -> String {
        message(Format::Bare, "function", value, |batch| {
            let slice = batch.keep(attributes.as_bytes());
            batch.records_mut()[0].attributes = slice;
        })
    }

    #[test]
    fn text_comes_bare_and_without_its_final_newline() {
        let rows = [
            (r#""one""#, "one"),
            (r#""one\n""#, "one"),
            (r#""one\r\n""#, "one"),
            (r#""one\n\n""#, "one\n"),
            (r#""a\\n""#, "a\\n"),
            (r#""a\\\n""#, "a\\"),
            (r#""tab\tquote\"slash\/""#, "tab\tquote\"slash/"),
            (r#""\u0041\u00e4\ud83d\ude00""#, "Aä😀"),
            (r#""half \ud83d""#, "half \u{FFFD}"),
            (r#""""#, " "),
            (r#""\n""#, " "),
            (r#"" ""#, " "),
            ("", " "),
            ("[1, 2]", "[1, 2]"),
            ("null", "null"),
        ];
        for (value, wanted) in rows {
            assert_eq!(bare(value), wanted, "{value}");
        }
    }

    /// Metric filters look for the line and nothing before it.
    #[test]
    fn an_event_as_a_line_comes_bare_and_any_other_whole() {
        let line = r#""END RequestId: r-1""#;
        let text = message(Format::Bare, "platform.runtimeDone", line, |batch| {
            batch.records_mut()[0].as_line = true;
        });
        assert_eq!(text, "END RequestId: r-1");
        let whole = message(
            Format::Bare,
            "platform.start",
            r#"{"requestId":"r-1"}"#,
            |_| {},
        );
        assert!(whole.starts_with("{\"time\":") && whole.contains("\"type\":\"platform.start\""));
    }

    /// Key order, number forms, unicode escapes: nothing is written anew.
    #[test]
    fn json_comes_byte_for_byte_and_embedded_metrics_stay_untouched() {
        let metrics = "{ \"b\" : 1.0, \"a\":1e3,\"big\":12345678901234567890,\"u\":\"\\u00e4\",\"_aws\":{\"Timestamp\":1}}";
        assert_eq!(bare(metrics), metrics);
        let quoted = serde_json::to_string(metrics).unwrap();
        for value in [metrics, quoted.as_str()] {
            let text = message(Format::Bare, "function", value, |batch| {
                let slice = batch.keep(b"\"team\":\"a\"");
                let record = &mut batch.records_mut()[0];
                (record.attributes, record.embedded_metrics) = (slice, true);
            });
            assert_eq!(text, metrics, "what `enrich` set does not touch it");
        }
    }

    #[test]
    fn what_enrich_set_is_merged_into_json_and_text_carries_none() {
        let rows = [
            (r#"{"a": 1}"#, r#"{"a": 1,"team":"x"}"#),
            ("{}", r#"{"team":"x"}"#),
            (r#"{"team":"old","b":2}"#, r#"{"b":2,"team":"x"}"#),
            (r#"{"te\u0061m":"old"}"#, r#"{"team":"x"}"#),
            (r#""{\"a\":1}\n""#, r#"{"a":1,"team":"x"}"#),
            (r#""plain""#, "plain"),
            (r#""{not json}""#, "{not json}"),
            ("[1]", "[1]"),
        ];
        for (value, wanted) in rows {
            assert_eq!(with(r#""team":"x""#, value), wanted, "{value}");
        }
    }

    #[test]
    fn events_of_the_platform_are_whole() {
        let text = message(
            Format::Bare,
            "platform.report",
            r#"{"requestId":"r"}"#,
            |_| {},
        );
        assert_eq!(
            text,
            r#"{"time":"2026-03-14T09:26:53.589Z","type":"platform.report","record":{"requestId":"r"}}"#
        );
        let text = message(Format::Bare, "platform.fault", r#""it ended""#, |batch| {
            let slice = batch.keep(b"\"team\":\"a\"");
            batch.records_mut()[0].attributes = slice;
        });
        assert!(
            text.ends_with(r#","record":"it ended","team":"a"}"#),
            "{text}"
        );
    }

    #[test]
    fn the_envelope_is_the_line_of_other_sinks() {
        let text = message(Format::Envelope, "function", r#""one\n""#, |_| {});
        assert!(
            text.starts_with("{\"id\":\"0123") && text.ends_with("\"record\":\"one\\n\"}"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_out_as_it_went_in(text in "[\\PC\\x00-\\x20\"\\\\]{0,60}") {
            let wanted = text.strip_suffix('\n').unwrap_or(&text);
            let wanted = wanted.strip_suffix('\r').unwrap_or(wanted);
            let wanted = if wanted.is_empty() { " " } else { wanted };
            prop_assert_eq!(bare(&serde_json::to_string(&text).unwrap()), wanted);
        }
    }
}
