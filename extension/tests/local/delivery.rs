//! Delivery of telemetry: batches, repeats, losses, forms, destinations.

use std::time::Duration;

use serde_json::Value;
use tapline::local::{
    End, Faults, Invocation, LogFormat, Offer, Reason, Schema, Script, Settings, Stamp, Step,
};

use super::*;

/// 1500 lines under a long timeout: the first 1000 leave at once, the rest with the shutdown.
#[tokio::test]
async fn batches_leave_by_items() {
    let buffering = r#"{"maxItems":1000,"maxBytes":1048576,"timeoutMs":30000}"#;
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "function"),
        ("BUFFERING", buffering),
        ("HOLD", "0.3"),
    ])]))
    .await;
    let burst = Script::new(vec![Step::Burst {
        count: 1500,
        bytes: 20,
    }]);
    lambda.invoke(Invocation::script(burst)).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let posts = said(&end.processes[0], "post");
    let counts: Vec<usize> = posts
        .iter()
        .map(|post| {
            let body = post["body"].as_str().expect("text");
            serde_json::from_str::<Vec<Value>>(body)
                .expect("an array")
                .len()
        })
        .collect();
    assert_eq!(counts, [1000, 500]);
}

/// With 300 ms of buffering nothing comes sooner, and it does come while the extension holds on.
#[tokio::test]
async fn batches_leave_by_time() {
    let buffering = r#"{"maxItems":1000,"maxBytes":1048576,"timeoutMs":300}"#;
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "function"),
        ("BUFFERING", buffering),
        ("HOLD", "1"),
    ])]))
    .await;
    lambda.invoke(logging(&["a", "b"])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let process = &end.processes[0];
    let posts = said(process, "post");
    assert_eq!(posts.len(), 1);
    let at = |event: &Value| event["at"].as_f64().expect("seconds");
    let events = said(process, "event");
    let waited = at(&posts[0]) - at(&events[0]);
    assert!((0.2..1.0).contains(&waited), "{waited}");
}

/// A refused POST comes again with the same bytes, and a redelivery repeats one that was accepted.
#[tokio::test]
async fn posts_are_repeated_byte_for_byte() {
    let faults = Faults {
        redeliver_every: Some(2),
        ..Faults::default()
    };
    let mut lambda = up(Settings {
        faults,
        ..settings(vec![extension(&[
            ("TYPES", "function"),
            ("REFUSE_POSTS", "1"),
            ("HOLD", "0.5"),
        ])])
    })
    .await;
    lambda.invoke(logging(&["one"])).await;
    lambda.invoke(logging(&["two"])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let posts = said(&end.processes[0], "post");
    let bodies: Vec<&str> = posts
        .iter()
        .map(|post| post["body"].as_str().expect("text"))
        .collect();
    assert_eq!(bodies.len(), 4, "{bodies:?}");
    assert_eq!(bodies[0], bodies[1], "refused, then taken");
    assert_eq!(bodies[2], bodies[3], "taken, then redelivered");
    let journal = lambda.journal();
    let delivery = only(&journal.deliveries);
    let delivered: Vec<u32> = delivery.sent.iter().map(|sent| sent.delivered).collect();
    assert_eq!((delivered, delivery.n_failed_posts), (vec![1, 2], 1));
}

/// An extension that does not answer its POSTs: the buffer fills, and what is dropped is counted and told.
#[tokio::test]
async fn a_stalled_subscriber_loses_the_newest() {
    let mut lambda = up(Settings {
        buffer_bytes_max: 100_000,
        ..settings(vec![extension(&[
            ("TYPES", "platform,function"),
            ("STALL_POSTS", "1"),
            ("STALL", "0.8"),
            ("HOLD", "1.5"),
        ])])
    })
    .await;
    let burst = Script::new(vec![
        Step::Log("first".into()),
        Step::Sleep(Duration::from_millis(200)),
        Step::Burst {
            count: 500,
            bytes: 1000,
        },
    ]);
    lambda.invoke(Invocation::script(burst)).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    let told: u64 = got
        .iter()
        .filter(|element| element["type"] == "platform.logsDropped")
        .map(|element| {
            element["record"]["droppedRecords"]
                .as_u64()
                .expect("a number")
        })
        .sum();
    let journal = lambda.journal();
    let dropped = only(&journal.deliveries).dropped().count() as u64;
    assert!(dropped > 300, "{dropped}");
    assert_eq!(told, dropped);
}

/// JSON log format: objects for the newer schema, strings for the oldest; a record over `maxBytes` is cut in two POSTs.
#[tokio::test]
async fn schema_and_size_decide_the_form() {
    for (schema, object) in [("2022-07-01", false), ("2025-01-29", true)] {
        let mut lambda = up(Settings {
            log_format: LogFormat::Json,
            ..settings(vec![extension(&[
                ("TYPES", "function"),
                ("SCHEMA", schema),
                ("HOLD", "0.3"),
            ])])
        })
        .await;
        let long = serde_json::json!({ "message": "A".repeat(300_000) });
        let script = Script::new(vec![Step::Log("hello".into()), Step::LogJson(long.clone())]);
        lambda
            .invoke(Invocation::script(script.stamped(Stamp::Node)))
            .await;
        let end = lambda.shutdown(Reason::Spindown).await;
        let posts = said(&end.processes[0], "post");
        let bodies: Vec<&str> = posts
            .iter()
            .map(|p| p["body"].as_str().expect("text"))
            .collect();
        assert!(bodies.len() >= 2, "{}", bodies.len());
        let last = bodies[bodies.len() - 1];
        let cut = bodies[bodies.len() - 2]
            .strip_suffix("}]")
            .expect("closing framing");
        let marker = r#""record":"#;
        let resumed = &last[last.find(marker).expect("an envelope") + marker.len()..];
        let joined: Vec<Value> = serde_json::from_str(&format!("{cut}{resumed}")).expect("whole");
        let record = &joined[joined.len() - 1]["record"];
        assert_eq!(record.is_object(), object);
        if object {
            assert_eq!(record, &long);
        }
    }
}

/// The subscription is refused where its schema is unknown, and answered with 202 where the API is missing.
#[tokio::test]
async fn the_api_may_be_older_or_missing() {
    let asked = [("TYPES", "platform"), ("SCHEMA", "2025-01-29")];
    let mut old = settings(vec![extension(&asked)]);
    old.apis.newest_schema = Schema::V2022_12_13;
    let mut missing = settings(vec![extension(&asked)]);
    missing.apis.telemetry = Offer::NotSupported;
    for (settings, status, kind) in [
        (old, 400, "ValidationError"),
        (missing, 202, "Telemetry.NotSupported"),
    ] {
        let mut lambda = up(settings).await;
        let end = lambda.shutdown(Reason::Spindown).await;
        let answer = &said(&end.processes[0], "subscribed")[0];
        assert_eq!(answer["status"], status);
        assert!(
            answer["body"].as_str().expect("text").contains(kind),
            "{answer}"
        );
    }
}

/// The Logs API has its own events.
#[tokio::test]
async fn the_logs_api_speaks_its_own_words() {
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "platform,function"),
        ("API", "/2020-08-15/logs"),
        ("SCHEMA", "2021-03-18"),
        ("HOLD", "0.1"),
    ])]))
    .await;
    lambda.invoke(logging(&["one"])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    let expected = [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
    ];
    assert_eq!(types(&got), expected);
    assert_eq!(got[4]["record"]["status"], "success");
    assert!(got[6]["record"].get("status").is_none());
}

