//! Records that a sink holds in an object which grows: asked for when they are due, kept in flight until then.

use super::{Delivery, batch_id, counted, is_report, split, subtract};
use crate::ledger::{DropReason, add};
use crate::port::Attempt;
use crate::sink::{Outcome, Selection};
use crate::world::Instant;

/// What is known of the records that the sink holds; how many there are stands in the port.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Id of the first call that left something.
    first: String,
    /// There are other records than reports of losses.
    beyond_reports: bool,
    /// The records themselves, where another sink would take them over.
    records: Option<Selection>,
    /// Attempts that count, once there was an attempt.
    pub tried: Option<u32>,
    /// When the next attempt is allowed.
    pub not_before: Instant,
}

impl Delivery {
    /// The sink keeps these records of a call.
    pub(super) fn hold(&mut self, attempt: &Attempt, positions: &[usize]) {
        let records = attempt.records.subset(positions.iter().copied());
        if self.port.held_records.get() == 0 {
            self.held = Held {
                first: batch_id(&records),
                records: self.port.has_dead_letter().then(Selection::default),
                ..Held::default()
            };
        }
        self.held.beyond_reports |= !is_report(&records);
        if let Some(kept) = &mut self.held.records {
            kept.append(&records);
        }
        add(&self.port.held_records, records.len() as u64);
    }

    /// Asks the sink to send what it holds, and counts what became of it.
    pub(super) async fn flush(&mut self, deadline: Instant) {
        let was_open = self.port.breaker.borrow().is_open();
        let batch_id = format!("{}-{}", self.held.first, self.port.held_records.get());
        let outcome = self.call(&batch_id, deadline, None).await;
        self.sent(was_open);
        self.settled(!self.held.beyond_reports, |delivery| {
            delivery.settle_held(outcome, was_open);
        });
    }

    fn settle_held(&mut self, outcome: Option<Outcome>, was_open: bool) {
        let Some(outcome) = outcome else {
            self.drop_held(DropReason::Broken);
            self.strike(None, false, "it broke");
            let message = format!("sink `{}` broke; what it held is dropped", self.port.name);
            self.world.log(crate::level::Level::Error, &message);
            return;
        };
        let held = self.port.held_records.get();
        let mut split = split(usize::try_from(held).unwrap_or(usize::MAX), &outcome);
        // An object cannot be halved, and one that is sent is not held any more.
        let too_large = std::mem::take(&mut split.too_large);
        let left = std::mem::take(&mut split.held);
        for (reason, positions) in [("too_large", too_large), ("not_flushed", left)] {
            if !positions.is_empty() {
                split.rejected.push((reason.to_owned(), positions));
            }
        }
        let records = self.held.records.take();
        let attempts = self.held.tried.unwrap_or_default() + 1;
        self.count(&split, records.as_ref(), attempts);
        let Some(retry) = split.retry else {
            self.port.held_records.set(0);
            return;
        };
        self.port.held_records.set(retry.positions.len() as u64);
        self.held.records = records.map(|all| all.subset(retry.positions.iter().copied()));
        self.failed(split.accepted, &retry);
        // An attempt that settled some of them used up none of the others'; see `try_again`.
        let used = match retry.positions.len() as u64 == held {
            true => counted(&retry, was_open),
            false => 0,
        };
        let tried = self.held.tried.unwrap_or_default() + used;
        if tried >= self.port.settings.attempts_max {
            self.drop_held(DropReason::Attempts);
            return;
        }
        self.held.not_before = self.again_at(tried, &retry);
        self.held.tried = Some(tried);
    }

    /// Drops what the sink holds, and has it forget that.
    pub(super) fn drop_held(&mut self, reason: DropReason) {
        let count = self.port.held_records.replace(0);
        if count == 0 {
            return;
        }
        let forget = || self.sink.forget();
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(forget)).is_err() {
            let message = format!("sink `{}` broke", self.port.name);
            self.world.log(crate::level::Level::Error, &message);
        }
        match self.held.records.take() {
            Some(records) => {
                let attempts = self.held.tried.unwrap_or_default();
                self.port.lose(&records, reason, attempts);
            }
            None => {
                subtract(&self.port.counts.in_flight, count);
                self.port.counts.dropped(reason, count);
            }
        }
    }
}
