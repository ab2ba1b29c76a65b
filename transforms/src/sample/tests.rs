use super::*;
use crate::test_kit::{Kit, attributes as rendered, problems};
use tapline_core::level::Level;

fn with_ids(kit: &Kit, count: usize) -> Batch {
    let mut batch = kit.batch(&vec![("function", r#""line""#, Some(Level::Info)); count]);
    for position in 0..count {
        let id = batch.keep(format!("{position:08x}-0000-4000-8000-000000000000").as_bytes());
        batch.records_mut()[position].request_id = id;
    }
    batch
}

fn kept(config: &str, count: usize) -> Vec<bool> {
    let kit = Kit::new();
    let batch = kit.run(&KIND, config, with_ids(&kit, count));
    let live = batch
        .records()
        .iter()
        .map(|record| record.fate == Fate::Live);
    live.collect()
}

/// Instances of different versions must agree, so these numbers never change.
#[test]
fn the_hash_is_frozen() {
    assert_eq!(
        of_text(b"8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        Some(GOLDEN)
    );
    assert_eq!(
        of_trace(b"5759e988bd862e3fe1be46a994272793"),
        Some(0x00be_46a9_9427_2793)
    );
    assert_eq!(of_text(b""), None);
    assert_eq!(of_json(b"null"), None);
    assert_eq!(of_json(br#""\u0041b""#), of_text(b"Ab"));
}

const GOLDEN: u64 = 56_389_730_141_165_333;

#[test]
fn a_lower_rate_keeps_part_of_what_a_higher_rate_keeps() {
    let rates = ["0", "0.01", "0.05", "0.5", "0.9", "1"];
    let all: Vec<Vec<bool>> = rates
        .iter()
        .map(|rate| kept(&format!("rate = {rate}"), 10_000))
        .collect();
    for pair in all.windows(2) {
        assert!(
            pair[0]
                .iter()
                .zip(&pair[1])
                .all(|(low, high)| !low || *high)
        );
    }
    assert!(all[0].iter().all(|kept| !kept) && all[5].iter().all(|kept| *kept));
}

/// Five standard deviations of a binomial share.
#[test]
fn the_share_kept_is_the_rate() {
    for rate in [0.05_f64, 0.25, 0.5] {
        let share = kept(&format!("rate = {rate}"), 10_000);
        let share = share.into_iter().filter(|kept| *kept).count() as f64;
        let deviation = (10_000.0 * rate * (1.0 - rate)).sqrt();
        assert!(
            (share - 10_000.0 * rate).abs() < 5.0 * deviation,
            "{rate}: {share}"
        );
    }
}

#[test]
fn what_keep_names_stays_without_a_weight() {
    let kit = Kit::new();
    let mut batch = with_ids(&kit, 2);
    batch.records_mut()[1].level = Some(Level::Error);
    let batch = kit.run(&KIND, "rate = 0\nkeep = 'level >= warn'", batch);
    assert_eq!(batch.records()[0].fate, Fate::Sampled);
    assert_eq!(batch.records()[1].fate, Fate::Live);
    assert!(batch.records()[1].attributes.is_empty());
}

#[test]
fn a_record_without_the_key_is_kept_and_counted() {
    let kit = Kit::new();
    let batch = kit.run(&KIND, "rate = 0", kit.one(r#""x""#));
    assert_eq!(batch.records()[0].fate, Fate::Live);
    assert_eq!(kit.ledger.sample_key_missing.get(), 1);
    let config = "rate = 0\nby = '.user.id'";
    kit.run(&KIND, config, kit.one(r#"{"user":{"id":null}}"#));
    assert_eq!(kit.ledger.sample_key_missing.get(), 2);
    let batch = kit.run(&KIND, config, kit.one(r#"{"user":{"id":7}}"#));
    assert_eq!(batch.records()[0].fate, Fate::Sampled);
}

#[test]
fn platform_events_and_metric_lines_are_left_alone() {
    let kit = Kit::new();
    let rows = [("platform.start", "{}", None), ("function", "{}", None)];
    let mut batch = kit.batch(&rows);
    batch.records_mut()[1].embedded_metrics = true;
    let batch = kit.run(&KIND, "rate = 0", batch);
    assert!(
        batch
            .records()
            .iter()
            .all(|record| record.fate == Fate::Live)
    );
    assert_eq!(kit.ledger.sample_key_missing.get(), 0);
}

#[test]
fn chance_leaves_a_weight_and_nested_stages_the_larger_one() {
    let kit = Kit::new();
    let batch = kit.run(&KIND, "rate = 0.5", with_ids(&kit, 200));
    let batch = kit.run(&KIND, "rate = 0.05", batch);
    let batch = kit.run(&KIND, "rate = 0.5", batch);
    let live: Vec<&Record> = batch
        .records()
        .iter()
        .filter(|record| record.fate == Fate::Live)
        .collect();
    assert!(!live.is_empty());
    for record in live {
        assert_eq!(rendered(&batch, record), r#""sample_weight":20"#);
    }
}

#[test]
fn what_is_not_there_yet_is_said() {
    for key in ["tail", "limit"] {
        let lines = problems(&KIND, &format!("rate = 0.5\n{key} = {{ rate = 1 }}"));
        assert!(lines[0].contains("not in this version"), "{lines:?}");
    }
    assert!(problems(&KIND, "rate = 2")[0].contains("rate"));
    assert!(problems(&KIND, "")[0].contains("`rate`"));
    assert!(problems(&KIND, "rate = 1\nby = 'user'")[0].contains("no key to sample by"));
}
