//! What it costs to make the request of each sink, as a multiple of the least that its bytes can cost.
//!
//! `cargo bench -p tapline-sinks --bench encode`: a sink and its limit are run in turn; the least of many rounds and
//! their ratio are printed. Only the ratio is judged, since a machine's speed is no property of the code: above the
//! row's bound the exit code is 1. The connection fails at once, so that what is timed is the encoding, the compression
//! and the signature. The limits know the answer before they start:
//!
//! | Sink | Limit |
//! |---|---|
//! | `otlp` | `prost` encodes the same request from structs that were prepared |
//! | `cloudwatch` | prepared messages are escaped into the same JSON, and SHA-256 of it is taken |
//! | `http`, NDJSON | prepared lines are copied |
//! | `http`, NDJSON with gzip | the same, compressed at the same level |
//!
//! For instructions a record: `valgrind --tool=callgrind --toggle-collect='*sink_round*'` with the binary and
//! `count ROW`: one round of 3,000 records.

use std::cell::RefCell;
use std::hint::black_box;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use sha2::Digest as _;
use tapline_core::batch::Lane;
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::json;
use tapline_core::level::Level;
use tapline_core::sink::{Call, Parcel, Selection, Sink, Verdict};
use tapline_core::test_util::{self, StillWorld};
use tapline_core::world::{Boxed, Instant, Stream, World};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Records of a round.
const RECORDS: usize = 3_000;

/// Rounds of each kind between two comparisons; the least of them counts.
const ROUNDS: usize = 20;

/// Comparisons; the best ratio is judged.
const TRIES: usize = 8;

/// Polls until a call must have ended.
const POLLS_MAX: usize = 10_000;

/// The level that the sinks compress at.
const GZIP_LEVEL: u32 = 3;

/// Lines of some 250 bytes: an object, text of a runtime, and text that holds an object.
const LINES: [&str; 3] = [
    r#"{"timestamp":"2026-01-02T03:04:05.123Z","level":"INFO","requestId":"8476a536-e9f4-11e8-9739-2dfe598c3fcd","message":"order 1234 shipped to the customer","path":"/orders/1234","tenant":"acme","user":77,"elapsed_ms":12.5,"ok":true,"stage":"production"}"#,
    r#""2026-01-02T03:04:05.123Z\t8476a536-e9f4-11e8-9739-2dfe598c3fcd\tINFO\torder 1234 of tenant acme was paid in 250 ms, the receipt was sent to the address on file, the parcel leaves the warehouse in Rotterdam tomorrow before noon by road\n""#,
    r#""{\"level\":\"INFO\",\"requestId\":\"8476a536-e9f4-11e8-9739-2dfe598c3fcd\",\"message\":\"order 1234 shipped to the customer\",\"path\":\"/orders/1234\",\"tenant\":\"acme\",\"elapsed_ms\":12,\"ok\":true}\n""#,
];

/// One round of the least that a sink's bytes can cost.
type Limit = Box<dyn FnMut()>;

/// One sink with its limit.
struct Row {
    name: &'static str,
    kind: &'static str,
    config: &'static str,
    /// How many times the limit the sink may take.
    ratio_max: f64,
    /// Makes the limit from the bodies that the sink has sent.
    limit: fn(&[Vec<u8>]) -> Limit,
}

const ROWS: &[Row] = &[
    Row {
        name: "otlp",
        kind: "otlp",
        config: "compression = \"none\"\nendpoint = \"http://collector.example\"",
        ratio_max: 3.0,
        limit: protobuf,
    },
    Row {
        name: "cloudwatch",
        kind: "cloudwatch",
        config: "group = \"g\"\nregion = \"eu-west-1\"\nendpoint = \"http://logs.example\"",
        ratio_max: 1.9,
        limit: put_log_events,
    },
    Row {
        name: "http",
        kind: "http",
        config: "url = \"http://logs.example\"",
        ratio_max: 10.0,
        limit: lines,
    },
    Row {
        name: "http+gzip",
        kind: "http",
        config: "url = \"http://logs.example\"\ncompression = \"gzip\"",
        ratio_max: 1.25,
        limit: gzipped_lines,
    },
];

/// Connections fail, or take all that is written and answer nothing.
struct Nowhere {
    written: Option<Rc<RefCell<Vec<Vec<u8>>>>>,
}

