//! `openobserve`: JSON ingestion of OpenObserve.
//!
//! Source: <https://openobserve.ai/docs/api/ingestion/logs/json/>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::Allow;

use super::super::answer::{at, by_status, not_understood, number, some_rejected};
use super::super::body::{Items, Limits};
use super::super::document::Shape;
use super::super::preset::{Form, Options, Preset};
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "openobserve",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 8 << 20,
        record_bytes_max: 8 << 20,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "organization",
        kind: FieldKind::Text,
        default: "\"default\"",
        required: false,
        doc: "Organization.",
    },
    Field {
        name: "stream",
        kind: FieldKind::Template,
        default: "\"lambda\"",
        required: false,
        doc: "Stream, a template of the environment. What is neither letter nor digit becomes `_`.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every record, templates of the record; by default `function`, its name.",
    },
];

fn read(options: &Options<'_>) -> Option<Form> {
    let organization = options.reader.text("organization");
    let stream = options.template("stream", Allow::Environment);
    let fields = options.fields()?;
    let items = Items::array(move |seen, object| {
        object.number("_timestamp", seen.time_ns() / 1_000);
        object.message("message", seen.own_message().as_deref());
        object.level("level", seen);
        object.identity(seen);
        object.templates(&fields, seen);
        object.rest(seen, Shape::Nested);
    });
    let organization = organization?;
    options.not_empty(&organization, "organization")?;
    let mut form = Form::new(items);
    form.target.path = vec![
        "/api/".into(),
        Piece::Text(organization.value),
        "/".into(),
        Piece::Word(stream?),
        "/_json".into(),
    ];
    Some(form)
}

fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let verdict = by_status(answer, wall_ms);
    if verdict != Verdict::Accepted {
        return verdict.into();
    }
    let streams = at(&answer.body, &["status"]).unwrap_or_default();
    // Why stands in words of the service, which may quote a record.
    let failed = json::elements(streams, 0..streams.len())
        .map(|stream| number(&streams[stream], &["failed"]))
        .reduce(|one, other| Some(one?.saturating_add(other?)));
    match failed.flatten() {
        Some(failed) => some_rejected(records.len(), failed, "failed"),
        None => not_understood().into(),
    }
}
