//! The platform is late, loses, repeats and cuts, or has an older API: all of it as documented or seen.

use std::time::Duration;

use serde_json::json;
use tapline::local::{Offer, Reason, Schema, Script, Settings, Status, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{Life, MAX_HOLD, SLACK, Scenario, held};

fn saying(text: &str) -> Script {
    Script::new(vec![Step::Log(text.to_owned())])
}

async fn begin(backend: &FakeBackend, change: impl FnOnce(&mut Settings)) -> Life {
    Scenario::new(&backend.sink("out")).on(change).begin().await
}

/// A record of 1.5 MiB comes in two POSTs, since one has room for 1 MiB; its neighbours come whole.
/// The halves become one record again, byte for byte.
#[tokio::test]
async fn a_record_that_was_cut_is_joined() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |_| {}).await;
    let long = "0123456789abcde\u{2603}".repeat(1_572_864 / 18);
    let steps = vec![
        Step::Log("left".into()),
        Step::Line(long.clone()),
        Step::Log("right".into()),
    ];
    life.invoke(Script::new(steps)).await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    assert_eq!(end.ledger().count("joined"), 1);
    assert_eq!(end.ledger().count("malformed"), 0);
    backend.finish();
}

/// Every second POST comes again, byte for byte.
/// It is counted as a duplicate, and its records are delivered once.
#[tokio::test]
async fn a_redelivery_is_no_record() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.faults.redeliver_every = Some(2)
    })
    .await;
    for number in 0..6 {
        life.invoke(saying(&format!("line {number}"))).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    let posts: u64 = end
        .journal
        .deliveries
        .iter()
        .map(|delivery| u64::from(delivery.n_posts))
        .sum();
    let duplicates = end.ledger().count("duplicates");
    assert!(
        duplicates >= 3 && duplicates <= posts,
        "{duplicates} of {posts}"
    );
    backend.finish();
}

/// Two equal lines in one invocation, and the same ones in the next.
/// Each is a record of its own.
#[tokio::test]
async fn equal_lines_are_records_of_their_own() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |_| {}).await;
    for _ in 0..2 {
        life.invoke(Script::new(vec![
            Step::Log("again".into()),
            Step::Log("again".into()),
        ]))
        .await;
    }
    let end = life.end().await;
    end.assert_all_arrived(&backend.lines());
    assert_eq!(
        backend
            .lines()
            .iter()
            .filter(|line| line.text() == "again")
            .count(),
        4
    );
    backend.finish();
}

/// The `platform.runtimeDone` of the second invocation never comes.
/// That one is held until its deadline less the margin, once; the next not at all; and it is trusted again when it is back.
#[tokio::test]
async fn a_lost_runtime_done_costs_once() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.timeout = Duration::from_secs(3);
        platform.faults.drop_runtime_done = vec![1, 2];
    })
    .await;
    for number in 0..6 {
        life.invoke(saying(&format!("line {number}"))).await;
    }
    let holds: Vec<Duration> = life.outcomes.iter().map(held).collect();
    assert!(
        life.outcomes
            .iter()
            .all(|outcome| outcome.status == Status::Success),
        "{holds:?}"
    );
    let margin = Duration::from_millis(300);
    assert!(
        holds[1] <= Duration::from_secs(3) - margin + SLACK,
        "{holds:?}"
    );
    assert!(
        holds[1] >= Duration::from_secs(2),
        "it was waited for: {holds:?}"
    );
    assert!(holds[2] < SLACK && holds[3] < SLACK, "{holds:?}");
    assert!(
        holds[4..].iter().all(|hold| *hold <= MAX_HOLD + SLACK),
        "{holds:?}"
    );
    let end = life.end().await;
    end.assert_ended_well();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// `platform.runtimeDone` comes 300 ms late, and the destination never answers.
