//! Records as `ExportLogsServiceRequest`.
//!
//! | Field | From |
//! |---|---|
//! | `time_unix_nano`, `observed_time_unix_nano` | the record's time; when its POST arrived |
//! | `severity_number`, `severity_text` | the record's level, where one is known |
//! | `event_name` | the type of a platform event and of Tapline's own records |
//! | `body` | the message; of JSON without a message, and with `body = "record"`, all of it |
//! | `attributes` | `log.record.uid`, `faas.invocation_id`, `tapline.type`, those of `enrich`, the other members of JSON |
//! | `trace_id`, `span_id` | those of the record, where they are not zero |
//!
//! Arithmetic: a line of 250 bytes is read once (its members, at about 1 byte a cycle) and written once (at 8 bytes a
//! cycle); with some 15 keys and lengths at 5 cycles each and one time at 60, that is about 500 cycles, or 200 ns at
//! 2.5 GHz. The limit is the reading of JSON, not the writing of protobuf.
//!
//! Source: `opentelemetry/proto/logs/v1/logs.proto` 1.9 and
//! <https://opentelemetry.io/docs/specs/otel/logs/data-model/>, read 2026-11-25.

use std::ops::Range;

use tapline_core::batch::{Batch, Origin, Record};
use tapline_core::facts::Facts;
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::line;
use tapline_core::recognise;
use tapline_core::sink::Selection;
use tapline_core::time;
use tapline_core::view::trim_newline;

use super::resource;
use super::value;
use super::wire::{Key, Text, Wire};

const RESOURCE_LOGS: Key = Key::roomy(1, "resourceLogs", 3);
const SCOPE_LOGS: Key = Key::roomy(2, "scopeLogs", 3);
const LOG_RECORDS: Key = Key::roomy(2, "logRecords", 2);

const TIME: Key = Key::new(1, "timeUnixNano");
const SEVERITY_NUMBER: Key = Key::new(2, "severityNumber");
const SEVERITY_TEXT: Key = Key::new(3, "severityText");
const BODY: Key = Key::new(5, "body");
const ATTRIBUTES: Key = Key::new(6, "attributes");
const TRACE_ID: Key = Key::new(9, "traceId");
const SPAN_ID: Key = Key::new(10, "spanId");
const OBSERVED: Key = Key::new(11, "observedTimeUnixNano");
const EVENT_NAME: Key = Key::new(12, "eventName");

/// What becomes the body of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// The message; the other members of JSON become attributes.
    Message,
    /// All of the record.
    Record,
}

/// Buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// A record's text without its escapes.
    text: Vec<u8>,
    /// The keys of its attributes so far, as ranges of their text.
    keys: Vec<Range<usize>>,
    id: Vec<u8>,
}

/// Largest text that is kept between two calls, in bytes.
const SCRATCH_BYTES_MAX: usize = 64 << 10;

impl Scratch {
    /// Gives back what an unusually large record took.
    pub fn rest(&mut self) {
        self.text.clear();
        self.text.shrink_to(SCRATCH_BYTES_MAX);
    }
}

/// Writes the request for these records. There must be one at least: an empty envelope is not sent.
pub(super) fn write<W: Wire>(
    wire: &mut W,
    records: &Selection,
    facts: &Facts,
    body: Body,
    scratch: &mut Scratch,
) {
    wire.root(|wire| {
        resource::around(wire, RESOURCE_LOGS, SCOPE_LOGS, facts, |wire| {
            wire.list(LOG_RECORDS, |wire| {
                for (batch, record) in records.records() {
                    wire.item(LOG_RECORDS, |wire| {
                        write_record(wire, batch, record, body, scratch);
                    });
                }
            });
        });
    });
    scratch.rest();
}

fn write_record<W: Wire>(
    wire: &mut W,
    batch: &Batch,
    record: &Record,
    body: Body,
    scratch: &mut Scratch,
) {
    if let Some(time_ns) = time_ns(batch.bytes(record.time)) {
        wire.fixed(TIME, time_ns);
    }
    wire.fixed(
        OBSERVED,
        (batch.arrived_ms().max(0) as u64).saturating_mul(1_000_000),
    );
    if let Some(level) = record.level {
        wire.number(SEVERITY_NUMBER, severity(level));
        wire.text(SEVERITY_TEXT, Text::Plain(level.as_str().as_bytes()));
    }
    if matches!(record.origin, Origin::Platform | Origin::Tapline) {
        wire.text(EVENT_NAME, Text::Escaped(batch.bytes(record.kind)));
    }
    for (key, slice) in [(TRACE_ID, record.trace_id), (SPAN_ID, record.span_id)] {
        let id = batch.bytes(slice);
        if id.iter().any(|digit| *digit != b'0') {
            wire.id(key, id);
        }
    }
    let Scratch { text, keys, id } = scratch;
    let seen = Seen {
        batch,
        record,
        keys,
    };
    let content = Content::of(batch.bytes(record.value), text);
    let mut found = Found::Whole;
    wire.list(ATTRIBUTES, |wire| {
        id.clear();
        line::write_id(batch, record, id);
        own_attributes(wire, batch, record, id);
        if let (Body::Message, Content::Object(object)) = (body, content) {
            let start = wire.out().len();
            found = take_apart(wire, object, seen);
            if found == Found::Whole {
                wire.out().truncate(start);
            }
        }
    });
    write_body(wire, content, body, found);
}

