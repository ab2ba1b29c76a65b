//! `tail`, case by case.

use super::*;
use tapline_core::invocation::Invocations;
use tapline_core::platform::{PlatformEvent, Status};

pub fn start(kit: &mut Kit, id: &str) {
    kit.invocations.observe(&PlatformEvent::Start {
        request_id: id.to_owned(),
        trace: None,
    });
}

pub fn done(kit: &mut Kit, id: &str, status: &str, duration_ms: f64) {
    kit.invocations.observe(&PlatformEvent::RuntimeDone {
        request_id: id.to_owned(),
        status: Status::from_word(status),
        duration_ms: Some(duration_ms),
        time_ms: None,
    });
}

/// Lines of an invocation: the level by its first letter.
pub fn lines(kit: &mut Kit, id: &str, levels: &str) -> Batch {
    let rows: Vec<_> = levels
        .chars()
        .map(|letter| ("function", "\"line\"", level(letter)))
        .collect();
    let mut batch = kit.batch(&rows);
    let slot = kit.invocations.by_request_id(id.as_bytes());
    let request_id = batch.keep(id.as_bytes());
    for record in batch.records_mut() {
        record.invocation = slot;
        record.request_id = request_id;
        if let Some(level) = record.level {
            kit.invocations.observe_level(slot, level);
        }
    }
    batch
}

pub fn level(letter: char) -> Option<Level> {
    [
        ('t', Level::Trace),
        ('d', Level::Debug),
        ('i', Level::Info),
        ('w', Level::Warn),
        ('e', Level::Error),
    ]
    .into_iter()
    .find_map(|(known, level)| (known == letter).then_some(level))
}

/// The levels of what came out alive, in order within each lane; the least important lane first.
fn alive(batches: &[Batch]) -> String {
    let records = batches.iter().flat_map(|batch| batch.records());
    let live = records.filter(|record| record.fate == Fate::Live);
    live.map(|record| {
        record.level.map_or('-', |level| {
            level.as_str().to_lowercase().chars().next().unwrap()
        })
    })
    .collect()
}

fn kit() -> Kit {
    let mut kit = Kit::new();
    kit.invocations = Invocations::new(false, false);
    kit
}

const NOTHING_BY_RATE: &str =
    "rate = 0\ntail = { keep = 'failed or duration > 800ms', context = 2 }";

#[test]
fn lines_wait_for_the_end_and_share_its_fate() {
    for (status, duration, level, expected) in [
        ("success", 5.0, "i", ""),
        ("error", 5.0, "i", "iii"),
        ("timeout", 5.0, "i", "iii"),
        ("success", 801.0, "i", "iii"),
        ("success", 800.0, "i", ""),
        ("success", 5.0, "e", "iie"),
    ] {
        let mut kit = kit();
        let mut sample = made(&KIND, NOTHING_BY_RATE);
        start(&mut kit, "a");
        let batch = lines(&mut kit, "a", "ii");
        assert!(kit.apply_all(&mut *sample, batch).is_empty());
        assert_eq!(sample.holding().held, 2);
        let batch = lines(&mut kit, "a", level);
        done(&mut kit, "a", status, duration);
        let output = kit.apply_all(&mut *sample, batch);
        assert_eq!(alive(&output), expected, "{status} {duration} {level}");
        assert_eq!(sample.holding(), Holding::default());
        let total: usize = output.iter().map(|batch| batch.records().len()).sum();
        assert_eq!(total, 3, "what is left out keeps its place");
        let late = lines(&mut kit, "a", "id");
        let late = alive(&kit.apply_all(&mut *sample, late));
        assert_eq!(
            late.is_empty(),
            expected.is_empty(),
            "late lines follow the decision"
        );
    }
}

#[test]
fn the_context_is_what_comes_before_an_error_and_before_the_end() {
    for (levels, status, expected) in [
        ("ddd", "error", "dd"),
        ("dddedd", "success", "dddde"),
        ("dtdeiddtd", "success", "tdtdie"),
        ("ddde", "success", "dde"),
        ("dedede", "success", "dddeee"),
        ("dddd", "success", ""),
    ] {
        for cut in 0..=levels.len() {
            let mut kit = kit();
            let mut sample = made(&KIND, NOTHING_BY_RATE);
            start(&mut kit, "a");
            let batch = lines(&mut kit, "a", &levels[..cut]);
            let mut output = kit.apply_all(&mut *sample, batch);
            let batch = lines(&mut kit, "a", &levels[cut..]);
            done(&mut kit, "a", status, 5.0);
            output.extend(kit.apply_all(&mut *sample, batch));
            assert_eq!(alive(&output), expected, "{levels} cut at {cut}");
        }
    }
}

