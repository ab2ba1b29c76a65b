//! Records into the body of a request, in one pass.

use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::line;
use tapline_core::sink::Selection;
use tapline_core::view::{Scratch, Surroundings, View};

use crate::buffer::lines_bytes;

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

/// Writes bodies.
pub(super) struct Encoder {
    framing: Framing,
    text: Text,
}

impl Encoder {
    pub fn new(framing: Framing) -> Encoder {
        Encoder {
            framing,
            text: Text::default(),
        }
    }

    /// About how many bytes [`Self::write`] appends.
    pub fn bytes(records: &Selection) -> usize {
        lines_bytes(records) + 2
    }

    /// Appends the body for these records: the same bytes for the same records.
    pub fn write(&self, records: &Selection, out: &mut Vec<u8>) {
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
