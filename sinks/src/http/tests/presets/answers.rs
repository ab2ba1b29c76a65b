//! What each service may answer, and what becomes of every record then.
//!
//! Of the checklists of presets and compression these are not tested, and why: acknowledgement by Splunk's indexer,
//! since nothing polls for it; snappy and Loki's protobuf, since JSON is what is sent; OTLP of Dynatrace, since that is
//! the sink `otlp`; tokens of Google and Azure, and the pace of Slack, which have no preset; the time of a compressor per
//! megabyte, since a clock on a shared machine says little: sizes and memory are asserted instead. What all presets share
//! (3xx, 401 to 404, 408, 5xx, both forms of `Retry-After`, timeouts, halving) is tested once, in `tests.rs`,
//! `classify.rs` and below.

use super::*;

/// The fate of each of five records, as one letter: `a`ccepted, `r`ejected, rejected and `u`nnamed, `t`ried again,
/// `h`alved, `d`enied; and the words of those that are not accepted, once each.
async fn fates(name: &str, head: &str, body: &str) -> (String, Vec<String>) {
    let texts = ["0", "1", "2", "3", "4"];
    fates_of(name, head, body, test_util::batch(&texts)).await
}

async fn fates_of(name: &str, head: &str, body: &str, batch: Batch) -> (String, Vec<String>) {
    let server = Server::start(vec![vec![Take, answer(head, body)]]).await;
    let (world, budget) = (world(), Budget::new(64 << 20));
    let mut sink = preset(name, &server);
    let records = select(batch);
    let outcome = sink.deliver(&records, world.call(&budget)).await;
    assert_eq!(server.requests().len(), 1, "{name}");
    shown(&outcome, records.len())
}

/// See [`fates`].
pub(super) fn shown(outcome: &Outcome, records_count: usize) -> (String, Vec<String>) {
    let mut letters = String::new();
    let mut words: Vec<String> = Vec::new();
    for position in 0..records_count as u32 {
        let own = outcome.exceptions.iter().filter(|(at, _)| *at == position);
        assert!(own.clone().count() <= 1, "a record has one fate");
        let verdict = own.map(|(_, verdict)| verdict).next();
        let (letter, word) = match verdict.unwrap_or(&outcome.verdict) {
            Verdict::Accepted => ('a', None),
            Verdict::Rejected(why) => ('r', Some(why.to_string())),
            Verdict::Unnamed(why) => ('u', Some(why.to_string())),
            Verdict::Retry { why, answered, .. } => {
                assert!(answered, "the service has spoken");
                ('t', Some(why.to_string()))
            }
            Verdict::TooLarge => ('h', None),
            Verdict::Denied { why } => ('d', Some(why.to_string())),
            Verdict::Held => panic!("nothing is held"),
        };
        letters.push(letter);
        words.extend(word.filter(|word| !words.contains(word)));
    }
    (letters, words)
}

async fn assert_rows(name: &str, rows: &[(&str, &str, &str, &[&str])]) {
    for (head, body, letters, words) in rows {
        let got = fates(name, head, body).await;
        assert_eq!(got.0, *letters, "{name}: {head} {body}");
        assert_eq!(got.1, *words, "{name}: {head} {body}");
    }
}

#[tokio::test]
async fn elasticsearch_says_it_item_by_item() {
    let mixed = r#"{"took":3,"errors":true,"items":[{"create":{"status":201}},
        {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"x"}}},
        {"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}},
        {"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},
        {"create":{"status":503}}]}"#;
    let cut =
        r#"{"errors":true,"items":[{"create":{"status":400}},{"create":{"status":201}},{"crea"#;
    assert_rows(
        "elasticsearch",
        &[
            ("200 OK", r#"{"errors":false}"#, "aaaaa", &[]),
            (
                "200 OK",
                r#"{"took":1,"errors":false,"items":[]}"#,
                "aaaaa",
                &[],
            ),
            (
                "200 OK",
                mixed,
                "aratt",
                &[
                    "document_parsing_exception",
                    "es_rejected_execution_exception",
                    "503",
                ],
            ),
            ("200 OK", cut, "rattt", &["400", "malformed"]),
            (
                "200 OK",
                r#"{"items":[{"index":{"status":200}},{"index":{"status":403}}]}"#,
                "arttt",
                &["403", "malformed"],
            ),
            ("200 OK", "<html>hello</html>", "ttttt", &["malformed"]),
            ("200 OK", "", "ttttt", &["malformed"]),
            ("429 Busy", "{}", "ttttt", &["429"]),
            (
                "400 Bad",
                r#"{"error":"Malformed action"}"#,
                "rrrrr",
                &["400"],
            ),
            ("413 Large", "", "hhhhh", &[]),
        ],
    )
    .await;
}

