//! One element of a body becomes one record, joined with its invocation.

use std::ops::Range;
use std::sync::Arc;

use tapline_core::batch::{Batch, Fate, Origin, Record, Slice};
use tapline_core::body::Body;
use tapline_core::invocation::{self, Invocations, Slot, Trace};
use tapline_core::json;
use tapline_core::ledger::add;
use tapline_core::observation::Observation;
use tapline_core::platform::PlatformEvent;
use tapline_core::recognise::{self, Recognised};
use tapline_core::time;

use super::Context;
use super::event::Fields;
use super::split::{ELEMENT_BYTES_MIN, Envelope};

/// Bytes of an escaped text in which the runtimes' formats are looked for: time, request id and level come first.
const HEAD_BYTES: usize = 1024;
/// Largest buffer for decoded text that is kept, in bytes.
const SCRATCH_BYTES_MAX: usize = 256 << 10;

/// Bytes of binary text in a body from which on it is not kept to the letter.
const BINARY_BYTES_MAX: usize = 16 << 10;

/// Builds the batch of one body.
pub(super) struct Builder<'a, 'c> {
    body: Arc<Body>,
    batch: Batch,
    context: &'a mut Context<'c>,
    heard: Heard<'a>,
    scratch: &'a mut Vec<u8>,
    /// What the batch's side holds for each invocation that its records were joined with.
    joined: Vec<(Slot, Ids)>,
    arrival: Option<Slice>,
    unknown: Option<Slice>,
    /// Bytes of binary text so far.
    binary_bytes: usize,
}

/// What the platform said in a body.
pub(super) struct Heard<'a> {
    pub events: &'a mut Vec<PlatformEvent>,
    pub observations: &'a mut Vec<Observation>,
}

/// The ids of a record or of an invocation.
#[derive(Debug, Clone, Copy, Default)]
struct Ids {
    request_id: Slice,
    trace_id: Slice,
    span_id: Slice,
}

impl<'a, 'c> Builder<'a, 'c> {
    pub fn new(
        body: Body,
        arrived_ms: i64,
        context: &'a mut Context<'c>,
        heard: Heard<'a>,
        scratch: &'a mut Vec<u8>,
    ) -> Builder<'a, 'c> {
        let body = Arc::new(body);
        let mut batch = Batch::new(body.clone(), context.identity.instance.get(), arrived_ms);
        let elements = memchr::memmem::find_iter(body.bytes(), b"{\"time\"").count();
        batch.reserve(elements.min(body.bytes().len() / ELEMENT_BYTES_MIN + 1));
        Builder {
            body,
            batch,
            context,
            heard,
            scratch,
            joined: Vec::new(),
            arrival: None,
            unknown: None,
            binary_bytes: 0,
        }
    }

    /// The bytes that the ranges of elements refer to.
    pub fn body(&self) -> Arc<Body> {
        self.body.clone()
    }

