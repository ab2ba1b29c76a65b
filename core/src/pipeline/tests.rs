//! Stages, taps and fates; the ledger adds up for every sink.

use std::cell::RefCell;
use std::time::Duration;

use super::*;
use crate::bell::Bell;
use crate::budget::Budget;
use crate::config::LateSecrets;
use crate::expr::Names;
use crate::facts::Facts;
use crate::invocation::Invocations;
use crate::ledger::{DropReason, Ledger};
use crate::limits::{SECRET_WAIT_BATCHES_MAX, SECRET_WAIT_MAX};
use crate::port::{DeliverySettings, Identity};
use crate::room::Room;
use crate::store::Store;
use crate::test_util::{self, VirtualWorld};
use crate::view::Scratch;
use crate::world::World;

struct Bench {
    world: VirtualWorld,
    facts: Facts,
    invocations: Invocations,
    identity: Identity,
    ledger: Ledger,
    scratch: Scratch,
    budget: Budget,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            world: VirtualWorld::new(1),
            facts: Facts::default(),
            invocations: Invocations::default(),
            identity: Identity::new(test_util::INSTANCE),
            ledger: Ledger::default(),
            scratch: Scratch::default(),
            budget: Budget::new(1 << 20),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        }
    }

    fn run(
        &self,
        stages: Vec<Stage>,
        taps: Vec<Tap>,
        rows: &[(&str, &str, Option<Level>)],
    ) -> Vec<Rc<Port>> {
        let context = self.context();
        let mut pipeline = Pipeline::new(stages, taps);
        pipeline.process(test_util::batch_of(&self.budget, rows), &context);
        pipeline.release(&context);
        let ports: Vec<_> = pipeline.ports().cloned().collect();
        for port in &ports {
            assert_eq!(self.ledger.check(&port.name, &port.counts), Ok(()));
        }
        ports
    }
}

fn tap(after: usize, when: Option<&str>) -> Tap {
    let identity = Rc::new(Identity::new(test_util::INSTANCE));
    let budget = Budget::new(1 << 20);
    let port = Port::new(
        "out",
        DeliverySettings::default(),
        false,
        Rc::new(Bell::default()),
        identity,
        budget,
    );
    Tap {
        port: Rc::new(port),
        after,
        when: when.map(expression),
    }
}

fn expression(source: &str) -> Expression {
    Expression::parse(source, &Names { env: &[] }).unwrap()
}

fn stage(transform: impl Transform + 'static) -> Stage {
    Stage {
        name: "stage".into(),
        when: None,
        redacts: false,
        transform: Box::new(transform),
    }
}

/// Filters every record that it may look at.
struct FilterAll;

impl Transform for FilterAll {
    fn apply(&mut self, mut batch: Batch, _: &Context<'_>, output: &mut Vec<Batch>) {
        for record in batch
            .records_mut()
            .iter_mut()
            .filter(|record| record.is_live())
        {
            record.fate = Fate::Filtered;
        }
        output.push(batch);
    }
}

/// Panics.
struct Broken;

impl Transform for Broken {
    fn apply(&mut self, _: Batch, _: &Context<'_>, _: &mut Vec<Batch>) {
        panic!("as the test wants");
    }
}

const ROWS: &[(&str, &str, Option<Level>)] = &[
    ("function", "\"one\"", Some(Level::Debug)),
    ("function", "\"two\"", Some(Level::Error)),
    ("platform.start", "{}", None),
    ("function", "\"three\"", None),
];

#[test]
fn each_lane_gets_one_parcel() {
    let ports = Bench::new().run(vec![], vec![tap(0, None)], ROWS);
    let parcels: Vec<_> = std::iter::from_fn(|| ports[0].queue.pop()).collect();
    let lanes: Vec<_> = parcels
        .iter()
        .map(|parcel| (parcel.lane, parcel.chosen.to_vec()))
        .collect();
    assert_eq!(
        lanes,
        [
            (Lane::High, vec![1, 2]),
            (Lane::Middle, vec![3]),
            (Lane::Low, vec![0])
        ]
    );
}

/// A tap sees what has passed the stages before it, whatever later stages do.
#[test]
fn a_tap_is_not_touched_by_later_stages() {
    let ports = Bench::new().run(
        vec![stage(FilterAll)],
        vec![tap(0, None), tap(1, None)],
        ROWS,
    );
    assert_eq!(ports[0].counts.in_flight.get(), 4);
    assert_eq!(ports[1].counts.filtered.get(), 4);
}

