//! `sample`: keeps a share of the records, the same ones on every instance and in every stage.
//!
//! Each record has a key: its request id, its trace id or a value in its JSON. The key's hash gives 56 bits `R`, and
//! the record is kept where `R >= T` with `T = (1 - rate) * 2^56`. So all lines of one invocation share a fate, and
//! what a lower rate keeps is part of what a higher rate keeps: stages and services with the same key nest.
//!
//! A record for which `keep` holds is never left out. A record without the key is kept and counted as
//! `sample_key_missing`. Platform events, Tapline's own records and lines in CloudWatch's embedded metric format are
//! left alone.
//!
//! A record that was kept by chance bears the attribute `sample_weight`, the number of records that it stands for:
//! `1 / rate`. Where an earlier stage left one, the larger counts, since both stages decided by the same bits.
//!
//! # Limits
//!
//! Weights of stages with unlike keys should be multiplied; they are not. A `rate` below 2^-56 keeps nothing.

use tapline_core::batch::{Batch, Fate, Origin, Record, Slice};
use tapline_core::config::{Field, FieldKind, Fields, Kind, Reader, Severity};
use tapline_core::expr::{Expression, Path, Unlike};
use tapline_core::json;
use tapline_core::ledger::add;
use tapline_core::limits::ATTRIBUTES_BYTES_MAX;
use tapline_core::registry::{Build, TransformKind};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::View;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::attributes;

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "sample",
    feature: "sample",
    fields: FIELDS,
    build: Some(build),
    redacts: false,
};

/// Its keys.
const FIELDS: Fields = &[
    Field {
        name: "rate",
        kind: FieldKind::Number { min: 0.0, max: 1.0 },
        default: "",
        required: true,
        doc: "Share of the keys whose records are kept, from 0 to 1. The same key has the same fate everywhere.",
    },
    Field {
        name: "by",
        kind: FieldKind::Text,
        default: "\"request_id\"",
        required: false,
        doc: "What decides: `request_id`, `trace_id` or a path such as `.user.id`. A record without it is kept.",
    },
    Field {
        name: "keep",
        kind: FieldKind::Expression,
        default: "",
        required: false,
        doc: "Records for which this holds are never left out, and bear no weight.",
    },
    later(
        "tail",
        "Decides on whole invocations at their end. Not in this version.",
    ),
    later(
        "limit",
        "Bounds the records of a key in a second. Not in this version.",
    ),
];

const fn later(name: &'static str, doc: &'static str) -> Field {
    Field {
        name,
        kind: FieldKind::Any,
        default: "",
        required: false,
        doc,
    }
}

/// The attribute that bears the weight.
const WEIGHT: &str = "sample_weight";

/// Seed of the hash. Part of the contract between instances and versions: never to be changed.
const SEED: u64 = 0x7461_706c_696e_6501;

/// Bits that decide, as in OpenTelemetry's consistent sampling.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>, read 2026-11-23.
const BITS: u32 = 56;

fn build(reader: &Reader<'_>, build: &Build<'_>) -> Option<Box<dyn Transform>> {
    let mut built = true;
    for key in ["tail", "limit"] {
        if let Some(span) = reader.key_span(key) {
            let message = format!("`{key}` of sample is not in this version");
            let help = "remove it; `keep` exempts records, `rate` bounds them";
            reader.report(Severity::Error, Kind::NotBuilt, span, message, help);
            built = false;
        }
    }
    let by = reader.text("by").and_then(|by| match by.value.as_str() {
        "request_id" => Some(Key::RequestId),
        "trace_id" => Some(Key::TraceId),
        path if path.starts_with('.') => match Path::parse(path) {
            Ok(path) => Some(Key::Path(path)),
            Err(problem) => {
                let span = reader.inside(&by, problem.span);
                reader.error(span, problem.message, problem.help);
                None
            }
        },
        _ => {
            let message = format!("{} is no key to sample by", reader.quote(&by));
            let help = "write `request_id`, `trace_id` or a path such as `.user.id`";
            reader.error(by.span.clone(), message, help);
            None
        }
    });
    let keep = build.expression(reader, "keep");
    built &= keep.is_some() || !reader.has("keep");
    let rate = reader.number("rate")?.value;
    let sample = Sample {
        threshold: threshold(rate),
        weight: if rate > 0.0 { 1.0 / rate } else { 0.0 },
        by: by?,
        keep,
    };
    built.then(|| Box::new(sample) as Box<dyn Transform>)
}

