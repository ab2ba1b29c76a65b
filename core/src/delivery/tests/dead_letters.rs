//! What one sink cannot deliver and another takes over.

use super::*;
use crate::batch::Origin;
use crate::line;
use crate::test_util::GrowingSink;

/// Two sinks in one world: what the first cannot deliver goes to the second.
struct Pair {
    first: Bench,
    heir: Rc<Port>,
}

impl Pair {
    fn new(change: impl FnOnce(&mut DeliverySettings)) -> Pair {
        let first = Bench::new(change);
        let heir = Rc::new(Port::new(
            "archive",
            DeliverySettings::default(),
            false,
            first.progress.clone(),
            first.port.identity.clone(),
            first.budget.clone(),
        ));
        first.port.set_dead_letter(heir.clone());
        Pair { first, heir }
    }

    /// Runs both, flushes both for a while, drains both; every record has one fate at each.
    fn run(&self, sink: Box<dyn Sink>, heir: Box<dyn Sink>, rest: Duration) {
        let world: Rc<dyn World> = Rc::new(self.first.world.clone());
        let tasks: Vec<Boxed<'static, ()>> = vec![
            Box::pin(run(self.first.port.clone(), sink, world.clone())),
            Box::pin(run(self.heir.clone(), heir, world)),
        ];
        let ports = [self.first.port.clone(), self.heir.clone()];
        let (clock, progress) = (self.first.world.clone(), self.first.progress.clone());
        ports.iter().for_each(|port| port.set_goal(Goal::Flush));
        self.first.world.run(
            async move {
                clock.sleep(rest).await;
                finish(&ports, clock.now() + SECOND * 2, &progress, &clock).await;
            },
            tasks,
        );
        for (given, port) in [(self.first.given, &self.first.port), (0, &self.heir)] {
            let counts = &port.counts;
            let taken = given + counts.generated.get() + counts.inherited.get();
            assert_eq!(taken, counts.accounted(), "{counts:?}");
            assert_eq!(counts.in_flight.get(), 0);
        }
        assert_eq!(self.first.budget.used(), 0, "everything was let go");
    }

    fn inherited(&self) -> u64 {
        self.heir.counts.inherited.get()
    }
}

/// Keeps the lines that it is given.
struct LineSink(Rc<std::cell::RefCell<Vec<String>>>);

impl Sink for LineSink {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, _: Call<'a>) -> Boxed<'a, Outcome> {
        for (batch, record) in records.records() {
            let mut out = Vec::new();
            line::write(batch, record, &mut out);
            self.0.borrow_mut().push(String::from_utf8(out).unwrap());
        }
        Box::pin(std::future::ready(Verdict::Accepted.into()))
    }
}

fn archive() -> (Box<LineSink>, Rc<std::cell::RefCell<Vec<String>>>) {
    let lines = Rc::default();
    (Box::new(LineSink(Rc::clone(&lines))), lines)
}

#[test]
fn a_refused_record_is_taken_over_with_sink_reason_and_attempts() {
    let mut pair = Pair::new(|_| {});
    pair.first.give(3, Lane::Middle);
    let partial = Outcome {
        verdict: Verdict::Accepted,
        exceptions: vec![(1, Verdict::Rejected("mapper \"x\"".into()))],
    };
    let (sink, _) = ScriptedSink::new([Answer::After(Duration::ZERO, partial), Answer::ok()]);
    let (heir, lines) = archive();
    pair.run(sink, heir, SECOND);
    let lines = lines.borrow();
    assert_eq!(
        lines.len(),
        1,
        "the report of the loss is none of its business: {lines:?}"
    );
    assert!(
        lines[0].ends_with(
            "\"record\":\"0123456789\",\"attributes\":{\"dead_letter.sink\":\"out\",\
             \"dead_letter.reason\":\"mapper \\\"x\\\"\",\"dead_letter.attempts\":1}}"
        ),
        "{}",
        lines[0]
    );
    assert!(
        lines[0].contains("-1\""),
        "the id is the same: {}",
        lines[0]
    );
    assert_eq!(pair.first.port.counts.rejected.get(), 1);
    assert_eq!((pair.inherited(), pair.heir.counts.delivered.get()), (1, 1));
}

