//! Calls to a strict server over HTTP/2: what it does to connections and streams, and what becomes of the records then.
//!
//! The server is `h2` without anything around it, so that it can do what no well-behaved one does. What it took is read by
//! `opentelemetry-proto` and compared with what was sent.

use std::io::Read as _;
use std::sync::mpsc;

use h2::server::{Connection as Serving, SendResponse};
use h2::{Reason, RecvStream};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use tapline_core::budget::Budget;
use tapline_core::config::{Context as Reading, Document, Reader};
use tapline_core::expr::Names;
use tapline_core::facts::Facts;
use tapline_core::registry::Build;
use tapline_core::sink::{Outcome, Sink, Verdict};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::test_world::{TestWorld, selection};

/// What collectors take unless they are told otherwise.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// What the server does with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Takes it, or refuses it where it is larger than 4 MiB.
    Take,
    /// Answers in one frame of headers, with this code.
    TrailersOnly(u8),
    /// Resets the stream before it answers.
    Reset(Reason),
    /// Says goodbye in the middle of the stream, and answers it all the same.
    Goodbye,
    /// Says goodbye in the middle of the stream, and closes.
    Hangup,
    /// Never answers.
    Hang,
}

struct Server {
    port: u16,
    /// The bodies of records that were taken.
    taken: mpsc::Receiver<Vec<String>>,
}

impl Server {
    /// Plays one script a connection. `idle`: a connection whose script is over is said goodbye to.
    async fn start(scripts: Vec<Vec<Act>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, taken) = mpsc::channel();
        tokio::spawn(async move {
            for script in scripts {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, script, sender.clone()));
            }
        });
        Server { port, taken }
    }

    fn taken(&self) -> Vec<String> {
        self.taken.try_iter().flatten().collect()
    }
}

