//! Records into the body of a request, in one pass, into buffers that are used again.

use bytes::Bytes;
use tapline_core::budget::Budget;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::line;
use tapline_core::sink::Selection;
use tapline_core::view::{Scratch, Surroundings, View};

use crate::buffer::{Buffer, lines_bytes};
use crate::shared::gzip::Gzip;

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
}

/// Makes bodies. Holds two small buffers between calls, and with gzip a compressor.
pub(super) struct Encoder {
    framing: Framing,
    gzip: Option<Gzip>,
    plain: Buffer,
    packed: Buffer,
    text: Text,
}

/// A body, charged until it is dropped or given back.
pub(super) struct Encoded {
    pub body: Bytes,
    pub gzipped: bool,
    /// What the body's bytes are charged to; its own bytes are gone.
    buffer: Buffer,
}

impl Encoder {
    pub fn new(framing: Framing, gzip: bool) -> Encoder {
        Encoder {
            framing,
            gzip: gzip.then(Gzip::default),
            plain: Buffer::default(),
            packed: Buffer::default(),
            text: Text::default(),
        }
    }

    /// The body for these records: the same bytes for the same records.
    pub fn encode(&mut self, records: &Selection, budget: &Budget) -> Encoded {
        self.plain.bytes.clear();
        self.plain.reserve(lines_bytes(records) + 2, budget);
        let out = &mut self.plain.bytes;
        match self.framing {
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
            Framing::Text => self.text.write(records, out),
        }
        self.plain.settle(budget);
        let gzipped = match &mut self.gzip {
            Some(gzip) => gzip.pack(&self.plain.bytes, &mut self.packed, budget),
            None => false,
        };
        let (sent, spare) = if gzipped {
            (&mut self.packed, &mut self.plain)
        } else {
            (&mut self.plain, &mut self.packed)
        };
        spare.rest(budget);
        let mut buffer = std::mem::take(sent);
        Encoded {
            body: std::mem::take(&mut buffer.bytes).into(),
            gzipped,
            buffer,
        }
    }

    /// Takes the buffer of a body back, where nobody else holds it any more.
    pub fn take_back(&mut self, encoded: Encoded, budget: &Budget) {
        let Encoded {
            body,
            gzipped,
            mut buffer,
        } = encoded;
        if body.is_unique() {
            buffer.bytes = body.into();
        }
        buffer.rest(budget);
        if gzipped {
            self.packed = buffer;
        } else {
            self.plain = buffer;
        }
    }
}

/// What it takes to see the message of a record; nothing that it is joined with matters for that.
#[derive(Default)]
struct Text {
    facts: Facts,
    invocations: Invocations,
    scratch: Scratch,
}

impl Text {
    fn write(&self, records: &Selection, out: &mut Vec<u8>) {
        let around = Surroundings {
            facts: &self.facts,
            invocations: &self.invocations,
            scratch: &self.scratch,
        };
        for (batch, record) in records.records() {
            one_line(&View::new(batch, record, around).message(), out);
            out.push(b'\n');
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
