use std::future::Future;

use tapline_core::budget::Budget;
use tapline_core::config::{Context, Document, Reader};
use tapline_core::expr::Names as Known;
use tapline_core::facts::Facts;
use tapline_core::registry::Build;
use tapline_core::test_util;
use tapline_core::time::write_rfc3339;

use super::*;
use crate::shared::test_server::Step::{Hang, Take};
use crate::shared::test_server::{Server, answer};
use crate::test_world::{TestWorld, select, selection};
use fake::Fake;

mod config;
mod fake;

/// 2026-03-14T09:26:53.589Z, what the world of the tests says.
const NOW_MS: i64 = 1_773_480_413_589;
const STREAM: &str = "2026/03/14/$LATEST/0123456789abcdef0123456789abcdef";
const MORE: &str = "group = \"/pay/{function.name}\"\nregion = \"eu-west-1\"\n";

fn read(text: &str) -> Result<CloudWatch, String> {
    let context = Context::new(&|name| (name == "KEY").then(|| "a key".to_owned()));
    let document = Document::parse(&context, "t.toml", text.as_bytes()).unwrap();
    let reader = Reader::root(&context, &document, super::config::FIELDS);
    let facts = Facts::default();
    let build = Build {
        names: Known { env: &[] },
        facts: &facts,
        memory: 16 << 20,
    };
    let sink = super::config::read(&reader, &build);
    reader.finish();
    drop(reader);
    let rendered = context.finish().render();
    match sink {
        Some(sink) if rendered.is_empty() => Ok(sink),
        Some(_) => Err(format!("built, but: {rendered}")),
        None => Err(rendered),
    }
}

fn sink(port: u16, more: &str) -> CloudWatch {
    read(&format!(
        "{MORE}endpoint = \"http://127.0.0.1:{port}\"\n{more}"
    ))
    .unwrap()
}

fn world() -> TestWorld {
    let mut world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret");
    world.facts.function_name = "orders".to_owned();
    world.facts.function_version = "$LATEST".to_owned();
    world
}

async fn deliver(sink: &mut CloudWatch, world: &TestWorld, records: &Selection) -> Outcome {
    let budget = Budget::new(256 << 20);
    let outcome = sink.deliver(records, world.call(&budget)).await;
    let kept = budget.used();
    assert!(kept <= 64 << 10, "{kept} bytes are held between two calls");
    outcome
}

/// Runs a test where the fake may spawn tasks.
fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

