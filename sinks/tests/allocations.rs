//! Encoding a request allocates for the request, never for a record: ten times as many records cost as many allocations.
//!
//! The connection fails, so that what is counted is the encoding and what it takes to fail. Does not prove anything about
//! compression, which holds one state.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tapline_core::batch::Lane;
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::level::Level;
use tapline_core::sink::{Call, Parcel, Selection, Sink, Verdict};
use tapline_core::test_util::{self, StillWorld};
use tapline_core::world::World as _;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Text as each runtime writes it, JSON as a value and in text, nested, without a message, and a platform event.
const RECORDS: [(&str, &str, Option<Level>); 6] = [
    (
        "function",
        r#""2026-01-02T03:04:05.123Z\t5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8\tINFO\torder 1234 of tenant 7 was paid in 250 ms, receipt sent to the address on file\n""#,
        Some(Level::Info),
    ),
    (
        "function",
        r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"INFO","message":"order was paid","requestId":"5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8","order":1234,"tenant":"7","took_ms":250.5,"ok":true}"#,
        Some(Level::Info),
    ),
    (
        "function",
        r#""{\"level\":\"WARN\",\"msg\":\"nested \\\"json\\\"\",\"n\":[1,2,3],\"map\":{\"a\":{\"b\":null}}}\n""#,
        Some(Level::Warn),
    ),
    ("function", r#"{"tenant":7,"tags":["a","b"]}"#, None),
    ("function", r#""plain text""#, None),
    (
        "platform.report",
        r#"{"requestId":"r","metrics":{"durationMs":1.5,"billedDurationMs":2}}"#,
        Some(Level::Info),
    ),
];

fn selection(budget: &Budget, records: usize) -> Selection {
    let rows: Vec<_> = RECORDS.iter().copied().cycle().take(records).collect();
    let batch = test_util::batch_of(budget, &rows);
    Selection::of_parcel(&Parcel {
        chosen: (0..records as u32).collect(),
        batch: Arc::new(batch),
        lane: Lane::Middle,
        weight: 1,
    })
}

fn deliver(sink: &mut dyn Sink, records: &Selection, budget: &Budget) {
    let facts = Facts::default();
    let call = Call {
        world: &StillWorld,
        budget,
        deadline: StillWorld.now() + Duration::from_secs(1),
        batch_id: "0123456789abcdef0123456789abcdef-0-6",
        facts: &facts,
    };
    let mut answer = sink.deliver(records, call);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(outcome) = answer.as_mut().poll(&mut context) else {
        panic!("nothing is waited for");
    };
    // Where a call is several requests, each record has a verdict of its own.
    let verdict = match outcome.exceptions.first() {
        Some((_, verdict)) if outcome.exceptions.len() == records.len() => verdict,
        _ => &outcome.verdict,
    };
    assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
}

/// Allocations and growths of one call, after one that filled what is kept.
fn allocations(kind: &str, config: &str, records: usize) -> usize {
    let budget = Budget::new(256 << 20);
    let mut sink = test_util::sink(tapline_sinks::kinds(), kind, config);
    let records = selection(&budget, records);
    deliver(&mut *sink, &records, &budget);
    let region = Region::new(GLOBAL);
    deliver(&mut *sink, &records, &budget);
    let change = region.change();
    change.allocations + change.reallocations
}

/// All in one test: the counter is that of the process.
#[test]
fn a_record_costs_no_allocation() {
    for (kind, config) in [
        (
            "otlp",
            "protocol = \"http/protobuf\"\ncompression = \"none\"",
        ),
        ("otlp", "protocol = \"http/json\"\ncompression = \"none\""),
        ("http", "url = \"http://logs.example\""),
        (
            "http",
            "url = \"http://logs.example\"\ncompression = \"gzip\"",
        ),
        (
            "cloudwatch",
            "group = \"g\"\nregion = \"eu-west-1\"\nendpoint = \"http://logs.example\"",
        ),
    ] {
        let (few, many) = (
            allocations(kind, config, 60),
            allocations(kind, config, 6_000),
        );
        // Buffers and lists of a large request double a few times. What became of each record of `cloudwatch` is noted
        // in a tree, six a node, since a part of them may be refused.
        let nodes = if kind == "cloudwatch" { 6_000 / 6 } else { 0 };
        assert!(
            many <= few + nodes + 8,
            "{kind}: {few} for 60 records, {many} for 6,000"
        );
    }
}
