//! One object: lines that are added until it is large or old enough, and what travels then.

use std::time::Duration;

use bytes::Bytes;
use flate2::Crc;
use hyper::header::HeaderValue;
use sha2::{Digest as _, Sha256};
use tapline_core::batch::{Batch, Slice};
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::line;
use tapline_core::sink::{Call, Holding, Selection};
use tapline_core::template::{Moment, Template};
use tapline_core::time::parse_rfc3339_ms;
use tapline_core::view::{Scratch, Surroundings, View};
use tapline_core::world::Instant;

use crate::buffer::{Buffer, lines_bytes};
use crate::parquet;
use crate::shared::coder::Coder;
use crate::shared::headers::base64;
use crate::shared::sigv4::hex;

/// Longest key, in bytes of UTF-8.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>, read 2026-11-25.
const KEY_BYTES_MAX: usize = 1_024;

/// What proves that the object came as it was sent, beside the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Crc32,
    Sha256,
    None,
}

/// What an object is made of.
pub(super) enum Form {
    /// Lines of JSON, compressed or not.
    Lines(Coder),
    /// Rows while it grows, and columns as it travels: Parquet.
    Columns,
}

/// What an object is made by.
pub(super) struct Plan {
    pub key: Template,
    pub size_max: usize,
    pub age_max: Duration,
    pub form: Form,
    pub checksum: Checksum,
}

/// An object that grows, and then the one that travels.
pub(super) struct Object {
    plan: Plan,
    plain: Buffer,
    since: Instant,
    /// The first record, without its text.
    first: Option<Batch>,
    /// The number of the next object.
    seq: u64,
    sealed: Option<Sealed>,
}

/// What travels, the same on every attempt.
pub(super) struct Sealed {
    pub key: String,
    pub body: Bytes,
    pub content_type: &'static str,
    pub sha256: HeaderValue,
    pub checksum: Option<(&'static str, HeaderValue)>,
    /// Requests that were made for this key.
    pub attempts: u32,
    /// What the body is charged to.
    _charge: Buffer,
}

impl Object {
    pub fn new(plan: Plan) -> Object {
        Object {
            plan,
            plain: Buffer::default(),
            since: Instant::default(),
            first: None,
            seq: 0,
            sealed: None,
        }
    }

    /// Asks for columns although the key does not.
    #[cfg(test)]
    pub fn write_columns(&mut self) {
        self.plan.form = Form::Columns;
    }

    /// Bytes at which it is sent.
    pub fn size_max(&self) -> usize {
        self.plan.size_max
    }

    /// Adds the lines or rows of these records.
    pub fn add(&mut self, records: &Selection, call: &Call<'_>) {
        if self.first.is_none() {
            self.since = call.world.now();
            self.first = first_of(records);
        }
        let more = self.plain.bytes.len() + lines_bytes(records);
        self.plain.reserve(more, call.budget);
        for (batch, record) in records.records() {
            match self.plan.form {
                Form::Lines(_) => {
                    line::write(batch, record, &mut self.plain.bytes);
                    self.plain.bytes.push(b'\n');
                }
                Form::Columns => parquet::push(batch, record, &mut self.plain.bytes),
            }
        }
        self.plain.settle(call.budget);
    }

    pub fn holding(&self) -> Holding {
        if self.sealed.is_some() || self.plain.bytes.len() >= self.plan.size_max {
            return Holding::Full;
        }
        match self.plain.bytes.len() {
            0 => Holding::Nothing,
            _ => Holding::Until(self.since + self.plan.age_max),
        }
    }

    /// What travels; made with the first attempt.
    ///
    /// # Errors
    ///
    /// Why there is none: the encoder of Parquet refused.
    pub fn seal(&mut self, call: &Call<'_>) -> Result<&mut Sealed, String> {
        let sealed = match self.sealed.take() {
            Some(sealed) => sealed,
            None => self.sealed_now(call)?,
        };
        Ok(self.sealed.insert(sealed))
    }

    fn sealed_now(&mut self, call: &Call<'_>) -> Result<Sealed, String> {
        let mut charge = std::mem::take(&mut self.plain);
        let mut packed = Buffer::default();
        match &mut self.plan.form {
            Form::Lines(coder) => {
                if coder.pack_always(&charge.bytes, &mut packed, call.budget) {
                    charge = packed;
                }
            }
            Form::Columns => {
                let rows = std::mem::take(&mut charge.bytes);
                parquet::encode(rows.into(), &mut packed, call.budget)?;
                charge = packed;
            }
        }
        let body: Bytes = std::mem::take(&mut charge.bytes).into();
        let hash = Sha256::digest(&body);
        let header = |text: String| {
            HeaderValue::from_str(&text).expect("hex and base64 may stand in a header")
        };
        let checksum = match self.plan.checksum {
            Checksum::Crc32 => {
                let mut crc = Crc::new();
                crc.update(&body);
                Some((
                    "x-amz-checksum-crc32",
                    header(base64(&crc.sum().to_be_bytes())),
                ))
            }
            Checksum::Sha256 => Some(("x-amz-checksum-sha256", header(base64(&hash)))),
            Checksum::None => None,
        };
        Ok(Sealed {
            key: self.key(call.facts),
            sha256: header(hex(&hash)),
            checksum,
            body,
            content_type: match self.plan.form {
                Form::Lines(Coder::Gzip(_)) => "application/gzip",
                Form::Lines(Coder::Zstd(_)) => "application/zstd",
                Form::Lines(Coder::None) => "application/x-ndjson",
                Form::Columns => "application/vnd.apache.parquet",
            },
            attempts: 0,
            _charge: charge,
        })
    }

    /// Another object has the key: the next number is taken.
    pub fn take_another_key(&mut self, facts: &Facts) {
        let key = self.key(facts);
        if let Some(sealed) = &mut self.sealed {
            sealed.key = key;
            sealed.attempts = 0;
        }
    }

    /// It is stored, or refused for good.
    pub fn clear(&mut self, budget: &Budget) {
        self.forget();
        self.plain.rest(budget);
    }

    /// It was counted as dropped.
    pub fn forget(&mut self) {
        self.sealed = None;
        self.first = None;
        self.plain = Buffer::default();
    }

    /// The key of the first record with the next number.
    fn key(&mut self, facts: &Facts) -> String {
        let Some(first) = &self.first else {
            return String::new();
        };
        let Some(record) = first.records().first() else {
            return String::new();
        };
        let (invocations, scratch) = (Invocations::default(), Scratch::default());
        let around = Surroundings {
            facts,
            invocations: &invocations,
            scratch: &scratch,
        };
        let time = parse_rfc3339_ms(first.bytes(record.time));
        let moment = Moment {
            time_ms: time.unwrap_or(first.arrived_ms()),
            seq: self.seq,
        };
        self.seq += 1;
        let mut bytes = Vec::new();
        let view = View::new(first, record, around);
        self.plan.key.render(&view, &moment, &mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let key = text.trim_start_matches('/');
        let mut end = key.len().min(KEY_BYTES_MAX);
        while !key.is_char_boundary(end) {
            end -= 1;
        }
        key[..end].to_owned()
    }
}

/// A copy of the first record, which the key is made of: it may be sent long after the batch is gone.
fn first_of(records: &Selection) -> Option<Batch> {
    let (batch, record) = records.records().next()?;
    let at = batch
        .records()
        .iter()
        .position(|other| std::ptr::eq(other, record))?;
    let mut copy = batch.compact(std::iter::once(at));
    // The text of the record is no part of a key.
    copy.records_mut()[0].value = Slice::EMPTY;
    Some(copy)
}