/// The time that it bears counts: no invocation is held longer than `max_hold` after that.
#[tokio::test]
async fn a_late_runtime_done_does_not_lengthen_the_hold() {
    let backend = FakeBackend::start(Answer::Never);
    let late = Duration::from_millis(300);
    let mut life = begin(&backend, |platform| {
        platform.faults.delay_runtime_done = Some(late)
    })
    .await;
    for number in 0..3 {
        life.invoke(saying(&format!("line {number}"))).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    backend.finish();
}

/// The platform says that it dropped 7 records, and then 30.
/// The ledger has 37 as lost by the platform, and both notices are records like others.
#[tokio::test]
async fn what_the_platform_lost_is_counted() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |_| {}).await;
    let notice = |records: u32| Step::Element {
        kind: "platform.logsDropped".into(),
        record: json!({ "reason": "slow", "droppedRecords": records, "droppedBytes": 1_000 }),
    };
    life.invoke(Script::new(vec![
        notice(7),
        Step::Log("between".into()),
        notice(30),
    ]))
    .await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    assert_eq!(end.ledger().count("lost_by_platform"), 37);
    backend.finish();
}

/// An event that nobody knows yet, with a record of any kind.
/// It passes like every other.
#[tokio::test]
async fn an_unknown_event_passes() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |_| {}).await;
    let steps = [json!({ "new": [1] }), json!("text"), json!(null), json!(17)].map(|record| {
        Step::Element {
            kind: "platform.tomorrow".into(),
            record,
        }
    });
    life.invoke(Script::new(steps.into())).await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// The Telemetry API knows only its older schemas; the configuration asks for the Logs API.
/// Both deliver everything.
#[tokio::test]
async fn older_apis_deliver_everything() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.apis.newest_schema = Schema::V2022_07_01
    })
    .await;
    life.invoke(saying("an older schema")).await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();

    let backend = FakeBackend::start(Answer::OK);
    let config = format!("[receiver]\napi = \"logs\"\n{}", backend.sink("out"));
    let mut life = Scenario::new(&config).begin().await;
    life.invoke(saying("an older API")).await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    assert!(
        backend
            .lines()
            .iter()
            .any(|line| line.text() == "an older API")
    );
    backend.finish();
}

/// The Telemetry API is answered with 202, as by AWS's emulator, and the Logs API works.
/// The other one is used.
#[tokio::test]
async fn where_only_the_logs_api_answers_it_is_used() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.apis.telemetry = Offer::NotSupported
    })
    .await;
    life.invoke(saying("by the other way")).await;
    let end = life.end().await;
    end.assert_unharmed();
    assert!(
        backend
            .lines()
            .iter()
            .any(|line| line.text() == "by the other way"),
        "{}",
        end.said()
    );
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// Both APIs are answered with 202: nothing will ever come.
/// The function runs on, nobody is held, and one message says why there is nothing.
#[tokio::test]
async fn no_telemetry_at_all_is_survived() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.apis.telemetry = Offer::NotSupported;
        platform.apis.logs = Offer::NotSupported;
    })
    .await;
    for _ in 0..2 {
        life.invoke(saying("unheard")).await;
        assert!(life.held() < SLACK, "{:?}", life.held());
    }
    let end = life.end().await;
    end.assert_unharmed();
    assert_eq!(end.ledger().count("received"), 0);
    assert_eq!(
        end.processes[0].stderr.len(),
        2,
        "a warning and the ledger: {}",
        end.said()
    );
    backend.finish();
}

/// The third `next` is answered with 403: the environment is going down without a word.
/// It is a shutdown: everything is sent, the ledger is printed, and the process ends well.
#[tokio::test]
async fn a_403_on_next_is_a_shutdown() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin(&backend, |platform| {
        platform.faults.refuse_next_at = Some(3)
    })
    .await;
    life.invoke(saying("one")).await;
    life.invoke(saying("two")).await;
    life.lambda.shutdown(Reason::Spindown).await;
    let first = life
        .lambda
        .ended()
        .iter()
        .find(|process| process.name == "tapline")
        .expect("it ended")
        .clone();
    assert_eq!(first.exit.and_then(|exit| exit.code), Some(0), "{first:?}");
    let ledger = first
        .stderr
        .iter()
        .find_map(|line| crate::harness::Ledger::parse(line))
        .expect("a ledger");
    ledger.assert_adds_up();
    for text in ["one", "two"] {
        assert_eq!(
            backend
                .lines()
                .iter()
                .filter(|line| line.text() == text)
                .count(),
            1,
            "{text}"
        );
    }
    backend.finish();
}
