//! Lines that wait for the end of their invocation: they leave with its flush where it failed, and a `limit` tells what
//! it suppressed with that flush, too.

use std::time::Duration;

use serde_json::json;
use tapline::local::{
    End as FunctionEnd, InitType, Invocation, InvokeOutcome, Reason, Script, Stamp, Step,
};

use crate::backend::{Answer, FakeBackend, Line};
use crate::harness::{Ledger, Scenario, assert_ids_unique, until};

const FAILED: &str = r#"
[[transform]]
type = "sample"
rate = 0
tail = { keep = 'failed' }

[[transform]]
type = "enrich"
set = { status = "{status}", failed = "{failed}" }
"#;

fn thrown() -> FunctionEnd {
    FunctionEnd::Throw {
        kind: "ValueError".to_owned(),
        message: "the handler threw".to_owned(),
    }
}

fn chatty(name: &str) -> Script {
    let steps = (0..5).map(|number| Step::Log(format!("{name} {number}")));
    Script::new(steps.collect()).stamped(Stamp::Python)
}

fn of<'l>(lines: &'l [Line], outcome: &InvokeOutcome) -> Vec<&'l Line> {
    let own = |line: &&Line| line.request_id.as_ref() == Some(&outcome.request_id);
    lines
        .iter()
        .filter(|line| line.kind == "function")
        .filter(own)
        .collect()
}

/// A good invocation, one whose handler throws, and a good one, with a rate that keeps nothing.
/// All lines of the second are there when it is over, joined with its end, and none of the others.
#[tokio::test]
async fn only_the_invocation_that_failed_is_kept() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!("{FAILED}{}", backend.sink("out"));
    let mut life = Scenario::new(&config).begin().await;
    let good = life.invoke(chatty("good")).await;
    let failed = life.invoke(chatty("bad").ending(thrown())).await;
    assert!(failed.function_error.is_some());
    let lines = backend.lines();
    let own = of(&lines, &failed);
    for number in 0..5 {
        let text = format!("bad {number}");
        assert!(
            own.iter().any(|line| line.record.contains(&text)),
            "{text}: {own:?}"
        );
    }
    assert!(
        own.iter()
            .any(|line| line.level.as_deref() == Some("ERROR")),
        "{own:?}"
    );
    for line in &own {
        assert_eq!(
            line.attributes,
            json!({ "status": "success", "failed": "true" }),
            "{line:?}"
        );
    }
    let again = life.invoke(chatty("good again")).await;
    let end = life.end().await;
    end.assert_unharmed();
    let lines = backend.lines();
    for outcome in [good, again] {
        assert_eq!(of(&lines, &outcome).len(), 0);
    }
    assert_ids_unique(&lines);
    assert_eq!(end.ledger().of("out", "sampled"), 10);
    assert_eq!(
        end.ledger().of("out", "delivered"),
        end.ledger().count("received") - 10
    );
    backend.finish();
}

/// A function that hangs until its timeout of 3 s: nothing of it is written as an error, and the environment ends.
/// Its lines are there before that, in case nobody is told of the end; those of the others are not.
#[tokio::test]
async fn the_lines_before_a_timeout_are_kept() {
    let ends = lines_before_a_timeout("adaptive").await;
    let sampled = ends.iter().map(|ledger| ledger.of("out", "sampled"));
    assert_eq!(sampled.sum::<u64>(), 10);
}

/// The same where no invocation is held, and its end is only told by telemetry.
#[tokio::test]
async fn the_lines_before_a_timeout_are_kept_without_a_hold() {
    for strategy in ["periodic", "continuous"] {
        let ends = lines_before_a_timeout(strategy).await;
        let sampled = ends.iter().map(|ledger| ledger.of("out", "sampled"));
        assert_eq!(sampled.sum::<u64>(), 10, "{strategy}");
    }
}

async fn lines_before_a_timeout(strategy: &str) -> Vec<Ledger> {
    let backend = FakeBackend::start(Answer::OK);
    let flush = format!("[flush]\nstrategy = \"{strategy}\"\n");
    let config = format!("{flush}{FAILED}{}", backend.sink("out"));
    let mut life = Scenario::new(&config)
        .on(|platform| platform.timeout = Duration::from_secs(3))
        .begin()
        .await;
    life.invoke(chatty("good")).await;
    let arrived = || {
        backend
            .lines()
            .iter()
            .any(|line| line.record.contains("slow 4"))
    };
    let seen = until(
        "they are there before the timeout",
        Duration::from_millis(2_900),
        arrived,
    );
    let invoked = life.invoke(chatty("slow").ending(FunctionEnd::Hang));
    let (hung, ()) = tokio::join!(invoked, seen);
    assert!(hung.reset.is_some(), "{hung:?}");
    life.invoke(chatty("after")).await;
    let end = life.end().await;
    end.assert_unharmed();
    let lines = backend.lines();
    assert_eq!(of(&lines, &hung).len(), 5, "{lines:?}");
    backend.finish();
    end.ledgers
}

