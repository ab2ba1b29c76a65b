//! One sink's loop in virtual time: retries, strikes, splits, shutdown; the ledger adds up in every test.
//!
//! Does not prove: anything about sockets.

use super::*;
use crate::batch::Lane;
use crate::budget::Budget;
use crate::pipeline::{Pipeline, Tap};
use crate::port::{DeliverySettings, Identity};
use crate::sink::Parcel;
use crate::test_util::{self, Answer, ScriptedSink, Seen, VirtualWorld};
use proptest::prelude::*;
use std::cell::RefCell;
use std::sync::Arc;

struct Bench {
    world: VirtualWorld,
    port: Rc<Port>,
    progress: Rc<Bell>,
    budget: Budget,
    given: u64,
}

impl Bench {
    fn new(change: impl FnOnce(&mut DeliverySettings)) -> Bench {
        let mut settings = DeliverySettings::default();
        change(&mut settings);
        let identity = Rc::new(Identity::new(test_util::INSTANCE));
        let (progress, budget) = (Rc::new(Bell::default()), Budget::new(64 << 20));
        Bench {
            world: VirtualWorld::new(7),
            port: Rc::new(Port::new(
                "out",
                settings,
                false,
                progress.clone(),
                identity,
                budget.clone(),
            )),
            progress,
            budget,
            given: 0,
        }
    }

    fn give(&mut self, count: usize, lane: Lane) {
        let rows = vec![("function", "\"0123456789\"", None); count];
        let mut batch = test_util::batch_of(&self.budget, &rows);
        for record in batch.records_mut() {
            record.sequence = self.port.identity.next();
        }
        let weight = count * 40;
        self.given += count as u64;
        self.port.push(Parcel {
            batch: Arc::new(batch),
            chosen: (0..count as u32).collect(),
            lane,
            weight,
        });
    }

    /// Runs the loop beside `script`, which ends with a drain; then checks that every record is accounted for.
    fn run(&self, sink: Box<dyn Sink>, script: impl Future<Output = ()>) {
        let task = run(self.port.clone(), sink, Rc::new(self.world.clone()));
        self.world.run(script, vec![Box::pin(task)]);
        assert!(self.port.ended.get());
        let counts = &self.port.counts;
        assert_eq!(
            self.given + counts.generated.get(),
            counts.accounted(),
            "{counts:?}"
        );
        assert_eq!(counts.in_flight.get(), 0);
        assert_eq!(self.budget.used(), 0, "everything was let go");
    }

