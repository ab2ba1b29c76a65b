//! One JSON object for a service: keys of the service first, then attributes, then what the record itself holds.
//!
//! A member of the record whose key stands there already is left out where it says the same, and is called
//! `record.KEY` otherwise: nothing is lost, and no object has a key twice through us.

use std::io::Write as _;
use std::ops::Range;

use tapline_core::json;
use tapline_core::line;
use tapline_core::template::Template;

use super::seen::Seen;

/// Deepest level that is flattened; what lies deeper is written as JSON in a string.
const FLAT_DEPTH_MAX: usize = 5;

/// Keys that hold the message in JSON logs; one that says the same as the message written is left out.
const MESSAGE_KEYS: [&[u8]; 3] = [b"message", b"msg", b"errorMessage"];

/// A member that was written: its key without quotes, and its value.
pub(super) struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

/// How members that are objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As they are.
    Nested,
    /// As keys with dots, lists as JSON in a string, null not at all: for services that know no objects. An object with
    /// more members than this becomes one member `record`, as JSON in a string.
    Flat(usize),
    /// The same, with every value as text.
    Texts(usize),
}

/// An object that is being written.
pub(super) struct Object<'o> {
    pub out: &'o mut Vec<u8>,
    written: &'o mut Vec<Member>,
    /// Members before this one belong to objects around it.
    first: usize,
    message: Option<Range<usize>>,
    reserved: [Option<&'static str>; 2],
}

