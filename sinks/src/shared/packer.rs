//! The body of a request: encoded into a buffer that is used again, compressed where that makes it smaller.

use bytes::Bytes;
use tapline_core::budget::Budget;

use super::coder::Coder;
use crate::buffer::Buffer;

/// Makes bodies. Holds two small buffers between calls, and a compressor where one was asked for.
#[derive(Default)]
pub(crate) struct Packer {
    coder: Coder,
    plain: Buffer,
    packed: Buffer,
}

/// A body, charged until it is dropped or given back.
pub(crate) struct Packed {
    /// Its bytes, as they travel.
    pub body: Bytes,
    /// How they are compressed.
    pub coding: Option<&'static str>,
    /// How many they were before.
    pub plain_bytes: usize,
    /// What the body's bytes are charged to; its own bytes are gone.
    buffer: Buffer,
}

impl Packer {
    /// With this compression.
    pub fn new(coder: Coder) -> Packer {
        Packer {
            coder,
            ..Packer::default()
        }
    }

    /// Whether bodies are compressed by zstd.
    pub fn is_zstd(&self) -> bool {
        matches!(self.coder, Coder::Zstd(_))
    }

    /// How bodies are compressed.
    #[cfg(test)]
    pub fn coding(&self) -> Option<&'static str> {
        self.coder.word()
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
        let plain_bytes = self.plain.bytes.len();
        let coding = self.coder.pack(&self.plain.bytes, &mut self.packed, budget);
        let (sent, spare) = match coding {
            Some(_) => (&mut self.packed, &mut self.plain),
            None => (&mut self.plain, &mut self.packed),
        };
        spare.rest(budget);
        let mut buffer = std::mem::take(sent);
        Packed {
            body: std::mem::take(&mut buffer.bytes).into(),
            coding,
            plain_bytes,
            buffer,
        }
    }

    /// Takes the buffer of a body back, where nobody else holds it any more.
    pub fn take_back(&mut self, packed: Packed, budget: &Budget) {
        let Packed {
            body,
            coding,
            mut buffer,
            ..
        } = packed;
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
