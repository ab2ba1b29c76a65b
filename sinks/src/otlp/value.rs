//! JSON values as OTLP's `AnyValue`, and attributes.

use tapline_core::json;

use super::wire::{Key, Text, Wire};

/// `KeyValue.key`.
pub(super) const KEY: Key = Key::new(1, "key");
/// `KeyValue.value`.
pub(super) const VALUE: Key = Key::new(2, "value");

const STRING: Key = Key::new(1, "stringValue");
const BOOLEAN: Key = Key::new(2, "boolValue");
const INTEGER: Key = Key::new(3, "intValue");
const DOUBLE: Key = Key::new(4, "doubleValue");
const ARRAY: Key = Key::new(5, "arrayValue");
const OBJECT: Key = Key::new(6, "kvlistValue");
/// `ArrayValue.values` and `KeyValueList.values`.
const VALUES: Key = Key::new(1, "values");

/// Arrays and objects inside each other that are taken apart; what lies deeper travels as its JSON text.
///
/// One level is up to three messages, and decoders stop at 100 of them.
///
/// Source: `RECURSION_LIMIT` of prost and of protobuf's C++ and Java, read 2026-11-25.
const DEPTH_MAX: usize = 16;

/// One attribute with text.
pub(super) fn text_attribute<W: Wire>(wire: &mut W, list: Key, key: &str, value: Text<'_>) {
    wire.item(list, |wire| {
        wire.text(KEY, Text::Plain(key.as_bytes()));
        wire.message(VALUE, |wire| wire.text(STRING, value));
    });
}

/// One attribute with a whole number.
pub(super) fn integer_attribute<W: Wire>(wire: &mut W, list: Key, key: &str, value: i64) {
    wire.item(list, |wire| {
        wire.text(KEY, Text::Plain(key.as_bytes()));
        wire.message(VALUE, |wire| wire.integer(INTEGER, value));
    });
}

/// One attribute that is true or false.
pub(super) fn boolean_attribute<W: Wire>(wire: &mut W, list: Key, key: &str, value: bool) {
    wire.item(list, |wire| {
        wire.text(KEY, Text::Plain(key.as_bytes()));
        wire.message(VALUE, |wire| wire.boolean(BOOLEAN, value));
    });
}

/// One attribute from a member of a JSON object.
pub(super) fn member<W: Wire>(wire: &mut W, list: Key, key: &[u8], raw: &[u8]) {
    member_at(wire, list, key, raw, 0);
}

fn member_at<W: Wire>(wire: &mut W, list: Key, key: &[u8], raw: &[u8], depth: usize) {
    wire.item(list, |wire| {
        wire.text(KEY, Text::Escaped(key));
        // `null` is a key without a value: some decoders refuse `"value":{}`, and the whole request with it.
        if raw.first() != Some(&b'n') {
            wire.message(VALUE, |wire| any(wire, raw, depth));
        }
    });
}

/// The one field of an `AnyValue` that holds text.
pub(super) fn text<W: Wire>(wire: &mut W, value: Text<'_>) {
    wire.text(STRING, value);
}

/// One attribute from an object without one of its members; none where nothing is left of it.
pub(super) fn member_without<W: Wire>(
    wire: &mut W,
    list: Key,
    key: &[u8],
    raw: &[u8],
    left_out: &[u8],
) {
    let left =
        || json::members(raw, 0..raw.len()).filter(|(name, _)| &raw[name.clone()] != left_out);
    if left().next().is_none() {
        return;
    }
    wire.item(list, |wire| {
        wire.text(KEY, Text::Escaped(key));
        wire.message(VALUE, |wire| {
            wire.message(OBJECT, |wire| {
                wire.list(VALUES, |wire| {
                    for (name, value) in left() {
                        member_at(wire, VALUES, &raw[name], &raw[value], 1);
                    }
                });
            });
        });
    });
}

/// The one field of an `AnyValue` for a JSON value; none for `null`, and for what is no JSON.
///
/// Whole numbers that 64 bits do not hold, and others that are beyond a double, keep their digits as text.
pub(super) fn any<W: Wire>(wire: &mut W, raw: &[u8], depth: usize) {
    match raw.first() {
        Some(b'"') => {
            let inside = json::string_inside(raw).unwrap_or_default();
            wire.text(STRING, Text::Escaped(inside));
        }
        Some(b't') => wire.boolean(BOOLEAN, true),
        Some(b'f') => wire.boolean(BOOLEAN, false),
        Some(b'-' | b'0'..=b'9') => number(wire, raw),
        Some(b'{' | b'[') if depth >= DEPTH_MAX => wire.text(STRING, Text::Plain(raw)),
        Some(b'{') => wire.message(OBJECT, |wire| {
            wire.list(VALUES, |wire| {
                for (key, value) in json::members(raw, 0..raw.len()) {
                    member_at(wire, VALUES, &raw[key], &raw[value], depth + 1);
                }
            });
        }),
        Some(b'[') => wire.message(ARRAY, |wire| {
            wire.list(VALUES, |wire| {
                for element in json::elements(raw, 0..raw.len()) {
                    wire.item(VALUES, |wire| any(wire, &raw[element], depth + 1));
                }
            });
        }),
        _ => {}
    }
}

fn number<W: Wire>(wire: &mut W, raw: &[u8]) {
    let text = std::str::from_utf8(raw).unwrap_or_default();
    let whole = !raw.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    match (whole, text.parse(), text.parse::<f64>()) {
        (true, Ok(value), _) => wire.integer(INTEGER, value),
        (false, _, Ok(value)) if value.is_finite() => wire.double(DOUBLE, value),
        _ => wire.text(STRING, Text::Plain(raw)),
    }
}
