//! Records into the body of a request, in one pass, into buffers that are used again.

use bytes::Bytes;
use tapline_core::budget::Budget;
use tapline_core::json;
use tapline_core::line;
use tapline_core::sink::{Call, Selection};

use super::body::{Left, Limits, Paper};
use super::preset::Writer;
use super::seen::Eyes;
use super::target::Occasion;
use crate::buffer::{Buffer, lines_bytes};
use crate::shared::coder::Coder;

/// How records become a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A line of JSON each.
    Ndjson,
    /// One array.
    JsonArray,
    /// The message, a line each.
    Text,
}

impl Framing {
    pub fn content_type(self) -> &'static str {
        match self {
            Framing::Ndjson => "application/x-ndjson",
            Framing::JsonArray => "application/json",
            Framing::Text => "text/plain; charset=utf-8",
        }
    }

    fn write(self, records: &Selection, eyes: &Eyes, call: &Call<'_>, out: &mut Vec<u8>) {
        match self {
            Framing::Ndjson => {
                for (batch, record) in records.records() {
                    line::write(batch, record, out);
                    out.push(b'\n');
                }
            }
            Framing::JsonArray => {
                out.push(b'[');
                for (position, (batch, record)) in records.records().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    line::write(batch, record, out);
                }
                out.push(b']');
            }
            Framing::Text => {
                for (batch, record) in records.records() {
                    one_line(&eyes.see(batch, record, call.facts).message(), out);
                    out.push(b'\n');
                }
            }
        }
    }
}

/// Makes bodies. Holds two small buffers between calls, and a compressor where one was asked for.
pub(super) struct Encoder {
    writer: Writer,
    limits: Limits,
    coder: Coder,
    plain: Buffer,
    packed: Buffer,
    eyes: Eyes,
}

/// A body, charged until it is dropped or given back.
pub(super) struct Encoded {
    pub body: Bytes,
    /// What `Content-Encoding` says.
    pub coding: Option<&'static str>,
    /// Records that are not in it.
    pub left: Left,
    /// Bytes before compression.
    pub plain_bytes: usize,
    /// What the body's bytes are charged to; its own bytes are gone.
    buffer: Buffer,
}

impl Encoder {
    /// `limits` are those of a preset.
    pub fn new(writer: Writer, limits: Limits, coder: Coder) -> Encoder {
        Encoder {
            writer,
            limits,
            coder,
            plain: Buffer::default(),
            packed: Buffer::default(),
            eyes: Eyes::default(),
        }
    }

    /// The body for these records: the same bytes for the same records.
    pub fn encode(&mut self, records: &Selection, call: &Call<'_>, time_ms: i64) -> Encoded {
        let budget = call.budget;
        self.plain.bytes.clear();
        self.plain.reserve(lines_bytes(records) + 2, budget);
        let out = &mut self.plain.bytes;
        let mut left = Left::new();
        match &mut self.writer {
            Writer::Framing(framing) => framing.write(records, &self.eyes, call, out),
            Writer::Own(body) => {
                let paper = Paper {
                    eyes: &self.eyes,
                    occasion: Occasion {
                        facts: call.facts,
                        time_ms,
                        batch_id: call.batch_id,
                    },
                    limits: self.limits,
                    wall_ms: call.world.wall_ms(),
                };
                left = body.write(records, &paper, out);
                json::mend_halves(out);
            }
        }
        let plain_bytes = out.len();
        self.plain.settle(budget);
        let coding = self.coder.pack(&self.plain.bytes, &mut self.packed, budget);
        let (sent, spare) = match coding {
            Some(_) => (&mut self.packed, &mut self.plain),
            None => (&mut self.plain, &mut self.packed),
        };
        spare.rest(budget);
        let mut buffer = std::mem::take(sent);
        Encoded {
            body: std::mem::take(&mut buffer.bytes).into(),
            coding,
            left,
            plain_bytes,
            buffer,
        }
    }

    /// Takes the buffer of a body back, where nobody else holds it any more.
    pub fn take_back(&mut self, encoded: Encoded, budget: &Budget) {
        let Encoded {
            body,
            coding,
            mut buffer,
            ..
        } = encoded;
        if body.is_unique() {
            buffer.bytes = body.into();
        }
        buffer.rest(budget);
        if coding.is_some() {
            self.packed = buffer;
        } else {
            self.plain = buffer;
        }
    }
}

/// Appends text without its line breaks: `\n` and `\r` take their place.
fn one_line(text: &[u8], out: &mut Vec<u8>) {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    for piece in text.split_inclusive(is_break) {
        match piece {
            [piece @ .., b'\n'] => {
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\\n");
            }
            [piece @ .., b'\r'] => {
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\\r");
            }
            piece => out.extend_from_slice(piece),
        }
    }
}
