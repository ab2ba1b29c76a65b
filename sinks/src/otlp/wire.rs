//! Fields of OTLP messages in both of its forms, protobuf and JSON, written straight into one buffer.
//!
//! A message is written before its length is known. Room for the length is left in front of it, as many bytes as most
//! such messages need; where that guess was wrong, the message moves by a byte or two. So there is one pass, and no
//! model of a message.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> and
//! <https://protobuf.dev/programming-guides/encoding/>, read 2026-11-23.

use std::io::Write as _;

use prost::encoding::WireType;
use tapline_core::json;

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Its number in protobuf.
    number: u32,
    /// Its name in JSON.
    name: &'static str,
    /// Bytes that the length of such a message mostly takes.
    room: usize,
}

impl Key {
    /// A value, or a message that is mostly shorter than 128 bytes.
    pub const fn new(number: u32, name: &'static str) -> Key {
        Key::roomy(number, name, 1)
    }

    /// A message whose length mostly takes this many bytes: 2 up to 16 KiB, 3 up to 2 MiB.
    pub const fn roomy(number: u32, name: &'static str, room: usize) -> Key {
        Key { number, name, room }
    }
}

/// Text, as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'a> {
    /// As it is. In protobuf nobody has to look for escapes.
    Plain(&'a [u8]),
    /// The inside of a JSON string, which may hold escapes.
    Escaped(&'a [u8]),
}

/// One of the two forms.
pub(super) trait Wire {
    /// Everything that was written so far.
    fn out(&mut self) -> &mut Vec<u8>;

    /// The outermost message.
    fn root(&mut self, fields: impl FnOnce(&mut Self));

    /// An enum, or a number of 32 bits.
    fn number(&mut self, key: Key, value: u32);

    /// A whole number of 64 bits with a sign.
    fn integer(&mut self, key: Key, value: i64);

    /// Eight bytes: moments and counts.
    fn fixed(&mut self, key: Key, value: u64);

    /// A number with a fraction.
    fn double(&mut self, key: Key, value: f64);

    /// `true` or `false`.
    fn boolean(&mut self, key: Key, value: bool);

    /// Text.
    fn text(&mut self, key: Key, value: Text<'_>);

    /// The bytes of an id that is given in hex digits.
    fn id(&mut self, key: Key, hex: &[u8]);

    /// A list of numbers of eight bytes each.
    fn fixed_list(&mut self, key: Key, values: &[u64]);

    /// A list of numbers with a fraction.
    fn double_list(&mut self, key: Key, values: &[f64]);

    /// A message inside this one.
    fn message(&mut self, key: Key, fields: impl FnOnce(&mut Self));

    /// A list of messages: `items` calls [`Self::item`] with the same key.
    fn list(&mut self, key: Key, items: impl FnOnce(&mut Self));

    /// One message of a list.
    fn item(&mut self, key: Key, fields: impl FnOnce(&mut Self));
}

/// Protobuf.
pub(super) struct Proto<'a>(pub &'a mut Vec<u8>);

impl Proto<'_> {
    /// Writes what is preceded by its length.
    fn sized(&mut self, key: Key, write: impl FnOnce(&mut Self)) {
        push_key(self.0, key, WireType::LengthDelimited);
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 4][..key.room]);
        write(self);
        close(self.0, start, key.room);
    }
}

fn push_key(out: &mut Vec<u8>, key: Key, wire_type: WireType) {
    push_varint(out, u64::from(key.number << 3 | wire_type as u32));
}

/// Most numbers here are keys and lengths of one byte; prost's encoder asks for room twice at each.
#[inline(always)]
fn push_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        push_long(out, value);
    }
}

#[inline(never)]
fn push_long(out: &mut Vec<u8>, value: u64) {
    let (bytes, length) = varint(value);
    out.extend_from_slice(&bytes[..length]);
}

