//! Sampling over processes: what decides is the key alone, not the process that looks at it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::command_line::{ledger, run};
use crate::backend::Line;
use crate::traffic::Random;

/// Keys, and records of each.
const KEYS: usize = 300;
const RECORDS_PER_KEY: usize = 4;

fn input() -> Vec<u8> {
    let mut random = Random::seeded(7);
    let mut text = Vec::new();
    let hex = |random: &mut Random| format!("{:016x}{:016x}", random.number(), random.number());
    let keys: Vec<(String, String, u64)> = (0..KEYS)
        .map(|_| {
            let id = hex(&mut random);
            let id = format!(
                "{}-{}-4{}-8{}-{}",
                &id[..8],
                &id[8..12],
                &id[13..16],
                &id[17..20],
                &id[20..]
            );
            (id, hex(&mut random), random.below(1_000_000_000))
        })
        .collect();
    for number in 0..KEYS * RECORDS_PER_KEY {
        let (request, trace, user) = &keys[number % KEYS];
        let record =
            json!({ "requestId": request, "trace_id": trace, "user": { "id": user }, "n": number });
        let element =
            json!({ "time": "2026-11-23T12:00:00.000Z", "type": "function", "record": record });
        text.extend_from_slice(format!("{element}\n").as_bytes());
    }
    text
}

/// The numbers of the records that one process of Tapline keeps, with their weights.
fn kept(by: &str, rates: &[&str], input: &[u8]) -> BTreeMap<u64, Value> {
    let stages = rates
        .iter()
        .map(|rate| format!("[[transform]]\ntype = \"sample\"\nrate = {rate}\nby = \"{by}\"\n"));
    let config = format!(
        "{}[sink.out]\ntype = \"console\"\n",
        stages.collect::<String>()
    );
    let output = run(&config, input);
    let lines = String::from_utf8(output.stdout.clone()).expect("lines are text");
    let kept: BTreeMap<u64, Value> = lines
        .lines()
        .map(|line| {
            let line = Line::parse(line);
            let number = line.value()["n"].as_u64().expect("it is one of ours");
            (number, line.attributes["sample_weight"].clone())
        })
        .collect();
    let ledger = ledger(&output);
    assert_eq!(ledger.of("out", "delivered"), kept.len() as u64);
    assert_eq!(ledger.count("sample_key_missing"), 0);
    kept
}

/// By each kind of key: a process with a lower rate keeps part of what another one with a higher rate keeps, all records
/// of a key or none, with the weight of its rate; and a chain of both rates keeps what the lower one does.
#[test]
fn what_processes_keep_nests_by_every_key() {
    let input = input();
    for by in ["request_id", "trace_id", ".user.id"] {
        let low = kept(by, &["0.2"], &input);
        let high = kept(by, &["0.5"], &input);
        assert!(low.keys().all(|number| high.contains_key(number)), "{by}");
        for (kept, share, weight) in [(&low, 0.2, 5.0), (&high, 0.5, 2.0)] {
            let keys: BTreeSet<u64> = kept.keys().map(|n| n % KEYS as u64).collect();
            assert_eq!(
                kept.len(),
                keys.len() * RECORDS_PER_KEY,
                "{by}: a key shares a fate"
            );
            let mean = KEYS as f64 * share;
            let deviation = (mean * (1.0 - share)).sqrt();
            let off = (keys.len() as f64 - mean).abs();
            assert!(off < 5.0 * deviation, "{by}: {} keys", keys.len());
            let right = |found: &Value| found.as_f64() == Some(weight);
            assert!(kept.values().all(right), "{by}: {kept:?}");
        }
        assert_eq!(kept(by, &["0.5", "0.2"], &input), low, "{by}");
    }
}
