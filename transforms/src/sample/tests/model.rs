//! `tail` against a model: what it decides on thousands of generated invocations, however they overlap and however
//! their lines are cut into batches; and that what it holds stays under its bound. A failing seed is in the message.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::tail::{level, start};
use super::*;
use crate::test_kit::value;
use std::time::Duration;
use tapline_core::batch::Slice;
use tapline_core::bell::Bell;
use tapline_core::budget::Budget;
use tapline_core::expr::Names;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::{DropReason, subtract};
use tapline_core::pipeline::{Pipeline, Stage, Tap};
use tapline_core::platform::{PlatformEvent, Status};
use tapline_core::port::{DeliverySettings, Identity, Port};
use tapline_core::room::Room;
use tapline_core::test_util;

/// An invocation as it was, known from the start.
struct Trace {
    id: String,
    levels: Vec<char>,
    /// `None`: its end is never seen.
    end: Option<(Status, f64)>,
}

enum Item {
    Start(usize),
    Line(usize, usize),
    End(usize),
}

/// How a life goes and how it is sampled.
struct Life {
    traces: Vec<Trace>,
    items: Vec<Item>,
    overlapping: bool,
    context: usize,
    rate: f64,
    keeps_warnings: bool,
}

impl Life {
    fn new(seed: u64, traces_count: usize) -> Life {
        let mut random = seeded(seed);
        let mut below = |n: u64| random() % n;
        let overlapping = below(2) == 0;
        let traces: Vec<Trace> = (0..traces_count)
            .map(|n| {
                let length = [0, 1, 5, 40, 120][below(5) as usize];
                // Errors are rare, so that most invocations do not fail.
                let levels = (0..length).map(|_| match below(200) {
                    0 => 'e',
                    1..10 => 'w',
                    10..100 => 'i',
                    100..110 => '-',
                    110..130 => 't',
                    _ => 'd',
                });
                let levels = levels.collect();
                let status = [Status::Error, Status::Timeout, Status::Failure][below(3) as usize];
                let status = if below(10) == 0 {
                    status
                } else {
                    Status::Success
                };
                let seen = overlapping || n + 1 == traces_count || below(20) > 0;
                Trace {
                    id: format!("{seed:08x}-{n:04x}-4000-8000-000000000000"),
                    levels,
                    end: seen.then(|| (status, below(1_000) as f64)),
                }
            })
            .collect();
        let open_max = if overlapping { 5 } else { 1 };
        let items = woven(&traces, open_max, &mut below);
        Life {
            traces,
            items,
            overlapping,
            context: [0, 1, 3, 50, 200][below(5) as usize],
            rate: [0.0, 0.25, 1.0][below(3) as usize],
            keeps_warnings: below(3) == 0,
        }
    }

    fn config(&self, memory: &str) -> String {
        let keep = if self.keeps_warnings {
            "keep = 'level >= warn'"
        } else {
            ""
        };
        format!(
            "rate = {}\n{keep}\ntail = {{ keep = 'failed or cold_start or duration > 800ms', context = {}, memory = '{memory}' }}",
            self.rate, self.context
        )
    }

    /// What is to become of each line of an invocation: its attributes, or `None` where it is left out.
    fn expected(&self, number: usize) -> Vec<Option<String>> {
        let trace = &self.traces[number];
        let failed = trace.levels.contains(&'e')
            || trace
                .end
                .is_some_and(|(status, _)| status != Status::Success);
        let slow = trace.end.is_some_and(|(_, duration)| duration > 800.0);
        let kept = failed || slow || number == 0;
        let bits = key::of_text(trace.id.as_bytes()).unwrap();
        let by_chance = bits as f64 / (1_u64 << 56) as f64 >= 1.0 - self.rate;
        let weight = if self.rate < 1.0 {
            r#""sample_weight":4"#
        } else {
            ""
        };
        let fates = trace.levels.iter().enumerate().map(|(place, letter)| {
            if self.keeps_warnings && matches!(letter, 'w' | 'e') {
                return Some(String::new());
            }
            let to_next_error = trace.levels[place..]
                .iter()
                .take_while(|letter| **letter != 'e');
            let low_ones = to_next_error
                .filter(|letter| matches!(letter, 'd' | 't'))
                .count();
            let is_low = matches!(letter, 'd' | 't');
            if kept && (!is_low || low_ones <= self.context) {
                return Some(String::new());
            }
            by_chance.then(|| weight.to_owned())
        });
        fates.collect()
    }
}