#[test]
fn the_when_of_a_sink_counts_as_filtered() {
    let ports = Bench::new().run(vec![], vec![tap(0, Some("level >= error"))], ROWS);
    assert_eq!(
        (
            ports[0].counts.in_flight.get(),
            ports[0].counts.filtered.get()
        ),
        (1, 3)
    );
}

#[test]
fn the_when_of_a_stage_keeps_records_out_of_its_hands() {
    let mut stage = stage(FilterAll);
    stage.when = Some(expression("type == \"function\""));
    let ports = Bench::new().run(vec![stage], vec![tap(9, None)], ROWS);
    assert_eq!(
        (
            ports[0].counts.in_flight.get(),
            ports[0].counts.filtered.get()
        ),
        (1, 3)
    );
}

/// Redaction fails closed: a `when` that compares unlike kinds redacts.
#[test]
fn a_when_that_cannot_be_evaluated_redacts() {
    for (redacts, filtered) in [(true, 1), (false, 0)] {
        let mut stage = stage(FilterAll);
        stage.when = Some(expression(".a > 5"));
        stage.redacts = redacts;
        let ports = Bench::new().run(
            vec![stage],
            vec![tap(9, None)],
            &[("function", "{\"a\":[]}", None)],
        );
        assert_eq!(ports[0].counts.filtered.get(), filtered, "{redacts}");
    }
}

#[test]
fn a_stage_that_breaks_loses_its_records_and_they_are_counted() {
    let bench = Bench::new();
    let ports = bench.run(
        vec![stage(FilterAll), stage(Broken)],
        vec![tap(1, None), tap(2, None)],
        ROWS,
    );
    assert_eq!(
        ports[1].counts.filtered.get(),
        4,
        "what was filtered before stays filtered"
    );
    let ports = Bench::new().run(vec![stage(Broken)], vec![tap(0, None), tap(1, None)], ROWS);
    assert_eq!(ports[0].counts.in_flight.get(), 4);
    assert_eq!(ports[1].counts.drops()[&DropReason::Broken], 4);
}

/// A filter that keeps one record of each large body: the body goes, the record stays.
#[test]
fn few_records_move_out_of_a_large_body() {
    let bench = Bench::new();
    let long = format!("\"{}\"", "x".repeat(600_000));
    let rows = [
        ("function", long.as_str(), Some(Level::Debug)),
        ("function", "\"boom\"", Some(Level::Error)),
    ];
    let tap = tap(0, Some("level >= error"));
    let port = tap.port.clone();
    let mut pipeline = Pipeline::new(vec![], vec![tap]);
    let context = bench.context();
    let budget = Budget::new(64 << 20);
    for _ in 0..3 {
        pipeline.process(test_util::batch_of(&budget, &rows), &context);
    }
    assert!(budget.used() < 10_000, "{}", budget.used());
    assert_eq!(port.counts.in_flight.get(), 3);
}

/// Holds live records for a second, and puts one of its own behind what it gives out. Breaks at the text `"break"`.
#[derive(Default)]
struct Holds {
    held: Vec<Batch>,
    due: Option<Instant>,
    made: u64,
}

impl Holds {
    fn give_out(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        self.due = None;
        output.append(&mut self.held);
        let mut own = test_util::batch_of(context.budget, &[("tapline.summary", "{}", None)]);
        own.records_mut()[0].sequence = context.identity.next();
        self.made += 1;
        output.push(own);
    }
}

impl Transform for Holds {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut store = Store::new(context.budget, 10_000, &batch).unwrap();
        for record in batch.records().iter().filter(|record| record.is_live()) {
            assert_ne!(batch.bytes(record.value), b"\"break\"");
            assert!(store.push(&batch, record));
        }
        batch.retain(|record| !record.is_live());
        if !store.is_empty() {
            self.held.push(store.into_batch());
            let due = context.world.now() + Duration::from_secs(1);
            self.due.get_or_insert(due);
        }
        output.push(batch);
    }

    fn holding(&self) -> Holding {
        let held: usize = self.held.iter().map(|batch| batch.records().len()).sum();
        Holding {
            held: held as u64,
            made: self.made,
            due: self.due,
        }
    }

    fn expire(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        self.give_out(context, output);
    }

    fn evict(&mut self, _: Lane) -> u64 {
        self.held
            .pop()
            .map_or(0, |batch| batch.records().len() as u64)
    }

    fn release(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        self.give_out(context, output);
    }
}

