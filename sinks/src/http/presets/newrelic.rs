//! `newrelic`: the Log API of New Relic.
//!
//! One block with attributes that all records share, and a list of records. Attributes are flat: objects become keys
//! with dots, lists become JSON in a string.
//!
//! Source: <https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/>, read 2026-11-25.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::template::{Allow, Template};

use super::super::answer::by_status;
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::{Seen, render_fixed};

pub(super) const PRESET: Preset = Preset {
    name: "newrelic",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        // 1 MB as New Relic counts it; whether before compression is not said, so before.
        body_bytes_max: 1_000_000,
        record_bytes_max: 1_000_000,
        age_max: Some(Duration::from_secs(48 * 3_600)),
    },
    read,
    judge: |answer, _, wall_ms| by_status(answer, wall_ms).into(),
};

const OPTIONS: Fields = &[
    Field {
        name: "license_key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "License key, sent as `Api-Key`.",
    },
    Field {
        name: "region",
        kind: FieldKind::Choice(&["us", "eu", "jp", "gov"]),
        default: "\"us\"",
        required: false,
        doc: "Region of the account. Takes the place of `url`.",
    },
    Field {
        name: "attributes",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Attributes of all records, templates of the environment, beside `faas.name`, `faas.id`, `cloud.region` \
              and `instance`.",
    },
];

/// Attributes of one record: 255, less those that are not the record's own.
const ATTRIBUTES_MAX: usize = 200;

fn read(options: &Options<'_>) -> Option<Form> {
    let key = options.credential("license_key", "api-key", "");
    let region = options.region("region");
    let attributes = options.templates("attributes", &[], Allow::Environment);
    let region = region?;
    let base = match region.value {
        "eu" => "https://log-api.eu.newrelic.com/",
        "jp" => "https://log-api.jp.nr-data.net/",
        "gov" => "https://gov-log-api.newrelic.com/",
        _ => "https://log-api.newrelic.com/",
    };
    let common = [
        ("faas.name", "{function.name}"),
        ("faas.id", "{function.arn}"),
        ("cloud.region", "{region}"),
        ("instance", "{instance}"),
    ];
    let mut all: Vec<(String, Template)> = Vec::new();
    for (key, text) in common {
        let template = Template::parse(text, &options.names, Allow::Environment);
        all.push((key.to_owned(), template.ok()?));
    }
    all.extend(attributes?);
    let mut items = Items::array(item);
    items.open = Box::new(move |occasion, out| {
        out.extend_from_slice(b"[{\"common\":{\"attributes\":{");
        let start = out.len();
        for (key, template) in &all {
            let value = render_fixed(template, occasion.facts, occasion.time_ms);
            if value.is_empty() {
                continue;
            }
            if out.len() > start {
                out.push(b',');
            }
            json::quote_into(key.as_bytes(), out);
            out.push(b':');
            json::quote_into(&value, out);
        }
        out.extend_from_slice(b"}},\"logs\":[");
    });
    items.close = "]}]";
    let mut form = Form::new(items)
        .at("/log/v1")
        .with_credential("api-key", key?);
    form.base = Some((base.to_owned(), region.span));
    Some(form)
}

fn item(seen: &Seen<'_>, object: &mut Object<'_>) {
    let (batch, record) = (seen.batch, seen.record);
    object.number("timestamp", seen.time_ms);
    object.message("message", Some(&seen.message()));
    object.object("attributes", |inner| {
        inner.level("level", seen);
        inner.identity(seen);
        inner.escaped("trace.id", batch.bytes(record.trace_id));
        inner.escaped("span.id", batch.bytes(record.span_id));
        // New Relic throws these away without a word.
        inner.reserve("eventType");
        inner.reserve("accountId");
        inner.rest(seen, Shape::Flat(ATTRIBUTES_MAX));
    });
}
