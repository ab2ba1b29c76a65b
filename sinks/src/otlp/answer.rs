//! What a collector answers, and what that means for what it was sent.
//!
//! - 2xx: taken, but for as many as `partial_success` says were rejected; it never says which.
//! - 429, 502, 503, 504: tried again, not before `Retry-After`.
//! - 413: sent again in two halves. The protocol calls that final; half of it may pass, though, and is tried once.
//! - anything else, redirects too: rejected, with the status as reason. The protocol forbids to try again.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>, read 2026-11-25.

use std::borrow::Cow;

use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use prost::Message;
use tapline_core::json;
use tapline_core::sink::{Outcome, Verdict};

use crate::shared::http::Answer;
use crate::shared::retry_after;

/// Reason in the ledger of what `partial_success` says was rejected.
const PARTIAL: &str = "partial_success";

/// `ExportLogsServiceResponse`; those of metrics and traces have the same form.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Export {
    #[prost(message, optional, tag = "1")]
    pub partial: Option<Partial>,
}

/// `ExportLogsPartialSuccess` and its like.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Partial {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `google.rpc.Status`: the body of an answer that is no success.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(message, repeated, tag = "3")]
    pub details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Detail {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// What becomes of what was sent.
    pub outcome: Outcome,
    /// What the collector says that a person should read.
    pub remark: Option<Remark>,
}

impl Meaning {
    /// All of it was refused.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.outcome.verdict,
            Verdict::Rejected(_) | Verdict::Denied { .. }
        )
    }

    /// It was taken, at least in part.
    pub fn is_success(&self) -> bool {
        self.outcome.verdict == Verdict::Accepted
    }
}

/// What is worth a line in the log, each sort once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remark {
    /// So many were rejected, with its words.
    Rejected(u64, String),
    /// All were taken, and it has something to say.
    Warning(String),
    /// It refused everything: the status, and its words.
    Refused(String, String),
    /// It took everything, and speaks another protocol.
    Foreign,
}

/// What an answer means for `sent` records, spans or data points. `wall_ms` is the wall clock, for a `Retry-After`
/// that is a date.
pub(super) fn meaning(answer: &Answer, sent: usize, wall_ms: i64) -> Meaning {
    let status = answer.status;
    let word = || status.as_str().to_owned();
    let (verdict, remark) = match status.as_u16() {
        200..=299 => {
            return match export(answer) {
                Some(export) => of_partial(export.partial.unwrap_or_default(), sent),
                None => Meaning {
                    outcome: Verdict::Accepted.into(),
                    remark: Some(Remark::Foreign),
                },
            };
        }
        413 => (Verdict::TooLarge, None),
        // They speak of credentials, permissions and the address, not of the records: those stay.
        401 | 403 | 404 => (Verdict::Denied { why: word().into() }, None),
        429 | 502 | 503 | 504 => {
            let after = answer.headers.get(RETRY_AFTER);
            let verdict = Verdict::Retry {
                why: word().into(),
                after: after.and_then(|value| retry_after::parse(value.as_bytes(), wall_ms)),
                answered: true,
            };
            (verdict, None)
        }
        _ => {
            let remark = Remark::Refused(word(), status_message(answer));
            (Verdict::Rejected(word().into()), Some(remark))
        }
    };
    Meaning {
        outcome: verdict.into(),
        remark,
    }
}

/// What `partial_success` means. Which were rejected is not said: the first ones stand for them in the count.
pub(super) fn of_partial(partial: Partial, sent: usize) -> Meaning {
    let rejected = usize::try_from(partial.rejected).unwrap_or(0).min(sent);
    let rejection = || Verdict::Rejected(Cow::Borrowed(PARTIAL));
    let exceptions = (0..rejected as u32).map(|at| (at, rejection())).collect();
    let remark = match (rejected, partial.message.is_empty()) {
        (0, true) => None,
        (0, false) => Some(Remark::Warning(partial.message)),
        _ => Some(Remark::Rejected(rejected as u64, partial.message)),
    };
    Meaning {
        outcome: Outcome {
            verdict: Verdict::Accepted,
            exceptions,
        },
        remark,
    }
}

fn is_json(answer: &Answer) -> bool {
    let kind = answer.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    match kind {
        Some(kind) if kind.starts_with(b"application/json") => true,
        Some(kind) if kind.starts_with(b"application/x-protobuf") => false,
        // A wrong or missing type: no protobuf of this protocol begins with a brace.
        _ => answer.body.trim_ascii().first() == Some(&b'{'),
    }
}

/// An empty body is a success without words in both forms.
fn export(answer: &Answer) -> Option<Export> {
    if !is_json(answer) {
        return Export::decode(answer.body.as_slice()).ok();
    }
    let text = answer.body.as_slice();
    let whole = match json::whole_value(text) {
        Some(whole) => whole,
        None if text.trim_ascii().is_empty() => return Some(Export::default()),
        None => return None,
    };
    if text.get(whole.start) != Some(&b'{') {
        return None;
    }
    let partial = member(text.get(whole)?, &["partialSuccess"]).map(|partial| Partial {
        rejected: member(
            partial,
            &["rejectedLogRecords", "rejectedDataPoints", "rejectedSpans"],
        )
        .map_or(0, count),
        message: member(partial, &["errorMessage"]).map_or_else(String::new, text_of),
    });
    Some(Export { partial })
}

fn status_message(answer: &Answer) -> String {
    if is_json(answer) {
        let text = json::whole_value(&answer.body).and_then(|whole| answer.body.get(whole));
        return text
            .and_then(|text| member(text, &["message"]))
            .map_or_else(String::new, text_of);
    }
    Status::decode(answer.body.as_slice()).map_or_else(|_| String::new(), |status| status.message)
}

/// A member of a JSON object under one of these names.
fn member<'a>(object: &'a [u8], names: &[&str]) -> Option<&'a [u8]> {
    json::members(object, 0..object.len())
        .find(|(key, _)| {
            names
                .iter()
                .any(|name| json::key_is(&object[key.clone()], name))
        })
        .map(|(_, value)| &object[value])
}

/// 64 bits are strings in OTLP's JSON; some collectors write a number.
fn count(raw: &[u8]) -> i64 {
    let digits = json::string_inside(raw).unwrap_or(raw);
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or(0)
}

fn text_of(raw: &[u8]) -> String {
    let inside = json::string_inside(raw).unwrap_or_default();
    String::from_utf8_lossy(&json::unescape(inside)).into_owned()
}

/// What is said in place of a collector's words: they may quote a record or a header, and stay out of the log.
fn hint(words: &str) -> &'static str {
    if words.is_empty() {
        ""
    } else {
        "; its reason is not logged, since it may quote what was sent"
    }
}

impl Remark {
    /// Each sort is said once.
    pub fn sort(&self) -> usize {
        match self {
            Remark::Rejected(..) => 0,
            Remark::Warning(_) => 1,
            Remark::Refused(..) => 2,
            Remark::Foreign => 3,
        }
    }

    /// The line in the log; `signal` is what was sent.
    pub fn line(&self, sink: &str, signal: &str) -> String {
        match self {
            Remark::Rejected(count, words) => format!(
                "{sink} rejected {count} of the {signal} of a request{}",
                hint(words)
            ),
            Remark::Warning(words) => {
                format!("{sink} took all {signal}, and warns{}", hint(words))
            }
            Remark::Refused(status, words) => format!(
                "{sink} refused {signal} with {status}; they are not sent again{}",
                hint(words)
            ),
            Remark::Foreign => format!(
                "{sink} answered {signal} with success, but not as a collector does: is the endpoint right?"
            ),
        }
    }
}
