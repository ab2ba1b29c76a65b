//! Every answer has one meaning. The bytes are written out: they are the collector's, not ours.

use hyper::StatusCode;
use hyper::header::RETRY_AFTER;

use super::*;
use crate::otlp::answer::Remark;
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

fn of(answer: &Answer) -> (Verdict, usize, Option<Remark>) {
    let Meaning { outcome, remark } = meaning(answer, 10, WALL_MS);
    let rejected = Verdict::Rejected("partial_success".into());
    assert!(
        outcome
            .exceptions
            .iter()
            .all(|(at, verdict)| *at < 10 && *verdict == rejected)
    );
    (outcome.verdict, outcome.exceptions.len(), remark)
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

#[test]
fn a_success_counts_what_it_says_was_rejected() {
    let warning = |text: &str| Some(Remark::Warning(text.to_owned()));
    let some = |count, text: &str| Some(Remark::Rejected(count, text.to_owned()));
    let rows: [(&str, &[u8], usize, Option<Remark>); 21] = [
        (PROTOBUF, b"", 0, None),
        (PROTOBUF, b"\x0a\x00", 0, None),
        (PROTOBUF, b"\x0a\x05\x12\x03bad", 0, warning("bad")),
        (PROTOBUF, b"\x0a\x07\x08\x03\x12\x03bad", 3, some(3, "bad")),
        (PROTOBUF, b"\x0a\x02\x08\x03", 3, some(3, "")),
        // More than was sent, and less than nothing.
        (PROTOBUF, b"\x0a\x02\x08\x63", 10, some(10, "")),
        (
            PROTOBUF,
            b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            0,
            None,
        ),
        // A field that nobody knows.
        (PROTOBUF, b"\x0a\x02\x08\x03\x7a\x01x", 3, some(3, "")),
        (PROTOBUF, b"\x0a\xff", 0, Some(Remark::Foreign)),
        (JSON, b"", 0, None),
        (JSON, b"{}", 0, None),
        (JSON, b"{\"partialSuccess\":{}}", 0, None),
        (JSON, b"{\"partialSuccess\":null}", 0, None),
        (
            JSON,
            br#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"b\u0061d"}}"#,
            2,
            some(2, "bad"),
        ),
        (
            JSON,
            br#" {"x":[1],"partialSuccess":{"y":{},"rejectedLogRecords":2}} "#,
            2,
            some(2, ""),
        ),
        (
            "application/json; charset=utf-8",
            br#"{"partialSuccess":{"rejectedLogRecords":0,"errorMessage":"w"}}"#,
            0,
            warning("w"),
        ),
        (JSON, b"[]", 0, Some(Remark::Foreign)),
        (JSON, b"{\"partialSuccess\":", 0, Some(Remark::Foreign)),
        // A wrong type: the body tells.
        (
            "text/plain",
            br#"{"partialSuccess":{"rejectedLogRecords":"1"}}"#,
            1,
            some(1, ""),
        ),
        ("", b"\x0a\x02\x08\x03", 3, some(3, "")),
        (
            "text/html",
            b"<html>sign in</html>",
            0,
            Some(Remark::Foreign),
        ),
    ];
    for (kind, body, rejected, remark) in rows {
        for status in [200, 201, 202, 204, 299] {
            let text = String::from_utf8_lossy(body);
            let got = of(&answer(status, kind, body));
            assert_eq!(
                got,
                (Verdict::Accepted, rejected, remark.clone()),
                "{kind} {text}"
            );
        }
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

#[test]
fn a_refusal_is_said_without_the_collectors_words() {
    let said = |kind, body: &[u8]| match of(&answer(400, kind, body)).2 {
        Some(Remark::Refused(status, words)) => (status, words),
        other => panic!("{other:?}"),
    };
    let wanted = ("400".to_owned(), "no such field".to_owned());
    assert_eq!(said(PROTOBUF, b"\x08\x03\x12\x0dno such field"), wanted);
    assert_eq!(
        said(JSON, br#"{"code":3,"message":"no such field"}"#),
        wanted
    );
    assert_eq!(said("text/html", b"<html>").1, "");
    let quoting = Remark::Refused("400".into(), "invalid key s3cret".into());
    let line = quoting.line("sink `out`", "logs");
    assert!(
        line.starts_with("sink `out` refused logs with 400; they are not sent again; its reason")
    );
    assert!(!line.contains("s3cret"), "{line}");
}