/// Records with these times, named after their position.
fn at(times: &[i64]) -> Selection {
    let texts: Vec<String> = (0..times.len()).map(|n| format!("record {n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut batch = test_util::batch(&texts);
    for (position, time_ms) in times.iter().enumerate() {
        let time = batch.keep_with(|out| write_rfc3339(*time_ms, out));
        batch.records_mut()[position].time = time;
    }
    select(batch)
}

fn accepted() -> Outcome {
    Verdict::Accepted.into()
}

fn again(why: &'static str, ms: Option<u64>, answered: bool) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: ms.map(Duration::from_millis),
        answered,
    }
}

/// The outcome of a call with all records alike.
fn all(count: u32, verdict: Verdict) -> Outcome {
    Outcome {
        verdict: Verdict::Accepted,
        exceptions: (0..count)
            .map(|position| (position, verdict.clone()))
            .collect(),
    }
}

/// All records are kept, and the line says the code and what to allow.
fn assert_denied(outcome: &Outcome, code: &str, told: &str) {
    let verdicts = outcome.exceptions.iter().map(|(_, verdict)| verdict);
    for verdict in
        verdicts.chain((outcome.verdict != Verdict::Accepted).then_some(&outcome.verdict))
    {
        let Verdict::Denied { why } = verdict else {
            panic!("{verdict:?}");
        };
        assert!(
            why.contains(code) && why.contains(told) && !why.contains("s3cret"),
            "{why}"
        );
    }
    assert_ne!(*outcome, accepted());
}

async fn scripted(
    steps: Vec<crate::shared::test_server::Step>,
) -> (Outcome, Vec<Vec<u8>>, TestWorld) {
    let server = Server::start(vec![steps]).await;
    let world = world();
    let outcome = deliver(
        &mut sink(server.port, ""),
        &world,
        &selection(&["one", "two"]),
    )
    .await;
    (outcome, server.requests(), world)
}

#[tokio::test]
async fn a_request_is_on_the_wire_as_the_api_wants_it() {
    let (outcome, requests, _) =
        scripted(vec![Take, answer("200 OK\r\nx-amzn-requestid: 1", "{}")]).await;
    assert_eq!(outcome, accepted());
    let request = String::from_utf8(requests[0].clone()).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        body,
        "{\"logGroupName\":\"/pay/orders\",\"logStreamName\":\"2026/03/14/$LATEST/0123456789abcdef0123456789abcdef\",\"logEvents\":[\
         {\"timestamp\":1773480413589,\"message\":\"one\"},{\"timestamp\":1773480413589,\"message\":\"two\"}]}"
    );
    let lines: Vec<&str> = head
        .lines()
        .map(|line| line.split("Signature=").next().unwrap())
        .collect();
    let host = lines[1].to_owned();
    assert!(host.starts_with("host: 127.0.0.1:"));
    assert_eq!(
        lines,
        [
            "POST / HTTP/1.1",
            &host,
            "user-agent: tapline/0.1.0",
            "content-type: application/x-amz-json-1.1",
            "x-amz-target: Logs_20140328.PutLogEvents",
            "x-amz-date: 20260314T092653Z",
            "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260314/eu-west-1/logs/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, ",
            &format!("content-length: {}", body.len()),
        ]
    );
}

#[test]
fn what_is_missing_is_made_once_and_the_same_bytes_are_sent_again() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        let more = "retention_days = 14\nclass = \"INFREQUENT_ACCESS\"\nkms_key = \"arn:k\"\ntags = { team = \"pay\" }";
        let mut sink = sink(fake.port, more);
        let world = world();
        for _ in 0..2 {
            assert_eq!(
                deliver(&mut sink, &world, &selection(&["one"])).await,
                accepted()
            );
        }
        let actions = fake.state.actions.borrow().join(" ");
        assert_eq!(
            actions,
            "PutLogEvents CreateLogStream CreateLogGroup PutRetentionPolicy CreateLogStream PutLogEvents PutLogEvents"
        );
        assert_eq!(fake.state.events("/pay/orders", STREAM).len(), 2);
        let bodies = serde_json::Value::from(fake.state.bodies.borrow().clone()).to_string();
        assert!(
            bodies.contains(r#""kmsKeyId":"arn:k""#) && bodies.contains(r#""tags":{"team":"pay"}"#),
            "{bodies}"
        );
        assert!(
            bodies.contains(r#""logGroupClass":"INFREQUENT_ACCESS""#),
            "{bodies}"
        );
        assert!(bodies.contains(r#""retentionInDays":14"#), "{bodies}");
    });
}

#[test]
fn a_group_that_is_there_keeps_its_retention_and_a_deleted_stream_is_made_again() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        fake.state.make("/pay/orders", "another");
        let (mut sink, world) = (sink(fake.port, "retention_days = 1"), world());
        assert_eq!(
            deliver(&mut sink, &world, &selection(&["one"])).await,
            accepted()
        );
        assert_eq!(
            fake.state.actions.borrow().join(" "),
            "PutLogEvents CreateLogStream PutLogEvents"
        );
        fake.state.groups.borrow_mut().clear();
        fake.state.make("/pay/orders", "another");
        assert_eq!(
            deliver(&mut sink, &world, &selection(&["two"])).await,
            accepted()
        );
        assert_eq!(
            fake.state.events("/pay/orders", STREAM),
            [(NOW_MS, "two".to_owned())]
        );
    });
}