    /// The batch, unless the body had no element.
    pub fn finish(mut self) -> Option<Batch> {
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES_MAX);
        self.batch.settle();
        (!self.batch.records().is_empty()).then_some(self.batch)
    }

    /// Adds a well-formed element.
    pub fn element(&mut self, envelope: Envelope) {
        let body = self.body.clone();
        let kind = &body.bytes()[envelope.kind.clone()];
        let mut record = self.blank(&envelope);
        let own = match kind {
            b"function" | b"extension" => self.read_line(&body, &mut record, envelope.record),
            _ if kind.starts_with(b"platform.") => {
                self.read_event(&body, &mut record, kind, &envelope)
            }
            _ => Ids::default(),
        };
        record.origin = match kind {
            b"function" => Origin::Function,
            b"extension" => Origin::Extension,
            _ if kind.starts_with(b"platform.") => Origin::Platform,
            _ => Origin::Unknown,
        };
        self.join(&mut record, own);
        // A crash is told apart from the end of its invocation, or in its place.
        let tells = record.origin == Origin::Function || kind == b"platform.fault";
        if let (true, Some(level)) = (tells, record.level) {
            self.context
                .invocations
                .observe_level(record.invocation, level);
        }
        self.batch.push(record);
    }

    /// Adds text that is no element: its record is the text.
    pub fn opaque(&mut self, text: Range<usize>) {
        add(&self.context.ledger.malformed, 1);
        let body = self.body.clone();
        let text = &body.bytes()[text];
        let binary = is_binary(text);
        if binary {
            self.binary_bytes = self.binary_bytes.saturating_add(text.len());
        }
        let mut record = Record::lost(Fate::Live);
        record.sequence = self.context.identity.next();
        record.time = self.arrival();
        record.kind = *self
            .unknown
            .get_or_insert_with(|| self.batch.keep(b"unknown"));
        record.value = self
            .batch
            .keep_with(|side| match (binary, self.binary_bytes) {
                (true, BINARY_BYTES_MAX..) => quote_binary(text, side),
                _ => json::quote_into(text, side),
            });
        self.join(&mut record, Ids::default());
        self.batch.push(record);
    }

    fn blank(&mut self, envelope: &Envelope) -> Record {
        let mut record = Record::lost(Fate::Live);
        record.sequence = self.context.identity.next();
        // Type and time are given out beside the record, where no redaction looks.
        record.time = if looks_like_time(&self.body.bytes()[envelope.time.clone()]) {
            Slice::of_body(envelope.time.clone())
        } else {
            self.arrival()
        };
        record.kind = Slice::of_body(envelope.kind.clone());
        record.value = Slice::of_body(envelope.record.clone());
        record
    }

    fn arrival(&mut self) -> Slice {
        let arrived_ms = self.batch.arrived_ms();
        *self.arrival.get_or_insert_with(|| {
            self.batch
                .keep_with(|side| time::write_rfc3339(arrived_ms, side))
        })
    }

    /// Level, ids and metrics format of a line of the function or of an extension.
    fn read_line(&mut self, body: &Body, record: &mut Record, value: Range<usize>) -> Ids {
        let bytes = body.bytes();
        let raw = &bytes[value.clone()];
        if raw.first() == Some(&b'{') {
            let found = recognise::in_object(bytes, value);
            return self.take(record, &found, bytes, Place::Body(0));
        }
        let Some(inside) = json::string_inside(raw) else {
            return Ids::default();
        };
        if memchr::memchr(b'\\', inside).is_none() {
            let found = in_text_or_object(inside);
            return self.take(record, &found, inside, Place::Body(value.start + 1));
        }
        // Text that may hold an object is decoded whole; of any other the runtimes' formats show at its start.
        let decoded = if may_hold_object(inside) {
            inside
        } else {
            &inside[..inside.len().min(HEAD_BYTES)]
        };
        let mut text = std::mem::take(self.scratch);
        text.clear();
        json::unescape_into(decoded, &mut text);
        let found = in_text_or_object(&text);
        let ids = self.take(record, &found, &text, Place::Decoded(value));
        *self.scratch = text;
        ids
    }

    /// Puts what was recognised in `text` into the record; gives its ids.
    fn take(&mut self, record: &mut Record, found: &Recognised, text: &[u8], at: Place) -> Ids {
        record.level = found.level;
        record.embedded_metrics = found.embedded_metrics;
        let mut ids = Ids::default();
        if let Some(range) = found.request_id.clone() {
            ids.request_id = self.slice(text, range, &at);
        }
        if let Some(range) = found.span_id.clone()
            && is_hex(&text[range.clone()], 16)
        {
            ids.span_id = self.slice(text, range, &at);
        }
        if let Some(range) = found.trace_id.clone() {
            if is_hex(&text[range.clone()], 32) {
                ids.trace_id = self.slice(text, range, &at);
            } else if let Ok(header) = std::str::from_utf8(&text[range]) {
                self.take_xray(header, &mut ids);
            }
        }
        ids
    }

    /// A range of the text that was looked at, as a slice of the batch.
    fn slice(&mut self, text: &[u8], range: Range<usize>, at: &Place) -> Slice {
        match at {
            Place::Body(offset) => Slice::of_body(range.start + offset..range.end + offset),
            Place::Decoded(value) => {
                let from = range.start;
                let id = &text[range];
                let raw = &self.body.bytes()[value.clone()];
                match find_id(raw, id, from) {
                    Some(found) => {
                        let start = value.start + found;
                        Slice::of_body(start..start + id.len())
                    }
                    None => self.batch.keep(id),
                }
            }
        }
    }

    /// X-Ray's forms: a whole header, or its root alone.
    fn take_xray(&mut self, header: &str, ids: &mut Ids) {
        if header.contains("Root=") {
            let trace = Trace::parse(header);
            if !trace.trace_id.is_empty() {
                ids.trace_id = self.batch.keep(trace.trace_id.as_bytes());
                if ids.span_id.is_empty() {
                    ids.span_id = self.batch.keep(trace.span_id.as_bytes());
                }
            }
        } else if let Some(id) = invocation::trace_id(header) {
            ids.trace_id = self.batch.keep(id.as_bytes());
        }
    }

    fn read_event(
        &mut self,
        body: &Body,
        record: &mut Record,
        kind: &[u8],
        envelope: &Envelope,
    ) -> Ids {
        let bytes = body.bytes();
        let fields = Fields::read(bytes, envelope.record.clone());
        record.level = fields.level(kind);
        let event = fields.event(kind, &bytes[envelope.time.clone()], bytes);
        self.context.invocations.observe(&event);
        self.heard.events.push(event);
        let time = &bytes[envelope.time.clone()];
        let observation = fields.observation(kind, time, bytes, self.context.invocations);
        self.heard.observations.extend(observation);
        let mut ids = Ids::default();
        if let Some(range) = fields.request_id {
            ids.request_id = match json::unescape(&bytes[range.clone()]) {
                std::borrow::Cow::Borrowed(_) => Slice::of_body(range),
                std::borrow::Cow::Owned(id) => self.batch.keep(&id),
            };
        }
        if let Some(header) = fields.trace {
            let known = self.context.invocations.get(self.slot(ids.request_id));
            let same = known
                .and_then(|invocation| invocation.trace.as_ref())
                .is_some_and(|trace| trace.header == header);
            if !same {
                self.take_xray(&header, &mut ids);
            }
        }
        ids
    }

    /// The invocation with this request id, else the one that is open. A request id that is not known is as a rule
    /// one of the function's own callers, so it says nothing against the open invocation.
    fn slot(&self, request_id: Slice) -> Slot {
        let invocations: &Invocations = self.context.invocations;
        let known = if request_id.is_empty() {
            Slot::NONE
        } else {
            invocations.by_request_id(self.batch.bytes(request_id))
        };
        if known == Slot::NONE {
            invocations.current()
        } else {
            known
        }
    }

    /// Joins a record with its invocation: what it does not say itself, that says.
    fn join(&mut self, record: &mut Record, own: Ids) {
        record.invocation = self.slot(own.request_id);
        let theirs = self.ids_of(record.invocation);
        let or = |own: Slice, theirs: Slice| if own.is_empty() { theirs } else { own };
        record.request_id = or(own.request_id, theirs.request_id);
        record.trace_id = or(own.trace_id, theirs.trace_id);
        record.span_id = if own.trace_id.is_empty() {
            or(own.span_id, theirs.span_id)
        } else {
            // The invocation's span belongs to the invocation's trace.
            own.span_id
        };
    }

    fn ids_of(&mut self, slot: Slot) -> Ids {
        if let Some((_, ids)) = self.joined.iter().rev().find(|(known, _)| *known == slot) {
            return *ids;
        }
        let Some(invocation) = self.context.invocations.get(slot) else {
            return Ids::default();
        };
        let mut ids = Ids {
            request_id: self.batch.keep(invocation.request_id.as_bytes()),
            ..Ids::default()
        };
        if let Some(trace) = &invocation.trace {
            ids.trace_id = self.batch.keep(trace.trace_id.as_bytes());
            ids.span_id = self.batch.keep(trace.span_id.as_bytes());
        }
        self.joined.push((slot, ids));
        ids
    }
}

