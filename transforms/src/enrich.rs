//! `enrich`: sets and removes values, in the record's JSON or beside it.
//!
//! `set` is a table of templates. A key that begins with `.` writes into the record's JSON (an object, or text that
//! holds one, which stays text); any other key becomes an attribute. Objects on the way are made where they are
//! missing. A value that is there is replaced. `remove` takes out paths and attributes and is applied first. All
//! templates see the record as it came in, and what they give is always a string.
//!
//! An attribute or value whose template renders empty is left out. Into a record that is no JSON object, or through a
//! value that is no object, nothing is written: text stays as it is. Lines in CloudWatch's embedded metric format are
//! left alone.
//!
//! # Limits
//!
//! Attributes that would take a record beyond
//! [`ATTRIBUTES_BYTES_MAX`](tapline_core::limits::ATTRIBUTES_BYTES_MAX) are left out. Paths name keys of objects only,
//! no places in arrays.

use tapline_core::batch::{Batch, Record, Slice};
use tapline_core::config::{Field, FieldKind, Fields, Kind, Reader, Severity, Spanned};
use tapline_core::expr::{Path, Segment};
use tapline_core::json;
use tapline_core::limits::ATTRIBUTES_BYTES_MAX;
use tapline_core::registry::{Build, TransformKind};
use tapline_core::template::{Allow, Moment, Template};
use tapline_core::time;
use tapline_core::transform::{Context, Transform};
use tapline_core::view::View;

use crate::attributes;

mod edit;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "enrich",
    feature: "enrich",
    fields: FIELDS,
    build: Some(build),
    redacts: false,
};

/// Its keys.
const FIELDS: Fields = &[
    Field {
        name: "set",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Values to set, by key. A key such as `.user.tier` writes into the record's JSON, any other one beside it.",
    },
    Field {
        name: "remove",
        kind: FieldKind::List(&FieldKind::Text),
        default: "[]",
        required: false,
        doc: "What to take out before `set`: paths such as `.debug`, or names of attributes.",
    },
    Field {
        name: "rename",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Moves values to other keys. Not in this version.",
    },
    Field {
        name: "lookup",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Sets a value by another one. Not in this version.",
    },
];

fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mut built = true;
    for key in ["rename", "lookup"] {
        if let Some(span) = reader.key_span(key) {
            let message = format!("`{key}` of enrich is not in this version");
            let help = "remove it; `set` and `remove` can move a value: `set = { \".message\" = \"{.msg}\" }`";
            reader.report(Severity::Error, Kind::NotBuilt, span, message, help);
            built = false;
        }
    }
    let mut enrich = Enrich::default();
    for (key, source) in reader.map_of_text("set") {
        let template = match Template::parse(&source.value, &build.names, Allow::Record) {
            Ok(template) => Some(template),
            Err(problems) => {
                for problem in problems {
                    let span = reader.inside(&source, problem.span);
                    reader.error(span, problem.message, problem.help);
                }
                None
            }
        };
        match (target(reader, &key), template) {
            (Some(Target::Path(keys)), Some(template)) => {
                enrich.values.push(Setter { keys, template })
            }
            (Some(Target::Attribute(name)), Some(template)) => {
                enrich.all_fixed.get_or_insert(true);
                enrich.all_fixed = enrich.all_fixed.map(|all| all && template.is_fixed());
                enrich.attributes.push((name, template));
            }
            _ => built = false,
        }
    }
    for place in reader.list_of_text("remove")? {
        match target(reader, &place) {
            Some(Target::Path(keys)) => enrich.removed_values.push(keys),
            Some(Target::Attribute(name)) => enrich.removed_attributes.push(name),
            None => built = false,
        }
    }
    built.then(|| Box::new(enrich) as Box<dyn Transform>)
}

/// Where a value is set or removed.
enum Target {
    Path(Vec<Box<str>>),
    Attribute(String),
}

fn target(reader: &Reader<'_>, place: &Spanned<String>) -> Option<Target> {
    if place.value.is_empty() {
        let help = "name an attribute, or a path such as `.user.id`";
        reader.error(place.span.clone(), "the key is empty", help);
        return None;
    }
    if !place.value.starts_with('.') {
        return Some(Target::Attribute(place.value.clone()));
    }
    let path = match Path::parse(&place.value) {
        Ok(path) => path,
        Err(problem) => {
            let span = reader.inside(place, problem.span);
            reader.error(span, problem.message, problem.help);
            return None;
        }
    };
    let mut keys = Vec::new();
    for segment in path.segments {
        let Segment::Key(key) = segment else {
            let message = format!("{} names a place in an array", reader.quote(place));
            let help = "write the key that holds the array";
            reader.error(place.span.clone(), message, help);
            return None;
        };
        keys.push(key);
    }
    Some(Target::Path(keys))
}