/// An invocation of 4 s, lines that wait for 1 s at most, and an `interval` of 1 s.
/// They are let go and sent while it runs.
#[tokio::test]
async fn a_long_invocation_is_not_waited_for() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!(
        "[flush]\ninterval = \"1s\"\n[[transform]]\ntype = \"sample\"\nrate = 0\n\
         tail = {{ keep = 'failed', max_wait = \"1s\" }}\n{}",
        backend.sink("out")
    );
    let mut life = Scenario::new(&config).begin().await;
    let steps = vec![
        Step::Log("early".into()),
        Step::Sleep(Duration::from_secs(4)),
    ];
    let arrived = || backend.lines().iter().any(|line| line.text() == "early");
    let invoked = life.invoke(Script::new(steps));
    let seen = until(
        "the line is there before the end",
        Duration::from_millis(3_500),
        arrived,
    );
    tokio::join!(invoked, seen);
    let end = life.end().await;
    end.assert_unharmed();
    assert_eq!(end.ledger().count("tail_max_wait"), 1);
    assert_eq!(end.ledger().of("out", "sampled"), 0);
    backend.finish();
}

/// On Managed Instances four invocations run at the same time, and one of them writes an error.
/// Its lines alone are kept, at its report.
#[tokio::test]
async fn overlapping_invocations_are_decided_apart() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!("{FAILED}{}", backend.sink("out"));
    let scenario =
        Scenario::new(&config).on(|platform| platform.init_type = InitType::ManagedInstances);
    let mut life = scenario.begin().await;
    let invocation = |name: &str| {
        let steps = (0..6).flat_map(|number| {
            [
                Step::Log(format!("{name} {number}")),
                Step::Sleep(Duration::from_millis(20)),
            ]
        });
        let script = Script::new(steps.collect()).stamped(Stamp::Node);
        Invocation::script(match name {
            "c" => script.ending(thrown()),
            _ => script,
        })
    };
    let names = ["a", "b", "c", "d"];
    let outcomes = life
        .lambda
        .invoke_concurrently(names.map(invocation).into())
        .await;
    let of_functions = || {
        backend
            .lines()
            .iter()
            .filter(|line| line.kind == "function")
            .count()
    };
    until(
        "the failed one is there before the end",
        Duration::from_secs(8),
        || of_functions() >= 7,
    )
    .await;
    let end = life.lambda.shutdown(Reason::Spindown).await;
    let lines = backend.lines();
    let kept: Vec<usize> = outcomes
        .iter()
        .map(|outcome| of(&lines, outcome).len())
        .collect();
    assert_eq!(kept, [0, 0, 7, 0], "six lines and the error");
    let ledger = end.processes[0]
        .stderr
        .iter()
        .find_map(|line| Ledger::parse(line));
    let ledger = ledger.expect("a ledger is printed");
    ledger.assert_adds_up();
    assert_eq!(ledger.of("out", "sampled"), 18);
    backend.finish();
}

/// One invocation writes the same line 50 times and another one once; the next writes nothing.
/// With the flush of the first leave as many as the limit lets through, and a summary of the others.
#[tokio::test]
async fn what_repeats_itself_is_summed_up() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!(
        "[[transform]]\ntype = \"sample\"\nlimit = {{ rate = \"20/m\" }}\n{}",
        backend.sink("out")
    );
    let mut life = Scenario::new(&config).begin().await;
    let mut steps = vec![Step::Log("retrying".into()); 50];
    steps.push(Step::Log("done".into()));
    life.invoke(Script::new(steps)).await;
    let lines = backend.lines();
    let count = |text: &str| lines.iter().filter(|line| line.text() == text).count();
    assert_eq!((count("retrying"), count("done")), (20, 1));
    let summary = lines.iter().find(|line| line.kind == "tapline.summary");
    let summary = summary.expect("it leaves with the flush").value();
    assert_eq!(
        (&summary["suppressed"], &summary["key"]),
        (&json!(30), &json!("retrying"))
    );
    life.invoke(Script::new(Vec::new())).await;
    let end = life.end().await;
    end.assert_unharmed();
    assert_ids_unique(&backend.lines());
    let ledger = end.ledger();
    assert_eq!(
        (ledger.of("out", "sampled"), ledger.of("out", "generated")),
        (30, 1)
    );
    backend.finish();
}
