//! A buffer to encode into that is used again and is charged to the budget for as long as it is held.

use tapline_core::batch::Batch;
use tapline_core::budget::{Budget, Charge};
use tapline_core::sink::Selection;

/// Most bytes that a buffer keeps between two calls; a larger one is given back to the system.
pub(crate) const KEPT_BYTES_MAX: usize = 64 << 10;

/// What a line has beside the record's value, attributes, time and type, in bytes: id, keys, request and trace id.
const LINE_OVERHEAD_BYTES: usize = 192;

/// Bytes and what they count for. Holds at most one encoded request while a call runs, [`KEPT_BYTES_MAX`] between two.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// The bytes.
    pub bytes: Vec<u8>,
    charge: Option<Charge>,
}

impl Buffer {
    /// Makes room before the bytes are written, so that the charge comes first.
    pub fn reserve(&mut self, bytes: usize, budget: &Budget) {
        if bytes > self.bytes.capacity() {
            self.charge_for(bytes, budget);
            self.bytes.reserve_exact(bytes - self.bytes.len());
        }
        self.settle(budget);
    }

    /// Brings the charge up or down to what is held. It is counted even where it does not fit: the bytes are in
    /// memory already, and sending them is what makes room.
    pub fn settle(&mut self, budget: &Budget) {
        self.charge_for(self.bytes.capacity(), budget);
    }

    /// Empties the buffer for the next call.
    pub fn rest(&mut self, budget: &Budget) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.settle(budget);
    }

    fn charge_for(&mut self, bytes: usize, budget: &Budget) {
        let charge = self.charge.get_or_insert_with(|| budget.charge_over(0));
        let charged = charge.bytes() as usize;
        if bytes > charged {
            charge.grow_over(bytes - charged);
        } else {
            charge.shrink_to(bytes);
        }
    }
}

/// About how many bytes the lines of these records take.
pub(crate) fn lines_bytes(records: &Selection) -> usize {
    let weights = records
        .records()
        .map(|(batch, record)| Batch::weight(batch, record) + LINE_OVERHEAD_BYTES);
    weights.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_charged_while_it_is_held_and_keeps_little_between_calls() {
        let budget = Budget::new(16 << 20);
        let mut buffer = Buffer::default();
        buffer.reserve(1 << 20, &budget);
        assert_eq!(budget.used(), buffer.bytes.capacity() as u64);
        assert!(budget.used() >= 1 << 20);
        buffer.bytes.resize(3 << 20, 7);
        buffer.settle(&budget);
        assert_eq!(budget.used(), buffer.bytes.capacity() as u64);
        buffer.rest(&budget);
        assert_eq!(budget.used(), KEPT_BYTES_MAX as u64);
        drop(buffer);
        assert_eq!(budget.used(), 0);
    }
}