struct Sent {
    all: Rc<RefCell<Vec<Vec<u8>>>>,
    own: Vec<u8>,
}

impl AsyncRead for Sent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // The end, once something was sent.
        if self.own.is_empty() {
            return Poll::Pending;
        }
        let own = std::mem::take(&mut self.own);
        self.all.borrow_mut().push(own);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sent {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.own.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl World for Nowhere {
    fn now(&self) -> Instant {
        StillWorld.now()
    }
    fn wall_ms(&self) -> i64 {
        StillWorld.wall_ms()
    }
    fn sleep_until(&self, at: Instant) -> Boxed<'static, ()> {
        StillWorld.sleep_until(at)
    }
    fn random(&self) -> u64 {
        StillWorld.random()
    }
    fn variable(&self, name: &str) -> Option<String> {
        StillWorld.variable(name)
    }
    fn connect(&self, host: &str, port: u16) -> Boxed<'static, io::Result<Box<dyn Stream>>> {
        let Some(all) = self.written.clone() else {
            return StillWorld.connect(host, port);
        };
        let own = Vec::new();
        let stream: Box<dyn Stream> = Box::new(Sent { all, own });
        Box::pin(std::future::ready(Ok(stream)))
    }
    fn log(&self, _: Level, _: &str) {}
}

fn sink(row: &Row) -> Box<dyn Sink> {
    test_util::sink(tapline_sinks::kinds(), row.kind, row.config)
}

/// One call. The connection fails, so that all records are to be tried again.
#[inline(never)]
fn sink_round(sink: &mut dyn Sink, records: &Selection, world: &Nowhere, budget: &Budget) {
    let facts = Facts {
        function_name: "orders".to_owned(),
        region: "eu-west-1".to_owned(),
        ..Facts::default()
    };
    let call = Call {
        world,
        budget,
        deadline: world.now() + Duration::from_secs(1),
        batch_id: "0123456789abcdef0123456789abcdef-0-6",
        facts: &facts,
    };
    let mut answer = sink.deliver(records, call);
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut poll = || answer.as_mut().poll(&mut context);
    // Who writes to a connection is polled again until its end was read.
    let outcome = (0..POLLS_MAX).find_map(|_| match poll() {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    });
    let outcome = outcome.expect("nothing is waited for");
    let verdicts = outcome.exceptions.iter().map(|(_, verdict)| verdict);
    let verdicts: Vec<_> = match outcome.exceptions.len() {
        RECORDS => verdicts.collect(),
        _ => vec![&outcome.verdict],
    };
    for verdict in verdicts {
        assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
    }
}

/// What the sink has sent: the bodies of its requests.
fn bodies(row: &Row, records: &Selection, budget: &Budget) -> Vec<Vec<u8>> {
    let written = Rc::new(RefCell::new(Vec::new()));
    let world = Nowhere {
        written: Some(written.clone()),
    };
    sink_round(&mut *sink(row), records, &world, budget);
    let requests = written.take();
    let body = |request: Vec<u8>| {
        let head = request.windows(4).position(|four| four == b"\r\n\r\n");
        request[head.expect("a request has a head") + 4..].to_vec()
    };
    requests.into_iter().map(body).collect()
}

fn protobuf(bodies: &[Vec<u8>]) -> Limit {
    let decode = |body: &Vec<u8>| ExportLogsServiceRequest::decode(body.as_slice());
    let decoded = bodies.iter().map(decode).collect::<Result<Vec<_>, _>>();
    let requests = decoded.expect("it is protobuf");
    let mut out = Vec::new();
    Box::new(move || {
        for request in &requests {
            out.clear();
            request.encode(&mut out).expect("memory takes every byte");
            black_box(&out);
        }
    })
}

