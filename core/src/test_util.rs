//! Makers of records and batches, a virtual world and scripted sinks, for tests.

mod growing_sink;
mod made;
mod scripted_sink;
mod virtual_world;

pub use growing_sink::{GrowingSink, HELD_BYTES};
pub use made::{StillWorld, sink, transform};
pub use scripted_sink::{Answer, ScriptedSink, Seen};
pub use virtual_world::{START_MS, VirtualWorld};

use std::sync::Arc;

use crate::batch::{Batch, Origin, Record, Slice};
use crate::body::Body;
use crate::budget::Budget;
use crate::invocation::Slot;
use crate::json;
use crate::level::Level;

/// The instance id of made batches.
pub const INSTANCE: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

/// When made batches arrived: the time of their records.
const ARRIVED_MS: i64 = 1_773_480_413_589;

/// A batch of function records with these texts, in a budget of its own.
pub fn batch(texts: &[&str]) -> Batch {
    let values: Vec<String> = texts
        .iter()
        .map(|text| {
            let mut quoted = Vec::new();
            json::quote_into(text.as_bytes(), &mut quoted);
            String::from_utf8_lossy(&quoted).into_owned()
        })
        .collect();
    let rows: Vec<_> = values
        .iter()
        .map(|value| ("function", value.as_str(), None))
        .collect();
    batch_of(&Budget::new(64 << 20), &rows)
}

/// A batch of records given as (type, raw JSON value, level), charged to `budget`.
pub fn batch_of(budget: &Budget, rows: &[(&str, &str, Option<Level>)]) -> Batch {
    const TIME: &str = "2026-03-14T09:26:53.589Z";
    let mut bytes = TIME.as_bytes().to_vec();
    let mut ranges = Vec::new();
    for (kind, value, level) in rows {
        let kind_start = bytes.len();
        bytes.extend_from_slice(kind.as_bytes());
        let value_start = bytes.len();
        bytes.extend_from_slice(value.as_bytes());
        ranges.push((
            kind_start..value_start,
            value_start..bytes.len(),
            *kind,
            *level,
        ));
    }
    let charge = budget.charge_over(bytes.capacity());
    let (body, _) = Body::new(bytes, charge);
    let mut batch = Batch::new(Arc::new(body), INSTANCE, ARRIVED_MS);
    for (sequence, (kind, value, name, level)) in ranges.into_iter().enumerate() {
        batch.push(Record {
            sequence: sequence as u64,
            origin: match name {
                "function" => Origin::Function,
                "extension" => Origin::Extension,
                "unknown" => Origin::Unknown,
                _ => Origin::Platform,
            },
            fate: Default::default(),
            level,
            set_aside: false,
            as_line: false,
            embedded_metrics: false,
            invocation: Slot::NONE,
            time: Slice::of_body(0..TIME.len()),
            kind: Slice::of_body(kind),
            value: Slice::of_body(value),
            request_id: Slice::EMPTY,
            trace_id: Slice::EMPTY,
            span_id: Slice::EMPTY,
            attributes: Slice::EMPTY,
        });
    }
    batch.settle();
    batch
}
