//! `clickhouse`: inserts over the HTTP interface of ClickHouse, a line of JSON a row.
//!
//! Columns: `id`, `time`, `type`, `level`, `request_id`, `trace_id`, `span_id`, `message`, `record`, `attributes`, the
//! last two as JSON in a string, and those of `fields`. A column that the table lacks is skipped by the server.
//!
//! Source: <https://clickhouse.com/docs/interfaces/http> and <https://clickhouse.com/docs/optimize/asynchronous-inserts>,
//! read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::Template;

use super::super::answer::{again, by_status, denied};
use super::super::body::{Items, Limits};
use super::super::document::Object;
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "clickhouse",
    options: OPTIONS,
    content_type: "application/x-ndjson",
    compressions: &["gzip", "zstd"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 16 << 20,
        record_bytes_max: 16 << 20,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "table",
        kind: FieldKind::Text,
        default: "",
        required: true,
        doc: "Table to insert into: letters, digits and `_`.",
    },
    Field {
        name: "database",
        kind: FieldKind::Text,
        default: "\"default\"",
        required: false,
        doc: "Its database: letters, digits and `_`.",
    },
    Field {
        name: "async_insert",
        kind: FieldKind::Boolean,
        default: "true",
        required: false,
        doc: "Lets the server gather inserts of many environments and answer when they are stored.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Further columns, templates of the record; by default `function`, its name.",
    },
];

fn read(options: &Options<'_>) -> Option<Form> {
    let database = identifier(options, "database");
    let table = identifier(options, "table");
    let gathered = options.reader.boolean("async_insert");
    let fields = options.fields()?;
    let items = Items::lines(move |seen, object| row(&fields, seen, object));
    let mut form = Form::new(items);
    let insert = format!(
        "INSERT INTO `{}`.`{}` FORMAT JSONEachRow",
        database?, table?
    );
    form.target.query = vec![
        ("query", Piece::Fixed(insert)),
        ("date_time_input_format", "best_effort".into()),
        ("input_format_skip_unknown_fields", "1".into()),
        // Without it a status may be sent before the insert is through.
        ("wait_end_of_query", "1".into()),
        ("insert_deduplication_token", Piece::BatchId),
    ];
    if gathered?.value {
        form.target.query.push(("async_insert", "1".into()));
        form.target
            .query
            .push(("wait_for_async_insert", "1".into()));
    }
    Some(form)
}

fn identifier(options: &Options<'_>, key: &str) -> Option<String> {
    let text = options.reader.text(key)?;
    let name = text.value.as_bytes();
    let right = !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !right {
        let message = format!("`{key}` is no name of a {key}");
        options
            .reader
            .error(text.span, message, "use letters, digits and `_`");
        return None;
    }
    Some(text.value)
}

fn row(fields: &[(String, Template)], seen: &Seen<'_>, object: &mut Object<'_>) {
    object.time("time", seen);
    object.identity(seen);
    object.level("level", seen);
    object.message("message", Some(&seen.message()));
    object.text("record", seen.text());
    if !seen.record.attributes.is_empty() {
        seen.with_attributes(|attributes| {
            object.with("attributes", |out| json::quote_into(attributes, out));
        });
    }
    object.templates(fields, seen);
}

/// Codes of errors that pass: too slow, too many queries, parts or bytes at once, no replica, network, a server that
/// restarts (236, 394) or has lost its Keeper (225, 242, 999).
const PASSING: [u64; 13] = [
    159, 202, 209, 210, 225, 236, 241, 242, 252, 285, 319, 394, 999,
];

/// Codes of errors that somebody has to put right: no table, no database, no access, wrong user or password.
const DENIED: [u64; 6] = [60, 81, 192, 193, 497, 516];

/// The code of an error counts before the status, and an error may come in a 200.
fn judge(answer: &Answer, _: &Selection, wall_ms: i64) -> Outcome {
    let by_status = by_status(answer, wall_ms);
    let Some(code) = code(answer) else {
        return by_status.into();
    };
    let word = format!("code_{code}");
    let verdict = match by_status {
        _ if DENIED.contains(&code) => denied(word),
        Verdict::Retry {
            after, answered, ..
        } if PASSING.contains(&code) => Verdict::Retry {
            why: word.into(),
            after,
            answered,
        },
        _ if PASSING.contains(&code) => again(word),
        _ => Verdict::Rejected(word.into()),
    };
    verdict.into()
}

/// Largest number that is taken for a code; ClickHouse's go to some 1,000.
const CODE_MAX: u64 = 9_999;

/// The code of an exception: in a header, or as `Code: 252. DB::Exception: …` in the body.
fn code(answer: &Answer) -> Option<u64> {
    let header = answer.headers.get("x-clickhouse-exception-code");
    let is_code = |code: &u64| *code <= CODE_MAX;
    if let Some(code) = header.and_then(|code| code.to_str().ok()?.parse().ok()) {
        return Some(code).filter(is_code);
    }
    let body = String::from_utf8_lossy(&answer.body);
    let (before, _) = body.split_once(". DB::Exception")?;
    let (_, code) = before.rsplit_once("Code: ")?;
    code.parse().ok().filter(is_code)
}
