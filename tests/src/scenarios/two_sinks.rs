//! One destination is a black hole: the other must not notice. What it costs the function stands in
//! `sink_misbehaves`.

use std::time::Duration;

use tapline::local::{Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{End, SLACK, Scenario, held};

const INVOCATIONS: usize = 8;

/// Lives, and gives how long after the end of each invocation its records were there.
async fn lived(config: &str, well: &FakeBackend) -> (End, Vec<Duration>) {
    let mut life = Scenario::new(config).begin().await;
    let mut delays = Vec::new();
    for number in 0..INVOCATIONS {
        let began = tapline::local::clock::now();
        let outcome = life
            .invoke(Script::new(vec![Step::Log(format!("line {number}"))]))
            .await;
        let marker = format!("line {number}");
        let requests = well.requests();
        let holds_it = |request: &&crate::backend::Request| {
            request.lines().iter().any(|line| line.text() == marker)
        };
        let there = requests
            .iter()
            .find(holds_it)
            .expect("it was delivered before the freeze");
        delays.push(
            there
                .at
                .duration_since(began)
                .saturating_sub(outcome.duration),
        );
    }
    (life.end().await, delays)
}

/// The same eight invocations twice: with a sink that is well, and with that and one that never answers.
/// The first sink has the same records at the same time, and the function is held no longer once the breaker is open.
#[tokio::test]
async fn a_black_hole_changes_nothing_for_its_neighbour() {
    let (alone, beside) = (
        FakeBackend::start(Answer::OK),
        FakeBackend::start(Answer::OK),
    );
    let hole = FakeBackend::start(Answer::Never);
    let (end_alone, delays_alone) = lived(&alone.sink("well"), &alone).await;
    let config = format!("{}{}", hole.sink("hole"), beside.sink("well"));
    let (end_beside, delays_beside) = lived(&config, &beside).await;
    for end in [&end_alone, &end_beside] {
        end.assert_unharmed();
        assert_eq!(
            end.ledger().of("well", "delivered"),
            end.ledger().count("received")
        );
    }
    end_alone.assert_all_arrived(&alone.lines());
    end_beside.assert_all_arrived(&beside.lines());
    for (alone, beside) in delays_alone.iter().zip(&delays_beside) {
        assert!(
            *beside <= *alone + SLACK,
            "{delays_alone:?} {delays_beside:?}"
        );
    }
    for (alone, beside) in end_alone.outcomes.iter().zip(&end_beside.outcomes).skip(4) {
        assert!(
            held(beside) <= held(alone) + SLACK,
            "{:?} {:?}",
            held(alone),
            held(beside)
        );
    }
    let ledger = end_beside.ledger();
    assert_eq!(
        ledger.dropped("hole")["shutdown"],
        ledger.count("received") + ledger.of("hole", "generated")
    );
    for backend in [alone, beside, hole] {
        backend.finish();
    }
}

/// A destination refuses everything for good, beside one that is well.
/// Each has its own account; nothing of the refusal is seen at the other.
#[tokio::test]
async fn a_refusal_stays_with_its_sink() {
    let (well, ill) = (
        FakeBackend::start(Answer::OK),
        FakeBackend::start(Answer::status(400)),
    );
    let mut life = Scenario::new(&format!("{}{}", ill.sink("ill"), well.sink("well")))
        .begin()
        .await;
    life.invoke(Script::new(vec![Step::Log("one".into())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    let ledger = end.ledger();
    assert_eq!(ledger.of("well", "delivered"), ledger.count("received"));
    assert_eq!(
        ledger.of("ill", "rejected"),
        ledger.count("received") + ledger.of("ill", "generated")
    );
    end.assert_all_arrived(&well.lines());
    well.finish();
    ill.finish();
}
