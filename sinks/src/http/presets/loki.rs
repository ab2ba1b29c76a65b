//! `loki`: the push API of Grafana Loki, as JSON.
//!
//! Records are grouped into streams by their labels and sorted by time. The line is the record as it came; ids, type
//! and level become structured metadata.
//!
//! Source: <https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs>, and `pkg/ingester/stream.go`
//! and `pkg/distributor/distributor.go` of grafana/loki, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields, Spanned};
use tapline_core::expr::Name;
use tapline_core::json;
use tapline_core::line;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::by_status;
use super::super::body::{Body, Left, Limits, Paper};
use super::super::document::{Member, Object, Shape, write_display};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::{Seen, render_fixed};
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "loki",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        // What Vector sends at most is 1 MB; 4 MB a second is a tenant's default rate.
        body_bytes_max: 4 << 20,
        record_bytes_max: usize::MAX,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "labels",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Labels of the stream, 1 to 15, templates of the record. Without it `service_name` is the function's name. \
              Few values each: every combination is a stream.",
    },
    Field {
        name: "metadata",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Structured metadata of every record, templates of the record, beside `id`, `type`, `level`, \
              `request_id`, `trace_id`, `span_id` and the attributes.",
    },
    Field {
        name: "tenant",
        kind: FieldKind::Template,
        default: "",
        required: false,
        doc: "Tenant, sent as `X-Scope-OrgID`.",
    },
    Field {
        name: "max_line",
        kind: FieldKind::Size {
            min: 1 << 10,
            max: 8 << 20,
        },
        default: "\"256KiB\"",
        required: false,
        doc: "The server's `max_line_size`. A longer record is rejected here, because the server refuses it together \
              with whatever it is sent with.",
    },
];

/// Labels of a stream.
const LABELS_MAX: usize = 15;

/// Streams in the life of an environment. A record that would open another one goes to the stream of the labels that
/// are the same for all records, and has the others as metadata.
const STREAMS_MAX: usize = 64;

/// Members of structured metadata that a server takes by default.
const METADATA_MAX: usize = 128 - 16;

/// Names whose every value would be a stream of its own.
const NAMES_WITHOUT_BOUND: [Name; 5] = [
    Name::RequestId,
    Name::TraceId,
    Name::SpanId,
    Name::Message,
    Name::Time,
];

fn read(options: &Options<'_>) -> Option<Form> {
    let labels = read_labels(options);
    let metadata = options.templates("metadata", &[], Allow::Record);
    let tenant = options.optional("tenant", Allow::Environment);
    let max_line = options.reader.size("max_line");
    let mut form = Form::new(Streams {
        labels: labels?,
        metadata: metadata?,
        line_bytes_max: max_line?.value as usize,
        known: Vec::new(),
        entries: Vec::new(),
        label_text: Vec::new(),
        written: Vec::new(),
    })
    .at("/loki/api/v1/push");
    if let Some(tenant) = tenant? {
        let name = hyper::header::HeaderName::from_static("x-scope-orgid");
        form.rendered.push((name, Piece::Template(tenant)));
    }
    Some(form)
}

fn read_labels(options: &Options<'_>) -> Option<Vec<(String, Template)>> {
    let default = [("service_name", "{function.name}")];
    let labels = options.templates("labels", &default, Allow::Record)?;
    let mut right = true;
    for (key, value) in options.reader.map("labels") {
        right &= is_label(options, &key);
        let template = labels.iter().find(|(name, _)| *name == key.value);
        let mut endless = None;
        if let Some((_, template)) = template {
            template.visit_names(&mut |name| {
                if NAMES_WITHOUT_BOUND.contains(name) {
                    endless = Some(name.to_string());
                }
            });
        }
        if let Some(name) = endless {
            let message = format!(
                "the label `{}` would open a stream for every {name}",
                key.value
            );
            let help = "put it into `metadata`, which can be searched too";
            options.reader.error(value.span.clone(), message, help);
            right = false;
        }
    }
    if labels.is_empty() || labels.len() > LABELS_MAX {
        let span = options.reader.key_span("labels").unwrap_or_default();
        let message = format!(
            "a stream has 1 to {LABELS_MAX} labels, found {}",
            labels.len()
        );
        let help = "leave out `labels` for the function's name, and put what has many values into `metadata`";
        options.reader.error(span, message, help);
        right = false;
    }
    right.then_some(labels)
}

