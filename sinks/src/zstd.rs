//! zstd, with one compressor that is used again. Cargo feature `zstd`.
//!
//! The C library, because it is the one whose encoder is worth its bytes; what was measured stands in
//! `docs/sinks/http.md`.

use tapline_core::budget::{Budget, Charge};
use zstd_safe::{CCtx, CParameter};

use crate::buffer::Buffer;

/// The feature is in this build.
pub(crate) const BUILT: bool = true;

/// Level 1: smaller than gzip at level 3, and faster. Higher levels cost more time than they save bytes here.
const LEVEL: i32 = 1;

/// Bodies below this are sent as they are, as with gzip.
const WORTH_BYTES_MIN: usize = 200;

/// Compresses; made with the first body.
#[derive(Default)]
pub(crate) struct Zstd {
    state: Option<(CCtx<'static>, Charge)>,
}

impl Zstd {
    /// Compresses a body into `packed`. Says whether that made it smaller; where it did not, `packed` means nothing.
    pub fn pack(&mut self, plain: &[u8], packed: &mut Buffer, budget: &Budget) -> bool {
        // What does not fit into as many bytes as there were is not smaller.
        plain.len() >= WORTH_BYTES_MIN && self.pack_within(plain, packed, budget, plain.len())
    }

    /// Compresses a body even where that makes it larger: somebody was promised zstd. Says whether it did: the library
    /// may find no memory; then `packed` means nothing.
    pub fn pack_always(&mut self, plain: &[u8], packed: &mut Buffer, budget: &Budget) -> bool {
        let bytes_max = zstd_safe::compress_bound(plain.len()) + 1;
        self.pack_within(plain, packed, budget, bytes_max)
    }

    /// Compresses into less than `bytes_max` bytes. Says whether that was enough.
    fn pack_within(
        &mut self,
        plain: &[u8],
        packed: &mut Buffer,
        budget: &Budget,
        bytes_max: usize,
    ) -> bool {
        if self.state.is_none() {
            self.state = compressor().map(|context| (context, budget.charge_over(0)));
        }
        let Some((context, charge)) = &mut self.state else {
            return false;
        };
        packed.bytes.clear();
        packed.reserve(bytes_max, budget);
        let written = context.compress2(&mut packed.bytes, plain);
        settle(charge, context.sizeof());
        matches!(written, Ok(length) if length < bytes_max)
    }
}

fn compressor() -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    let set = context.set_parameter(CParameter::CompressionLevel(LEVEL));
    set.is_ok().then_some(context)
}

/// The compressor's memory grows with the largest body so far; it is in use already.
fn settle(charge: &mut Charge, held: usize) {
    let charged = charge.bytes() as usize;
    if held > charged {
        charge.grow_over(held - charged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::noise;
    use std::io::Read as _;

    /// Unpacked by a decoder that is not the one behind the encoder.
    fn unpack(packed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut rest = packed;
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(&mut rest).unwrap();
        decoder.read_to_end(&mut plain).unwrap();
        drop(decoder);
        assert!(rest.is_empty(), "one frame and no more");
        plain
    }

    #[test]
    fn what_is_packed_can_be_unpacked_and_no_batch_leaks_into_the_next() {
        let budget = Budget::new(64 << 20);
        let (mut zstd, mut packed) = (Zstd::default(), Buffer::default());
        for length in [200, 5_000, 64 << 10, 1 << 20, 200] {
            let line = b"{\"level\":\"INFO\",\"message\":\"paid\"}\n";
            let plain: Vec<u8> = line.iter().copied().cycle().take(length).collect();
            assert!(zstd.pack(&plain, &mut packed, &budget), "{length}");
            assert!(packed.bytes.len() < plain.len() / 2);
            assert_eq!(packed.bytes[..4], [0x28, 0xb5, 0x2f, 0xfd]);
            let first = packed.bytes.clone();
            assert_eq!(unpack(&first), plain);
            assert!(zstd.pack(&plain, &mut packed, &budget));
            assert_eq!(packed.bytes, first, "a retry is equal");
        }
        assert!(budget.used() > 64 << 10, "the compressor is charged");
        drop((zstd, packed));
        assert_eq!(budget.used(), 0);
    }

    /// What the C library costs is worth it only while it packs better than gzip, which is there anyway.
    #[test]
    fn lines_get_smaller_than_with_gzip() {
        let budget = Budget::new(64 << 20);
        let mut plain = Vec::new();
        for number in 0u64..2_000 {
            let random = number.wrapping_mul(6_364_136_223_846_793_005);
            let level = ["INFO", "WARN", "ERROR"][number as usize % 3];
            let line = format!(
                "{{\"id\":\"0123456789abcdef0123456789abcdef-{number}\",\"level\":\"{level}\",\"request_id\":\"{random:x}\",\
                 \"record\":{{\"message\":\"order paid\",\"order\":{}}}}}\n",
                random % 1_000_003
            );
            plain.extend_from_slice(line.as_bytes());
        }
        let (mut zstd, mut packed) = (Zstd::default(), Buffer::default());
        assert!(zstd.pack(&plain, &mut packed, &budget));
        let with_zstd = packed.bytes.len();
        let mut gzip = crate::shared::gzip::Gzip::default();
        assert!(gzip.pack(&plain, &mut packed, &budget));
        let with_gzip = packed.bytes.len();
        assert!(with_zstd < with_gzip, "{with_zstd} {with_gzip}");
    }

    #[test]
    fn what_does_not_get_smaller_is_left_as_it_is() {
        let budget = Budget::new(64 << 20);
        let (mut zstd, mut packed) = (Zstd::default(), Buffer::default());
        let noise = noise(100_000);
        for length in [0, 1, 199, 200, 100_000] {
            let plain = &noise[..length];
            assert!(!zstd.pack(plain, &mut packed, &budget), "{length}");
        }
        assert!(zstd.pack(&[7; 1_000], &mut packed, &budget));
        assert_eq!(unpack(&packed.bytes), [7; 1_000]);
    }

    #[test]
    fn who_was_promised_zstd_gets_it_whatever_it_costs() {
        let budget = Budget::new(64 << 20);
        let (mut zstd, mut packed) = (Zstd::default(), Buffer::default());
        let noise = noise(100_000);
        for length in [0, 1, 199, 100_000] {
            assert!(zstd.pack_always(&noise[..length], &mut packed, &budget));
            assert!(unpack(&packed.bytes) == noise[..length], "{length}");
        }
    }
}
