//! `enrich`: sets, moves, looks up and removes values, in the record's JSON or beside it.
//!
//! A place that begins with `.`, such as `.user.tier`, is in the record's JSON (an object, or text that holds one,
//! which stays text); any other is the name of an attribute. Four steps, in this order:
//!
//! 1. `remove` takes out places.
//! 2. `rename` moves values to other places, as they are: a number stays a number.
//! 3. `resource` sets OpenTelemetry's resource attributes, and `lookup` finds a value of the record in a table and sets
//!    what stands there.
//! 4. `set` writes templates, always as text.
//!
//! One walk over the record's JSON finds what all steps look at; it is only walked over again once it was changed.
//!
//! Objects on the way are made where they are missing, and a value that is there is replaced. `lookup` and templates
//! see the record as it came in. What is missing, or renders empty, leaves the record as it is. Into a record that is no
//! JSON object, or through a value that is no object, nothing is written: text stays as it is. Lines in CloudWatch's
//! embedded metric format are left alone.
//!
//! # Limits
//!
//! Attributes that would take a record beyond
//! [`ATTRIBUTES_BYTES_MAX`](tapline_core::limits::ATTRIBUTES_BYTES_MAX) are left out. Paths name keys of objects only,
//! no places in arrays. [`RENAMES_MAX`], [`LOOKUPS_MAX`], [`TABLE_ENTRIES_MAX`], [`TABLE_TEXT_BYTES_MAX`].

use tapline_core::batch::{Batch, Record, Slice};
use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::expr::{Path, Paths, Place as Found};
use tapline_core::json;
use tapline_core::ledger::add;
use tapline_core::limits::ATTRIBUTES_BYTES_MAX;
use tapline_core::registry::TransformKind;
use tapline_core::resource;
use tapline_core::template::{Moment, Template};
use tapline_core::time;
use tapline_core::transform::{Context, Transform};
use tapline_core::view::View;

use crate::attributes;

mod edit;
mod load;
mod lookup;

use lookup::Lookup;

/// Most values that one `enrich` moves.
const RENAMES_MAX: usize = 64;

/// Most tables that one `enrich` looks into.
const LOOKUPS_MAX: usize = 16;

/// Most entries of one table.
const TABLE_ENTRIES_MAX: usize = 4_096;

/// Longest key and longest value of a table, in bytes.
const TABLE_TEXT_BYTES_MAX: usize = 1_024;

/// Largest buffer that is kept for the next batch, in bytes.
const BUFFER_BYTES_MAX: usize = 256 << 10;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "enrich",
    feature: "enrich",
    fields: FIELDS,
    build: Some(load::build),
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
        doc: "What to take out before all else: paths such as `.debug`, or names of attributes.",
    },
    Field {
        name: "rename",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: false,
        doc: "Values to move, from key to key, one after the other and as they are. At most 64.",
    },
    Field {
        name: "lookup",
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc: "Sets a value by another one: `by` is a name or a path, `table` has up to 4,096 texts by text, `into` is \
              where the text goes. A list of such tables looks up several. A value that is not in the table changes \
              nothing.",
    },
    Field {
        name: "resource",
        kind: FieldKind::Boolean,
        default: "false",
        required: false,
        doc: "Whether to set OpenTelemetry's resource attributes (`faas.name`, `cloud.region`, `service.name`, …), with \
              those of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME`. For destinations that know no resource.",
    },
];

/// Where a value stands: in the record's JSON, or beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The path, and its keys.
    Path(Path, Vec<Box<str>>),
    Attribute(String),
}

/// What is done to each record.
#[derive(Default)]
struct Enrich {
    removed: Vec<Place>,
    renamed: Vec<(Place, Place)>,
    lookups: Vec<Lookup>,
    set: Vec<(Place, Template)>,
    resource: bool,
    /// All paths that any step looks at, for one walk over the record.
    paths: Paths,
    work: Work,
}

/// Buffers of the record at hand; used again for the next.
#[derive(Default)]
struct Work {
    attributes: Vec<u8>,
    /// The record's text, once it is to be edited, where it holds an object; else empty.
    text: Vec<u8>,
    text_taken: bool,
    next: Vec<u8>,
    value: Vec<u8>,
    rendered: Vec<u8>,
    attributes_changed: bool,
    text_changed: bool,
    /// Attributes that were too large.
    left_out: u64,
}

