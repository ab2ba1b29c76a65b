//! The hard cases of an extension's life, as tables. Does not prove: that the engine does what it is told.

use super::*;
use crate::settings::Strategy;
use proptest::prelude::*;

const WALL: i64 = 1_760_000_000_000;

fn at(ms: u64) -> Clock {
    Clock {
        now: Instant(ms * 1_000_000),
        wall_ms: WALL + ms as i64,
    }
}

fn machine(change: impl FnOnce(&mut Conditions)) -> Lifecycle {
    let mut conditions = Conditions {
        flush: FlushSettings::default(),
        subscribed: true,
        signal: true,
        managed: false,
        early_init: false,
    };
    change(&mut conditions);
    let mut machine = Lifecycle::new(conditions);
    machine.step(at(0), Event::Started);
    machine
}

fn invoke(request_id: &str, deadline: u64) -> Event<'_> {
    Event::Invoke {
        request_id,
        deadline_ms: WALL + deadline as i64,
    }
}

fn done(request_id: &str, time: u64) -> Event<'_> {
    Event::RuntimeDone {
        request_id,
        time_ms: Some(WALL + time as i64),
    }
}

const NEXT: Actions = Actions {
    hold_ended: None,
    release: false,
    flush: false,
    drain: None,
    next: true,
    park: true,
};

/// The plain case: the end of the invocation starts a flush, its completion asks for the next event.
#[test]
fn an_invocation_is_held_until_the_sinks_are_settled() {
    let mut machine = machine(|_| {});
    assert_eq!(machine.step(at(10), invoke("a", 3_010)), Actions::default());
    let actions = machine.step(at(100), done("a", 90));
    assert!(actions.flush && !actions.next);
    assert_eq!(
        machine.hold(),
        Some((at(100).now, at(590).now)),
        "500 ms from the time in the record"
    );
    let actions = machine.step(at(130), Event::Settled);
    assert_eq!(
        (actions.next, actions.park, actions.hold_ended),
        (true, true, Some(at(100).now))
    );
}

#[test]
fn a_hold_ends_at_max_hold_whatever_the_sinks_do() {
    let mut machine = machine(|_| {});
    machine.step(at(10), invoke("a", 30_010));
    machine.step(at(100), done("a", 100));
    assert_eq!(machine.wake_at(), Some(at(600).now));
    assert_eq!(
        machine.step(at(599), Event::Tick),
        Actions::default(),
        "just under"
    );
    assert!(machine.step(at(600), Event::Tick).next);
}

/// A runtimeDone that was delivered late leaves no time to hold: the flush goes on in the background.
#[test]
fn a_late_signal_holds_nothing() {
    let mut machine = machine(|_| {});
    machine.step(at(10), invoke("a", 30_010));
    let actions = machine.step(at(900), done("a", 100));
    assert!(actions.flush && actions.next);
}

#[test]
fn a_hold_ends_before_the_deadline_less_the_margin() {
    let mut machine = machine(|_| {});
    machine.step(at(0), invoke("a", 1_000));
    machine.step(at(800), done("a", 800));
    assert_eq!(
        machine.hold(),
        Some((at(800).now, at(900).now)),
        "a tenth of the second that it was given"
    );
}

/// The signal never comes: that is paid for once, and not again until it was seen.
#[test]
fn a_lost_signal_costs_one_invocation() {
    let mut machine = machine(|_| {});
    machine.step(at(0), invoke("a", 3_000));
    let actions = machine.step(at(2_700), Event::Tick);
    assert!(
        actions.next && actions.flush && !actions.park,
        "the function may still run"
    );
    let actions = machine.step(at(5_000), invoke("b", 8_000));
    assert!(actions.next && actions.flush, "not waited for");
    machine.step(at(5_100), done("b", 5_100));
    assert_eq!(
        machine.step(at(6_000), invoke("c", 9_000)),
        Actions::default(),
        "waited for again"
    );
}

#[test]
fn the_end_of_another_invocation_does_not_end_this_one() {
    let mut machine = machine(|_| {});
    machine.step(at(0), invoke("a", 3_000));
    assert_eq!(machine.step(at(50), done("z", 50)), Actions::default());
    assert!(machine.step(at(60), done("a", 60)).flush);
}

