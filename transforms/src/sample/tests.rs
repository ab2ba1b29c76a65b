use super::*;
use crate::test_kit::{Kit, attributes as rendered, made, problems};
use tapline_core::level::Level;

#[path = "tests/limit.rs"]
mod limit;
#[path = "tests/model.rs"]
mod model;
#[path = "tests/tail.rs"]
mod tail;

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

#[test]
fn a_lower_rate_keeps_part_of_what_a_higher_rate_keeps() {
    let rates = [
        "0", "0.001", "0.01", "0.02", "0.05", "0.1", "0.25", "0.3", "0.5", "0.75", "0.9", "0.99",
        "1",
    ];
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
    assert!(all[0].iter().all(|kept| !kept) && all[12].iter().all(|kept| *kept));
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
fn what_cannot_be_is_said_at_load() {
    for (config, said) in [
        ("rate = 2", "rate"),
        ("", "lacks the key `rate`"),
        ("tail = { keep = 'failed' }", "lacks the key `rate`"),
        ("rate = 1\nby = 'user'", "no key to sample by"),
        ("rate = 1\nby = '.a..b'", "key is missing"),
        ("rate = 1\nlimit = { rate = 500 }", "string"),
        ("rate = 1\nlimit = { rate = '500' }", "no rate"),
        (
            "rate = 1\nlimit = { by = 'message' }",
            "lacks the key `rate`",
        ),
        (
            "rate = 1\nlimit = { rate = '5/s', by = 'mesage' }",
            "no name `mesage`",
        ),
        ("rate = 1\nlimit = 5", "table"),
        ("rate = 1\ntail = {}", "lacks the key `keep`"),
        (
            "rate = 1\ntail = { keep = 'level >= warn' }",
            "`level` belongs to a record",
        ),
        (
            "rate = 1\ntail = { keep = '.a == 1' }",
            "a path reads a record",
        ),
        (
            "rate = 1\ntail = { keep = 'failed', context = 10001 }",
            "from 0 to 10000",
        ),
        (
            "rate = 1\ntail = { keep = 'failed', memory = '63KiB' }",
            "from 64KiB to 1GiB",
        ),
        (
            "rate = 1\ntail = { keep = 'failed', max_wait = '16m' }",
            "from 1s to 15m",
        ),
    ] {
        let lines = problems(&KIND, config);
        assert!(lines[0].contains(said), "{config}: {lines:?}");
    }
    // The kit has 16 MiB.
    let lines = problems(
        &KIND,
        "rate = 1\ntail = { keep = 'failed', memory = '9MiB' }",
    );
    assert!(lines[0].contains("they get 8MiB"), "{lines:?}");
    made(
        &KIND,
        "rate = 1\ntail = { keep = 'failed', memory = '8MiB' }",
    );
    made(&KIND, "limit = { rate = '5/s' }");
}

/// Pearson's test with 255 degrees of freedom: the sum lies within five standard deviations of its mean. Keys as they
/// are in practice: UUIDs, X-Ray's trace ids (whose first digits are the time), numbers of customers.
#[test]
fn the_bits_of_keys_are_uniform() {
    let mut random = seeded(1);
    let mut uuid = || {
        let (high, low) = (random(), random());
        let text = format!("{high:016x}{low:016x}");
        let (a, b, c, d, e) = (
            &text[..8],
            &text[8..12],
            &text[13..16],
            &text[17..20],
            &text[20..],
        );
        key::of_text(format!("{a}-{b}-4{c}-8{d}-{e}").as_bytes())
    };
    assert_uniform(|_| uuid());
    let mut random = seeded(2);
    assert_uniform(|n| {
        let seconds = 0x5759_e988 + n / 10;
        let (high, low) = (random() as u32, random());
        key::of_trace(format!("{seconds:08x}{high:08x}{low:016x}").as_bytes())
    });
    assert_uniform(|n| key::of_text((100_000 + n).to_string().as_bytes()));
}

fn assert_uniform(mut bits: impl FnMut(u64) -> Option<u64>) {
    const KEYS: u64 = 200_000;
    let mut first = [0_u64; 256];
    let mut middle = [0_u64; 256];
    for n in 0..KEYS {
        let bits = bits(n).unwrap();
        assert!(bits < 1 << 56);
        first[(bits >> 48) as usize] += 1;
        middle[(bits >> 24 & 0xff) as usize] += 1;
    }
    for counts in [first, middle] {
        let expected = KEYS as f64 / 256.0;
        let square = |count: u64| (count as f64 - expected).powi(2) / expected;
        let sum: f64 = counts.into_iter().map(square).sum();
        assert!((sum - 255.0).abs() < 5.0 * 510_f64.sqrt(), "{sum}");
    }
}

/// The weights of what was kept add up to what there was.
#[test]
fn weights_add_up_to_all_records() {
    for rate in [0.3_f64, 0.05] {
        let kit = Kit::new();
        let batch = kit.run(&KIND, &format!("rate = {rate}"), with_ids(&kit, 20_000));
        let live = batch
            .records()
            .iter()
            .filter(|record| record.fate == Fate::Live);
        let weights = live.map(|record| {
            let attributes = rendered(&batch, record);
            let weight = attributes.strip_prefix(r#""sample_weight":"#).unwrap();
            weight.parse::<f64>().unwrap()
        });
        let sum: f64 = weights.sum();
        let deviation = (20_000.0 * (1.0 - rate) / rate).sqrt();
        assert!((sum - 20_000.0).abs() < 5.0 * deviation, "{rate}: {sum}");
    }
}

pub(super) fn seeded(seed: u64) -> impl FnMut() -> u64 {
    let mut turn = 0_u64;
    move || {
        turn += 1;
        xxhash_rust::xxh3::xxh3_64_with_seed(&turn.to_le_bytes(), seed)
    }
}
