//! The body of a request: encoded into a buffer that is used again, compressed where that makes it smaller.

use bytes::Bytes;
use tapline_core::budget::Budget;

use super::gzip::Gzip;
use crate::buffer::Buffer;

/// Makes bodies. Holds two small buffers between calls, and with gzip a compressor.
#[derive(Default)]
pub(crate) struct Packer {
    gzip: Option<Gzip>,
    plain: Buffer,
    packed: Buffer,
}

/// A body, charged until it is dropped or given back.
pub(crate) struct Packed {
    /// Its bytes, as they travel.
    pub body: Bytes,
    /// They are compressed.
    pub gzipped: bool,
    /// What the body's bytes are charged to; its own bytes are gone.
    buffer: Buffer,
}

impl Packer {
    /// With compression, or without.
    pub fn new(gzip: Option<Gzip>) -> Packer {
        Packer {
            gzip,
            ..Packer::default()
        }
    }

    /// Whether bodies are compressed.
    #[cfg(test)]
    pub fn compresses(&self) -> bool {
        self.gzip.is_some()
    }

    /// The body that `write` appends, about `bytes` long.
    pub fn pack(
        &mut self,
        bytes: usize,
        budget: &Budget,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Packed {
        self.plain.bytes.clear();
        self.plain.reserve(bytes, budget);
        write(&mut self.plain.bytes);
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
        Packed {
            body: std::mem::take(&mut buffer.bytes).into(),
            gzipped,
            buffer,
        }
    }

    /// Takes the buffer of a body back, where nobody else holds it any more.
    pub fn take_back(&mut self, packed: Packed, budget: &Budget) {
        let Packed {
            body,
            gzipped,
            mut buffer,
        } = packed;
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
