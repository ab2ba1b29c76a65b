//! One record as expressions, templates and sinks see it.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::time::Duration;

use crate::batch::{Batch, Record};
use crate::expr::{
    NO_PLACES, Name, PLACES_MAX, Path, Paths, Place, Places, Segment, Source, Subject, Value,
};
use crate::facts::Facts;
use crate::invocation::{Invocation, Invocations};
use crate::json;
use crate::level::Level;
use crate::recognise::{self, Reading, Recognised};
use crate::template;

/// Buffers that are used again, so that looking at escaped text costs no allocation in the steady state.
#[derive(Debug, Default)]
pub struct Scratch {
    free: RefCell<Vec<Vec<u8>>>,
}

/// Buffers kept; a record needs one at a time, nested use two or three.
const SCRATCH_BUFFERS_MAX: usize = 4;
/// Largest buffer that is kept, in bytes.
const SCRATCH_BYTES_MAX: usize = 256 << 10;

impl Scratch {
    /// An empty buffer.
    pub fn take(&self) -> Vec<u8> {
        self.free.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub fn give_back(&self, mut buffer: Vec<u8>) {
        let mut free = self.free.borrow_mut();
        if free.len() < SCRATCH_BUFFERS_MAX && buffer.capacity() <= SCRATCH_BYTES_MAX {
            buffer.clear();
            free.push(buffer);
        }
    }
}

/// What a record may be joined with.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The function and its environment.
    pub facts: &'a Facts,
    /// The invocations that are known.
    pub invocations: &'a Invocations,
    /// Buffers to decode into.
    pub scratch: &'a Scratch,
}

/// A record with what it is joined with.
pub struct View<'a> {
    batch: &'a Batch,
    record: &'a Record,
    around: Surroundings<'a>,
    /// What whoever looks at the record will ask for.
    asked: Option<&'a Paths>,
    decoded: OnceCell<Vec<u8>>,
    recognised: OnceCell<Recognised>,
    message: OnceCell<Vec<u8>>,
    located: OnceCell<Located>,
}

/// The values at the paths of one expression or stage.
struct Located {
    /// The paths are those that stood at this address: an expression lives longer than a look at a record.
    paths: *const Paths,
    /// The record is JSON to its end.
    whole: bool,
    /// Where each value lies in the record's text.
    places: Places,
    /// The values that had escapes, a bit each, and where their text ends in `texts`, one behind the other.
    decoded: u32,
    ends: [u32; PLACES_MAX],
    texts: Vec<u8>,
}

impl Located {
    /// The text of a value that had escapes.
    fn decoded(&self, place: usize) -> Option<&[u8]> {
        let bit = 1 << place;
        if self.decoded & bit == 0 {
            return None;
        }
        let before = self.decoded & (bit - 1);
        let start = match before.checked_ilog2() {
            Some(last) => self.ends[last as usize] as usize,
            None => 0,
        };
        self.texts.get(start..self.ends[place] as usize)
    }
}

/// A value at a path.
enum Found<'v> {
    Raw(&'v [u8]),
    /// A string without its quotes and escapes.
    Decoded(&'v [u8]),
}

const _: () = assert!(PLACES_MAX <= u32::BITS as usize);

/// What kind of JSON value a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An object, or text that holds one.
    Object,
    /// Text.
    Text,
    /// An array, a number, a boolean or null.
    Other,
}