impl Transform for Enrich {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut work = std::mem::take(&mut self.work);
        let resource = self.rendered_resource(context);
        let fixed = self.has_fixed_attributes();
        // Records without attributes of their own share one slice where no step looks at the record.
        let mut shared: Option<Slice> = None;
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live() || record.embedded_metrics {
                continue;
            }
            let before = record.attributes;
            let sharing = fixed && before.is_empty();
            let known = shared.filter(|_| sharing);
            let moment = moment(&batch, record);
            let view = View::new(&batch, record, context.surroundings()).asking(&self.paths);
            work.begin(batch.bytes(before));
            if known.is_none() || self.edits_values() {
                self.edit(&mut work, &resource, &view, &moment);
            }
            drop(view);
            let attributes = match known {
                Some(slice) => Some(slice),
                None if !work.attributes_changed => None,
                None if work.attributes == batch.bytes(before) => None,
                None if batch.has_room(work.attributes.len()) => Some(batch.keep(&work.attributes)),
                // The record is worth more than what is said beside it.
                None => {
                    work.left_out += 1;
                    None
                }
            };
            if sharing {
                shared = attributes;
            }
            let value = work
                .text_changed
                .then(|| work.keep_text(&mut batch, position));
            let record = &mut batch.records_mut()[position];
            record.attributes = attributes.unwrap_or(record.attributes);
            record.value = value.unwrap_or(record.value);
        }
        add(
            &context.ledger.attributes_left_out,
            std::mem::take(&mut work.left_out),
        );
        work.end();
        self.work = work;
        output.push(batch);
    }
}

impl Enrich {
    fn edit(
        &self,
        work: &mut Work,
        resource: &[(Place, Vec<u8>)],
        view: &View<'_>,
        moment: &Moment,
    ) {
        for place in &self.removed {
            work.remove(place, view);
        }
        for (from, to) in &self.renamed {
            work.rename(from, to, view);
        }
        for (place, value) in resource {
            work.set(place, value, view);
        }
        for lookup in &self.lookups {
            work.rendered.clear();
            if let Some(value) = lookup.find(view, &mut work.rendered) {
                work.set(&lookup.into, value, view);
            }
        }
        for (place, template) in &self.set {
            work.render(template, view, moment);
            if !work.rendered.is_empty() {
                let value = std::mem::take(&mut work.value);
                work.set(place, &value, view);
                work.value = value;
            }
        }
    }

    /// Notes what the steps look at; once all of them are there.
    fn note_paths(&mut self) {
        let mut paths = Paths::default();
        let renamed = self.renamed.iter().flat_map(|(from, to)| [from, to]);
        let into = self.lookups.iter().map(|lookup| &lookup.into);
        let set = self.set.iter().map(|(place, _)| place);
        for place in self.removed.iter().chain(renamed).chain(into).chain(set) {
            if let Place::Path(path, _) = place {
                paths.add(path);
            }
        }
        for lookup in &self.lookups {
            paths.add_subject(&lookup.by);
        }
        for (_, template) in &self.set {
            template.add_to(&mut paths);
        }
        self.paths = paths;
    }

    fn edits_values(&self) -> bool {
        let in_record = |place: &Place| matches!(place, Place::Path(..));
        self.removed.iter().any(in_record)
            || self
                .renamed
                .iter()
                .any(|(from, to)| in_record(from) || in_record(to))
            || self.lookups.iter().any(|lookup| in_record(&lookup.into))
            || self.set.iter().any(|(place, _)| in_record(place))
    }

    /// Whether records without attributes all get the same ones.
    fn has_fixed_attributes(&self) -> bool {
        let beside = |place: &Place| matches!(place, Place::Attribute(_));
        let mut set = self.set.iter().filter(|(place, _)| beside(place));
        set.all(|(_, template)| template.is_fixed())
            && !self.renamed.iter().any(|(_, to)| beside(to))
            && !self.lookups.iter().any(|lookup| beside(&lookup.into))
    }

    /// The resource attributes as they are now: account and ARN are learnt on the way.
    fn rendered_resource(&self, context: &Context<'_>) -> Vec<(Place, Vec<u8>)> {
        if !self.resource {
            return Vec::new();
        }
        let rendered = resource::attributes(context.facts).into_iter();
        let rendered = rendered.map(|(key, value)| {
            let mut json = Vec::new();
            match value {
                resource::Value::Text(text) => json::quote_into(text.as_bytes(), &mut json),
                resource::Value::Integer(number) => json.extend(number.to_string().bytes()),
            }
            (Place::Attribute(key.to_owned()), json)
        });
        rendered.collect()
    }
}

impl Work {
    fn begin(&mut self, attributes: &[u8]) {
        self.attributes.clear();
        self.attributes.extend_from_slice(attributes);
        self.text.clear();
        self.text_taken = false;
        self.attributes_changed = false;
        self.text_changed = false;
    }

    /// Takes the record's text, where it is an object, before it is edited.
    fn take_text(&mut self, view: &View<'_>) {
        if !self.text_taken {
            self.text_taken = true;
            if view.is_object() {
                self.text.extend_from_slice(view.text());
            }
        }
    }

    /// Where a value is in the text, found with all others; `None` where only a walk of its own tells: the text is no
    /// longer the one that was walked over, or there are too many paths.
    fn place(&self, path: &Path, view: &View<'_>) -> Option<Found> {
        view.place(&path.segments).filter(|_| !self.text_changed)
    }

    /// The text for a template, quoted into `value`; `rendered` is empty where it gives none.
    fn render(&mut self, template: &Template, view: &View<'_>, moment: &Moment) {
        self.rendered.clear();
        template.render(view, moment, &mut self.rendered);
        self.value.clear();
        json::quote_into(&self.rendered, &mut self.value);
    }

