//! `elasticsearch`: the bulk API of Elasticsearch and OpenSearch.
//!
//! Two lines a record: an action with the index and the id, and the document with names of the Elastic Common Schema;
//! what the record itself holds lies under `record`, since a field of another type than the index expects would cost
//! the whole document.
//!
//! Source: <https://docs.opensearch.org/latest/api-reference/document-apis/bulk/> and
//! <https://www.elastic.co/docs/reference/ecs>, read 2026-11-25.

use std::borrow::Cow;

use tapline_core::config::{Field, FieldKind, Fields};
use tapline_core::json;
use tapline_core::line;
use tapline_core::sink::{Outcome, Selection, Verdict};
use tapline_core::template::{Allow, Template};

use super::super::answer::{again, at, by_status, known, not_understood, positional, status};
use super::super::body::{Items, Limits};
use super::super::document::{Object, Shape};
use super::super::preset::{Form, Options, Preset};
use super::super::seen::Seen;
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "elasticsearch",
    options: OPTIONS,
    content_type: "application/x-ndjson",
    compressions: &["gzip"],
    limits: Limits {
        // An answer says up to 80 bytes of each record, and 64 KiB of it are read.
        records_max: 800,
        // Servers refuse more than 100 MB; 5 to 15 MB are advised, which no function should hold.
        body_bytes_max: 16 << 20,
        record_bytes_max: 16 << 20,
        age_max: None,
    },
    read,
    judge,
};

const OPTIONS: Fields = &[
    Field {
        name: "index",
        kind: FieldKind::Template,
        default: "\"logs-lambda-default\"",
        required: false,
        doc: "Index or data stream, a template of the record. Upper case becomes lower case, characters that no index \
              may have become `_`.",
    },
    Field {
        name: "action",
        kind: FieldKind::Choice(&["create", "index"]),
        default: "\"create\"",
        required: false,
        doc: "`create` leaves alone what is there under the same id, and is all that data streams take; `index` \
              overwrites.",
    },
    Field {
        name: "id",
        kind: FieldKind::Boolean,
        default: "true",
        required: false,
        doc: "Gives each document the record's id, so that a request that is repeated stores nothing twice. `false` \
              for time series and vector collections of OpenSearch Serverless, which refuse ids.",
    },
    Field {
        name: "pipeline",
        kind: FieldKind::Text,
        default: "",
        required: false,
        doc: "Ingest pipeline of the cluster.",
    },
    Field {
        name: "api_key",
        kind: FieldKind::Secret,
        default: "",
        required: false,
        doc: "API key as Elastic gives it out, in Base64, sent as `Authorization: ApiKey …`; or use `auth`.",
    },
    Field {
        name: "fields",
        kind: FieldKind::Map(&FieldKind::Template),
        default: "",
        required: false,
        doc: "Fields of every document, templates of the record.",
    },
];

/// Longest name of an index, in bytes.
const INDEX_BYTES_MAX: usize = 255;

fn read(options: &Options<'_>) -> Option<Form> {
    let index = options.template("index", Allow::Record);
    let action = options.reader.choice("action");
    let id = options.reader.boolean("id");
    let pipeline = match options.reader.has("pipeline") {
        true => options.reader.text("pipeline").map(Some),
        false => Some(None),
    };
    let api_key = options.optional_credential("api_key", "authorization", "ApiKey ");
    let fields = options.fields_or(&[]);
    let (index, id, fields) = (index?, id?.value, fields?);
    let action = action?.value;
    let mut items = Items::lines(move |seen, object| document(&fields, seen, object));
    items.before = Some(Box::new(move |seen, out| {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(action.as_bytes());
        out.extend_from_slice(b"\":{\"_index\":\"");
        write_index(&index, seen, out);
        if id {
            out.extend_from_slice(b"\",\"_id\":\"");
            line::write_id(seen.batch, seen.record, out);
        }
        out.extend_from_slice(b"\"}}\n");
    }));
    let mut form = Form::new(items)
        .at("/_bulk")
        .with_credential("authorization", api_key?);
    let wanted = "errors,items.*.status,items.*.error.type";
    form.target.query.push(("filter_path", wanted.into()));
    if let Some(pipeline) = pipeline? {
        options.not_empty(&pipeline, "pipeline")?;
        let piece = Piece::Fixed(pipeline.value);
        form.target.query.push(("pipeline", piece));
    }
    Some(form)
}