fn put_log_events(bodies: &[Vec<u8>]) -> Limit {
    let mut requests: Vec<Vec<(String, String)>> = Vec::new();
    for body in bodies {
        let body: serde_json::Value = serde_json::from_slice(body).expect("it is JSON");
        let events = body["logEvents"].as_array().expect("there are events");
        let event = |event: &serde_json::Value| {
            let message = event["message"].as_str().unwrap_or_default().to_owned();
            (event["timestamp"].to_string(), message)
        };
        requests.push(events.iter().map(event).collect());
    }
    let mut out = Vec::new();
    Box::new(move || {
        for events in &requests {
            out.clear();
            for (time, message) in events {
                out.extend_from_slice(b"{\"timestamp\":");
                out.extend_from_slice(time.as_bytes());
                out.extend_from_slice(b",\"message\":\"");
                json::escape_into(message.as_bytes(), &mut out);
                out.extend_from_slice(b"\"},");
            }
            black_box(sha2::Sha256::digest(&out));
        }
    })
}

fn lines(bodies: &[Vec<u8>]) -> Limit {
    let lines = |body: &Vec<u8>| -> Vec<Vec<u8>> {
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        lines.map(<[u8]>::to_vec).collect()
    };
    let bodies: Vec<_> = bodies.iter().map(lines).collect();
    let mut out = Vec::new();
    Box::new(move || {
        for body in &bodies {
            out.clear();
            for line in body {
                out.extend_from_slice(line);
            }
            black_box(&out);
        }
    })
}

fn gzipped_lines(bodies: &[Vec<u8>]) -> Limit {
    let mut plain = Vec::new();
    for body in bodies {
        let mut unpacked = flate2::bufread::GzDecoder::new(body.as_slice());
        io::Read::read_to_end(&mut unpacked, &mut plain).expect("it is gzip");
    }
    let mut compress = Compress::new_gzip(Compression::new(GZIP_LEVEL), 15);
    let mut out = Vec::with_capacity(plain.len());
    Box::new(move || {
        out.clear();
        compress.reset();
        let status = compress.compress_vec(&plain, &mut out, FlushCompress::Finish);
        black_box(status).expect("it compresses");
    })
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn least(mut round: impl FnMut()) -> Duration {
    let time = |_| {
        let start = std::time::Instant::now();
        round();
        start.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap_or_default()
}

fn selection(budget: &Budget) -> Selection {
    // Ids and numbers differ from line to line, as they do in life, or gzip would have next to nothing to do.
    let texts: Vec<String> = (0..RECORDS as u64)
        .map(|number| {
            let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            LINES[number as usize % LINES.len()]
                .replace("8476a536", &format!("{:08x}", mixed >> 32))
                .replace(
                    "2dfe598c3fcd",
                    &format!("{:012x}", mixed & 0xffff_ffff_ffff),
                )
                .replace("1234", &format!("{:04}", mixed % 9_973))
        })
        .collect();
    let rows: Vec<_> = texts
        .iter()
        .map(|raw| ("function", raw.as_str(), Some(Level::Info)))
        .collect();
    Selection::of_parcel(&Parcel {
        chosen: (0..RECORDS as u32).collect(),
        batch: Arc::new(test_util::batch_of(budget, &rows)),
        lane: Lane::Middle,
        weight: 1,
    })
}

fn main() -> ExitCode {
    let budget = Budget::new(256 << 20);
    let records = selection(&budget);
    let nowhere = Nowhere { written: None };
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "count") {
        let named = |row: &&Row| words.get(at + 1).is_some_and(|word| word == row.name);
        for row in ROWS.iter().filter(named) {
            sink_round(&mut *sink(row), &records, &nowhere, &budget);
        }
        return ExitCode::SUCCESS;
    }
    let mut good = true;
    for row in ROWS {
        let mut limit = (row.limit)(&bodies(row, &records, &budget));
        let mut sink = sink(row);
        let mut best = (f64::MAX, Duration::ZERO, Duration::ZERO);
        for _ in 0..TRIES {
            let own = least(|| sink_round(&mut *sink, &records, &nowhere, &budget));
            let least = least(&mut limit);
            let ratio = own.as_secs_f64() / least.as_secs_f64();
            if ratio < best.0 {
                best = (ratio, own, least);
            }
        }
        let each = |time: Duration| time.as_secs_f64() * 1e9 / RECORDS as f64;
        let (ratio, own, least) = best;
        println!(
            "{:10} {:4.0} ns a record ({:.2} M records/s), the limit {:4.0} ns, ratio {ratio:.2} (at most {:.2})",
            row.name,
            each(own),
            1e3 / each(own),
            each(least),
            row.ratio_max,
        );
        good = good && ratio <= row.ratio_max;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