impl<'a> View<'a> {
    /// A view of one record.
    pub fn new(batch: &'a Batch, record: &'a Record, around: Surroundings<'a>) -> View<'a> {
        View {
            batch,
            record,
            around,
            asked: None,
            decoded: OnceCell::new(),
            recognised: OnceCell::new(),
            message: OnceCell::new(),
            located: OnceCell::new(),
        }
    }

    /// The same, which finds all of these paths with the first one that is asked for.
    #[must_use]
    pub fn asking(mut self, paths: &'a Paths) -> View<'a> {
        self.asked = (!paths.is_empty()).then_some(paths);
        self
    }

    /// The raw JSON value of `record`.
    pub fn raw(&self) -> &'a [u8] {
        self.batch.bytes(self.record.value)
    }

    /// The record's text: of a string the decoded inside, of any other value its JSON.
    pub fn text(&self) -> &[u8] {
        let raw = self.raw();
        let Some(inside) = json::string_inside(raw) else {
            return raw;
        };
        if memchr::memchr(b'\\', inside).is_none() {
            return inside;
        }
        self.decoded.get_or_init(|| {
            let mut buffer = self.around.scratch.take();
            json::unescape_into(inside, &mut buffer);
            buffer
        })
    }

    fn shape(&self) -> Shape {
        let raw = self.raw();
        match raw.first() {
            Some(b'{') => Shape::Object,
            Some(b'"') => {
                if holds_object(self.text()) {
                    Shape::Object
                } else {
                    Shape::Text
                }
            }
            _ => Shape::Other,
        }
    }

    /// The range of the JSON object in [`Self::text`], if it holds one.
    fn object(&self) -> Option<Range<usize>> {
        let text = self.text();
        match (self.raw().first(), self.shape()) {
            // A record's own JSON was checked when it came in.
            (Some(b'{'), _) => Some(0..text.len()),
            (_, Shape::Object) => json::whole_value(text),
            _ => None,
        }
    }

    fn recognised(&self) -> &Recognised {
        if let Some(paths) = self.asked.filter(|paths| paths.with_message) {
            self.located(paths);
        }
        self.recognised.get_or_init(|| match self.shape() {
            Shape::Object => recognise::in_whole_object(self.text()).unwrap_or_default(),
            Shape::Text => recognise::in_text(self.text()),
            Shape::Other => Recognised::default(),
        })
    }

    /// The message: the text behind what the runtime put before it, or of JSON its `message`, `msg` or
    /// `errorMessage`; else all of the text, without its final newline.
    pub fn message(&self) -> Cow<'_, [u8]> {
        match self.raw_message() {
            (message, true) if memchr::memchr(b'\\', message).is_some() => {
                let decode = || {
                    let mut buffer = self.around.scratch.take();
                    json::unescape_into(message, &mut buffer);
                    buffer
                };
                Cow::Borrowed(self.message.get_or_init(decode))
            }
            (message, _) => Cow::Borrowed(message),
        }
    }

    /// The message, and whether it still has its JSON escapes.
    fn raw_message(&self) -> (&[u8], bool) {
        let text = self.text();
        let Some(range) = self.recognised().message.clone() else {
            return (trim_newline(text), false);
        };
        let message = &text[range];
        match (self.shape(), json::string_inside(message)) {
            (Shape::Object, Some(inside)) => (inside, true),
            _ => (trim_newline(message), false),
        }
    }

    /// Appends the text of a value; `false`, with nothing appended, where there is none. A number is written as it
    /// stands in the record; an array, an object and null count as none. Needs no memory beside `out`.
    pub fn write(&self, subject: &Subject, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        match subject {
            Subject::Name(Name::Message) => match self.raw_message() {
                (message, true) => json::unescape_into(message, out),
                (message, false) => out.extend_from_slice(message),
            },
            Subject::Name(name) => template::write_value(&self.name(name), out),
            Subject::Path(path) => match self.found(path) {
                Some(Found::Decoded(text)) => out.extend_from_slice(text),
                Some(Found::Raw(raw)) if raw.first() == Some(&b'"') => {
                    json::unescape_into(json::string_inside(raw).unwrap_or_default(), out)
                }
                None | Some(Found::Raw([b'{' | b'[' | b'n', ..])) => {}
                Some(Found::Raw(raw)) => out.extend_from_slice(raw),
            },
        }
        out.len() > start
    }

