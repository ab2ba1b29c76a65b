//! Objects that grow over several calls: when they are sent, and what becomes of what is in them.

use super::*;
use crate::test_util::{GrowingSink, HELD_BYTES};

/// Flushes `times` times, `gap` apart, with a record each.
fn invocations(bench: &mut Bench, times: u64, gap: Duration) -> impl Future<Output = ()> + use<> {
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    let budget = bench.budget.clone();
    bench.given += times;
    async move {
        for _ in 0..times {
            let mut batch = test_util::batch_of(&budget, &[("function", "\"0123456789\"", None)]);
            batch.records_mut()[0].sequence = port.identity.next();
            port.push(Parcel {
                batch: Arc::new(batch),
                chosen: Box::new([0]),
                lane: Lane::Middle,
                weight: 40,
            });
            port.set_goal(Goal::Flush);
            world.sleep(gap).await;
        }
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    }
}

#[test]
fn an_object_grows_over_invocations_until_it_is_full() {
    let mut bench = Bench::new(|_| {});
    let (sink, seen) = GrowingSink::new([Answer::ok()], 3, SECOND * 3_600);
    let script = invocations(&mut bench, 7, SECOND);
    bench.run(sink, script);
    assert_eq!(
        *seen.calls.borrow(),
        [vec![0, 1, 2], vec![3, 4, 5], vec![6]],
        "two full ones, and the rest at the end"
    );
    assert_eq!(bench.port.counts.delivered.get(), 7);
    assert_eq!(bench.port.counts.attempts.get(), 3, "objects, not calls");
}

#[test]
fn an_object_is_sent_when_it_is_old_enough_and_not_before() {
    let mut bench = Bench::new(|_| {});
    let (sink, seen) = GrowingSink::new([Answer::ok()], 100, SECOND * 5);
    let (world, early) = (bench.world.clone(), seen.clone());
    let script = invocations(&mut bench, 4, SECOND * 2);
    bench.run(sink, async move {
        let look = async {
            world.sleep(SECOND * 5 - Duration::from_millis(1)).await;
            assert!(early.calls.borrow().is_empty(), "just before");
            world.sleep(Duration::from_millis(2)).await;
            assert_eq!(*early.calls.borrow(), [vec![0, 1, 2]], "just after");
        };
        let (mut look, mut script) = (std::pin::pin!(look), std::pin::pin!(script));
        let mut looked = false;
        std::future::poll_fn(|context| {
            looked = looked || look.as_mut().poll(context).is_ready();
            script.as_mut().poll(context)
        })
        .await;
        assert!(looked);
    });
    assert_eq!(delivered(&seen), [0, 1, 2, 3]);
}

