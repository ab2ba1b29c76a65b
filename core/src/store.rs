//! Records taken out of their bodies into bytes of their own, for a transform that holds them back.

use std::mem::size_of;
use std::sync::Arc;

use crate::batch::{Batch, Instance, Record, Slice};
use crate::body::Body;
use crate::budget::{Budget, Charge};

/// Text of a record for which room in the index is kept, in bytes: shorter ones fill the index first.
const TEXT_BYTES_TYPICAL: usize = 128;

/// A store of a fixed size: records are copied in until one does not fit, then the whole becomes a [`Batch`].
///
/// Holding a record must not keep the body of its POST in memory, so its bytes are copied once. Nothing grows and
/// nothing is copied again. Holds what [`bytes`](Store::bytes) says, all of it charged to the budget from the start.
#[derive(Debug)]
pub struct Store {
    bytes: Vec<u8>,
    records: Vec<Record>,
    charge: Charge,
    instance: Instance,
    arrived_ms: i64,
}

impl Store {
    /// What a store takes in all that has `text` bytes for the texts of records.
    pub const fn bytes_for(text: usize) -> usize {
        text + Store::records_for(text) * size_of::<Record>()
    }

    /// Records for which a store with `text` bytes has room.
    pub const fn records_for(text: usize) -> usize {
        text / TEXT_BYTES_TYPICAL + 1
    }

    /// Bytes of text that a record takes when nothing is shared with the one before it.
    pub fn text_of(batch: &Batch, record: &Record) -> usize {
        let ids = record.request_id.len() + record.trace_id.len() + record.span_id.len();
        batch.weight(record) + ids
    }

    /// An empty store with `text` bytes for the texts of records like those of `like`; `None` where the budget has no
    /// room for it.
    pub fn new(budget: &Budget, text: usize, like: &Batch) -> Option<Store> {
        let charge = budget.charge(Store::bytes_for(text))?;
        Some(Store {
            bytes: Vec::with_capacity(text),
            records: Vec::with_capacity(Store::records_for(text)),
            charge,
            instance: *like.instance(),
            arrived_ms: like.arrived_ms(),
        })
    }

    /// Copies a record of a batch in. `false`, with nothing changed, where it does not fit or belongs to another life
    /// of the environment.
    #[must_use]
    pub fn push(&mut self, batch: &Batch, record: &Record) -> bool {
        let full = self.records.len() == self.records.capacity()
            || self.bytes.capacity() - self.bytes.len() < Store::text_of(batch, record);
        if full || self.instance != *batch.instance() {
            return false;
        }
        let before = self.records.last().cloned();
        let mut copy = record.clone();
        copy.set_aside = false;
        let place = |slice: &Slice, before: Option<Slice>, bytes: &mut Vec<u8>| {
            let text = batch.bytes(*slice);
            // Type and ids are mostly those of the record before.
            match before.map(|known| (known, known.in_body(bytes))) {
                Some((known, same)) if same == text => known,
                _ => {
                    let start = bytes.len();
                    bytes.extend_from_slice(text);
                    Slice::of_body(start..bytes.len())
                }
            }
        };
        let bytes = &mut self.bytes;
        let old = before.as_ref();
        copy.kind = place(&record.kind, old.map(|old| old.kind), bytes);
        copy.request_id = place(&record.request_id, old.map(|old| old.request_id), bytes);
        copy.trace_id = place(&record.trace_id, old.map(|old| old.trace_id), bytes);
        copy.span_id = place(&record.span_id, old.map(|old| old.span_id), bytes);
        copy.attributes = place(&record.attributes, old.map(|old| old.attributes), bytes);
        copy.time = place(&record.time, old.map(|old| old.time), bytes);
        copy.value = place(&record.value, None, bytes);
        self.records.push(copy);
        true
    }

    /// Records in it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of memory that it takes, however full it is.
    pub fn bytes(&self) -> usize {
        self.charge.bytes() as usize
    }

    /// The records as a batch, without another copy.
    pub fn into_batch(self) -> Batch {
        let Store {
            bytes,
            records,
            charge,
            instance,
            arrived_ms,
        } = self;
        // The index is charged by the batch from here on.
        let (body, _) = Body::new(bytes, charge);
        Batch::of_records(Arc::new(body), instance, arrived_ms, records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util;

    fn text(batch: &Batch, slice: Slice) -> &str {
        std::str::from_utf8(batch.bytes(slice)).unwrap()
    }

    #[test]
    fn records_come_out_as_they_went_in() {
        let budget = Budget::new(1 << 20);
        let rows = [
            ("function", "\"one\"", None),
            ("function", "\"two\"", None),
            ("extension", "\"three\"", None),
        ];
        let mut batch = test_util::batch_of(&budget, &rows);
        let attributes = batch.keep(b"\"a\":1");
        let id = batch.keep(b"8476a536-e9f4-11e8-9739-2dfe598c3fcd");
        batch.records_mut()[1].attributes = attributes;
        batch.records_mut()[1].request_id = id;
        batch.records_mut()[2].request_id = id;
        let mut store = Store::new(&budget, 1_000, &batch).unwrap();
        for record in batch.records() {
            assert!(store.push(&batch, record));
        }
        let held = store.bytes();
        assert_eq!(held, Store::bytes_for(1_000));
        let copy = store.into_batch();
        for (before, after) in batch.records().iter().zip(copy.records()) {
            for (left, right) in [
                (before.kind, after.kind),
                (before.time, after.time),
                (before.value, after.value),
                (before.request_id, after.request_id),
                (before.attributes, after.attributes),
            ] {
                assert_eq!(text(&batch, left), text(&copy, right));
            }
            assert_eq!(before.sequence, after.sequence);
        }
        assert_eq!(copy.records()[1].request_id, copy.records()[2].request_id);
        drop(batch);
        assert_eq!(budget.used() as usize, held, "neither more nor less");
        drop(copy);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_store_takes_what_fits_and_nothing_more() {
        let budget = Budget::new(1 << 20);
        let batch = test_util::batch_of(&budget, &[("function", "\"1234567\"", None)]);
        let record = &batch.records()[0];
        let length = Store::text_of(&batch, record);
        assert!(
            Store::new(&budget, length, &batch)
                .unwrap()
                .push(&batch, record)
        );
        let mut small = Store::new(&budget, length - 1, &batch).unwrap();
        assert!(!small.push(&batch, record));
        assert!(small.is_empty());
        let mut other = Store::new(&budget, length, &batch).unwrap();
        let mut resumed = batch.fork();
        resumed.set_instance([b'f'; 32]);
        assert!(!other.push(&resumed, record), "another life's ids");
        assert!(Store::new(&Budget::new(100), 1_000, &batch).is_none());
    }
}
