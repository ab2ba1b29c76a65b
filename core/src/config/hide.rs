//! Which parts of the file a diagnostic must not print.

use std::ops::Range;

use super::field::{FieldKind, Fields};
use super::source::{Source, string_end};
use super::value::{Data, Entry, Value};

/// Whether a key by its name holds a credential: `password`, `x-api-key`, `hash_key`, `splunk_token`, not `keys`.
pub(super) fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let within = [
        "passw",
        "passphrase",
        "secret",
        "token",
        "authoriz",
        "credential",
        "apikey",
        "cookie",
    ];
    let words = ["key", "pass", "pwd", "bearer"];
    within.iter().any(|part| name.contains(part))
        || name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| words.contains(&word))
}

/// Adds the spans of every scalar in a value. Of `{ env = … }` and its like nothing: the name of a variable is what
/// the reader of a message needs, and no secret.
pub(super) fn leaves(value: &Value, out: &mut Vec<Range<usize>>) {
    match &value.data {
        Data::List(items) => items.iter().for_each(|item| leaves(item, out)),
        Data::Table(entries) => entries
            .iter()
            .filter(|entry| !matches!(entry.key.value.as_str(), "env" | "secret" | "prefix"))
            .for_each(|entry| leaves(&entry.value, out)),
        _ => out.push(value.span.clone()),
    }
}

/// Adds the spans of the values whose key sounds like a credential, at any depth.
pub(super) fn by_name(entries: &[Entry], out: &mut Vec<Range<usize>>) {
    for entry in entries {
        if names_secret(&entry.key.value) {
            leaves(&entry.value, out);
        } else {
            by_name_in(&entry.value, out);
        }
    }
}

fn by_name_in(value: &Value, out: &mut Vec<Range<usize>>) {
    match &value.data {
        Data::Table(entries) => by_name(entries, out),
        Data::List(items) => items.iter().for_each(|item| by_name_in(item, out)),
        _ => {}
    }
}

/// What the fields of a table say about the values in it.
#[derive(Default)]
pub(super) struct Marks {
    /// Credentials.
    pub hidden: Vec<Range<usize>>,
    /// Values that are none, whatever their key is called, such as the template behind the `key` of a bucket.
    pub shown: Vec<Range<usize>>,
}

impl Marks {
    pub(super) fn add(&mut self, entries: &[Entry], fields: Fields) {
        for field in fields {
            for entry in entries.iter().filter(|entry| entry.key.value == field.name) {
                self.mark(&field.kind, &entry.value);
            }
        }
    }

    fn mark(&mut self, kind: &FieldKind, value: &Value) {
        match (kind, &value.data) {
            (FieldKind::Secret | FieldKind::SecretOr(_), _) => leaves(value, &mut self.hidden),
            (FieldKind::List(kind), Data::List(items)) => {
                items.iter().for_each(|item| self.mark(kind, item));
            }
            (FieldKind::Map(kind), Data::Table(entries)) => {
                entries
                    .iter()
                    .for_each(|entry| self.mark(kind, &entry.value));
            }
            (FieldKind::Table(fields), Data::Table(entries)) => self.add(entries, fields),
            // A value of the wrong shape in a place for credentials is one that was written wrongly.
            (kind, _) if kind.holds_secret() => leaves(value, &mut self.hidden),
            (FieldKind::Any | FieldKind::Text, _) => {}
            (_, Data::List(_) | Data::Table(_)) => {}
            _ => self.shown.push(value.span.clone()),
        }
    }
}

/// What to hide of the line that an error of syntax is in, where there is no tree to ask.
///
/// Hides too much rather than too little: everything after the `=` where the line, the statement that it continues or
/// the header above it sounds like credentials.
pub(super) fn in_broken_line(source: &Source, offset: usize) -> Option<Range<usize>> {
    let line = source.line_range(offset);
    let own = &source.text[line.clone()];
    let before: Vec<&str> = source.text[..line.start].lines().collect();
    let statement = before.iter().rev().find_map(|line| {
        let (key, _) = line.split_once('=')?;
        let bare = |c: char| c.is_ascii_alphanumeric() || "_-.\"' \t".contains(c);
        key.chars().all(bare).then_some(key)
    });
    let header = before
        .iter()
        .rev()
        .find(|line| line.trim_start().starts_with('['));
    let sounds = [Some(own), statement, header.copied()]
        .into_iter()
        .flatten()
        .any(|text| names_secret(text) || text.to_ascii_lowercase().contains("header"));
    if !sounds {
        return None;
    }
    let start = match own.find('=') {
        Some(at) if !starts_in_string(source, line.start) => line.start + at + 1,
        _ => line.start,
    };
    let gap = source.text[start..line.end].len() - source.text[start..line.end].trim_start().len();
    Some(start + gap..line.end)
}

fn starts_in_string(source: &Source, line_start: usize) -> bool {
    let bytes = source.text.as_bytes();
    let mut at = 0;
    while at < line_start {
        at = match bytes[at] {
            b'"' | b'\'' => string_end(bytes, at),
            b'#' => memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n),
            _ => at + 1,
        };
    }
    at > line_start
}