/// With no age at all it is one object a flush, however many calls that takes; the hold waits for it.
#[test]
fn without_an_age_there_is_one_object_a_flush() {
    let mut bench = Bench::new(|_| {});
    bench.give(5, Lane::Middle);
    let slow = Answer::After(Duration::from_millis(300), Verdict::Accepted.into());
    let (sink, seen) = GrowingSink::new([slow], 100, Duration::ZERO);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    bench.run(sink, async move {
        port.set_goal(Goal::Flush);
        world.sleep(Duration::from_millis(100)).await;
        assert!(port.holds(world.now() + SECOND), "the object is on its way");
        assert_eq!(port.held_records.get(), 5);
        assert_eq!(port.counts.in_flight.get(), 5);
        world.sleep(SECOND).await;
        assert_eq!(port.goal(), Goal::Rest);
        assert!(port.is_drained());
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
    assert_eq!(*seen.calls.borrow(), [vec![0, 1, 2, 3, 4]]);
}

#[test]
fn what_is_not_due_holds_nobody_and_leaves_at_shutdown() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    let (sink, seen) = GrowingSink::new([Answer::ok()], 100, SECOND * 3_600);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    let early = seen.clone();
    bench.run(sink, async move {
        port.set_goal(Goal::Flush);
        world.sleep(SECOND).await;
        assert!(!port.holds(world.now() + SECOND));
        assert!(!port.is_drained(), "it is not forgotten");
        assert!(early.calls.borrow().is_empty());
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
    assert_eq!(delivered(&seen), [0, 1]);
}

/// A retry must be the same object under the same id: what comes meanwhile waits in the queue.
#[test]
fn an_object_that_was_tried_does_not_grow_any_more() {
    let mut bench = Bench::new(|_| {});
    let hour = Verdict::Retry {
        why: "503".into(),
        after: Some(SECOND * 5),
        answered: true,
    };
    let answers = [Answer::After(Duration::ZERO, hour.into()), Answer::ok()];
    // Far from full, and due at once: it is the attempt that seals it.
    let (sink, seen) = GrowingSink::new(answers, 100, Duration::ZERO);
    let script = invocations(&mut bench, 6, SECOND);
    bench.run(sink, script);
    let calls = seen.calls.borrow().clone();
    assert_eq!(calls[..2], [vec![0], vec![0]], "one 503, five seconds");
    assert_eq!(calls[2], [1, 2, 3, 4, 5], "what came meanwhile: {calls:?}");
    let ids = seen.batch_ids.borrow();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
    assert_eq!(delivered(&seen), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn part_of_an_object_can_be_taken_refused_and_tried_again() {
    let mut bench = Bench::new(|_| {});
    bench.give(4, Lane::Middle);
    let partial = Outcome {
        verdict: Verdict::Accepted,
        exceptions: vec![(1, Verdict::Rejected("400".into())), (2, retry("503"))],
    };
    let answers = [Answer::After(Duration::ZERO, partial), Answer::ok()];
    let (sink, seen) = GrowingSink::new(answers, 100, Duration::ZERO);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(seen.calls.borrow()[1], [2]);
    assert_eq!(bench.port.counts.rejections()["400"], 1);
    assert_eq!(delivered(&seen)[..3], [0, 2, 3]);
}

/// Once its attempts are used up the object is dropped and forgotten; the next one begins anew.
#[test]
fn a_dropped_object_is_forgotten() {
    let mut bench = Bench::new(|settings| settings.attempts_max = 2);
    bench.give(3, Lane::Middle);
    let answers = [Answer::unavailable(), Answer::unavailable(), Answer::ok()];
    let (sink, seen) = GrowingSink::new(answers, 100, Duration::ZERO);
    bench.run(sink, bench.drain_after(SECOND * 10, SECOND));
    assert_eq!(bench.port.counts.drops()[&DropReason::Attempts], 3);
    assert_eq!(delivered(&seen), [3], "the report of their loss alone");
}

#[test]
fn short_memory_sends_what_is_held() {
    let mut bench = Bench::new(|_| {});
    bench.give(4, Lane::Middle);
    let (sink, seen) = GrowingSink::new([Answer::ok()], 100, SECOND * 3_600);
    let (world, port, progress) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
    );
    let budget = bench.budget.clone();
    let early = seen.clone();
    bench.run(sink, async move {
        port.set_goal(Goal::Flush);
        world.sleep(SECOND).await;
        assert_eq!(budget.used(), 4 * HELD_BYTES as u64, "the bodies are gone");
        let others = budget.charge(33 << 20);
        port.set_goal(Goal::Flush);
        world.sleep(SECOND).await;
        assert_eq!(early.calls.borrow().len(), 1);
        drop(others);
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
    assert_eq!(delivered(&seen), [0, 1, 2, 3]);
}

#[test]
fn an_object_that_nobody_takes_is_given_up_at_shutdown_in_time() {
    for answer in [Answer::Never, Answer::unavailable()] {
        let mut bench = Bench::new(|_| {});
        bench.give(3, Lane::Middle);
        let (sink, _) = GrowingSink::new([answer], 100, SECOND * 3_600);
        bench.run(sink, bench.drain_after(SECOND, SECOND));
        assert!(bench.world.now() <= Instant::default() + SECOND * 2);
        let dropped: u64 = bench.port.counts.drops().values().sum();
        assert_eq!(dropped, 4, "three records and the report of their loss");
    }
}

#[test]
fn a_sink_that_breaks_over_its_object_loses_it_and_goes_on() {
    let mut bench = Bench::new(|_| {});
    bench.give(2, Lane::Middle);
    let (sink, seen) = GrowingSink::new([Answer::Panic, Answer::ok()], 100, Duration::ZERO);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(bench.port.counts.drops()[&DropReason::Broken], 2);
    assert_eq!(delivered(&seen), [2], "the report");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever becomes of objects, every record is accounted for, and shutdown ends in time.
    #[test]
    fn the_ledger_adds_up_for_objects_under_any_answers(
        answers in prop::collection::vec(answer(), 1..12),
        gifts in prop::collection::vec((1usize..9, 0usize..3), 1..10),
        records_max in 1usize..12,
        age_s in 0u64..40,
        rest_ms in 0u64..100_000,
    ) {
        let mut bench = Bench::new(|settings| settings.queue_bytes_max = 1_000);
        for (count, lane) in gifts {
            bench.give(count, Lane::ALL[lane]);
        }
        let (sink, _) = GrowingSink::new(answers, records_max, SECOND * age_s as u32);
        let (rest, time) = (Duration::from_millis(rest_ms), Duration::from_millis(1_800));
        bench.run(sink, bench.drain_after(rest, time));
        prop_assert!(bench.world.now() <= Instant::default() + rest + time);
    }
}
