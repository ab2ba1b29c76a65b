//! What an outage may cost at most, in attempts and bytes, and how soon it is over.

use super::*;
use crate::quota::REPEATS_PER_HOUR_MAX;

const HOUR: Duration = Duration::from_secs(3_600);

/// One a second, within an hour and five minutes.
const INVOCATIONS: u64 = 3_900;

fn ok_after(failures: Duration) -> OutageSink {
    OutageSink {
        until: Instant::default() + failures,
        calls: Rc::default(),
    }
}

/// Answers 503 up to a moment, then takes everything.
struct OutageSink {
    until: Instant,
    /// When it was called, and with how many bytes.
    calls: Rc<std::cell::RefCell<Vec<(Instant, usize)>>>,
}

impl Sink for OutageSink {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        let now = call.world.now();
        self.calls.borrow_mut().push((now, records.weight()));
        let verdict = if now < self.until {
            Verdict::Retry {
                why: "503".into(),
                after: None,
                answered: true,
            }
        } else {
            Verdict::Accepted
        };
        Box::pin(std::future::ready(verdict.into()))
    }
}

/// An invocation every second with `records` each, for an hour and five minutes; the destination is away for the hour.
fn outage(
    settings: impl FnOnce(&mut DeliverySettings),
    records: usize,
) -> (Bench, Vec<(Instant, usize)>) {
    let mut bench = Bench::new(settings);
    bench.given += INVOCATIONS * records as u64;
    let (world, port, progress, budget) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
        bench.budget.clone(),
    );
    let sink = ok_after(HOUR);
    let calls = sink.calls.clone();
    bench.run(Box::new(sink), async move {
        for _ in 0..INVOCATIONS {
            push(&port, &budget, records);
            port.set_goal(Goal::Flush);
            world.sleep(SECOND).await;
        }
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
    let calls = calls.take();
    (bench, calls)
}

fn push(port: &Port, budget: &Budget, records: usize) {
    let rows = vec![("function", "\"0123456789\"", None); records];
    let mut batch = test_util::batch_of(budget, &rows);
    for record in batch.records_mut() {
        record.sequence = port.identity.next();
    }
    let weight = batch
        .records()
        .iter()
        .map(|record| batch.weight(record))
        .sum();
    port.push(Parcel {
        batch: Arc::new(batch),
        chosen: (0..records as u32).collect(),
        lane: Lane::Middle,
        weight,
    });
}

/// With the settings as they come: three strikes, then probes; the first probe after the end finds that it is over.
#[test]
fn an_hour_of_503_costs_few_attempts_and_ends_with_one_probe() {
    let (bench, calls) = outage(|_| {}, 4);
    let during = calls
        .iter()
        .filter(|(at, _)| *at < Instant::default() + HOUR);
    let (attempts, bytes) = during.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes));
    // Three strikes, six probes within the first minute, then one a minute.
    assert!(attempts <= 70, "{attempts}");
    assert!(
        bytes <= 70 * (1 << 20),
        "a request holds 1 MiB at most: {bytes}"
    );
    let first_after = calls
        .iter()
        .find(|(at, _)| *at >= Instant::default() + HOUR)
        .unwrap();
    assert!(
        first_after.0 <= Instant::default() + HOUR + SECOND * 60,
        "recovered with one probe, 60 s after the end at the latest: {first_after:?}"
    );
    assert!(!bench.port.breaker.borrow().is_open());
    assert_eq!(
        bench.port.counts.drops(),
        Default::default(),
        "all of it waited in the queue"
    );
    assert_eq!(bench.port.counts.delivered.get(), INVOCATIONS * 4);
}

/// Whoever sets strikes and attempts as high as can be is still bound by the quota.
#[test]
fn the_quota_bounds_repeats_whatever_the_settings() {
    let (_, calls) = outage(
        |settings| {
            settings.strikes_max = 100_000;
            settings.attempts_max = 100_000;
        },
        1,
    );
    let during = calls
        .iter()
        .filter(|(at, _)| *at < Instant::default() + HOUR);
    let attempts = during.count() as u64;
    assert!(attempts <= REPEATS_PER_HOUR_MAX + 1, "{attempts}");
    assert!(
        attempts > REPEATS_PER_HOUR_MAX / 2,
        "the quota is what held: {attempts}"
    );
}

