use std::io::Read as _;

use tapline_core::budget::Budget;
use tapline_core::config::{Context, Document};

use super::*;
use crate::shared::test_server::Step::*;
use crate::shared::test_server::{Server, Step, answer};
use crate::test_world::{TestWorld, selection};

mod config;
mod presets;
mod proxy;
mod tls;

const OK: Step = Say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const TEXTS: [&str; 2] = ["one", "two\nlines"];
const LINES: [&str; 2] = [
    r#"{"id":"0123456789abcdef0123456789abcdef-0","time":"2026-03-14T09:26:53.589Z","type":"function","record":"one"}"#,
    r#"{"id":"0123456789abcdef0123456789abcdef-1","time":"2026-03-14T09:26:53.589Z","type":"function","record":"two\nlines"}"#,
];

/// A sink read from its table, or what is wrong with it.
fn sink(text: &str) -> Result<Http, String> {
    let environment = |name: &str| match name {
        "TOKEN" => Some("s3cret".to_owned()),
        "BROKEN" => Some("s3cret\n".to_owned()),
        "URL" => Some("https://user:s3cret@a.example/".to_owned()),
        _ => None,
    };
    let context = Context::new(&environment);
    let sink = sink_in(&context, text);
    let rendered = context.finish().render();
    match sink {
        Some(sink) if rendered.is_empty() => Ok(sink),
        Some(_) => Err(format!("built, but: {rendered}")),
        None => Err(rendered),
    }
}

/// A sink read from its table; what is wrong with it is said to the context.
fn sink_in(context: &Context<'_>, text: &str) -> Option<Http> {
    let document = Document::parse(context, "t.toml", text.as_bytes()).unwrap();
    let reader = Reader::root(context, &document, FIELDS);
    let facts = tapline_core::facts::Facts::default();
    let env = ["STAGE".to_owned()];
    let build = Build {
        names: tapline_core::expr::Names { env: &env },
        facts: &facts,
        memory: 16 << 20,
    };
    let sink = read(&reader, &build);
    reader.finish();
    sink
}

fn plain(server: &Server, more: &str) -> Http {
    let port = server.port;
    sink(&format!("url = \"http://127.0.0.1:{port}/in?x=1\"\n{more}")).unwrap()
}

async fn deliver(sink: &mut Http, world: &TestWorld) -> Verdict {
    deliver_texts(sink, world, &TEXTS).await
}

async fn deliver_texts(sink: &mut Http, world: &TestWorld, texts: &[&str]) -> Verdict {
    let budget = Budget::new(64 << 20);
    let records = selection(texts);
    sink.deliver(&records, world.call(&budget)).await.verdict
}

/// One call of a fresh sink against a server that does this.
async fn once(script: &[Step]) -> Verdict {
    let server = Server::start(vec![script.to_vec()]).await;
    deliver(&mut plain(&server, ""), &TestWorld::new()).await
}

fn retry(why: &'static str, after: Option<u64>, answered: bool) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: after.map(Duration::from_secs),
        answered,
    }
}

/// The only request that a server got, as head and body, from a sink with these keys.
async fn request(more: &str, texts: &[&str]) -> (String, Vec<u8>) {
    let server = Server::start(vec![vec![Take, OK]]).await;
    let mut sink = plain(&server, more);
    let verdict = deliver_texts(&mut sink, &TestWorld::new(), texts).await;
    assert_eq!(verdict, Verdict::Accepted);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let end = requests[0].windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = requests[0].split_at(end.unwrap() + 4);
    let head = String::from_utf8(head.to_vec()).unwrap();
    (
        head.replace(&server.port.to_string(), "PORT"),
        body.to_vec(),
    )
}

