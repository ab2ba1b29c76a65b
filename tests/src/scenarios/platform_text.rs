//! Platform events as the lines that Lambda writes to CloudWatch Logs.

use std::time::Duration;

use tapline::local::{End, Script, Status, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::Scenario;

fn lines_of(config_types: &str, backend: &FakeBackend) -> String {
    format!(
        "[receiver]\nplatform_format = \"text\"\ntypes = {config_types}\n{}",
        backend.sink("out")
    )
}

/// An invocation that times out, and one that succeeds.
/// Each has its START, END and REPORT, the first one its `Task timed out` as well, which counts as generated; what the
/// platform says besides stays JSON; and the end of an invocation is still known from the event.
#[tokio::test]
async fn metric_filters_find_the_lines_that_they_look_for() {
    let backend = FakeBackend::start(Answer::OK);
    let config = lines_of("[\"platform\", \"function\"]", &backend);
    let scenario = Scenario::new(&config).on(|platform| platform.timeout = Duration::from_secs(1));
    let mut life = scenario.begin().await;
    let script = Script {
        end: End::Hang,
        ..Script::new(vec![Step::Log("hangs".to_owned())])
    };
    let bad = life.invoke(script).await;
    assert_eq!(bad.status, Status::Timeout);
    let good = life
        .invoke(Script::new(vec![Step::Log("hello".to_owned())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    let lines = backend.lines();
    crate::harness::assert_ids_unique(&lines);
    let starts_with = |start: String| {
        let found = lines.iter().filter(|line| line.text().starts_with(&start));
        found.map(|line| line.text()).collect::<Vec<_>>()
    };
    for id in [&good.request_id, &bad.request_id] {
        assert_eq!(
            starts_with(format!("START RequestId: {id}")),
            [format!("START RequestId: {id} Version: $LATEST")]
        );
        assert_eq!(
            starts_with(format!("END RequestId: {id}")),
            [format!("END RequestId: {id}")]
        );
        let report = starts_with(format!("REPORT RequestId: {id}\tDuration: "));
        assert_eq!(report.len(), 1, "{lines:?}");
        assert!(report[0].contains(" MB\tMax Memory Used: "), "{report:?}");
    }
    let late: Vec<_> = lines
        .iter()
        .filter(|line| line.text().contains(" Task timed out after "))
        .collect();
    assert_eq!(late.len(), 1);
    let text = late[0].text();
    assert!(
        text.starts_with(&format!(
            "{} {} Task timed out after 1.",
            late[0].time, bad.request_id
        )) && text.ends_with(" seconds"),
        "{text}"
    );
    let generated: u64 = end
        .ledgers
        .iter()
        .map(|ledger| ledger.of("out", "generated"))
        .sum();
    assert_eq!(generated, 1);
    assert_eq!(lines.len(), end.sent().len() + 1);
    backend.finish();
}

/// With `types` without `platform` there is nothing to write.
#[tokio::test]
async fn events_that_nobody_asked_for_have_no_lines() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = Scenario::new(&lines_of("[\"function\"]", &backend))
        .begin()
        .await;
    life.invoke(Script::new(vec![Step::Log("hello".to_owned())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    let texts: Vec<_> = backend.lines().iter().map(|line| line.text()).collect();
    assert_eq!(texts, ["hello"]);
    backend.finish();
}