/// RFC 3339, or nearly.
fn looks_like_time(time: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_digit() || b"TtZz:.+- ".contains(byte);
    (10..=40).contains(&time.len()) && time.iter().all(plain) && time[4] == b'-' && time[7] == b'-'
}

/// Where an id stands in escaped text, of which it begins at `from` or later: escapes only make text longer.
///
/// An id has 36 bytes at most. To compare it wherever its first byte stands takes some 50 instructions; to prepare a
/// search for it takes 3,000.
fn find_id(raw: &[u8], id: &[u8], from: usize) -> Option<usize> {
    let first = *id.first()?;
    let mut at = from;
    loop {
        at += memchr::memchr(first, raw.get(at..)?)?;
        if raw[at..].starts_with(id) {
            return Some(at);
        }
        at += 1;
    }
}

/// Where the text that was looked at lies.
enum Place {
    /// In the body, from this offset on.
    Body(usize),
    /// Beside it, decoded from the value at this range.
    Decoded(Range<usize>),
}

/// Whether a text, escaped or not, may be one JSON object.
fn may_hold_object(text: &[u8]) -> bool {
    let mut at = 0;
    loop {
        match text.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
            Some(b'\\') if matches!(text.get(at + 1), Some(b't' | b'n' | b'r')) => at += 2,
            // A brace, or an escape that may stand for one.
            Some(b'{' | b'\\') => return true,
            _ => return false,
        }
    }
}

fn in_text_or_object(text: &[u8]) -> Recognised {
    let trimmed = text.trim_ascii();
    let object = trimmed.first() == Some(&b'{') && trimmed.last() == Some(&b'}');
    let found = object.then(|| recognise::in_whole_object(text)).flatten();
    found.unwrap_or_else(|| recognise::in_text(text))
}

fn is_hex(text: &[u8], length: usize) -> bool {
    text.len() == length && text.iter().all(u8::is_ascii_hexdigit)
}

/// Whether text is binary: one byte in five a control character.
fn is_binary(text: &[u8]) -> bool {
    text.iter().filter(|byte| is_control(**byte)).count() > text.len() / 5
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t')
}

/// Quotes text with each run of control characters as one U+FFFD: as escapes they would take six times their size.
fn quote_binary(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for run in text.chunk_by(|left, right| is_control(*left) == is_control(*right)) {
        if is_control(run[0]) {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        } else {
            json::escape_into(run, out);
        }
    }
    out.push(b'"');
}
