//! A batch: the shared bytes of one POST, the index of its records, and what transforms wrote beside them.

use std::sync::Arc;

use crate::body::Body;
use crate::budget::Charge;
use crate::invocation::Slot;
use crate::level::Level;
use crate::observation::Observation;

/// A range of bytes in a batch: in its body as it arrived, or in its side, where changed texts lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slice {
    start: u32,
    length: u32,
}

const SIDE: u32 = 1 << 31;

impl Slice {
    /// No bytes.
    pub const EMPTY: Slice = Slice {
        start: 0,
        length: 0,
    };

    /// A range of the body.
    pub fn of_body(range: std::ops::Range<usize>) -> Slice {
        debug_assert!(range.end < SIDE as usize);
        Slice {
            start: range.start as u32,
            length: range.len() as u32,
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// How many bytes.
    pub fn len(self) -> usize {
        self.length as usize
    }

    /// The range in a body that is not whole yet.
    pub(crate) fn in_body(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len()).unwrap_or_default()
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A line of the function.
    Function,
    /// A line of an extension.
    Extension,
    /// An event of the platform.
    Platform,
    /// An element that could not be read; its text is the record.
    Unknown,
    /// Made by Tapline: a loss report or a summary.
    Tapline,
}

/// What became of a record on its way to the tap; a sink's own fates are counted at the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// Goes on.
    #[default]
    Live,
    /// Left out by a filter.
    Filtered,
    /// Left out by sampling.
    Sampled,
    /// Became part of another record.
    Merged,
    /// Its stage broke; it is dropped for every sink after it.
    Lost,
}

/// Which of a queue's three lanes a record travels in, least important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Trace and debug.
    Low = 0,
    /// All others.
    Middle = 1,
    /// Errors, platform events, loss reports.
    High = 2,
}

impl Lane {
    /// Least important first.
    pub const ALL: [Lane; 3] = [Lane::Low, Lane::Middle, Lane::High];
}

/// One record: ranges into the batch.
#[derive(Debug, Clone)]
pub struct Record {
    /// With the instance, the record's id; the same over retries and replay.
    pub sequence: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// What became of it so far.
    pub fate: Fate,
    /// Its severity, where one was found.
    pub level: Option<Level>,
    /// The stage at work is not to look at it: its `when` does not hold.
    pub set_aside: bool,
    /// It is an event of the platform, given out as the line that Lambda writes for it.
    pub as_line: bool,
    /// The line is in CloudWatch's embedded metric format: `_aws` at its root.
    pub embedded_metrics: bool,
    /// The invocation that it belongs to.
    pub invocation: Slot,
    /// RFC 3339, as delivered.
    pub time: Slice,
    /// The `type`, as delivered.
    pub kind: Slice,
    /// The raw JSON value of `record`.
    pub value: Slice,
    /// The request id, without quotes.
    pub request_id: Slice,
    /// 32 hex digits.
    pub trace_id: Slice,
    /// 16 hex digits.
    pub span_id: Slice,
    /// Rendered JSON members, `"team":"payments","weight":20`, without braces.
    pub attributes: Slice,
}

impl Record {
    /// A record of which nothing is left but its fate.
    pub fn lost(fate: Fate) -> Record {
        Record {
            sequence: 0,
            origin: Origin::Unknown,
            fate,
            level: None,
            set_aside: false,
            as_line: false,
            embedded_metrics: false,
            invocation: Slot::NONE,
            time: Slice::EMPTY,
            kind: Slice::EMPTY,
            value: Slice::EMPTY,
            request_id: Slice::EMPTY,
            trace_id: Slice::EMPTY,
            span_id: Slice::EMPTY,
            attributes: Slice::EMPTY,
        }
    }

    /// The lane that the record travels in.
    pub fn lane(&self) -> Lane {
        match (self.origin, self.level) {
            (Origin::Platform | Origin::Tapline, _) => Lane::High,
            (_, Some(Level::Error | Level::Fatal)) => Lane::High,
            (_, Some(Level::Trace | Level::Debug)) => Lane::Low,
            _ => Lane::Middle,
        }
    }

    /// Whether a transform is to look at it: no earlier step took it out, and the `when` of this one holds.
    pub fn is_live(&self) -> bool {
        self.fate == Fate::Live && !self.set_aside
    }
}