fn assert_adds_up(bench: &Bench, ports: &[Rc<Port>]) {
    for port in ports {
        assert_eq!(bench.ledger.check(&port.name, &port.counts), Ok(()));
    }
}

/// Two stages that hold, and taps before, between and behind them: at every moment each sink's ledger adds up, what is
/// held is in flight behind the stage only, and what a stage makes is generated behind it only.
#[test]
fn what_a_stage_holds_is_in_flight_behind_it() {
    let bench = Bench::new();
    let context = bench.context();
    let taps = vec![
        tap(0, None),
        tap(1, Some("type == \"function\"")),
        tap(2, None),
    ];
    let mut pipeline = Pipeline::new(vec![stage(Holds::default()), stage(Holds::default())], taps);
    let ports: Vec<_> = pipeline.ports().cloned().collect();
    let held = |ports: &[Rc<Port>]| -> Vec<u64> {
        let in_flight = ports
            .iter()
            .map(|port| port.counts.in_flight.get() - queued(port));
        in_flight.collect()
    };
    assert_eq!(pipeline.due(), None, "no timer while nothing is due");
    for _ in 0..2 {
        pipeline.process(test_util::batch_of(&bench.budget, ROWS), &context);
        assert_adds_up(&bench, &ports);
    }
    assert_eq!(held(&ports), [0, 8, 8]);
    let due = pipeline.due().unwrap();
    assert_eq!(due, bench.world.now() + Duration::from_secs(1));
    pipeline.expire(&context);
    assert_eq!(held(&ports), [0, 8, 8], "just under a second");
    bench.world.run(bench.world.sleep_until(due), vec![]);
    pipeline.expire(&context);
    assert_adds_up(&bench, &ports);
    assert_eq!(
        held(&ports),
        [0, 0, 9],
        "they wait in the second stage, with the first one's own"
    );
    let generated = |at: usize| ports[at].counts.generated.get();
    assert_eq!((generated(0), generated(1), generated(2)), (0, 1, 1));
    pipeline.release(&context);
    assert_adds_up(&bench, &ports);
    assert_eq!(held(&ports), [0, 0, 0]);
    assert_eq!((generated(0), generated(1), generated(2)), (0, 2, 3));
    assert_eq!(pipeline.due(), None);
}

fn queued(port: &Port) -> u64 {
    let mut count = 0;
    let mut parcels = Vec::new();
    while let Some(parcel) = port.queue.pop() {
        count += parcel.chosen.len() as u64;
        parcels.push(parcel);
    }
    for parcel in parcels {
        let (lane, weight) = (parcel.lane, parcel.weight);
        assert!(
            port.queue
                .push(lane, weight, parcel, port.settings.overflow)
                .is_empty()
        );
    }
    count
}

/// What is held gives way before what waits for sinks, and is counted as dropped by each sink behind it.
#[test]
fn what_a_stage_holds_can_be_let_go_of() {
    let bench = Bench::new();
    let taps = vec![tap(0, None), tap(1, None)];
    let pipeline = Rc::new(RefCell::new(Pipeline::new(
        vec![stage(Holds::default())],
        taps,
    )));
    let ports: Vec<_> = pipeline.borrow().ports().cloned().collect();
    pipeline
        .borrow_mut()
        .process(test_util::batch_of(&bench.budget, ROWS), &bench.context());
    let room = Room::new(bench.budget.clone(), pipeline.clone());
    let free = bench.budget.room();
    assert!(room.make(free + 1));
    assert_adds_up(&bench, &ports);
    assert_eq!(ports[0].counts.drops().len(), 0, "its tap comes before");
    assert_eq!(ports[1].counts.drops()[&DropReason::Memory], 4);
    assert!(room.make(bench.budget.limit()), "then what waits for sinks");
    assert_eq!(ports[0].counts.drops()[&DropReason::Memory], 4);
}

