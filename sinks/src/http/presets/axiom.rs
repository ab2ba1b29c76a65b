//! `axiom`: ingestion into a dataset of Axiom.
//!
//! Source: <https://axiom.co/docs/restapi/endpoints/ingestIntoDataset> and <https://axiom.co/docs/restapi/api-limits>,
//! read 2026-11-25.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::{by_status, not_understood, number, some_rejected};
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "axiom",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 8 << 20,
        record_bytes_max: 1 << 20,
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
        doc: "API token, no personal one, sent as `Authorization: Bearer …`.",
    },
    Field {
        name: "dataset",
        kind: FieldKind::Template,
        default: "",
        required: true,
        doc: "Dataset, a template of the environment.",
    },
    Field {
        name: "domain",
        kind: FieldKind::Text,
        default: "\"api.axiom.co\"",
        required: false,
        doc: "Domain of the API or of an edge. Takes the place of `url`.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every record, templates of the record; by default `function`, its name.",
    },
];

/// Longest wait that the reset of a limit is worth; the quota of a month comes back in weeks.
const RESET_MAX: Duration = Duration::from_secs(600);

fn read(options: &Options<'_>) -> Option<Form> {
    let token = options.credential("token", "authorization", "Bearer ");
    let dataset = options.template("dataset", Allow::Environment);
    let base = options.host("domain", "https://", "/");
    let fields = options.fields();
    let (fields, base, dataset) = (fields?, base?, Piece::Template(dataset?));
    let items = Items::array(move |seen, object| item(&fields, seen, object));
    let mut form = Form::new(items).with_credential("authorization", token?);
    let is_edge = base
        .as_ref()
        .is_none_or(|(base, _)| base != "https://api.axiom.co/");
    form.target.path = if is_edge {
        vec!["/v1/ingest/".into(), dataset]
    } else {
        vec!["/v1/datasets/".into(), dataset, "/ingest".into()]
    };
    form.base = base;
    Some(form)
}

fn item(fields: &[(String, Template)], seen: &Seen<'_>, object: &mut Object<'_>) {
    object.time("_time", seen);
    object.message("message", seen.own_message().as_deref());
    object.level("level", seen);
    object.identity(seen);
    object.templates(fields, seen);
    object.rest(seen, Shape::Nested);
}

fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let body = answer.body.as_slice();
    match by_status(answer, wall_ms) {
        Verdict::Accepted => match number(body, &["failed"]) {
            Some(0) => Verdict::Accepted.into(),
            // Why stands in words of the service, which may quote a record.
            Some(failed) => some_rejected(records.len(), failed, "failed"),
            None => not_understood().into(),
        },
        Verdict::Retry {
            why,
            after: None,
            answered,
        } if answer.status.as_u16() == 429 => Verdict::Retry {
            why,
            after: reset(answer, wall_ms),
            answered,
        }
        .into(),
        verdict => verdict.into(),
    }
}

/// How long until the limit that was hit begins anew.
fn reset(answer: &Answer, wall_ms: i64) -> Option<Duration> {
    let seconds = ["x-ratelimit-reset", "x-ingestlimit-reset"]
        .iter()
        .filter_map(|name| {
            answer
                .headers
                .get(*name)?
                .to_str()
                .ok()?
                .parse::<i64>()
                .ok()
        })
        .max()?;
    let ms = seconds.checked_mul(1_000)?.checked_sub(wall_ms)?;
    let wait = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
    Some(wait.min(RESET_MAX))
}