#[tokio::test]
async fn loki_may_refuse_after_it_stored_a_part() {
    let behind = "entry with timestamp 2026-03-14 09:26:53.589 +0000 UTC ignored, reason: 'entry too far behind, entry \
                  timestamp is: x, oldest acceptable timestamp is: y',\nuser 'fake', total ignored: 2 out of 5 for \
                  stream: {service_name=\"orders\"}";
    let of_another = behind.replace("out of 5", "out of 3");
    assert_rows(
        "loki",
        &[
            ("204 No Content", "", "aaaaa", &[]),
            ("400 Bad", behind, "rraaa", &["too_far_behind"]),
            ("400 Bad", &of_another, "rrrrr", &["too_far_behind"]),
            (
                "400 Bad",
                "error at least one label pair is required per stream",
                "rrrrr",
                &["labels"],
            ),
            (
                "400 Bad",
                "Max entry size '262144' bytes exceeded",
                "rrrrr",
                &["too_large"],
            ),
            ("400 Bad", "what?", "rrrrr", &["400"]),
            ("260 Blocked", "", "rrrrr", &["260"]),
            (
                "429 Too Many",
                "ingestion rate limit exceeded",
                "ttttt",
                &["429"],
            ),
            ("500 Error", "", "ttttt", &["500"]),
        ],
    )
    .await;
}

/// Of the records that were too old the oldest are refused, wherever they stand in the batch.
#[tokio::test]
async fn loki_refuses_the_oldest() {
    let mut batch = test_util::batch(&["0", "1", "2"]);
    let old = batch.keep(b"2026-03-14T08:00:00Z");
    batch.records_mut()[1].time = old;
    let body = "entry too far behind, total ignored: 1 out of 3 for stream: {}";
    let got = fates_of("loki", "400 Bad", body, batch).await;
    assert_eq!(got.0, "ara");
}

