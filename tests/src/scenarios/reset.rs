//! A timeout or a crash ends the environment, and the next invocation starts it again: what was left over reaches the
//! new life.

use std::time::Duration;

use tapline::local::{End as FunctionEnd, Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{End, Scenario, assert_ids_unique};

/// Two good invocations, one that ends the environment, and two good ones in the new life.
async fn lived(backend: &FakeBackend, ending: FunctionEnd) -> End {
    let scenario = Scenario::new(&backend.sink("out"));
    let mut life = scenario
        .on(|platform| platform.timeout = Duration::from_secs(2))
        .begin()
        .await;
    life.invoke(Script::new(vec![Step::Log("before".into())]))
        .await;
    let last_words = vec![Step::Log("the last words".into())];
    let broken = life.invoke(Script::new(last_words).ending(ending)).await;
    assert!(broken.reset.is_some(), "{broken:?}");
    let pause = Step::Sleep(Duration::from_millis(300));
    let next = life
        .invoke(Script::new(vec![Step::Log("after".into()), pause]))
        .await;
    assert!(next.suppressed_init.is_some());
    life.invoke(Script::new(vec![Step::Log("and on".into())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    assert_eq!(end.ledgers.len(), 2);
    let report_of_the_broken = backend
        .lines()
        .into_iter()
        .filter(|line| line.kind == "platform.report" && line.record.contains(&broken.request_id));
    assert_eq!(
        report_of_the_broken.count(),
        1,
        "the old life's leftover reaches the new one"
    );
    end
}

fn assert_nothing_lost(end: &End, backend: &FakeBackend) {
    let lines = backend.lines();
    end.assert_all_arrived(&lines);
    assert_ids_unique(&lines);
    let undelivered: Vec<_> = end
        .journal
        .deliveries
        .iter()
        .flat_map(|delivery| &delivery.sent)
        .filter(|sent| sent.delivered == 0)
        .collect();
    assert!(undelivered.is_empty(), "{undelivered:?}");
    for text in ["before", "the last words", "after", "and on"] {
        assert_eq!(
            lines.iter().filter(|line| line.text() == text).count(),
            1,
            "{text}"
        );
    }
    let received: u64 = end
        .ledgers
        .iter()
        .map(|ledger| ledger.count("received"))
        .sum();
    assert_eq!(received, lines.len() as u64);
}

/// The function hangs until its timeout.
/// Its lines and all that follows arrive once; port and token are kept, so that the old life's report arrives, too.
#[tokio::test]
async fn nothing_is_lost_by_a_timeout() {
    let backend = FakeBackend::start(Answer::OK);
    let end = lived(&backend, FunctionEnd::Hang).await;
    assert_nothing_lost(&end, &backend);
    backend.finish();
}

/// The runtime's process ends in the middle of an invocation.
/// The same.
#[tokio::test]
async fn nothing_is_lost_by_a_crash() {
    let backend = FakeBackend::start(Answer::OK);
    let end = lived(&backend, FunctionEnd::Crash { exit: 1 }).await;
    assert_nothing_lost(&end, &backend);
    backend.finish();
}