fn own_attributes<W: Wire>(wire: &mut W, batch: &Batch, record: &Record, id: &[u8]) {
    value::text_attribute(wire, ATTRIBUTES, "log.record.uid", Text::Plain(id));
    value::text_attribute(
        wire,
        ATTRIBUTES,
        "tapline.type",
        Text::Escaped(batch.bytes(record.kind)),
    );
    let request_id = batch.bytes(record.request_id);
    if !request_id.is_empty() {
        let text = Text::Escaped(request_id);
        value::text_attribute(wire, ATTRIBUTES, "faas.invocation_id", text);
    }
    let attributes = batch.bytes(record.attributes);
    for (key, raw) in json::bare_members(attributes) {
        if !is_own(&attributes[key.clone()]) {
            value::member(wire, ATTRIBUTES, &attributes[key], &attributes[raw]);
        }
    }
}

/// Attributes of Tapline's own: no other may have their keys.
fn is_own(key: &[u8]) -> bool {
    matches!(
        key,
        b"log.record.uid" | b"faas.invocation_id" | b"tapline.type"
    )
}

/// A record's value, as far as it matters here.
#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    /// What looks like an object: the record itself, or text.
    Object(&'a [u8]),
    /// Text without its escapes.
    Text(&'a [u8]),
    /// Any other JSON value, or nothing.
    Other(&'a [u8]),
}

impl<'a> Content<'a> {
    fn of(raw: &'a [u8], buffer: &'a mut Vec<u8>) -> Content<'a> {
        let Some(inside) = json::string_inside(raw) else {
            return match raw.first() {
                Some(b'{') => Content::Object(raw),
                _ => Content::Other(raw),
            };
        };
        let text = if memchr::memchr(b'\\', inside).is_some() {
            buffer.clear();
            json::unescape_into(inside, buffer);
            buffer.as_slice()
        } else {
            inside
        };
        let trimmed = text.trim_ascii();
        if trimmed.first() == Some(&b'{') && trimmed.last() == Some(&b'}') {
            Content::Object(trimmed)
        } else {
            Content::Text(text)
        }
    }
}

/// Where the message of an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Found {
    /// Nowhere, or it is no object after all: the record stays whole.
    Whole,
    /// This value of it; all others became attributes.
    Message(Range<usize>),
}

/// Keys that are compared with each other, 2,000 times at most: a sorted set, which allocates, is faster from there on.
const KEYS_MAX: usize = 64;

/// The keys that a record has so far, since each may be there once.
struct Seen<'a> {
    batch: &'a Batch,
    record: &'a Record,
    keys: &'a mut Vec<Range<usize>>,
}

impl Seen<'_> {
    /// Whether something else has written this key: Tapline's own attributes and those of `enrich` win.
    fn is_taken(&self, key: &[u8]) -> bool {
        let attributes = self.batch.bytes(self.record.attributes);
        is_own(key) || json::bare_members(attributes).any(|(known, _)| &attributes[known] == key)
    }
}

/// Writes the members of an object as attributes, but for the one that is the message.
fn take_apart<W: Wire>(wire: &mut W, object: &[u8], seen: Seen<'_>) -> Found {
    seen.keys.clear();
    let start = wire.out().len();
    let mut candidates = Candidates::default();
    let mut members = json::members(object, 0..object.len());
    for (key, raw) in members.by_ref() {
        let name = &object[key.clone()];
        // The last of equal keys wins, as in most parsers; a key with escapes may equal any other.
        let known = |known: &Range<usize>| &object[known.clone()] == name;
        let many = seen.keys.len() == KEYS_MAX;
        if many || seen.keys.iter().any(known) || name.contains(&b'\\') {
            wire.out().truncate(start);
            return take_last_of_each(wire, object, &seen);
        }
        seen.keys.push(key);
        take_member(wire, object, name, raw, &mut candidates, &seen);
    }
    if members.end() != Some(object.len()) {
        return Found::Whole;
    }
    candidates.choose(wire, object)
}

