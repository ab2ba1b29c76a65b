//! `dynatrace`: the log ingestion API, version 2.
//!
//! Flat attributes: objects become keys with dots, lists become JSON in a string.
//!
//! Source: <https://docs.dynatrace.com/docs/discover-dynatrace/references/dynatrace-api/environment-api/log-monitoring-v2/post-ingest-logs>,
//! read 2026-11-25.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::Allow;

use super::super::answer::{at, by_status, some_rejected};
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
        .with_credential("authorization", token?);
    form.base = base?;
    Some(form)
}

/// 204 took everything. 200 took a part, and says in prose how many it did not take; none is sent again. Where it does
/// not say, all count as rejected.
///
/// Source: "Log ingestion API" and "Log Management and Analytics default limits" of Dynatrace, read 2026-11-25: `2 events
/// were not ingested because of timestamp out of correct time range`.
fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    if answer.status.as_u16() != 200 {
        return by_status(answer, wall_ms).into();
    }
    let body = &answer.body;
    let said = at(body, &["details", "message"]).or_else(|| at(body, &["success", "message"]));
    let said = said.and_then(json::string_inside).unwrap_or_default();
    let said = json::unescape(said);
    let said = String::from_utf8_lossy(&said);
    match not_ingested(&said) {
        Some((count, why)) => some_rejected(records.len(), count, why),
        None => Verdict::Rejected("partial".into()).into(),
    }
}

/// How many were not taken, and why where all of them were too old.
fn not_ingested(said: &str) -> Option<(u64, &'static str)> {
    let mut total = 0u64;
    let mut why = "too_old";
    for (at, _) in said.match_indices(" were not ingested") {
        let (before, behind) = said.split_at(at);
        let number = before
            .trim_end_matches(" events")
            .trim_end_matches(" event");
        let start = number.rfind(|character: char| !character.is_ascii_digit());
        let digits = &number[start.map_or(0, |start| start + 1)..];
        total = total.saturating_add(digits.parse().ok()?);
        let cause = behind.split('.').next().unwrap_or_default();
        if !cause.contains("timestamp out of correct time range") {
            why = "partial";
        }
    }
    (total > 0).then_some((total, why))
}
