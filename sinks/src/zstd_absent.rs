//! In place of zstd in a build without the cargo feature `zstd`.

use tapline_core::budget::Budget;

use crate::buffer::Buffer;

/// The feature is not in this build, so that no sink asks for it.
pub(crate) const BUILT: bool = false;

/// Leaves every body as it is.
#[derive(Default)]
pub(crate) struct Zstd {}

impl Zstd {
    /// Never makes a body smaller.
    pub fn pack(&mut self, _: &[u8], _: &mut Buffer, _: &Budget) -> bool {
        false
    }

    /// Is never asked to.
    pub fn pack_always(&mut self, _: &[u8], _: &mut Buffer, _: &Budget) -> bool {
        false
    }
}
