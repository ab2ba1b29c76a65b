//! A hundred thousand records through `http`, as it is and as a bulk preset, to services that refuse, answer in part and
//! lose answers. What was stored is compared with what was sent, one by one.

use std::collections::BTreeSet;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::command_line::{ledger, run};
use crate::backend::{Answer, FakeBackend, Request};

const RECORDS: usize = 100_000;

fn message(number: usize) -> String {
    format!("order {number} paid \"in full\" \u{2603}")
}

/// Text and JSON by turns, as lines for `tapline run`.
fn input() -> String {
    let mut lines = String::new();
    for number in 0..RECORDS {
        let text = format!("\"order {number} paid \\\"in full\\\" \u{2603}\"");
        let record = match number % 2 {
            0 => text,
            _ => format!("{{\"level\":\"info\",\"message\":{text},\"n\":{number}}}"),
        };
        let (minute, second, ms) = (number / 60_000, number / 1_000 % 60, number % 1_000);
        lines.push_str(&format!(
            "{{\"time\":\"2026-11-23T12:{minute:02}:{second:02}.{ms:03}Z\",\"type\":\"function\",\"record\":{record}}}\n"
        ));
    }
    lines
}

/// The number that a message names; `None` of a report of losses.
fn number(message: &str) -> Option<usize> {
    let (number, _) = message.strip_prefix("order ")?.split_once(' ')?;
    number.parse().ok()
}

/// Every tenth request is answered with 503 and not kept, every eleventh is not answered.
/// What was accepted is every record, once, as it was sent.
#[test]
fn a_hundred_thousand_records_arrive_as_lines() {
    let mut requests_count = 0;
    let backend = FakeBackend::judging(move |_| {
        requests_count += 1;
        match requests_count {
            count if count % 10 == 0 => Answer::status(503),
            count if count % 11 == 0 => Answer::Close,
            _ => Answer::OK,
        }
    });
    let output = run(&backend.sink("out"), input().as_bytes());
    let ledger = ledger(&output);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(ledger.of("out", "delivered"), RECORDS as u64);
    let mut stored = vec![0; RECORDS];
    for line in backend.lines() {
        let value = line.value();
        let text = value["message"]
            .as_str()
            .map_or_else(|| line.text(), str::to_owned);
        let number = number(&text).expect("it is one of ours");
        assert_eq!(text, message(number));
        stored[number] += 1;
    }
    assert!(
        stored.iter().all(|times| *times == 1),
        "each is accepted once"
    );
    backend.finish();
}

/// A bulk API with an index, as Elasticsearch documents it, and strict about it.
struct Bulk {
    /// Ids that are stored.
    ids: BTreeSet<String>,
    /// Documents that found no room once.
    waited: BTreeSet<String>,
    /// Where stored documents go.
    stored: mpsc::Sender<Value>,
}

impl Bulk {
    /// Takes pairs of lines. The first time that it sees every 97th document it has no room (429); every 1,001st it
    /// never takes (400).
    fn take(&mut self, request: &Request) -> Answer {
        assert_eq!(request.headers["content-type"], "application/x-ndjson");
        assert!(request.target.starts_with("POST /_bulk?filter_path="));
        let text = std::str::from_utf8(&request.body).expect("it is UTF-8");
        assert!(text.ends_with('\n'), "the last line is ended too");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len().is_multiple_of(2) && lines.len() <= 1_600);
        let statuses = lines.chunks(2).map(|pair| self.item(pair[0], pair[1]));
        let statuses: Vec<u16> = statuses.collect();
        let items = statuses.iter().map(|status| {
            json!({ "create": match status {
                400 => json!({ "status": 400, "error": { "type": "document_parsing_exception" } }),
                429 => json!({ "status": 429, "error": { "type": "es_rejected_execution_exception" } }),
                status => json!({ "status": status }),
            } })
        });
        let items: Vec<Value> = items.collect();
        let errors = statuses.iter().any(|status| *status != 201);
        Answer::Said(200, json!({ "errors": errors, "items": items }).to_string())
    }

    fn item(&mut self, action: &str, document: &str) -> u16 {
        let action: Value = serde_json::from_str(action).expect("it is JSON");
        assert_eq!(action["create"]["_index"], "orders");
        let id = action["create"]["_id"].as_str().expect("it has an id");
        let document: Value = serde_json::from_str(document).expect("it is JSON");
        assert!(document["@timestamp"].is_string(), "a data stream wants it");
        let number = document["message"].as_str().and_then(number);
        if number.is_some_and(|number| number % 1_001 == 1_000) {
            return 400;
        }
        if number.is_some_and(|number| number % 97 == 0) && self.waited.insert(id.to_owned()) {
            return 429;
        }
        if !self.ids.insert(id.to_owned()) {
            return 409;
        }
        self.stored.send(document).expect("the test still listens");
        201
    }
}

/// A bulk API that takes a part of nearly every request, and whose every seventh answer is lost after it stored.
/// Every document is there once and is the record; what it never takes is counted.
#[test]
fn a_hundred_thousand_documents_are_stored_once_each() {
    let (sender, stored) = mpsc::channel();
    let mut bulk = Bulk {
        ids: BTreeSet::new(),
        waited: BTreeSet::new(),
        stored: sender,
    };
    let mut requests_count = 0;
    let backend = FakeBackend::judging(move |request| {
        requests_count += 1;
        let answer = bulk.take(request);
        match requests_count % 7 {
            0 => Answer::Close,
            _ => answer,
        }
    });
    let config = format!(
        "[sink.out]\ntype = \"http\"\npreset = \"elasticsearch\"\nurl = \"{}\"\n\
         options = {{ index = \"orders\" }}\nretry = {{ max_attempts = 10 }}\n",
        backend.url()
    );
    let output = run(&config, input().as_bytes());
    let ledger = ledger(&output);
    assert_eq!(output.status.code(), Some(1), "some were rejected");
    backend.finish();
    let is_refused = |number: usize| number % 1_001 == 1_000;
    let refused = (0..RECORDS).filter(|number| is_refused(*number)).count();
    assert_eq!(ledger.of("out", "rejected"), refused as u64);
    let mut times = vec![0; RECORDS];
    let mut documents_count = 0;
    for document in stored.try_iter() {
        documents_count += 1;
        // Reports of the losses are documents as well.
        let Some(number) = document["message"].as_str().and_then(number) else {
            assert_eq!(document["event.dataset"], "tapline.loss");
            continue;
        };
        assert_eq!(document["message"], message(number));
        if number % 2 == 1 {
            assert_eq!(document["record"]["n"], number);
        }
        times[number] += 1;
    }
    assert_eq!(ledger.of("out", "delivered"), documents_count);
    for (number, times) in times.into_iter().enumerate() {
        assert_eq!(times, u32::from(!is_refused(number)), "order {number}");
    }
}
