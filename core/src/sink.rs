//! What a sink is, what it is given, and what it says became of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Batch, Lane, Record};
use crate::budget::Budget;
use crate::facts::Facts;
use crate::observation::Observation;
use crate::world::{Boxed, Instant, World};

/// Records of one batch that travel in one lane: one handle in a queue.
#[derive(Debug)]
pub struct Parcel {
    /// The batch.
    pub batch: Arc<Batch>,
    /// Positions of the chosen records in the batch.
    pub chosen: Box<[u32]>,
    /// Their lane.
    pub lane: Lane,
    /// Bytes that they count for.
    pub weight: usize,
}

/// The records of one request, in the order in which they were written.
#[derive(Debug, Default)]
pub struct Selection {
    parcels: Vec<Arc<Batch>>,
    order: Vec<(u32, u32)>,
}

impl Selection {
    /// Adds the records of a parcel. Call [`Self::sort`] after the last one.
    pub fn add(&mut self, parcel: &Parcel) {
        let index = self.index_of(&parcel.batch);
        let chosen = parcel.chosen.iter();
        self.order.extend(chosen.map(|position| (index, *position)));
    }

    fn index_of(&mut self, batch: &Arc<Batch>) -> u32 {
        let known = self
            .parcels
            .iter()
            .position(|other| Arc::ptr_eq(other, batch));
        let index = known.unwrap_or_else(|| {
            self.parcels.push(batch.clone());
            self.parcels.len() - 1
        });
        index as u32
    }

    /// Puts the records in the order of their sequence.
    pub fn sort(&mut self) {
        let parcels = &self.parcels;
        self.order.sort_by_key(|(parcel, position)| {
            parcels[*parcel as usize].records()[*position as usize].sequence
        });
    }

    /// How many records.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The records.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (&Batch, &Record)> {
        self.order.iter().map(|(parcel, position)| {
            let batch = &*self.parcels[*parcel as usize];
            (batch, &batch.records()[*position as usize])
        })
    }

    /// What the records stand for, where they stand for observations.
    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        self.order.iter().filter_map(|(parcel, position)| {
            let observations = self.parcels[*parcel as usize].observations();
            observations.get(*position as usize)
        })
    }

    /// The records of one parcel.
    pub fn of_parcel(parcel: &Parcel) -> Selection {
        let mut records = Selection::default();
        records.add(parcel);
        records
    }

    /// Adds the records of another selection behind those of this one.
    pub fn append(&mut self, other: &Selection) {
        // A batch is looked up once, and not again for each of its records.
        let known = other.parcels.iter().map(|batch| self.index_of(batch));
        let places: Vec<u32> = known.collect();
        let order = other.order.iter();
        self.order
            .extend(order.map(|(parcel, position)| (places[*parcel as usize], *position)));
    }

    /// The batches, each with the positions of those of its records that are selected.
    pub fn by_batch(&self) -> Vec<(&Batch, Vec<u32>)> {
        let mut batches: Vec<_> = self
            .parcels
            .iter()
            .map(|batch| (&**batch, Vec::new()))
            .collect();
        for (parcel, position) in &self.order {
            batches[*parcel as usize].1.push(*position);
        }
        batches.retain(|(_, positions)| !positions.is_empty());
        batches
    }

    /// A selection of the records at these positions of this one.
    pub fn subset(&self, keep: impl Iterator<Item = usize>) -> Selection {
        let order = keep.filter_map(|position| self.order.get(position).copied());
        Selection::of_some(&self.parcels, order.collect())
    }

    /// Bytes of the records.
    pub fn weight(&self) -> usize {
        self.weights().sum()
    }

    /// Bytes of each record, or of the observation that it stands for.
    pub fn weights(&self) -> impl Iterator<Item = usize> {
        self.order.iter().map(|(parcel, position)| {
            let (batch, position) = (&self.parcels[*parcel as usize], *position as usize);
            let observed = batch.observations().get(position);
            observed.map_or_else(
                || batch.weight(&batch.records()[position]),
                Observation::weight,
            )
        })
    }

    /// Splits off the records from a position on.
    pub fn split_off(&mut self, at: usize) -> Selection {
        let order = self.order.split_off(at.min(self.order.len()));
        let parcels = std::mem::take(&mut self.parcels);
        *self = Selection::of_some(&parcels, std::mem::take(&mut self.order));
        Selection::of_some(&parcels, order)
    }

    /// Some records of these batches. Batches of which none is left are not held, or their bodies would stay in memory.
    fn of_some(parcels: &[Arc<Batch>], mut order: Vec<(u32, u32)>) -> Selection {
        let mut places = vec![None; parcels.len()];
        let mut kept = Vec::new();
        for (parcel, _) in &mut order {
            let batch = &parcels[*parcel as usize];
            let place = &mut places[*parcel as usize];
            *parcel = *place.get_or_insert_with(|| {
                kept.push(batch.clone());
                kept.len() as u32 - 1
            });
        }
        Selection {
            parcels: kept,
            order,
        }
    }
}

