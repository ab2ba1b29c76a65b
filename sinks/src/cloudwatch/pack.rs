//! Messages into requests: oldest first, each as full as the limits of PutLogEvents allow.

use std::rc::Rc;

use tapline_core::batch::{Batch, Record};
use tapline_core::budget::Budget;
use tapline_core::json;
use tapline_core::sink::Selection;
use tapline_core::time::parse_rfc3339_ms;

use super::message::Writer;
use crate::buffer::Buffer;

/// Bytes of all messages of a request, with [`EVENT_OVERHEAD_BYTES`] for each.
///
/// Source, of this and the next five:
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>, read 2026-11-25.
pub(super) const REQUEST_BYTES_MAX: usize = 1_048_576;

/// What a message counts for beside its own bytes.
pub(super) const EVENT_OVERHEAD_BYTES: usize = 26;

/// Events of a request.
pub(super) const REQUEST_EVENTS_MAX: usize = 10_000;

/// From the first to the last event of a request, in milliseconds: 24 h.
pub(super) const REQUEST_SPAN_MS_MAX: i64 = 86_400_000;

/// How old an event may be, in milliseconds: 14 days.
pub(super) const AGE_MS_MAX: i64 = 14 * 86_400_000;

/// How far ahead of the clock an event may be, in milliseconds: 2 h.
pub(super) const AHEAD_MS_MAX: i64 = 7_200_000;

/// Bytes of one message: what a request of its own has room for.
pub(super) const MESSAGE_BYTES_MAX: usize = REQUEST_BYTES_MAX - EVENT_OVERHEAD_BYTES;

/// Bytes of a request's JSON. Only control characters, six bytes each once they are escaped, come near it. AWS states
/// no bound of its own; one message alone may exceed this one.
const JSON_BYTES_MAX: usize = 4 << 20;

/// What to do with a message of more than [`MESSAGE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oversize {
    /// Several events of the same time, cut between characters.
    Split,
    /// Its beginning, and how much was cut off.
    Truncate,
    /// It is rejected as `too_large`.
    Drop,
}

/// A record in the order in which it is sent.
struct Item<'a> {
    time_ms: i64,
    /// In the selection.
    position: u32,
    batch: &'a Batch,
    record: &'a Record,
}

/// One request.
pub(super) struct Request {
    /// Its JSON.
    pub body: Buffer,
    /// Which record each event is of, in the order of the events.
    pub positions: Vec<u32>,
}

/// Cuts a selection into requests, one at a time.
pub(super) struct Packer<'a> {
    items: Vec<Item<'a>>,
    next: usize,
    /// What is left of a record that is being split, decoded, and how much of it went.
    split: Option<(Vec<u8>, usize)>,
    oversize: Oversize,
    /// What comes before the events, as far as `"logEvents":[`.
    head: Rc<[u8]>,
    /// Records that are in no request, and why.
    pub refused: Vec<(u32, &'static str)>,
}

/// How an event fits into a request.
enum Fit {
    Taken,
    Full,
    /// Larger than an event may be: it was handled in another way.
    Oversize,
}

/// A request while it is filled.
struct Filling {
    request: Request,
    bytes: usize,
    first_ms: i64,
}