/// What is over the ceiling waits; in no hour is more sent, and what is left at the end is dropped for that reason.
#[test]
fn a_ceiling_holds_back_what_is_over_it() {
    let mut bench = Bench::new(|settings| settings.bytes_per_hour = Some(64 << 10));
    let (world, port, progress, budget) = (
        bench.world.clone(),
        bench.port.clone(),
        bench.progress.clone(),
        bench.budget.clone(),
    );
    bench.given += 120 * 40;
    let sink = ok_after(Duration::ZERO);
    let calls = sink.calls.clone();
    bench.run(Box::new(sink), async move {
        for _ in 0..120 {
            push(&port, &budget, 40);
            port.set_goal(Goal::Flush);
            world.sleep(SECOND * 60).await;
            assert!(
                !port.holds(world.now() + SECOND),
                "nobody is held for a ceiling"
            );
        }
        finish(&[port], world.now() + SECOND, &progress, &world).await;
    });
    let calls = calls.take();
    for (start, _) in &calls {
        let hour = calls
            .iter()
            .filter(|(at, _)| at >= start && *at < *start + HOUR);
        let bytes: usize = hour.map(|(_, bytes)| bytes).sum();
        // The loss report, 130 bytes, goes out in any case.
        assert!(bytes <= (64 << 10) + 200, "{bytes}");
    }
    let counts = &bench.port.counts;
    let sent: usize = calls.iter().map(|(_, bytes)| bytes).sum();
    assert!(
        sent > 64 << 10,
        "the second hour has a ceiling of its own: {sent}"
    );
    assert!(counts.drops()[&DropReason::Ceiling] > 0);
    assert_eq!(counts.drops().len(), 1, "{:?}", counts.drops());
}

/// One record that is larger than the whole ceiling must not stop the others for ever.
#[test]
fn a_record_over_the_whole_ceiling_is_dropped_and_the_others_go_on() {
    let mut bench = Bench::new(|settings| settings.bytes_per_hour = Some(1_000));
    let text = format!("\"{}\"", "x".repeat(1_001));
    let rows = [
        ("function", text.as_str(), None),
        ("function", "\"small\"", None),
    ];
    let mut batch = test_util::batch_of(&bench.budget, &rows);
    for record in batch.records_mut() {
        record.sequence = bench.port.identity.next();
    }
    bench.given += 2;
    bench.port.push(Parcel {
        batch: Arc::new(batch),
        chosen: Box::new([0, 1]),
        lane: Lane::Middle,
        weight: 1_100,
    });
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(bench.port.counts.drops()[&DropReason::Ceiling], 1);
    assert_eq!(delivered(&seen), [1, 2], "and the report of the loss");
}

/// A report has a place of its own: a full queue that refuses what is new cannot keep it out.
#[test]
fn a_full_queue_does_not_crowd_out_the_report_of_losses() {
    let mut bench = Bench::new(|settings| {
        settings.queue_bytes_max = 200;
        settings.overflow = crate::queue::Overflow::DropNewest;
    });
    let port = bench.port.clone();
    port.counts.dropped(DropReason::Memory, 2);
    bench.given += 2;
    assert!(port.report_losses(&bench.world));
    bench.give(4, Lane::High);
    bench.give(4, Lane::High);
    assert_eq!(port.counts.drops()[&DropReason::QueueFull], 4);
    assert!(!port.evict_attempt(), "nor does a full memory");
    let (sink, seen) = ScriptedSink::new([Answer::ok()]);
    bench.run(sink, bench.drain_after(SECOND, SECOND));
    assert_eq!(
        seen.calls.borrow()[0].len(),
        5,
        "four records, and with them the report of the two"
    );
    assert_eq!(port.counts.generated.get(), 2, "and one of the four");
}

