//! `limit`: what goes on, what is summed up, and when.

use super::*;
use crate::test_kit::value;

fn lines(kit: &Kit, text: &str, count: usize) -> Batch {
    kit.batch(&vec![("function", text, Some(Level::Info)); count])
}

fn live(batches: &[Batch]) -> usize {
    let records = batches.iter().flat_map(|batch| batch.records());
    let lines = records.filter(|record| record.origin != Origin::Tapline);
    lines.filter(|record| record.fate == Fate::Live).count()
}

fn summaries(batches: &[Batch]) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    for batch in batches {
        for record in batch.records() {
            if record.origin == Origin::Tapline {
                assert_eq!(batch.bytes(record.kind), b"tapline.summary");
                assert_eq!(record.lane(), Lane::High);
                found.push(serde_json::from_str(value(batch, record)).unwrap());
            }
        }
    }
    found
}

fn due(transform: &dyn Transform) -> Option<u64> {
    transform.holding().due.map(|due| due.0 / 1_000_000)
}

fn expired(kit: &Kit, transform: &mut dyn Transform) -> Vec<Batch> {
    let mut output = Vec::new();
    transform.expire(&kit.context(), &mut output);
    output
}

#[test]
fn each_key_has_its_own_allowance_and_what_is_beyond_it_is_summed_up() {
    let kit = Kit::new();
    kit.clock.set_ms(5_000);
    let mut sample = made(&KIND, "limit = { rate = '10/s' }");
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#""one\n""#, 8))),
        8
    );
    assert_eq!(
        sample.holding(),
        Holding::default(),
        "no timer while nothing was suppressed"
    );
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#"{"message":"one"}"#, 8))),
        2
    );
    kit.clock.set_ms(5_050);
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#"{"msg":"\u0074wo"}"#, 11))),
        10
    );
    assert_eq!(due(&*sample), Some(15_000));
    kit.clock.set_ms(14_999);
    assert!(expired(&kit, &mut *sample).is_empty(), "just under");
    kit.clock.set_ms(15_000);
    let told = summaries(&expired(&kit, &mut *sample));
    let summary = |count: u64, key: &str, first: &str| {
        serde_json::json!({
            "suppressed": count, "rate": "10/s", "by": "message", "key": key, "first": first, "last": first
        })
    };
    assert_eq!(
        told,
        [
            summary(6, "one", "1970-01-01T00:00:05.000Z"),
            summary(1, "two", "1970-01-01T00:00:05.050Z"),
        ]
    );
    assert_eq!((sample.holding().made, due(&*sample)), (2, None));
    assert!(expired(&kit, &mut *sample).is_empty(), "told once");
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#""one""#, 20))),
        10,
        "whole again"
    );
    let mut output = Vec::new();
    sample.release(&kit.context(), &mut output);
    assert_eq!(summaries(&output)[0]["suppressed"], 10);
}

/// A summary leaves with the flush at the end of the invocation.
#[test]
fn the_end_of_an_invocation_sums_up() {
    let mut kit = Kit::new();
    let mut sample = made(&KIND, "limit = { rate = '1/h', by = 'type' }");
    assert!(summaries(&kit.apply_all(&mut *sample, lines(&kit, "{}", 3))).is_empty());
    super::tail::start(&mut kit, "a");
    assert!(summaries(&kit.apply_all(&mut *sample, lines(&kit, "{}", 1))).is_empty());
    super::tail::done(&mut kit, "a", "success", 5.0);
    let output = kit.apply_all(&mut *sample, lines(&kit, "{}", 1));
    assert_eq!(summaries(&output)[0]["suppressed"], 4);
    assert_eq!(
        output.last().unwrap().records()[0].sequence,
        0,
        "ids come from the one source of them"
    );
}

#[test]
fn what_keep_names_is_not_limited_and_what_lacks_the_key_is_counted() {
    let kit = Kit::new();
    let config = "keep = 'level >= warn'\nlimit = { rate = '1/h', by = '.route' }";
    let mut sample = made(&KIND, config);
    let mut batch = kit.batch(&[("function", r#"{"route":"/"}"#, Some(Level::Error)); 5]);
    batch.records_mut()[4].level = None;
    assert_eq!(
        live(&kit.apply_all(&mut *sample, batch)),
        5,
        "the first without `keep` takes the allowance"
    );
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#"{"route":"/"}"#, 3))),
        0
    );
    assert_eq!(
        live(&kit.apply_all(&mut *sample, lines(&kit, r#"{"route":null}"#, 3))),
        3
    );
    assert_eq!(kit.ledger.sample_key_missing.get(), 3);
    let mut metrics = lines(&kit, r#"{"route":"/","_aws":{}}"#, 3);
    metrics
        .records_mut()
        .iter_mut()
        .for_each(|record| record.embedded_metrics = true);
    assert_eq!(live(&kit.apply_all(&mut *sample, metrics)), 3);
}

/// The rate comes first: what it leaves out takes nothing from the allowance.
#[test]
fn the_limit_applies_last() {
    let kit = Kit::new();
    let mut sample = made(&KIND, "rate = 0.5\nlimit = { rate = '50/s' }");
    let output = kit.apply_all(&mut *sample, with_ids(&kit, 1_000));
    assert_eq!(live(&output), 50);
    assert!(
        output[0]
            .records()
            .iter()
            .filter(|record| record.fate == Fate::Live)
            .all(|record| { rendered(&output[0], record) == r#""sample_weight":2"# })
    );
}

/// 33 keys: the last of them and all further ones share a summary that names none.
#[test]
fn summaries_are_bounded_in_number_and_length() {
    let kit = Kit::new();
    let mut sample = made(&KIND, "limit = { rate = '1/h' }");
    let texts: Vec<String> = (0..40)
        .map(|n| format!("\"{n} {}é\"", "x".repeat(252)))
        .collect();
    let rows: Vec<_> = texts
        .iter()
        .map(|text| ("function", text.as_str(), None))
        .collect();
    for _ in 0..3 {
        kit.apply_all(&mut *sample, kit.batch(&rows));
    }
    let mut output = Vec::new();
    sample.release(&kit.context(), &mut output);
    let told = summaries(&output);
    assert_eq!(told.len(), 33);
    assert_eq!(
        told[0]["key"],
        format!("0 {}é", "x".repeat(252)),
        "256 bytes, just under"
    );
    assert_eq!(
        told[10]["key"],
        format!("10 {}", "x".repeat(252)),
        "cut between characters"
    );
    assert_eq!(
        (&told[32]["key"], &told[32]["suppressed"]),
        (&serde_json::Value::Null, &16.into())
    );
    let all: u64 = told
        .iter()
        .map(|summary| summary["suppressed"].as_u64().unwrap())
        .sum();
    assert_eq!(all, 80);
}

/// More keys than the table has places: the forgotten ones are counted.
#[test]
fn forgotten_keys_are_counted() {
    let kit = Kit::new();
    let mut sample = made(&KIND, "limit = { rate = '1/h' }");
    let texts: Vec<String> = (0..2_000).map(|n| format!("\"{n}\"")).collect();
    let rows: Vec<_> = texts
        .iter()
        .map(|text| ("function", text.as_str(), None))
        .collect();
    assert_eq!(live(&kit.apply_all(&mut *sample, kit.batch(&rows))), 2_000);
    let evicted = kit.ledger.limit_evicted.get();
    assert!((976..1_200).contains(&evicted), "{evicted}");
}
