//! What makes a body smaller: gzip, zstd, or nothing.

use tapline_core::budget::Budget;
use tapline_core::config::{Kind, Reader, Severity, Spanned};

use super::gzip::Gzip;
use crate::buffer::Buffer;
use crate::zstd::{self, Zstd};

/// Holds a compressor once it was used.
#[derive(Default)]
pub(crate) enum Coder {
    #[default]
    None,
    Gzip(Gzip),
    Zstd(Zstd),
}

impl Coder {
    /// The one of a word in `compression`.
    pub fn of(word: &str) -> Coder {
        match word {
            "gzip" => Coder::Gzip(Gzip::default()),
            "zstd" => Coder::Zstd(Zstd::default()),
            _ => Coder::None,
        }
    }

    /// What it is called in `compression`, and in headers that say how a body is compressed.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Coder::None => None,
            Coder::Gzip(_) => Some("gzip"),
            Coder::Zstd(_) => Some("zstd"),
        }
    }

    /// Compresses a body into `packed` where that makes it smaller; says how.
    pub fn pack(
        &mut self,
        plain: &[u8],
        packed: &mut Buffer,
        budget: &Budget,
    ) -> Option<&'static str> {
        let smaller = match self {
            Coder::None => false,
            Coder::Gzip(gzip) => gzip.pack(plain, packed, budget),
            Coder::Zstd(zstd) => zstd.pack(plain, packed, budget),
        };
        self.word().filter(|_| smaller)
    }

    /// Compresses a body into `packed` even where that makes it larger: somebody was promised it. Says whether it is
    /// there, which it is not without a compression.
    pub fn pack_always(&mut self, plain: &[u8], packed: &mut Buffer, budget: &Budget) -> bool {
        match self {
            Coder::None => false,
            Coder::Gzip(gzip) => gzip.pack_always(plain, packed, budget),
            Coder::Zstd(zstd) => zstd.pack_always(plain, packed, budget),
        }
    }
}

/// Whether a word that asks for a compression can be obeyed. It was reported where this build has not got it.
pub(crate) fn is_built(reader: &Reader<'_>, word: &Spanned<&'static str>, instead: &str) -> bool {
    if word.value != "zstd" || zstd::BUILT {
        return true;
    }
    let help = format!("rebuild with the cargo feature `zstd`, or write {instead}");
    let (severity, kind) = (Severity::Error, Kind::NotBuilt);
    let span = word.span.clone();
    reader.report(severity, kind, span, "`zstd` is not in this build", help);
    false
}
