//! What a gRPC call gives back, and what its status means.
//!
//! - CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS: tried again; RESOURCE_EXHAUSTED only
//!   where the server says when. Not before the delay of a `RetryInfo`, or before `Retry-After` in plain HTTP.
//! - a message that is larger than the server takes: sent again in two halves.
//! - UNAUTHENTICATED, PERMISSION_DENIED, UNIMPLEMENTED: denied, as 401, 403 and 404 are over HTTP.
//! - any other status: rejected, with its name as reason.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#failures> and
//! <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>, read 2026-11-25.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use prost::Message;
use tapline_core::sink::Verdict;

use super::answer::{self, Export, Meaning, Status};
use crate::shared::retry_after;

/// One reply: the trailers win over the headers, where a reply without a message has its status.
#[derive(Debug)]
pub(crate) struct Reply {
    http: StatusCode,
    status: HeaderMap,
    /// The message with its prefix, as far as it came within the limits.
    pub body: Vec<u8>,
}

/// The names of the codes, by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Longest delay that a `RetryInfo` can ask for; the retry policy has a lower bound.
const DELAY_S_MAX: u64 = 86_400 * 365;

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Reply {
    /// A reply whose head has come.
    #[allow(dead_code, reason = "nothing gives a reply in a build without gRPC")]
    pub fn new(http: StatusCode, headers: HeaderMap) -> Reply {
        Reply {
            http,
            status: headers,
            body: Vec::new(),
        }
    }

    /// What came behind the message.
    #[allow(dead_code, reason = "nothing gives a reply in a build without gRPC")]
    pub fn trailers(&mut self, trailers: HeaderMap) {
        self.status.extend(trailers);
    }

    /// The code; where there is none, the one that the status of HTTP stands for.
    fn code(&self) -> usize {
        let word = self.status.get("grpc-status").map(HeaderValue::as_bytes);
        if let Some(word) = word {
            let code = std::str::from_utf8(word)
                .ok()
                .and_then(|text| text.parse().ok());
            return code.filter(|code| *code < NAMES.len()).unwrap_or(2);
        }
        match self.http.as_u16() {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502 | 503 | 504 => 14,
            // A stream that ended without its status broke off.
            200 => 14,
            _ => 2,
        }
    }

    /// Whether the server knows the caller not, or not well enough: UNAUTHENTICATED or PERMISSION_DENIED.
    #[allow(dead_code, reason = "nothing gives a reply in a build without gRPC")]
    pub fn is_refusal(&self) -> bool {
        matches!(self.code(), 7 | 16)
    }

    /// What it means for `sent` records, spans or data points. `wall_ms` is the wall clock, for a `Retry-After` that is
    /// a date.
    pub(super) fn meaning(&self, sent: usize, wall_ms: i64) -> Meaning {
        let code = self.code();
        let words = self.words();
        let name = NAMES[code];
        let delay = self.delay(wall_ms);
        let verdict = match code {
            0 => return self.of_success(sent),
            8 | 11 if is_too_large(&words) => Verdict::TooLarge,
            1 | 4 | 10 | 11 | 14 | 15 => retry(name, delay),
            8 if delay.is_some() => retry(name, delay),
            7 | 12 | 16 => Verdict::Denied { why: name.into() },
            _ => Verdict::Rejected(name.into()),
        };
        verdict.into()
    }

    fn of_success(&self, sent: usize) -> Meaning {
        let message = match self.body.as_slice() {
            [0, _, _, _, _, message @ ..] => Export::decode(message).ok(),
            _ => None,
        };
        answer::of_export(message, sent)
    }

    /// The server's words: `grpc-message`, percent-encoded.
    fn words(&self) -> String {
        let text = self.status.get("grpc-message").map(HeaderValue::as_bytes);
        let text = String::from_utf8_lossy(text.unwrap_or_default());
        String::from_utf8_lossy(&super::environment::decode(&text)).into_owned()
    }

    /// What the server asks to wait, or in plain HTTP what stands in front of it.
    fn delay(&self, wall_ms: i64) -> Option<Duration> {
        if self.status.contains_key("grpc-status") {
            return self.retry_info();
        }
        let value = self.status.get(RETRY_AFTER)?;
        retry_after::parse(value.as_bytes(), wall_ms)
    }

    fn retry_info(&self) -> Option<Duration> {
        let details = self.status.get("grpc-status-details-bin")?;
        let status = Status::decode(base64(details.as_bytes())?.as_slice()).ok()?;
        let info = status
            .details
            .iter()
            .find(|detail| detail.kind.ends_with("/google.rpc.RetryInfo"))?;
        let delay = RetryInfo::decode(info.value.as_slice()).ok()?.delay?;
        let seconds = u64::try_from(delay.seconds).ok()?.min(DELAY_S_MAX);
        Some(Duration::new(
            seconds,
            u32::try_from(delay.nanos).ok()?.min(999_999_999),
        ))
    }
}

fn retry(name: &'static str, after: Option<Duration>) -> Verdict {
    Verdict::Retry {
        why: name.into(),
        after,
        answered: true,
    }
}

/// Whether a refusal is about the size of the message. The code alone does not say: it is also that of a quota.
///
/// Source: the texts of grpc-go and grpc-core (`received message larger than max`) and of tonic
/// (`decoded message length too large`), read 2026-11-25.
fn is_too_large(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    words.contains("larger than max") || words.contains("length too large")
}

/// RFC 4648 §4, with or without padding.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let end = text
        .iter()
        .rposition(|byte| *byte != b'=')
        .map_or(0, |last| last + 1);
    let mut bytes = Vec::with_capacity(end * 3 / 4);
    let mut group = 0u32;
    for (position, byte) in text[..end].iter().enumerate() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        group = group << 6 | u32::from(digit);
        if position % 4 > 0 {
            // Of 6 more bits, 8 are whole once 12, 18 or 24 have come.
            bytes.push((group >> (6 - 2 * (position % 4))) as u8);
        }
    }
    Some(bytes)
}
