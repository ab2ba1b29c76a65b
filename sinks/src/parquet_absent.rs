//! In place of Parquet in a build without the cargo feature `parquet`.

use bytes::Bytes;
use tapline_core::batch::{Batch, Record};
use tapline_core::budget::Budget;

use crate::buffer::Buffer;

/// The feature is not in this build, so that no sink asks for it.
pub(crate) const BUILT: bool = false;

/// Is never called.
pub(crate) fn push(_: &Batch, _: &Record, _: &mut Vec<u8>) {}

/// Makes no file.
pub(crate) fn encode(_: Bytes, _: &mut Buffer, _: &Budget) -> Result<(), String> {
    Err("Parquet is not in this build".to_owned())
}
