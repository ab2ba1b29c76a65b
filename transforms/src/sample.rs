//! `sample`: keeps a share of the records, the same ones on every instance and in every stage; holds invocations until
//! their end is known; bounds what repeats itself.
//!
//! A record goes through four steps, in this order:
//!
//! 1. `keep`: a record for which it holds is never left out, and none of the other steps looks at it.
//! 2. `tail`: the lines of an invocation are held until its end. Where `tail.keep` holds for the invocation they stay,
//!    else they fall to the rate: [`tail`].
//! 3. `rate`: each record has a key, its request id, its trace id or a value in its JSON. The key's hash gives 56 bits
//!    `R`, and the record is kept where `R >= T` with `T = (1 - rate) * 2^56`. So all lines of one invocation share a
//!    fate, and what a lower rate keeps is part of what a higher rate keeps: stages and services with the same key nest.
//! 4. `limit`: of each key only so many records go on in a time: [`limit`].
//!
//! A record without the key is kept and counted as `sample_key_missing`. Platform events, Tapline's own records and
//! lines in CloudWatch's embedded metric format are left alone.
//!
//! A record that was kept by chance bears the attribute `sample_weight`, the number of records that it stands for. Where
//! an earlier stage with the same key left one, the larger counts, since both decided by the same bits; where the keys
//! differ, the weights multiply, and `sample_by` keeps their parts apart.
//!
//! # Limits
//!
//! A `rate` below 2^-56 keeps nothing. A hold copies each line once. A `limit` knows 1,024 keys at once.

use tapline_core::batch::{Batch, Fate, Lane, Origin, Record, Slice};
use tapline_core::expr::{Expression, Unlike};
use tapline_core::ledger::add;
use tapline_core::limits::ATTRIBUTES_BYTES_MAX;
use tapline_core::registry::TransformKind;
use tapline_core::transform::{Context, Holding, Transform};
use tapline_core::view::View;
use tapline_core::world::Instant;

mod key;
mod limit;
mod load;
mod tail;

use key::{Key, Share};
use limit::Limit;
use tail::{Decision, Released, Tail};

/// The row of the registry.
pub const KIND: TransformKind = TransformKind {
    name: "sample",
    feature: "sample",
    fields: load::FIELDS,
    build: Some(load::build),
    redacts: false,
};

/// A `sample`.
struct Sample {
    by: Key,
    share: Share,
    keep: Option<Expression>,
    tail: Option<Tail>,
    limit: Option<Limit>,
    /// A key's text.
    text: Vec<u8>,
    /// Positions of records that went into a hold.
    taken: Vec<usize>,
    /// Ends of invocations that were seen.
    ended: u64,
}

/// Whom a record falls to.
enum Standing {
    /// `keep` names it: to nobody.
    Exempt,
    /// It is held.
    Taken,
    /// It was decided by its invocation, or there is no tail.
    Decided(Decision),
}

/// What is to happen to a record.
enum Verdict {
    Pass,
    Weigh,
    LeaveOut,
}

impl Transform for Sample {
    fn prepare(&mut self) {
        self.keep.iter().for_each(Expression::prepare);
        self.tail.iter().for_each(Tail::prepare);
    }

    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut released = Vec::new();
        let mut weights = Weights::default();
        // What a batch that broke left behind means nothing for this one.
        self.taken.clear();
        for position in 0..batch.records().len() {
            let record = &batch.records()[position];
            if is_left_alone(record) {
                continue;
            }
            match self.standing(&batch, record, context, &mut released) {
                Standing::Exempt => {}
                Standing::Taken => self.taken.push(position),
                Standing::Decided(decision) => {
                    let at = context.world.now();
                    self.settle(&mut batch, position, (at, decision), &mut weights, context);
                }
            }
        }
        self.take_out(&mut batch);
        if let Some(tail) = &mut self.tail {
            tail.finish_ended(context, &mut released);
        }
        self.give_out(released, context, output);
        if !batch.records().is_empty() {
            output.push(batch);
        }
        let ended = context.invocations.ended();
        if let Some(limit) = &mut self.limit
            && std::mem::replace(&mut self.ended, ended) != ended
        {
            // What an invocation suppressed is told with its end, which is flushed.
            limit.sum_up(context, output);
        }
    }

    fn holding(&self) -> Holding {
        let tail = self.tail.as_ref();
        let limit = self.limit.as_ref();
        let due = [tail.and_then(Tail::due), limit.and_then(Limit::due)];
        Holding {
            held: tail.map_or(0, Tail::held),
            made: limit.map_or(0, |limit| limit.made),
            due: due.into_iter().flatten().min(),
        }
    }

    fn expire(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut released = Vec::new();
        if let Some(tail) = &mut self.tail {
            tail.expire(context, &mut released);
        }
        self.give_out(released, context, output);
        if let Some(limit) = &mut self.limit
            && limit.due().is_some_and(|due| due <= context.world.now())
        {
            limit.sum_up(context, output);
        }
    }

    fn evict(&mut self, lane: Lane) -> u64 {
        self.tail.as_mut().map_or(0, |tail| tail.evict(lane))
    }

    fn release(&mut self, context: &Context<'_>, output: &mut Vec<Batch>) {
        let mut released = Vec::new();
        if let Some(tail) = &mut self.tail {
            tail.release_all(&mut released);
        }
        self.give_out(released, context, output);
        if let Some(limit) = &mut self.limit {
            limit.sum_up(context, output);
        }
    }
}

