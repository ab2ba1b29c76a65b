//! Every answer has one meaning. The bytes are written out: they are the collector's, not ours.

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::*;
use crate::shared::http::Answer;

const WALL_MS: i64 = 784_111_777_000;

fn answer(status: u16, kind: &'static str, body: &[u8]) -> Answer {
    let mut headers = HeaderMap::new();
    if !kind.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.to_vec(),
        whole: true,
        resent: false,
    }
}

fn of(answer: &Answer) -> (Verdict, usize, bool) {
    let Meaning { outcome, warns } = meaning(answer, 10, WALL_MS);
    let rejected = Verdict::Unnamed("partial_success".into());
    assert!(
        outcome
            .exceptions
            .iter()
            .all(|(at, verdict)| *at < 10 && *verdict == rejected)
    );
    (outcome.verdict, outcome.exceptions.len(), warns)
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[test]
fn a_success_counts_what_it_says_was_rejected() {
    let rows: [(&str, &[u8], usize, bool); 20] = [
        (PROTOBUF, b"", 0, false),
        (PROTOBUF, b"\x0a\x00", 0, false),
        (PROTOBUF, b"\x0a\x05\x12\x03bad", 0, true),
        (PROTOBUF, b"\x0a\x07\x08\x03\x12\x03bad", 3, false),
        // The words are no text; the count beside them holds.
        (PROTOBUF, b"\x0a\x07\x08\x03\x12\x03\xff\xfe\x80", 3, false),
        (PROTOBUF, b"\x0a\x02\x08\x03", 3, false),
        // More than was sent, and less than nothing.
        (PROTOBUF, b"\x0a\x02\x08\x63", 10, false),
        (
            PROTOBUF,
            b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            0,
            false,
        ),
        // A field that nobody knows.
        (PROTOBUF, b"\x0a\x02\x08\x03\x7a\x01x", 3, false),
        (JSON, b"", 0, false),
        (JSON, b"{}", 0, false),
        (JSON, b"{\"partialSuccess\":{}}", 0, false),
        (JSON, b"{\"partialSuccess\":null}", 0, false),
        (
            JSON,
            br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"b\u0061d"}}"#,
            2,
            false,
        ),
        (
            JSON,
            br#" {"x":[1],"partialSuccess":{"y":{},"rejectedLogRecords":2}} "#,
            2,
            false,
        ),
        (
            "application/json; charset=utf-8",
            br#"{"partialSuccess":{"rejectedLogRecords":0,"errorMessage":"w"}}"#,
            0,
            true,
        ),
        // A wrong type: the body tells.
        (
            "text/plain",
            br#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#,
            1,
            false,
        ),
        ("", b"\x0a\x02\x08\x03", 3, false),
        ("", b"", 0, false),
        ("text/plain", b"", 0, false),
    ];
    for (kind, body, rejected, warns) in rows {
        for status in [200, 201, 202, 204, 299] {
            let text = String::from_utf8_lossy(body);
            let got = of(&answer(status, kind, body));
            assert_eq!(got, (Verdict::Accepted, rejected, warns), "{kind} {text}");
        }
    }
}

/// A portal, a wrong address, a proxy that cuts: nobody knows what a collector would have said.
#[test]
fn a_success_without_the_message_of_the_protocol_is_none() {
    let none = Verdict::Retry {
        why: "not_otlp".into(),
        after: None,
        answered: true,
    };
    let rows: [(&str, &[u8], bool); 9] = [
        (PROTOBUF, b"\x0a\xff", true),
        (PROTOBUF, b"\x0a\x07\x08\x03\x12", true),
        (PROTOBUF, b"", false),
        (PROTOBUF, b"\x0a\x02\x08\x03", false),
        (JSON, b"[]", true),
        (JSON, b"{\"partialSuccess\":", true),
        (JSON, b"{}", false),
        ("text/html", b"<html>sign in</html>", true),
        ("text/plain", b"ok", true),
    ];
    for (kind, body, whole) in rows {
        let mut answer = answer(200, kind, body);
        answer.whole = whole;
        let text = String::from_utf8_lossy(body);
        assert_eq!(of(&answer), (none.clone(), 0, false), "{kind} {text}");
    }
}

#[test]
fn only_four_statuses_are_worth_another_attempt() {
    for status in 100..=999 {
        let (verdict, ..) = of(&answer(status, PROTOBUF, b""));
        let wanted = match status {
            200..=299 => Verdict::Accepted,
            413 => Verdict::TooLarge,
            401 | 403 | 404 => Verdict::Denied {
                why: status.to_string().into(),
            },
            429 | 502 | 503 | 504 => Verdict::Retry {
                why: status.to_string().into(),
                after: None,
                answered: true,
            },
            _ => Verdict::Rejected(status.to_string().into()),
        };
        assert_eq!(verdict, wanted);
    }
}

#[test]
fn a_wait_that_is_asked_for_is_handed_on() {
    let rows = [
        ("0", Some(0)),
        ("3", Some(3)),
        ("1000000000", Some(1_000_000_000)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
        ("3.5", None),
        ("", None),
    ];
    for (value, wanted) in rows {
        let mut answer = answer(503, PROTOBUF, b"");
        answer
            .headers
            .insert(RETRY_AFTER, HeaderValue::from_static(value));
        let Verdict::Retry { after, .. } = of(&answer).0 else {
            panic!("{value}");
        };
        assert_eq!(after, wanted.map(Duration::from_secs), "{value}");
    }
}