/// Very short functions: the end is handled before INVOKE was.
#[test]
fn an_end_that_was_seen_early_is_remembered() {
    let mut machine = machine(|_| {});
    machine.step(at(0), done("a", 0));
    let actions = machine.step(at(20), invoke("a", 3_000));
    assert!(actions.flush && machine.hold().is_some());
}

#[test]
fn without_telemetry_nothing_is_waited_for() {
    let mut machine = machine(|conditions| conditions.subscribed = false);
    assert_eq!(machine.step(at(0), invoke("a", 3_000)), NEXT);
}

/// The oldest schema of the Logs API never says that the runtime is done: no invocation pays for finding that out.
#[test]
fn a_signal_that_cannot_come_is_not_waited_for() {
    let mut machine = machine(|conditions| conditions.signal = false);
    let actions = machine.step(at(0), invoke("a", 3_000));
    assert!(actions.next && actions.flush);
}

#[test]
fn what_trails_the_end_of_an_invocation_leaves_with_it() {
    let mut machine = machine(|_| {});
    machine.step(at(0), invoke("a", 3_000));
    machine.step(at(50), done("a", 50));
    assert!(machine.step(at(60), Event::Arrived).flush);
}

#[test]
fn records_leave_during_a_long_invocation_and_once_before_its_deadline() {
    let mut machine = machine(|_| {});
    machine.step(at(0), invoke("a", 60_000));
    machine.step(at(100), Event::Arrived);
    assert_eq!(machine.wake_at(), Some(at(20_100).now));
    let stale = machine.step(at(20_100), Event::Tick);
    assert!(stale.flush && !stale.release);
    assert_eq!(
        machine.wake_at(),
        Some(at(59_000).now),
        "margin and max_hold before the deadline"
    );
    let race = machine.step(at(59_000), Event::Tick);
    assert!(race.flush && race.release, "with what transforms hold back");
    assert_eq!(machine.wake_at(), Some(at(59_500).now));
}

#[test]
fn strategies_without_a_hold_ask_for_the_next_event_at_once() {
    for strategy in [Strategy::Periodic, Strategy::Continuous] {
        let mut machine = machine(|conditions| conditions.flush.strategy = strategy);
        machine.step(at(0), Event::Arrived);
        let actions = machine.step(at(0), invoke("a", 60_000));
        assert!(actions.next && !actions.flush && !actions.park);
        assert!(
            machine.step(at(20_000), Event::Tick).flush,
            "the staleness bound while it runs"
        );
        assert!(machine.step(at(20_100), done("a", 20_100)).park);
        assert_eq!(machine.wake_at(), None, "no deadline of what is over");
    }
}

/// The function hangs until its timeout: what transforms hold back leaves before it, once, and nothing was held for it.
#[test]
fn strategies_without_a_hold_let_go_of_what_is_held_before_a_deadline() {
    for strategy in [Strategy::Periodic, Strategy::Continuous] {
        let mut machine = machine(|conditions| conditions.flush.strategy = strategy);
        machine.step(at(0), invoke("a", 3_000));
        let race = 3_000 - 300 - 500;
        assert_eq!(
            machine.wake_at(),
            Some(at(race).now),
            "margin and max_hold before the deadline"
        );
        let under = machine.step(at(race - 1), Event::Tick);
        assert_eq!(under, Actions::default(), "just under");
        let let_go = machine.step(at(race), Event::Tick);
        assert!(let_go.release && let_go.flush && !let_go.next && !let_go.park);
        assert_eq!(machine.wake_at(), None, "once");
        assert!(machine.step(at(3_100), invoke("b", 63_100)).next);
        assert_eq!(machine.wake_at(), Some(at(62_100).now));
    }
}

/// Lines that trail the end of an invocation, and those of an early init, belong to no invocation that will end: with
/// the freezer ahead, nothing that transforms hold back may wait for its own time.
#[test]
fn nothing_is_held_back_once_nothing_runs() {
    let mut held = machine(|_| {});
    held.step(at(0), invoke("a", 3_000));
    assert!(held.step(at(50), done("a", 50)).release);
    assert!(held.step(at(60), Event::Arrived).release);
    let mut late = machine(|_| {});
    late.step(at(0), invoke("a", 3_000));
    assert!(late.step(at(900), done("a", 100)).release);
    let mut background = machine(|conditions| conditions.flush.strategy = Strategy::Periodic);
    background.step(at(0), invoke("a", 3_000));
    assert!(background.step(at(50), done("a", 50)).release);
    let mut early = machine(|conditions| conditions.early_init = true);
    assert!(early.step(at(250), Event::Tick).release);
}

