//! Tests of decoding as a whole. They do not prove that the platform sends what its documentation says.

mod bad_input;
mod cut;
mod samples;

use tapline_core::batch::{Origin, Record};
use tapline_core::budget::Budget;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::level::Level;
use tapline_core::port::Identity;
use tapline_core::test_util::INSTANCE;
use tapline_core::world::Instant;

use super::{Context, Decoded, Decoder, Form, Post};

/// 2026-03-14T09:26:53.589Z.
const ARRIVED_MS: i64 = 1_773_480_413_589;

/// A decoder with all that it needs.
struct Desk {
    decoder: Decoder,
    invocations: Invocations,
    identity: Identity,
    ledger: Ledger,
    budget: Budget,
    now: Instant,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            decoder: Decoder::new(17),
            invocations: Invocations::new(false, true),
            identity: Identity::new(INSTANCE),
            ledger: Ledger::default(),
            budget: Budget::new(64 << 20),
            now: Instant(0),
        }
    }

    fn context<'c>(
        invocations: &'c mut Invocations,
        identity: &'c Identity,
        ledger: &'c Ledger,
    ) -> Context<'c> {
        Context {
            invocations,
            identity,
            ledger,
        }
    }

    fn decode_as(&mut self, form: Form, body: &[u8]) -> Decoded {
        let post = Post {
            bytes: body.to_vec(),
            charge: self.budget.charge_over(body.len()),
            arrived_ms: ARRIVED_MS,
            form,
        };
        let context = Desk::context(&mut self.invocations, &self.identity, &self.ledger);
        self.decoder.decode(post, self.now, context)
    }

    fn decode(&mut self, body: impl AsRef<[u8]>) -> Vec<Row> {
        rows(&self.decode_as(Form::Array, body.as_ref()))
    }

    fn expire(&mut self) -> Vec<Row> {
        let context = Desk::context(&mut self.invocations, &self.identity, &self.ledger);
        rows(&self.decoder.expire(self.now, context))
    }

    fn flush(&mut self) -> Vec<Row> {
        let context = Desk::context(&mut self.invocations, &self.identity, &self.ledger);
        rows(&self.decoder.flush_fragment(self.now, context))
    }
}

/// A record with its bytes.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    sequence: u64,
    origin: Origin,
    level: Option<Level>,
    embedded_metrics: bool,
    time: String,
    kind: String,
    value: String,
    request_id: String,
    trace_id: String,
    span_id: String,
}

fn rows(decoded: &Decoded) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in &decoded.batches {
        let text = |slice| String::from_utf8(batch.bytes(slice).to_vec()).unwrap();
        rows.extend(batch.records().iter().map(|record: &Record| Row {
            sequence: record.sequence,
            origin: record.origin,
            level: record.level,
            embedded_metrics: record.embedded_metrics,
            time: text(record.time),
            kind: text(record.kind),
            value: text(record.value),
            request_id: text(record.request_id),
            trace_id: text(record.trace_id),
            span_id: text(record.span_id),
        }));
    }
    rows
}

fn values(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.value.as_str()).collect()
}

/// An element of the function with this raw value.
fn element(value: &str) -> String {
    format!(r#"{{"time":"2026-03-14T09:26:53.820Z","type":"function","record":{value}}}"#)
}

fn array(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

/// The text of an opaque record.
fn unquoted(row: &Row) -> String {
    assert_eq!(
        (row.origin, row.kind.as_str()),
        (Origin::Unknown, "unknown")
    );
    serde_json::from_str(&row.value).unwrap()
}

/// A POST comes again, once among sixty-four others and once after them.
/// It is recognised the first time and forgotten the second.
#[test]
fn the_same_bytes_are_recognised_among_the_last_sixty_four() {
    let mut decoder = Decoder::new(17);
    assert!(!decoder.is_redelivered(b"first"));
    for number in 0..63 {
        assert!(!decoder.is_redelivered(format!("[{number}]").as_bytes()));
    }
    assert!(decoder.is_redelivered(b"first"));
    assert!(!decoder.is_redelivered(b"one too many"));
    assert!(!decoder.is_redelivered(b"first"));
}

/// The function writes the same line twice in one POST.
/// Records are never compared: two records.
#[test]
fn equal_lines_are_two_records() {
    let mut desk = Desk::new();
    let same = element(r#""tick""#);
    assert_eq!(values(&desk.decode(array(&[same.clone(), same]))).len(), 2);
}

/// Lines form: elements one a line, one broken, one spread over lines.
/// The broken line is opaque, the others are whole.
#[test]
fn elements_one_a_line_are_read_up_to_the_broken_one_and_after_it() {
    let mut desk = Desk::new();
    let spread = element("1").replace(',', ",\n");
    let text = format!(
        "{}\n{{\"time\":\n{spread}\r\n{} 7\n",
        element(r#""a""#),
        element("2")
    );
    let rows = rows(&desk.decode_as(Form::Lines, text.as_bytes()));
    assert_eq!(
        values(&rows),
        [r#""a""#, r#""{\"time\":""#, "1", "2", r#""7""#]
    );
    assert_eq!(desk.ledger.malformed.get(), 2);
}

/// All bytes that decoding holds are charged, and given back with the batch.
#[test]
fn everything_held_is_charged_and_given_back() {
    let mut desk = Desk::new();
    let body = format!("[{},{{broken", element(r#""a""#));
    let decoded = desk.decode_as(Form::Array, body.as_bytes());
    assert!(desk.budget.used() > body.len() as u64);
    drop(decoded);
    assert_eq!(desk.budget.used(), 0);
    let cut = format!("[{}", element(r#""abc"#));
    assert!(desk.decode(format!("{cut}]")).is_empty());
    assert!(desk.budget.used() > 0, "the fragment is charged");
    desk.flush();
    assert_eq!(desk.budget.used(), 0);
}
