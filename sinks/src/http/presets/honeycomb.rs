//! `honeycomb`: the batch API of Honeycomb's events.
//!
//! An array of a time, a sample rate and data; the answer has a status for each.
//!
//! Source: <https://api-docs.honeycomb.io/api/events/createevents>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::{again, at, by_status, not_understood, number, positional, status};
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "honeycomb",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 1_000,
        body_bytes_max: 5_000_000,
        record_bytes_max: 1_000_000,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "api_key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "API key, sent as `X-Honeycomb-Team`.",
    },
    Field {
        name: "dataset",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Dataset, a template of the environment.",
    },
    Field {
        name: "region",
        kind: FieldKind::Choice(&["us", "eu"]),
        default: "\"us\"",
        required: false,
        doc: "Region of the account. Takes the place of `url`.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every record, templates of the record; by default `function`, its name.",
    },
];

/// Fields of one record: 2,000, less those that are not its own.
const FIELDS_MAX: usize = 1_900;

fn read(options: &Options<'_>) -> Option<Form> {
    let key = options.credential("api_key", "x-honeycomb-team", "");
    let dataset = options.template("dataset", Allow::Environment);
    let region = options.region("region");
    let fields = options.fields();
    let (fields, region) = (fields?, region?);
    let items = Items::array(move |seen, object| item(&fields, seen, object));
    let mut form = Form::new(items).with_credential("x-honeycomb-team", key?);
    form.target.path = vec!["/1/batch/".into(), Piece::Template(dataset?)];
    let base = match region.value {
        "eu" => "https://api.eu1.honeycomb.io/",
        _ => "https://api.honeycomb.io/",
    };
    form.base = Some((base.to_owned(), region.span));
    Some(form)
}

fn item(fields: &[(String, Template)], seen: &Seen<'_>, object: &mut Object<'_>) {
    object.time("time", seen);
    let weight = seen.with_attributes(|attributes| number(attributes, &["sample_weight"]));
    object.number("samplerate", weight.unwrap_or(1).max(1));
    object.object("data", |inner| {
        inner.message("message", seen.own_message().as_deref());
        inner.level("level", seen);
        inner.identity(seen);
        inner.templates(fields, seen);
        inner.rest(seen, Shape::Flat(FIELDS_MAX));
    });
}

fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let body = at(&answer.body, &[]).unwrap_or_default();
    match by_status(answer, wall_ms) {
        Verdict::Accepted if body.first() != Some(&b'[') => not_understood().into(),
        Verdict::Accepted => {
            let verdicts = json::elements(body, 0..body.len()).map(|item| of_item(&body[item]));
            positional(records.len(), verdicts)
        }
        verdict => verdict.into(),
    }
}

/// The verdict of `{"status":400,"error":"…"}`.
fn of_item(item: &[u8]) -> Verdict {
    let Some(status) = status(item, &["status"]) else {
        return not_understood();
    };
    // Why stands in words of the service, which may quote a record.
    let why = || status.to_string();
    match status {
        200..=299 => Verdict::Accepted,
        429 | 500..=599 => again(why()),
        _ => Verdict::Rejected(why().into()),
    }
}