/// Records of one body. The body never changes; the index and the side do.
#[derive(Debug)]
pub struct Batch {
    body: Arc<Body>,
    side: Vec<u8>,
    records: Vec<Record>,
    instance: Instance,
    arrived_ms: i64,
    charge: Charge,
    observations: Vec<Observation>,
}

/// The id of the environment's life: 32 hex digits, new after a restore.
pub type Instance = [u8; 32];

impl Batch {
    /// A batch of `body` without records yet. `arrived_ms` is the wall clock of the POST.
    pub fn new(body: Arc<Body>, instance: Instance, arrived_ms: i64) -> Batch {
        let charge = body.budget().charge_over(0);
        Batch {
            body,
            side: Vec::new(),
            records: Vec::new(),
            instance,
            arrived_ms,
            charge,
            observations: Vec::new(),
        }
    }

    /// A batch of observations: its records only stand for them in queues and counts, one each and in their order.
    pub fn of_observations(
        body: Arc<Body>,
        instance: Instance,
        arrived_ms: i64,
        observations: Vec<Observation>,
        mut sequence: impl FnMut() -> u64,
    ) -> Batch {
        let mut batch = Batch::new(body, instance, arrived_ms);
        batch.records.extend(observations.iter().map(|_| Record {
            sequence: sequence(),
            origin: Origin::Platform,
            ..Record::lost(Fate::Live)
        }));
        batch.observations = observations;
        batch.settle();
        batch
    }

    /// What its records stand for; none in a batch of records.
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// A batch of records whose ranges lie in `body`.
    pub(crate) fn of_records(
        body: Arc<Body>,
        instance: Instance,
        arrived_ms: i64,
        records: Vec<Record>,
    ) -> Batch {
        let mut batch = Batch::new(body, instance, arrived_ms);
        batch.records = records;
        batch.settle();
        batch
    }

    /// The bytes behind a slice.
    pub fn bytes(&self, slice: Slice) -> &[u8] {
        let (source, start) = if slice.start & SIDE == 0 {
            (self.body.bytes(), slice.start as usize)
        } else {
            (self.side.as_slice(), (slice.start & !SIDE) as usize)
        };
        source.get(start..start + slice.len()).unwrap_or_default()
    }