    /// The value at a path: with all others that were asked for, or by a walk of its own.
    fn found(&self, path: &Path) -> Option<Found<'_>> {
        let asked = self.asked.map(|paths| (paths, paths.place(&path.segments)));
        let Some((paths, Some(place))) = asked else {
            return self.raw_at(&path.segments).map(Found::Raw);
        };
        let located = self.located(paths);
        if let Some(text) = located.decoded(place) {
            return Some(Found::Decoded(text));
        }
        let place = located.places[place];
        (!place.is_empty()).then(|| Found::Raw(&self.text()[place.range()]))
    }

    /// Where the value at a path lies in the [text](Self::text), if that path is [asked](Self::asking) for; an empty
    /// place where there is none.
    pub fn place(&self, path: &[Segment]) -> Option<Place> {
        let paths = self.asked?;
        let place = paths.place(path)?;
        Some(self.located(paths).places[place])
    }

    /// Whether the [text](Self::text) is one JSON object, with white space around it at most.
    pub fn is_object(&self) -> bool {
        match (self.raw().first(), self.asked) {
            // A record's own JSON was checked when it came in.
            (Some(b'{'), _) => true,
            (Some(b'"'), Some(paths)) => self.shape() == Shape::Object && self.located(paths).whole,
            _ => self.object().is_some(),
        }
    }

    fn located(&self, paths: &Paths) -> &Located {
        self.located.get_or_init(|| self.locate(paths))
    }

    /// Finds the values at all paths in one walk, and decodes those that need it.
    fn locate(&self, paths: &Paths) -> Located {
        let mut located = Located {
            paths,
            whole: false,
            places: NO_PLACES,
            decoded: 0,
            ends: [0; PLACES_MAX],
            texts: Vec::new(),
        };
        let text = self.text();
        let raw_first = self.raw().first();
        let start = json::skip_space(text, 0);
        if !matches!(raw_first, Some(b'{' | b'[')) && self.shape() != Shape::Object {
            return located;
        }
        let mut reading = Reading::new(text);
        let end = paths.locate(text, start, &mut located.places, |key, value| {
            if paths.with_message {
                reading.member(key, value);
            }
        });
        if !end.is_ok_and(|end| json::skip_space(text, end) == text.len()) {
            located.places = NO_PLACES;
            return located;
        }
        located.whole = true;
        if paths.with_message && text.get(start) == Some(&b'{') {
            self.recognised.get_or_init(|| reading.finish());
        }
        for (place, found) in located.places.iter().take(paths.len()).enumerate() {
            let Some(inside) = json::string_inside(&text[found.range()]) else {
                continue;
            };
            if memchr::memchr(b'\\', inside).is_some() {
                if located.decoded == 0 {
                    located.texts = self.around.scratch.take();
                }
                json::unescape_into(inside, &mut located.texts);
                located.ends[place] = located.texts.len() as u32;
                located.decoded |= 1 << place;
            }
        }
        located
    }

    /// The invocation that the record belongs to.
    pub fn invocation(&self) -> Option<&'a Invocation> {
        self.around.invocations.get(self.record.invocation)
    }

    /// The value at a path, as raw JSON.
    pub fn raw_at(&self, path: &[Segment]) -> Option<&[u8]> {
        let text = self.text();
        let whole = match self.raw().first() {
            Some(b'[') => 0..text.len(),
            _ => self.object()?,
        };
        find(text, whole, path).map(|range| &text[range])
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        let decoded = [self.decoded.take(), self.message.take()];
        let texts = self.located.take().map(|located| located.texts);
        for buffer in decoded.into_iter().chain([texts]).flatten() {
            if buffer.capacity() > 0 {
                self.around.scratch.give_back(buffer);
            }
        }
    }
}

/// Whether text looks like one JSON object; the whole check comes with the first use.
fn holds_object(text: &[u8]) -> bool {
    let trimmed = text.trim_ascii();
    trimmed.first() == Some(&b'{') && trimmed.last() == Some(&b'}')
}