/// Whether no sampling looks at a record.
fn is_left_alone(record: &Record) -> bool {
    let theirs = matches!(record.origin, Origin::Platform | Origin::Tapline);
    !record.is_live() || record.embedded_metrics || theirs
}

/// The slice of a batch that records without other attributes share.
#[derive(Default)]
struct Weights(Option<Slice>);

impl Sample {
    fn new(by: Key, share: Share, keep: Option<Expression>) -> Sample {
        Sample {
            by,
            share,
            keep,
            tail: None,
            limit: None,
            text: Vec::new(),
            taken: Vec::new(),
            ended: 0,
        }
    }

    fn with_tail(self, tail: Tail) -> Sample {
        Sample {
            tail: Some(tail),
            ..self
        }
    }

    fn with_limit(self, limit: Limit) -> Sample {
        Sample {
            limit: Some(limit),
            ..self
        }
    }

    fn standing(
        &mut self,
        batch: &Batch,
        record: &Record,
        context: &Context<'_>,
        released: &mut Vec<Released>,
    ) -> Standing {
        let is_error = record.lane() == Lane::High;
        if let (Some(tail), true) = (&mut self.tail, is_error) {
            tail.pin(record.invocation);
        }
        if let Some(keep) = &self.keep {
            let mut unlike = Unlike::default();
            let view = View::new(batch, record, context.surroundings());
            let named = keep.matches(&view, &mut unlike);
            add(&context.ledger.unlike, unlike.0);
            if named {
                return Standing::Exempt;
            }
        }
        let Some(tail) = &mut self.tail else {
            return Standing::Decided(Decision::ByRate);
        };
        let decided = tail.take(batch, record, context, released);
        decided.map_or(Standing::Taken, Standing::Decided)
    }

    /// Takes the records out of the batch that went into a hold.
    fn take_out(&mut self, batch: &mut Batch) {
        if self.taken.is_empty() {
            return;
        }
        let mut taken = self.taken.drain(..).peekable();
        let mut position = 0;
        batch.retain(|_| {
            let stays = taken.next_if_eq(&position).is_none();
            position += 1;
            stays
        });
    }

    fn give_out(
        &mut self,
        released: Vec<Released>,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        for mut lines in released {
            let mut weights = Weights::default();
            for position in 0..lines.batch.records().len() {
                let standing = lines.of(position);
                self.settle(&mut lines.batch, position, standing, &mut weights, context);
            }
            output.push(lines.batch);
        }
    }

    /// Does to a record what rate and limit say.
    fn settle(
        &mut self,
        batch: &mut Batch,
        position: usize,
        (at, decision): (Instant, Decision),
        weights: &mut Weights,
        context: &Context<'_>,
    ) {
        let record = &batch.records()[position];
        match self.verdict(batch, record, (at, decision), context) {
            Verdict::Pass => {}
            Verdict::LeaveOut => batch.records_mut()[position].fate = Fate::Sampled,
            Verdict::Weigh => self.weigh(batch, position, weights, context),
        }
    }

    fn verdict(
        &mut self,
        batch: &Batch,
        record: &Record,
        (at, decision): (Instant, Decision),
        context: &Context<'_>,
    ) -> Verdict {
        let threshold = self.share.threshold;
        if self.limit.is_none() && (decision == Decision::Kept || threshold == 0) {
            return Verdict::Pass;
        }
        let view = View::new(batch, record, context.surroundings());
        let verdict = match decision {
            _ if threshold == 0 => Verdict::Pass,
            Decision::Kept => Verdict::Pass,
            Decision::ByRate => match self.by.randomness(batch, record, &view, &mut self.text) {
                None => {
                    add(&context.ledger.sample_key_missing, 1);
                    Verdict::Pass
                }
                Some(randomness) if randomness >= threshold => Verdict::Weigh,
                Some(_) => return Verdict::LeaveOut,
            },
        };
        let limit = self.limit.as_mut();
        if limit.is_none_or(|limit| limit.admits(&view, at, context)) {
            verdict
        } else {
            Verdict::LeaveOut
        }
    }

    /// Sets the weight beside a record that was kept by chance.
    fn weigh(
        &self,
        batch: &mut Batch,
        position: usize,
        weights: &mut Weights,
        context: &Context<'_>,
    ) {
        let before = batch.records()[position].attributes;
        let slice = match weights.0 {
            Some(slice) if before.is_empty() => slice,
            _ => {
                let mut out = context.scratch.take();
                out.clear();
                self.share
                    .write_weight(&self.by, batch.bytes(before), &mut out);
                let slice = match out.len() <= ATTRIBUTES_BYTES_MAX {
                    true => batch.keep(&out),
                    false => before,
                };
                context.scratch.give_back(out);
                slice
            }
        };
        if before.is_empty() {
            weights.0 = Some(slice);
        }
        batch.records_mut()[position].attributes = slice;
    }
}

#[cfg(test)]
mod tests;
