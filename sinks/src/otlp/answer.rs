//! What a collector answers, and what that means for what it was sent.
//!
//! - 2xx: taken, but for as many as `partial_success` says were rejected; it never says which. The protocol has a
//!   message in every success, be it an empty one. Without it, because it broke off or because somebody else answered,
//!   nobody knows what was taken: tried again, and what was taken may be there twice.
//! - 429, 502, 503, 504: tried again, not before `Retry-After`.
//! - 413: sent again in two halves. The protocol calls that final; half of it may pass, though, and is tried once.
//! - anything else, redirects too: rejected, with the status as reason. The protocol forbids to try again.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>, read 2026-11-25.

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
    /// Bytes in place of text: whatever is in it, the count beside it holds.
    #[prost(bytes = "vec", tag = "2")]
    pub message: Vec<u8>,
}

/// `google.rpc.Status`, without its words, which may quote what was sent.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
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
    /// All were taken, and there are words beside it that a person should ask for.
    pub warns: bool,
}

impl From<Verdict> for Meaning {
    fn from(verdict: Verdict) -> Meaning {
        Meaning {
            outcome: verdict.into(),
            warns: false,
        }
    }
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

/// What an answer means for `sent` records, spans or data points. `wall_ms` is the wall clock, for a `Retry-After`
/// that is a date.
pub(super) fn meaning(answer: &Answer, sent: usize, wall_ms: i64) -> Meaning {
    let status = answer.status;
    let word = || status.as_str().to_owned();
    let verdict = match status.as_u16() {
        200..=299 => {
            let export = export(answer).filter(|_| answer.whole);
            return of_export(export, sent);
        }
        413 => Verdict::TooLarge,
        // They speak of credentials, permissions and the address, not of the records: those stay.
        401 | 403 | 404 => Verdict::Denied { why: word().into() },
        429 | 502 | 503 | 504 => {
            let after = answer.headers.get(RETRY_AFTER);
            Verdict::Retry {
                why: word().into(),
                after: after.and_then(|value| retry_after::parse(value.as_bytes(), wall_ms)),
                answered: true,
            }
        }
        _ => Verdict::Rejected(word().into()),
    };
    verdict.into()
}

/// What a success means: that of the message in it, where it is one.
pub(super) fn of_export(export: Option<Export>, sent: usize) -> Meaning {
    match export {
        Some(export) => of_partial(&export.partial.unwrap_or_default(), sent),
        None => Meaning::from(Verdict::Retry {
            why: "not_otlp".into(),
            after: None,
            answered: true,
        }),
    }
}

/// What `partial_success` means. Which were rejected is not said: the last ones are counted.
fn of_partial(partial: &Partial, sent: usize) -> Meaning {
    let rejected = usize::try_from(partial.rejected).unwrap_or(0).min(sent);
    let rejection = || Verdict::Unnamed(PARTIAL.into());
    let positions = (sent - rejected) as u32..sent as u32;
    let exceptions = positions.map(|at| (at, rejection())).collect();
    Meaning {
        outcome: Outcome {
            verdict: Verdict::Accepted,
            exceptions,
        },
        warns: rejected == 0 && !partial.message.is_empty(),
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
        message: member(partial, &["errorMessage"])
            .and_then(json::string_inside)
            .map_or_else(Vec::new, <[u8]>::to_vec),
    });
    Some(Export { partial })
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
