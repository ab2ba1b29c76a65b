//! The step in front of all others: records wait there until the secrets that transforms need are settled.

use std::collections::VecDeque;

use crate::batch::{Batch, Fate, Lane};
use crate::config::Late;
use crate::limits::{SECRET_WAIT_BATCHES_MAX, SECRET_WAIT_MAX};
use crate::transform::{Context, Holding, Transform};
use crate::world::Instant;

/// Holds whole batches back, in the order of arrival, until every secret was fetched or could not be.
///
/// Goes without them after [`SECRET_WAIT_MAX`] of running time, once what waits would fill half of a queue behind it or
/// more than half of the budget is used, and where everything ends or may end: what a transform does without its secret
/// is its own business. It is passed once and for all. Bodies stay charged meanwhile; at most
/// [`SECRET_WAIT_BATCHES_MAX`] batches wait.
pub(super) struct Waiting {
    secrets: Vec<Late>,
    batches: VecDeque<Batch>,
    /// Records in them.
    held: u64,
    /// Bytes of these, as queues count them.
    bytes: usize,
    bytes_max: usize,
    /// When the first of them has waited for long enough.
    until: Instant,
    passed: bool,
}

impl Waiting {
    pub(super) fn new(secrets: Vec<Late>, bytes_max: usize) -> Waiting {
        Waiting {
            secrets,
            batches: VecDeque::new(),
            held: 0,
            bytes: 0,
            bytes_max,
            until: Instant::NEVER,
            passed: false,
        }
    }

    fn is_settled(&self) -> bool {
        !self.secrets.iter().any(Late::is_wanted)
    }

    fn pass(&mut self, output: &mut Vec<Batch>) {
        self.passed = true;
        (self.held, self.bytes) = (0, 0);
        output.extend(self.batches.drain(..));
    }
}

/// Bytes of its live records: others do not wait.
fn weight(batch: &Batch) -> usize {
    let live = batch
        .records()
        .iter()
        .filter(|record| record.fate == Fate::Live);
    live.map(|record| batch.weight(record)).sum()
}

impl Transform for Waiting {
    fn apply(&mut self, mut batch: Batch, context: &Context<'_>, output: &mut Vec<Batch>) {
        let weight = weight(&batch);
        let enough = || {
            self.is_settled()
                || context.budget.is_tight()
                || self.bytes + weight > self.bytes_max
                || self.batches.len() == SECRET_WAIT_BATCHES_MAX
        };
        if self.passed || enough() {
            self.pass(output);
            return output.push(batch);
        }
        // What has its fate already does not wait for anything.
        if batch
            .records()
            .iter()
            .any(|record| record.fate != Fate::Live)
        {
            let mut rest = batch.fork();
            rest.retain(|record| record.fate != Fate::Live);
            batch.retain(|record| record.fate == Fate::Live);
            output.push(rest);
        }
        if batch.records().is_empty() {
            return;
        }
        if self.batches.is_empty() {
            self.until = context.world.now() + SECRET_WAIT_MAX;
        }
        batch.settle();
        self.held += batch.records().len() as u64;
        self.bytes += weight;
        self.batches.push_back(batch);
    }

    fn holding(&self) -> Holding {
        let due = match self.is_settled() {
            true => Instant::default(),
            false => self.until,
        };
        Holding {
            held: self.held,
            made: 0,
            due: (!self.batches.is_empty()).then_some(due),
        }
    }

    fn expire(&mut self, _: &Context<'_>, output: &mut Vec<Batch>) {
        self.pass(output);
    }

    fn evict(&mut self, lane: Lane) -> u64 {
        let of_lane = |batch: &Batch| batch.records().iter().any(|record| record.lane() == lane);
        let Some(position) = self.batches.iter().position(of_lane) else {
            return 0;
        };
        let Some(batch) = self.batches.remove(position) else {
            return 0;
        };
        let records = batch.records();
        let stays = (0..records.len()).filter(|at| records[*at].lane() != lane);
        let small = batch.compact(stays);
        let dropped = (records.len() - small.records().len()) as u64;
        self.bytes -= weight(&batch) - weight(&small);
        if !small.records().is_empty() {
            self.batches.insert(position, small);
        }
        self.held -= dropped;
        dropped
    }

    fn release(&mut self, _: &Context<'_>, output: &mut Vec<Batch>) {
        self.pass(output);
    }
}
