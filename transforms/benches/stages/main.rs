//! What each transform and a whole pipeline cost, as multiples of the least that the same work can cost.
//!
//! `cargo bench -p tapline-transforms --bench stages`: a stage is held against one walk over the JSON of the same
//! records, and a pipeline against its own kernels put together by hand. Both run in turn; the least of many rounds and
//! their ratio are printed. Only ratios are judged, since a machine's speed is no property of the code: one above its
//! limit makes the exit code 1. For instructions a record: `valgrind --tool=callgrind --toggle-collect='*counted*'` with
//! the binary and `count NAME`: 100 rounds of 300 records, after those that fill the caches.

mod kit;
mod pipeline;

use std::hint::black_box;
use std::process::ExitCode;

use tapline_core::batch::Batch;
use tapline_core::json;
use tapline_core::transform::Transform;

use kit::{Kit, RECORDS_MAX, Sides, made, pair};

/// A stage, and how many walks over its records' JSON it may take: about 1.4 times what was measured.
struct Row {
    name: &'static str,
    kind: &'static str,
    config: &'static str,
    walks_max: f64,
}

const fn row(name: &'static str, kind: &'static str, config: &'static str, walks_max: f64) -> Row {
    Row {
        name,
        kind,
        config,
        walks_max,
    }
}

/// Five conditions, of which every record meets all.
const CONDITIONS: &str = r#"keep = 'type == "function" and not (.path starts_with "/health") and .user.tier in ["gold", "silver"] and (message contains "shipped" or message ~ "timed? ?out|refused") and not (.tags[1] == "noisy")'"#;

const ROWS: &[Row] = &[
    row("filter", "filter", CONDITIONS, 6.0),
    row("filter level", "filter", "keep = 'level >= info'", 0.5),
    row("sample rate", "sample", "rate = 0.5", 0.5),
    row("sample path", "sample", "rate = 0.5\nby = '.user.id'", 3.7),
    row(
        "sample limit",
        "sample",
        "limit = { rate = '1000000/s' }",
        3.5,
    ),
    row(
        "sample limit path",
        "sample",
        "limit = { rate = '1000000/s', by = '.path' }",
        3.5,
    ),
    row("enrich set", "enrich", "set = { team = 'payments' }", 0.7),
    row(
        "enrich set path",
        "enrich",
        "set = { '.team' = 'payments' }",
        4.6,
    ),
    row(
        "enrich template",
        "enrich",
        "set = { tier = '{.user.tier}' }",
        4.2,
    ),
    row(
        "enrich lookup",
        "enrich",
        "lookup = { by = '.user.tier', table = { gold = 'a', silver = 'b' }, into = 'class' }",
        4.0,
    ),
    row("enrich remove", "enrich", "remove = ['.tags']", 4.0),
    row(
        "enrich remove absent",
        "enrich",
        "remove = ['.absent', '.user.absent']",
        3.5,
    ),
    row(
        "enrich rename",
        "enrich",
        "rename = { '.elapsed_ms' = '.took', '.path' = '.route' }",
        10.0,
    ),
    row(
        "enrich rename absent",
        "enrich",
        "rename = { '.absent' = '.took', '.missing' = '.route' }",
        3.5,
    ),
    row("parse join", "parse", "", 1.2),
];

fn stage(kit: &Kit, row: &Row) -> Sides {
    let mut transform = made(kit, row.kind, row.config);
    transform.prepare();
    pair(
        || apply(kit, &mut *transform),
        || {
            let batch = kit.batch.fork();
            walk(&batch);
        },
    )
}

fn apply(kit: &Kit, transform: &mut dyn Transform) {
    let mut output = Vec::with_capacity(4);
    transform.apply(kit.batch.fork(), &kit.context(), &mut output);
    black_box(output);
}

fn walk(batch: &Batch) {
    for record in batch.records() {
        let value = batch.bytes(record.value);
        black_box(json::skip_value(black_box(value), 0)).expect("it is JSON");
    }
}

#[inline(never)]
fn counted(mut work: impl FnMut()) {
    (0..100).for_each(|_| work());
}

/// Runs one row for a counter of instructions.
fn count(name: &str) -> ExitCode {
    let kit = Kit::new();
    if name == "walk" {
        counted(|| walk(&kit.batch.fork()));
        return ExitCode::SUCCESS;
    }
    if let Some(row) = ROWS.iter().find(|row| row.name == name) {
        let mut transform = made(&kit, row.kind, row.config);
        transform.prepare();
        apply(&kit, &mut *transform);
        counted(|| apply(&kit, &mut *transform));
        return ExitCode::SUCCESS;
    }
    match pipeline::side(name, &kit) {
        Some(mut side) => {
            side();
            counted(side);
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    if let Some(place) = words.iter().position(|word| word == "count") {
        return count(words.get(place + 1).map_or("walk", String::as_str));
    }
    let kit = Kit::new();
    let mut held = true;
    for row in ROWS {
        held &= judged(row.name, "one walk", row.walks_max, || stage(&kit, row));
    }
    for part in pipeline::PARTS {
        held &= judged(part.name, part.against, part.ratio_max, || {
            pipeline::measure(part, &kit)
        });
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Measures until the ratio is low enough, up to eight times: what others do on the machine only makes it worse.
fn judged(name: &str, against: &str, ratio_max: f64, measure: impl Fn() -> Sides) -> bool {
    let mut best: Option<Sides> = None;
    for _ in 0..8 {
        let sides = measure();
        if best
            .as_ref()
            .is_none_or(|known| sides.ratio() < known.ratio())
        {
            best = Some(sides);
        }
        if best.as_ref().is_some_and(|best| best.ratio() <= ratio_max) {
            break;
        }
    }
    let Some(best) = best else { return false };
    let per_record = |time: std::time::Duration| time.as_secs_f64() * 1e9 / RECORDS_MAX as f64;
    let verdict = if best.ratio() <= ratio_max {
        ""
    } else {
        "  TOO MUCH"
    };
    println!(
        "{name:22} {:7.0} ns a record, {against} {:7.0} ns, ratio {:5.2} (at most {ratio_max:.2}), {:.2} M records/s{verdict}",
        per_record(best.ours),
        per_record(best.limit),
        best.ratio(),
        1e3 / per_record(best.ours),
    );
    best.ratio() <= ratio_max
}