/// All that it held is lost with the batch at which it broke, and each record is counted once.
#[test]
fn a_stage_that_breaks_loses_what_it_held() {
    let bench = Bench::new();
    let context = bench.context();
    let mut pipeline = Pipeline::new(
        vec![stage(Holds::default())],
        vec![tap(0, None), tap(1, None)],
    );
    let ports: Vec<_> = pipeline.ports().cloned().collect();
    pipeline.process(test_util::batch_of(&bench.budget, ROWS), &context);
    let rows = [
        ("function", "\"fine\"", None),
        ("function", "\"break\"", None),
    ];
    pipeline.process(test_util::batch_of(&bench.budget, &rows), &context);
    assert_adds_up(&bench, &ports);
    assert_eq!(ports[1].counts.drops()[&DropReason::Broken], 6);
    assert_eq!(ports[1].counts.in_flight.get(), 0);
    pipeline.process(test_util::batch_of(&bench.budget, ROWS), &context);
    assert_adds_up(&bench, &ports);
    assert_eq!(ports[1].counts.in_flight.get(), 4, "it goes on");
}

/// Looks up nothing, but needs a secret.
struct Needy(Late);

impl Transform for Needy {
    fn apply(&mut self, batch: Batch, _: &Context<'_>, output: &mut Vec<Batch>) {
        output.push(batch);
    }

    fn waits_for(&self) -> Option<&Late> {
        Some(&self.0)
    }
}

fn needy(secret: &Late) -> Pipeline {
    let taps = vec![tap(0, None), tap(1, None), tap(2, None)];
    Pipeline::new(vec![stage(Needy(secret.clone())), stage(FilterAll)], taps)
}

fn rows() -> [(&'static str, &'static str, Option<Level>); 3] {
    [
        ("function", "\"debug\"", Some(Level::Debug)),
        ("function", "\"info\"", None),
        ("function", "\"error\"", Some(Level::Error)),
    ]
}

/// Delivered or queued, filtered, waiting or queued, dropped: of the sink behind so many stages.
fn fates(pipeline: &Pipeline, tap: usize) -> (u64, u64, u64, u64) {
    let counts = &pipeline.taps[tap].port.counts;
    let queued = std::iter::from_fn(|| pipeline.taps[tap].port.queue.pop());
    let queued: usize = queued.map(|parcel| parcel.chosen.len()).sum();
    (
        queued as u64,
        counts.filtered.get(),
        counts.in_flight.get(),
        counts.drops().values().sum(),
    )
}

#[test]
fn records_wait_for_a_secret_in_front_of_all_stages_and_count_as_in_flight() {
    let bench = Bench::new();
    let secret = LateSecrets::default().add("arn");
    let mut pipeline = needy(&secret);
    let context = bench.context();
    let mut batch = test_util::batch_of(&bench.budget, &rows());
    batch.records_mut()[1].fate = Fate::Filtered;
    pipeline.process(batch, &context);
    assert!(pipeline.is_waiting());
    assert_eq!(fates(&pipeline, 0), (2, 1, 2, 0), "in front of all stages");
    for behind in [1, 2] {
        assert_eq!(
            fates(&pipeline, behind),
            (0, 1, 2, 0),
            "what is filtered does not wait"
        );
    }
    for port in pipeline.ports() {
        assert_eq!(bench.ledger.check(&port.name, &port.counts), Ok(()));
    }
    secret.set("a key");
    assert_eq!(pipeline.due(), Some(Instant::default()), "at once");
    pipeline.expire(&context);
    assert!(!pipeline.is_waiting() && pipeline.due().is_none());
    assert_eq!(fates(&pipeline, 1), (2, 1, 2, 0));
    assert_eq!(
        fates(&pipeline, 2),
        (0, 3, 0, 0),
        "its filter has seen them"
    );
    // A secret that is fetched anew, because a destination refused it, holds up nothing.
    secret.want();
    pipeline.process(test_util::batch_of(&bench.budget, &rows()), &context);
    assert_eq!(fates(&pipeline, 1).0, 3);
    for port in pipeline.ports() {
        assert_eq!(bench.ledger.check(&port.name, &port.counts), Ok(()));
    }
}

