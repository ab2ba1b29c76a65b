//! A preset at work: where its requests go, what it cannot send, and what becomes of records that were left out.

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tapline_core::sink::{Call, Outcome, Selection, Verdict};
use tapline_core::time::parse_rfc3339_ms;

use super::encode::Encoded;
use super::preset::Preset;
use super::target::{Occasion, Piece, Target};
use crate::shared::http::Answer;
use crate::shared::url::Url;

/// The service behind one sink.
pub(super) struct Service {
    preset: &'static Preset,
    base: Uri,
    target: Target,
    rendered: Vec<(HeaderName, Piece)>,
}

impl Service {
    pub fn new(
        preset: &'static Preset,
        target: Target,
        rendered: Vec<(HeaderName, Piece)>,
    ) -> Service {
        Service {
            preset,
            base: Uri::from_static("/"),
            target,
            rendered,
        }
    }

    /// The same at a URL.
    #[must_use]
    pub fn behind(mut self, url: &Url) -> Service {
        self.base = url.target.clone();
        self
    }

    /// Path and query of a request.
    pub fn target(&self, call: &Call<'_>, time_ms: i64) -> Result<Uri, Verdict> {
        let target = self.target.of(&self.base, &occasion(call, time_ms));
        target.ok_or_else(|| Verdict::Rejected("url".into()))
    }

    /// Adds the headers that differ from request to request; those without a value are left out.
    pub fn add_headers(&self, call: &Call<'_>, time_ms: i64, headers: &mut HeaderMap) {
        let occasion = occasion(call, time_ms);
        for (name, piece) in &self.rendered {
            let mut text = piece.text(&occasion);
            // What cannot be in a header is what nobody can read there either.
            for byte in &mut text {
                if !(b' '..=b'~').contains(byte) {
                    *byte = b'_';
                }
            }
            if let (false, Ok(value)) = (text.is_empty(), HeaderValue::from_bytes(&text)) {
                headers.insert(name.clone(), value);
            }
        }
    }

    /// Why a body is not sent: nothing is in it, or more than the service takes.
    pub fn unsendable(&self, records: &Selection, encoded: &Encoded) -> Option<Verdict> {
        if encoded.left.len() == records.len() {
            return Some(Verdict::Accepted);
        }
        let too_large = encoded.plain_bytes > self.preset.limits.body_bytes_max;
        too_large.then_some(Verdict::TooLarge)
    }

    /// What reads its answers.
    pub fn judge(&self) -> fn(&Answer, &Selection, i64) -> Outcome {
        self.preset.judge
    }
}

fn occasion<'a>(call: &Call<'a>, time_ms: i64) -> Occasion<'a> {
    Occasion {
        facts: call.facts,
        time_ms,
        batch_id: call.batch_id,
    }
}

/// The fates of all records: those that were left out have their own, the others that which `judge` gives them.
pub(super) fn outcome(
    records: &Selection,
    encoded: &Encoded,
    judge: impl FnOnce(&Selection) -> Outcome,
) -> Outcome {
    if encoded.left.is_empty() {
        return judge(records);
    }
    let mut left = encoded
        .left
        .iter()
        .map(|(position, _)| *position as usize)
        .peekable();
    let kept: Vec<usize> = (0..records.len())
        .filter(|position| left.next_if_eq(position).is_none())
        .collect();
    let sent = records.subset(kept.iter().copied());
    let judged = judge(&sent);
    let moved = judged
        .exceptions
        .into_iter()
        .filter_map(|(position, verdict)| Some((*kept.get(position as usize)? as u32, verdict)));
    Outcome {
        verdict: judged.verdict,
        exceptions: moved.chain(encoded.left.iter().cloned()).collect(),
    }
}

/// When the first record was written, which templates of the environment take dates from.
pub(super) fn time_of_first(records: &Selection, call: &Call<'_>) -> i64 {
    let first = records.records().next();
    let time = first.and_then(|(batch, record)| parse_rfc3339_ms(batch.bytes(record.time)));
    time.unwrap_or_else(|| call.world.wall_ms())
}