impl<'o> Object<'o> {
    /// Opens an object. `written` is a buffer to use again.
    pub fn open(out: &'o mut Vec<u8>, written: &'o mut Vec<Member>) -> Object<'o> {
        out.push(b'{');
        let first = written.len();
        Object {
            out,
            written,
            first,
            message: None,
            reserved: [None; 2],
        }
    }

    /// Closes it.
    pub fn close(self) {
        self.out.push(b'}');
        self.written.truncate(self.first);
    }

    /// A member whose value a function appends, as JSON.
    pub fn with(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let key = self.key(key);
        let start = self.out.len();
        write(self.out);
        let value = start..self.out.len();
        self.written.push(Member { key, value });
    }

    /// A member whose value is an object.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        let key = self.key(key);
        let start = self.out.len();
        let mut inner = Object::open(self.out, self.written);
        inner.message = self.message.clone();
        write(&mut inner);
        inner.close();
        let value = start..self.out.len();
        self.written.push(Member { key, value });
    }

    /// Text.
    pub fn text(&mut self, key: &str, value: &[u8]) {
        self.with(key, |out| json::quote_into(value, out));
    }

    /// A number.
    pub fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.with(key, |out| write_display(value, out));
    }

    /// Keeps a key free: a member of the record that is called so gets another name.
    pub fn reserve(&mut self, key: &'static str) {
        self.reserved = match self.reserved {
            [None, second] => [Some(key), second],
            [first, _] => [first, Some(key)],
        };
    }

    /// Text that is escaped already; left out where it is empty.
    pub fn escaped(&mut self, key: &str, value: &[u8]) {
        if !value.is_empty() {
            self.with(key, |out| {
                out.push(b'"');
                out.extend_from_slice(value);
                out.push(b'"');
            });
        }
    }

    /// What a template says; left out where that is nothing.
    pub fn template(&mut self, key: &str, template: &Template, seen: &Seen<'_>) {
        seen.with_rendered(template, |text| {
            if !text.is_empty() {
                self.text(key, text);
            }
        });
    }

    /// What templates say, each under its key, unless that is there.
    pub fn templates(&mut self, templates: &[(String, Template)], seen: &Seen<'_>) {
        for (key, template) in templates {
            let taken = |member: &Member| self.out[member.key.clone()] == *key.as_bytes();
            if !self.written[self.first..].iter().any(taken) {
                self.template(key, template, seen);
            }
        }
    }

    /// The time as RFC 3339.
    pub fn time(&mut self, key: &str, seen: &Seen<'_>) {
        self.with(key, |out| {
            out.push(b'"');
            seen.write_time(out);
            out.push(b'"');
        });
    }

    /// The message; where the record is JSON without one, all of it, or with `None` nothing.
    pub fn message(&mut self, key: &str, message: Option<&[u8]>) {
        let Some(message) = message else { return };
        self.text(key, message);
        self.message = self.written.last().map(|member| member.value.clone());
    }

    /// The severity, where one was found.
    pub fn level(&mut self, key: &str, seen: &Seen<'_>) {
        if let Some(level) = seen.level() {
            self.text(key, level.as_str().as_bytes());
        }
    }

    /// What Tapline knows of every record: `id`, `type`, `request_id`, `trace_id`, `span_id`.
    pub fn identity(&mut self, seen: &Seen<'_>) {
        let (batch, record) = (seen.batch, seen.record);
        self.with("id", |out| {
            out.push(b'"');
            line::write_id(batch, record, out);
            out.push(b'"');
        });
        self.escaped("type", batch.bytes(record.kind));
        self.escaped("request_id", batch.bytes(record.request_id));
        self.escaped("trace_id", batch.bytes(record.trace_id));
        self.escaped("span_id", batch.bytes(record.span_id));
    }

    /// The attributes, then the members of a record that is an object, or holds one as text.
    pub fn rest(&mut self, seen: &Seen<'_>, shape: Shape) {
        self.attributes(seen, shape);
        self.own(seen, shape);
    }

    /// The attributes alone.
    pub fn attributes(&mut self, seen: &Seen<'_>, shape: Shape) {
        if !seen.record.attributes.is_empty() {
            seen.with_attributes(|attributes| self.members(attributes, shape, Track::Yes));
        }
    }

    /// The members of a record that is an object, or holds one as text.
    pub fn own(&mut self, seen: &Seen<'_>, shape: Shape) {
        if let Some(object) = seen.object() {
            self.members(object, shape, Track::No);
        }
    }

    fn members(&mut self, object: &[u8], shape: Shape, track: Track) {
        let members = || json::members(object, 0..object.len());
        match shape {
            Shape::Nested => {
                for (key, value) in members() {
                    self.place(&object[key], &object[value], track);
                }
            }
            Shape::Flat(members_max) | Shape::Texts(members_max)
                if leaves(object, 1) > members_max =>
            {
                let text = quoted(object);
                self.place(b"record", &text, track);
            }
            Shape::Flat(_) | Shape::Texts(_) => {
                let mut path = Vec::new();
                for (key, value) in members() {
                    path.clear();
                    path.extend_from_slice(&object[key]);
                    self.flat(&mut path, &object[value], 1, shape, track);
                }
            }
        }
    }

    /// Writes a value under its path, and the members of an object under theirs.
    fn flat(&mut self, path: &mut Vec<u8>, value: &[u8], depth: usize, shape: Shape, track: Track) {
        match value.first() {
            Some(b'{') if depth < FLAT_DEPTH_MAX => {
                for (key, inner) in json::members(value, 0..value.len()) {
                    let length = path.len();
                    path.push(b'.');
                    path.extend_from_slice(&value[key]);
                    self.flat(path, &value[inner], depth + 1, shape, track);
                    path.truncate(length);
                }
            }
            Some(b'{' | b'[') => {
                let text = quoted(value);
                self.place(path, &text, track);
            }
            Some(b'n') | None => {}
            Some(first) if *first != b'"' && matches!(shape, Shape::Texts(_)) => {
                let text = quoted(value);
                self.place(path, &text, track);
            }
            _ => self.place(path, value, track),
        }
    }

    /// Writes a member under its escaped key, unless it is there.
    fn place(&mut self, key: &[u8], value: &[u8], track: Track) {
        if let (Some(message), true) = (&self.message, MESSAGE_KEYS.contains(&key))
            && same(&self.out[message.clone()], value)
        {
            return;
        }
        let own = self.written[self.first..]
            .iter()
            .find(|member| self.out[member.key.clone()] == *key);
        let prefix: &[u8] = match own {
            Some(own) if same(&self.out[own.value.clone()], value) => return,
            Some(_) => b"record.",
            None if self.is_reserved(key) => b"record.",
            None => b"",
        };
        self.comma();
        self.out.push(b'"');
        let start = self.out.len();
        self.out.extend_from_slice(prefix);
        self.out.extend_from_slice(key);
        let key = start..self.out.len();
        self.out.extend_from_slice(b"\":");
        let start = self.out.len();
        line::write_value(value, self.out);
        if track == Track::Yes {
            let value = start..self.out.len();
            self.written.push(Member { key, value });
        }
    }

    fn is_reserved(&self, key: &[u8]) -> bool {
        let mut reserved = self.reserved.iter().flatten();
        reserved.any(|reserved| reserved.as_bytes() == key)
    }

    fn key(&mut self, key: &str) -> Range<usize> {
        self.comma();
        self.out.push(b'"');
        let start = self.out.len();
        json::escape_into(key.as_bytes(), self.out);
        let range = start..self.out.len();
        self.out.extend_from_slice(b"\":");
        range
    }

    fn comma(&mut self) {
        // No value ends with a brace that opens.
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
    }
}

/// Whether later members are compared with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    Yes,
    No,
}

/// Whether two values say the same: equal bytes, or text that is equal but for its case and its escapes.
fn same(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    match (json::string_inside(one), json::string_inside(other)) {
        (Some(one), Some(other)) => {
            json::unescape(one).eq_ignore_ascii_case(&json::unescape(other))
        }
        _ => false,
    }
}

/// Appends a value as it shows itself.
pub(super) fn write_display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("writing to a vector does not fail");
}

/// How many members an object has once it is flat.
fn leaves(object: &[u8], depth: usize) -> usize {
    json::members(object, 0..object.len())
        .map(|(_, value)| match object[value.clone()].first() {
            Some(b'{') if depth < FLAT_DEPTH_MAX => leaves(&object[value], depth + 1),
            _ => 1,
        })
        .sum()
}

/// JSON as a string.
fn quoted(json: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len() + 16);
    json::quote_into(json, &mut text);
    text
}