fn is_label(options: &Options<'_>, key: &Spanned<String>) -> bool {
    let name = key.value.as_bytes();
    let first = matches!(name.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'_'));
    let rest = name
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let right = first && rest && !name.starts_with(b"__");
    if !right {
        let message = format!("`{}` is no name of a label", key.value);
        let help = "use letters, digits and `_`, no digit first, not `__` in front";
        options.reader.error(key.span.clone(), message, help);
    }
    right
}

/// One record on its way into a stream.
struct Entry {
    stream: usize,
    time_ns: i128,
    position: u32,
    /// Its labels found no stream of their own.
    shared: bool,
}

/// Writes streams. Holds the labels of at most [`STREAMS_MAX`] streams.
struct Streams {
    labels: Vec<(String, Template)>,
    metadata: Vec<(String, Template)>,
    line_bytes_max: usize,
    /// The labels of each stream so far, as JSON.
    known: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    label_text: Vec<u8>,
    written: Vec<Member>,
}

impl Body for Streams {
    fn write(&mut self, records: &Selection, paper: &Paper<'_>, out: &mut Vec<u8>) -> Left {
        let mut left = Left::new();
        self.entries.clear();
        for (position, (batch, record)) in records.records().enumerate() {
            let seen = paper.eyes.see(batch, record, paper.occasion.facts);
            if seen.text().len() > self.line_bytes_max {
                left.push((position as u32, Verdict::Rejected("too_large".into())));
                continue;
            }
            let (stream, shared) = self.stream_of(&seen, paper);
            self.entries.push(Entry {
                stream,
                time_ns: seen.time_ns(),
                position: position as u32,
                shared,
            });
        }
        // The position keeps equal times in the order in which they were written.
        self.entries
            .sort_unstable_by_key(|entry| (entry.stream, entry.time_ns, entry.position));
        let entries = std::mem::take(&mut self.entries);
        self.write_streams(&entries, records, paper, out);
        self.entries = entries;
        left
    }
}

impl Streams {
    /// The stream of a record's labels, and whether it had to share one.
    fn stream_of(&mut self, seen: &Seen<'_>, paper: &Paper<'_>) -> (usize, bool) {
        let mut text = std::mem::take(&mut self.label_text);
        text.clear();
        write_labels(
            &self.labels,
            &mut self.written,
            &mut text,
            |template, out| {
                seen.render(template, out);
            },
        );
        let mut shared = false;
        let mut found = self.known.iter().position(|known| *known == text);
        if found.is_none() && self.known.len() >= STREAMS_MAX {
            shared = true;
            text.clear();
            let fixed = self.labels.iter().filter(|(_, label)| label.is_fixed());
            let facts = paper.occasion.facts;
            write_labels(fixed, &mut self.written, &mut text, |template, out| {
                out.extend_from_slice(&render_fixed(template, facts, seen.time_ms));
            });
            found = self.known.iter().position(|known| *known == text);
        }
        let stream = found.unwrap_or_else(|| {
            self.known.push(text.clone());
            self.known.len() - 1
        });
        self.label_text = text;
        (stream, shared)
    }