/// All invocations begun and ended in order, with up to so many open at the same time.
fn woven(traces: &[Trace], open_max: usize, below: &mut impl FnMut(u64) -> u64) -> Vec<Item> {
    let mut items = Vec::new();
    let (mut open, mut next): (Vec<(usize, usize)>, usize) = (Vec::new(), 0);
    while next < traces.len() || !open.is_empty() {
        if next < traces.len() && open.len() < open_max && (open.is_empty() || below(8) == 0) {
            items.push(Item::Start(next));
            open.push((next, 0));
            next += 1;
            continue;
        }
        let place = below(open.len() as u64) as usize;
        let (number, line) = open[place];
        if line < traces[number].levels.len() {
            items.push(Item::Line(number, line));
            open[place].1 += 1;
        } else {
            items.push(Item::End(number));
            open.remove(place);
        }
    }
    items
}

/// Turns items into a batch as the decoder does: events and levels are learnt in order, before any stage runs.
fn batch_of(
    life: &Life,
    items: &[Item],
    kit: &mut Kit,
    text_of: &mut dyn FnMut(usize, usize) -> String,
) -> Batch {
    let mut rows = Vec::new();
    let mut joined = Vec::new();
    for item in items {
        match item {
            Item::Start(number) => {
                start(kit, &life.traces[*number].id);
                rows.push(("platform.start", "{}".to_owned(), None));
                joined.push(None);
            }
            Item::Line(number, line) => {
                let trace = &life.traces[*number];
                let slot = kit.invocations.by_request_id(trace.id.as_bytes());
                let level = level(trace.levels[*line]);
                if let Some(level) = level {
                    kit.invocations.observe_level(slot, level);
                }
                rows.push(("function", text_of(*number, *line), level));
                joined.push(Some((*number, slot)));
            }
            Item::End(number) => {
                let trace = &life.traces[*number];
                if let Some((status, duration_ms)) = trace.end {
                    let (request_id, status, duration_ms) =
                        (trace.id.clone(), Some(status), Some(duration_ms));
                    kit.invocations.observe(&match life.overlapping {
                        true => PlatformEvent::Report {
                            request_id,
                            status,
                            duration_ms,
                        },
                        false => PlatformEvent::RuntimeDone {
                            request_id,
                            status,
                            duration_ms,
                            time_ms: None,
                        },
                    });
                    rows.push(("platform.end", "{}".to_owned(), None));
                    joined.push(None);
                }
            }
        }
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|(kind, text, level)| (*kind, text.as_str(), *level))
        .collect();
    let mut batch = kit.batch(&rows);
    let mut ids: HashMap<usize, Slice> = HashMap::new();
    for (position, joined) in joined.into_iter().enumerate() {
        if let Some((number, slot)) = joined {
            let id = *ids
                .entry(number)
                .or_insert_with(|| batch.keep(life.traces[number].id.as_bytes()));
            batch.records_mut()[position].invocation = slot;
            batch.records_mut()[position].request_id = id;
        }
    }
    batch
}

/// Items in batches of random size.
fn cut(seed: u64, mut items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let mut random = seeded(seed ^ 0xC0FFEE);
    std::iter::from_fn(move || {
        let size = (1 + random() % [3, 40, 500][(random() % 3) as usize]) as usize;
        let (now, later) = items.split_at(size.min(items.len()));
        items = later;
        (!now.is_empty()).then_some(now)
    })
}

fn port(kit: &Kit) -> Rc<Port> {
    let identity = Rc::new(Identity::new(test_util::INSTANCE));
    let settings = DeliverySettings {
        queue_bytes_max: usize::MAX / 2,
        ..DeliverySettings::default()
    };
    let bell = Rc::new(Bell::default());
    Rc::new(Port::new(
        "out",
        settings,
        false,
        bell,
        identity,
        kit.budget.clone(),
    ))
}

fn pipeline(life: &Life, memory: &str, port: &Rc<Port>) -> Pipeline {
    let stage = Stage {
        name: "sample".to_owned(),
        when: None,
        redacts: false,
        transform: made(&KIND, &life.config(memory)),
    };
    let tap = Tap {
        port: port.clone(),
        after: 1,
        when: None,
    };
    Pipeline::new(vec![stage], vec![tap])
}