/// The same for an object with equal keys, or with very many, which is rare.
fn take_last_of_each<W: Wire>(wire: &mut W, object: &[u8], seen: &Seen<'_>) -> Found {
    let mut iterator = json::members(object, 0..object.len());
    let members: Vec<_> = iterator.by_ref().collect();
    if iterator.end() != Some(object.len()) {
        return Found::Whole;
    }
    let mut last: Vec<_> = Vec::with_capacity(members.len());
    let mut names = std::collections::BTreeSet::new();
    for (key, raw) in members.into_iter().rev() {
        if names.insert(json::unescape(&object[key.clone()])) {
            last.push((key, raw));
        }
    }
    let mut candidates = Candidates::default();
    for (key, raw) in last.into_iter().rev() {
        take_member(wire, object, &object[key], raw, &mut candidates, seen);
    }
    candidates.choose(wire, object)
}

fn take_member<W: Wire>(
    wire: &mut W,
    object: &[u8],
    name: &[u8],
    raw: Range<usize>,
    candidates: &mut Candidates,
    seen: &Seen<'_>,
) {
    if let Some(rank) = MESSAGE_KEYS.iter().position(|known| *known == name) {
        candidates.0[rank] = Some(raw);
    } else if !seen.is_taken(name) {
        value::member(wire, ATTRIBUTES, name, &object[raw]);
    }
}

/// The members that may hold the message, the best first; the last is an object that may, as Rust's `tracing` writes.
const MESSAGE_KEYS: [&[u8]; 4] = [b"message", b"msg", b"errorMessage", b"fields"];

/// What was found under [`MESSAGE_KEYS`].
#[derive(Default)]
struct Candidates([Option<Range<usize>>; 4]);

impl Candidates {
    /// The best is the message, the others are attributes after all.
    fn choose<W: Wire>(self, wire: &mut W, object: &[u8]) -> Found {
        let mut found = Found::Whole;
        for (rank, raw) in self.0.into_iter().enumerate() {
            let Some(raw) = raw else { continue };
            let key = MESSAGE_KEYS[rank];
            let nested = (rank == 3)
                .then(|| message_in(object, raw.clone()))
                .flatten();
            match (&found, rank, nested) {
                (Found::Whole, 0..=2, _) => found = Found::Message(raw),
                (Found::Whole, _, Some(message)) => {
                    found = Found::Message(message);
                    value::member_without(wire, ATTRIBUTES, key, &object[raw], b"message");
                }
                _ => value::member(wire, ATTRIBUTES, key, &object[raw]),
            }
        }
        found
    }
}

/// Where the message is in the object at `range`.
fn message_in(text: &[u8], range: Range<usize>) -> Option<Range<usize>> {
    json::members(text, range)
        .filter(|(key, _)| &text[key.clone()] == b"message")
        .last()
        .map(|(_, raw)| raw)
}

fn write_body<W: Wire>(wire: &mut W, content: Content<'_>, body: Body, found: Found) {
    match (content, found) {
        (Content::Object(object), Found::Message(message)) => {
            wire.message(BODY, |wire| value::any(wire, &object[message], 0));
        }
        (Content::Object(object), Found::Whole) if json::whole_value(object).is_some() => {
            wire.message(BODY, |wire| value::any(wire, object, 0));
        }
        (Content::Text(text), _) | (Content::Object(text), _) => {
            let message = match body {
                Body::Message => trim_newline(message_of(text)),
                Body::Record => text,
            };
            wire.message(BODY, |wire| value::text(wire, Text::Plain(message)));
        }
        (Content::Other([] | b"null"), _) => {}
        (Content::Other(raw), _) => wire.message(BODY, |wire| value::any(wire, raw, 0)),
    }
}

/// What the developer wrote, without what the runtime put before it.
fn message_of(text: &[u8]) -> &[u8] {
    match recognise::in_text(text).message {
        Some(range) => &text[range],
        None => text,
    }
}

/// The lowest number of each range.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber>, read 2026-11-25.
fn severity(level: Level) -> u32 {
    match level {
        Level::Trace => 1,
        Level::Debug => 5,
        Level::Info => 9,
        Level::Warn => 13,
        Level::Error => 17,
        Level::Fatal => 21,
    }
}

/// RFC 3339 as nanoseconds since 1970, with all digits of its fraction.
pub(super) fn time_ns(text: &[u8]) -> Option<u64> {
    let ms = u64::try_from(time::parse_rfc3339_ms(text)?).ok()?;
    let digits = text.get(19..).and_then(|rest| rest.strip_prefix(b"."));
    let fine = digits.unwrap_or_default().iter().skip(3).take(6);
    let mut fraction_ns = 0;
    let mut weight = 100_000;
    for digit in fine.take_while(|byte| byte.is_ascii_digit()) {
        fraction_ns += u64::from(digit - b'0') * weight;
        weight /= 10;
    }
    ms.checked_mul(1_000_000)?.checked_add(fraction_ns)
}