struct Setter {
    keys: Vec<Box<str>>,
    template: Template,
}

#[derive(Default)]
struct Enrich {
    attributes: Vec<(String, Template)>,
    values: Vec<Setter>,
    removed_attributes: Vec<String>,
    removed_values: Vec<Vec<Box<str>>>,
    /// Whether every attribute is the same for all records; `None` where there is no attribute.
    all_fixed: Option<bool>,
}

impl Transform for Enrich {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        // Records without attributes of their own share one slice where no template names a record.
        let mut shared: Option<Slice> = None;
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live() || record.embedded_metrics {
                continue;
            }
            let sharing = record.attributes.is_empty() && self.all_fixed == Some(true);
            let attributes = match shared {
                Some(slice) if sharing => Some(slice),
                _ => self.set_attributes(&mut batch, position, context),
            };
            if sharing {
                shared = attributes;
            }
            let value = self.edit_value(&mut batch, position, context);
            let record = &mut batch.records_mut()[position];
            record.attributes = attributes.unwrap_or(record.attributes);
            record.value = value.unwrap_or(record.value);
        }
        output.push(batch);
    }
}

impl Enrich {
    /// The record's attributes afterwards; `None` where they stay.
    fn set_attributes(
        &self,
        batch: &mut Batch,
        position: usize,
        context: &Context<'_>,
    ) -> Option<Slice> {
        let record = &batch.records()[position];
        if self.attributes.is_empty()
            && (record.attributes.is_empty() || self.removed_attributes.is_empty())
        {
            return None;
        }
        let scratch = context.scratch;
        let (mut now, mut next) = (scratch.take(), scratch.take());
        let (mut text, mut quoted) = (scratch.take(), scratch.take());
        now.extend_from_slice(batch.bytes(record.attributes));
        for name in &self.removed_attributes {
            next.clear();
            attributes::without(&now, name, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        let moment = moment(batch, record);
        let view = View::new(batch, record, context.surroundings());
        for (name, template) in &self.attributes {
            text.clear();
            template.render(&view, &moment, &mut text);
            if text.is_empty() {
                continue;
            }
            quoted.clear();
            json::quote_into(&text, &mut quoted);
            next.clear();
            attributes::with(&now, name, &quoted, &mut next);
            if next.len() <= ATTRIBUTES_BYTES_MAX {
                std::mem::swap(&mut now, &mut next);
            }
        }
        drop(view);
        let slice = batch.keep(&now);
        for buffer in [now, next, text, quoted] {
            scratch.give_back(buffer);
        }
        Some(slice)
    }

    /// The record's value afterwards; `None` where it stays.
    fn edit_value(
        &self,
        batch: &mut Batch,
        position: usize,
        context: &Context<'_>,
    ) -> Option<Slice> {
        if self.values.is_empty() && self.removed_values.is_empty() {
            return None;
        }
        let record = &batch.records()[position];
        let view = View::new(batch, record, context.surroundings());
        let text = view.text();
        if text.trim_ascii_start().first() != Some(&b'{') || json::whole_value(text).is_none() {
            return None;
        }
        let scratch = context.scratch;
        let (mut now, mut next) = (scratch.take(), scratch.take());
        let (mut rendered, mut quoted) = (scratch.take(), scratch.take());
        now.extend_from_slice(text);
        let mut changed = false;
        for keys in &self.removed_values {
            if edit::remove(&now, keys, &mut next) {
                std::mem::swap(&mut now, &mut next);
                changed = true;
            }
        }
        let moment = moment(batch, record);
        for setter in &self.values {
            rendered.clear();
            setter.template.render(&view, &moment, &mut rendered);
            quoted.clear();
            json::quote_into(&rendered, &mut quoted);
            if !rendered.is_empty() && edit::set(&now, &setter.keys, &quoted, &mut next) {
                std::mem::swap(&mut now, &mut next);
                changed = true;
            }
        }
        let was_text = view.raw().first() == Some(&b'"');
        drop(view);
        let slice = changed.then(|| {
            if was_text {
                next.clear();
                json::quote_into(&now, &mut next);
                batch.keep(&next)
            } else {
                batch.keep(&now)
            }
        });
        for buffer in [now, next, rendered, quoted] {
            scratch.give_back(buffer);
        }
        slice
    }
}

/// The record's own time; that of its arrival where it has none.
fn moment(batch: &Batch, record: &Record) -> Moment {
    let time_ms = time::parse_rfc3339_ms(batch.bytes(record.time));
    Moment {
        time_ms: time_ms.unwrap_or(batch.arrived_ms()),
        seq: 0,
    }
}

#[cfg(test)]
mod tests;
