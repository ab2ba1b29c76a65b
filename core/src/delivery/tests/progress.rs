//! Attempts that got on: what was settled uses up no attempts of what is left, and it ends all the same.

use super::*;
use crate::invocation::Trace;
use crate::observation::{Observation, What};
use crate::quota::REPEATS_PER_HOUR_MAX;

/// Takes records in order, stops at each bad one, refuses that and reads no further, as Splunk's collector does.
struct StopsAtBad {
    is_bad: fn(u64) -> bool,
    /// When it was called.
    calls: Rc<RefCell<Vec<Instant>>>,
}

impl Sink for StopsAtBad {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        self.calls.borrow_mut().push(call.world.now());
        let bad = records
            .records()
            .position(|(_, r)| (self.is_bad)(r.sequence));
        let exceptions = bad.map_or(Vec::new(), |bad| {
            let behind = bad as u32 + 1..records.len() as u32;
            let first = (bad as u32, Verdict::Rejected("bad".into()));
            let rest = behind.map(|at| (at, retry("not_read")));
            std::iter::once(first).chain(rest).collect()
        });
        let outcome = Outcome {
            verdict: Verdict::Accepted,
            exceptions,
        };
        Box::pin(std::future::ready(outcome))
    }
}

/// More bad records than there are attempts, in front of good ones: each bad one is refused, each good one arrives.
#[test]
fn bad_records_use_up_no_attempts_of_the_good_ones_behind_them() {
    let mut bench = Bench::new(|_| {});
    bench.give(12, Lane::Middle);
    let calls = Rc::default();
    let sink = StopsAtBad {
        is_bad: |sequence| sequence < 9,
        calls: Rc::clone(&calls),
    };
    bench.run(Box::new(sink), bench.drain_after(SECOND, SECOND));
    let counts = &bench.port.counts;
    assert_eq!(counts.rejections()["bad"], 9);
    assert_eq!(counts.drops(), Default::default());
    assert_eq!(counts.delivered.get(), 3 + counts.generated.get());
    assert!(
        calls.borrow()[9].since(calls.borrow()[0]) <= Duration::from_millis(9 * 50),
        "nobody asked for a pause: {calls:?}"
    );
}

/// A thousand requests for one batch would be a hot loop: the quota makes them rare, and nothing is dropped for it.
#[test]
fn a_batch_of_nothing_but_bad_records_ends_and_repeats_within_the_quota() {
    let mut bench = Bench::new(|_| {});
    bench.give(900, Lane::Middle);
    let calls = Rc::default();
    let sink = StopsAtBad {
        is_bad: |_| true,
        calls: Rc::clone(&calls),
    };
    bench.run(
        Box::new(sink),
        bench.drain_after(SECOND * 3_600 * 2, SECOND),
    );
    assert_eq!(bench.port.counts.rejections()["bad"], 901, "and the report");
    let hour = Instant::default() + SECOND * 3_600;
    let within = calls.borrow().iter().filter(|at| **at < hour).count() as u64;
    assert!(within <= REPEATS_PER_HOUR_MAX + 1, "{within}");
    assert!(
        within > REPEATS_PER_HOUR_MAX / 2,
        "the quota is what held: {within}"
    );
}

/// A destination that takes a few of many each time wants to be left alone a little longer each time.
#[test]
fn a_destination_that_takes_a_few_at_a_time_gets_all_and_is_asked_ever_more_slowly() {
    let mut bench = Bench::new(|_| {});
    bench.give(8, Lane::Middle);
    let one_of = |count: u32| {
        let exceptions = (1..count).map(|at| (at, retry("429"))).collect();
        let verdict = Verdict::Accepted;
        Answer::After(
            Duration::ZERO,
            Outcome {
                verdict,
                exceptions,
            },
        )
    };
    let (sink, seen) = ScriptedSink::new((1..=8).rev().map(one_of));
    let start = bench.world.now();
    bench.run(sink, bench.drain_after(SECOND * 30, SECOND));
    assert_eq!(delivered(&seen), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(seen.calls.borrow().len(), 8);
    let took = bench.world.now().since(start);
    assert!(took >= SECOND, "with full jitter, seven times: {took:?}");
}

/// Without progress attempts are used up as ever, also after some that had it.
#[test]
fn attempts_count_again_once_nothing_is_settled() {
    let mut bench = Bench::new(|settings| settings.strikes_max = 100);
    bench.give(3, Lane::Middle);
    let partial = Outcome {
        verdict: retry("503"),
        exceptions: vec![(0, Verdict::Accepted)],
    };
    let (sink, seen) = ScriptedSink::new([
        Answer::After(Duration::ZERO, partial.clone()),
        Answer::unavailable(),
    ]);
    bench.run(sink, bench.drain_after(SECOND * 60, SECOND));
    let calls = seen
        .calls
        .borrow()
        .iter()
        .filter(|call| call.contains(&2))
        .count();
    assert_eq!(calls, 1 + 4, "one that got on, and four attempts");
    assert_eq!(
        bench.port.counts.drops()[&DropReason::Attempts],
        3,
        "two, and the report"
    );
}

fn observation() -> Observation {
    Observation {
        what: What::Invocation,
        request_id: "r-1".to_owned(),
        end_ms: 10,
        duration_ms: Some(4.0),
        status: None,
        failed: false,
        cold_start: true,
        error_type: String::new(),
        memory_used: None,
        trace: Some(Trace::parse("Root=1-5759e988-bd862e3fe1be46a994272793")),
        span_id: String::new(),
        overhead: None,
    }
}

/// Metrics and spans travel under the ceiling of the table that they are of: nobody sends twice what was allowed.
#[test]
fn observations_count_against_the_ceiling_of_their_table() {
    let mut bench =
        Bench::new(|settings| settings.bytes_per_hour = Some(8 * observation().weight() as u64));
    let beside =
        Bench::new(|settings| settings.bytes_per_hour = Some(8 * observation().weight() as u64))
            .port;
    let port = Rc::try_unwrap(bench.port).expect("nobody else has it");
    bench.port = Rc::new(port.of_observations(&beside));
    for _ in 0..10 {
        bench.port.observe(&[observation()], 11);
    }
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(delivered(&seen).len(), 8, "what fits under it");
    assert!(
        seen.calls.borrow().iter().all(|call| call.len() == 1),
        "an eighth at a time"
    );
    assert_eq!(bench.port.counts.drops()[&DropReason::Ceiling], 2);
    let own = beside.ceiling.as_ref().expect("it has one");
    let wait = own.borrow().wait(1, bench.world.wall_ms());
    assert!(wait > SECOND * 3_000, "one ceiling for both: {wait:?}");
}
