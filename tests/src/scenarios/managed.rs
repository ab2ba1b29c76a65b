//! Managed Instances: no INVOKE, no freeze, invocations at the same time, and POSTs that lost their path.

use std::time::Duration;

use serde_json::json;
use tapline::local::{InitType, Invocation, Reason, Script, Stamp, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{Scenario, until};

fn interleaved(name: &str) -> Invocation {
    let steps = (0..6).flat_map(|number| {
        [
            Step::Log(format!("{name} {number}")),
            Step::LogJson(json!({ "message": format!("{name} bare {number}") })),
            Step::Sleep(Duration::from_millis(20)),
        ]
    });
    Invocation::script(Script::new(steps.collect()).stamped(Stamp::Node))
}

/// Four invocations at the same time, each logging lines with its request id and others without.
/// Every line leaves within seconds without any event, with its own request id or none, never with another's; POSTs to `/` are counted.
#[tokio::test]
async fn overlapping_invocations_keep_their_request_ids() {
    let backend = FakeBackend::start(Answer::OK);
    let scenario = Scenario::new(&backend.sink("out"))
        .on(|platform| platform.init_type = InitType::ManagedInstances);
    let mut life = scenario.begin().await;
    let names = ["a", "b", "c", "d"];
    let outcomes = life
        .lambda
        .invoke_concurrently(names.map(interleaved).into())
        .await;
    let of_functions = || {
        backend
            .lines()
            .iter()
            .filter(|line| line.kind == "function")
            .count()
    };
    until(
        "all 48 lines are there before the end",
        Duration::from_secs(8),
        || of_functions() == 48,
    )
    .await;
    let end = life.lambda.shutdown(Reason::Spindown).await;
    assert!(end.within_budget);
    let lines = backend.lines();
    for line in lines.iter().filter(|line| line.kind == "function") {
        let message = line.value()["message"]
            .as_str()
            .expect("both forms have one")
            .to_owned();
        let place = names
            .iter()
            .position(|name| message.starts_with(name))
            .expect("one of ours");
        let expected = (!message.contains("bare")).then(|| outcomes[place].request_id.clone());
        assert_eq!(line.request_id, expected, "{message}");
    }
    let ledger = end.processes[0]
        .stderr
        .iter()
        .find_map(|line| crate::harness::Ledger::parse(line));
    let ledger = ledger.expect("a ledger is printed");
    ledger.assert_adds_up();
    assert!(ledger.count("unauthenticated") > 0, "{ledger:?}");
    assert_eq!(ledger.of("out", "delivered"), ledger.count("received"));
    crate::harness::assert_ids_unique(&lines);
    backend.finish();
}
