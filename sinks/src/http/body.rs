//! Bodies of presets: records one after the other, each as the service wants it, none that it would not take.

use std::time::Duration;

use tapline_core::sink::{Selection, Verdict};

use super::document::{Member, Object};
use super::seen::{Eyes, Seen};
use super::target::Occasion;

/// What a service takes. Sizes are those of the encoded form, before compression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Records of one request.
    pub records_max: usize,
    /// Bytes of one request.
    pub body_bytes_max: usize,
    /// Bytes of one record.
    pub record_bytes_max: usize,
    /// Older records are thrown away by the service without a word, so they are rejected here.
    pub age_max: Option<Duration>,
}

/// Records that are not in a body, by position, and why.
pub(super) type Left = Vec<(u32, Verdict)>;

/// Writes bodies.
pub(super) trait Body {
    /// Appends the body for these records, the same for the same records.
    fn write(&mut self, records: &Selection, paper: &Paper<'_>, out: &mut Vec<u8>) -> Left;
}

/// What a body is written with.
pub(super) struct Paper<'a> {
    pub eyes: &'a Eyes,
    pub occasion: Occasion<'a>,
    pub limits: Limits,
    pub wall_ms: i64,
}

impl Paper<'_> {
    /// Why a record of this time is not sent.
    pub fn too_old(&self, time_ms: i64) -> Option<Verdict> {
        let age_max = self.limits.age_max?;
        let age_ms = self.wall_ms.saturating_sub(time_ms);
        (age_ms > age_max.as_millis() as i64).then(|| Verdict::Rejected("too_old".into()))
    }

    /// Why a record of this size is not sent.
    pub fn too_large(&self, bytes: usize) -> Option<Verdict> {
        (bytes > self.limits.record_bytes_max).then(|| Verdict::Rejected("too_large".into()))
    }
}

/// Writes what stands around the records, from what is known of the environment.
type Around = Box<dyn Fn(&Occasion<'_>, &mut Vec<u8>)>;
/// Writes something before a record.
type Before = Box<dyn Fn(&Seen<'_>, &mut Vec<u8>)>;
/// Writes the members of a record's object.
type Item = Box<dyn Fn(&Seen<'_>, &mut Object<'_>)>;

/// One JSON object a record.
pub(super) struct Items {
    pub open: Around,
    pub before: Option<Before>,
    pub item: Item,
    pub between: &'static str,
    pub after: &'static str,
    pub close: &'static str,
    written: Vec<Member>,
}

impl Items {
    /// `[`, objects with commas between them, `]`.
    pub fn array(item: impl Fn(&Seen<'_>, &mut Object<'_>) + 'static) -> Items {
        Items {
            open: Box::new(|_, out| out.push(b'[')),
            before: None,
            item: Box::new(item),
            between: ",",
            after: "",
            close: "]",
            written: Vec::new(),
        }
    }

    /// A line each.
    pub fn lines(item: impl Fn(&Seen<'_>, &mut Object<'_>) + 'static) -> Items {
        Items {
            open: Box::new(|_, _| {}),
            between: "",
            after: "\n",
            close: "",
            ..Items::array(item)
        }
    }
}

impl Body for Items {
    fn write(&mut self, records: &Selection, paper: &Paper<'_>, out: &mut Vec<u8>) -> Left {
        let mut left = Left::new();
        (self.open)(&paper.occasion, out);
        let first = out.len();
        for (position, (batch, record)) in records.records().enumerate() {
            let seen = paper.eyes.see(batch, record, paper.occasion.facts);
            if let Some(verdict) = paper.too_old(seen.time_ms) {
                left.push((position as u32, verdict));
                continue;
            }
            let start = out.len();
            if start > first {
                out.extend_from_slice(self.between.as_bytes());
            }
            if let Some(before) = &self.before {
                before(&seen, out);
            }
            let mut object = Object::open(out, &mut self.written);
            (self.item)(&seen, &mut object);
            object.close();
            out.extend_from_slice(self.after.as_bytes());
            if let Some(verdict) = paper.too_large(out.len() - start) {
                out.truncate(start);
                left.push((position as u32, verdict));
            }
        }
        out.extend_from_slice(self.close.as_bytes());
        left
    }
}
