//! `logzio`: the HTTPS listener of Logz.io.
//!
//! A line of JSON each. The token is part of the URL's query.
//!
//! Source: <https://docs.logz.io/docs/shipping/other/http/>, read 2026-11-25.

use tapline_core::config::{Field, FieldKind, Fields, Kind, Severity};
use tapline_core::sink::{Outcome, Selection, Verdict};

use super::super::answer::{by_status, number, some_rejected};
use super::super::body::{Items, Limits};
use super::super::document::Shape;
use super::super::preset::{Form, Options, Preset};
use super::super::target::Piece;
use crate::shared::http::Answer;

pub(super) const PRESET: Preset = Preset {
    name: "logzio",
    options: OPTIONS,
    content_type: "application/x-ndjson",
    compressions: &["gzip"],
    limits: Limits {
        records_max: 10_000,
        body_bytes_max: 10 << 20,
        record_bytes_max: 500_000,
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
        doc: "Shipping token of the account; it becomes part of the URL, which is never shown.",
    },
    Field {
        name: "type",
        kind: FieldKind::Text,
        default: "\"lambda\"",
        required: false,
        doc: "Type of the records, which chooses their parsing.",
    },
    Field {
        name: "listener",
        kind: FieldKind::Text,
        default: "\"listener.logz.io\"",
        required: false,
        doc: "Host of the listener: `listener-eu.logz.io` and so on. Takes the place of `url`.",
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
    let token = read_token(options);
    let kind = options.reader.text("type");
    let base = options.host("listener", "https://", ":8071/");
    let fields = options.fields()?;
    let items = Items::lines(move |seen, object| {
        object.time("@timestamp", seen);
        object.message("message", Some(&seen.message()));
        object.level("level", seen);
        object.identity(seen);
        object.templates(&fields, seen);
        object.rest(seen, Shape::Nested);
    });
    let mut form = Form::new(items);
    let kind = kind?;
    options.not_empty(&kind, "type")?;
    form.target
        .query
        .extend(token?.map(|token| ("token", token)));
    form.target.query.push(("type", Piece::Fixed(kind.value)));
    form.base = base?;
    Some(form)
}

fn read_token(options: &Options<'_>) -> Option<Option<Piece>> {
    if options.reader.has("token") {
        let token = options.reader.secret("token")?;
        return Some(Some(Piece::Fixed(token.value.expose().to_owned())));
    }
    let url = options.sink.has("url").then(|| options.sink.text("url"));
    if url
        .flatten()
        .is_some_and(|url| url.value.contains("token="))
    {
        return Some(None);
    }
    let help = "add `options = { token = { env = \"NAME\" } }`";
    let span = options.reader.header();
    let message = "`logzio` lacks the option `token`";
    options
        .reader
        .report(Severity::Error, Kind::Missing, span, message, help);
    None
}

/// 400 says how many lines were stored all the same; none is sent again.
fn judge(answer: &Answer, records: &Selection, wall_ms: i64) -> Outcome {
    let stored = number(&answer.body, &["successfulLines"]);
    match (by_status(answer, wall_ms), stored) {
        (Verdict::Rejected(_), Some(stored)) if answer.status.as_u16() == 400 => {
            let oversized = number(&answer.body, &["oversizedLines"]);
            let why = if oversized > Some(0) {
                "too_large"
            } else {
                "malformed"
            };
            some_rejected(
                records.len(),
                (records.len() as u64).saturating_sub(stored),
                why,
            )
        }
        (verdict, _) => verdict.into(),
    }
}
