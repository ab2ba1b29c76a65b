//! gzip, with one compressor that is used again.

use flate2::{Compress, Compression, FlushCompress, Status};
use tapline_core::budget::{Budget, Charge};

use crate::buffer::Buffer;

/// Level 3: of the levels of zlib-rs the one after which time grows faster than it saves bytes.
///
/// Source: measured on 1 MB of Lambda's records, 6.6 times smaller in 5.5 ms; level 6 needs 11 ms for 7.0 times.
const LEVEL: u32 = 3;

/// Bodies below this are sent as they are: header and trailer alone are 18 bytes.
const WORTH_BYTES_MIN: usize = 200;

/// What the compressor holds: `(1 << (15 + 2)) + (1 << (8 + 9))` bytes, and a little.
///
/// Source: `zconf.h` of zlib, "The memory requirements for deflate", read 2026-11-23.
const STATE_BYTES: usize = 272 << 10;

/// Compresses; made with the first body.
#[derive(Default)]
pub(crate) struct Gzip {
    state: Option<(Compress, Charge)>,
}

impl Gzip {
    /// Compresses a body into `packed`. Says whether that made it smaller; where it did not, `packed` means nothing.
    pub fn pack(&mut self, plain: &[u8], packed: &mut Buffer, budget: &Budget) -> bool {
        plain.len() >= WORTH_BYTES_MIN && self.pack_within(plain, packed, budget, plain.len())
    }

    /// Compresses a body even where that makes it larger: somebody was promised gzip. Says whether it did, which a
    /// buffer that may grow leaves in no doubt; without it `packed` means nothing.
    pub fn pack_always(&mut self, plain: &[u8], packed: &mut Buffer, budget: &Budget) -> bool {
        self.pack_within(plain, packed, budget, usize::MAX)
    }

    /// Compresses into less than `bytes_max` bytes. Says whether that was enough.
    fn pack_within(
        &mut self,
        plain: &[u8],
        packed: &mut Buffer,
        budget: &Budget,
        bytes_max: usize,
    ) -> bool {
        let (compress, _) = self.state.get_or_insert_with(|| {
            let charge = budget.charge_over(STATE_BYTES);
            (Compress::new_gzip(Compression::new(LEVEL), 15), charge)
        });
        compress.reset();
        packed.bytes.clear();
        let step = (plain.len() / 4).max(512);
        loop {
            let before = (compress.total_in(), packed.bytes.len());
            if packed.bytes.len() == packed.bytes.capacity() {
                packed.reserve(packed.bytes.len() + step, budget);
            }
            let rest = plain
                .get(compress.total_in() as usize..)
                .unwrap_or_default();
            let status = compress.compress_vec(rest, &mut packed.bytes, FlushCompress::Finish);
            if packed.bytes.len() >= bytes_max {
                return false;
            }
            let stuck = before == (compress.total_in(), packed.bytes.len());
            match status {
                Ok(Status::StreamEnd) => return true,
                Ok(_) if !stuck => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::noise;
    use std::io::Read as _;

    fn unpack(packed: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        let mut decoder = flate2::bufread::GzDecoder::new(packed);
        decoder.read_to_end(&mut plain).unwrap();
        assert!(decoder.into_inner().is_empty(), "one member and no more");
        plain
    }

    #[test]
    fn what_is_packed_can_be_unpacked_and_no_batch_leaks_into_the_next() {
        let budget = Budget::new(64 << 20);
        let mut gzip = Gzip::default();
        let mut packed = Buffer::default();
        for length in [200, 5_000, 64 << 10, 1 << 20, 200] {
            let plain: Vec<u8> = b"{\"level\":\"INFO\",\"message\":\"paid\"}\n"
                .iter()
                .copied()
                .cycle()
                .take(length)
                .collect();
            assert!(gzip.pack(&plain, &mut packed, &budget), "{length}");
            assert!(packed.bytes.len() < plain.len() / 2);
            assert_eq!(unpack(&packed.bytes), plain);
            assert_eq!(packed.bytes[..4], [0x1f, 0x8b, 8, 0]);
            assert_eq!(packed.bytes[4..8], [0; 4], "no time, so a retry is equal");
        }
        drop((gzip, packed));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_does_not_get_smaller_is_left_as_it_is() {
        let budget = Budget::new(64 << 20);
        let mut gzip = Gzip::default();
        let mut packed = Buffer::default();
        let noise = noise(100_000);
        for length in [0, 1, 199, 200, 100_000] {
            assert!(
                !gzip.pack(&noise[..length], &mut packed, &budget),
                "{length}"
            );
        }
        assert!(gzip.pack(&[7; 1_000], &mut packed, &budget));
        assert_eq!(unpack(&packed.bytes), [7; 1_000]);
        // CRC-32 and length as Python's zlib has them.
        assert!(
            packed
                .bytes
                .ends_with(&[0xdc, 0x30, 0x98, 0x45, 0xe8, 0x03, 0x00, 0x00])
        );
    }
}
