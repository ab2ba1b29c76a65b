//! Frozen between invocations: connections die meanwhile, clocks go on. A jump of the clock is not played.

use std::time::Duration;

use tapline::local::{Function, InitType, Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{Life, MAX_HOLD, SLACK, Scenario};

/// Begins a life in which a failed attempt would be the last one, with an invocation that logged `before`.
async fn life_after_one_invocation(backend: &FakeBackend) -> Life {
    let config = format!("{}retry = {{ max_attempts = 1 }}\n", backend.sink("out"));
    let mut life = Scenario::new(&config).begin().await;
    life.invoke(Script::new(vec![Step::Log("before".into())]))
        .await;
    life
}

/// The destination closes its idle connections during a gap of six seconds.
/// The first flush after the thaw delivers at once, without a lost record, without a second copy and without a failed attempt.
#[tokio::test]
async fn a_connection_that_died_in_a_freeze_costs_nothing() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = life_after_one_invocation(&backend).await;
    let before = backend.connections();
    backend.close_idle();
    life.lambda.freeze_for(Duration::from_secs(6)).await;
    life.invoke(Script::new(vec![Step::Log("after".into())]))
        .await;
    assert!(life.held() < MAX_HOLD, "{:?}", life.held());
    assert!(
        backend.lines().iter().any(|line| line.text() == "after"),
        "it is there before the next freeze"
    );
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    let ids: Vec<String> = backend
        .requests()
        .iter()
        .map(|request| request.batch().to_owned())
        .collect();
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "nothing was sent twice");
    assert_eq!(backend.connections(), before + 1);
    assert!(!end.said().contains("warn"), "{}", end.said());
    backend.finish();
}

/// During a gap of six seconds, a box between here and the destination forgets the connection: it looks alive, and nothing comes back.
/// It is not used again; the first flush after the thaw delivers at once, in its first attempt.
#[tokio::test]
async fn a_connection_that_looks_alive_is_not_trusted_after_a_freeze() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = life_after_one_invocation(&backend).await;
    backend.forget_connections();
    life.lambda.freeze_for(Duration::from_secs(6)).await;
    life.invoke(Script::new(vec![Step::Log("after".into())]))
        .await;
    assert!(life.held() < MAX_HOLD - SLACK, "{:?}", life.held());
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// The same in a gap of two seconds, after which connections are kept and only doubted.
/// The first flush after the thaw delivers within its hold, in its first attempt.
#[tokio::test]
async fn a_connection_that_looks_alive_is_doubted_after_a_short_freeze() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = life_after_one_invocation(&backend).await;
    let before = backend.connections();
    backend.forget_connections();
    life.lambda.freeze_for(Duration::from_secs(2)).await;
    life.invoke(Script::new(vec![Step::Log("after".into())]))
        .await;
    assert!(
        backend.lines().iter().any(|line| line.text() == "after"),
        "it is there before the next freeze"
    );
    assert!(life.held() < MAX_HOLD, "{:?}", life.held());
    assert_eq!(backend.connections(), before + 1);
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// A request is still unanswered when the environment is frozen, and its answer waits there at the thaw.
/// It is taken; the time in the freezer counts for no time-out, and nothing is sent twice.
#[tokio::test]
async fn a_gap_does_not_count_towards_the_timeout() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!(
        "[flush]\nmax_hold = \"0s\"\n{}timeout = \"1s\"\n",
        backend.sink("out")
    );
    let mut life = Scenario::new(&config).begin().await;
    for number in 0..4 {
        life.invoke(Script::new(vec![Step::Log(format!("line {number}"))]))
            .await;
        assert!(life.held() < SLACK, "{:?}", life.held());
        life.lambda.freeze_for(Duration::from_millis(1_300)).await;
    }
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}

/// Provisioned concurrency: the function logs during init, long before its first invocation.
/// Those records leave before the first `next`, within `max_hold`.
#[tokio::test]
async fn records_of_an_early_init_leave_before_the_freeze() {
    let backend = FakeBackend::start(Answer::OK);
    let scenario = Scenario::new(&backend.sink("out")).on(|platform| {
        platform.init_type = InitType::ProvisionedConcurrency;
        platform.function = Function::Scripted(vec![Step::Log("loading the model".into())]);
    });
    let (mut life, init) = scenario.start().await;
    let start = &init.extensions[0];
    let (registered, ready) = (start.registered_after, start.ready_after);
    let took = ready
        .expect("it is ready")
        .saturating_sub(registered.expect("it has registered"));
    assert!(took <= MAX_HOLD + SLACK, "{took:?}");
    assert!(
        backend
            .lines()
            .iter()
            .any(|line| line.text() == "loading the model"),
        "{:?}",
        backend.lines()
    );
    life.invoke(Script::new(vec![Step::Log("at last".into())]))
        .await;
    let end = life.end().await;
    end.assert_unharmed();
    end.assert_all_arrived(&backend.lines());
    backend.finish();
}
