//! The line that `http`, `s3` and `console` write for a record.
//!
//! `{"id":"<instance>-<seq>","time":"…","type":"function","level":"INFO","request_id":"…","trace_id":"…","record":<string
//! or object>,"attributes":{…}}`, keys in this order, keys without a value left out.

use crate::batch::{Batch, Record};
use crate::json;

/// Appends the line of one record, without a newline, and with none inside it. Any strict reader of JSON takes it.
pub fn write(batch: &Batch, record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    write_id(batch, record, out);
    out.push(b'"');
    member(out, "time", batch.bytes(record.time));
    // An id and a time have no escapes.
    let start = out.len();
    member(out, "type", batch.bytes(record.kind));
    if let Some(level) = record.level {
        member(out, "level", level.as_str().as_bytes());
    }
    member(out, "request_id", batch.bytes(record.request_id));
    member(out, "trace_id", batch.bytes(record.trace_id));
    out.extend_from_slice(b",\"record\":");
    write_value(batch.bytes(record.value), out);
    if !record.attributes.is_empty() {
        out.extend_from_slice(b",\"attributes\":{");
        out.extend_from_slice(batch.bytes(record.attributes));
        out.push(b'}');
    }
    out.push(b'}');
    json::mend_halves(&mut out[start..]);
}

/// Appends the record's id: instance, a dash, sequence.
pub fn write_id(batch: &Batch, record: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(batch.instance());
    out.push(b'-');
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = record.sequence;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Texts that came in between quotes are kept as they are: still escaped, so they may stand between quotes again.
fn member(out: &mut Vec<u8>, key: &str, escaped: &[u8]) {
    if escaped.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":\"");
    out.extend_from_slice(escaped);
    out.push(b'"');
}

/// Appends a raw JSON value. Line breaks between its tokens become spaces: inside strings JSON allows none.
pub fn write_value(raw: &[u8], out: &mut Vec<u8>) {
    if raw.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    let start = out.len();
    out.extend_from_slice(raw);
    if raw.first() != Some(&b'"') && memchr::memchr2(b'\n', b'\r', raw).is_some() {
        for byte in &mut out[start..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

/// Renders attributes: appends `"key":"value"` behind what `out` holds.
pub fn push_attribute(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    if !out.is_empty() {
        out.push(b',');
    }
    json::quote_into(key.as_bytes(), out);
    out.push(b':');
    json::quote_into(value, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::level::Level;
    use crate::test_util;

    fn line(value: &str, level: Option<Level>, change: impl FnOnce(&mut Batch)) -> String {
        let mut batch = test_util::batch_of(&Budget::new(1 << 20), &[("function", value, level)]);
        change(&mut batch);
        let mut out = Vec::new();
        write(&batch, &batch.records()[0], &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn keys_stand_in_the_order_of_the_contract_and_empty_ones_are_left_out() {
        let full = line(r#"{"a": 1.0}"#, Some(Level::Info), |batch| {
            let (request, trace) = (batch.keep(b"r-1"), batch.keep(b"abc"));
            let attributes = batch.keep(br#""team":"payments""#);
            let record = &mut batch.records_mut()[0];
            (record.request_id, record.trace_id, record.attributes) = (request, trace, attributes);
        });
        assert_eq!(
            full,
            r#"{"id":"0123456789abcdef0123456789abcdef-0","time":"2026-03-14T09:26:53.589Z","type":"function","level":"INFO","request_id":"r-1","trace_id":"abc","record":{"a": 1.0},"attributes":{"team":"payments"}}"#
        );
        let bare = line(r#""x\u0041""#, None, |_| {});
        assert_eq!(
            bare,
            r#"{"id":"0123456789abcdef0123456789abcdef-0","time":"2026-03-14T09:26:53.589Z","type":"function","record":"x\u0041"}"#
        );
    }

    /// Half a character in one line must not cost the others of a shared body.
    #[test]
    fn a_line_is_read_by_a_strict_reader_whatever_came_in() {
        let text = line(r#"{"a\udead":["\ud83d","\ud83d\ude00"]}"#, None, |batch| {
            let attributes = batch.keep(br#""team":"\ud83d""#);
            batch.records_mut()[0].attributes = attributes;
        });
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["record"]["a\u{FFFD}"][0], "\u{FFFD}");
        assert_eq!(read["record"]["a\u{FFFD}"][1], "\u{1F600}");
        assert_eq!(read["attributes"]["team"], "\u{FFFD}");
    }

    #[test]
    fn a_line_never_holds_a_line_break() {
        let text = line("{\n  \"a\":\r\n1}", None, |_| {});
        assert!(text.ends_with("\"record\":{   \"a\":  1}}"), "{text}");
    }
}
