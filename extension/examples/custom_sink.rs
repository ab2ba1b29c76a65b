//! A sink and a transform of one's own: registered with the builder, chosen in TOML like the built-in ones.
//!
//! `cargo run --example custom_sink -- run extension/examples/custom_sink.toml --input extension/examples/custom_sink.json`
//!
//! The binary is a whole Tapline with two kinds more: `check`, `simulate` and the extension itself work as usual.

use std::process::ExitCode;

use tapline::Tapline;
use tapline_core::batch::Batch;
use tapline_core::config::{Field, FieldKind, Fields, Reader};
use tapline_core::json;
use tapline_core::registry::{Build, SinkKind, TransformKind};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::transform::{Context, Transform};
use tapline_core::world::Boxed;

fn main() -> ExitCode {
    program().main()
}

/// Tapline with the two kinds of this file.
pub fn program() -> Tapline {
    Tapline::new().sink(TALLY).transform(SHOUT)
}

/// `type = "tally"`: prints how many records each call brought, and their values.
const TALLY: SinkKind = SinkKind {
    name: "tally",
    feature: "tally",
    fields: TALLY_FIELDS,
    build: Some(build_tally),
};

const TALLY_FIELDS: Fields = &[Field {
    name: "label",
    kind: FieldKind::Text,
    default: "\"tally\"",
    required: false,
    doc: "Word at the start of each line.",
}];

fn build_tally(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    let label = reader.text("label")?.value;
    Some(Box::new(Tally { label }))
}

struct Tally {
    label: String,
}

impl Sink for Tally {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 100,
            bytes_max: 64 << 10,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, _: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            println!("{}: {} records", self.label, records.len());
            for (batch, record) in records.records() {
                let value = String::from_utf8_lossy(batch.bytes(record.value));
                println!("{}: {value}", self.label);
            }
            Verdict::Accepted.into()
        })
    }
}

/// `type = "shout"`: puts text records into capital letters, and ends them with a mark.
const SHOUT: TransformKind = TransformKind {
    name: "shout",
    feature: "shout",
    fields: SHOUT_FIELDS,
    build: Some(build_shout),
    redacts: false,
};

const SHOUT_FIELDS: Fields = &[Field {
    name: "mark",
    kind: FieldKind::Text,
    default: "\"!\"",
    required: false,
    doc: "What a record ends with.",
}];

fn build_shout(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mark = reader.text("mark")?.value;
    Some(Box::new(Shout { mark }))
}

struct Shout {
    mark: String,
}

impl Transform for Shout {
    fn apply(&mut self, mut batch: Batch, _: &Context<'_>, output: &mut Vec<Batch>) {
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live() {
                continue;
            }
            let Some(inside) = json::string_inside(batch.bytes(record.value)) else {
                continue;
            };
            let mut text = Vec::new();
            json::unescape_into(inside, &mut text);
            text.make_ascii_uppercase();
            text.extend_from_slice(self.mark.as_bytes());
            let value = batch.keep_with(|side| json::quote_into(&text, side));
            batch.records_mut()[position].value = value;
        }
        output.push(batch);
    }
}