fn head(method: &str, kind: &str, more: &str, length: usize) -> String {
    format!(
        "{method} /in?x=1 HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nuser-agent: tapline/0.1.0\r\n\
         content-type: {kind}\r\n{more}x-tapline-batch: 0123456789abcdef0123456789abcdef-0-2\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn ndjson_has_a_line_for_each_record() {
    let (got, body) = request("", &TEXTS).await;
    let wanted = format!("{}\n{}\n", LINES[0], LINES[1]);
    assert_eq!(String::from_utf8(body).unwrap(), wanted);
    assert_eq!(got, head("POST", "application/x-ndjson", "", wanted.len()));
}

#[tokio::test]
async fn a_json_array_has_an_element_for_each_record() {
    let (got, body) = request("framing = \"json_array\"\nmethod = \"PUT\"", &TEXTS).await;
    let wanted = format!("[{},{}]", LINES[0], LINES[1]);
    assert_eq!(got, head("PUT", "application/json", "", wanted.len()));
    let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(parsed[1]["record"], "two\nlines");
    assert_eq!(String::from_utf8(body).unwrap(), wanted);
}

#[tokio::test]
async fn text_has_a_line_for_each_message() {
    let texts = [
        "one\n",
        "{\"message\":\"a\\nb\\r\\u00e4\",\"x\":1}",
        "",
        "c\r\nd",
    ];
    let (got, body) = request("framing = \"text\"", &texts).await;
    let wanted = "one\na\\nb\\rä\n\nc\\r\\nd\n";
    assert_eq!(String::from_utf8(body).unwrap(), wanted);
    let kind = "text/plain; charset=utf-8";
    assert_eq!(got, head("POST", kind, "", wanted.len()));
}

#[tokio::test]
async fn gzip_is_declared_and_holds_the_same_lines() {
    let long = "paid ".repeat(200);
    let (got, body) = request("compression = \"gzip\"", &[&long]).await;
    let coding = "content-encoding: gzip\r\n";
    let wanted = head("POST", "application/x-ndjson", coding, body.len());
    assert_eq!(got, wanted);
    let mut plain = String::new();
    let mut decoder = flate2::bufread::GzDecoder::new(body.as_slice());
    decoder.read_to_string(&mut plain).unwrap();
    assert_eq!(plain, LINES[0].replace("one", &long) + "\n");
}

/// Unpacked by a decoder that is not the one behind the encoder.
#[tokio::test]
async fn zstd_is_declared_and_holds_the_same_lines() {
    let long = "paid ".repeat(200);
    let (got, body) = request("compression = \"zstd\"", &[&long]).await;
    let wanted = head(
        "POST",
        "application/x-ndjson",
        "content-encoding: zstd\r\n",
        body.len(),
    );
    assert_eq!(got, wanted);
    let mut plain = String::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(body.as_slice()).unwrap();
    decoder.read_to_string(&mut plain).unwrap();
    assert_eq!(plain, LINES[0].replace("one", &long) + "\n");
}

#[tokio::test]
async fn a_body_that_gzip_does_not_make_smaller_travels_as_it_is() {
    let (got, body) = request("compression = \"gzip\"\nframing = \"text\"", &TEXTS).await;
    assert!(!got.contains("content-encoding"), "{got}");
    assert_eq!(body, b"one\ntwo\\nlines\n");
}

#[tokio::test]
async fn headers_and_credentials_are_sent() {
    let (got, _) = request(
        "headers = { X-Tenant = \"acme\", x-key = { env = \"TOKEN\", prefix = \"v1 \" }, content-type = \"a/b\" }\n\
         auth = { basic = { user = \"Aladdin\", password = \"open sesame\" } }",
        &TEXTS,
    )
    .await;
    for line in [
        "x-tenant: acme\r\n",
        "x-key: v1 s3cret\r\n",
        "content-type: a/b\r\n",
        // The example of RFC 7617 §2.
        "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n",
    ] {
        assert!(got.contains(line), "{got}");
    }
    assert_eq!(got.matches("content-type").count(), 1);
    let (got, _) = request("auth = { bearer = { env = \"TOKEN\" } }", &TEXTS).await;
    assert!(got.contains("authorization: Bearer s3cret\r\n"), "{got}");
}

#[tokio::test]
async fn a_status_decides_what_becomes_of_the_records() {
    let at = |text| [Take, Say(text)];
    let rejected = |status: &'static str| Verdict::Rejected(status.into());
    let rows = [
        (at("HTTP/1.1 204 No Content\r\n\r\n"), Verdict::Accepted),
        (
            at("HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"),
            retry("503", Some(7), true),
        ),
        (
            // Ten seconds after the world's wall clock, which is at 53.589 s.
            at(
                "HTTP/1.1 429 Slow\r\nRetry-After: Sat, 14 Mar 2026 09:27:03 GMT\r\ncontent-length: 0\r\n\r\n",
            ),
            Verdict::Retry {
                why: "429".into(),
                after: Some(Duration::from_millis(9_411)),
                answered: true,
            },
        ),
        (
            at("HTTP/1.1 429 Slow\r\nretry-after: soon\r\ncontent-length: 0\r\n\r\n"),
            retry("429", None, true),
        ),
        (
            at("HTTP/1.1 413 Large\r\ncontent-length: 0\r\n\r\n"),
            Verdict::TooLarge,
        ),
        (
            at("HTTP/1.1 400 No\r\ncontent-length: 4\r\n\r\nnope"),
            rejected("400"),
        ),
        (
            at("HTTP/1.1 403 No\r\ncontent-length: 4\r\n\r\nnope"),
            Verdict::Denied { why: "403".into() },
        ),
        (
            at("HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
            rejected("301"),
        ),
        (
            at("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Yes\r\ncontent-length: 0\r\n\r\n"),
            Verdict::Accepted,
        ),
        (
            at("HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            rejected("101"),
        ),
        (
            at("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
            Verdict::Accepted,
        ),
        // The word of the destination counts, though its body breaks off.
        (
            at("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort"),
            Verdict::Accepted,
        ),
    ];
    for (script, wanted) in rows {
        assert_eq!(once(&script).await, wanted, "{script:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_tried_again() {
    let rows = [
        (
            vec![Take, Say("SSH-2.0-OpenSSH_9.6\r\n")],
            "malformed",
            true,
        ),
        (
            vec![Take, Say("HTTP/1.1 200 OK\r\nx y z")],
            "malformed",
            true,
        ),
        (vec![Take, Say("HTTP/1.1 2")], "closed", true),
        (
            vec![Take, Say("HTTP/1.1 200 OK\r\na: b\r\n"), Flood],
            "malformed",
            true,
        ),
        (vec![Take], "closed", false),
        (vec![Take, Reset], "closed", false),
        (vec![TakeSome], "closed", false),
        (vec![TakeSome, Reset], "closed", false),
    ];
    for (script, why, answered) in rows {
        assert_eq!(
            once(&script).await,
            retry(why, None, answered),
            "{script:?}"
        );
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let mut sink = sink("url = \"http://127.0.0.1:1/\"").unwrap();
    let verdict = deliver(&mut sink, &TestWorld::new()).await;
    assert_eq!(verdict, retry("connect", None, false));
}

#[tokio::test]
async fn connecting_is_given_up_in_time() {
    let world = TestWorld::new();
    world.unreachable.set(true);
    let mut sink = sink("url = \"http://192.0.2.1/\"\nconnect_timeout = \"30ms\"").unwrap();
    let verdict = deliver(&mut sink, &world).await;
    assert_eq!(verdict, retry("connect_timeout", None, false));
    world.unreachable.set(false);
    let hanging = Server::start(vec![vec![Hang]]).await;
    let url = format!("https://localhost:{}/", hanging.port);
    let mut sink =
        super::tests::sink(&format!("url = \"{url}\"\nconnect_timeout = \"30ms\"")).unwrap();
    let verdict = deliver(&mut sink, &world).await;
    assert_eq!(verdict, retry("connect_timeout", None, false), "TLS counts");
}

#[tokio::test]
async fn an_answer_may_come_byte_by_byte() {
    let slow = Drip(
        "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    assert_eq!(once(&[Take, slow]).await, retry("503", Some(2), true));
}

/// The answer is far longer than what is read of it; the records count, the connection goes.
#[tokio::test]
async fn an_endless_answer_is_cut_off_and_its_connection_closed() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 4294967296\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let server = Server::start(vec![vec![Take, Say(head), Flood], vec![Take, OK]]).await;
        let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
        for _ in 0..2 {
            assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
        }
        assert_eq!(world.connects.get(), 2);
    }
}

#[tokio::test]
async fn a_body_that_stalls_costs_a_second_and_not_the_verdict() {
    let head = Say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n");
    let world = TestWorld::new();
    let start = tapline_core::world::World::now(&world);
    assert_eq!(once(&[Take, head, Hang]).await, Verdict::Accepted);
    let took = tapline_core::world::World::now(&world).since(start);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let server = Server::start(vec![vec![Take, OK, Take, OK, Take, OK]]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    for _ in 0..3 {
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    }
    assert_eq!((world.connects.get(), server.requests().len()), (1, 3));
}

/// The destination closes after its first answer, in every way; the next call is not a failure and nothing is doubled.
#[tokio::test]
async fn a_connection_that_died_at_rest_costs_one_extra_attempt_and_no_copy() {
    let closing = Say("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let late = Say("HTTP/1.1 408 Idle\r\ncontent-length: 0\r\n\r\n");
    for first in [
        vec![Take, OK],
        vec![Take, OK, Reset],
        vec![Take, closing],
        vec![Take, OK, TakeSome],
        vec![Take, OK, TakeSome, Reset],
        vec![Take, OK, late],
    ] {
        for wait in [0, 20] {
            let server = Server::start(vec![first.clone(), vec![Take, OK]]).await;
            let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
            assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let verdict = deliver(&mut sink, &world).await;
            if verdict == retry("408", None, true) {
                // The answer that nobody asked for crossed the request on its way.
                continue;
            }
            assert_eq!(verdict, Verdict::Accepted, "{first:?}");
            assert_eq!(world.connects.get(), 2, "{first:?}");
            assert_eq!(server.requests().len(), 2, "{first:?}");
        }
    }
}

#[tokio::test]
async fn the_extra_attempt_is_made_once_and_only_without_an_answer() {
    let server = Server::start(vec![vec![Take, OK, Take], vec![Take]]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    deliver(&mut sink, &world).await;
    assert_eq!(
        deliver(&mut sink, &world).await,
        retry("closed", None, false)
    );
    assert_eq!(world.connects.get(), 2);

    let begun = vec![Take, OK, Take, Say("HTTP/1.1 200")];
    let server = Server::start(vec![begun, vec![Take, OK]]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    deliver(&mut sink, &world).await;
    assert_eq!(
        deliver(&mut sink, &world).await,
        retry("closed", None, true)
    );
    assert_eq!(world.connects.get(), 1);
}

#[tokio::test]
async fn a_thaw_or_a_long_rest_wants_a_new_connection() {
    let script = vec![Take, OK, Take, OK, Hang];
    let server = Server::start(vec![script.clone(), script.clone(), script]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    let mut connects = Vec::new();
    let seconds = Duration::from_secs;
    for (thaws, ahead) in [(0, 0), (0, 19), (1, 19), (1, 30), (1, 51)] {
        world.thaws.set(thaws);
        world.ahead.set(seconds(ahead));
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
        connects.push(world.connects.get());
    }
    assert_eq!(connects, [1, 1, 2, 2, 3]);
}

/// A pause of a second or more, short of the one after which a connection is given up: it looks alive, and nothing comes
/// back on it. A fresh one takes its place well within a hold; after a shorter pause it is waited for.
#[tokio::test]
async fn a_connection_that_keeps_silent_after_a_pause_is_replaced() {
    for (pause_ms, connects, accepted) in [(1_000, 2, true), (999, 1, false)] {
        let server = Server::start(vec![vec![Take, OK, Take, Hang], vec![Take, OK]]).await;
        let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
        world.wall_ms.set(world.wall_ms.get() + pause_ms);
        let within = Duration::from_millis(450);
        let delivered = tokio::time::timeout(within, deliver(&mut sink, &world)).await;
        assert_eq!(delivered.ok(), accepted.then_some(Verdict::Accepted));
        assert_eq!(world.connects.get(), connects);
    }
}

/// A destination that takes its time is not doubted for that, once it is known, and one byte is an answer.
#[tokio::test]
async fn a_destination_that_is_slow_after_a_pause_gets_a_request_once() {
    let slow = Drip(
        "HTTP/1.1 200 OK\r\nx-slow: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\ncontent-length: 0\r\n\r\n",
    );
    let late = Wait(120);
    let much_later = Wait(350);
    let script = vec![
        Take, OK, Take, slow, Take, late, OK, Take, much_later, OK, Take, OK,
    ];
    let server = Server::start(vec![script]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    for _ in 0..5 {
        world.wall_ms.set(world.wall_ms.get() + 4_000);
        assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    }
    assert_eq!((world.connects.get(), server.requests().len()), (1, 5));
}

#[tokio::test]
async fn a_call_that_was_dropped_leaves_nothing_half_used() {
    let hanging = vec![Take, Say("HTTP/1.1 2"), Hang];
    let server = Server::start(vec![hanging, vec![Take, OK]]).await;
    let (world, mut sink) = (TestWorld::new(), plain(&server, ""));
    let budget = Budget::new(64 << 20);
    let records = selection(&TEXTS);
    let held = budget.used();
    let call = sink.deliver(&records, world.call(&budget));
    let late = tokio::time::timeout(Duration::from_millis(50), call).await;
    assert!(late.is_err());
    assert_eq!(budget.used(), held, "the encoded request is paid back");
    assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    assert_eq!(world.connects.get(), 2);
}

/// The server says no before it has read the body, and closes.
#[tokio::test]
async fn an_early_answer_to_a_large_request_is_heard() {
    let early = Say("HTTP/1.1 413 Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let server = Server::start(vec![vec![TakeSome, early, Hang]]).await;
    let large = "x".repeat(4 << 20);
    let verdict = deliver_texts(&mut plain(&server, ""), &TestWorld::new(), &[&large]).await;
    assert_eq!(verdict, Verdict::TooLarge);
}

#[tokio::test]
async fn buffers_are_charged_while_held_and_used_again() {
    let server = Server::start(vec![vec![Take, OK, Take, OK]]).await;
    let (world, budget) = (TestWorld::new(), Budget::new(64 << 20));
    let mut sink = plain(&server, "compression = \"gzip\"");
    let text = "y".repeat(1 << 20);
    for _ in 0..2 {
        let records = selection(&[&text]);
        let outcome = sink.deliver(&records, world.call(&budget)).await;
        assert_eq!(outcome.verdict, Verdict::Accepted);
    }
    assert!(budget.peak() > 1 << 20, "{}", budget.peak());
    assert!(budget.used() < 512 << 10, "{}", budget.used());
    drop(sink);
    assert_eq!(budget.used(), 0);
}

/// A world with credentials in its environment.
fn signing_world() -> TestWorld {
    let world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret");
    world
}

const SIGV4: &str = "auth = { sigv4 = { service = \"es\", region = \"eu-west-1\" } }";

#[tokio::test]
async fn with_sigv4_each_attempt_is_signed_as_of_its_own_time() {
    let world = signing_world();
    let server = Server::start(vec![vec![Take, answer("503 Busy", ""), Take, OK]]).await;
    let mut sink = plain(&server, SIGV4);
    assert_eq!(deliver(&mut sink, &world).await, retry("503", None, true));
    world.wall_ms.set(world.wall_ms.get() + 3_600_000);
    assert_eq!(deliver(&mut sink, &world).await, Verdict::Accepted);
    let requests = server.requests();
    for (request, hour) in requests.iter().zip(["09", "10"]) {
        let text = String::from_utf8_lossy(request);
        assert!(
            text.contains(&format!("x-amz-date: 20260314T{hour}2653Z\r\n")),
            "{text}"
        );
        assert!(
            text.contains("SignedHeaders=content-type;host;x-amz-date, Signature="),
            "{text}"
        );
    }
}

#[tokio::test]
async fn with_sigv4_the_error_code_decides_first() {
    let world = signing_world();
    let body = "{\"__type\":\"AccessDeniedException\",\"Message\":\"s3cret\"}";
    let server = Server::start(vec![vec![Take, answer("400 No", body)]]).await;
    let verdict = deliver(&mut plain(&server, SIGV4), &world).await;
    let why = "AccessDeniedException: allow the function's role to write to `es`";
    assert_eq!(verdict, Verdict::Denied { why: why.into() });
    assert_eq!(server.requests().len(), 1);
    let throttled = answer("400 Bad", "{\"__type\":\"ThrottlingException\"}");
    let server = Server::start(vec![vec![Take, throttled]]).await;
    let verdict = deliver(&mut plain(&server, SIGV4), &world).await;
    assert_eq!(verdict, retry("ThrottlingException", None, true));
}
