//! `splunk_hec`: Splunk's HTTP event collector, events of JSON.
//!
//! Objects one after the other. `event` is the record as it came; ids, type and level are indexed `fields`. Without
//! acknowledgement by the indexer, for which no function waits long enough.
//!
//! Source: <https://docs.splunk.com/Documentation/Splunk/latest/Data/HECExamples> and
//! <https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::line;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::{again, by_status, number};
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape, write_display};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "splunk_hec",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        // Exporters send 2 MiB at most, though servers take far more.
        body_bytes_max: 2 << 20,
        record_bytes_max: 2 << 20,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "token",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Token of the collector, sent as `Authorization: Splunk …`. It must be one without acknowledgement.",
    },
    Field {
        name: "index",
        kind: FieldKind::Template,
        default: "",
        required: false,
        doc: "Index, a template of the record; that of the token.",
    },
    Field {
        name: "source",
        kind: FieldKind::Template,
        default: "\"lambda\"",
        required: false,
        doc: "Source, a template of the record.",
    },
    Field {
        name: "sourcetype",
        kind: FieldKind::Template,
        default: "",
        required: false,
        doc: "Source type, a template of the record; that of the token.",
    },
    Field {
        name: "host",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Host, a template of the record.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Indexed fields, templates of the record, beside `id`, `type`, `level`, `request_id`, `trace_id`, \
              `span_id` and the attributes.",
    },
];

/// Indexed fields of one event.
const FIELDS_MAX: usize = 256;

fn read(options: &Options<'_>) -> Option<Form> {
    let token = options.credential("token", "authorization", "Splunk ");
    let mut places = Vec::new();
    let mut right = true;
    for key in ["host", "source", "sourcetype", "index"] {
        let read = match key {
            "index" | "sourcetype" => options.optional(key, Allow::Record),
            key => options.template(key, Allow::Record).map(Some),
        };
        match read {
            Some(Some(template)) => places.push((key, template)),
            Some(None) => {}
            None => right = false,
        }
    }
    let fields = options.fields_or(&[]);
    let (fields, token) = (fields?, token?);
    if !right {
        return None;
    }
    let mut items = Items::array(move |seen, object| event(&places, &fields, seen, object));
    items.open = Box::new(|_, _| {});
    (items.between, items.close) = ("", "");
    let mut form = Form::new(items)
        .at("/services/collector/event")
        .with_credential("authorization", token);
    let name = hyper::header::HeaderName::from_static("x-splunk-request-channel");
    form.rendered.push((name, Piece::Guid));
    Some(form)
}

fn event(
    places: &[(&'static str, Template)],
    fields: &[(String, Template)],
    seen: &Seen<'_>,
    object: &mut Object<'_>,
) {
    object.with("time", |out| {
        let (seconds, ms) = (seen.time_ms / 1_000, seen.time_ms % 1_000);
        write_display(format_args!("{seconds}.{ms:03}"), out);
    });
    for (key, template) in places {
        object.template(key, template, seen);
    }
    let blank = seen.text().trim_ascii().is_empty();
    if blank || matches!(seen.raw(), b"null" | b"") {
        // An event that is blank or null is refused, and all that follows with it.
        object.object("event", |inner| {
            inner.with("record", |out| line::write_value(seen.raw(), out));
        });
    } else if let Some(parsed) = seen.object() {
        object.with("event", |out| line::write_value(parsed, out));
    } else {
        object.text("event", seen.text());
    }
    let (batch, record) = (seen.batch, seen.record);
    object.object("fields", |inner| {
        inner.with("id", |out| {
            out.push(b'"');
            line::write_id(batch, record, out);
            out.push(b'"');
        });
        inner.escaped("type", batch.bytes(record.kind));
        inner.level("level", seen);
        inner.escaped("request_id", batch.bytes(record.request_id));
        inner.escaped("trace_id", batch.bytes(record.trace_id));
        inner.escaped("span_id", batch.bytes(record.span_id));
        inner.templates(fields, seen);
        inner.attributes(seen, Shape::Texts(FIELDS_MAX));
    });
}

/// What the codes of refused events are called in the ledger.
const CODES: [(u64, &str); 8] = [
    (5, "no_data"),
    (6, "invalid_data"),
    (7, "incorrect_index"),
    (12, "event_missing"),
    (13, "event_blank"),
    (14, "acknowledgement_disabled"),
    (15, "indexed_fields"),
    (10, "channel_missing"),
];

/// Larger ones are said as this one: whoever answers may write there what was sent.
const CODE_MAX: u64 = 999;

/// The code decides, where there is one: 200 with a code that is none of success refuses as 400 does. Events before
/// the one that is named were indexed; those behind it are sent again.
fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let verdict = by_status(answer, wall_ms);
    let code = number(&answer.body, &["code"]).map(|code| code.min(CODE_MAX));
    match (verdict, code) {
        // 17 is healthy, 24 and 25 take events though they are nearly full.
        (Verdict::Accepted, None | Some(0 | 17 | 24 | 25)) => Verdict::Accepted.into(),
        // Busy, full or shutting down, whatever the status says.
        (_, Some(code @ (8 | 9 | 18..=20 | 23 | 26 | 27))) => match by_status(answer, wall_ms) {
            retry @ Verdict::Retry { .. } => retry.into(),
            _ => again(format!("code_{code}")).into(),
        },
        (Verdict::Accepted, Some(code)) => refused(code, answer, records),
        (Verdict::Rejected(_), Some(code)) if answer.status.as_u16() == 400 => {
            refused(code, answer, records)
        }
        (verdict, _) => verdict.into(),
    }
}

fn refused(code: u64, answer: &Answer, records: &Selection) -> Outcome {
    let word = CODES.iter().find(|(known, _)| *known == code);
    let verdict = match word {
        Some((_, word)) => Verdict::Rejected((*word).into()),
        None => Verdict::Rejected(format!("code_{code}").into()),
    };
    let named = number(&answer.body, &["invalid-event-number"]);
    let Some(named) = named.filter(|named| *named < records.len() as u64) else {
        return verdict.into();
    };
    let named = named as u32;
    let mut exceptions = vec![(named, verdict)];
    exceptions.extend((named + 1..records.len() as u32).map(|after| (after, again("not_read"))));
    Outcome {
        verdict: Verdict::Accepted,
        exceptions,
    }
}