/// A POST that the freeze catches unanswered is neither failed nor repeated, however long the gap.
#[tokio::test]
async fn a_gap_is_no_failed_post() {
    let mut lambda = up(Settings {
        post_timeout: Duration::from_millis(600),
        ..settings(vec![extension(&[
            ("TYPES", "platform,function"),
            ("STALL_POSTS", "1"),
            ("STALL", "0.3"),
        ])])
    })
    .await;
    lambda.invoke(logging(&["one"])).await;
    lambda.freeze_for(Duration::from_millis(1000)).await;
    lambda
        .invoke(Invocation::script(Script::new(vec![Step::Sleep(
            Duration::from_millis(500),
        )])))
        .await;
    lambda.shutdown(Reason::Spindown).await;
    let journal = lambda.journal();
    let delivery = only(&journal.deliveries);
    assert_eq!(delivery.n_failed_posts, 0);
    assert!(
        delivery.sent.iter().all(|sent| sent.delivered == 1),
        "{:?}",
        delivery.sent
    );
}

/// What a reset left undelivered goes to the old address, where the next generation listens if it kept its port.
#[tokio::test]
async fn the_next_generation_gets_the_leftovers() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = free.local_addr().expect("bound").port().to_string();
    drop(free);
    let mut lambda = up(Settings {
        timeout: Duration::from_secs(2),
        ..settings(vec![extension(&[
            ("TYPES", "platform"),
            ("PORT", &port),
            ("HOLD", "0.1"),
        ])])
    })
    .await;
    let hang = Script::default().ending(End::Hang);
    let timed_out = lambda.invoke(Invocation::script(hang)).await;
    lambda
        .invoke(Invocation::script(Script::new(vec![Step::Sleep(
            Duration::from_millis(500),
        )])))
        .await;
    assert!(lambda.ended().iter().all(|process| !process.killed));
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    let of_old = |element: &&Value| element["record"]["requestId"] == timed_out.request_id.as_str();
    let old: Vec<&Value> = got.iter().filter(of_old).collect();
    assert_eq!(old.len(), 1, "{old:?}");
    assert_eq!(old[0]["type"], "platform.report");
    assert_eq!(old[0]["record"]["status"], "timeout");
}

/// Over TCP elements are lines; a port where nobody listens is refused at the subscription.
#[tokio::test]
async fn tcp_carries_lines() {
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "platform,function"),
        ("TCP", "1"),
        ("HOLD", "0.2"),
    ])]))
    .await;
    lambda.invoke(logging(&["one, two", "three"])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let lines = said(&end.processes[0], "line");
    let text = |line: &Value| line["line"].as_str().expect("text").to_owned();
    let got: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(&text(line)).expect("JSON"))
        .collect();
    assert!(
        types(&got).starts_with(&["platform.initStart"]),
        "{:?}",
        types(&got)
    );
    assert!(got.iter().any(|element| element["record"] == "one, two\n"));

    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "platform"),
        ("TCP", "1"),
    ])]))
    .await;
    lambda.shutdown(Reason::Spindown).await;
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "platform"),
        ("TCP", "9"),
    ])]))
    .await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let answer = &said(&end.processes[0], "subscribed")[0];
    assert_eq!(answer["status"], 400);
    assert!(
        answer["body"]
            .as_str()
            .expect("text")
            .contains("could not TCP dial"),
        "{answer}"
    );
}

/// Lines of an extension are telemetry for who asked for them, and so is what it prints in the end.
#[tokio::test]
async fn lines_of_extensions_are_telemetry() {
    let mut lambda = up(settings(vec![extension(&[("PRINT", "a warning")])])).await;
    lambda.invoke(logging(&[])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    assert_eq!(end.processes[0].stderr, ["a warning"]);
    let journal = lambda.journal();
    assert!(
        journal
            .elements
            .iter()
            .any(|element| element.kind == "extension")
    );
}