/// When each of three sinks that are well got its calls, beside a fourth one that answers like this.
fn calls_beside(fourth: Answer) -> Vec<Vec<(Instant, usize)>> {
    let bench = Bench::new(|_| {});
    let port = |name: &str| {
        Rc::new(Port::new(
            name,
            DeliverySettings::default(),
            false,
            bench.progress.clone(),
            bench.port.identity.clone(),
            bench.budget.clone(),
        ))
    };
    let ports = ["a", "b", "c", "hole"].map(port);
    let world: Rc<dyn World> = Rc::new(bench.world.clone());
    let (mut tasks, mut seen): (Vec<Boxed<'static, ()>>, Vec<_>) = (Vec::new(), Vec::new());
    for port in &ports[..3] {
        let sink = ok_after(Duration::ZERO);
        seen.push(sink.calls.clone());
        tasks.push(Box::pin(run(port.clone(), Box::new(sink), world.clone())));
    }
    let (sink, _) = ScriptedSink::new([fourth]);
    tasks.push(Box::pin(run(ports[3].clone(), sink, world)));
    let (clock, progress, budget) = (
        bench.world.clone(),
        bench.progress.clone(),
        bench.budget.clone(),
    );
    let all = ports.clone();
    bench.world.run(
        async move {
            for _ in 0..60 {
                all.iter().for_each(|port| push(port, &budget, 5));
                all.iter().for_each(|port| port.set_goal(Goal::Flush));
                clock.sleep(SECOND * 7).await;
            }
            finish(&all, clock.now() + SECOND * 2, &progress, &clock).await;
        },
        tasks,
    );
    for port in &ports {
        let counts = &port.counts;
        assert_eq!(
            60 * 5 + counts.generated.get(),
            counts.accounted(),
            "{counts:?}"
        );
        assert_eq!(counts.in_flight.get(), 0);
    }
    assert!(
        ports[..3]
            .iter()
            .all(|port| port.counts.delivered.get() == 300)
    );
    seen.iter().map(|calls| calls.take()).collect()
}

/// One black hole, or one destination that fails, changes neither what the others get nor when, to the nanosecond.
#[test]
fn a_sink_that_hangs_or_fails_changes_nothing_for_the_others() {
    let well = calls_beside(Answer::ok());
    assert_eq!(well[0].len(), 60);
    assert_eq!(calls_beside(Answer::Never), well);
    assert_eq!(calls_beside(Answer::unavailable()), well);
    assert_eq!(calls_beside(Answer::Panic), well);
}

/// What all environments of a function share: so many requests within a second, and no more.
struct Shared {
    second: std::cell::Cell<u64>,
    taken: std::cell::Cell<u32>,
    asked: std::cell::Cell<u32>,
}

/// A sink whose first request wants something of a shared service, as the one that makes a stream does.
struct Throttled(Rc<Shared>);

/// Requests that the service takes within a second.
const A_SECOND: u32 = 50;

impl Sink for Throttled {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, _: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        let (shared, second) = (&self.0, call.world.now().0 / 1_000_000_000);
        shared.asked.set(shared.asked.get() + 1);
        if shared.second.replace(second) != second {
            shared.taken.set(0);
        }
        let verdict = if shared.taken.get() < A_SECOND {
            shared.taken.set(shared.taken.get() + 1);
            Verdict::Accepted
        } else {
            Verdict::Retry {
                why: "ThrottlingException".into(),
                after: None,
                answered: true,
            }
        };
        Box::pin(std::future::ready(verdict.into()))
    }
}

/// Two hundred environments that start within the same moment, each with a stream to make, fifty a second.
#[test]
fn a_herd_of_environments_spreads_out_and_loses_nothing() {
    let world = VirtualWorld::new(11);
    let (progress, budget) = (Rc::new(Bell::default()), Budget::new(64 << 20));
    let shared = Rc::new(Shared {
        second: std::cell::Cell::new(u64::MAX),
        taken: std::cell::Cell::new(0),
        asked: std::cell::Cell::new(0),
    });
    let (mut ports, mut tasks): (Vec<_>, Vec<Boxed<'static, ()>>) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let port = Rc::new(Port::new(
            "out",
            DeliverySettings::default(),
            false,
            progress.clone(),
            Rc::new(Identity::new(test_util::INSTANCE)),
            budget.clone(),
        ));
        push(&port, &budget, 3);
        port.set_goal(Goal::Flush);
        let sink = Box::new(Throttled(shared.clone()));
        tasks.push(Box::pin(run(port.clone(), sink, Rc::new(world.clone()))));
        ports.push(port);
    }
    let (clock, all) = (world.clone(), ports.clone());
    world.run(
        async move {
            clock.sleep(SECOND * 30).await;
            finish(&all, clock.now() + SECOND, &progress, &clock).await;
        },
        tasks,
    );
    for port in &ports {
        assert_eq!(port.counts.delivered.get(), 3, "{:?}", port.counts);
        assert_eq!(port.counts.accounted(), 3);
    }
    let asked = shared.asked.get();
    assert!((200..=200 * 5).contains(&asked), "{asked} requests");
}
