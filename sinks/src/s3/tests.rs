use std::io::Read as _;

use tapline_core::budget::Budget;
use tapline_core::config::{Context, Document, Reader};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::registry::Build;

use super::*;
use crate::shared::test_server::Step::{Hang, Take};
use crate::shared::test_server::{Server, Step, answer};
use crate::test_world::{TestWorld, selection};

const KEY: &str = "key = \"logs/{time_ms}-{instance}-{seq}.ndjson\"";
const LINE: &str = r#"{"id":"0123456789abcdef0123456789abcdef-0","time":"2026-03-14T09:26:53.589Z","type":"function","record":"one"}"#;

fn read(text: &str) -> Result<S3Sink, String> {
    let context = Context::new(&|_| None);
    let document = Document::parse(&context, "t.toml", text.as_bytes()).unwrap();
    let reader = Reader::root(&context, &document, config::FIELDS);
    let facts = Facts::default();
    let build = Build {
        names: Names { env: &[] },
        facts: &facts,
        memory: 16 << 20,
    };
    let sink = config::read(&reader, &build);
    reader.finish();
    drop(reader);
    let rendered = context.finish().render();
    match sink {
        Some(sink) if rendered.is_empty() => Ok(sink),
        Some(_) => Err(format!("built, but: {rendered}")),
        None => Err(rendered),
    }
}

fn sink(port: u16, more: &str) -> S3Sink {
    let text = format!(
        "bucket = \"acme-logs\"\nregion = \"eu-west-1\"\nendpoint = \"http://127.0.0.1:{port}\"\n{more}"
    );
    read(&text).unwrap()
}

fn world() -> TestWorld {
    let mut world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "s3cret");
    world.facts.function_name = "orders".to_owned();
    world
}

async fn add(sink: &mut S3Sink, world: &TestWorld, texts: &[&str], budget: &Budget) {
    let outcome = sink.deliver(&selection(texts), world.call(budget)).await;
    assert_eq!(outcome, Verdict::Held.into());
}

/// Adds one record and flushes as often as there are verdicts.
async fn flushes(sink: &mut S3Sink, world: &TestWorld, count: usize) -> Vec<Verdict> {
    let budget = Budget::new(64 << 20);
    add(sink, world, &["one"], &budget).await;
    let mut verdicts = Vec::new();
    for _ in 0..count {
        verdicts.push(sink.flush(world.call(&budget)).await.verdict);
    }
    verdicts
}

async fn scripted(steps: Vec<Step>, count: usize) -> (Vec<Verdict>, Vec<String>) {
    let server = Server::start(vec![steps]).await;
    let mut sink = sink(server.port, KEY);
    let verdicts = flushes(&mut sink, &world(), count).await;
    (verdicts, requests(&server))
}

fn requests(server: &Server) -> Vec<String> {
    let requests = server.requests().into_iter();
    requests
        .map(|request| String::from_utf8_lossy(&request).into_owned())
        .collect()
}

fn retry(why: &'static str) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after: None,
        answered: true,
    }
}

fn error(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>s3cret</Message></Error>")
}

#[tokio::test]
async fn an_object_is_on_the_wire_as_s3_wants_it() {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    let more = format!(
        "{KEY}\nkms_key = \"arn:aws:kms:k\"\nstorage_class = \"INTELLIGENT_TIERING\"\nexpected_owner = \"123456789012\""
    );
    let mut sink = sink(server.port, &more);
    assert_eq!(flushes(&mut sink, &world(), 1).await, [Verdict::Accepted]);
    let request = requests(&server).remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, format!("{LINE}\n"));
    let lines: Vec<&str> = head
        .lines()
        .map(|line| line.split("Signature=").next().unwrap())
        .collect();
    let host = lines[1].to_owned();
    assert!(host.starts_with("host: 127.0.0.1:"));
    assert_eq!(
        lines,
        [
            "PUT /acme-logs/logs/1773480413589-0123456789abcdef0123456789abcdef-0.ndjson HTTP/1.1",
            &host,
            "user-agent: tapline/0.1.0",
            "content-type: application/x-ndjson",
            "if-none-match: *",
            "x-amz-storage-class: INTELLIGENT_TIERING",
            "x-amz-expected-bucket-owner: 123456789012",
            "x-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:k",
            "x-amz-server-side-encryption: aws:kms",
            "x-amz-checksum-crc32: uyp1mg==",
            "x-amz-content-sha256: 851c0419ae6e2f673d918b8759248102c5d49a47ec957099e81f83a2212b0a33",
            "x-amz-date: 20260314T092653Z",
            "authorization: AWS4-HMAC-SHA256 Credential=AKID/20260314/eu-west-1/s3/aws4_request, \
             SignedHeaders=content-type;host;if-none-match;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;\
             x-amz-expected-bucket-owner;x-amz-server-side-encryption;x-amz-server-side-encryption-aws-kms-key-id;\
             x-amz-storage-class, ",
            &format!("content-length: {}", body.len()),
        ]
    );
}