/// `T` of a rate.
fn threshold(rate: f64) -> u64 {
    ((1.0 - rate) * (1u64 << BITS) as f64).round() as u64
}

enum Key {
    RequestId,
    TraceId,
    Path(Path),
}

struct Sample {
    threshold: u64,
    weight: f64,
    by: Key,
    keep: Option<Expression>,
}

/// What is to happen to a record.
enum Verdict {
    Pass,
    Weigh,
    LeaveOut,
}

impl Transform for Sample {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        if self.threshold > 0 {
            self.thin(&mut batch, context);
        }
        output.push(batch);
    }
}

impl Sample {
    fn thin(&self, batch: &mut Batch, context: &Context<'_>) {
        let mut unlike = Unlike::default();
        // Records without attributes of their own share one rendered weight.
        let mut shared: Option<Slice> = None;
        let mut out = context.scratch.take();
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if !record.is_live()
                || record.embedded_metrics
                || matches!(record.origin, Origin::Platform | Origin::Tapline)
            {
                continue;
            }
            match self.verdict(batch, record, context, &mut unlike) {
                Verdict::Pass => {}
                Verdict::LeaveOut => batch.records_mut()[position].fate = Fate::Sampled,
                Verdict::Weigh => {
                    let before = record.attributes;
                    let slice = match shared {
                        Some(slice) if before.is_empty() => slice,
                        _ => {
                            out.clear();
                            self.write_weight(batch.bytes(before), &mut out);
                            batch.keep(&out)
                        }
                    };
                    if before.is_empty() {
                        shared = Some(slice);
                    }
                    batch.records_mut()[position].attributes = slice;
                }
            }
        }
        context.scratch.give_back(out);
        add(&context.ledger.unlike, unlike.0);
    }

    fn verdict(
        &self,
        batch: &Batch,
        record: &Record,
        context: &Context<'_>,
        unlike: &mut Unlike,
    ) -> Verdict {
        let view = View::new(batch, record, context.surroundings());
        if let Some(keep) = &self.keep
            && keep.matches(&view, unlike)
        {
            return Verdict::Pass;
        }
        let randomness = match &self.by {
            Key::RequestId => of_text(batch.bytes(record.request_id)),
            Key::TraceId => of_trace(batch.bytes(record.trace_id)),
            Key::Path(path) => view.raw_at(&path.segments).and_then(of_json),
        };
        match randomness {
            None => {
                add(&context.ledger.sample_key_missing, 1);
                Verdict::Pass
            }
            Some(randomness) if randomness >= self.threshold => Verdict::Weigh,
            Some(_) => Verdict::LeaveOut,
        }
    }

    /// Attributes with the weight set; an earlier, larger one stays.
    fn write_weight(&self, before: &[u8], out: &mut Vec<u8>) {
        let earlier = attributes::members(before)
            .filter(|(key, _)| json::key_is(key, WEIGHT))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok()?.parse::<f64>().ok())
            .last();
        let weight = earlier.map_or(self.weight, |earlier| earlier.max(self.weight));
        let rendered = weight.to_string();
        attributes::with(before, WEIGHT, rendered.as_bytes(), out);
        if out.len() > ATTRIBUTES_BYTES_MAX {
            out.clear();
            out.extend_from_slice(before);
        }
    }
}

fn of_text(key: &[u8]) -> Option<u64> {
    (!key.is_empty()).then(|| xxh3_64_with_seed(key, SEED) >> (64 - BITS))
}

/// The last 7 bytes of a trace id are its randomness, in W3C's form and in X-Ray's.
fn of_trace(key: &[u8]) -> Option<u64> {
    let digits = key.len().checked_sub(BITS as usize / 4);
    let tail = digits.and_then(|start| std::str::from_utf8(&key[start..]).ok());
    let randomness = tail
        .filter(|tail| tail.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|tail| u64::from_str_radix(tail, 16).ok());
    randomness.or_else(|| of_text(key))
}

/// Text by its decoded characters, all else by its JSON; null is no key.
fn of_json(raw: &[u8]) -> Option<u64> {
    match json::string_inside(raw) {
        Some(inside) => of_text(&json::unescape(inside)),
        None if raw == b"null" => None,
        None => of_text(raw),
    }
}

#[cfg(test)]
mod tests;
