//! Stack traces and metric lines through the whole pipeline, as a function prints them.

use std::time::Duration;

use serde_json::json;
use tapline::local::{Script, Step};

use crate::backend::{Answer, FakeBackend};
use crate::harness::{Life, Scenario, assert_ids_unique};

async fn begin(transforms: &str, backend: &FakeBackend) -> Life {
    let config = format!("{transforms}\n{}", backend.sink("out"));
    Scenario::new(&config).begin().await
}

/// A trace that a custom runtime prints line by line, its second half after a pause in which the platform delivers the
/// first one; then another that ends the invocation.
/// Each is one record, nothing is held behind the end, and every line is accounted for.
#[tokio::test]
async fn a_printed_trace_is_one_record() {
    let backend = FakeBackend::start(Answer::OK);
    let mut life = begin("[[transform]]\ntype = \"parse\"\nwait = \"2s\"", &backend).await;
    let first = "java.lang.IllegalStateException: boom\n\tat app.Handler.run(Handler.java:7)\n\
                 Caused by: java.io.IOException: x\n\t... 7 more";
    let second = "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 12, in handler\n\
                  \x20   raise KeyError('sku')\nKeyError: 'sku'";
    let line = |text: &str| Step::Line(text.to_owned());
    let lines: Vec<&str> = first.lines().collect();
    let mut steps = vec![line("before")];
    steps.extend(lines[..2].iter().map(|text| line(text)));
    steps.push(Step::Sleep(Duration::from_millis(400)));
    steps.extend(lines[2..].iter().map(|text| line(text)));
    steps.push(line("between"));
    steps.extend(second.lines().map(line));
    life.invoke(Script::new(steps)).await;
    assert!(
        life.held() < Duration::from_millis(650),
        "{:?}",
        life.held()
    );
    let delivered = |backend: &FakeBackend| {
        let lines = backend.lines();
        let own = lines.iter().filter(|line| line.kind == "function");
        own.map(|line| line.text().trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        delivered(&backend),
        ["before", first, "between", second],
        "with the invocation"
    );
    life.invoke(Script::new(vec![line("next")])).await;
    let end = life.end().await;
    end.assert_unharmed();
    assert_ids_unique(&backend.lines());
    assert_eq!(end.ledger().of("out", "merged"), 6);
    assert_eq!(delivered(&backend).len(), 5);
    backend.finish();
}

/// What Powertools prints as metrics, as text and as an object, beside an ordinary line, through everything that could
/// touch it.
/// The metric lines arrive byte for byte, the ordinary one does not arrive at all.
#[tokio::test]
async fn metric_lines_survive_every_transform() {
    let backend = FakeBackend::start(Answer::OK);
    let transforms = r#"
[[transform]]
type = "parse"
format = "json"
[[transform]]
type = "filter"
when = 'type == "function"'
keep = 'level >= error'
[[transform]]
type = "redact"
rules = ["CreditCardNumber", "EmailAddress"]
keys = ["password"]
[[transform]]
type = "sample"
rate = 0.0
[[transform]]
type = "enrich"
set = { team = "payments", ".added" = "x" }
"#;
    let mut life = begin(transforms, &backend).await;
    let metrics = r#"{"_aws":{"Timestamp":1767323045123,"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[["service"]],"Metrics":[{"Name":"orders","Unit":"Count"}]}]},"service":"cart",  "orders":[1.0]}"#;
    let steps = vec![
        Step::Line(metrics.to_owned()),
        Step::Line(r#"{"level":"info","message":"ordinary"}"#.to_owned()),
        Step::LogJson(json!({"_aws": {"Timestamp": 1, "CloudWatchMetrics": []}, "n": 2})),
    ];
    life.invoke(Script::new(steps)).await;
    let end = life.end().await;
    end.assert_unharmed();
    let lines = backend.lines();
    let own: Vec<_> = lines
        .iter()
        .filter(|line| line.kind == "function")
        .collect();
    assert_eq!(own.len(), 2, "{own:?}");
    assert_eq!(own[0].text().trim_end(), metrics);
    assert!(own[1].text().contains("CloudWatchMetrics"));
    for line in own {
        assert!(line.attributes.is_null(), "{line:?}");
        let sent = end
            .sent()
            .into_iter()
            .find(|element| element[2] == line.record);
        assert!(sent.is_some(), "{line:?}");
    }
    backend.finish();
}

/// Fields that `parse` reads are seen by the redaction behind it: keys in text become keys.
#[tokio::test]
async fn redaction_sees_what_was_read() {
    let backend = FakeBackend::start(Answer::OK);
    let transforms = r#"
[[transform]]
type = "parse"
format = "logfmt"
[[transform]]
type = "redact"
keys = ["pin", "user.secret"]
"#;
    let mut life = begin(transforms, &backend).await;
    let steps = vec![
        Step::Line("level=warn msg=\"signed in\" pin=4711 n=3".to_owned()),
        Step::Line("no pairs".to_owned()),
    ];
    life.invoke(Script::new(steps)).await;
    let end = life.end().await;
    end.assert_unharmed();
    let lines = backend.lines();
    let own: Vec<_> = lines
        .iter()
        .filter(|line| line.kind == "function")
        .collect();
    assert_eq!(
        own[0].record,
        r#"{"level":"warn","msg":"signed in","pin":"[KEY]","n":3}"#
    );
    assert_eq!(own[0].level.as_deref(), Some("WARN"));
    assert_eq!(own[1].record, "\"no pairs\\n\"");
    assert_eq!(end.ledger().count("unparsed"), 1);
    backend.finish();
}