    fn write_streams(
        &mut self,
        entries: &[Entry],
        records: &Selection,
        paper: &Paper<'_>,
        out: &mut Vec<u8>,
    ) {
        let all: Vec<_> = records.records().collect();
        out.extend_from_slice(b"{\"streams\":[");
        for (index, stream) in entries.chunk_by(|a, b| a.stream == b.stream).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"stream\":");
            out.extend_from_slice(&self.known[stream[0].stream]);
            out.extend_from_slice(b",\"values\":[");
            for (index, entry) in stream.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                let (batch, record) = all[entry.position as usize];
                let seen = paper.eyes.see(batch, record, paper.occasion.facts);
                self.write_value(&seen, entry, out);
            }
            out.extend_from_slice(b"]}");
        }
        out.extend_from_slice(b"]}");
    }

    /// `["<ns>","line",{"key":"value"}]`.
    fn write_value(&mut self, seen: &Seen<'_>, entry: &Entry, out: &mut Vec<u8>) {
        out.extend_from_slice(b"[\"");
        write_display(entry.time_ns, out);
        out.extend_from_slice(b"\",");
        json::quote_into(seen.text(), out);
        out.push(b',');
        let mut object = Object::open(out, &mut self.written);
        object.with("id", |out| {
            out.push(b'"');
            line::write_id(seen.batch, seen.record, out);
            out.push(b'"');
        });
        let (batch, record) = (seen.batch, seen.record);
        object.escaped("type", batch.bytes(record.kind));
        object.level("level", seen);
        object.escaped("request_id", batch.bytes(record.request_id));
        object.escaped("trace_id", batch.bytes(record.trace_id));
        object.escaped("span_id", batch.bytes(record.span_id));
        object.templates(&self.metadata, seen);
        if entry.shared {
            let moving = self.labels.iter().filter(|(_, label)| !label.is_fixed());
            for (key, template) in moving {
                object.template(key, template, seen);
            }
        }
        object.attributes(seen, Shape::Texts(METADATA_MAX));
        object.close();
        out.push(b']');
    }
}

/// Appends labels as a JSON object; those without a value are left out, and where none has one, the stream still needs
/// a label.
fn write_labels<'t>(
    labels: impl IntoIterator<Item = &'t (String, Template)>,
    written: &mut Vec<Member>,
    out: &mut Vec<u8>,
    mut render: impl FnMut(&Template, &mut Vec<u8>),
) {
    let mut value = Vec::new();
    let mut object = Object::open(out, written);
    let mut any = false;
    for (key, template) in labels {
        value.clear();
        render(template, &mut value);
        if !value.is_empty() {
            object.text(key, &value);
            any = true;
        }
    }
    if !any {
        object.text("service_name", b"unknown_service");
    }
    object.close();
}

/// 204 took everything. 400 may come after the valid part was stored, so nothing of it is sent again.
fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    match answer.status.as_u16() {
        // The default status of a tenant whose ingestion is blocked.
        260 => Verdict::Rejected("260".into()).into(),
        400 => refused(&answer.body, records),
        _ => by_status(answer, wall_ms).into(),
    }
}

/// What a 400 says. Of one stream it says how many entries were too old, and those are its oldest; of several it names
/// one, so all count as rejected.
fn refused(body: &[u8], records: &Selection) -> Outcome {
    let text = String::from_utf8_lossy(body);
    let why = REASONS.iter().find(|(part, _)| text.contains(part));
    let verdict = Verdict::Rejected(why.map_or("400", |(_, word)| word).into());
    let Some((ignored, of)) = ignored(&text).filter(|(_, of)| *of == records.len()) else {
        return verdict.into();
    };
    let mut order: Vec<u32> = (0..of as u32).collect();
    let times: Vec<i128> = records.records().map(time_of).collect();
    order.sort_by_key(|position| times[*position as usize]);
    Outcome {
        verdict: Verdict::Accepted,
        exceptions: order
            .into_iter()
            .take(ignored)
            .map(|position| (position, verdict.clone()))
            .collect(),
    }
}

fn time_of((batch, record): (&tapline_core::batch::Batch, &tapline_core::batch::Record)) -> i128 {
    let eyes = super::super::seen::Eyes::default();
    let facts = tapline_core::facts::Facts::default();
    eyes.see(batch, record, &facts).time_ns()
}

/// Parts of the messages of a 400, and what they are called in the ledger.
const REASONS: [(&str, &str); 7] = [
    ("too far behind", "too_far_behind"),
    ("out of order", "out_of_order"),
    ("timestamp too old", "too_old"),
    ("timestamp too new", "too_new"),
    ("Max entry size", "too_large"),
    ("label", "labels"),
    ("structured metadata", "metadata"),
];

/// `total ignored: 2 out of 5 for stream`.
fn ignored(text: &str) -> Option<(usize, usize)> {
    let (_, rest) = text.split_once("total ignored: ")?;
    let (ignored, rest) = rest.split_once(" out of ")?;
    let (of, _) = rest.split_once(' ')?;
    Some((ignored.parse().ok()?, of.parse().ok()?))
}