    fn set(&mut self, place: &Place, value: &[u8], view: &View<'_>) {
        match place {
            Place::Path(path, keys) => {
                if self.set_in_text(path, keys, value, view) {
                    self.take_next_text();
                }
            }
            Place::Attribute(name) => {
                self.next.clear();
                attributes::with(&self.attributes, name, value, &mut self.next);
                if self.next.len() <= ATTRIBUTES_BYTES_MAX {
                    self.take_next_attributes();
                } else {
                    self.left_out += 1;
                }
            }
        }
    }

    /// Writes the text with a value set into `next`; `false` where it cannot stand there.
    fn set_in_text(
        &mut self,
        path: &Path,
        keys: &[Box<str>],
        value: &[u8],
        view: &View<'_>,
    ) -> bool {
        self.take_text(view);
        match self.place(path, view) {
            Some(found) if !found.is_empty() => {
                edit::replace(&self.text, found.range(), value, &mut self.next);
                true
            }
            Some(_) if keys.len() == 1 => edit::add(&self.text, keys, value, &mut self.next),
            _ => edit::set(&self.text, keys, value, &mut self.next),
        }
    }

    fn remove(&mut self, place: &Place, view: &View<'_>) {
        match place {
            Place::Path(path, keys) => {
                if self.remove_in_text(path, keys, view) {
                    self.take_next_text();
                }
            }
            Place::Attribute(name) => {
                self.next.clear();
                attributes::without(&self.attributes, name, &mut self.next);
                if self.next.len() < self.attributes.len() {
                    self.take_next_attributes();
                }
            }
        }
    }

    /// Writes the text without a value into `next`; `false` where there is none.
    fn remove_in_text(&mut self, path: &Path, keys: &[Box<str>], view: &View<'_>) -> bool {
        let found = self.place(path, view);
        if found.is_some_and(Found::is_empty) {
            return false;
        }
        self.take_text(view);
        match found {
            Some(found) if !found.repeated && !self.text.is_empty() => {
                edit::cut(&self.text, found, &mut self.next);
                true
            }
            _ => edit::remove(&self.text, keys, &mut self.next),
        }
    }

    /// Moves a value as it is. Where it cannot stand at its new place, it stays at the old one.
    fn rename(&mut self, from: &Place, to: &Place, view: &View<'_>) {
        let found = match from {
            Place::Path(path, keys) => match self.place(path, view) {
                Some(found) if found.is_empty() => None,
                Some(found) => Some(&view.text()[found.range()]),
                None => {
                    self.take_text(view);
                    edit::get(&self.text, keys).map(|range| &self.text[range])
                }
            },
            Place::Attribute(name) => attributes::get(&self.attributes, name),
        };
        let Some(found) = found else { return };
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        value.extend_from_slice(found);
        match (from, to) {
            (Place::Path(old, old_keys), Place::Path(new, new_keys)) => {
                // The old place goes first: the new one may lie inside of it, or around it.
                let absent = self.place(new, view).is_some_and(Found::is_empty);
                let removed = self.remove_in_text(old, old_keys, view);
                let moved = removed
                    && if absent && new_keys.len() == 1 {
                        edit::add(&self.next, new_keys, &value, &mut self.rendered)
                    } else {
                        edit::set(&self.next, new_keys, &value, &mut self.rendered)
                    };
                if moved {
                    std::mem::swap(&mut self.text, &mut self.rendered);
                    self.text_changed = true;
                }
            }
            (Place::Path(..), Place::Attribute(_)) => {
                let before = self.attributes_changed;
                self.attributes_changed = false;
                self.set(to, &value, view);
                if self.attributes_changed {
                    self.remove(from, view);
                }
                self.attributes_changed |= before;
            }
            (Place::Attribute(_), Place::Path(new, keys)) => {
                if self.set_in_text(new, keys, &value, view) {
                    self.take_next_text();
                    self.remove(from, view);
                }
            }
            (Place::Attribute(_), Place::Attribute(_)) => {
                self.remove(from, view);
                self.set(to, &value, view);
            }
        }
        self.value = value;
    }

    fn take_next_text(&mut self) {
        std::mem::swap(&mut self.text, &mut self.next);
        self.text_changed = true;
    }

    fn take_next_attributes(&mut self) {
        std::mem::swap(&mut self.attributes, &mut self.next);
        self.attributes_changed = true;
    }

    /// The edited text beside the body; text that held the object stays text.
    fn keep_text(&mut self, batch: &mut Batch, position: usize) -> Slice {
        let before = batch.bytes(batch.records()[position].value);
        if before.first() != Some(&b'"') {
            return batch.keep(&self.text);
        }
        self.next.clear();
        json::quote_into(&self.text, &mut self.next);
        batch.keep(&self.next)
    }

    /// One huge record must not hold its size for ever.
    fn end(&mut self) {
        for buffer in [
            &mut self.attributes,
            &mut self.text,
            &mut self.next,
            &mut self.value,
            &mut self.rendered,
        ] {
            buffer.clear();
            buffer.shrink_to(BUFFER_BYTES_MAX);
        }
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
