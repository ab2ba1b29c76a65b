//! `victorialogs`: the JSON stream API of VictoriaLogs.
//!
//! A line of JSON each. The server leaves out lines that it cannot read without a word, so every line is checked here:
//! it is JSON, has a time and a message, and is not too long.
//!
//! Source: <https://docs.victoriametrics.com/victorialogs/data-ingestion/#json-stream-api>, read 2026-11-25.

use hyper::header::HeaderValue;
use tapline_core::config::{Field, FieldKind, Fields};

use super::super::answer::by_status;
use super::super::body::{Items, Limits};
use super::super::document::Shape;
use super::super::preset::{Form, Options, Preset};
use super::super::target::Piece;

pub(super) const PRESET: Preset = Preset {
    name: "victorialogs",
    options: OPTIONS,
    content_type: "application/stream+json",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 16 << 20,
        record_bytes_max: usize::MAX,
        age_max: None,
    },
    read,
    judge: |answer, _, wall_ms| by_status(answer, wall_ms).into(),
};

const OPTIONS: Fields = &[
    Field {
        name: "stream_fields",
        kind: FieldKind::List(&FieldKind::Text),
        default: "[\"function\"]",
        required: false,
        doc: "Fields that make up the stream; few values each.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every record, templates of the record; by default `function`, its name.",
    },
    Field {
        name: "account_id",
        kind: FieldKind::Integer {
            min: 0,
            max: u32::MAX as i64,
        },
        default: "0",
        required: false,
        doc: "Tenant, sent as `AccountID`.",
    },
    Field {
        name: "project_id",
        kind: FieldKind::Integer {
            min: 0,
            max: u32::MAX as i64,
        },
        default: "0",
        required: false,
        doc: "Project of the tenant, sent as `ProjectID`.",
    },
    Field {
        name: "max_line",
        kind: FieldKind::Size {
            min: 1 << 10,
            max: 8 << 20,
        },
        default: "\"256KiB\"",
        required: false,
        doc: "The server's `-insert.maxLineSizeBytes`. A longer line is rejected here, because the server leaves it out \
              without a word.",
    },
];

fn read(options: &Options<'_>) -> Option<Form> {
    let stream_fields = options.reader.list_of_text("stream_fields");
    let account = options.reader.integer("account_id");
    let project = options.reader.integer("project_id");
    let max_line = options.reader.size("max_line");
    let fields = options.fields()?;
    let items = Items::lines(move |seen, object| {
        object.time("_time", seen);
        object.message("_msg", Some(&seen.message()));
        object.level("level", seen);
        object.identity(seen);
        object.templates(&fields, seen);
        object.rest(seen, Shape::Nested);
    });
    let number = |value: i64| Some(HeaderValue::from(value));
    let mut form = Form::new(items)
        .at("/insert/jsonline")
        .with_header("accountid", number(account?.value))
        .with_header("projectid", number(project?.value));
    let names: Vec<String> = stream_fields?.into_iter().map(|name| name.value).collect();
    form.target.query = vec![
        ("_time_field", "_time".into()),
        ("_msg_field", "_msg".into()),
        ("_stream_fields", Piece::Fixed(names.join(","))),
    ];
    form.record_bytes_max = Some(max_line?.value as usize);
    Some(form)
}