/// The destination says how many it refused, and not which: any of those that it did not name could be nowhere.
#[test]
fn where_nobody_says_which_records_were_refused_all_that_may_be_are_taken_over() {
    let mut pair = Pair::new(|_| {});
    pair.first.give(4, Lane::Middle);
    let partial = Outcome {
        verdict: Verdict::Accepted,
        exceptions: vec![
            (0, Verdict::Rejected("too_old".into())),
            (3, Verdict::Unnamed("partial_success".into())),
        ],
    };
    let (sink, _) = ScriptedSink::new([Answer::After(Duration::ZERO, partial), Answer::ok()]);
    let (heir, lines) = archive();
    pair.run(sink, heir, SECOND);
    let counts = &pair.first.port.counts;
    assert_eq!(counts.delivered.get() - counts.generated.get(), 2);
    assert_eq!(counts.rejections()["too_old"], 1);
    assert_eq!(counts.rejections()["partial_success"], 1);
    let lines = lines.borrow();
    let taken = |reason: &str| lines.iter().filter(|line| line.contains(reason)).count();
    assert_eq!((taken("too_old"), taken("partial_success")), (1, 3));
    assert_eq!((pair.inherited(), lines.len()), (4, 4));
}

#[test]
fn what_used_up_its_attempts_is_taken_over() {
    let mut pair = Pair::new(|settings| settings.attempts_max = 3);
    pair.first.give(2, Lane::High);
    let (sink, _) = ScriptedSink::new([Answer::unavailable()]);
    let (heir, lines) = archive();
    pair.run(sink, heir, SECOND * 10);
    let lines = lines.borrow();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("\"dead_letter.reason\":\"attempts\",\"dead_letter.attempts\":3"));
}

/// Everything else that loses records while somebody is there to take them.
#[test]
fn every_loss_but_that_for_memory_is_taken_over() {
    let large = || Answer::After(Duration::ZERO, Verdict::TooLarge.into());
    let rows: [(&str, Vec<Answer>, u64); 3] = [
        ("broken", vec![Answer::Panic, Answer::ok()], 2),
        ("too_large", vec![large()], 2),
        ("shutdown", vec![Answer::Never], 2),
    ];
    for (reason, answers, count) in rows {
        let mut pair = Pair::new(|_| {});
        pair.first.give(2, Lane::Middle);
        let (sink, _) = ScriptedSink::new(answers);
        let (heir, lines) = archive();
        pair.run(sink, heir, SECOND);
        assert_eq!(pair.inherited(), count, "{reason}");
        let lines = lines.borrow();
        assert_eq!(
            lines.len() as u64,
            count,
            "delivered before the end: {reason}"
        );
        let wanted = format!("\"dead_letter.reason\":\"{reason}\"");
        assert!(lines.iter().all(|line| line.contains(&wanted)), "{lines:?}");
    }
    let mut pair = Pair::new(|settings| settings.queue_bytes_max = 100);
    pair.first.give(2, Lane::Middle);
    pair.first.give(2, Lane::Middle);
    let (sink, _) = ScriptedSink::new([Answer::ok()]);
    let (heir, lines) = archive();
    pair.run(sink, heir, SECOND);
    assert!(lines.borrow()[0].contains("queue_full"), "{lines:?}");
    let mut pair = Pair::new(|_| {});
    pair.first.give(2, Lane::Low);
    assert!(pair.first.port.evict(Lane::Low));
    let (sink, _) = ScriptedSink::new([Answer::ok()]);
    pair.run(sink, archive().0, SECOND);
    assert_eq!(
        pair.inherited(),
        0,
        "it would take the memory that is short"
    );
}

