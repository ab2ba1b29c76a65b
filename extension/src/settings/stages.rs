//! Reading `[[transform]]`.

use std::ops::Range;

use tapline_core::config::{Data, Reader, Scope};
use tapline_core::pipeline::Stage;
use tapline_core::registry::{Build, TransformKind};

use super::kind::{self, NAME_HELP, Row};
use super::{TransformOutline, fields};

/// Most transforms of one file, since each costs time on every record.
pub(super) const TRANSFORMS_MAX: usize = 64;

/// What was read.
pub(super) struct Transforms {
    /// Those that are enabled and right.
    pub stages: Vec<Stage>,
    /// All, wrong ones included.
    pub list: Vec<Transform>,
}

/// One table, as far as sinks and advice look at it.
pub(super) struct Transform {
    pub outline: TransformOutline,
    /// Its own name, if it has one.
    pub name: Option<String>,
    /// Stages passed by what it gives out.
    pub through: usize,
    /// Where its table begins.
    pub header: Range<usize>,
    /// Where it sets a value from the environment.
    pub sets_env: Option<Range<usize>>,
    /// Where it says how text is read into fields.
    pub reads_fields: Option<Range<usize>>,
    /// Where it sums up values that it suppressed.
    pub sums_up: Option<Range<usize>>,
}

/// Reads all tables. What is wrong is reported; whoever finds an error does not use the stages.
pub(super) fn read(root: &Reader<'_>, kinds: &[TransformKind], build: &Build<'_>) -> Transforms {
    let mut transforms = Transforms {
        stages: Vec::new(),
        list: Vec::new(),
    };
    for (index, reader) in root.tables("transform").into_iter().enumerate() {
        if index == TRANSFORMS_MAX {
            let message = format!("the file has more than {TRANSFORMS_MAX} transforms");
            let help = "join conditions with `or`, and rules in one `redact`";
            root.error(reader.header(), message, help);
            break;
        }
        transforms.add(index, reader, kinds, build);
    }
    transforms.refuse_late_fields(root);
    transforms.refuse_early_limits(root);
    transforms
}

impl Transforms {
    fn add(
        &mut self,
        index: usize,
        reader: Reader<'_>,
        kinds: &[TransformKind],
        build: &Build<'_>,
    ) {
        let place = format!("transform {}", index + 1);
        let reader = reader
            .with_scope(Scope::Transform(place.clone()), place.clone())
            .with_fields(&[], fields::TRANSFORM);
        let rows: Vec<Row> = kinds.iter().map(row).collect();
        let kind = kind::find(&reader, "transform", &rows, kind::LATER_TRANSFORMS);
        let kind = kind.map(|found| &kinds[found]);
        let name = self.name(&reader);
        let full = match (&name, kind) {
            (Some(name), _) => name.clone(),
            (None, Some(kind)) => format!("{place} ({})", kind.name),
            (None, None) => place,
        };
        let reader = match kind {
            Some(kind) => scoped(reader, kind, &name, &full),
            None => reader,
        };
        let enabled = reader.boolean("enabled").is_none_or(|value| value.value);
        let when = build.expression(&reader, "when");
        let transform = match kind.and_then(|kind| kind.build) {
            Some(make) => {
                let made = make(&reader, build);
                reader.finish();
                made
            }
            None => {
                reader.hide_unknown();
                None
            }
        };
        let redacts = kind.is_some_and(|kind| kind.redacts);
        self.list.push(Transform {
            outline: TransformOutline {
                name: full.clone(),
                kind: kind.map_or("", |kind| kind.name),
                redacts,
                enabled,
            },
            name,
            through: self.through() + usize::from(enabled),
            header: reader.header(),
            sets_env: kind.and_then(|kind| sets_env(&reader, kind)),
            reads_fields: kind.and_then(|kind| reads_fields(&reader, kind)),
            sums_up: kind.and_then(|kind| sums_up(&reader, kind)),
        });
        if let (Some(transform), true) = (transform, enabled) {
            self.stages.push(Stage {
                name: full,
                when,
                redacts,
                transform,
            });
        }
    }