/// A number as seven bits a byte, the lowest first, and how many bytes that takes.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let (mut bytes, mut length) = ([0; 10], 0);
    while value >= 0x80 {
        bytes[length] = value as u8 | 0x80;
        value >>= 7;
        length += 1;
    }
    bytes[length] = value as u8;
    (bytes, length + 1)
}

/// Writes the length of what follows `start` and `room` into that room, and moves it where the room does not fit.
fn close(out: &mut Vec<u8>, start: usize, room: usize) {
    let length = out.len() - start - room;
    if room == 1 && length < 0x80 {
        out[start] = length as u8;
    } else {
        close_long(out, start, room, length);
    }
}

#[inline(never)]
fn close_long(out: &mut Vec<u8>, start: usize, room: usize, length: usize) {
    let (bytes, needed) = varint(length as u64);
    let (from, end) = (start + room, out.len());
    if needed > room {
        out.resize(end + needed - room, 0);
    }
    if needed != room {
        out.copy_within(from..end, start + needed);
        out.truncate(end + needed - room);
    }
    out[start..start + needed].copy_from_slice(&bytes[..needed]);
}

impl Wire for Proto<'_> {
    fn out(&mut self) -> &mut Vec<u8> {
        self.0
    }

    fn root(&mut self, fields: impl FnOnce(&mut Self)) {
        fields(self);
    }

    fn number(&mut self, key: Key, value: u32) {
        push_key(self.0, key, WireType::Varint);
        push_varint(self.0, value.into());
    }

    fn integer(&mut self, key: Key, value: i64) {
        push_key(self.0, key, WireType::Varint);
        push_varint(self.0, value as u64);
    }

    fn fixed(&mut self, key: Key, value: u64) {
        push_key(self.0, key, WireType::SixtyFourBit);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn double(&mut self, key: Key, value: f64) {
        self.fixed(key, value.to_bits());
    }

    fn boolean(&mut self, key: Key, value: bool) {
        self.number(key, value.into());
    }

    fn text(&mut self, key: Key, value: Text<'_>) {
        match value {
            Text::Escaped(text) if memchr::memchr(b'\\', text).is_some() => {
                self.sized(key, |wire| json::unescape_into(text, wire.0));
            }
            Text::Plain(text) | Text::Escaped(text) => {
                push_key(self.0, key, WireType::LengthDelimited);
                push_varint(self.0, text.len() as u64);
                self.0.extend_from_slice(text);
            }
        }
    }

    fn id(&mut self, key: Key, hex: &[u8]) {
        push_key(self.0, key, WireType::LengthDelimited);
        push_varint(self.0, hex.len() as u64 / 2);
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
        let bytes = hex
            .chunks_exact(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
        self.0.extend(bytes);
    }

    fn fixed_list(&mut self, key: Key, values: &[u64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.sized(key, |wire| wire.0.extend(bytes));
    }

    fn double_list(&mut self, key: Key, values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.sized(key, |wire| wire.0.extend(bytes));
    }

    fn message(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        self.sized(key, fields);
    }

    fn list(&mut self, _: Key, items: impl FnOnce(&mut Self)) {
        items(self);
    }

    fn item(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        self.sized(key, fields);
    }
}

/// JSON: enums as numbers, 64 bits as strings, ids in hex, names in lowerCamelCase, nothing for what is absent.
pub(super) struct Json<'a>(pub &'a mut Vec<u8>);

impl Json<'_> {
    /// A comma, unless nothing stands before it in this object or list.
    fn comma(&mut self) {
        if !matches!(self.0.last(), None | Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    fn key(&mut self, key: Key) {
        self.comma();
        self.0.push(b'"');
        self.0.extend_from_slice(key.name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    fn object(&mut self, fields: impl FnOnce(&mut Self)) {
        self.0.push(b'{');
        fields(self);
        self.0.push(b'}');
    }

    /// Appends what formatting gives, without a string of its own.
    fn push(&mut self, value: std::fmt::Arguments<'_>) {
        let written = self.0.write_fmt(value);
        debug_assert!(written.is_ok(), "memory takes every byte");
    }

    fn push_double(&mut self, value: f64) {
        match value {
            f64::INFINITY => self.0.extend_from_slice(b"\"Infinity\""),
            f64::NEG_INFINITY => self.0.extend_from_slice(b"\"-Infinity\""),
            value if value.is_nan() => self.0.extend_from_slice(b"\"NaN\""),
            value => self.push(format_args!("{value}")),
        }
    }
}

impl Wire for Json<'_> {
    fn out(&mut self) -> &mut Vec<u8> {
        self.0
    }

    fn root(&mut self, fields: impl FnOnce(&mut Self)) {
        self.object(fields);
        json::mend_halves(self.0);
    }

    fn number(&mut self, key: Key, value: u32) {
        self.key(key);
        self.push(format_args!("{value}"));
    }

    fn integer(&mut self, key: Key, value: i64) {
        self.key(key);
        self.push(format_args!("\"{value}\""));
    }

    fn fixed(&mut self, key: Key, value: u64) {
        self.key(key);
        self.push(format_args!("\"{value}\""));
    }

    fn double(&mut self, key: Key, value: f64) {
        self.key(key);
        self.push_double(value);
    }

    fn boolean(&mut self, key: Key, value: bool) {
        self.key(key);
        self.push(format_args!("{value}"));
    }

    fn text(&mut self, key: Key, value: Text<'_>) {
        self.key(key);
        match value {
            Text::Plain(text) => json::quote_into(text, self.0),
            Text::Escaped(text) => {
                self.0.push(b'"');
                self.0.extend_from_slice(text);
                self.0.push(b'"');
            }
        }
    }

    fn id(&mut self, key: Key, hex: &[u8]) {
        self.text(key, Text::Escaped(hex));
    }

    fn fixed_list(&mut self, key: Key, values: &[u64]) {
        self.list(key, |wire| {
            for value in values {
                wire.comma();
                wire.push(format_args!("\"{value}\""));
            }
        });
    }

    fn double_list(&mut self, key: Key, values: &[f64]) {
        self.list(key, |wire| {
            for value in values {
                wire.comma();
                wire.push_double(*value);
            }
        });
    }

    fn message(&mut self, key: Key, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.object(fields);
    }

    fn list(&mut self, key: Key, items: impl FnOnce(&mut Self)) {
        self.key(key);
        self.0.push(b'[');
        items(self);
        self.0.push(b']');
    }

    fn item(&mut self, _: Key, fields: impl FnOnce(&mut Self)) {
        self.comma();
        self.object(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::encoding::encode_varint;

    /// Lengths around every step of a varint, with each guess.
    #[test]
    fn a_length_is_as_short_as_it_can_be_whatever_was_guessed() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152] {
            for room in 1..=4 {
                let mut out = b"before".to_vec();
                let key = Key::roomy(5, "x", room);
                Proto(&mut out).message(key, |wire| wire.0.extend(std::iter::repeat_n(7, length)));
                let mut wanted = b"before\x2a".to_vec();
                encode_varint(length as u64, &mut wanted);
                wanted.extend(std::iter::repeat_n(7, length));
                assert!(out == wanted, "{length} {room}");
            }
        }
    }

    #[test]
    fn numbers_that_json_has_not_are_strings() {
        let mut out = Vec::new();
        Json(&mut out).root(|wire| {
            for value in [1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
                wire.double(Key::new(1, "a"), value);
            }
            wire.integer(Key::new(2, "b"), i64::MIN);
            wire.fixed(Key::new(3, "c"), u64::MAX);
            wire.list(Key::new(5, "e"), |_| {});
        });
        let text = String::from_utf8(out).unwrap();
        let large = format!("1{}", "0".repeat(300));
        let wanted = format!(
            "{{\"a\":1.5,\"a\":\"NaN\",\"a\":\"Infinity\",\"a\":\"-Infinity\",\"a\":{large},\
             \"b\":\"-9223372036854775808\",\"c\":\"18446744073709551615\",\"e\":[]}}"
        );
        assert_eq!(text, wanted);
    }
}
