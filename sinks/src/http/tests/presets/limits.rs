//! Limits of the services, each just under and just over, and what is done about records that they would not take.

use super::answers::shown;
use super::*;

/// What becomes of these records, and the requests that were made for them.
async fn delivered(mut sink: Http, server: &Server, batch: Batch) -> (String, Vec<String>, usize) {
    let (world, budget) = (world(), Budget::new(64 << 20));
    let records = select(batch);
    let outcome = sink.deliver(&records, world.call(&budget)).await;
    let (letters, words) = shown(&outcome, records.len());
    (letters, words, server.requests().len())
}

async fn of_texts(name: &str, reply: (&str, &str), texts: &[&str]) -> (String, Vec<String>, usize) {
    let server = Server::start(vec![vec![Take, answer(reply.0, reply.1)]]).await;
    let sink = preset(name, &server);
    delivered(sink, &server, test_util::batch(texts)).await
}

/// A record of one byte too many is rejected here, and what it came with is sent.
#[tokio::test]
async fn a_record_that_the_service_would_not_take_costs_no_other() {
    let positional = r#"[{"status":202},{"status":400,"error":"x"}]"#;
    for (name, reply, bytes_max, words) in [
        (
            "loki",
            ("204 No Content", ""),
            256 << 10,
            &["too_large"][..],
        ),
        (
            "victorialogs",
            ("200 OK", ""),
            (256 << 10) - 200,
            &["too_large"],
        ),
        ("logzio", ("200 OK", ""), 500_000 - 200, &["too_large"]),
        (
            "honeycomb",
            ("200 OK", positional),
            1_000_000 - 250,
            &["too_large", "400"],
        ),
    ] {
        let long = "x".repeat(bytes_max + 400);
        let got = of_texts(name, reply, &["a", &long, "b"]).await;
        let wanted = if name == "honeycomb" { "arr" } else { "ara" };
        assert_eq!((got.0.as_str(), got.2), (wanted, 1), "{name}");
        assert_eq!(got.1, words, "{name}");
        let fits = "x".repeat(bytes_max - 400);
        let all = r#"[{"status":202},{"status":202},{"status":202}]"#;
        let reply = if name == "honeycomb" {
            ("200 OK", all)
        } else {
            reply
        };
        let got = of_texts(name, reply, &["a", &fits, "b"]).await;
        assert_eq!(got.0, "aaa", "{name}");
    }
}

#[tokio::test]
async fn where_nothing_is_left_nothing_is_sent() {
    let long = "x".repeat(300 << 10);
    let got = of_texts("loki", ("204 No Content", ""), &[&long, &long]).await;
    assert_eq!((got.0.as_str(), got.2), ("rr", 0));
}

/// A body that is too large is not sent but halved by the loop, and one record alone is rejected there.
#[tokio::test]
async fn a_body_that_is_too_large_is_halved_before_it_is_sent() {
    let half = "x".repeat(600_000);
    let got = of_texts("newrelic", ("202 Accepted", ""), &[&half, &half]).await;
    assert_eq!((got.0.as_str(), got.2), ("hh", 0));
    let got = of_texts("newrelic", ("202 Accepted", ""), &[&half]).await;
    assert_eq!((got.0.as_str(), got.2), ("a", 1));
}

#[tokio::test]
async fn records_that_are_too_old_for_a_service_are_rejected_here() {
    for (name, hours) in [("datadog", 18), ("dynatrace", 24), ("newrelic", 48)] {
        let server = Server::start(vec![vec![Take, answer("204 No Content", "")]]).await;
        let mut batch = test_util::batch(&["new", "just in time", "too old"]);
        let wall_ms: i64 = 1_773_480_413_589;
        let limit_ms = wall_ms - hours * 3_600_000;
        for (position, ms) in [(1, limit_ms), (2, limit_ms - 1)] {
            let mut text = Vec::new();
            tapline_core::time::write_rfc3339(ms, &mut text);
            let time = batch.keep(&text);
            batch.records_mut()[position].time = time;
        }
        let got = delivered(preset(name, &server), &server, batch).await;
        assert_eq!((got.0.as_str(), got.2), ("aar", 1), "{name}");
        assert_eq!(got.1, ["too_old"]);
    }
}

