//! Joins a record that the platform cut at `maxBytes` and continued in its next POST.
//!
//! ```text
//! POST 1: [{…},{"time":"T","type":"function","record":{"message":"AAAA}]
//! POST 2: [{"time":"T","type":"function","record":BBBB"}},{…}]
//! ```
//!
//! The first part ends with `}]` that belongs to no value; the second begins with the same envelope, byte for byte,
//! and goes on where the first was cut, be that inside an escape or inside a character. A record may be cut more than
//! once. Source: <https://github.com/DataDog/datadog-lambda-extension/pull/1357>, read 2026-11-23.

use tapline_core::budget::Charge;
use tapline_core::json;
use tapline_core::limits::{FRAGMENT_BYTES_MAX, FRAGMENT_WAIT};
use tapline_core::world::Instant;

use super::split::{Form, Piece, Splitter};

/// A first part that waits for its second. Holds at most [`FRAGMENT_BYTES_MAX`] bytes, charged to the budget.
#[derive(Debug)]
pub(super) struct Fragment {
    /// `[` and the text up to the cut, as it came.
    bytes: Vec<u8>,
    /// Length of the bracket and the envelope up to the value.
    envelope: usize,
    /// Its place in the budget.
    pub charge: Charge,
    /// When its last part came.
    pub since: Instant,
    /// The wall clock of its first part.
    pub arrived_ms: i64,
}

/// What the next body is to a fragment.
pub(super) enum Next {
    /// It completes the record, whose text this is. What is left of the body is an array again.
    Joined(Vec<u8>, Charge),
    /// It is nothing but a further part.
    Longer(Fragment),
    /// It has nothing to do with it.
    Unrelated(Fragment),
}

impl Fragment {
    /// Keeps a first part whose value begins at `value`; `None` when it is too long or does not fit into the budget.
    pub fn new(
        text: &[u8],
        value: usize,
        budget: &tapline_core::budget::Budget,
        since: Instant,
        arrived_ms: i64,
    ) -> Option<Fragment> {
        if text.len() > FRAGMENT_BYTES_MAX {
            return None;
        }
        let charge = budget.charge(text.len() + 1)?;
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.push(b'[');
        bytes.extend_from_slice(text);
        Some(Fragment {
            bytes,
            envelope: value + 1,
            charge,
            since,
            arrived_ms,
        })
    }

    /// When it has waited long enough.
    pub fn due(&self) -> Instant {
        self.since + FRAGMENT_WAIT
    }

    /// The body as it would have come with this element alone.
    pub fn into_body(mut self) -> (Vec<u8>, Charge, i64) {
        self.bytes.extend_from_slice(b"}]");
        (self.bytes, self.charge, self.arrived_ms)
    }

    /// Continues the record with the next body, of which only the other elements are left where that completes it.
    pub fn continue_with(mut self, body: &mut Vec<u8>, now: Instant) -> Next {
        let open = json::skip_space(body, 0);
        let start = json::skip_space(body, open + 1);
        let envelope = &self.bytes[1..self.envelope];
        if body.get(open) != Some(&b'[') || !body[start..].starts_with(envelope) {
            return Next::Unrelated(self);
        }
        let resumed = start + envelope.len();
        let held = self.bytes.len();
        // Counted though it may not fit: it is let go again before the next body is looked at.
        self.charge.grow_over(body.len() - resumed);
        self.bytes.reserve_exact(body.len() - resumed);
        self.bytes.extend_from_slice(&body[resumed..]);
        let mut splitter = Splitter::new(Form::Array);
        match splitter.next(&self.bytes) {
            Some(Piece::Element(_)) if splitter.offset() > held => {
                let end = splitter.offset();
                let next = json::skip_space(body, resumed + (end - held));
                let left = match body.get(next) {
                    Some(b',') => next,
                    Some(b']') => next - 1,
                    _ => return self.back_to(held),
                };
                body[left] = b'[';
                body.drain(..left);
                self.bytes.truncate(end);
                self.bytes.drain(..1);
                self.bytes.shrink_to_fit();
                Next::Joined(self.bytes, self.charge)
            }
            Some(Piece::Cut(cut)) if cut.text.len() <= FRAGMENT_BYTES_MAX => {
                self.bytes.truncate(cut.text.end);
                self.bytes.shrink_to_fit();
                self.charge.shrink_to(self.bytes.capacity());
                self.since = now;
                Next::Longer(self)
            }
            _ => self.back_to(held),
        }
    }

    fn back_to(mut self, held: usize) -> Next {
        self.bytes.truncate(held);
        self.bytes.shrink_to_fit();
        self.charge.shrink_to(self.bytes.capacity());
        Next::Unrelated(self)
    }
}

/// Whether the text before a body's final `}]` ends inside a character: a cut that only the raw bytes survive.
pub(super) fn cut_inside_character(body: &[u8]) -> bool {
    let Some(text) = body.trim_ascii_end().strip_suffix(b"}]") else {
        return false;
    };
    let tail = &text[text.len().saturating_sub(3)..];
    tail.iter()
        .rposition(|byte| *byte >= 0xC0)
        .is_some_and(|lead| {
            let wanted = match tail[lead] {
                0xF0.. => 4,
                0xE0.. => 3,
                _ => 2,
            };
            tail.len() - lead < wanted && tail[lead + 1..].iter().all(|byte| byte & 0xC0 == 0x80)
        })
}