/// Failed, too late, the end of everything, too little memory, too many batches, too many bytes for a queue.
#[test]
fn records_do_not_wait_for_a_secret_without_bounds() {
    type Go = fn(&Bench, &mut Pipeline, &Late);
    let go: [(&str, Go); 6] = [
        ("it cannot be read", |bench, pipeline, secret| {
            secret.fail();
            pipeline.expire(&bench.context());
        }),
        ("it takes too long", |bench, pipeline, _| {
            let due = pipeline.due().unwrap();
            assert_eq!(due, Instant::default() + SECRET_WAIT_MAX);
            bench.world.run(
                bench.world.sleep_until(due - Duration::from_millis(1)),
                vec![],
            );
            pipeline.expire(&bench.context());
            assert!(pipeline.is_waiting(), "just under");
            bench.world.run(bench.world.sleep_until(due), vec![]);
            pipeline.expire(&bench.context());
        }),
        ("everything ends", |bench, pipeline, _| {
            pipeline.release(&bench.context());
        }),
        ("memory is short", |bench, pipeline, _| {
            let half = bench.budget.limit() / 2;
            let most = bench
                .budget
                .charge((half - bench.budget.used() - 4_000) as usize);
            let batch = || test_util::batch_of(&bench.budget, &[]);
            pipeline.process(batch(), &bench.context());
            assert!(pipeline.is_waiting(), "just under");
            let more = bench.budget.charge(4_001);
            pipeline.process(batch(), &bench.context());
            drop((most, more));
        }),
        ("a queue would be half full", |bench, pipeline, _| {
            let half = DeliverySettings::default().queue_bytes_max / 2;
            let (time_and_kind, known) = (32, 3 * 32 + 7 + 6 + 7);
            let text = "x".repeat(half - known - time_and_kind - 2);
            let row = |text: &str| format!("\"{text}\"");
            let large = Budget::new(1 << 30);
            let context = Context {
                budget: &large,
                ..bench.context()
            };
            let just = row(&text);
            pipeline.process(
                test_util::batch_of(&large, &[("function", &just, None)]),
                &context,
            );
            assert!(pipeline.is_waiting(), "just under");
            let row = [("", "0", None)];
            pipeline.process(test_util::batch_of(&large, &row), &context);
        }),
        ("too many wait", |bench, pipeline, _| {
            let row = [("function", "\"x\"", None)];
            for _ in 1..SECRET_WAIT_BATCHES_MAX {
                pipeline.process(test_util::batch_of(&bench.budget, &row), &bench.context());
            }
            assert!(pipeline.is_waiting(), "just under");
            pipeline.process(test_util::batch_of(&bench.budget, &row), &bench.context());
        }),
    ];
    for (why, go) in go {
        let bench = Bench::new();
        let secret = LateSecrets::default().add("arn");
        let mut pipeline = needy(&secret);
        pipeline.process(
            test_util::batch_of(&bench.budget, &rows()),
            &bench.context(),
        );
        assert!(pipeline.is_waiting(), "{why}");
        go(&bench, &mut pipeline, &secret);
        assert!(!pipeline.is_waiting(), "{why}");
        pipeline.process(
            test_util::batch_of(&bench.budget, &rows()),
            &bench.context(),
        );
        assert!(!pipeline.is_waiting(), "it is passed for good: {why}");
        for port in pipeline.ports() {
            assert_eq!(
                bench.ledger.check(&port.name, &port.counts),
                Ok(()),
                "{why}"
            );
        }
        let (queued, _, in_flight, dropped) = fates(&pipeline, 1);
        assert_eq!((queued, dropped), (in_flight, 0), "{why}");
        assert!(queued >= 6, "{why}");
    }
}

#[test]
fn what_waits_for_a_secret_gives_way_to_new_bodies_by_importance() {
    let bench = Bench::new();
    let secret = LateSecrets::default().add("arn");
    let mut pipeline = Pipeline::new(vec![stage(Needy(secret))], vec![tap(1, None)]);
    let context = bench.context();
    let text = format!("\"{}\"", "x".repeat(10_000));
    let rows = rows().map(|(kind, _, level)| (kind, text.as_str(), level));
    for _ in 0..2 {
        pipeline.process(test_util::batch_of(&bench.budget, &rows), &context);
    }
    let mut used = bench.budget.used();
    for (lane, left) in [(Lane::Low, 4), (Lane::Middle, 2), (Lane::High, 0)] {
        for _ in 0..2 {
            assert!(pipeline.evict(lane));
            assert!(bench.budget.used() < used, "it frees something");
            used = bench.budget.used();
        }
        assert!(!pipeline.evict(lane), "none of the lane is left");
        assert_eq!(pipeline.known[0].held, left);
    }
    for port in pipeline.ports() {
        assert_eq!(bench.ledger.check(&port.name, &port.counts), Ok(()));
    }
    assert_eq!(fates(&pipeline, 0).3, 6, "each is counted");
}