#[tokio::test]
async fn an_object_grows_over_calls_to_its_size_or_age_and_is_packed_once() {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")], vec![]]).await;
    let more = "object = { size = \"2KiB\", max_age = \"1m\" }";
    let (mut sink, world, budget) = (sink(server.port, more), world(), Budget::new(64 << 20));
    assert_eq!(sink.holding(&world), Holding::Nothing);
    add(&mut sink, &world, &["first"], &budget).await;
    let Holding::Until(at) = sink.holding(&world) else {
        panic!("it is small");
    };
    assert!(at.since(world.now()) > Duration::from_secs(59));
    let texts: Vec<String> = (0..20).map(|number| format!("record {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    add(&mut sink, &world, &texts, &budget).await;
    assert_eq!(sink.holding(&world), Holding::Full);
    assert!(budget.used() > 2_048, "what grows is charged");
    assert_eq!(
        sink.flush(world.call(&budget)).await.verdict,
        Verdict::Accepted
    );
    assert_eq!(sink.holding(&world), Holding::Nothing);
    let request = server.requests().remove(0);
    let text = String::from_utf8_lossy(&request);
    assert!(
        text.starts_with("PUT /acme-logs/orders/dt%3D2026-03-14/hour%3D09/1773480413589-"),
        "{text}"
    );
    assert!(
        text.contains("content-type: application/gzip\r\n") && !text.contains("content-encoding")
    );
    let at = request
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let mut plain = String::new();
    flate2::read::MultiGzDecoder::new(&request[at + 4..])
        .read_to_string(&mut plain)
        .unwrap();
    assert_eq!(plain.lines().count(), 21);
    assert!(plain.starts_with("{\"id\"") && plain.ends_with("}\n"));
    sink.forget();
    drop(sink);
    assert_eq!(budget.used(), 0);
}

/// The only request that stores an object with this suffix of its key, as head and body.
async fn stored(suffix: &str, texts: &[&str]) -> (String, Vec<u8>) {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    let mut sink = sink(
        server.port,
        &format!("key = \"{{instance}}-{{seq}}{suffix}\""),
    );
    let (world, budget) = (world(), Budget::new(64 << 20));
    if !texts.is_empty() {
        add(&mut sink, &world, texts, &budget).await;
    }
    flushes(&mut sink, &world, 1).await;
    let request = server.requests().remove(0);
    let end = request.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = request.split_at(end.unwrap() + 4);
    (String::from_utf8(head.to_vec()).unwrap(), body.to_vec())
}

#[tokio::test]
async fn a_small_object_with_the_suffix_of_gzip_is_gzip_all_the_same() {
    let (_, body) = stored(".gz", &[]).await;
    assert_eq!(body[..2], [0x1f, 0x8b]);
}

/// Unpacked by a decoder that is not the one behind the encoder. A build without zstd says so.
#[tokio::test]
async fn an_object_with_the_suffix_of_zstd_is_zstd_however_small() {
    if !crate::zstd::BUILT {
        let text = "bucket = \"acme\"\nkey = \"{instance}-{seq}.zst\"";
        let said = read(text).err().unwrap();
        assert!(said.contains("`zstd` is not in this build"), "{said}");
        assert!(said.contains("or write the suffix `.gz`"), "{said}");
        return;
    }
    let long = "paid ".repeat(2_000);
    for texts in [&[][..], &["a"], &[&long, "b"]] {
        let (_, plain) = stored(".ndjson", texts).await;
        let (head, body) = stored(".ndjson.zst", texts).await;
        assert!(
            head.contains("content-type: application/zstd\r\n"),
            "{head}"
        );
        assert!(!head.contains("content-encoding"), "{head}");
        let mut unpacked = Vec::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(body.as_slice()).unwrap();
        decoder.read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }
}

/// A file from its first bytes to its last, and the same on a second attempt. A build without Parquet says so.
#[tokio::test]
async fn an_object_with_the_suffix_of_parquet_is_parquet_and_the_same_on_every_attempt() {
    if !crate::parquet::BUILT {
        let text = "bucket = \"acme\"\nkey = \"{instance}-{seq}.parquet\"";
        let said = read(text).err().unwrap();
        assert!(said.contains("`.parquet` is not in this build"), "{said}");
        assert!(said.contains("or write the suffix `.gz`"), "{said}");
        return;
    }
    let steps = vec![
        Take,
        answer("500 X", &error("InternalError")),
        Take,
        answer("200 OK", ""),
    ];
    let server = Server::start(vec![steps]).await;
    let more = "key = \"{instance}-{seq}.parquet\"";
    let mut sink = sink(server.port, more);
    let (world, budget) = (world(), Budget::new(64 << 20));
    add(&mut sink, &world, &["one", "two"], &budget).await;
    add(&mut sink, &world, &["three"], &budget).await;
    let first = sink.flush(world.call(&budget)).await.verdict;
    assert_eq!(first, retry("InternalError"));
    let second = sink.flush(world.call(&budget)).await.verdict;
    assert_eq!(second, Verdict::Accepted);
    let bodies: Vec<Vec<u8>> = server
        .requests()
        .iter()
        .map(|request| {
            let end = request.windows(4).position(|four| four == b"\r\n\r\n");
            let (head, body) = request.split_at(end.unwrap() + 4);
            let head = String::from_utf8_lossy(head);
            assert!(head.contains("content-type: application/vnd.apache.parquet\r\n"));
            assert!(head.contains("-0.parquet HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("x-amz-checksum-crc32: ") && !head.contains("content-encoding"));
            body.to_vec()
        })
        .collect();
    assert_eq!(bodies[0], bodies[1]);
    assert!(bodies[0].starts_with(b"PAR1") && bodies[0].ends_with(b"PAR1"));
    assert_eq!(sink.holding(&world), Holding::Nothing);
    drop(sink);
    assert_eq!(budget.used(), 0);
}

/// Another attempt would end the same. What is absent in a build without Parquet refuses every object.
#[tokio::test]
async fn an_object_that_cannot_be_encoded_is_said_once_and_rejected() {
    let (mut sink, world, budget) = (sink(1, KEY), world(), Budget::new(64 << 20));
    if crate::parquet::BUILT {
        let verdict = not_encoded("reason", &world.call(&budget));
        assert_eq!(verdict, Verdict::Rejected("parquet".into()));
        return;
    }
    sink.object.write_columns();
    add(&mut sink, &world, &["one"], &budget).await;
    let verdict = sink.flush(world.call(&budget)).await.verdict;
    assert_eq!(verdict, Verdict::Rejected("parquet".into()));
    assert_eq!(
        *world.messages.borrow(),
        ["an object could not be written as Parquet and is lost: Parquet is not in this build"]
    );
    assert_eq!(sink.holding(&world), Holding::Nothing);
    drop(sink);
    assert_eq!(budget.used(), 0);
}

/// The answer was lost after the object had been stored; the second PUT does not win, and that is success.
#[tokio::test]
async fn a_412_after_an_attempt_whose_answer_was_lost_is_success_with_the_same_key_and_bytes() {
    let (verdicts, requests) = scripted(
        vec![
            Take,
            answer("500 X", &error("InternalError")),
            Take,
            answer("412 X", &error("PreconditionFailed")),
        ],
        2,
    )
    .await;
    assert_eq!(verdicts, [retry("InternalError"), Verdict::Accepted]);
    let start = |request: &str| request.lines().next().unwrap().to_owned();
    assert_eq!(start(&requests[0]), start(&requests[1]));
    assert_eq!(
        requests[0].split("\r\n\r\n").nth(1),
        requests[1].split("\r\n\r\n").nth(1)
    );
}

/// The kept connection died with the answer on its way; the client has sent the request once more by itself.
#[tokio::test]
async fn a_412_after_a_connection_that_died_is_success_too() {
    let server = Server::start(vec![
        vec![Take, answer("200 OK", ""), Take],
        vec![Take, answer("412 X", &error("PreconditionFailed"))],
    ])
    .await;
    let mut sink = sink(server.port, KEY);
    let verdicts = flushes(&mut sink, &world(), 2).await;
    assert_eq!(verdicts, [Verdict::Accepted, Verdict::Accepted]);
    let requests = requests(&server);
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[1], requests[2], "the same key and bytes");
}

#[tokio::test]
async fn a_412_on_the_first_attempt_takes_the_next_number_at_once() {
    let (verdicts, requests) = scripted(
        vec![
            Take,
            answer("412 X", &error("PreconditionFailed")),
            Take,
            answer("200 OK", ""),
        ],
        1,
    )
    .await;
    assert_eq!(verdicts, [Verdict::Accepted]);
    assert!(
        requests[0].contains("-0.ndjson HTTP") && requests[1].contains("-1.ndjson HTTP"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn every_error_has_its_class() {
    let again = [
        ("503 X", "SlowDown"),
        ("400 X", "RequestTimeout"),
        ("409 X", "ConditionalRequestConflict"),
        ("500 X", "InternalError"),
        ("400 X", "BadDigest"),
    ];
    for (status, code) in again {
        let (verdicts, _) = scripted(vec![Take, answer(status, &error(code))], 1).await;
        assert_eq!(verdicts, [retry(code)], "{code}");
    }
    let (verdicts, _) = scripted(vec![Take, answer("503 X", "<html>busy</html>")], 1).await;
    assert_eq!(verdicts, [retry("503")]);
    let rejected = [
        ("400 X", "EntityTooLarge"),
        ("400 X", "InvalidStorageClass"),
        ("501 X", "NotImplemented"),
    ];
    for (status, code) in rejected {
        let (verdicts, _) = scripted(vec![Take, answer(status, &error(code))], 1).await;
        assert_eq!(verdicts, [Verdict::Rejected(code.into())], "{code}");
    }
    let denied = [
        (
            "403 X",
            "AccessDenied",
            "allow `s3:PutObject` on `arn:aws:s3:::acme-logs/*`",
        ),
        ("403 X", "SignatureDoesNotMatch", "the region and the clock"),
        ("403 X", "InvalidAccessKeyId", "the region and the clock"),
        (
            "404 X",
            "NoSuchBucket",
            "no bucket `acme-logs` in `eu-west-1`",
        ),
    ];
    for (status, code, told) in denied {
        let (verdicts, requests) = scripted(vec![Take, answer(status, &error(code))], 1).await;
        let Verdict::Denied { why } = &verdicts[0] else {
            panic!("{verdicts:?}");
        };
        assert!(
            why.contains(code) && why.contains(told) && !why.contains("s3cret"),
            "{why}"
        );
        assert_eq!(requests.len(), 1);
    }
}

/// A region is said in the log, so nothing is taken for one that is none of AWS's names.
#[tokio::test]
async fn what_is_no_name_of_a_region_is_not_learned() {
    let card = concat!("4111111", "111111111");
    for named in [
        card,
        "canary-7f3a-1",
        "canary",
        "order-paid-1",
        "eu-west-123",
        "--1",
    ] {
        let text = format!("<Error><Code>PermanentRedirect</Code><Region>{named}</Region></Error>");
        let (verdicts, requests) = scripted(vec![Take, answer("301 X", &text)], 1).await;
        assert_eq!(requests.len(), 1, "{named}");
        assert!(!format!("{verdicts:?}").contains(named), "{verdicts:?}");
    }
    for named in [
        "us-east-2",
        "us-gov-west-1",
        "eusc-de-east-1",
        "ap-southeast-7",
    ] {
        assert!(is_name(named), "{named}");
    }
}

#[tokio::test]
async fn a_region_that_is_another_is_learned_and_kept() {
    let elsewhere = [
        answer(
            "301 X\r\nx-amz-bucket-region: us-east-2",
            &error("PermanentRedirect"),
        ),
        answer(
            "400 X",
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-2</Region></Error>",
        ),
    ];
    for moved in elsewhere {
        let server = Server::start(vec![
            vec![Take, moved],
            vec![Take, answer("200 OK", ""), Take, answer("200 OK", "")],
        ])
        .await;
        let (mut sink, world) = (sink(server.port, KEY), world());
        assert_eq!(flushes(&mut sink, &world, 1).await, [Verdict::Accepted]);
        assert_eq!(flushes(&mut sink, &world, 1).await, [Verdict::Accepted]);
        let regions: Vec<bool> = requests(&server)
            .iter()
            .map(|request| request.contains("/us-east-2/s3/aws4_request"))
            .collect();
        assert_eq!(regions, [false, true, true]);
    }
}

#[tokio::test]
async fn a_loop_of_redirects_ends_and_no_signature_goes_to_a_stranger() {
    let to = |region: &str| {
        answer(
            &format!("301 X\r\nx-amz-bucket-region: {region}"),
            &error("PermanentRedirect"),
        )
    };
    let server = Server::start(vec![
        vec![Take, to("us-east-2")],
        vec![Take, to("us-west-1")],
        vec![Take, to("us-east-2")],
    ])
    .await;
    let verdicts = flushes(&mut sink(server.port, KEY), &world(), 1).await;
    assert!(
        matches!(&verdicts[0], Verdict::Denied { .. }),
        "{verdicts:?}"
    );
    assert_eq!(server.requests().len(), 2);
    for location in [
        "https://evil.example/x",
        "http://acme-logs.s3.us-east-2.amazonaws.com/",
        "https://amazonaws.com.evil.example/",
    ] {
        let (verdicts, requests) = scripted(
            vec![
                Take,
                answer(
                    &format!("307 X\r\nlocation: {location}"),
                    &error("TemporaryRedirect"),
                ),
            ],
            1,
        )
        .await;
        assert!(
            matches!(&verdicts[0], Verdict::Denied { .. }),
            "{verdicts:?}"
        );
        assert_eq!(requests.len(), 1);
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        LOCATION,
        "https://acme-logs.s3.us-east-2.amazonaws.com/k"
            .parse()
            .unwrap(),
    );
    let redirect = Answer {
        status: hyper::StatusCode::TEMPORARY_REDIRECT,
        headers,
        body: Vec::new(),
        whole: true,
        resent: false,
    };
    assert!(
        matches!(moved(&redirect, "eu-west-1"), Some(Moved::Host(url)) if url.host == "acme-logs.s3.us-east-2.amazonaws.com")
    );
}

#[test]
fn a_bucket_stands_in_the_host_or_in_the_path() {
    let base = url::parse("https://s3.eu-west-1.amazonaws.com/").unwrap();
    let virtual_host = addressed(&base, "acme", false).unwrap();
    assert_eq!(
        (virtual_host.host.as_str(), virtual_host.target.path()),
        ("acme.s3.eu-west-1.amazonaws.com", "/")
    );
    let in_path = addressed(&base, "a.b", true).unwrap();
    assert_eq!(
        (in_path.host.as_str(), in_path.target.path()),
        ("s3.eu-west-1.amazonaws.com", "/a.b/")
    );
    let own = url::parse("http://127.0.0.1:9000/prefix/").unwrap();
    let own = addressed(&own, "acme", true).unwrap();
    assert_eq!(
        (own.host_header.to_str().unwrap(), own.target.path()),
        ("127.0.0.1:9000", "/prefix/acme/")
    );
}

#[tokio::test]
async fn odd_keys_are_encoded_once() {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    let mut sink = sink(
        server.port,
        "key = \"//a b+c=d%e$f[g]~/../{instance}-ä😀-{seq}\"",
    );
    assert_eq!(flushes(&mut sink, &world(), 1).await, [Verdict::Accepted]);
    let request = requests(&server).remove(0);
    let wanted = "PUT /acme-logs/a%20b%2Bc%3Dd%25e%24f%5Bg%5D~/../0123456789abcdef0123456789abcdef-%C3%A4%F0%9F%98%80-0 HTTP/1.1";
    assert_eq!(request.lines().next().unwrap(), wanted);
}

/// 1,024 bytes of UTF-8, cut between characters.
#[tokio::test]
async fn a_key_is_cut_at_the_limit_of_the_service() {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    let mut sink = sink(
        server.port,
        &format!("key = \"{{instance}}{{seq}}{}\"", "€".repeat(400)),
    );
    assert_eq!(flushes(&mut sink, &world(), 1).await, [Verdict::Accepted]);
    let request = requests(&server).remove(0);
    let path = request.split(' ').nth(1).unwrap();
    let key = path.strip_prefix("/acme-logs/").unwrap();
    let bytes = key.len() - 2 * key.matches('%').count();
    assert_eq!((bytes, key.matches("%E2%82%AC").count()), (1_023, 330));
}

/// Copies of S3 may know neither conditional writes nor checksums: both can be left out.
#[tokio::test]
async fn what_a_copy_of_s3_may_not_know_can_be_left_out() {
    let server = Server::start(vec![vec![Take, answer("200 OK", "")]]).await;
    let more = format!("{KEY}\nconditional = false\nchecksum = \"none\"");
    let mut sink = sink(server.port, &more);
    assert_eq!(flushes(&mut sink, &world(), 1).await, [Verdict::Accepted]);
    let request = requests(&server).remove(0);
    for absent in [
        "if-none-match",
        "x-amz-checksum",
        "x-amz-server-side",
        "content-encoding",
    ] {
        assert!(!request.contains(absent), "{absent}: {request}");
    }
}

/// A page of a gateway in place of an answer, without end.
#[tokio::test]
async fn an_endless_error_is_read_as_far_as_it_may_be() {
    let server = Server::start(vec![vec![
        Take,
        Step::Say("HTTP/1.1 503 X\r\ncontent-length: 4294967296\r\n\r\n<Error><Code>"),
        Step::Flood,
    ]])
    .await;
    let mut sink = sink(server.port, KEY);
    assert_eq!(flushes(&mut sink, &world(), 1).await, [retry("503")]);
}

/// What an object is made of is nothing until there is a record.
#[tokio::test]
async fn without_a_record_there_is_no_object() {
    let server = Server::start(vec![]).await;
    let sink = sink(server.port, KEY);
    assert_eq!(sink.holding(&world()), Holding::Nothing);
    assert!(requests(&server).is_empty());
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_the_object_as_it_is() {
    let server = Server::start(vec![
        vec![Take, Hang],
        vec![Take, answer("412 X", &error("PreconditionFailed"))],
    ])
    .await;
    let (mut sink, world, budget) = (sink(server.port, KEY), world(), Budget::new(64 << 20));
    add(&mut sink, &world, &["one"], &budget).await;
    let late =
        tokio::time::timeout(Duration::from_millis(50), sink.flush(world.call(&budget))).await;
    assert!(late.is_err());
    assert_eq!(
        sink.holding(&world),
        Holding::Full,
        "nothing may be added to it any more"
    );
    assert_eq!(
        sink.flush(world.call(&budget)).await.verdict,
        Verdict::Accepted
    );
    assert_eq!(requests(&server).len(), 2);
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_remedy() {
    let rows = [
        ("key = \"x\"", "lacks the key `bucket`"),
        ("bucket = \"s3://x\"", "no name of a bucket"),
        ("bucket = \"Logs\"", "no name of a bucket"),
        ("bucket = \"ab\"", "no name of a bucket"),
        ("bucket = \"acme\"\nkey = \"{seq}\"", "without `{instance}`"),
        (
            "bucket = \"acme\"\nkey = \"{time_ms}\"",
            "without `{instance}` and `{seq}`",
        ),
        (
            "bucket = \"acme\"\nkey = \"{level}{instance}{seq}\"",
            "differs from record to record",
        ),
        (
            "bucket = \"acme\"\nobject = { size = \"1GiB\" }",
            "from 1KiB to 64MiB",
        ),
        (
            "bucket = \"acme\"\nstorage_class = \"GLACIER\"",
            "no value of `storage_class`",
        ),
        (
            "bucket = \"acme\"\nexpected_owner = \"me\"",
            "no account of AWS",
        ),
        (
            "bucket = \"acme\"\nchecksum = \"md5\"",
            "no value of `checksum`",
        ),
        (
            "bucket = \"acme\"\nkms_key = \"a\\nb\"",
            "cannot stand in a header",
        ),
    ];
    for (text, wanted) in rows {
        let Err(message) = read(text) else {
            panic!("{text} was taken");
        };
        assert!(!message.starts_with("built"), "{text}: {message}");
        assert!(message.contains(wanted), "{text}: {message}");
    }
}