#[tokio::test]
async fn splunk_has_codes() {
    assert_rows(
        "splunk_hec",
        &[
            ("200 OK", r#"{"text":"Success","code":0}"#, "aaaaa", &[]),
            (
                "200 OK",
                r#"{"text":"Success","code":0,"ackId":7}"#,
                "aaaaa",
                &[],
            ),
            (
                "200 OK",
                r#"{"text":"Queue near capacity","code":24}"#,
                "aaaaa",
                &[],
            ),
            ("200 OK", "", "aaaaa", &[]),
            (
                "200 OK",
                r#"{"text":"busy","code":9}"#,
                "ttttt",
                &["code_9"],
            ),
            (
                "200 OK",
                r#"{"text":"x","code":7}"#,
                "rrrrr",
                &["incorrect_index"],
            ),
            (
                "400 Bad",
                r#"{"text":"Invalid data format","code":6,"invalid-event-number":2}"#,
                "aartt",
                &["invalid_data", "not_read"],
            ),
            (
                "400 Bad",
                r#"{"text":"Event field cannot be blank","code":13,"invalid-event-number":0}"#,
                "rtttt",
                &["event_blank", "not_read"],
            ),
            (
                "400 Bad",
                r#"{"code":6,"invalid-event-number":5}"#,
                "rrrrr",
                &["invalid_data"],
            ),
            (
                "400 Bad",
                r#"{"text":"No data","code":5}"#,
                "rrrrr",
                &["no_data"],
            ),
            (
                "400 Bad",
                r#"{"text":"?","code":22}"#,
                "rrrrr",
                &["code_22"],
            ),
            (
                "403 Forbidden",
                r#"{"text":"Invalid token","code":4}"#,
                "ddddd",
                &["403"],
            ),
            (
                "503 Busy",
                r#"{"text":"Server is busy","code":9}"#,
                "ttttt",
                &["503"],
            ),
            (
                "429 Full",
                r#"{"text":"at capacity","code":26}"#,
                "ttttt",
                &["429"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn honeycomb_has_a_status_for_each() {
    let mixed = r#"[{"status":202},{"status":400,"error":"Event is too large"},{"status":429},{"status":202},{"status":500}]"#;
    assert_rows(
        "honeycomb",
        &[
            ("200 OK", mixed, "artat", &["400", "429", "500"]),
            (
                "200 OK",
                r#"[{"status":202},{"status":202}]"#,
                "aattt",
                &["malformed"],
            ),
            (
                "200 OK",
                "\n [ {\"status\":202}, {\"status\":202}, {\"status\":202}, {\"status\":202}, {\"status\":202} ]",
                "aaaaa",
                &[],
            ),
            ("200 OK", "{}", "ttttt", &["malformed"]),
            ("200 OK", "[]", "ttttt", &["malformed"]),
            ("429 Slow", r#"{"error":"x"}"#, "ttttt", &["429"]),
            (
                "401 No",
                r#"{"error":"unknown API key"}"#,
                "ddddd",
                &["401"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn axiom_and_openobserve_count_what_failed() {
    let failed = r#"{"ingested":3,"failed":2,"failures":[{"timestamp":"x","error":"too many fields"}],"processedBytes":9}"#;
    assert_rows(
        "axiom",
        &[
            (
                "200 OK",
                r#"{"ingested":5,"failed":0,"failures":[]}"#,
                "aaaaa",
                &[],
            ),
            ("200 OK", failed, "aaauu", &["failed"]),
            ("200 OK", r#"{"failed":9}"#, "uuuuu", &["failed"]),
            ("200 OK", "ok", "ttttt", &["malformed"]),
            ("429 Slow", "", "ttttt", &["429"]),
        ],
    )
    .await;
    assert_rows(
        "openobserve",
        &[
            (
                "200 OK",
                r#"{"code":200,"status":[{"name":"orders_x","successful":5,"failed":0}]}"#,
                "aaaaa",
                &[],
            ),
            (
                "200 OK",
                r#"{"code":200,"status":[{"name":"a","successful":1,"failed":1,"error":"Too old data"},{"failed":2}]}"#,
                "aauuu",
                &["failed"],
            ),
            ("200 OK", r#"{"code":200}"#, "ttttt", &["malformed"]),
            // Somebody's `status`, but no stream of it.
            ("200 OK", r#"{"status":"ok"}"#, "ttttt", &["malformed"]),
            ("200 OK", r#"{"status":[]}"#, "ttttt", &["malformed"]),
            ("200 OK", r#"{"status":[{"name":"a"}]}"#, "ttttt", &["malformed"]),
            ("401 No", "", "ddddd", &["401"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn axiom_says_when_its_limits_begin_anew() {
    // The world's wall clock is at 1,773,480,413.589 s.
    for (status, reset, wanted_ms) in [
        (429, "x-ratelimit-reset: 1773480420", Some(6_411)),
        (429, "X-IngestLimit-Reset: 1773480420", Some(6_411)),
        (429, "x-ratelimit-reset: 1773480000", Some(0)),
        (429, "x-ingestlimit-reset: 1776000000", Some(600_000)),
        (
            429,
            "retry-after: 3\r\nx-ratelimit-reset: 1773480420",
            Some(3_000),
        ),
        // It is there in every answer, and only this one says that the limit was hit.
        (503, "x-ratelimit-reset: 1773480420", None),
    ] {
        let head = format!("{status} Slow\r\n{reset}");
        let server = Server::start(vec![vec![Take, answer(&head, "")]]).await;
        let (world, budget) = (world(), Budget::new(64 << 20));
        let mut sink = preset("axiom", &server);
        let records = selection(&TEXTS);
        let outcome = sink.deliver(&records, world.call(&budget)).await;
        let wanted = Verdict::Retry {
            why: status.to_string().into(),
            after: wanted_ms.map(Duration::from_millis),
            answered: true,
        };
        assert_eq!(outcome.verdict, wanted, "{status} {reset}");
    }
}

#[tokio::test]
async fn logzio_says_how_many_lines_it_stored() {
    assert_rows(
        "logzio",
        &[
            ("200 OK", "", "aaaaa", &[]),
            (
                "400 Bad",
                r#"{"malformedLines":2,"successfulLines":3,"oversizedLines":0,"emptyLogLines":0}"#,
                "aaauu",
                &["malformed"],
            ),
            (
                "400 Bad",
                r#"{"malformedLines":0,"successfulLines":4,"oversizedLines":1,"emptyLogLines":0}"#,
                "aaaau",
                &["too_large"],
            ),
            ("400 Bad", "no json", "rrrrr", &["400"]),
            ("401 No", "", "ddddd", &["401"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn clickhouse_may_fail_in_a_200() {
    let parts = "Code: 252. DB::Exception: Too many parts (300). (TOO_MANY_PARTS)";
    let data = "Code: 117. DB::Exception: Unexpected NULL. (INCORRECT_DATA)";
    assert_rows(
        "clickhouse",
        &[
            ("200 OK", "", "aaaaa", &[]),
            ("200 OK", data, "rrrrr", &["code_117"]),
            ("200 OK", parts, "ttttt", &["code_252"]),
            (
                "200 OK\r\nX-ClickHouse-Exception-Code: 60",
                "?",
                "ddddd",
                &["code_60"],
            ),
            ("500 Error", parts, "ttttt", &["code_252"]),
            ("500 Error", data, "rrrrr", &["code_117"]),
            (
                "500 Error",
                "Code: 999. DB::Exception: Session expired. (KEEPER_EXCEPTION)",
                "ttttt",
                &["code_999"],
            ),
            ("500 Error", "", "ttttt", &["500"]),
            (
                "404 None",
                "Code: 60. DB::Exception: no table",
                "ddddd",
                &["code_60"],
            ),
            (
                "403 No",
                "Code: 516. DB::Exception: default: Authentication failed",
                "ddddd",
                &["code_516"],
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn dynatrace_takes_all_with_204_and_a_part_with_200() {
    assert_rows(
        "dynatrace",
        &[
            ("204 No Content", "", "aaaaa", &[]),
            (
                "200 OK",
                r#"{"details":{"code":200,"message":"x"}}"#,
                "rrrrr",
                &["partial"],
            ),
            (
                "200 OK",
                r#"{"details":{"code":200,"message":"2 events were not ingested because of timestamp out of correct time range."}}"#,
                "aaauu",
                &["too_old"],
            ),
            (
                "200 OK",
                r#"{"success":{"code":200,"message":"1 events were not ingested because of timestamp out of correct time range. 2 events were not ingested because of their size."}}"#,
                "aauuu",
                &["partial"],
            ),
            (
                "200 OK",
                r#"{"details":{"code":200,"message":"some events were not ingested"}}"#,
                "rrrrr",
                &["partial"],
            ),
            (
                "200 OK",
                r#"{"details":{"message":"99999999999999999999999 events were not ingested"}}"#,
                "rrrrr",
                &["partial"],
            ),
            ("200 OK", r#"{"details":{"message":" were not ingested"}}"#, "rrrrr", &["partial"]),
            ("429 Slow", "", "ttttt", &["429"]),
            ("400 Bad", "", "rrrrr", &["400"]),
        ],
    )
    .await;
}

/// Five short lines are one record of Firehose; what it says of that one counts for all.
#[tokio::test]
async fn firehose_says_it_for_each_of_its_records() {
    let failed = r#"{"FailedPutCount":1,"Encrypted":false,"RequestResponses":[{"ErrorCode":"ServiceUnavailableException","ErrorMessage":"Slow down."}]}"#;
    assert_rows(
        "firehose",
        &[
            (
                "200 OK",
                r#"{"FailedPutCount":0,"Encrypted":false,"RequestResponses":[{"RecordId":"x"}]}"#,
                "aaaaa",
                &[],
            ),
            ("200 OK", failed, "ttttt", &["ServiceUnavailableException"]),
            ("200 OK", r#"{"FailedPutCount":1}"#, "ttttt", &["malformed"]),
            ("200 OK", "<html>", "ttttt", &["malformed"]),
            (
                "400 Bad",
                r#"{"__type":"InvalidArgumentException","message":"x"}"#,
                "rrrrr",
                &["InvalidArgumentException"],
            ),
            (
                "400 Bad",
                r#"{"__type":"ServiceUnavailableException"}"#,
                "ttttt",
                &["ServiceUnavailableException"],
            ),
            (
                "400 Bad",
                r#"{"__type":"ResourceNotFoundException"}"#,
                "ddddd",
                &[
                    "ResourceNotFoundException: there is no such resource in this account and region",
                ],
            ),
        ],
    )
    .await;
}

/// Only the lines of the records that failed are sent again, whichever of them those are.
#[tokio::test]
async fn firehose_wants_single_records_again() {
    let long = "x".repeat(30_000);
    // Two lines of 30,000 bytes fill a record of 64 KiB.
    let batch = test_util::batch(&[&long, &long, "short", &long, &long, &long]);
    let body = r#"{"FailedPutCount":1,"RequestResponses":[{"RecordId":"x"},{"ErrorCode":"InternalFailure"},{"RecordId":"y"}]}"#;
    let got = fates_of("firehose", "200 OK", body, batch).await;
    assert_eq!(got.0, "aaatta");
    let batch = test_util::batch(&[&long, &long, "short", &long, &long, &long]);
    let (_, body) = sent("firehose", batch).await;
    let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(parsed["Records"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn better_stack_says_when_the_quota_is_used_up() {
    assert_rows("better_stack", &[("402 Payment", "", "ddddd", &["402"])]).await;
}

/// Those without words of their own.
#[tokio::test]
async fn the_others_say_it_with_the_status() {
    for (name, good) in [
        ("better_stack", "202 Accepted"),
        ("coralogix", "200 OK"),
        ("datadog", "202 Accepted"),
        ("newrelic", "202 Accepted"),
        ("sumo_logic", "200 OK"),
        ("victorialogs", "200 OK"),
    ] {
        assert_rows(
            name,
            &[
                (good, r#"{"requestId":"x","status":[]}"#, "aaaaa", &[]),
                ("403 No", "", "ddddd", &["403"]),
                ("406 What", "", "rrrrr", &["406"]),
                ("413 Large", "", "hhhhh", &[]),
                ("429 Slow\r\nretry-after: 1", "", "ttttt", &["429"]),
                ("504 Late", "", "ttttt", &["504"]),
            ],
        )
        .await;
    }
}

/// A page of a portal or of a filter in between, with the status of a success: it has taken nothing.
#[tokio::test]
async fn a_page_for_people_is_no_success_of_any_service() {
    let page = "<html>sign in</html>";
    let rows = [
        ("200 OK\r\ncontent-type: text/html", page),
        (
            "202 OK\r\ncontent-type: Text/HTML; charset=utf-8",
            "<!-- portal --><body>sign in",
        ),
        ("200 OK", "\n <!DOCTYPE html><title>blocked</title>"),
    ];
    for (name, _) in SHOWN {
        for (head, body) in rows {
            let (letters, words) = fates(name, head, body).await;
            assert_eq!(letters, "ttttt", "{name}: {head} {body}");
            assert_eq!(words, ["malformed"], "{name}: {head} {body}");
        }
    }
    // Small servers call any text HTML unless they are told otherwise.
    for (name, body) in [
        ("datadog", "ok"),
        ("loki", ""),
        ("splunk_hec", "{\"code\":0}"),
    ] {
        let (letters, _) = fates(name, "200 OK\r\ncontent-type: text/html", body).await;
        assert_eq!(letters, "aaaaa", "{name}: {body}");
    }
}
