//! The only destination misbehaves, each time in another way: the function must not notice, and what was lost is told.

use std::time::Duration;

use tapline::local::{Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{End, MAX_HOLD, SLACK, Scenario, held};

/// What a sink that never answers may cost over a life.
const UNANSWERED_MAX: Duration = Duration::from_secs(2);

/// Six invocations of three lines each.
async fn lived(answer: Answer) -> (End, FakeBackend) {
    let backend = FakeBackend::start(answer);
    let mut life = Scenario::new(&backend.sink("out")).begin().await;
    for number in 0..6 {
        let steps = (0..3)
            .map(|line| Step::Log(format!("invocation {number}, line {line}")))
            .collect();
        life.invoke(Script::new(steps)).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    assert!(
        end.shutdown.duration < Duration::from_secs(2),
        "{:?}",
        end.shutdown.duration
    );
    assert_eq!(end.ledger().count("received"), end.sent().len() as u64);
    (end, backend)
}

fn total_held(end: &End) -> Duration {
    end.outcomes.iter().map(held).sum()
}

/// Everything that came is named as lost, and for the right reasons.
fn assert_all_lost(end: &End, reasons: &[&str]) {
    let (ledger, dropped) = (end.ledger(), end.ledger().dropped("out"));
    assert_eq!(ledger.of("out", "delivered"), 0);
    let lost = ledger.count("received") + ledger.of("out", "generated");
    assert_eq!(dropped.values().sum::<u64>(), lost, "{dropped:?}");
    assert!(
        dropped
            .keys()
            .all(|reason| reasons.contains(&reason.as_str())),
        "{dropped:?}"
    );
}

/// The destination takes connections and requests, and never answers.
/// No hold is longer than `max_hold`, all together cost 2 s at most, and the ledger names every record.
#[tokio::test]
async fn it_never_answers() {
    let (end, backend) = lived(Answer::Never).await;
    assert!(
        total_held(&end) <= UNANSWERED_MAX + SLACK,
        "{:?}",
        total_held(&end)
    );
    assert!(
        held(&end.outcomes[0]) >= MAX_HOLD - SLACK,
        "the first one is worth waiting for"
    );
    assert!(
        end.outcomes[4..]
            .iter()
            .all(|outcome| held(outcome) < SLACK),
        "later ones are not"
    );
    assert_all_lost(&end, &["shutdown"]);
    backend.finish();
}

/// The head of the answer comes byte by byte and has no end.
/// The same: bytes that lead nowhere buy no more time.
#[tokio::test]
async fn it_answers_byte_by_byte() {
    let (end, backend) = lived(Answer::HeadByteByByte).await;
    assert!(
        total_held(&end) <= UNANSWERED_MAX + SLACK,
        "{:?}",
        total_held(&end)
    );
    assert_all_lost(&end, &["shutdown"]);
    backend.finish();
}

/// The head of the answer says 200 at once, its body comes byte by byte.
/// What was accepted is delivered; the body is not waited for longer than a hold lasts.
#[tokio::test]
async fn it_accepts_and_its_body_comes_byte_by_byte() {
    let (end, backend) = lived(Answer::BodyByteByByte).await;
    assert!(
        end.ledger().of("out", "delivered") > 0,
        "{:?}",
        end.ledger()
    );
    backend.finish();
}

/// Every connection is reset once the request was read.
/// The breaker opens, nobody is held for it, and the ledger names every record.
#[tokio::test]
async fn it_resets() {
    let (end, backend) = lived(Answer::Reset).await;
    assert_all_lost(&end, &["shutdown", "attempts"]);
    assert!(held(&end.outcomes[5]) < SLACK);
    backend.finish();
}

/// The connection is closed without an answer.
/// The same.
#[tokio::test]
async fn it_closes() {
    let (end, backend) = lived(Answer::Close).await;
    assert_all_lost(&end, &["shutdown", "attempts"]);
    backend.finish();
}

/// Every request is answered with 503.
/// The same.
#[tokio::test]
async fn it_answers_503() {
    let (end, backend) = lived(Answer::status(503)).await;
    assert_all_lost(&end, &["shutdown", "attempts"]);
    assert!(held(&end.outcomes[5]) < SLACK);
    backend.finish();
}

/// Every request is answered with 429 and `Retry-After: 30`.
/// Nobody is held for half a minute, nothing is sent before its time but the last chance at the end.
#[tokio::test]
async fn it_asks_for_half_a_minute() {
    let (end, backend) = lived(Answer::too_many(30)).await;
    assert_all_lost(&end, &["shutdown"]);
    assert!(
        total_held(&end) < MAX_HOLD + SLACK,
        "{:?}",
        total_held(&end)
    );
    assert!(
        backend.requests().len() <= 3,
        "{}",
        backend.requests().len()
    );
    backend.finish();
}

/// Every request is answered with 400.
/// Nothing is repeated; every record counts as rejected, with the status as reason.
#[tokio::test]
async fn it_refuses() {
    let (end, backend) = lived(Answer::status(400)).await;
    let ledger = end.ledger();
    assert_eq!(ledger.of("out", "delivered"), 0);
    assert_eq!(
        ledger.of("out", "rejected"),
        ledger.count("received") + ledger.of("out", "generated")
    );
    assert_eq!(
        ledger.0["sinks"]["out"]["rejected_why"]["400"],
        ledger.of("out", "rejected")
    );
    backend.finish();
}

/// Nobody listens at the port.
/// The same as with resets.
#[tokio::test]
async fn nobody_is_there() {
    let gone = FakeBackend::start(Answer::OK);
    let config = gone.sink("out");
    gone.finish();
    let mut life = Scenario::new(&config).begin().await;
    for _ in 0..6 {
        life.invoke(Script::new(vec![Step::Log("into the void".into())]))
            .await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    assert_all_lost(&end, &["shutdown", "attempts"]);
}