/// The others of many environments that start at once come second.
#[test]
fn being_late_to_make_something_is_no_error_and_sets_no_retention() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        fake.state.make("/pay/orders", STREAM);
        let missing = |action| (action, 400, "ResourceNotFoundException");
        let exists = |action| (action, 400, "ResourceAlreadyExistsException");
        *fake.state.script.borrow_mut() = vec![
            missing("PutLogEvents"),
            missing("CreateLogStream"),
            exists("CreateLogGroup"),
            exists("CreateLogStream"),
        ];
        let mut sink = sink(fake.port, "retention_days = 1");
        assert_eq!(
            deliver(&mut sink, &world(), &selection(&["one"])).await,
            accepted()
        );
        assert!(
            !fake
                .state
                .actions
                .borrow()
                .contains(&"PutRetentionPolicy".to_owned())
        );
    });
}

#[test]
fn troubles_with_making_are_retried_or_told_by_the_action_to_allow() {
    local(async {
        let rows = [
            (
                "CreateLogStream",
                "ThrottlingException",
                Some(again("ThrottlingException", None, true)),
                "",
            ),
            (
                "CreateLogGroup",
                "OperationAbortedException",
                Some(again("OperationAbortedException", None, true)),
                "",
            ),
            (
                "CreateLogGroup",
                "AccessDeniedException",
                None,
                "`logs:CreateLogGroup`",
            ),
            (
                "CreateLogStream",
                "AccessDeniedException",
                None,
                "`logs:CreateLogStream`",
            ),
            (
                "CreateLogGroup",
                "LimitExceededException",
                None,
                "`logs:CreateLogGroup`",
            ),
        ];
        for (action, code, verdict, told) in rows {
            let fake = Fake::start(NOW_MS).await;
            *fake.state.script.borrow_mut() = vec![(action, 400, code)];
            let (mut sink, world) = (sink(fake.port, ""), world());
            let outcome = deliver(&mut sink, &world, &selection(&["one"])).await;
            match verdict {
                Some(verdict) => assert_eq!(outcome, all(1, verdict), "{action} {code}"),
                None => assert_denied(&outcome, code, told),
            }
        }
        let fake = Fake::start(NOW_MS).await;
        *fake.state.script.borrow_mut() =
            vec![("PutRetentionPolicy", 400, "AccessDeniedException")];
        let (mut sink, world) = (sink(fake.port, "retention_days = 1"), world());
        assert_eq!(
            deliver(&mut sink, &world, &selection(&["one"])).await,
            accepted()
        );
        assert!(world.messages.borrow()[0].contains("`logs:PutRetentionPolicy`"));
    });
}

#[test]
fn what_cloudwatch_refuses_is_counted_to_the_record_and_never_sent_again() {
    const DAY: i64 = 86_400_000;
    local(async {
        let fake = Fake::start(NOW_MS).await;
        fake.state.make("/pay/orders", STREAM);
        fake.state.retention_ms.set(Some(DAY / 2));
        // Our clock is 3 h ahead of theirs, and no answer says so: what we think to be in time is too new for them.
        let world = world();
        world.wall_ms.set(NOW_MS + 3 * 3_600_000);
        let times = [
            NOW_MS + 5 * 3_600_000,
            NOW_MS - 15 * DAY,
            NOW_MS,
            NOW_MS - DAY + 4 * 3_600_000,
            NOW_MS + 3 * 3_600_000 - 14 * DAY,
            NOW_MS + 6 * 3_600_000,
        ];
        let outcome = deliver(&mut sink(fake.port, ""), &world, &at(&times)).await;
        let rejected = |word: &'static str| Verdict::Rejected(word.into());
        assert_eq!(
            outcome.exceptions,
            [
                (0, rejected("too_new")),
                (1, rejected("too_old")),
                (3, rejected("expired")),
                (4, rejected("expired")),
                (5, rejected("too_new")),
            ]
        );
        assert_eq!(
            fake.state.events("/pay/orders", STREAM),
            [(NOW_MS, "record 2".to_owned())]
        );
    });
}