/// Takes what is queued as delivered: the text of each line, and its attributes.
fn deliver(port: &Port, delivered: &mut HashMap<String, String>, seed: u64) {
    while let Some(parcel) = port.queue.pop() {
        let count = parcel.chosen.len() as u64;
        subtract(&port.counts.in_flight, count);
        add(&port.counts.delivered, count);
        for position in &parcel.chosen {
            let record = &parcel.batch.records()[*position as usize];
            if record.origin == Origin::Function {
                let text = value(&parcel.batch, record).to_owned();
                let twice = delivered.insert(text, rendered(&parcel.batch, record).to_owned());
                assert!(twice.is_none(), "seed {seed}: a line came twice");
            }
        }
    }
}

/// 200 lives of 50 invocations each. Every line has the fate that the whole trace gives it, and the ledger adds up after
/// every batch.
#[test]
fn ten_thousand_invocations_are_decided_as_their_traces_say() {
    for seed in 0..200 {
        let life = Life::new(seed, 50);
        let mut kit = Kit::new();
        kit.invocations = Invocations::new(life.overlapping, true);
        let port = port(&kit);
        let mut pipeline = pipeline(&life, "8MiB", &port);
        let mut delivered = HashMap::new();
        for items in cut(seed, &life.items) {
            let batch = batch_of(&life, items, &mut kit, &mut |number, line| {
                format!("\"{number}/{line}\"")
            });
            pipeline.process(batch, &kit.context());
            assert_eq!(kit.ledger.check("out", &port.counts), Ok(()), "seed {seed}");
            deliver(&port, &mut delivered, seed);
        }
        let held = port.counts.in_flight.get();
        assert_eq!(held, 0, "seed {seed}: every end was seen, or a later start");
        let mut left_out = 0;
        for number in 0..life.traces.len() {
            for (line, expected) in life.expected(number).into_iter().enumerate() {
                left_out += u64::from(expected.is_none());
                let found = delivered.remove(&format!("\"{number}/{line}\""));
                assert_eq!(
                    found, expected,
                    "seed {seed}: invocation {number}, line {line}"
                );
            }
        }
        assert_eq!(delivered.len(), 0, "seed {seed}");
        assert_eq!(port.counts.sampled.get(), left_out, "seed {seed}");
        assert_eq!(kit.ledger.tail_overflow.get(), 0, "seed {seed}");
        assert_eq!(kit.budget.used(), 0, "seed {seed}");
    }
}

/// A budget of 512 KiB, a ring of 256 KiB, lines of 1 KiB, and a sink that takes nothing: after every batch memory is
/// made as the receiver makes it. The budget holds, the ledger adds up, and no error is dropped.
#[test]
fn memory_pressure_takes_held_lines_and_the_ledger_says_so() {
    let mut dropped_in_all = 0;
    for seed in 2_000..2_020 {
        let life = Life {
            context: 200,
            ..Life::new(seed, 40)
        };
        let mut kit = Kit::new();
        kit.budget = Budget::new(512 << 10);
        kit.invocations = Invocations::new(life.overlapping, true);
        let port = port(&kit);
        let pipeline = pipeline(&life, "256KiB", &port);
        let pipeline = Rc::new(RefCell::new(pipeline));
        let room = Room::new(kit.budget.clone(), pipeline.clone());
        let mut errors = 0;
        for items in cut(seed, &life.items) {
            let is_error = |item: &&Item| matches!(item, Item::Line(number, line) if life.traces[*number].levels[*line] == 'e');
            errors += items.iter().filter(is_error).count();
            let mut text =
                |number: usize, line: usize| format!("\"{number}/{line} {}\"", "x".repeat(1_000));
            let batch = batch_of(&life, items, &mut kit, &mut text);
            pipeline.borrow_mut().process(batch, &kit.context());
            assert!(room.make(16 << 10), "seed {seed}");
            assert!(kit.budget.used() <= kit.budget.limit(), "seed {seed}");
            assert_eq!(kit.ledger.check("out", &port.counts), Ok(()), "seed {seed}");
        }
        pipeline.borrow_mut().release(&kit.context());
        room.make(0);
        assert_eq!(kit.ledger.check("out", &port.counts), Ok(()), "seed {seed}");
        let dropped: u64 = port.counts.drops().values().sum();
        assert_eq!(
            port.counts
                .drops()
                .get(&DropReason::Memory)
                .copied()
                .unwrap_or(0),
            dropped,
            "seed {seed}"
        );
        dropped_in_all += dropped;
        let mut delivered = HashMap::new();
        deliver(&port, &mut delivered, seed);
        let kept_errors = delivered.keys().filter(|text| {
            let id = text.trim_start_matches('"').split(' ').next().unwrap();
            let (number, line) = id.split_once('/').unwrap();
            life.traces[number.parse::<usize>().unwrap()].levels[line.parse::<usize>().unwrap()]
                == 'e'
        });
        assert_eq!(
            kept_errors.count(),
            errors,
            "seed {seed}: each fails its invocation, and stays"
        );
        drop((room, pipeline));
        assert_eq!(kit.budget.used(), 0, "seed {seed}");
    }
    assert!(dropped_in_all > 1_000, "{dropped_in_all}");
}