    /// Fields that a `parse` reads out of text behind the last redaction have keys, and escapes that a reader resolves,
    /// which no redaction has seen.
    fn refuse_late_fields(&self, root: &Reader<'_>) {
        let redacts = |t: &Transform| t.outline.redacts && t.outline.enabled;
        let Some(last) = self.list.iter().rposition(redacts) else {
            return;
        };
        let late = self.list[last + 1..].iter().filter(|t| t.outline.enabled);
        for span in late.filter_map(|t| t.reads_fields.clone()) {
            let message = "fields are read out of text that was redacted before: no rule has seen their keys and values";
            let help = "put this `parse` before the `redact`";
            root.error(span, message, help);
        }
    }

    /// A summary bears the beginning of a value under a name of its own: a redaction behind it knows neither the whole
    /// value nor its key.
    fn refuse_early_limits(&self, root: &Reader<'_>) {
        let redacts = |t: &Transform| t.outline.redacts && t.outline.enabled;
        let Some(last) = self.list.iter().rposition(redacts) else {
            return;
        };
        let early = self.list[..last].iter().filter(|t| t.outline.enabled);
        for span in early.filter_map(|t| t.sums_up.clone()) {
            let message = "summaries of `limit` name the beginning of a value, which a `redact` behind cannot recognise";
            let help = "put this `sample` behind the last `redact`";
            root.error(span, message, help);
        }
    }

    /// Stages that come before the next one, wrong ones included.
    fn through(&self) -> usize {
        self.list.last().map_or(0, |last| last.through)
    }

    fn name(&self, reader: &Reader<'_>) -> Option<String> {
        let name = reader.text("name")?;
        if !kind::is_name(&name.value) {
            let message = format!("{} cannot name a transform", reader.quote(&name));
            reader.error(name.span, message, NAME_HELP);
            return None;
        }
        if self
            .list
            .iter()
            .any(|other| other.name.as_ref() == Some(&name.value))
        {
            let message = format!("another transform is called {} too", reader.quote(&name));
            reader.error(name.span, message, "give each its own name");
            return None;
        }
        Some(name.value)
    }
}

fn row(kind: &TransformKind) -> Row {
    Row {
        name: kind.name,
        feature: kind.feature,
        built: kind.build.is_some(),
    }
}

/// The reader with the kind's own keys, and the scope that its errors take out of service.
fn scoped<'a>(
    reader: Reader<'a>,
    kind: &TransformKind,
    name: &Option<String>,
    full: &str,
) -> Reader<'a> {
    let scope = if kind.redacts {
        Scope::Redact
    } else {
        Scope::Transform(full.to_owned())
    };
    let label = match name {
        Some(name) => format!("{} `{name}`", kind.name),
        None => full.to_owned(),
    };
    reader
        .with_scope(scope, label)
        .with_fields(kind.fields, fields::TRANSFORM)
}

/// Where `parse` has a `format` that reads fields.
fn reads_fields(reader: &Reader<'_>, kind: &TransformKind) -> Option<Range<usize>> {
    if kind.name != "parse" {
        return None;
    }
    let none = matches!(&reader.raw("format")?.data, Data::Text(text) if text == "none");
    (!none).then(|| reader.key_span("format"))?
}

/// Where `sample` bounds what repeats itself, and sums up what it suppressed.
fn sums_up(reader: &Reader<'_>, kind: &TransformKind) -> Option<Range<usize>> {
    (kind.name == "sample").then(|| reader.key_span("limit"))?
}

/// Where `enrich` sets a value with `{env.…}` in it.
fn sets_env(reader: &Reader<'_>, kind: &TransformKind) -> Option<Range<usize>> {
    if !kind.fields.iter().any(|field| field.name == "set") {
        return None;
    }
    let Data::Table(entries) = &reader.raw("set")?.data else {
        return None;
    };
    let set = entries.iter().find(|entry| match &entry.value.data {
        Data::Text(text) => text.contains("{env."),
        _ => false,
    });
    set.map(|entry| entry.value.span.clone())
}