#[test]
fn several_requests_are_under_way_at_once_and_one_where_memory_is_short() {
    local(async {
        let text = "x".repeat(400_000);
        let texts = vec![text.as_str(); 10];
        for (memory, at_once) in [(256u64 << 20, 4), (2 << 20, 1)] {
            let fake = Fake::start(NOW_MS).await;
            fake.state.make("/pay/orders", STREAM);
            let (mut sink, world) = (sink(fake.port, "compression = \"gzip\""), world());
            let budget = Budget::new(memory);
            let records = selection(&texts);
            let _held = budget.charge_over((memory / 2 + 1) as usize * usize::from(at_once == 1));
            assert_eq!(
                sink.deliver(&records, world.call(&budget)).await,
                accepted()
            );
            assert_eq!(fake.state.open_max.get(), at_once);
            assert_eq!(fake.state.events("/pay/orders", STREAM).len(), 10);
            assert_eq!(fake.state.actions.borrow().len(), 5);
        }
    });
}

/// A split record counts once, when all its parts are stored; what others reached stays reached.
#[test]
fn one_request_that_fails_leaves_the_others_their_success() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        fake.state.make("/pay/orders", STREAM);
        let large = "x".repeat(2_000_000);
        let records = selection(&["one", &large, "two"]);
        *fake.state.script.borrow_mut() = vec![("PutLogEvents", 400, "ThrottlingException")];
        let (mut sink, world) = (sink(fake.port, ""), world());
        let outcome = deliver(&mut sink, &world, &records).await;
        // Of four requests the first to arrive failed; which one that is, is not for us to say.
        assert_eq!(fake.state.actions.borrow().len(), 3);
        let failed: Vec<u32> = outcome
            .exceptions
            .iter()
            .map(|(position, _)| *position)
            .collect();
        assert!(!failed.is_empty() && failed.len() < 3, "{failed:?}");
        for (_, verdict) in &outcome.exceptions {
            assert_eq!(*verdict, again("ThrottlingException", None, true));
        }
        let outcome = deliver(&mut sink, &world, &records).await;
        assert_eq!(outcome, accepted());
    });
}

#[tokio::test]
async fn every_error_has_its_class() {
    let body =
        |code: &str| format!("{{\"__type\":\"com.amazonaws.logs#{code}\",\"message\":\"s3cret\"}}");
    let rejected = |code: &'static str| Verdict::Rejected(code.into());
    let rows = [
        (
            "400 X\r\nx-amz-retry-after: 250",
            "ThrottlingException",
            again("ThrottlingException", Some(250), true),
        ),
        (
            "429 X\r\nretry-after: 2",
            "",
            again("429", Some(2_000), true),
        ),
        (
            "503 X",
            "ServiceUnavailableException",
            again("ServiceUnavailableException", None, true),
        ),
        (
            "500 X",
            "InternalFailure",
            again("InternalFailure", None, true),
        ),
        (
            "400 X",
            "InvalidSequenceTokenException",
            again("InvalidSequenceTokenException", None, true),
        ),
        (
            "400 X",
            "InvalidParameterException",
            rejected("InvalidParameterException"),
        ),
        ("413 X", "", Verdict::TooLarge),
        ("200 X", "", again("not_cloudwatch", None, true)),
    ];
    for (status, code, wanted) in rows {
        let text = if code.is_empty() {
            "<html>busy</html>".to_owned()
        } else {
            body(code)
        };
        let (outcome, requests, world) = scripted(vec![Take, answer(status, &text)]).await;
        assert_eq!(outcome, all(2, wanted), "{status} {code}");
        assert_eq!(requests.len(), 1);
        let messages = world.messages.borrow().join("\n");
        assert!(!messages.contains("s3cret"), "{messages}");
    }
    for code in [
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
    ] {
        let (outcome, requests, _) = scripted(vec![Take, answer("400 X", &body(code))]).await;
        assert_denied(&outcome, code, "allow `logs:PutLogEvents`");
        assert_eq!(requests.len(), 1, "{code}");
    }
    let (outcome, _, _) = scripted(vec![
        Take,
        answer("400 X", &body("DataAlreadyAcceptedException")),
    ])
    .await;
    assert_eq!(outcome, accepted());
}