/// Provisioned concurrency: minutes may pass before the first invocation, so init records leave before `next`.
#[test]
fn records_of_an_early_init_leave_before_the_first_next() {
    let mut machine = machine(|conditions| conditions.early_init = true);
    assert_eq!(machine.wake_at(), Some(at(250).now));
    assert!(machine.step(at(250), Event::Tick).flush);
    assert!(machine.step(at(500), Event::Tick).next);
}

#[test]
fn managed_instances_flush_on_a_timer_and_are_never_parked() {
    let mut machine = machine(|conditions| conditions.managed = true);
    assert_eq!(machine.wake_at(), None, "no timer while nothing is due");
    machine.step(at(0), Event::Arrived);
    assert_eq!(machine.wake_at(), Some(at(1_000).now));
    let actions = machine.step(at(1_000), Event::Tick);
    assert!(actions.flush && !actions.park);
}

#[test]
fn shutdown_ends_before_the_platform_kills() {
    for (left, expected) in [
        (Some(2_000), 1_800),
        (Some(300), 150),
        (None, 1_800),
        (Some(-5), 1_800),
    ] {
        let mut machine = machine(|_| {});
        let deadline_ms = left.map(|left| WALL + 100 + left);
        let actions = machine.step(at(100), Event::Shutdown { deadline_ms });
        assert_eq!(actions.drain, Some(at(100 + expected).now), "{left:?}");
    }
}

#[derive(Debug, Clone)]
enum Happening {
    Invoke(u64),
    Done(u64),
    Settled,
    Arrived,
    Nothing,
}

fn happening() -> impl Strategy_ {
    prop_oneof![
        (1u64..20_000).prop_map(Happening::Invoke),
        (0u64..1_000).prop_map(Happening::Done),
        Just(Happening::Settled),
        Just(Happening::Arrived),
        Just(Happening::Nothing),
    ]
}

use proptest::strategy::Strategy as StrategyTrait;
trait Strategy_: StrategyTrait<Value = Happening> {}
impl<T: StrategyTrait<Value = Happening>> Strategy_ for T {}

proptest! {
    /// Whatever happens in whatever order, once ticks come when they are due: each invocation is answered with
    /// `next` before its deadline less the margin, and no later than `max_hold` after its end.
    #[test]
    fn next_is_always_asked_for_in_time(steps in prop::collection::vec((happening(), 0u64..700), 1..60)) {
        let mut machine = machine(|_| {});
        let mut now = 0;
        let mut in_next = true;
        let mut open: Option<(String, u64, u64)> = None; // request id, latest moment for `next`, deadline
        let mut count = 0;
        for (happening, pause) in steps {
            let target = now + pause;
            while let Some(wake) = machine.wake_at().filter(|wake| wake.0 <= target * 1_000_000) {
                now = now.max(wake.0.div_ceil(1_000_000));
                let actions = machine.step(at(now), Event::Tick);
                if actions.next {
                    let (_, latest, _) = open.take().expect("only an invocation leads to next");
                    prop_assert!(now <= latest, "next at {now}, latest {latest}");
                    in_next = true;
                }
            }
            now = target;
            let actions = match happening {
                Happening::Invoke(timeout) if in_next => {
                    count += 1;
                    let request_id = count.to_string();
                    let actions = machine.step(at(now), invoke(&request_id, now + timeout));
                    in_next = false;
                    open = Some((request_id, now + timeout, now + timeout));
                    actions
                }
                Happening::Done(ago) => match &mut open {
                    Some((request_id, latest, deadline)) if !in_next => {
                        let time = now.saturating_sub(ago);
                        let request_id = request_id.clone();
                        if machine.hold().is_none() {
                            *latest = (*deadline).min(now.max(time + 500));
                        }
                        machine.step(at(now), done(&request_id, time))
                    }
                    _ => Actions::default(),
                },
                Happening::Settled => machine.step(at(now), Event::Settled),
                Happening::Arrived => machine.step(at(now), Event::Arrived),
                Happening::Invoke(_) | Happening::Nothing => Actions::default(),
            };
            if actions.next {
                let latest = open.take().map(|(_, latest, _)| latest);
                prop_assert!(latest.is_some_and(|latest| now <= latest), "{now} {latest:?}");
                in_next = true;
            }
        }
    }
}