/// A letter that its heir cannot deliver either goes on to the next, and still names the first.
#[test]
fn a_chain_of_heirs_names_the_first() {
    let mut pair = Pair::new(|_| {});
    let last = Rc::new(Port::new(
        "last",
        DeliverySettings::default(),
        true,
        pair.first.progress.clone(),
        pair.first.port.identity.clone(),
        pair.first.budget.clone(),
    ));
    pair.heir.set_dead_letter(last.clone());
    pair.first.give(1, Lane::Middle);
    let refused = || {
        [Answer::After(
            Duration::ZERO,
            Verdict::Rejected("400".into()).into(),
        )]
    };
    pair.run(
        ScriptedSink::new(refused()).0,
        ScriptedSink::new(refused()).0,
        SECOND,
    );
    assert_eq!(last.counts.inherited.get(), 1);
    assert_eq!(last.counts.drops()[&DropReason::Disabled], 1);
    assert_eq!(last.counts.in_flight.get(), 0);
}

/// Objects that grew are taken over too: the records are kept until their object has a fate.
#[test]
fn a_lost_object_is_taken_over_record_by_record() {
    let mut pair = Pair::new(|settings| settings.attempts_max = 2);
    pair.first.give(4, Lane::Middle);
    let partial = Outcome {
        verdict: Verdict::Accepted,
        exceptions: vec![
            (0, Verdict::Rejected("400".into())),
            (
                3,
                Verdict::Retry {
                    why: "503".into(),
                    after: None,
                    answered: true,
                },
            ),
        ],
    };
    let answers = [
        Answer::After(Duration::ZERO, partial),
        Answer::unavailable(),
    ];
    let (sink, _) = GrowingSink::new(answers, 100, Duration::ZERO);
    let (heir, lines) = archive();
    pair.run(sink, heir, SECOND * 10);
    let lines = lines.borrow();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("\"dead_letter.reason\":\"400\""));
    assert!(lines[1].contains("\"dead_letter.reason\":\"attempts\""));
    assert!(
        lines[0].contains("-0\"") && lines[1].contains("-3\""),
        "{lines:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever both destinations do, both ledgers add up, and all ends in time.
    #[test]
    fn both_ledgers_add_up_under_any_answers(
        answers in prop::collection::vec(answer(), 1..10),
        heirs in prop::collection::vec(answer(), 1..10),
        gifts in prop::collection::vec((1usize..9, 0usize..3), 1..10),
        rest_ms in 0u64..50_000,
        ceiling in prop::option::of(300u64..5_000),
    ) {
        let mut pair = Pair::new(|settings| {
            settings.queue_bytes_max = 1_000;
            settings.bytes_per_hour = ceiling;
        });
        for (count, lane) in gifts {
            pair.first.give(count, Lane::ALL[lane]);
        }
        let limits = |sink: Box<ScriptedSink>| sink.with_limits(6, 1 << 20);
        let rest = Duration::from_millis(rest_ms);
        pair.run(limits(ScriptedSink::new(answers).0), limits(ScriptedSink::new(heirs).0), rest);
        prop_assert!(pair.first.world.now() <= Instant::default() + rest + SECOND * 2);
        let counts = &pair.first.port.counts;
        let lost: u64 = counts.rejected.get() + counts.drops().values().sum::<u64>();
        // Where nobody says which were refused, some that were taken are made over as well; nothing is twice.
        prop_assert!(pair.inherited() <= lost + counts.delivered.get());
    }
}

#[test]
fn a_report_of_losses_is_addressed_to_the_sink_that_lost_something() {
    let port = Bench::new(|_| {}).port;
    port.counts.dropped(DropReason::Attempts, 1);
    assert!(port.report_losses(&VirtualWorld::new(1)));
    let attempt = port.under_way.borrow_mut().pop_front().unwrap();
    assert_eq!(
        attempt.records.records().next().unwrap().1.origin,
        Origin::Tapline
    );
    let fault = crate::dead_letter::Fault {
        sink: "out",
        reason: "400",
        attempts: 1,
    };
    assert!(crate::dead_letter::letters(&attempt.records, fault).is_empty());
}