/// Text without one final newline.
pub fn trim_newline(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// The range of the value at a path inside a JSON value. The last of equal keys wins, as in most parsers.
pub fn find(text: &[u8], whole: Range<usize>, path: &[Segment]) -> Option<Range<usize>> {
    path.iter().try_fold(whole, |value, segment| match segment {
        Segment::Key(wanted) => {
            let mut members = json::members(text, value);
            let first = members.find(|(key, _)| json::key_is(&text[key.clone()], wanted))?;
            let last = members
                .filter(|(key, _)| json::key_is(&text[key.clone()], wanted))
                .last();
            Some(last.unwrap_or(first).1)
        }
        Segment::Index(index) => json::elements(text, value).nth(*index),
    })
}

impl Source for View<'_> {
    fn name(&self, name: &Name) -> Value<'_> {
        let batch = self.batch;
        let record = self.record;
        let facts = self.around.facts;
        match name {
            Name::Type => text_value(batch.bytes(record.kind)),
            Name::Time => text_value(batch.bytes(record.time)),
            Name::Level => Value::Level(record.level.unwrap_or(Level::Info)),
            Name::Message => match self.message() {
                Cow::Borrowed(message) => text_value(message),
                Cow::Owned(message) => {
                    Value::Text(String::from_utf8_lossy(&message).into_owned().into())
                }
            },
            Name::RequestId => text_value(batch.bytes(record.request_id)),
            Name::TraceId => text_value(batch.bytes(record.trace_id)),
            Name::SpanId => text_value(batch.bytes(record.span_id)),
            Name::Instance => text_value(batch.instance()),
            name => {
                let joined = self.invocation();
                let joined = joined.and_then(|invocation| of_invocation(invocation, name));
                joined.unwrap_or_else(|| fact(facts, name))
            }
        }
    }

    fn path(&self, path: &Path) -> Value<'_> {
        match self.found(path) {
            Some(Found::Decoded(text)) => Value::Text(String::from_utf8_lossy(text)),
            Some(Found::Raw(raw)) => value_of(raw),
            None => Value::Missing,
        }
    }

    fn named<'s>(&'s self, name: &Name, paths: &Paths) -> Value<'s> {
        if *name == Name::Message && !paths.is_empty() {
            self.located(paths);
        }
        self.name(name)
    }

    fn located<'s>(&'s self, paths: &'s Paths, place: usize) -> Value<'s> {
        let located = View::located(self, paths);
        if place >= PLACES_MAX || !std::ptr::eq(located.paths, paths) {
            return self.path(paths.get(place));
        }
        if let Some(text) = located.decoded(place) {
            return Value::Text(String::from_utf8_lossy(text));
        }
        let place = located.places[place];
        if place.is_empty() {
            return Value::Missing;
        }
        value_of(&self.text()[place.range()])
    }
}

/// A raw JSON value as expressions see it. Text with escapes costs an allocation.
fn value_of(raw: &[u8]) -> Value<'_> {
    match raw.first() {
        Some(b'"') => match json::unescape(json::string_inside(raw).unwrap_or_default()) {
            Cow::Borrowed(text) => Value::Text(String::from_utf8_lossy(text)),
            Cow::Owned(text) => Value::Text(String::from_utf8_lossy(&text).into_owned().into()),
        },
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'-' | b'0'..=b'9') => number(raw).map_or(Value::Other, Value::Number),
        _ => Value::Other,
    }
}

/// One invocation, as expressions that are asked of it see it: what its records are joined with, but no record.
pub struct OfInvocation<'a> {
    /// The function and its environment.
    pub facts: &'a Facts,
    /// The invocation.
    pub invocation: &'a Invocation,
}

impl Source for OfInvocation<'_> {
    fn name(&self, name: &Name) -> Value<'_> {
        let trace = self.invocation.trace.as_ref();
        match name {
            Name::RequestId => known(&self.invocation.request_id),
            Name::TraceId => trace.map_or(Value::Missing, |trace| known(&trace.trace_id)),
            Name::SpanId => trace.map_or(Value::Missing, |trace| known(&trace.span_id)),
            name => of_invocation(self.invocation, name).unwrap_or_else(|| fact(self.facts, name)),
        }
    }

    fn path(&self, _: &Path) -> Value<'_> {
        Value::Missing
    }
}