#[tokio::test]
async fn a_clock_an_hour_off_is_set_right_within_the_call() {
    let skewed = "{\"__type\":\"InvalidSignatureException\",\"message\":\"Signature expired\"}";
    let (outcome, requests, _) = scripted(vec![
        Take,
        answer("403 X\r\ndate: Sat, 14 Mar 2026 10:26:53 GMT", skewed),
        Take,
        answer("200 OK", "{}"),
    ])
    .await;
    assert_eq!(outcome, accepted());
    assert!(String::from_utf8_lossy(&requests[1]).contains("x-amz-date: 20260314T102653Z"));
}

#[tokio::test]
async fn a_request_that_hangs_until_the_deadline_takes_only_its_own_records_along() {
    let large = "x".repeat(900_000);
    let server = Server::start(vec![vec![Take, Hang], vec![Take, answer("200 OK", "{}")]]).await;
    let (mut sink, world) = (sink(server.port, ""), world());
    let budget = Budget::new(64 << 20);
    let records = selection(&[&large, &large]);
    let mut call = world.call(&budget);
    call.deadline = tapline_core::world::World::now(&world) + Duration::from_secs(5);
    let outcome = sink.deliver(&records, call).await;
    assert_eq!(outcome.exceptions.len(), 1);
    assert_eq!(outcome.exceptions[0].1, again("timeout", None, false));
}

#[test]
fn a_refused_entity_is_left_out_from_then_on() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        fake.state.make("/pay/orders", STREAM);
        fake.state.refuses_entities.set(true);
        let more =
            "entity = { key = { Type = \"Service\", Name = \"pay\" }, attributes = { a = \"b\" } }";
        let (mut sink, world) = (sink(fake.port, more), world());
        for _ in 0..2 {
            assert_eq!(
                deliver(&mut sink, &world, &selection(&["one"])).await,
                accepted()
            );
        }
        assert_eq!(world.messages.borrow().len(), 1);
        assert!(world.messages.borrow()[0].contains("InvalidEntity"));
        assert_eq!(sink.target.entity, None);
        let tomorrow = NOW_MS + 86_400_000;
        world.wall_ms.set(tomorrow);
        fake.state.now_ms.set(tomorrow);
        assert_eq!(
            deliver(&mut sink, &world, &at(&[tomorrow])).await,
            accepted()
        );
        let events = fake.state.events("/pay/orders", STREAM);
        assert_eq!(events.len(), 3, "its day is that of the first record");
    });
}

#[test]
fn names_are_fixed_for_an_environment_and_new_after_a_restore() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        let more = "stream = \"{date}:{function.version}*{instance}\"";
        let mut sink = sink(fake.port, more);
        let world = world();
        let tomorrow = NOW_MS + 86_400_000;
        assert_eq!(deliver(&mut sink, &world, &at(&[NOW_MS])).await, accepted());
        world.wall_ms.set(tomorrow);
        fake.state.now_ms.set(tomorrow);
        assert_eq!(
            deliver(&mut sink, &world, &at(&[tomorrow])).await,
            accepted()
        );
        let mut batch = test_util::batch(&["restored"]);
        batch.set_instance([b'7'; 32]);
        let time = batch.keep_with(|out| write_rfc3339(tomorrow, out));
        batch.records_mut()[0].time = time;
        assert_eq!(deliver(&mut sink, &world, &select(batch)).await, accepted());
        let streams: Vec<String> = fake.state.groups.borrow()["/pay/orders"]
            .keys()
            .cloned()
            .collect();
        assert_eq!(
            streams,
            [
                "2026-03-14_$LATEST_0123456789abcdef0123456789abcdef",
                "2026-03-15_$LATEST_77777777777777777777777777777777"
            ]
        );
    });
}

