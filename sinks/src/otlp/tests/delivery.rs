//! Against a server that follows a script.

use std::io::Read as _;

use super::*;

const TAKEN: Step =
    Say("HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n");

async fn deliver(sink: &mut Otlp, world: &TestWorld, texts: &[&str]) -> Outcome {
    let budget = Budget::new(64 << 20);
    let records = selection(texts);
    sink.deliver(&records, world.call(&budget)).await
}

/// The only request that a server got, as head and body.
async fn request(more: &str, texts: &[&str]) -> (String, Vec<u8>) {
    let server = Server::start(vec![vec![Take, TAKEN]]).await;
    let outcome = deliver(&mut to(&server, more), &TestWorld::new(), texts).await;
    assert_eq!(outcome, Verdict::Accepted.into());
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

fn head(kind: &str, more: &str, length: usize) -> String {
    format!(
        "POST /v1/logs HTTP/1.1\r\nhost: 127.0.0.1:PORT\r\nuser-agent: tapline/0.1.0\r\n\
         content-type: {kind}\r\n{more}x-tapline-batch: 0123456789abcdef0123456789abcdef-0-2\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_request_says_what_it_is() {
    let (got, body) = request(
        "compression = \"none\"\nheaders = { x-key = \"1\" }",
        &["a", "b"],
    )
    .await;
    assert_eq!(
        got,
        head("application/x-protobuf", "x-key: 1\r\n", body.len())
    );
    let (got, body) = request(
        "compression = \"none\"\nprotocol = \"http/json\"",
        &["a", "b"],
    )
    .await;
    assert_eq!(got, head("application/json", "", body.len()));
    assert!(body.starts_with(b"{\"resourceLogs\":[{"));
}

#[tokio::test]
async fn gzip_is_declared_and_holds_the_same_request() {
    let long = "paid ".repeat(200);
    let (_, plain) = request("compression = \"none\"", &[&long, "b"]).await;
    let (got, body) = request("", &[&long, "b"]).await;
    let coding = "content-encoding: gzip\r\n";
    assert_eq!(got, head("application/x-protobuf", coding, body.len()));
    let mut unpacked = Vec::new();
    flate2::bufread::GzDecoder::new(body.as_slice())
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
}

/// Unpacked by a decoder that is not the one behind the encoder. A build without zstd says so.
#[tokio::test]
async fn zstd_is_declared_and_holds_the_same_request() {
    if !crate::zstd::BUILT {
        let (sink, said) = read_with("compression = \"zstd\"", &[]);
        assert!(
            sink.is_none() && said.contains("`zstd` is not in this build"),
            "{said}"
        );
        let given: Variables = &[("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")];
        let (sink, said) = read_with("", given);
        assert!(
            sink.is_some() && said.contains("a word that is not known"),
            "{said}"
        );
        return;
    }
    let long = "paid ".repeat(200);
    for protocol in ["http/protobuf", "http/json"] {
        let with = |compression: &str| {
            format!("protocol = \"{protocol}\"\ncompression = \"{compression}\"")
        };
        let (_, plain) = request(&with("none"), &[&long, "b"]).await;
        let (got, body) = request(&with("zstd"), &[&long, "b"]).await;
        let kind = match protocol {
            "http/json" => "application/json",
            _ => "application/x-protobuf",
        };
        assert_eq!(got, head(kind, "content-encoding: zstd\r\n", body.len()));
        let mut unpacked = Vec::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(body.as_slice()).unwrap();
        decoder.read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, plain);
    }
}

/// A receiver without zstd refuses the request as if the records were wrong; it gets them all the same.
#[tokio::test]
async fn a_collector_without_zstd_gets_gzip_from_then_on() {
    if !crate::zstd::BUILT {
        return;
    }
    const NO: Step = Say("HTTP/1.1 400 x\r\ncontent-length: 0\r\n\r\n");
    let long = "paid ".repeat(200);
    let server = Server::start(vec![vec![Take, NO, Take, TAKEN, Take, TAKEN]]).await;
    let (mut sink, world) = (to(&server, "compression = \"zstd\""), TestWorld::new());
    for _ in 0..2 {
        let outcome = deliver(&mut sink, &world, &[&long]).await;
        assert_eq!(outcome, Verdict::Accepted.into());
    }
    let codings: Vec<bool> = server
        .requests()
        .iter()
        .map(|request| String::from_utf8_lossy(request).contains("content-encoding: zstd"))
        .collect();
    assert_eq!(codings, [true, false, false]);
    let said = world.messages.take();
    assert_eq!(
        said,
        ["the file does not take zstd; it gets gzip from now on"]
    );
    // What is refused either way is no matter of compression; and what took zstd once has it.
    let server = Server::start(vec![vec![Take, NO, Take, NO, Take, TAKEN, Take, NO]]).await;
    let mut sink = to(&server, "compression = \"zstd\"");
    let mut verdicts = Vec::new();
    for _ in 0..3 {
        verdicts.push(deliver(&mut sink, &world, &[&long]).await.verdict);
    }
    let no = || Verdict::Rejected("400".into());
    assert_eq!(verdicts, [no(), Verdict::Accepted, no()]);
    assert_eq!(server.requests().len(), 4);
}

/// AWS's endpoint takes 1 MiB with 26 bytes a record: just under it is sent, just over it is halved before it is sent.
#[tokio::test]
async fn a_request_for_aws_keeps_within_its_limit() {
    let server = Server::start(vec![vec![Take, TAKEN]]).await;
    let port = server.port;
    let url = format!("http://logs.eu-west-1.amazonaws.com:{port}/v1/logs");
    let text = format!("auth = \"sigv4\"\ncompression = \"none\"\nlogs_endpoint = \"{url}\"");
    let mut sink = sink(&text, &[]);
    assert_eq!(sink.limits().bytes_max, 512 << 10);
    let world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "key-id");
    world.set("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    let (large, small) = ("x".repeat(524_200), "x".repeat(523_900));
    let outcome = deliver(&mut sink, &world, &[&large, &large]).await;
    assert_eq!(outcome.verdict, Verdict::TooLarge);
    assert!(server.requests().is_empty());
    let outcome = deliver(&mut sink, &world, &[&small, &small]).await;
    assert_eq!(outcome.verdict, Verdict::Accepted);
    let body_length = server.requests()[0].len();
    assert!(
        (1_046_000..1_048_576).contains(&body_length),
        "{body_length}"
    );
}

/// One record that is larger travels all the same: AWS cuts it rather than us.
#[tokio::test]
async fn one_large_record_for_aws_travels_alone() {
    let server = Server::start(vec![vec![Take, TAKEN]]).await;
    let port = server.port;
    let url = format!("http://logs.eu-west-1.amazonaws.com:{port}/v1/logs");
    let mut sink = sink(&format!("auth = \"sigv4\"\nlogs_endpoint = \"{url}\""), &[]);
    let world = TestWorld::new();
    world.set("AWS_ACCESS_KEY_ID", "key-id");
    world.set("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    let outcome = deliver(&mut sink, &world, &[&"x".repeat(1_100_000)]).await;
    assert_eq!(outcome.verdict, Verdict::Accepted);
    assert_eq!(server.requests().len(), 1);
}

/// The loop says it, one line a reason; a warning without any refusal is the sink's to say.
#[tokio::test]
async fn what_a_collector_rejects_is_counted_and_a_warning_is_said_once() {
    const PARTIAL: Step = Say(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03bad",
    );
    const WARNING: Step = Say(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 7\r\n\r\n\x0a\x05\x12\x03bad",
    );
    let server = Server::start(vec![vec![
        Take, PARTIAL, Take, PARTIAL, Take, WARNING, Take, WARNING,
    ]])
    .await;
    let mut sink = to(&server, "");
    let world = TestWorld::new();
    for _ in 0..2 {
        let outcome = deliver(&mut sink, &world, &["a", "b", "c"]).await;
        assert_eq!(outcome.verdict, Verdict::Accepted);
        let rejected = || Verdict::Unnamed("partial_success".into());
        assert_eq!(outcome.exceptions, [(1, rejected()), (2, rejected())]);
    }
    assert!(world.messages.take().is_empty());
    for _ in 0..2 {
        let outcome = deliver(&mut sink, &world, &["a", "b", "c"]).await;
        assert_eq!(outcome, Verdict::Accepted.into());
    }
    assert_eq!(world.connects.get(), 1);
    assert_eq!(
        world.messages.take(),
        [
            "the file took all logs of a request, and warns; its words are not logged, since they may quote what was sent"
        ]
    );
}

#[tokio::test]
async fn a_collector_that_hangs_up_or_cannot_be_reached_is_tried_again() {
    let answered = |outcome: &Outcome| match &outcome.verdict {
        Verdict::Retry { answered, .. } => Some(*answered),
        _ => None,
    };
    let world = TestWorld::new();
    let server = Server::start(vec![
        vec![TakeSome, Reset],
        vec![Take, Say("HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n")],
    ])
    .await;
    let mut sink = to(&server, "");
    assert_eq!(
        answered(&deliver(&mut sink, &world, &["a"]).await),
        Some(false)
    );
    assert_eq!(
        answered(&deliver(&mut sink, &world, &["a"]).await),
        Some(true)
    );
}

#[tokio::test]
async fn no_word_of_a_collector_is_logged() {
    const WORDS: &str = "refused key s3cret";
    let partial = |rejected| {
        format!(
            "{{\"partialSuccess\":{{\"rejectedLogRecords\":{rejected},\"errorMessage\":\"{WORDS}\"}}}}"
        )
    };
    let status = format!("{{\"code\":3,\"message\":\"{WORDS}\"}}");
    let says = |status: u16, body: &str| {
        let head = format!("{status} {WORDS}\r\ncontent-type: application/json");
        crate::shared::test_server::answer(&head, body)
    };
    let answers = [
        says(200, &partial(1)),
        says(200, &partial(0)),
        says(400, &status),
        says(403, &status),
        says(503, &status),
    ];
    let steps = answers.into_iter().flat_map(|answer| [Take, answer]);
    let server = Server::start(vec![steps.collect()]).await;
    let (mut sink, world) = (to(&server, "protocol = \"http/json\""), TestWorld::new());
    for _ in 0..5 {
        let outcome = deliver(&mut sink, &world, &["a", "b"]).await;
        assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
    }
    let said = world.messages.take();
    assert_eq!(said.len(), 1, "the warning: {said:?}");
    assert!(!said[0].contains("s3cret"), "{said:?}");
}