/// What a name says of an invocation itself; `None` where it says nothing.
fn of_invocation<'a>(invocation: &'a Invocation, name: &Name) -> Option<Value<'a>> {
    let value = match name {
        Name::XrayTraceId => {
            let trace = invocation.trace.as_ref();
            trace.map_or(Value::Missing, |trace| known(&trace.header))
        }
        Name::Status => {
            let status = invocation.status;
            status.map_or(Value::Missing, |status| Value::Text(status.as_str().into()))
        }
        Name::Failed => Value::Boolean(invocation.failed()),
        Name::ColdStart => Value::Boolean(invocation.cold_start),
        Name::Duration => invocation
            .duration_ms
            .map_or(Value::Missing, duration_value),
        _ => return None,
    };
    Some(value)
}

/// Asks for values where there is no record: templates of the environment.
pub struct NoRecord<'a>(pub &'a Facts);

impl Source for NoRecord<'_> {
    fn name(&self, name: &Name) -> Value<'_> {
        fact(self.0, name)
    }

    fn path(&self, _: &Path) -> Value<'_> {
        Value::Missing
    }
}

/// What a name says without a record: the function and its environment.
fn fact<'a>(facts: &'a Facts, name: &Name) -> Value<'a> {
    match name {
        Name::FunctionName => known(&facts.function_name),
        Name::FunctionVersion => known(&facts.function_version),
        Name::FunctionMemory => facts.function_memory.map_or(Value::Missing, Value::Size),
        Name::FunctionArn => known(&facts.function_arn),
        Name::FunctionAlias => known(&facts.function_alias),
        Name::Region => known(&facts.region),
        Name::AccountId => known(&facts.account_id),
        Name::InitType => known(&facts.init_type),
        Name::Instance => known(&facts.instance),
        Name::Env(wanted) => facts
            .env
            .iter()
            .find(|(name, _)| **name == **wanted)
            .map_or(Value::Missing, |(_, value)| known(value)),
        _ => Value::Missing,
    }
}

fn text_value(bytes: &[u8]) -> Value<'_> {
    if bytes.is_empty() {
        Value::Missing
    } else {
        Value::Text(String::from_utf8_lossy(bytes))
    }
}

fn known(text: &str) -> Value<'_> {
    if text.is_empty() {
        Value::Missing
    } else {
        Value::Text(text.into())
    }
}

fn duration_value(ms: f64) -> Value<'static> {
    Duration::try_from_secs_f64(ms / 1_000.0).map_or(Value::Missing, Value::Duration)
}