#[tokio::test]
async fn without_region_or_endpoint_it_is_told_what_to_set() {
    let mut sink = read("group = \"g\"").unwrap();
    let world = world();
    let outcome = deliver(&mut sink, &world, &selection(&["one"])).await;
    assert_denied(&outcome, "", "`AWS_REGION`");
    assert_eq!(world.connects.get(), 0);
}

/// Random faults over many calls: every record is stored at least once, and only an answer that was lost makes two.
/// 512 characters, of which a stream may have any but two, and a group few.
#[test]
fn names_are_cut_at_the_limit_of_the_service() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        let long = "ä".repeat(600);
        let more = format!("stream = \"{long}\"");
        let (mut sink, mut world) = (sink(fake.port, &more), world());
        world.facts.function_name = format!("orders:{}", "x".repeat(600));
        let outcome = deliver(&mut sink, &world, &selection(&["one"])).await;
        assert_eq!(outcome, accepted(), "the service takes both");
        let groups = fake.state.groups.borrow();
        let (group, streams) = groups.first_key_value().unwrap();
        assert!(group.starts_with("/pay/orders_xxx") && group.len() == 512);
        assert_eq!(streams.first_key_value().unwrap().0.chars().count(), 512);
    });
}

/// What lies between is the client's: a lost answer, a lost connection. The service knows no request again.
#[tokio::test]
async fn an_answer_that_is_lost_is_a_silence_and_not_a_success() {
    let server = Server::start(vec![
        vec![Take],
        vec![Take, answer("200 OK\r\nx-amzn-requestid: 1", "{\"nextSeq")],
    ])
    .await;
    let (mut sink, world) = (sink(server.port, ""), world());
    let outcome = deliver(&mut sink, &world, &selection(&["one"])).await;
    assert_eq!(outcome, all(1, again("closed", None, false)));
    let outcome = deliver(&mut sink, &world, &selection(&["one"])).await;
    assert_eq!(outcome, all(1, again("not_cloudwatch", None, true)));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn nothing_is_lost_under_random_faults() {
    local(async {
        let fake = Fake::start(NOW_MS).await;
        let (mut sink, world) = (sink(fake.port, ""), world());
        let faults = [
            ("PutLogEvents", 400, "ThrottlingException"),
            ("PutLogEvents", 503, "ServiceUnavailableException"),
            ("CreateLogStream", 400, "ThrottlingException"),
            ("PutLogEvents", 400, "ResourceNotFoundException"),
        ];
        let mut state = 9u64;
        let (mut sent, mut calls) = (0usize, 0);
        for round in 0..200 {
            let texts: Vec<String> = (0..round % 7 + 1).map(|n| format!("{round}-{n}")).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut records = selection(&texts);
            sent += records.len();
            while !records.is_empty() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                if state >> 62 == 0 {
                    fake.state
                        .script
                        .borrow_mut()
                        .push(faults[(state >> 40) as usize % 4]);
                }
                calls += 1;
                let outcome = deliver(&mut sink, &world, &records).await;
                assert!(
                    outcome
                        .exceptions
                        .iter()
                        .all(|(_, v)| matches!(v, Verdict::Retry { .. }))
                );
                records = records.subset(
                    outcome
                        .exceptions
                        .iter()
                        .map(|(position, _)| *position as usize),
                );
            }
        }
        assert!(calls > 210, "no fault was played: {calls}");
        let mut stored: Vec<String> = fake
            .state
            .events("/pay/orders", STREAM)
            .into_iter()
            .map(|e| e.1)
            .collect();
        assert_eq!(stored.len(), sent);
        stored.sort();
        stored.dedup();
        assert_eq!(stored.len(), sent);
    });
}