fn write_index(index: &Template, seen: &Seen<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    seen.render(index, out);
    out.truncate(start + INDEX_BYTES_MAX);
    // A character that was cut is made of bytes that are no letters, so it goes with the others.
    for byte in &mut out[start..] {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'+' => {}
            b'A'..=b'Z' => byte.make_ascii_lowercase(),
            _ => *byte = b'_',
        }
    }
    match out.get_mut(start) {
        Some(first @ (b'-' | b'_' | b'+' | b'.')) => *first = b'x',
        Some(_) => {}
        None => out.extend_from_slice(b"unknown"),
    }
}

fn document(fields: &[(String, Template)], seen: &Seen<'_>, object: &mut Object<'_>) {
    let (batch, record) = (seen.batch, seen.record);
    object.time("@timestamp", seen);
    object.message("message", seen.own_message().as_deref());
    object.level("log.level", seen);
    object.with("event.id", |out| {
        out.push(b'"');
        line::write_id(batch, record, out);
        out.push(b'"');
    });
    object.escaped("event.dataset", batch.bytes(record.kind));
    object.escaped("faas.execution", batch.bytes(record.request_id));
    object.escaped("trace.id", batch.bytes(record.trace_id));
    object.escaped("span.id", batch.bytes(record.span_id));
    object.templates(fields, seen);
    if !record.attributes.is_empty() {
        seen.with_attributes(|attributes| {
            object.with("labels", |out| out.extend_from_slice(attributes));
        });
    }
    if seen.object().is_some() {
        object.object("record", |inner| inner.own(seen, Shape::Nested));
    }
}

fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let verdict = by_status(answer, wall_ms);
    if verdict != Verdict::Accepted {
        return verdict.into();
    }
    let body = answer.body.as_slice();
    match at(body, &["errors"]) {
        Some(b"false") => return Verdict::Accepted.into(),
        Some(b"true") => {}
        _ if at(body, &["items"]).is_none() => return not_understood().into(),
        _ => {}
    }
    let items = cut_members(body, "items");
    let verdicts = json::elements(items, 0..items.len()).map(|item| of_item(&items[item]));
    positional(records.len(), verdicts)
}

/// The value of a member from its bracket on, though the text may break off in it.
fn cut_members<'a>(body: &'a [u8], key: &str) -> &'a [u8] {
    let quoted = format!("\"{key}\"");
    let found = body
        .windows(quoted.len())
        .position(|window| window == quoted.as_bytes());
    let rest = found.map_or(&[][..], |found| &body[found + quoted.len()..]);
    let start = rest.iter().position(|byte| *byte == b'[');
    start.map_or(&[], |start| &rest[start..])
}

/// The verdict of one item, `{"create":{"status":201}}`.
fn of_item(item: &[u8]) -> Verdict {
    let Some((_, action)) = json::members(item, 0..item.len()).next() else {
        return not_understood();
    };
    let action = &item[action];
    let Some(status) = status(action, &["status"]) else {
        return not_understood();
    };
    let why = || match known(action, &["error", "type"], &KINDS) {
        Some(kind) => kind.into(),
        None => Cow::Owned(status.to_string()),
    };
    match status {
        200..=299 => Verdict::Accepted,
        // An earlier attempt, whose answer was lost, stored it: ids are the records' own.
        409 => Verdict::Accepted,
        429 | 500..=599 => again(why()),
        _ => Verdict::Rejected(why()),
    }
}

/// Kinds of errors of one item. Others are said by their status: whoever answers may write there what was sent.
///
/// Source: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk> and the exceptions that
/// OpenSearch and Elasticsearch write there, read 2026-11-25.
const KINDS: [&str; 19] = [
    "circuit_breaking_exception",
    "cluster_block_exception",
    "document_parsing_exception",
    "es_rejected_execution_exception",
    "illegal_argument_exception",
    "illegal_state_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "invalid_index_name_exception",
    "mapper_parsing_exception",
    "parse_exception",
    "process_cluster_event_timeout_exception",
    "rejected_execution_exception",
    "security_exception",
    "strict_dynamic_mapping_exception",
    "unavailable_shards_exception",
    "validation_exception",
    "version_conflict_engine_exception",
    "x_content_parse_exception",
];