    fn drain_after(&self, rest: Duration, time: Duration) -> impl Future<Output = ()> + use<> {
        let (world, port, progress) =
            (self.world.clone(), self.port.clone(), self.progress.clone());
        port.set_goal(Goal::Flush);
        async move {
            world.sleep(rest).await;
            finish(&[port], world.now() + time, &progress, &world).await;
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn retry(why: &'static str) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: None,
        answered: true,
    }
}

fn delivered(seen: &Seen) -> Vec<u64> {
    let mut accepted = seen.accepted.borrow().clone();
    accepted.sort_unstable();
    accepted
}

/// A destination that answers 503 twice gets the batch once, under the same id each time.
#[test]
fn a_batch_survives_two_failures() {
    let mut bench = Bench::new(|_| {});
    bench.give(3, Lane::Middle);
    let (sink, seen) =
        ScriptedSink::new([Answer::unavailable(), Answer::unavailable(), Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(delivered(&seen), [0, 1, 2]);
    assert_eq!(seen.calls.borrow().len(), 3);
    assert!(
        seen.batch_ids
            .borrow()
            .iter()
            .all(|id| *id == seen.batch_ids.borrow()[0])
    );
    assert_eq!(bench.port.counts.delivered.get(), 3);
}

#[test]
fn attempts_are_counted_over_the_life_of_a_batch() {
    let mut bench = Bench::new(|settings| settings.strikes_max = 100);
    bench.give(2, Lane::Middle);
    let (sink, seen) = ScriptedSink::new([Answer::unavailable()]);
    bench.run(sink, bench.drain_after(SECOND * 20, SECOND));
    // Four attempts for the batch; the loss report that follows fails the same way.
    assert_eq!(
        seen.calls
            .borrow()
            .iter()
            .filter(|call| call[0] == 0)
            .count(),
        4
    );
    assert_eq!(
        bench.port.counts.drops()[&DropReason::Attempts],
        3,
        "two records, and the one report of their loss"
    );
    assert_eq!(bench.port.counts.generated.get(), 1);
}

/// A destination that refuses everything refuses the report too: that must not lead to another report.
#[test]
fn a_refused_report_is_not_reported() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    let refused = Answer::After(Duration::ZERO, Verdict::Rejected("400".into()).into());
    let (sink, seen) = ScriptedSink::new([refused]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(seen.calls.borrow().len(), 2);
    assert_eq!(bench.port.counts.rejected.get(), 3);
}

/// What was lost is named to the sink itself, as soon as it works again.
#[test]
fn losses_are_reported_as_a_record() {
    let mut bench = Bench::new(|settings| settings.attempts_max = 1);
    bench.give(2, Lane::Middle);
    let (sink, seen) = ScriptedSink::new([Answer::unavailable(), Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(bench.port.counts.generated.get(), 1);
    assert_eq!(delivered(&seen), [2], "the report is the third record");
}

#[test]
fn a_sink_that_never_answers_is_given_up_at_shutdown_in_time() {
    let mut bench = Bench::new(|_| {});
    bench.give(5, Lane::Middle);
    let (sink, _) = ScriptedSink::new([Answer::Never]);
    let start = bench.world.now();
    bench.run(sink, bench.drain_after(Duration::ZERO, SECOND));
    assert!(bench.world.now().since(start) <= SECOND);
    assert_eq!(
        bench.port.counts.drops()[&DropReason::Shutdown],
        6,
        "five records and the report of their loss"
    );
}

#[test]
fn an_open_breaker_uses_no_attempts_and_closes_with_a_probe() {
    let mut bench = Bench::new(|settings| {
        settings.strikes_max = 2;
        settings.attempts_max = 3;
    });
    bench.give(4, Lane::Middle);
    let mut answers = vec![Answer::unavailable(); 6];
    answers.push(Answer::ok());
    let (sink, seen) = ScriptedSink::new(answers);
    bench.run(sink, bench.drain_after(SECOND * 120, SECOND));
    assert_eq!(
        delivered(&seen),
        [0, 1, 2, 3],
        "kept while the breaker was open"
    );
    assert!(
        bench
            .world
            .logged()
            .iter()
            .any(|line| line.contains("not waited for")),
        "said once"
    );
}

#[test]
fn too_large_requests_are_halved_until_one_record_is_refused() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    let large = Answer::After(Duration::ZERO, Verdict::TooLarge.into());
    let (sink, seen) = ScriptedSink::new([large.clone(), large, Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(bench.port.counts.rejections()["too_large"], 1);
    assert_eq!(delivered(&seen)[0], 1);
}

#[test]
fn partial_success_is_counted_record_by_record() {
    let mut bench = Bench::new(|_| {});
    bench.give(4, Lane::Middle);
    let retry = Verdict::Retry {
        why: "429".into(),
        after: None,
        answered: true,
    };
    let partial = Outcome {
        verdict: Verdict::Accepted,
        exceptions: vec![(1, Verdict::Rejected("too_old".into())), (3, retry)],
    };
    let (sink, seen) = ScriptedSink::new([Answer::After(Duration::ZERO, partial), Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(
        seen.calls.borrow()[1],
        [3],
        "only what is worth it is sent again"
    );
    assert_eq!(
        bench.port.counts.delivered.get(),
        3 + bench.port.counts.generated.get()
    );
    assert_eq!(bench.port.counts.rejections()["too_old"], 1);
}

#[test]
fn a_sink_that_panics_loses_its_batch_and_goes_on() {
    let mut bench = Bench::new(|_| {});
    bench.give(1, Lane::Middle);
    let (sink, _) = ScriptedSink::new([Answer::Panic, Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(bench.port.counts.drops()[&DropReason::Broken], 1);
}

#[test]
fn records_of_one_request_stand_in_the_order_of_their_sequence() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    bench.give(1, Lane::High);
    bench.give(1, Lane::Low);
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(*seen.calls.borrow(), [vec![0, 1, 2, 3]]);
}

#[test]
fn a_call_is_given_no_more_than_the_sink_takes() {
    let mut bench = Bench::new(|_| {});
    bench.give(7, Lane::Middle);
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    bench.run(
        sink.with_limits(3, 1 << 20),
        bench.drain_after(SECOND, SECOND),
    );
    let sizes: Vec<usize> = seen.calls.borrow().iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 3, 1]);
}

#[test]
fn a_call_is_given_no_more_bytes_than_the_sink_takes_and_one_larger_record_alone() {
    // Each counts for its text, its time and its type: 12 + 24 + 8 bytes.
    for (bytes_max, wanted) in [
        (88, vec![2, 2]),
        (87, vec![1, 1, 1, 1]),
        (10, vec![1, 1, 1, 1]),
    ] {
        let mut bench = Bench::new(|_| {});
        bench.give(4, Lane::Middle);
        let (sink, seen) = ScriptedSink::new([Answer::ok()]);
        let sink = sink.with_limits(100, bytes_max);
        bench.run(sink, bench.drain_after(SECOND, SECOND));
        let sizes: Vec<usize> = seen.calls.borrow().iter().map(Vec::len).collect();
        assert_eq!(sizes, wanted, "{bytes_max}");
    }
}

/// No pause ends behind the end: what the destination asks to wait for longer is given up at once.
#[test]
fn a_pause_that_ends_after_the_shutdown_is_not_begun() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    let later = Verdict::Retry {
        why: "503".into(),
        after: Some(SECOND * 30),
        answered: true,
    };
    let (sink, seen) = ScriptedSink::new([Answer::After(Duration::ZERO, later.into())]);
    let start = bench.world.now();
    bench.run(sink, bench.drain_after(Duration::ZERO, SECOND));
    assert!(bench.world.now().since(start) < Duration::from_millis(100));
    assert_eq!(bench.port.counts.drops()[&DropReason::Shutdown], 3);
    assert_eq!(seen.calls.borrow().len(), 2, "the records, and the report");
}

/// At rest nothing is sent until the queue is half full.
#[test]
fn pressure_sends_without_a_flush() {
    let mut bench = Bench::new(|settings| settings.queue_bytes_max = 400);
    bench.give(4, Lane::Middle);
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    bench.give(4, Lane::Middle);
    let seen_early = seen.clone();
    bench.run(sink, async move {
        world.sleep(SECOND).await;
        assert!(!seen_early.calls.borrow().is_empty(), "320 of 400 bytes");
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
}

/// Wrong credentials: one loud line, few requests, nothing dropped; when somebody puts it right all goes out.
#[test]
fn a_sink_that_is_denied_says_so_once_and_asks_rarely() {
    let mut bench = Bench::new(|settings| settings.attempts_max = 2);
    bench.give(3, Lane::Middle);
    let denied = Verdict::Denied { why: "403".into() };
    let mut answers = vec![Answer::After(Duration::ZERO, denied.into()); 6];
    answers.push(Answer::ok());
    let (sink, seen) = ScriptedSink::new(answers);
    bench.run(sink, bench.drain_after(SECOND * 3_600, SECOND));
    assert_eq!(seen.calls.borrow().len(), 7);
    assert_eq!(delivered(&seen), [0, 1, 2]);
    let logged = bench.world.logged();
    let loud = logged.iter().filter(|line| line.contains("denied"));
    assert_eq!(loud.count(), 1, "{logged:?}");
    assert!(logged[0].starts_with("error") || logged[0].starts_with("ERROR"));
}

fn answer() -> impl Strategy<Value = Answer> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Accepted),
        1 => Just(Verdict::Rejected("400".into())),
        1 => Just(Verdict::Unnamed("partial".into())),
        1 => Just(Verdict::TooLarge),
        1 => Just(Verdict::Denied { why: "403".into() }),
        2 => (0u64..40, any::<bool>()).prop_map(|(seconds, answered)| Verdict::Retry {
            why: "503".into(),
            after: (seconds > 30).then(|| Duration::from_secs(seconds)),
            answered,
        }),
    ];
    prop_oneof![
        8 => (verdict, prop::collection::vec((0u32..6, any::<bool>()), 0..4), 0u64..9_000).prop_map(|(verdict, exceptions, ms)| {
            let exceptions = exceptions
                .into_iter()
                .map(|(position, good)| (position, if good { Verdict::Accepted } else { Verdict::Rejected("old".into()) }))
                .collect();
            Answer::After(Duration::from_millis(ms), Outcome { verdict, exceptions })
        }),
        1 => Just(Answer::Never),
        1 => Just(Answer::Panic),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the destination does, every record is accounted for, shutdown ends in time, all memory is given back.
    #[test]
    fn the_ledger_adds_up_under_any_answers(
        answers in prop::collection::vec(answer(), 1..12),
        gifts in prop::collection::vec((1usize..9, 0usize..3), 1..10),
        rest_ms in 0u64..100_000,
    ) {
        let mut bench = Bench::new(|settings| settings.queue_bytes_max = 1_000);
        for (count, lane) in gifts {
            bench.give(count, Lane::ALL[lane]);
        }
        let (sink, _) = ScriptedSink::new(answers);
        let (rest, time) = (Duration::from_millis(rest_ms), Duration::from_millis(1_800));
        bench.run(sink.with_limits(6, 1 << 20), bench.drain_after(rest, time));
        prop_assert!(bench.world.now() <= Instant::default() + rest + time);
    }
}

/// A queue that passed its half is sent down to it; the flush at the end of the invocation must wait for the rest.
#[test]
fn a_hold_waits_for_what_a_send_under_pressure_left() {
    let mut bench = Bench::new(|settings| settings.queue_bytes_max = 400);
    for _ in 0..6 {
        bench.give(1, Lane::Middle);
    }
    let (sink, _) = ScriptedSink::new([Answer::ok()]);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    bench.run(sink.with_limits(1, 1 << 20), async move {
        world.sleep(SECOND).await;
        assert!(port.has_work(), "below half it rests");
        port.set_goal(Goal::Flush);
        assert!(
            port.holds(world.now() + SECOND),
            "even before its task has run"
        );
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
}

/// A sink whose `deliver` panics before it gives a future is no different from one whose future does.
#[test]
fn a_panic_before_the_future_is_caught() {
    struct Rash;
    impl Sink for Rash {
        fn limits(&self) -> CallLimits {
            panic!("as the test wants")
        }
        fn deliver<'a>(
            &'a mut self,
            _: &'a Selection,
            _: Call<'a>,
        ) -> crate::world::Boxed<'a, Outcome> {
            panic!("as the test wants")
        }
    }
    let mut bench = Bench::new(|_| {});
    bench.give(1, Lane::Middle);
    let script = bench.drain_after(SECOND, SECOND);
    let task = run(
        bench.port.clone(),
        Box::new(Rash),
        Rc::new(bench.world.clone()),
    );
    bench.world.run(script, vec![Box::pin(task)]);
    assert!(bench.port.ended.get());
    assert_eq!(bench.port.counts.in_flight.get(), 0);
    assert!(bench.port.counts.drops()[&DropReason::Broken] >= 1);
}

/// One dead sink must not take the whole budget: what waits for another attempt can be let go of.
#[test]
fn what_waits_for_an_attempt_gives_way_to_new_bodies() {
    let mut bench = Bench::new(|_| {});
    let budget = bench.budget.clone();
    for _ in 0..8 {
        bench.give(2_000, Lane::High);
    }
    let (sink, _) = ScriptedSink::new([Answer::unavailable()]);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    port.set_goal(Goal::Flush);
    bench.run(sink, async move {
        world.sleep(SECOND).await;
        assert!(!port.under_way.borrow().is_empty());
        let tap = Tap {
            port: port.clone(),
            after: 0,
            when: None,
        };
        let pipeline = Rc::new(RefCell::new(Pipeline::new(vec![], vec![tap])));
        let room = crate::room::Room::new(budget.clone(), pipeline);
        assert!(
            room.make(budget.limit()),
            "everything that waits can be let go of: {}",
            budget.used()
        );
        assert!(port.counts.drops()[&DropReason::Memory] > 0);
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
}

mod bounds;
mod dead_letters;
mod held;
mod progress;

/// Observations travel as records do, and what is lost of them is said: no record of a loss is made, and none is part of
/// the law.
#[test]
fn lost_observations_are_logged_and_make_no_record() {
    use crate::invocation::Trace;
    use crate::observation::{Observation, What};
    let observation = Observation {
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
    };
    assert_eq!(observation.start_ms(), 6);
    let mut bench = Bench::new(|_| {});
    let port = Rc::try_unwrap(bench.port).expect("nobody else has it");
    bench.port = Rc::new(port.of_observations(&Bench::new(|_| {}).port));
    bench.port.observe(&[observation.clone(), observation], 11);
    let refused = Answer::After(Duration::ZERO, Verdict::Rejected("400".into()).into());
    let (sink, seen) = ScriptedSink::new([Answer::unavailable(), refused]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(
        *seen.calls.borrow(),
        [[0, 1], [0, 1]],
        "a failed attempt is repeated"
    );
    assert_eq!(bench.port.counts.generated.get(), 2);
    assert_eq!(bench.port.counts.rejections()["400"], 2);
    let said = bench.world.logged();
    assert_eq!(said, ["ERROR sink `out` lost observations: 2 rejected_400"]);
    let ledger = crate::ledger::Ledger::default();
    assert_eq!(ledger.check_port(&bench.port), Ok(()));
    let line = ledger.line_of("on", std::iter::once(&*bench.port));
    let wanted = "\"sinks\":{},\"redactions\":{},\"observations\":{\"out\":{\"delivered\":0,";
    assert!(line.contains(wanted) && line.ends_with("}}}"), "{line}");
}
