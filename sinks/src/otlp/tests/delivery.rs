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

#[tokio::test]
async fn what_a_collector_rejects_is_counted_and_said_once() {
    const PARTIAL: Step = Say(
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 9\r\n\r\n\x0a\x07\x08\x02\x12\x03bad",
    );
    let server = Server::start(vec![vec![Take, PARTIAL, Take, PARTIAL]]).await;
    let mut sink = to(&server, "");
    let world = TestWorld::new();
    for _ in 0..2 {
        let outcome = deliver(&mut sink, &world, &["a", "b", "c"]).await;
        assert_eq!(outcome.verdict, Verdict::Accepted);
        let rejected = || Verdict::Rejected("partial_success".into());
        assert_eq!(outcome.exceptions, [(0, rejected()), (1, rejected())]);
    }
    assert_eq!(world.connects.get(), 1);
    let said = world.messages.take();
    assert_eq!(
        said,
        [
            "the file rejected 2 of the logs of a request; its reason is not logged, since it may quote what was sent"
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
