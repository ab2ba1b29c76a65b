//! `datadog`: the logs intake, version 2.
//!
//! An array of objects with Datadog's reserved attributes; what the record itself holds stands beside them.
//!
//! Source: <https://docs.datadoghq.com/api/latest/logs/#send-logs>, read 2026-11-25.

use std::time::Duration;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::template::{Allow, Template};

use super::super::answer::by_status;
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;

pub(super) const PRESET: Preset = Preset {
    name: "datadog",
    options: OPTIONS,
    content_type: "application/json",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 1_000,
        body_bytes_max: 5_000_000,
        // A longer one is cut by Datadog, and taken.
        record_bytes_max: usize::MAX,
        age_max: Some(Duration::from_secs(18 * 3_600)),
    },
    read,
    judge: |answer, _, wall_ms| by_status(answer, wall_ms).into(),
};

const OPTIONS: Fields = &[
    Field {
        name: "api_key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "API key, sent as `DD-API-KEY`.",
    },
    Field {
        name: "site",
        kind: FieldKind::Text,
        default: "\"datadoghq.com\"",
        required: false,
        doc: "Site: `datadoghq.eu`, `us5.datadoghq.com` and so on. Takes the place of `url`.",
    },
    Field {
        name: "service",
        kind: FieldKind::Template,
        default: "\"{function.name}\"",
        required: false,
        doc: "Attribute `service`, a template of the record.",
    },
    Field {
        name: "source",
        kind: FieldKind::Template,
        default: "\"lambda\"",
        required: false,
        doc: "Attribute `ddsource`, a template of the record.",
    },
    Field {
        name: "tags",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Tags, templates of the record, beside `functionname` and `region`. Commas in values become `_`.",
    },
];

/// Templates of one item.
struct Item {
    service: Template,
    source: Template,
    tags: Vec<(String, Template)>,
    host: [Template; 2],
}

fn read(options: &Options<'_>) -> Option<Form> {
    let api_key = options.credential("api_key", "dd-api-key", "");
    let base = options.host("site", "https://http-intake.logs.", "/");
    let service = options.template("service", Allow::Record);
    let source = options.template("source", Allow::Record);
    let tags = options.templates("tags", &[], Allow::Record);
    let always = [("functionname", "{function.name}"), ("region", "{region}")];
    let fixed = |text: &str| Template::parse(text, &options.names, Allow::Record).ok();
    let mut all = Vec::new();
    for (key, text) in always {
        all.push((key.to_owned(), fixed(text)?));
    }
    all.extend(tags?);
    let item = Item {
        service: service?,
        source: source?,
        tags: all,
        host: [fixed("{function.arn}")?, fixed("{function.name}")?],
    };
    let items = Items::array(move |seen, object| item.write(seen, object));
    let mut form = Form::new(items)
        .at("/api/v2/logs")
        .with_credential("dd-api-key", api_key?);
    form.base = base?;
    Some(form)
}

impl Item {
    fn write(&self, seen: &Seen<'_>, object: &mut Object<'_>) {
        let (batch, record) = (seen.batch, seen.record);
        object.message("message", Some(&seen.message()));
        object.number("timestamp", seen.time_ms);
        object.level("status", seen);
        object.template("ddsource", &self.source, seen);
        object.template("service", &self.service, seen);
        let known = |template: &&Template| seen.with_rendered(template, |text| !text.is_empty());
        if let Some(host) = self.host.iter().find(known) {
            object.template("hostname", host, seen);
        }
        object.with("ddtags", |out| self.write_tags(seen, out));
        object.identity(seen);
        object.object("lambda", |inner| {
            inner.template("arn", &self.host[0], seen);
            inner.escaped("request_id", batch.bytes(record.request_id));
        });
        object.rest(seen, Shape::Nested);
    }

    fn write_tags(&self, seen: &Seen<'_>, out: &mut Vec<u8>) {
        out.push(b'"');
        let start = out.len();
        for (key, template) in &self.tags {
            seen.with_rendered(template, |value| {
                if value.is_empty() {
                    return;
                }
                if out.len() > start {
                    out.push(b',');
                }
                for part in [key.as_bytes(), b":", value] {
                    let first = out.len();
                    json::escape_into(part, out);
                    for byte in &mut out[first..] {
                        if *byte == b',' {
                            *byte = b'_';
                        }
                    }
                }
            });
        }
        out.push(b'"');
    }
}