/// 10,000 invocations with lines of up to 5,000 bytes and a ring of 64 KiB: after every batch what is held stays under it and under the budget,
/// no line is lost or doubled, and an invocation that did not fit is kept.
#[test]
fn what_is_held_stays_under_its_bound() {
    const MEMORY: usize = 64 << 10;
    let (mut overflows, mut fullest) = (0, 0);
    for seed in 1_000..1_200 {
        let life = Life {
            keeps_warnings: false,
            ..Life::new(seed, 50)
        };
        let mut random = seeded(seed ^ 0xF00D);
        let mut kit = Kit::new();
        kit.invocations = Invocations::new(life.overlapping, true);
        let keep = "failed or cold_start or duration > 800ms";
        let keep = tapline_core::expr::Expression::parse(keep, &Names { env: &[] }).unwrap();
        let tail = Tail::new(keep, life.context, MEMORY, Duration::from_secs(30));
        let mut sample = Sample::new(Key::RequestId, Share::new(life.rate), None).with_tail(tail);
        let mut fates: HashMap<String, Fate> = HashMap::new();
        let mut given = 0;
        let mut note = |batches: Vec<Batch>| {
            for batch in &batches {
                for record in batch
                    .records()
                    .iter()
                    .filter(|record| record.origin == Origin::Function)
                {
                    let id = value(batch, record).split(' ').next().unwrap().to_owned();
                    assert!(
                        fates.insert(id, record.fate).is_none(),
                        "seed {seed}: a line came twice"
                    );
                }
            }
            fates.len() as u64
        };
        let mut out = 0;
        for items in cut(seed, &life.items) {
            given += items
                .iter()
                .filter(|item| matches!(item, Item::Line(..)))
                .count() as u64;
            let mut text = |number: usize, line: usize| {
                let length = [0, 100, 1_000, 5_000][(random() % 4) as usize];
                format!(
                    "\"{number}/{line} {}\"",
                    "x".repeat(random() as usize % (length + 1))
                )
            };
            let batch = batch_of(&life, items, &mut kit, &mut text);
            out = note(kit.apply_all(&mut sample, batch));
            let tail = sample.tail.as_ref().unwrap();
            let bytes = tail.measured();
            assert!(bytes <= MEMORY, "seed {seed}: {bytes}");
            assert_eq!(
                kit.budget.used() as usize,
                bytes,
                "seed {seed}: all of it is charged"
            );
            assert_eq!(
                out + sample.holding().held,
                given,
                "seed {seed}: no line is lost"
            );
            fullest = fullest.max(bytes);
        }
        assert_eq!(out, given, "seed {seed}: all ended");
        let overflown = kit.ledger.tail_overflow.get();
        overflows += overflown;
        let mut other = 0;
        for number in 0..life.traces.len() {
            let mut early = false;
            for (line, expected) in life.expected(number).into_iter().enumerate() {
                let kept = fates[&format!("\"{number}/{line}")] == Fate::Live;
                assert!(kept || expected.is_none(), "seed {seed}: {number}/{line}");
                early |= kept && expected.is_none();
            }
            other += u64::from(early);
        }
        assert!(
            other <= overflown,
            "seed {seed}: only those that did not fit are kept against the rule"
        );
    }
    assert!(overflows > 100, "{overflows}");
    assert!(fullest > MEMORY * 9 / 10, "the room is used: {fullest}");
}