async fn serve(stream: TcpStream, script: Vec<Act>, taken: mpsc::Sender<Vec<String>>) {
    let mut builder = h2::server::Builder::new();
    // What the protocol begins with: a client that does not wait for more is cut off.
    builder.initial_window_size(65_535);
    let mut connection: Serving<_, Bytes> = builder.handshake(stream).await.unwrap();
    let mut script = script.into_iter().peekable();
    while let Some(Ok((request, respond))) = connection.accept().await {
        let act = script.next().expect("no more calls than are played");
        match act {
            Act::Goodbye => connection.graceful_shutdown(),
            Act::Hangup => connection.abrupt_shutdown(Reason::NO_ERROR),
            _ => {}
        }
        tokio::spawn(answer(request, respond, act, taken.clone()));
        if script.peek().is_none() && act == Act::Take {
            // Its last call: the connection goes while it rests.
            connection.graceful_shutdown();
        }
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    act: Act,
    taken: mpsc::Sender<Vec<String>>,
) {
    let (head, mut body) = request.into_parts();
    assert_eq!(head.method, Method::POST);
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    assert_eq!(head.uri.path(), path);
    assert_eq!(head.headers["content-type"], "application/grpc");
    assert_eq!(head.headers["te"], "trailers");
    let timeout = head.headers["grpc-timeout"].to_str().unwrap();
    assert!(timeout.ends_with('m') && timeout.len() <= 9, "{timeout}");
    if let Act::Reset(reason) = act {
        return respond.send_reset(reason);
    }
    let mut message = Vec::new();
    while let Some(chunk) = body.data().await {
        let Ok(chunk) = chunk else { return };
        message.extend_from_slice(&chunk);
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    let reply = |pairs: &[(&'static str, &str)]| {
        let mut reply = Response::new(());
        let kind = HeaderValue::from_static("application/grpc");
        reply.headers_mut().insert("content-type", kind);
        for (name, value) in pairs {
            reply.headers_mut().insert(*name, value.parse().unwrap());
        }
        reply
    };
    match act {
        Act::Hang => std::future::pending().await,
        Act::TrailersOnly(code) => {
            let reply = reply(&[("grpc-status", &code.to_string())]);
            respond.send_response(reply, true).unwrap();
        }
        _ if message.len() > MESSAGE_BYTES_MAX + PREFIX_BYTES => {
            let words = "grpc: received message larger than max";
            let reply = reply(&[("grpc-status", "8"), ("grpc-message", words)]);
            respond.send_response(reply, true).unwrap();
        }
        _ => {
            taken.send(bodies(&head.headers, &message)).unwrap();
            let Ok(mut stream) = respond.send_response(reply(&[]), false) else {
                return;
            };
            stream
                .send_data(Bytes::from_static(&[0; 5]), false)
                .unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            stream.send_trailers(trailers).unwrap();
        }
    }
}

/// The bodies of the records of a message with its prefix.
fn bodies(headers: &HeaderMap, message: &[u8]) -> Vec<String> {
    let (prefix, message) = message.split_at(PREFIX_BYTES);
    let length = u32::from_be_bytes(prefix[1..].try_into().unwrap());
    assert_eq!(length as usize, message.len());
    let coding = headers
        .get("grpc-encoding")
        .map(|value| value.to_str().unwrap());
    let mut plain = Vec::new();
    match (prefix[0], coding) {
        (0, None) => plain.extend_from_slice(message),
        (1, Some("gzip")) => {
            let mut decoder = flate2::bufread::GzDecoder::new(message);
            decoder.read_to_end(&mut plain).unwrap();
        }
        (1, Some("zstd")) => {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(message).unwrap();
            decoder.read_to_end(&mut plain).unwrap();
        }
        other => panic!("{other:?}"),
    }
    let request = ExportLogsServiceRequest::decode(plain.as_slice()).unwrap();
    let records = request.resource_logs.into_iter();
    let records = records.flat_map(|resource| resource.scope_logs);
    let records = records.flat_map(|scope| scope.log_records);
    let body = |record: opentelemetry_proto::tonic::logs::v1::LogRecord| {
        let value = record.body.unwrap().value.unwrap();
        match value {
            opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text) => text,
            other => panic!("{other:?}"),
        }
    };
    records.map(body).collect()
}

fn sink(server: &Server, more: &str) -> Box<dyn Sink> {
    let port = server.port;
    let text = format!("protocol = \"grpc\"\nendpoint = \"http://127.0.0.1:{port}\"\n{more}");
    let reading = Reading::new(&|_| None);
    let document = Document::parse(&reading, "t.toml", text.as_bytes()).unwrap();
    let kind = crate::otlp::KIND;
    let reader = Reader::root(&reading, &document, kind.fields);
    let facts = Facts::default();
    let build = Build {
        names: Names { env: &[] },
        facts: &facts,
        memory: 16 << 20,
    };
    let sink = kind.build.unwrap()(&reader, &build).unwrap();
    drop(reader);
    assert_eq!(reading.finish().render(), "");
    sink
}

async fn deliver(sink: &mut Box<dyn Sink>, world: &TestWorld, texts: &[&str]) -> Outcome {
    let (records, budget) = (selection(texts), Budget::new(64 << 20));
    sink.deliver(&records, world.call(&budget)).await
}

/// Verdicts of one call each, and how many connections that took.
async fn played(scripts: Vec<Vec<Act>>, calls: usize) -> (Vec<Verdict>, Vec<String>, u32) {
    let server = Server::start(scripts).await;
    let (mut sink, world) = (sink(&server, ""), TestWorld::new());
    let mut verdicts = Vec::new();
    for number in 0..calls {
        let text = format!("record {number}");
        verdicts.push(deliver(&mut sink, &world, &[&text]).await.verdict);
        // What the server says behind its answer arrives before the next call.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (verdicts, server.taken(), world.connects.get())
}

fn texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("record {number}"))
        .collect()
}

fn closed() -> Verdict {
    Verdict::Retry {
        why: "closed".into(),
        after: None,
        answered: false,
    }
}

#[tokio::test]
async fn one_connection_carries_many_calls_and_a_goodbye_at_rest_costs_nothing() {
    let scripts = vec![vec![Act::Take; 3], vec![Act::Take]];
    let (verdicts, taken, connects) = played(scripts, 4).await;
    assert_eq!(verdicts, [const { Verdict::Accepted }; 4]);
    assert_eq!((taken, connects), (texts(4), 2));
}

/// The stream that is under way is answered; the next call has a connection of its own.
#[tokio::test]
async fn a_goodbye_in_the_middle_of_a_stream_lets_it_end() {
    let scripts = vec![vec![Act::Take, Act::Goodbye], vec![Act::Take]];
    let (verdicts, taken, connects) = played(scripts, 3).await;
    assert_eq!(verdicts, [const { Verdict::Accepted }; 3]);
    assert_eq!((taken, connects), (texts(3), 2));
}

/// On a connection that was kept, the call is made once more on a fresh one, and no attempt is used up; on a fresh one it is
/// for the retry policy.
#[tokio::test]
async fn a_connection_or_a_stream_that_breaks_off_costs_a_kept_connection_and_no_attempt() {
    for broken in [
        Act::Hangup,
        Act::Reset(Reason::REFUSED_STREAM),
        Act::Reset(Reason::INTERNAL_ERROR),
        Act::Reset(Reason::ENHANCE_YOUR_CALM),
    ] {
        let scripts = vec![vec![Act::Take, broken], vec![Act::Take]];
        let (verdicts, taken, connects) = played(scripts, 2).await;
        assert_eq!(verdicts, [const { Verdict::Accepted }; 2], "{broken:?}");
        assert_eq!((taken, connects), (texts(2), 2), "{broken:?}");
        let (verdicts, taken, _) = played(vec![vec![broken], vec![Act::Take]], 2).await;
        let Verdict::Retry { why, .. } = &verdicts[0] else {
            panic!("{broken:?}: {:?}", verdicts[0]);
        };
        assert_eq!((why.as_ref(), &verdicts[1]), ("closed", &Verdict::Accepted));
        assert_eq!(taken, ["record 1"], "{broken:?}");
    }
    // Nobody listens any more.
    let server = Server::start(Vec::new()).await;
    let (mut sink, world) = (sink(&server, ""), TestWorld::new());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let verdict = deliver(&mut sink, &world, &["a"]).await.verdict;
    let connect = Verdict::Retry {
        why: "connect".into(),
        after: None,
        answered: false,
    };
    assert!([closed(), connect].contains(&verdict), "{verdict:?}");
}

/// A pause of 5 s wants a new connection; after a shorter one, silence does. Neither attempt fails.
#[tokio::test]
async fn the_first_call_after_a_freeze_does_not_fail() {
    for thawed in [true, false] {
        let scripts = vec![vec![Act::Take, Act::Hang], vec![Act::Take]];
        let server = Server::start(scripts).await;
        let (mut sink, world) = (sink(&server, ""), TestWorld::new());
        let first = deliver(&mut sink, &world, &["record 0"]).await.verdict;
        world.thaws.set(u64::from(thawed));
        world.wall_ms.set(world.wall_ms.get() + 2_000);
        let within = Duration::from_millis(800);
        let second = tokio::time::timeout(within, deliver(&mut sink, &world, &["record 1"])).await;
        let second = second
            .expect("it is not waited for until the deadline")
            .verdict;
        assert_eq!([first, second], [const { Verdict::Accepted }; 2]);
        assert_eq!((server.taken(), world.connects.get()), (texts(2), 2));
    }
}

/// Every code comes over the wire as an answer of headers alone, and leaves the connection usable.
#[tokio::test]
async fn an_answer_of_headers_alone_has_its_meaning_and_keeps_the_connection() {
    let acts: Vec<Act> = (1..=16).map(Act::TrailersOnly).collect();
    let (verdicts, _, connects) = played(vec![[acts, vec![Act::Take]].concat()], 17).await;
    let letters: String = verdicts
        .iter()
        .map(|verdict| match verdict {
            Verdict::Accepted => 'a',
            Verdict::Rejected(_) => 'r',
            Verdict::Retry { answered: true, .. } => 't',
            Verdict::Denied { .. } => 'd',
            other => panic!("{other:?}"),
        })
        .collect();
    // CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED,
    // RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS,
    // UNAUTHENTICATED; then a call that is taken.
    assert_eq!(letters, "trrtrrdrrttdrttda");
    assert_eq!(connects, 1);
}

/// A window of 64 KiB, and a message of 3 MiB through it.
#[tokio::test]
async fn a_message_waits_for_the_window_of_its_receiver() {
    let server = Server::start(vec![vec![Act::Take; 2]]).await;
    let (mut sink, world) = (sink(&server, "compression = \"none\""), TestWorld::new());
    let large = "x".repeat(3 << 20);
    let outcome = deliver(&mut sink, &world, &[&large]).await;
    assert_eq!(outcome, Verdict::Accepted.into());
    assert!(server.taken() == [large]);
    assert_eq!(world.connects.get(), 1);
}

/// Over 4 MiB the server refuses a message; its halves are taken, and every record is there once.
#[tokio::test]
async fn a_message_that_is_too_large_is_halved_and_none_is_lost() {
    let server = Server::start(vec![vec![Act::Take; 4]]).await;
    let (mut sink, world) = (sink(&server, "compression = \"none\""), TestWorld::new());
    let large: Vec<String> = (0..5)
        .map(|number| format!("{number}{}", "y".repeat(1 << 20)))
        .collect();
    let large: Vec<&str> = large.iter().map(String::as_str).collect();
    let outcome = deliver(&mut sink, &world, &large).await;
    assert_eq!(outcome, Verdict::TooLarge.into());
    assert!(server.taken().is_empty());
    for half in [&large[..2], &large[2..]] {
        let outcome = deliver(&mut sink, &world, half).await;
        assert_eq!(outcome, Verdict::Accepted.into());
    }
    assert!(server.taken() == large);
    assert_eq!(world.connects.get(), 1);
}

#[tokio::test]
async fn a_compressed_message_says_how_and_is_what_was_sent() {
    let words = match crate::zstd::BUILT {
        true => &["none", "gzip", "zstd"][..],
        false => &["none", "gzip"],
    };
    let long = "paid ".repeat(2_000);
    for word in words {
        let server = Server::start(vec![vec![Act::Take; 2]]).await;
        let more = format!("compression = \"{word}\"");
        let (mut sink, world) = (sink(&server, &more), TestWorld::new());
        let outcome = deliver(&mut sink, &world, &[&long, "b"]).await;
        assert_eq!(outcome, Verdict::Accepted.into(), "{word}");
        assert_eq!(server.taken(), [long.as_str(), "b"], "{word}");
    }
}