impl<'a> Packer<'a> {
    /// Sorts the records by time, those of one time in the order of their arrival. Those that CloudWatch would refuse
    /// for their time are taken out.
    pub fn new(
        records: &'a Selection,
        wall_ms: i64,
        oversize: Oversize,
        head: Rc<[u8]>,
    ) -> Packer<'a> {
        let mut refused = Vec::new();
        let mut items = Vec::with_capacity(records.len());
        for (position, (batch, record)) in records.records().enumerate() {
            let time = parse_rfc3339_ms(batch.bytes(record.time));
            let time_ms = time.unwrap_or(batch.arrived_ms()).max(0);
            let position = position as u32;
            match time_ms.saturating_sub(wall_ms) {
                ahead if ahead > AHEAD_MS_MAX => refused.push((position, "too_new")),
                ahead if ahead < -AGE_MS_MAX => refused.push((position, "too_old")),
                _ => items.push(Item {
                    time_ms,
                    position,
                    batch,
                    record,
                }),
            }
        }
        items.sort_by_key(|item| item.time_ms);
        Packer {
            items,
            next: 0,
            split: None,
            oversize,
            head,
            refused,
        }
    }

    /// The next request, in a buffer that is charged. `None` when all records are in one.
    pub fn next(&mut self, writer: &mut Writer, budget: &Budget) -> Option<Request> {
        let mut filling = Filling {
            request: Request {
                body: Buffer::default(),
                positions: Vec::new(),
            },
            bytes: 0,
            first_ms: 0,
        };
        filling.request.body.reserve(self.estimate(), budget);
        filling.request.body.bytes.extend_from_slice(&self.head);
        while self.next < self.items.len() {
            let fit = match self.split.take() {
                Some((text, at)) => self.add_part(text, at, &mut filling),
                None => self.add(writer, &mut filling),
            };
            if let Fit::Full = fit {
                break;
            }
        }
        let Filling { mut request, .. } = filling;
        if request.positions.is_empty() {
            return None;
        }
        request.body.bytes.pop();
        request.body.bytes.extend_from_slice(b"]}");
        request.body.settle(budget);
        Some(request)
    }

    /// The records that are in no request yet, those included of which only a part is.
    pub fn rest(&self) -> impl Iterator<Item = u32> {
        self.items[self.next..].iter().map(|item| item.position)
    }

    /// About how many bytes the next request takes.
    fn estimate(&self) -> usize {
        let rest = self.items[self.next..].iter().take(REQUEST_EVENTS_MAX);
        let bytes: usize = rest
            .map(|item| item.batch.weight(item.record) + EVENT_JSON_BYTES)
            .sum();
        bytes.min(REQUEST_BYTES_MAX * 5 / 4) + self.head.len()
    }

    /// Adds the next record, whole.
    fn add(&mut self, writer: &mut Writer, filling: &mut Filling) -> Fit {
        let item = &self.items[self.next];
        let (time_ms, position) = (item.time_ms, item.position);
        let out = &mut filling.request.body.bytes;
        let mark = out.len();
        begin(time_ms, out);
        let start = out.len();
        let length = writer.write(item.batch, item.record, out);
        if length > MESSAGE_BYTES_MAX {
            let text = json::unescape(&out[start..]).into_owned();
            out.truncate(mark);
            return self.oversize(text, filling);
        }
        let fit = filling.end(mark, time_ms, position, length);
        if let Fit::Taken = fit {
            self.next += 1;
        }
        fit
    }

    fn oversize(&mut self, text: Vec<u8>, filling: &mut Filling) -> Fit {
        let Item {
            time_ms, position, ..
        } = self.items[self.next];
        match self.oversize {
            Oversize::Split => self.add_part(text, 0, filling),
            Oversize::Drop => {
                self.refused.push((position, "too_large"));
                self.next += 1;
                Fit::Oversize
            }
            Oversize::Truncate => {
                let text = truncated(&text);
                let fit = filling.add(time_ms, position, &text);
                if let Fit::Taken = fit {
                    self.next += 1;
                }
                fit
            }
        }
    }

    /// Adds the next part of a record that is too large for one event.
    fn add_part(&mut self, text: Vec<u8>, at: usize, filling: &mut Filling) -> Fit {
        let Item {
            time_ms, position, ..
        } = self.items[self.next];
        let end = boundary(&text, (at + MESSAGE_BYTES_MAX).min(text.len()));
        let fit = filling.add(time_ms, position, &text[at..end]);
        match fit {
            Fit::Taken if end == text.len() => self.next += 1,
            Fit::Taken => self.split = Some((text, end)),
            _ => self.split = Some((text, at)),
        }
        fit
    }
}

/// `{"timestamp":1773480413589,"message":""},`.
const EVENT_JSON_BYTES: usize = 42;

fn begin(time_ms: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"timestamp\":");
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = time_ms.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b",\"message\":\"");
}

impl Filling {
    fn add(&mut self, time_ms: i64, position: u32, text: &[u8]) -> Fit {
        let out = &mut self.request.body.bytes;
        let mark = out.len();
        begin(time_ms, out);
        json::escape_into(text, out);
        self.end(mark, time_ms, position, text.len())
    }

    /// Ends the event that began at `mark`, or takes it out again where the request has no room for it.
    fn end(&mut self, mark: usize, time_ms: i64, position: u32, length: usize) -> Fit {
        let is_first = self.request.positions.is_empty();
        let bytes = self.bytes + length + EVENT_OVERHEAD_BYTES;
        let out = &mut self.request.body.bytes;
        let full = bytes > REQUEST_BYTES_MAX
            || self.request.positions.len() == REQUEST_EVENTS_MAX
            || time_ms - self.first_ms > REQUEST_SPAN_MS_MAX
            || out.len() > JSON_BYTES_MAX;
        if full && !is_first {
            out.truncate(mark);
            return Fit::Full;
        }
        if is_first {
            self.first_ms = time_ms;
        }
        out.extend_from_slice(b"\"},");
        self.bytes = bytes;
        self.request.positions.push(position);
        Fit::Taken
    }
}

/// The end of the last whole character before `end`.
fn boundary(text: &[u8], end: usize) -> usize {
    let is_inside = |at: usize| text.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (0..4)
        .map(|back| end.saturating_sub(back))
        .find(|at| !is_inside(*at))
        .unwrap_or(end)
}

/// The beginning of a text, and how many bytes of it are missing.
fn truncated(text: &[u8]) -> Vec<u8> {
    // The number has as many digits as that of all bytes at most.
    let marker_bytes = "...[truncated  bytes]".len() + text.len().to_string().len();
    let end = boundary(text, MESSAGE_BYTES_MAX - marker_bytes);
    let mut out = text[..end].to_vec();
    let marker = format!("...[truncated {} bytes]", text.len() - end);
    out.extend_from_slice(marker.as_bytes());
    out
}

#[cfg(test)]
mod tests;
