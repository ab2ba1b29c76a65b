//! Stages, taps and fates; the ledger adds up for every sink.

use super::*;
use crate::bell::Bell;
use crate::budget::Budget;
use crate::expr::Names;
use crate::facts::Facts;
use crate::invocation::Invocations;
use crate::ledger::{DropReason, Ledger};
use crate::port::{DeliverySettings, Identity};
use crate::test_util::{self, VirtualWorld};
use crate::view::Scratch;

struct Bench {
    world: VirtualWorld,
    facts: Facts,
    invocations: Invocations,
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
            ledger: Ledger::default(),
            scratch: Scratch::default(),
            budget: Budget::new(1 << 20),
        }
    }

    fn run(
        &self,
        stages: Vec<Stage>,
        taps: Vec<Tap>,
        rows: &[(&str, &str, Option<Level>)],
    ) -> Vec<Rc<Port>> {
        let context = Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            ledger: &self.ledger,
            scratch: &self.scratch,
        };
        let mut pipeline = Pipeline::new(stages, taps);
        pipeline.process(test_util::batch_of(&self.budget, rows), &context);
        pipeline.drain(&context);
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
    let context = Context {
        world: &bench.world,
        facts: &bench.facts,
        invocations: &bench.invocations,
        ledger: &bench.ledger,
        scratch: &bench.scratch,
    };
    let budget = Budget::new(64 << 20);
    for _ in 0..3 {
        pipeline.process(test_util::batch_of(&budget, &rows), &context);
    }
    assert!(budget.used() < 10_000, "{}", budget.used());
    assert_eq!(port.counts.in_flight.get(), 3);
}