/// A line that `keep` names leaves at once, and is an error for the context all the same.
#[test]
fn what_keep_names_does_not_wait() {
    let mut kit = kit();
    let mut sample = made(&KIND, &format!("keep = 'level >= warn'\n{NOTHING_BY_RATE}"));
    start(&mut kit, "a");
    let batch = lines(&mut kit, "a", "dddwei");
    let output = kit.apply_all(&mut *sample, batch);
    assert_eq!(alive(&output), "we");
    done(&mut kit, "a", "success", 5.0);
    let batch = lines(&mut kit, "a", "d");
    assert_eq!(alive(&kit.apply_all(&mut *sample, batch)), "dddi");
}

#[test]
fn a_kept_invocation_bears_no_weight_and_one_kept_by_chance_does() {
    let config = "rate = 0.5\ntail = { keep = 'failed' }";
    let (mut by_rule, mut by_chance, mut left_out) = (0, 0, 0);
    for n in 0..200 {
        let mut kit = kit();
        let mut sample = made(&KIND, config);
        let id = format!("{n:08x}-0000-4000-8000-000000000000");
        start(&mut kit, &id);
        let batch = lines(&mut kit, &id, "i");
        assert!(kit.apply_all(&mut *sample, batch).is_empty());
        done(
            &mut kit,
            &id,
            if n % 2 == 0 { "error" } else { "success" },
            5.0,
        );
        let batch = lines(&mut kit, &id, "i");
        for batch in kit.apply_all(&mut *sample, batch) {
            for record in batch.records() {
                match (record.fate, rendered(&batch, record), n % 2) {
                    (Fate::Live, "", 0) => by_rule += 1,
                    (Fate::Live, r#""sample_weight":2"#, 1) => by_chance += 1,
                    (Fate::Sampled, "", 1) => left_out += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(by_rule, 200);
    assert_eq!(by_chance + left_out, 200);
    assert!((60..=140).contains(&by_chance), "{by_chance}");
}

#[test]
fn an_invocation_that_takes_too_long_is_kept() {
    let mut kit = kit();
    let mut sample = made(
        &KIND,
        "rate = 0\ntail = { keep = 'failed', max_wait = '2s' }",
    );
    start(&mut kit, "a");
    kit.clock.set_ms(500);
    let batch = lines(&mut kit, "a", "ii");
    kit.apply_all(&mut *sample, batch);
    kit.clock.set_ms(2_499);
    let mut output = Vec::new();
    sample.expire(&kit.context(), &mut output);
    assert!(output.is_empty(), "just under");
    assert_eq!(sample.holding().due, Some(Instant(2_500_000_000)));
    kit.clock.set_ms(2_500);
    sample.expire(&kit.context(), &mut output);
    assert_eq!(alive(&output), "ii");
    assert_eq!(kit.ledger.tail_max_wait.get(), 1);
    assert_eq!(sample.holding(), Holding::default());
    let batch = lines(&mut kit, "a", "i");
    assert_eq!(
        alive(&kit.apply_all(&mut *sample, batch)),
        "i",
        "and so are its further lines"
    );
}

/// Two invocations at the same time, as on Managed Instances: each waits for its own report.
#[test]
fn overlapping_invocations_are_held_apart() {
    let mut kit = kit();
    kit.invocations = Invocations::new(true, false);
    let mut sample = made(&KIND, NOTHING_BY_RATE);
    start(&mut kit, "a");
    start(&mut kit, "b");
    for (id, levels) in [("a", "ii"), ("b", "iii"), ("a", "e")] {
        let batch = lines(&mut kit, id, levels);
        assert!(kit.apply_all(&mut *sample, batch).is_empty());
    }
    let report = |kit: &mut Kit, id: &str| {
        kit.invocations.observe(&PlatformEvent::Report {
            request_id: id.to_owned(),
            status: Some(Status::Success),
            duration_ms: Some(5.0),
        });
    };
    report(&mut kit, "b");
    let platform = |kit: &Kit| kit.batch(&[("platform.report", "{}", None)]);
    let batch = platform(&kit);
    assert_eq!(
        alive(&kit.apply_all(&mut *sample, batch)),
        "-",
        "`b` did not fail"
    );
    assert_eq!(sample.holding().held, 3);
    report(&mut kit, "a");
    let batch = platform(&kit);
    assert_eq!(alive(&kit.apply_all(&mut *sample, batch)), "iie-");
}

/// A reset, and the next invocation where the end of the one before was never seen.
#[test]
fn an_end_that_was_never_seen_is_one_all_the_same() {
    let mut kit = kit();
    let mut sample = made(&KIND, NOTHING_BY_RATE);
    for (id, levels) in [("a", "ie"), ("b", "i")] {
        start(&mut kit, id);
        let batch = lines(&mut kit, id, levels);
        let output = kit.apply_all(&mut *sample, batch);
        assert_eq!(alive(&output), if id == "a" { "" } else { "ie" });
    }
    kit.invocations.observe(&PlatformEvent::InitStart {
        init_type: None,
        suppressed: true,
        log_stream: None,
    });
    let batch = kit.batch(&[("platform.initStart", "{}", None)]);
    assert_eq!(
        alive(&kit.apply_all(&mut *sample, batch)),
        "-",
        "`b` did not fail, as far as is known"
    );
    assert_eq!(sample.holding().held, 0);
}

#[test]
fn where_all_may_end_lines_stay() {
    let mut kit = kit();
    let mut sample = made(&KIND, NOTHING_BY_RATE);
    start(&mut kit, "a");
    let batch = lines(&mut kit, "a", "iddd");
    kit.apply_all(&mut *sample, batch);
    let mut output = Vec::new();
    sample.release(&kit.context(), &mut output);
    assert_eq!(alive(&output), "ddi");
    let batch = lines(&mut kit, "a", "i");
    assert_eq!(
        alive(&kit.apply_all(&mut *sample, batch)),
        "i",
        "and so do those that follow"
    );
    assert_eq!(sample.holding(), Holding::default());
}

/// Lines without an invocation that is known fall to the rate at once.
#[test]
fn lines_of_no_invocation_do_not_wait() {
    let mut kit = kit();
    let mut sample = made(&KIND, NOTHING_BY_RATE);
    let batch = lines(&mut kit, "nobody", "ii");
    let output = kit.apply_all(&mut *sample, batch);
    assert_eq!(output[0].records().len(), 2);
    assert_eq!(alive(&output), "");
}

/// The rate of a limit is that of the lines as they came, not of their release.
#[test]
fn a_limit_counts_held_lines_when_they_came() {
    let mut kit = kit();
    let mut sample = made(
        &KIND,
        "rate = 0\ntail = { keep = 'failed' }\nlimit = { rate = '10/s' }",
    );
    start(&mut kit, "a");
    for second in 1..=5 {
        kit.clock.set_ms(second * 1_000);
        let batch = lines(&mut kit, "a", "iiiiiiii");
        kit.apply_all(&mut *sample, batch);
    }
    done(&mut kit, "a", "error", 5_000.0);
    let batch = kit.batch(&[("platform.runtimeDone", "{}", None)]);
    assert_eq!(
        alive(&kit.apply_all(&mut *sample, batch)).len(),
        41,
        "8 in each second"
    );
}

/// Memory pressure takes the least important lines first, and errors last.
#[test]
fn lines_give_way_by_importance() {
    let mut kit = kit();
    let mut sample = made(&KIND, NOTHING_BY_RATE);
    start(&mut kit, "a");
    let batch = lines(&mut kit, "a", "ddiiie");
    kit.apply_all(&mut *sample, batch);
    let used = kit.budget.used();
    assert_eq!(sample.evict(Lane::Low), 2);
    assert!(kit.budget.used() < used, "memory is freed");
    assert_eq!((sample.evict(Lane::Low), sample.holding().held), (0, 4));
    assert_eq!(sample.evict(Lane::Middle), 3);
    assert_eq!(sample.evict(Lane::High), 1);
    assert_eq!(sample.holding(), Holding::default());
    assert_eq!(kit.budget.used(), 0);
}
