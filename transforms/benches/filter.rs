//! What a filter with five conditions costs, as a multiple of one walk over the same JSON.
//!
//! `cargo bench -p tapline-transforms --bench filter`: both are run in turn; the least of many rounds and their ratio
//! are printed. Only the ratio is judged, since a machine's speed is no property of the code: above [`RATIO_MAX`] the
//! exit code is 1. For instructions a record: `valgrind --tool=callgrind --toggle-collect='*filter_rounds*'` with the
//! binary and `count`: 100 rounds of 300 records.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tapline_core::batch::Batch;
use tapline_core::budget::Budget;
use tapline_core::expr::{Expression, Names, Unlike};
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::json;
use tapline_core::test_util;
use tapline_core::view::{Scratch, Surroundings, View};

/// The filter may take as long as this many walks.
const RATIO_MAX: f64 = 7.0;

/// Rounds of each kind; the least of them counts.
const ROUNDS: usize = 400;

const CONDITION: &str = r#"type == "function" and not (.path starts_with "/health") and .user.tier in ["gold", "silver"] and (message contains "shipped" or message ~ "timed? ?out|refused") and not (.tags[1] == "noisy")"#;

/// Lines of 250 bytes as loggers write them: an object, text that holds one, and an object whose message is escaped.
const RECORDS: [&str; 3] = [
    r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"INFO","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","message":"order 1234 shipped to the customer","path":"/orders/1234","user":{"id":77,"tier":"gold"},"tags":["a","b"],"elapsed_ms":12.5,"ok":true}"#,
    r#""{\"level\":\"INFO\",\"requestId\":\"8476a536-e9f4-11e8-9739-2dfe598c3fcd\",\"message\":\"order 1234 shipped to the customer\",\"path\":\"/orders/1234\",\"user\":{\"id\":77,\"tier\":\"gold\"},\"tags\":[\"a\",\"b\"],\"ok\":true}\n""#,
    r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"WARN","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","message":"the \"slow\" backend timed out\nagain","path":"/orders/1234","user":{"id":77,"tier":"silver"},"tags":["a","b"],"elapsed_ms":1200,"ok":false}"#,
];

/// The least time of a round in which the condition looks at every record, and holds for it.
#[inline(never)]
fn filter_rounds(condition: &Expression, batch: &Batch, rounds: usize) -> Duration {
    let (facts, invocations) = (Facts::default(), Invocations::default());
    let scratch = Scratch::default();
    let around = Surroundings {
        facts: &facts,
        invocations: &invocations,
        scratch: &scratch,
    };
    let mut unlike = Unlike::default();
    let round = || {
        let mut held = 0;
        for record in batch.records() {
            let view = View::new(batch, record, around);
            held += usize::from(condition.matches(black_box(&view), &mut unlike));
        }
        assert_eq!(held, batch.records().len(), "every condition is evaluated");
    };
    least(rounds, round)
}

#[inline(never)]
fn walk_rounds(batch: &Batch, rounds: usize) -> Duration {
    least(rounds, || {
        for record in batch.records() {
            let value = batch.bytes(record.value);
            black_box(json::skip_value(black_box(value), 0)).expect("it is JSON");
        }
    })
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn least(rounds: usize, mut round: impl FnMut()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        round();
        start.elapsed()
    };
    (0..rounds).map(time).min().unwrap_or_default()
}

fn main() -> ExitCode {
    let names = Names { env: &[] };
    let condition = Expression::parse(CONDITION, &names).expect("the condition is right");
    let rows: Vec<_> = RECORDS
        .iter()
        .cycle()
        .take(300)
        .map(|raw| ("function", *raw, None))
        .collect();
    let batch = test_util::batch_of(&Budget::new(16 << 20), &rows);
    if std::env::args().any(|word| word == "count") {
        filter_rounds(&condition, &batch, 100);
        return ExitCode::SUCCESS;
    }
    let mut best = f64::MAX;
    for _ in 0..8 {
        let filter = filter_rounds(&condition, &batch, ROUNDS);
        let walk = walk_rounds(&batch, ROUNDS);
        let ratio = filter.as_secs_f64() / walk.as_secs_f64();
        best = best.min(ratio);
        println!(
            "a filter with five conditions: {:.0} ns a record, one walk over its JSON {:.0} ns, ratio {ratio:.2} \
             (at most {RATIO_MAX:.1})",
            filter.as_secs_f64() * 1e9 / 300.0,
            walk.as_secs_f64() * 1e9 / 300.0,
        );
        if best <= RATIO_MAX {
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::FAILURE
}