#[test]
fn calls_are_as_large_as_the_service_allows() {
    let limits = |name: &str, more: &str| {
        let text = format!(
            "preset = \"{name}\"\nurl = \"http://a/\"\noptions = {{ {} }}\n{more}",
            options_of(name)
        );
        sink(&text).map(|sink| sink.limits())
    };
    let call = |records_max, bytes_max| CallLimits {
        records_max,
        bytes_max,
    };
    assert_eq!(limits("newrelic", ""), Ok(call(1_000, 750_000)));
    assert_eq!(limits("datadog", ""), Ok(call(1_000, 1 << 20)));
    assert_eq!(limits("elasticsearch", ""), Ok(call(800, 1 << 20)));
    let more = "batch = { records = 1000, bytes = \"4MiB\" }";
    assert_eq!(limits("datadog", more), Ok(call(1_000, 3_750_000)));
    let error = limits("datadog", "batch = { records = 1001, bytes = \"5MiB\" }").unwrap_err();
    assert!(
        error.contains("`datadog` takes at most 1000 records in a request"),
        "{error}"
    );
    assert!(
        error.contains("`datadog` takes at most 5000000B bytes in a request"),
        "{error}"
    );
}

/// Every combination of labels is a stream for ever: after 64 of them new values become metadata.
#[tokio::test]
async fn loki_opens_a_bounded_number_of_streams() {
    let server = Server::start(vec![vec![Take, OK, Take, OK]]).await;
    let base = format!("http://127.0.0.1:{}", server.port);
    let mut sink = preset_at(
        "loki",
        "labels = { app = \"{function.name}\", user = \"{.u}\" }",
        &base,
    );
    let (world, budget) = (world(), Budget::new(64 << 20));
    let lines: Vec<String> = (0..200)
        .map(|user| format!("{{\"u\":\"u{user}\"}}"))
        .collect();
    let rows: Vec<_> = lines
        .iter()
        .map(|line| ("function", line.as_str(), None))
        .collect();
    for _ in 0..2 {
        let batch = test_util::batch_of(&budget, &rows);
        let outcome = sink.deliver(&select(batch), world.call(&budget)).await;
        assert_eq!(outcome, Verdict::Accepted.into());
    }
    for request in server.requests() {
        let body = request
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let parsed: serde_json::Value = serde_json::from_slice(&request[body..]).unwrap();
        let streams = parsed["streams"].as_array().unwrap();
        assert_eq!(streams.len(), 65);
        let count = |stream: &serde_json::Value| stream["values"].as_array().unwrap().len();
        assert_eq!(streams.iter().map(count).sum::<usize>(), 200);
        let shared = &streams[64];
        assert_eq!(shared["stream"], serde_json::json!({ "app": "orders" }));
        assert_eq!(count(shared), 136);
        assert_eq!(shared["values"][0][2]["user"], "u64");
    }
}

/// Flat services take objects as keys with dots, and what has too many members as one JSON text.
#[tokio::test]
async fn objects_of_any_size_are_made_flat_without_a_loss() {
    let members = |count: usize| {
        let members: Vec<String> = (0..count)
            .map(|n| format!("\"k{n}\":{{\"v\":{n}}}"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    for (count, flat) in [(200, true), (201, false)] {
        let text = members(count);
        let budget = Budget::new(64 << 20);
        let batch = test_util::batch_of(&budget, &[("function", &text, None)]);
        let (_, body) = sent("newrelic", batch).await;
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        let attributes = &parsed[0]["logs"][0]["attributes"];
        if flat {
            assert_eq!(attributes["k199.v"], 199);
        } else {
            assert_eq!(attributes["record"], text.as_str());
        }
    }
    let deep = r#"{"a":{"b":{"c":{"d":{"e":{"f":1}}}}}}"#;
    let batch = test_util::batch_of(&Budget::new(64 << 20), &[("function", deep, None)]);
    let (_, body) = sent("dynatrace", batch).await;
    let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(parsed[0]["a.b.c.d.e"], r#"{"f":1}"#);
}