fn number(raw: &[u8]) -> Option<f64> {
    std::str::from_utf8(raw).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util;

    fn on<T>(value: &str, ask: impl FnOnce(&View<'_>) -> T) -> T {
        let budget = crate::budget::Budget::new(1 << 20);
        let batch = test_util::batch_of(&budget, &[("function", value, None)]);
        let (facts, invocations, scratch) =
            (Facts::default(), Invocations::default(), Scratch::default());
        let around = Surroundings {
            facts: &facts,
            invocations: &invocations,
            scratch: &scratch,
        };
        ask(&View::new(&batch, &batch.records()[0], around))
    }

    fn message(value: &str) -> String {
        on(value, |view| {
            String::from_utf8_lossy(&view.message()).into_owned()
        })
    }

    #[test]
    fn the_message_is_what_the_developer_wrote() {
        assert_eq!(message(r#""plain\n""#), "plain");
        assert_eq!(message(r#""[INFO] caf\u00e9""#), "café");
        assert_eq!(message(r#"{"level":"INFO","message":"a\"b"}"#), "a\"b");
        assert_eq!(
            message(r#""{\"msg\":\"in \\\"json\\\"\"}\n""#),
            "in \"json\""
        );
        assert_eq!(message(r#"{"message":{"a":1}}"#), r#"{"a":1}"#);
        assert_eq!(message("[1,2]"), "[1,2]");
        assert_eq!(message("null"), "null");
        assert_eq!(message(r#""""#), "");
    }

    #[test]
    fn paths_reach_into_objects_and_into_text_that_holds_one() {
        let at = |value: &str, path: &str| {
            let path = Path::parse(path).unwrap();
            on(value, |view| match view.path(&path) {
                Value::Text(text) => format!("text {text}"),
                Value::Number(number) => format!("number {number}"),
                Value::Boolean(value) => format!("boolean {value}"),
                Value::Missing => "missing".to_owned(),
                _ => "other".to_owned(),
            })
        };
        assert_eq!(at(r#"{"a":{"b":[1,"x"]}}"#, ".a.b[1]"), "text x");
        assert_eq!(at(r#""{\"a\":{\"b\":true}}\n""#, ".a.b"), "boolean true");
        assert_eq!(at(r#"{"a":1.5}"#, ".a"), "number 1.5");
        assert_eq!(at(r#"{"a":null}"#, ".a"), "other");
        assert_eq!(at(r#"{"a":1,"a":2}"#, ".a"), "number 2");
        assert_eq!(at(r#""plain""#, ".a"), "missing");
        assert_eq!(at(r#"{"a":1}"#, ".a.b"), "missing");
        assert_eq!(at(r#"[10,20]"#, ".[1]"), "number 20");
    }

    /// Paths, message and a regex in one walk over JSON, in text and with escapes.
    #[test]
    fn an_expression_finds_at_once_what_it_asks_for() {
        use crate::expr::{Expression, Names, Unlike};
        let holds = |value: &str, source: &str| {
            let expression = Expression::parse(source, &Names { env: &[] }).unwrap();
            let mut unlike = Unlike::default();
            on(value, |view| expression.matches(view, &mut unlike))
        };
        let all = r#".a.b == "x\"y" and message ~ "^caf" and .n >= 2 and .list[1] == "z" and message ends_with "!""#
            .replace("\\\"", "\u{e9}");
        let object =
            r#"{"a":{"b":"x\u00e9y"},"message":"caf\u00e9!","n":"2","list":["\u0041","z"]}"#;
        let mut text = Vec::new();
        json::quote_into(object.as_bytes(), &mut text);
        let text = String::from_utf8(text).unwrap();
        for value in [object, &text, &text.replace("}\"", "}\\n\"")] {
            assert!(holds(value, &all), "{value}");
            assert!(!holds(value, &all.replace("^caf", "^x")), "{value}");
            assert!(holds(
                value,
                r#".list[0] == "A" and message contains "caf""#
            ));
            assert!(holds(
                value,
                r#"message contains "caf" and .list[0] == "A""#
            ));
        }
        // Where the text only looks like JSON nothing is found in it, and the message is all of it.
        let broken = r#""{\"a\":{\"b\":1},}""#;
        assert!(!holds(broken, "exists(.a)"));
        assert!(holds(
            broken,
            r#"not exists(.a) and message starts_with "{""#
        ));
    }

    #[test]
    fn the_text_of_a_value_is_written_as_it_stands() {
        let names = crate::expr::Names { env: &[] };
        let written = |value: &str, subject: &str| {
            let subject = Subject::parse(subject, &names).unwrap();
            let mut out = b"before ".to_vec();
            let there = on(value, |view| view.write(&subject, &mut out));
            let text = String::from_utf8(out.split_off(7)).unwrap();
            assert_eq!(there, !text.is_empty());
            text
        };
        let object = r#"{"message":"caf\u00e9 \"x\"","n":12345678901234567890,"t":true,"o":{},"e":"","z":null}"#;
        assert_eq!(written(object, "message"), "café \"x\"");
        assert_eq!(written(object, ".message"), "café \"x\"");
        assert_eq!(written(object, ".n"), "12345678901234567890");
        assert_eq!(written(object, ".t"), "true");
        for none in [".o", ".e", ".z", ".absent", "request_id"] {
            assert_eq!(written(object, none), "", "{none}");
        }
        assert_eq!(written(r#""[INFO] a\n""#, "message"), "a");
        assert_eq!(written(r#""x""#, "level"), "INFO");
    }

    #[test]
    fn a_missing_level_reads_as_info() {
        on(r#""x""#, |view| {
            assert_eq!(view.name(&Name::Level), Value::Level(Level::Info))
        });
    }
}