/// What became of a record, or of all records of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The destination took it.
    Accepted,
    /// The destination refused it for good. The word stands in the ledger: a status, an error code.
    Rejected(Cow<'static, str>),
    /// The destination refused one for good and does not say which: this one, or any other that counts as accepted. As
    /// many records have this verdict as were refused; the word is as above.
    Unnamed(Cow<'static, str>),
    /// Worth another attempt, not before `after` where the destination asked for that.
    Retry {
        /// What went wrong, a word or two; never a body, a header value or a URL.
        why: Cow<'static, str>,
        /// What the destination asked to wait.
        after: Option<Duration>,
        /// The destination said something, be it an error: it is not a sink that never answers.
        answered: bool,
    },
    /// The destination does not know us or does not let us: wrong credentials, a missing permission, no such bucket.
    /// Said once, loudly; the records are kept and tried again ever more rarely, which uses up no attempts.
    Denied {
        /// What it said, a word or two; never a body, a header value or a URL.
        why: Cow<'static, str>,
    },
    /// Too large for one request: it is sent again in two halves; one record alone is rejected.
    TooLarge,
    /// The sink keeps it in an object that grows: in flight until [`Sink::flush`] says what became of it.
    Held,
}

/// What a sink keeps, and when it is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// Nothing.
    Nothing,
    /// Something that may still grow; sent at this moment, once nothing is queued, and when memory is short.
    Until(Instant),
    /// Something that is as large as it may become: sent before the sink is given anything else.
    Full,
}

/// What became of what a sink was given: one verdict for all, and exceptions by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The fate of every record that is no exception.
    pub verdict: Verdict,
    /// Positions in the selection with a fate of their own.
    pub exceptions: Vec<(u32, Verdict)>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Outcome {
        Outcome {
            verdict,
            exceptions: Vec::new(),
        }
    }
}

/// One call of a sink: what it may use, and until when.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Time, randomness, environment and connections.
    pub world: &'a dyn World,
    /// What encoded requests are charged to.
    pub budget: &'a Budget,
    /// When the call is given up, in running time. The pipeline stops polling it then; a sink needs no timer.
    pub deadline: Instant,
    /// The same on every attempt of these records.
    pub batch_id: &'a str,
    /// The function and its environment, as far as they are known by now.
    pub facts: &'a Facts,
}

/// How much one call may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Most records.
    pub records_max: usize,
    /// Most bytes of records and attributes, before encoding. One larger record still comes, alone.
    pub bytes_max: usize,
}

/// Delivers to one destination, one call at a time.
///
/// The pipeline owns queue, retries, breaker, deadlines and counting; a sink encodes, sends and says what became of
/// it. A call may be dropped at any await: the next one must find the sink usable.
///
/// A sink that gathers several calls into one object answers [`Verdict::Held`] and keeps what it has encoded, charged
/// to [`Call::budget`] and bounded by its own settings. The loop then asks [`Self::holding`] and calls
/// [`Self::flush`]: at the moment the sink names, when memory is short, and at shutdown. Once a flush was tried,
/// nothing is delivered until all that was held has a fate, so that every attempt sends the same object.
pub trait Sink {
    /// How much one call may be given.
    fn limits(&self) -> CallLimits;

    /// Longest time for one request where the file does not say; `None` for what holds for all sinks.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// Whether it takes records at all; where not, they count as filtered.
    fn takes_records(&self) -> bool {
        true
    }

    /// Sinks of the same table that take observations in place of records, each with its name, a queue and a breaker of
    /// its own. Asked once, before the first call.
    fn companions(&mut self) -> Vec<(&'static str, Box<dyn Sink>)> {
        Vec::new()
    }

    /// Sends the records; a companion sends what they stand for, [`Selection::observations`].
    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome>;

    /// What it holds. Asked often: no work, no waiting.
    fn holding(&self, world: &dyn World) -> Holding {
        let _ = world;
        Holding::Nothing
    }

    /// Sends everything that it holds. Positions in the outcome count from the record that was held first; what is to
    /// be tried again stays held, in the same order. A call that is given up leaves everything held.
    fn flush<'a>(&'a mut self, call: Call<'a>) -> Boxed<'a, Outcome> {
        let _ = call;
        // Only asked of a sink that said it held something.
        Box::pin(std::future::ready(
            Verdict::Rejected("not_flushed".into()).into(),
        ))
    }

    /// Forgets everything that it holds: it was counted as dropped.
    fn forget(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util;

    /// Three batches of two records each.
    fn selection() -> (Selection, Vec<Arc<Batch>>) {
        let mut records = Selection::default();
        let mut batches = Vec::new();
        for _ in 0..3 {
            let batch = Arc::new(test_util::batch(&["one", "two"]));
            records.add(&Parcel {
                batch: batch.clone(),
                chosen: Box::new([0, 1]),
                lane: Lane::Middle,
                weight: 2,
            });
            batches.push(batch);
        }
        (records, batches)
    }

    fn holders(batches: &[Arc<Batch>]) -> Vec<usize> {
        batches.iter().map(|b| Arc::strong_count(b) - 1).collect()
    }

    #[test]
    fn a_part_of_a_selection_holds_only_the_batches_of_its_records() {
        let (records, batches) = selection();
        let part = records.subset([2, 5, 4].into_iter());
        drop(records);
        assert_eq!(holders(&batches), [0, 1, 1]);
        let of = |at: usize| part.records().nth(at).unwrap();
        assert!(std::ptr::eq(of(0).1, &raw const batches[1].records()[0]));
        assert!(std::ptr::eq(of(1).1, &raw const batches[2].records()[1]));
        assert!(std::ptr::eq(of(2).1, &raw const batches[2].records()[0]));
        assert!(part.subset(std::iter::empty()).parcels.is_empty());
    }

    #[test]
    fn both_halves_of_a_selection_hold_only_their_own_batches() {
        let (mut first, batches) = selection();
        let second = first.split_off(3);
        assert_eq!((first.len(), second.len()), (3, 3));
        assert_eq!(holders(&batches), [1, 2, 1]);
        drop(first);
        assert_eq!(holders(&batches), [0, 1, 1]);
        assert_eq!(
            second.weight(),
            3 * batches[0].weight(&batches[0].records()[0])
        );
    }
}
