//! `better_stack`: the log ingestion of Better Stack (Logtail).
//!
//! Source: <https://betterstack.com/docs/logs/ingesting-data/http/logs/>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};

use super::super::answer::{by_status, denied};
use super::super::body::{Items, Limits};
use super::super::document::Shape;
use super::super::preset::{Form, Options, Preset};

pub(super) const PRESET: Preset = Preset {
    name: "better_stack",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 10 << 20,
        record_bytes_max: 10 << 20,
        age_max: None,
    },
    read,
    judge: |answer, _, wall_ms| match answer.status.as_u16() {
        // The quota is used up, which only its owner can change.
        402 => denied("402").into(),
        _ => by_status(answer, wall_ms).into(),
    },
};

const OPTIONS: Fields = &[
    Field {
        name: "token",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "Token of the source, sent as `Authorization: Bearer …`. `url` is the source's ingesting host.",
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
    let token = options.credential("token", "authorization", "Bearer ");
    let fields = options.fields()?;
    let items = Items::array(move |seen, object| {
        object.time("dt", seen);
        object.message("message", Some(&seen.message()));
        object.level("level", seen);
        object.identity(seen);
        object.templates(&fields, seen);
        object.rest(seen, Shape::Nested);
    });
    Some(Form::new(items).with_credential("authorization", token?))
}
