//! `dynatrace`: the log ingestion API, version 2.
//!
//! Flat attributes: objects become keys with dots, lists become JSON in a string.
//!
//! Source: <https://docs.dynatrace.com/docs/discover-dynatrace/references/dynatrace-api/environment-api/log-monitoring-v2/post-ingest-logs>,
//! read 2026-11-25.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::Allow;

use super::super::answer::by_status;
use super::super::body::{Items, Limits};
use super::super::document::Shape;
use super::super::preset::{Form, Options, Preset};
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "dynatrace",
    options: OPTIONS,
    content_type: "application/json; charset=utf-8",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 10_000_000,
        record_bytes_max: 10_000_000,
        age_max: Some(Duration::from_secs(24 * 3_600)),
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
        doc: "Access token with the scope `logs.ingest`, sent as `Authorization: Api-Token …`.",
    },
    Field {
        name: "environment",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Id of the environment, `abc12345` of `abc12345.live.dynatrace.com`; or use `url`.",
    },
    Field {
        name: "source",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Attribute `log.source`, a template of the record.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Attributes of every record, templates of the record; by default `faas.name` and `cloud.region`.",
    },
];

/// Attributes of one record: 500, less those that are not its own.
const ATTRIBUTES_MAX: usize = 450;

fn read(options: &Options<'_>) -> Option<Form> {
    let token = options.credential("token", "authorization", "Api-Token ");
    let base = match options.reader.has("environment") {
        true => options.host("environment", "https://", ".live.dynatrace.com/"),
        false => Some(None),
    };
    let source = options.template("source", Allow::Record);
    let default = [
        ("faas.name", "{function.name}"),
        ("cloud.region", "{region}"),
    ];
    let fields = options.fields_or(&default);
    let (source, fields) = (source?, fields?);
    let items = Items::array(move |seen, object| {
        object.message("content", Some(&seen.message()));
        object.time("timestamp", seen);
        object.level("severity", seen);
        object.template("log.source", &source, seen);
        object.identity(seen);
        object.templates(&fields, seen);
        object.rest(seen, Shape::Flat(ATTRIBUTES_MAX));
    });
    let mut form = Form::new(items)
        .at("/api/v2/logs/ingest")
        .with_header("authorization", token?);
    form.base = base?;
    Some(form)
}

/// 204 took everything. 200 took a part and says in prose which, so nothing of it is sent again, and all count as
/// rejected.
fn judge(answer: &Answer, _: &Selection, wall_ms: i64) -> Outcome {
    match answer.status.as_u16() {
        200 => Verdict::Rejected("partial".into()).into(),
        _ => by_status(answer, wall_ms).into(),
    }
}
