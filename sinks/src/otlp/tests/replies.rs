//! Every status of gRPC has one meaning.

use hyper::StatusCode;

use super::*;
use crate::otlp::reply::Reply;

fn reply(pairs: &[(&'static str, &str)], body: &[u8]) -> Reply {
    reply_over(200, pairs, body)
}

fn reply_over(http: u16, pairs: &[(&'static str, &str)], body: &[u8]) -> Reply {
    let mut trailers = HeaderMap::new();
    for (name, value) in pairs {
        trailers.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let mut reply = Reply::new(StatusCode::from_u16(http).unwrap(), HeaderMap::new());
    reply.trailers(trailers);
    reply.body = body.to_vec();
    reply
}

fn retry(why: &'static str, after: Option<Duration>) -> Verdict {
    Verdict::Retry {
        why: why.into(),
        after,
        answered: true,
    }
}

fn denied(why: &'static str) -> Verdict {
    Verdict::Denied { why: why.into() }
}

/// `Status{code: 8, details: [Any{"type.googleapis.com/google.rpc.RetryInfo", RetryInfo{1.5 s}}]}` as protoc encodes it.
const DETAILS: &str =
    "CAgaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIARCAyrXuAQ";

#[test]
fn every_code_is_tried_again_denied_or_rejected() {
    let rejected = |name: &'static str| Verdict::Rejected(name.into());
    let rows = [
        ("1", retry("CANCELLED", None)),
        ("2", rejected("UNKNOWN")),
        ("3", rejected("INVALID_ARGUMENT")),
        ("4", retry("DEADLINE_EXCEEDED", None)),
        ("5", rejected("NOT_FOUND")),
        ("6", rejected("ALREADY_EXISTS")),
        ("7", denied("PERMISSION_DENIED")),
        ("8", rejected("RESOURCE_EXHAUSTED")),
        ("9", rejected("FAILED_PRECONDITION")),
        ("10", retry("ABORTED", None)),
        ("11", retry("OUT_OF_RANGE", None)),
        ("12", denied("UNIMPLEMENTED")),
        ("13", rejected("INTERNAL")),
        ("14", retry("UNAVAILABLE", None)),
        ("15", retry("DATA_LOSS", None)),
        ("16", denied("UNAUTHENTICATED")),
        ("17", rejected("UNKNOWN")),
        ("x", rejected("UNKNOWN")),
    ];
    for (code, wanted) in rows {
        let meaning = reply(&[("grpc-status", code)], b"").meaning(3, 0);
        assert_eq!(meaning, Meaning::from(wanted), "{code}");
    }
}

#[test]
fn an_exhausted_server_is_tried_again_only_where_it_says_when() {
    let pairs = [("grpc-status", "8"), ("grpc-status-details-bin", DETAILS)];
    let after = Some(Duration::from_millis(1_500));
    assert_eq!(
        reply(&pairs, b"").meaning(1, 0).outcome.verdict,
        retry("RESOURCE_EXHAUSTED", after)
    );
    let padded = format!("{DETAILS}==");
    let pairs = [("grpc-status", "14"), ("grpc-status-details-bin", &padded)];
    assert_eq!(
        reply(&pairs, b"").meaning(1, 0).outcome.verdict,
        retry("UNAVAILABLE", after)
    );
    for broken in ["", "%", "CAga", "////"] {
        let pairs = [("grpc-status", "14"), ("grpc-status-details-bin", broken)];
        assert_eq!(
            reply(&pairs, b"").meaning(1, 0).outcome.verdict,
            retry("UNAVAILABLE", None)
        );
    }
}

#[test]
fn a_message_that_is_too_large_is_halved() {
    let words = [
        (
            "8",
            "grpc: received message larger than max (5000000 vs. 4194304)",
        ),
        (
            "8",
            "SERVER: Received message larger than max (5000000 vs. 4194304)",
        ),
        (
            "11",
            "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
        ),
    ];
    for (code, words) in words {
        let pairs = [("grpc-status", code), ("grpc-message", words)];
        assert_eq!(
            reply(&pairs, b"").meaning(1, 0).outcome.verdict,
            Verdict::TooLarge,
            "{words}"
        );
    }
}

#[test]
fn without_a_status_that_of_http_stands_for_one() {
    let rows = [
        (200, retry("UNAVAILABLE", None)),
        (400, Verdict::Rejected("INTERNAL".into())),
        (401, denied("UNAUTHENTICATED")),
        (403, denied("PERMISSION_DENIED")),
        (404, denied("UNIMPLEMENTED")),
        (429, retry("UNAVAILABLE", None)),
        (500, Verdict::Rejected("UNKNOWN".into())),
        (503, retry("UNAVAILABLE", None)),
    ];
    for (http, wanted) in rows {
        assert_eq!(
            reply_over(http, &[], b"").meaning(1, 0).outcome.verdict,
            wanted,
            "{http}"
        );
    }
}

#[test]
fn a_success_counts_what_it_says_was_rejected() {
    let ok = [("grpc-status", "0")];
    let none = || retry("not_otlp", None);
    let rows: [(&[u8], Verdict, usize, bool); 5] = [
        (b"\0\0\0\0\0", Verdict::Accepted, 0, false),
        (
            b"\0\0\0\0\x07\x0a\x05\x12\x03bad",
            Verdict::Accepted,
            0,
            true,
        ),
        (
            b"\0\0\0\0\x09\x0a\x07\x08\x02\x12\x03bad",
            Verdict::Accepted,
            2,
            false,
        ),
        // Packed in a way that was not asked for, and no message at all.
        (b"\x01\0\0\0\x01x", none(), 0, false),
        (b"", none(), 0, false),
    ];
    for (body, verdict, rejected, warns) in rows {
        let meaning = reply(&ok, body).meaning(3, 0);
        assert_eq!(meaning.outcome.verdict, verdict);
        assert_eq!(
            (meaning.outcome.exceptions.len(), meaning.warns),
            (rejected, warns)
        );
    }
}

/// What stands in front of the server speaks plain HTTP, and says there how long to wait.
#[test]
fn a_wait_that_is_asked_for_in_plain_http_is_handed_on() {
    let after = [("retry-after", "7")];
    let wanted = retry("UNAVAILABLE", Some(Duration::from_secs(7)));
    let meaning = reply_over(429, &after, b"").meaning(1, 0);
    assert_eq!(meaning.outcome.verdict, wanted);
    let with_status = [after[0], ("grpc-status", "14")];
    let meaning = reply(&with_status, b"").meaning(1, 0);
    assert_eq!(meaning.outcome.verdict, retry("UNAVAILABLE", None));
}

/// Then a secret that came from AWS is fetched anew.
#[test]
fn only_a_caller_who_is_not_let_in_is_refused() {
    for (code, refused) in [
        ("0", false),
        ("3", false),
        ("7", true),
        ("14", false),
        ("16", true),
    ] {
        let reply = reply(&[("grpc-status", code)], b"");
        assert_eq!(reply.is_refusal(), refused, "{code}");
    }
    assert!(reply_over(401, &[], b"").is_refusal());
}
