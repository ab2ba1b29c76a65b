//! Records that one sink could not deliver, made over to another.

use std::sync::Arc;

use crate::batch::{Batch, Lane};
use crate::line;
use crate::port::LOSS_KIND;
use crate::sink::{Parcel, Selection};

/// The attributes of a dead letter. The first sink that could not deliver it is named, however often it is made over.
const SINK: &str = "dead_letter.sink";
const REASON: &str = "dead_letter.reason";
const ATTEMPTS: &str = "dead_letter.attempts";

/// What became of a record at its first sink.
#[derive(Debug, Clone, Copy)]
pub struct Fault<'a> {
    /// The sink that could not deliver it.
    pub sink: &'a str,
    /// The word of the ledger.
    pub reason: &'a str,
    /// Requests that were made with it.
    pub attempts: u32,
}

/// Copies of the records for another sink's queue, with `fault` in their attributes; at most three parcels a batch.
///
/// Reports of losses are left out: they are addressed to the sink that lost something. The bytes are copied, since
/// attributes stand beside them and the original has other holders; the original is mostly let go of at once.
pub fn letters(records: &Selection, fault: Fault<'_>) -> Vec<Parcel> {
    let mut parcels = Vec::new();
    for (batch, positions) in records.by_batch() {
        let wanted = positions.into_iter().filter(|position| {
            let record = &batch.records()[*position as usize];
            batch.bytes(record.kind) != LOSS_KIND
        });
        let mut copy = batch.compact(wanted.map(|position| position as usize));
        if copy.records().is_empty() {
            continue;
        }
        for position in 0..copy.records().len() {
            address(&mut copy, position, fault);
        }
        copy.settle();
        parcels.extend(by_lane(copy));
    }
    parcels
}

/// Writes into the attributes of a record what became of it.
fn address(batch: &mut Batch, position: usize, fault: Fault<'_>) {
    let mut attributes = batch.bytes(batch.records()[position].attributes).to_vec();
    if memchr::memmem::find(&attributes, SINK.as_bytes()).is_some() {
        return;
    }
    line::push_attribute(&mut attributes, SINK, fault.sink.as_bytes());
    line::push_attribute(&mut attributes, REASON, fault.reason.as_bytes());
    attributes.extend_from_slice(format!(",\"{ATTEMPTS}\":{}", fault.attempts).as_bytes());
    let attributes = batch.keep(&attributes);
    batch.records_mut()[position].attributes = attributes;
}

fn by_lane(batch: Batch) -> Vec<Parcel> {
    let batch = Arc::new(batch);
    let mut parcels = Vec::new();
    for lane in Lane::ALL {
        let records = batch.records().iter().enumerate();
        let (mut chosen, mut weight) = (Vec::new(), 0);
        for (position, record) in records.filter(|(_, record)| record.lane() == lane) {
            chosen.push(position as u32);
            weight += batch.weight(record);
        }
        if !chosen.is_empty() {
            parcels.push(Parcel {
                batch: batch.clone(),
                chosen: chosen.into_boxed_slice(),
                lane,
                weight,
            });
        }
    }
    parcels
}
