//! Reads the table of an `enrich`, and says what is wrong with it.

use tapline_core::config::{Data, Field, FieldKind, Fields, Reader, Spanned};
use tapline_core::expr::{Path, Segment, Subject};
use tapline_core::registry::Build;
use tapline_core::template::{Allow, Template};
use tapline_core::transform::Transform;

use super::lookup::Lookup;
use super::{Enrich, LOOKUPS_MAX, Place, RENAMES_MAX, TABLE_ENTRIES_MAX, TABLE_TEXT_BYTES_MAX};

/// The keys of `lookup`.
const LOOKUP: Fields = &[
    Field {
        name: "by",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "What is looked up: a name such as `request_id` or a path such as `.tenant`.",
    },
    Field {
        name: "table",
        kind: FieldKind::Map(&FieldKind::Text),
        default: "",
        required: true,
        doc: "The texts that are set, by the texts that are looked up.",
    },
    Field {
        name: "into",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Where the text goes: the name of an attribute, or a path such as `.tenant_name`.",
    },
];

pub(super) fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mut enrich = Enrich::default();
    // Each reads on after a problem, so that all are shown at once.
    let read = [
        read_set(reader, build, &mut enrich),
        read_removed(reader, &mut enrich),
        read_renamed(reader, &mut enrich),
        read_lookups(reader, build, &mut enrich),
    ];
    if let Some(resource) = reader.boolean("resource") {
        enrich.resource = resource.value;
        if let (Some(problem), true) = (build.facts.declared.problem(), resource.value) {
            let message = format!("`OTEL_RESOURCE_ATTRIBUTES` is not used: {problem}");
            reader.warning(
                resource.span,
                message,
                "correct the variable of the environment",
            );
        }
    }
    let whole = read.into_iter().all(|part| part.is_some());
    enrich.note_paths();
    whole.then(|| Box::new(enrich) as Box<dyn Transform>)
}

fn read_set(reader: &Reader<'_>, build: &Build<'_>, enrich: &mut Enrich) -> Option<()> {
    let mut whole = Some(());
    for (key, source) in reader.map_of_text("set") {
        let template = Template::parse(&source.value, &build.names, Allow::Record);
        let template = template.map_err(|problems| {
            for problem in problems {
                let span = reader.inside(&source, problem.span);
                reader.error(span, problem.message, problem.help);
            }
        });
        match (place(reader, &key), template) {
            (Some(place), Ok(template)) => enrich.set.push((place, template)),
            _ => whole = None,
        }
    }
    whole
}

fn read_removed(reader: &Reader<'_>, enrich: &mut Enrich) -> Option<()> {
    let mut whole = Some(());
    for text in reader.list_of_text("remove")? {
        match place(reader, &text) {
            Some(place) => enrich.removed.push(place),
            None => whole = None,
        }
    }
    whole
}

fn read_renamed(reader: &Reader<'_>, enrich: &mut Enrich) -> Option<()> {
    let mut whole = Some(());
    for (index, (from_text, to_text)) in reader.map_of_text("rename").into_iter().enumerate() {
        if index == RENAMES_MAX {
            let message = format!("`rename` moves more than {RENAMES_MAX} values");
            let help = "rename them in a second `enrich`";
            reader.error(from_text.span, message, help);
            return None;
        }
        let (Some(from), Some(to)) = (place(reader, &from_text), place(reader, &to_text)) else {
            whole = None;
            continue;
        };
        let again = enrich.renamed.iter().any(|(known, _)| *known == from);
        if from == to {
            let message = format!("{} is renamed to itself", reader.quote(&from_text));
            reader.error(
                to_text.span,
                message,
                "write another name, or remove the line",
            );
            whole = None;
        } else if again {
            let message = format!("{} is renamed twice", reader.quote(&from_text));
            let help = "a value moves to one place; `set` copies it to another";
            reader.error(from_text.span, message, help);
            whole = None;
        }
        enrich.renamed.push((from, to));
    }
    whole
}

fn read_lookups(reader: &Reader<'_>, build: &Build<'_>, enrich: &mut Enrich) -> Option<()> {
    let Some(raw) = reader.raw("lookup") else {
        return Some(());
    };
    let tables = match raw.data {
        Data::List(_) => {
            let tables = reader.tables("lookup").into_iter();
            tables.map(|table| table.with_fields(LOOKUP, &[])).collect()
        }
        _ => vec![reader.table_as("lookup", LOOKUP)?],
    };
    let mut whole = Some(());
    for (index, table) in tables.iter().enumerate() {
        if index == LOOKUPS_MAX {
            let message = format!("`lookup` looks into more than {LOOKUPS_MAX} tables");
            let help = "look into the others in a second `enrich`";
            reader.error(table.header(), message, help);
            return None;
        }
        match read_lookup(table, build) {
            Some(lookup) => enrich.lookups.push(lookup),
            None => whole = None,
        }
        table.finish();
    }
    whole
}

fn read_lookup(reader: &Reader<'_>, build: &Build<'_>) -> Option<Lookup> {
    let by = reader.text("by").and_then(|by| {
        let subject = Subject::parse(&by.value, &build.names);
        let subject = subject.map_err(|problem| {
            let span = reader.inside(&by, problem.span);
            reader.error(span, problem.message, problem.help);
        });
        subject.ok()
    });
    let into = reader.text("into").and_then(|into| place(reader, &into));
    let entries = read_entries(reader);
    Some(Lookup::new(by?, entries?, into?))
}

fn read_entries(reader: &Reader<'_>) -> Option<Vec<(String, String)>> {
    let written = reader.map("table").len();
    let span = || reader.key_span("table").unwrap_or_else(|| reader.header());
    if written > TABLE_ENTRIES_MAX {
        let message = format!("the table has {written} entries, more than {TABLE_ENTRIES_MAX}");
        reader.error(span(), message, "split it in two lookups");
        return None;
    }
    if written == 0 && reader.has("table") {
        let message = "the table is empty";
        reader.error(
            span(),
            message,
            "write for example `table = { \"7\" = \"acme\" }`",
        );
        return None;
    }
    let entries = reader.map_of_text("table");
    let mut whole = reader.has("table") && entries.len() == written;
    for text in entries.iter().flat_map(|(key, value)| [key, value]) {
        if text.value.len() > TABLE_TEXT_BYTES_MAX {
            let length = text.value.len();
            let message = format!("the text has {length} bytes, more than {TABLE_TEXT_BYTES_MAX}");
            reader.error(text.span.clone(), message, "write a shorter one");
            whole = false;
        }
    }
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key.value, value.value));
    whole.then(|| entries.collect())
}

/// Reads a place in the record or beside it.
fn place(reader: &Reader<'_>, text: &Spanned<String>) -> Option<Place> {
    if text.value.is_empty() {
        let help = "name an attribute, or a path such as `.user.id`";
        reader.error(text.span.clone(), "the key is empty", help);
        return None;
    }
    if !text.value.starts_with('.') {
        return Some(Place::Attribute(text.value.clone()));
    }
    let path = match Path::parse(&text.value) {
        Ok(path) => path,
        Err(problem) => {
            let span = reader.inside(text, problem.span);
            reader.error(span, problem.message, problem.help);
            return None;
        }
    };
    let mut keys = Vec::new();
    for segment in &path.segments {
        let Segment::Key(key) = segment else {
            let message = format!("{} names a place in an array", reader.quote(text));
            let help = "write the key that holds the array";
            reader.error(text.span.clone(), message, help);
            return None;
        };
        keys.push(key.clone());
    }
    Some(Place::Path(path, keys))
}