    /// Whether the budget has room for bytes beside the body. What must be kept is kept all the same.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.body.budget().fits(self.growth(bytes) as u64)
    }

    /// By how much the side has to grow for more bytes.
    fn growth(&self, bytes: usize) -> usize {
        let (needed, capacity) = (self.side.len() + bytes, self.side.capacity());
        match needed > capacity {
            true => needed.max(capacity * 2) - capacity,
            false => 0,
        }
    }

    /// Keeps bytes beside the body: a changed text, a rendered attribute. They are charged before they are taken.
    pub fn keep(&mut self, bytes: &[u8]) -> Slice {
        let start = self.side.len();
        let growth = self.growth(bytes.len());
        if growth > 0 {
            self.charge.grow_over(growth);
            let capacity = self.side.capacity() + growth;
            self.side.reserve_exact(capacity - start);
        }
        self.side.extend_from_slice(bytes);
        Slice {
            start: start as u32 | SIDE,
            length: bytes.len() as u32,
        }
    }

    /// Keeps what `write` appends beside the body, without a copy on the way.
    pub fn keep_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Slice {
        let start = self.side.len();
        write(&mut self.side);
        Slice {
            start: start as u32 | SIDE,
            length: (self.side.len() - start) as u32,
        }
    }

    /// Makes room in the index for that many more records.
    pub fn reserve(&mut self, records: usize) {
        self.records.reserve_exact(records);
    }

    /// The records, in the order of arrival.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The records, to change their fate or their ranges.
    pub fn records_mut(&mut self) -> &mut [Record] {
        &mut self.records
    }

    /// Takes out the records that do not stay; whoever does accounts for them.
    pub fn retain(&mut self, stays: impl FnMut(&Record) -> bool) {
        self.records.retain(stays);
    }

    /// Adds a record.
    pub fn push(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The shared bytes.
    pub fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// The id of the environment's life.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Gives the records the ids of another life: that of the copy of a snapshot which took them in.
    pub fn set_instance(&mut self, instance: Instance) {
        self.instance = instance;
    }

    /// When the POST arrived: wall clock, milliseconds since 1970.
    pub fn arrived_ms(&self) -> i64 {
        self.arrived_ms
    }

    /// Brings the charge for index and side up to what they hold now. They are counted even where they do not fit:
    /// the bytes are in memory already, and the next body will find that much less room.
    pub fn settle(&mut self) {
        let observations: usize = self.observations.iter().map(Observation::weight).sum();
        let records = self.records.capacity() * std::mem::size_of::<Record>();
        let held = self.side.capacity() + records + observations;
        let charged = self.charge.bytes() as usize;
        if held > charged {
            self.charge.grow_over(held - charged);
        } else {
            self.charge.shrink_to(held);
        }
    }

    /// A copy of index and side for a tap; the body is shared.
    pub fn fork(&self) -> Batch {
        let mut copy = Batch {
            body: self.body.clone(),
            side: self.side.clone(),
            records: self.records.clone(),
            instance: self.instance,
            arrived_ms: self.arrived_ms,
            charge: self.body.budget().charge_over(0),
            observations: self.observations.clone(),
        };
        copy.settle();
        copy
    }

    /// The chosen records in a body of their own, so that the large one can go.
    pub fn compact(&self, chosen: impl Iterator<Item = usize>) -> Batch {
        self.gather(chosen.map(|position| (self, position)))
    }

    /// The chosen records of several batches of the same life in one body. They count as arrived with this batch.
    pub fn gather<'a>(&self, chosen: impl Iterator<Item = (&'a Batch, usize)>) -> Batch {
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        let known = chosen.filter_map(|(batch, at)| Some((batch, batch.records.get(at)?)));
        for (batch, record) in known {
            let mut copy = record.clone();
            for slice in [
                &mut copy.time,
                &mut copy.kind,
                &mut copy.value,
                &mut copy.request_id,
                &mut copy.trace_id,
                &mut copy.span_id,
                &mut copy.attributes,
            ] {
                let start = bytes.len();
                bytes.extend_from_slice(batch.bytes(*slice));
                *slice = Slice::of_body(start..bytes.len());
            }
            records.push(copy);
        }
        let charge = self.body.budget().charge_over(bytes.capacity());
        let (body, _) = Body::new(bytes, charge);
        Batch::of_records(Arc::new(body), self.instance, self.arrived_ms, records)
    }

    /// Bytes of a record's text and attributes: what a queue counts it for.
    pub fn weight(&self, record: &Record) -> usize {
        record.value.len() + record.attributes.len() + record.time.len() + record.kind.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::test_util;

    #[test]
    fn compacting_keeps_every_byte_of_the_chosen_records() {
        let mut batch = test_util::batch(&["one", "two", "three"]);
        let attributes = batch.keep(b"\"a\":1");
        batch.records_mut()[2].attributes = attributes;
        let small = batch.compact([2].into_iter());
        assert_eq!(small.records().len(), 1);
        assert_eq!(small.bytes(small.records()[0].value), b"\"three\"");
        assert_eq!(small.bytes(small.records()[0].attributes), b"\"a\":1");
        assert_eq!(small.records()[0].sequence, batch.records()[2].sequence);
    }

    /// Half a megabyte beside the body, text by text: the budget knows of it before anybody settles.
    #[test]
    fn what_lies_beside_the_body_is_charged_before_it_is_taken() {
        let mut batch = test_util::batch(&["one"]);
        let budget = batch.body().budget().clone();
        let before = budget.used();
        let text = vec![b'x'; 1 << 10];
        for kept in 1..=512u64 {
            batch.keep(&text);
            assert!(budget.used() - before >= kept << 10);
        }
        assert!(budget.used() - before <= 2 << 19, "it grows by doubling");
        assert!(!batch.has_room(64 << 20), "just over");
        let charged = budget.used();
        batch.settle();
        assert!(budget.used() <= charged + 4_096, "the index alone is new");
        drop(batch);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn everything_held_is_charged_and_given_back() {
        let batch = test_util::batch(&["one", "two"]);
        let budget = batch.body().budget().clone();
        let copy = batch.fork();
        assert!(budget.used() > batch.body().charged());
        drop(batch);
        drop(copy);
        assert_eq!(budget.used(), 0);
    }
}
