//! An unchanged record costs no allocation, whatever form it has.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tapline_core::batch::Batch;
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::level::Level;
use tapline_core::platform::PlatformEvent;
use tapline_core::port::Identity;
use tapline_core::test_util::{self, StillWorld};
use tapline_core::transform::{Context, Transform};
use tapline_core::view::Scratch;

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn made(kind: &str, config: &str) -> Box<dyn Transform> {
    let key = "0123456789abcdef0123456789abcdef";
    let environment = |name: &str| (name == "PII_KEY").then(|| key.to_owned());
    let (kinds, facts) = (tapline_transforms::kinds(), Facts::default());
    test_util::transform(kinds, kind, config, &environment, &facts)
}

const RECORDS: [&str; 7] = [
    r#"{"level":"INFO","message":"order 1234 shipped","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd"}"#,
    r#""plain text with a newline\n""#,
    r#""{\"level\":\"INFO\",\"message\":\"nested \\\"json\\\"\",\"n\":[1,2,3]}\n""#,
    r#""C:\\users\\nobody caf\u00e9""#,
    r#"{"n":1700000000000,"a":[{"b\u0041":null}],"u":"a.b.c/4 5"}"#,
    r#""looks like 1234-5678-9012-3 and a:b@c""#,
    "[1,2,3]",
];

/// Allocations of one run over the batch, after runs that filled every cache.
fn allocations(kind: &str, config: &str) -> usize {
    let mut transform = made(kind, config);
    let (budget, identity) = (Budget::new(1 << 20), Identity::new(test_util::INSTANCE));
    let rows: Vec<_> = RECORDS.iter().map(|raw| ("function", *raw, None)).collect();
    let mut batch: Batch = test_util::batch_of(&budget, &rows);
    let (facts, invocations) = (Facts::default(), Invocations::default());
    let (ledger, scratch) = (Ledger::default(), Scratch::default());
    let context = Context {
        world: &StillWorld,
        facts: &facts,
        invocations: &invocations,
        identity: &identity,
        budget: &budget,
        ledger: &ledger,
        scratch: &scratch,
    };
    let mut output = Vec::with_capacity(4);
    let mut run = |batch| {
        transform.apply(batch, &context, &mut output);
        output.pop().expect("a batch comes out")
    };
    for _ in 0..3 {
        batch = run(batch);
    }
    let region = Region::new(GLOBAL);
    batch = run(batch);
    let change = region.change();
    for (record, raw) in batch.records().iter().zip(RECORDS) {
        assert_eq!(batch.bytes(record.value), raw.as_bytes());
    }
    change.allocations + change.reallocations
}

/// One test, since the allocator counts for all threads.
#[test]
fn records_that_stay_cost_no_allocation() {
    for action in ["label", "mask", "remove", "partial", "hash"] {
        let redact = format!(
            "rules = ['@all']\nkeys = ['*_token']\nallow = ['never']\naction = '{action}'\n\
             hash_key = {{ env = 'PII_KEY' }}"
        );
        assert_eq!(allocations("redact", &redact), 0, "{action}");
    }
    assert_eq!(allocations("redact", "rules = ['@all']\nmode = 'audit'"), 0);
    let redact = "rules = ['@all']\nkeys = ['password', '*_token', 'user.ssn']";
    assert_eq!(allocations("redact", redact), 0);
    let anchored = "custom = [{ id = 'c', regex = '^CUS-\\d+$' }]";
    assert_eq!(allocations("redact", anchored), 0);
    assert_eq!(allocations("filter", "keep = 'level >= info'"), 0);
    // Paths, a message and regexes, also where they have to be decoded.
    let asking = "drop = '.u == \"x\" or message ~ \"^never$\" or message ~ \"^ever$\" or .message contains \"no such\" or .n == 5'";
    assert_eq!(allocations("filter", asking), 0);
    assert_eq!(allocations("parse", "continue = '^never$'"), 0);
    assert_eq!(
        allocations("parse", "start = '.'\nmax_lines = 2\nwait = '0s'"),
        0
    );
    // Text that is in no such format; none of the records holds a pair or is one object in text.
    for format in ["logfmt", "key_value"] {
        let parse = format!("join = false\nformat = '{format}'");
        assert_eq!(allocations("parse", &parse), 0, "{format}");
    }
    assert_eq!(allocations("sample", "rate = 0.5"), 0);
    for by in ["trace_id", ".n", ".message"] {
        let sample = format!("rate = 1\nby = '{by}'");
        assert_eq!(allocations("sample", &sample), 0, "{by}");
        let limit = format!("limit = {{ rate = '1000000/s', by = '{by}' }}");
        assert_eq!(allocations("sample", &limit), 0, "limit by {by}");
    }
    let limited = "keep = 'level >= warn'\nlimit = { rate = '1000000/s' }";
    assert_eq!(allocations("sample", limited), 0);
    let limited =
        "rate = 0.5\ntail = { keep = 'failed' }\nlimit = { rate = '1000000/s', by = '.message' }";
    assert_eq!(allocations("sample", limited), 0);
    holding_costs_stores_and_nothing_for_a_record();
    let enrich = "remove = ['.absent', 'absent']\nrename = { '.absent' = 'b', absent = '.c' }\n\
                  lookup = { by = '.n', table = { absent = 'x' }, into = 'y' }";
    assert_eq!(allocations("enrich", enrich), 0);
    // Templates that render empty, and a place that is none in any record.
    let set = "set = { a = '{.absent}', '.b' = '{xray_trace_id}', '.c.d' = '{.absent.x}' }";
    assert_eq!(allocations("enrich", set), 0);
    let set = "set = { a = 'x' }\nremove = ['.absent']\nrename = { '.absent' = '.b' }";
    assert_eq!(allocations("enrich", set), 0, "an attribute that stands");
    let lookup = "lookup = { by = 'message', table = { absent = 'x' }, into = '.y' }";
    assert_eq!(allocations("enrich", lookup), 0);
}

/// 2,000 lines are copied into stores that double: a few allocations a store, none a line.
fn holding_costs_stores_and_nothing_for_a_record() {
    let mut transform = made("sample", "rate = 0.5\ntail = { keep = 'failed' }");
    let (budget, identity) = (Budget::new(16 << 20), Identity::new(test_util::INSTANCE));
    let rows = vec![("function", RECORDS[0], Some(Level::Info)); 2_000];
    let mut batch = test_util::batch_of(&budget, &rows);
    let mut invocations = Invocations::new(false, true);
    invocations.observe(&PlatformEvent::Start {
        request_id: "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned(),
        trace: None,
    });
    let slot = invocations.current();
    let records = batch.records_mut().iter_mut();
    records.for_each(|record| record.invocation = slot);
    let facts = Facts::default();
    let (ledger, scratch) = (Ledger::default(), Scratch::default());
    let context = Context {
        world: &StillWorld,
        facts: &facts,
        invocations: &invocations,
        identity: &identity,
        budget: &budget,
        ledger: &ledger,
        scratch: &scratch,
    };
    let mut output = Vec::new();
    let region = Region::new(GLOBAL);
    transform.apply(batch, &context, &mut output);
    let change = region.change();
    assert_eq!((output.len(), transform.holding().held), (0, 2_000));
    let allocations = change.allocations + change.reallocations;
    assert!(allocations < 80, "{allocations}");
}
