//! The loop of one sink: takes records from its queue, calls the sink, and decides what becomes of them.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::batch::Origin;
use crate::bell::Bell;
use crate::ledger::{DropReason, add, subtract};
use crate::limits::LOSS_REPORT_TIME;
use crate::line;
use crate::port::{Attempt, Goal, Port};
use crate::retry;
use crate::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use crate::world::{Instant, World, either};

/// What the loop does next.
enum Next {
    /// Nothing until then, or until the bell rings.
    Wait(Instant),
    /// Send, and give up at this moment.
    Send(Instant),
    /// Name what was lost in a record of its own.
    ReportLosses,
    /// Drop all that is left: the time of shutdown is over.
    GiveUp,
    /// All is done.
    End,
}

/// The loop's own state.
struct Delivery {
    port: Rc<Port>,
    sink: Box<dyn Sink>,
    world: Rc<dyn World>,
    limits: CallLimits,
    /// The one attempt that an open breaker is given at shutdown was used.
    last_chance_used: bool,
    /// How far the last report of losses has come during shutdown.
    last_report: LastReport,
}

/// The report of losses at shutdown: made once, sent once. What is lost after it is only in the ledger.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LastReport {
    NotYet,
    Made,
    Sent,
}

/// Runs a sink until its port is closed. Ends only after the port's goal became [`Goal::Close`].
pub async fn run(port: Rc<Port>, sink: Box<dyn Sink>, world: Rc<dyn World>) {
    // Whatever happens to this task, nobody may wait for it for ever.
    let _guard = Guard(port.clone());
    let limits = std::panic::catch_unwind(AssertUnwindSafe(|| sink.limits()));
    let mut delivery = Delivery {
        port,
        sink,
        world,
        limits: limits.unwrap_or(CallLimits {
            records_max: 1_000,
            bytes_max: 256 << 10,
        }),
        last_chance_used: false,
        last_report: LastReport::NotYet,
    };
    loop {
        match delivery.next() {
            Next::Wait(until) => delivery.wait(until).await,
            Next::Send(deadline) => delivery.send(deadline).await,
            Next::ReportLosses => delivery.report_losses(),
            Next::GiveUp => delivery.give_up(),
            Next::End => return,
        }
    }
}

/// Closes the port when its task ends, be it by a panic.
struct Guard(Rc<Port>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abandon();
        self.0.sending.set(false);
        self.0.progress.ring();
    }
}

/// Drains and closes sinks, all at once; ends when all have ended or the time is over.
pub async fn finish(ports: &[Rc<Port>], until: Instant, progress: &Bell, world: &dyn World) {
    ports
        .iter()
        .for_each(|port| port.set_goal(Goal::Drain(until)));
    while world.now() < until && !ports.iter().all(|port| port.is_drained()) {
        either(progress.rung(), world.sleep_until(until)).await;
    }
    ports
        .iter()
        .for_each(|port| port.set_goal(Goal::Close(until)));
    while world.now() < until && !ports.iter().all(|port| port.ended.get()) {
        either(progress.rung(), world.sleep_until(until)).await;
    }
    ports
        .iter()
        .filter(|port| !port.ended.get())
        .for_each(|port| port.abandon());
}

impl Delivery {
    fn next(&self) -> Next {
        let now = self.world.now();
        let has_work = self.port.has_work();
        match self.port.goal() {
            Goal::Drain(until) => self.next_of_drain(now, until, has_work),
            Goal::Close(until) => self.next_of_close(now, until, has_work),
            _ if !has_work && self.port.counts.has_unreported() => Next::ReportLosses,
            _ if !has_work => {
                self.rest();
                Next::Wait(Instant::NEVER)
            }
            _ if !self.port.wants_to_send() => Next::Wait(Instant::NEVER),
            _ => match self.earliest(now) {
                Some(later) => Next::Wait(later),
                None => Next::Send(now + self.port.settings.timeout),
            },
        }
    }

    fn next_of_drain(&self, now: Instant, until: Instant, has_work: bool) -> Next {
        if !has_work {
            return Next::Wait(Instant::NEVER);
        }
        let last = until - LOSS_REPORT_TIME;
        let send = Next::Send((now + self.port.settings.timeout).min(last));
        match self.earliest(now) {
            _ if now >= last => Next::GiveUp,
            None => send,
            // A breaker that is open is asked once more, because there is no later.
            Some(_) if self.port.breaker.borrow().is_open() && !self.last_chance_used => send,
            Some(later) if later < last => Next::Wait(later),
            Some(_) => Next::GiveUp,
        }
    }

    fn next_of_close(&self, now: Instant, until: Instant, has_work: bool) -> Next {
        match self.last_report {
            _ if now >= until && has_work => Next::GiveUp,
            LastReport::Made if has_work => {
                Next::Send((now + self.port.settings.timeout).min(until))
            }
            LastReport::NotYet if !has_work && self.port.counts.has_unreported() && now < until => {
                Next::ReportLosses
            }
            _ if has_work => Next::GiveUp,
            _ => Next::End,
        }
    }

    /// When breaker and retry allow the next request; `None` for now.
    fn earliest(&self, now: Instant) -> Option<Instant> {
        let breaker = self.port.breaker.borrow().closed_until(now);
        let retry = self
            .port
            .under_way
            .borrow()
            .front()
            .map(|attempt| attempt.not_before)
            .filter(|at| *at > now);
        breaker.max(retry)
    }

    /// Nothing is left to send: a flush is complete.
    fn rest(&self) {
        if self.port.goal() == Goal::Flush {
            self.port.set_goal(Goal::Rest);
            self.port.progress.ring();
        }
    }

    async fn wait(&self, until: Instant) {
        let until = Some(until).filter(|until| *until != Instant::NEVER);
        self.port
            .waiting_until
            .set(until.filter(|_| self.port.has_work()));
        self.port.progress.ring();
        let bell = self.port.bell.rung();
        match until {
            None => bell.await,
            Some(until) => either(bell, self.world.sleep_until(until)).await,
        }
        self.port.waiting_until.set(None);
    }

    async fn send(&mut self, deadline: Instant) {
        if self.port.under_way.borrow().is_empty() {
            self.take_from_queue();
        }
        let Some(attempt) = self.port.under_way.borrow_mut().pop_front() else {
            return;
        };
        let was_open = self.port.breaker.borrow().is_open();
        self.last_chance_used |= was_open;
        if self.last_report == LastReport::Made {
            self.last_report = LastReport::Sent;
        }
        self.port.sending.set(true);
        add(&self.port.counts.attempts, 1);
        let outcome = self.call(&attempt, deadline).await;
        self.port.sending.set(false);
        // The loss of a report is in the ledger, but no reason for another report.
        let is_report = attempt
            .records
            .records()
            .all(|(_, record)| record.origin == Origin::Tapline);
        let unreported = is_report.then(|| self.port.counts.take_unreported());
        self.settle(attempt, outcome, was_open);
        if let Some(before) = unreported {
            self.port.counts.put_back_unreported(before);
        }
        self.port.progress.ring();
    }

    /// Calls the sink until it answers, the deadline comes, or shutdown leaves no more time.
    async fn call(&mut self, attempt: &Attempt, deadline: Instant) -> Option<Outcome> {
        let world = self.world.clone();
        let port = self.port.clone();
        let facts = port.identity.facts();
        let call = Call {
            world: &*world,
            budget: &port.budget,
            deadline,
            batch_id: &attempt.batch_id,
            facts: &facts,
        };
        let sink = &mut *self.sink;
        let made = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let sink = sink;
            sink.deliver(&attempt.records, call)
        }));
        let Ok(mut answer) = made else { return None };
        loop {
            let until = match port.goal() {
                Goal::Drain(until) => deadline.min(until - LOSS_REPORT_TIME),
                Goal::Close(until) => deadline.min(until),
                _ => deadline,
            };
            let mut bell = std::pin::pin!(port.bell.rung());
            let mut timer = world.sleep_until(until);
            // What to do after the poll: the answer, `None` for "too late", or once more with another deadline.
            let step = std::future::poll_fn(|context| {
                let polled =
                    std::panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context)));
                match polled {
                    Ok(Poll::Ready(outcome)) => return Poll::Ready(Some(Some(outcome))),
                    Ok(Poll::Pending) => {}
                    Err(_) => return Poll::Ready(Some(None)),
                }
                if timer.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Some(Some(unanswered())));
                }
                bell.as_mut().poll(context).map(|()| None)
            })
            .await;
            if let Some(outcome) = step {
                return outcome;
            }
        }
    }

    fn take_from_queue(&mut self) {
        let limits = self.limits;
        let mut records = Selection::default();
        let mut weight = 0;
        while weight < limits.bytes_max && records.len() < limits.records_max {
            let Some(parcel) = self.port.queue.pop() else {
                break;
            };
            weight += parcel.weight;
            records.add(&parcel);
        }
        records.sort();
        while !records.is_empty() {
            let rest = records.split_off(fitting(&records, limits.records_max, limits.bytes_max));
            self.port.under_way.borrow_mut().push_back(Attempt {
                batch_id: batch_id(&records),
                records,
                tried: 0,
                not_before: Instant::default(),
            });
            records = rest;
        }
    }

    /// Counts what became of the records and keeps what is worth another attempt. `None`: the sink broke.
    fn settle(&mut self, attempt: Attempt, outcome: Option<Outcome>, was_open: bool) {
        let Some(outcome) = outcome else {
            self.port
                .drop_records(DropReason::Broken, attempt.records.len());
            self.strike(None, false, "it broke");
            let message = format!("sink `{}` broke; its batch is dropped", self.port.name);
            self.world.log(crate::level::Level::Error, &message);
            return;
        };
        let split = split(&attempt.records, outcome);
        let counts = &self.port.counts;
        subtract(&counts.in_flight, split.accepted);
        add(&counts.delivered, split.accepted);
        for (reason, count) in &split.rejected {
            subtract(&counts.in_flight, *count);
            counts.rejected(reason, *count);
        }
        if split.accepted > 0 || !split.rejected.is_empty() || !split.too_large.is_empty() {
            self.port.breaker.borrow_mut().success();
        }
        if !split.too_large.is_empty() {
            self.halve(attempt.records.subset(split.too_large.into_iter()));
        }
        if let Some(retry) = split.retry {
            if split.accepted == 0 {
                self.strike(retry.after, retry.answered, &retry.why);
            }
            self.try_again(attempt, retry, was_open);
        }
    }

    fn strike(&self, hint: Option<Duration>, answered: bool, why: &str) {
        let mut breaker = self.port.breaker.borrow_mut();
        let was_open = breaker.is_open();
        breaker.failure(self.world.now(), hint, answered);
        if breaker.is_open() && !was_open {
            drop(breaker);
            self.port.log_open(&*self.world, why);
        }
    }

    fn try_again(&mut self, attempt: Attempt, retry: Retry, was_open: bool) {
        // A probe of an open breaker costs no attempt.
        let tried = attempt.tried + u32::from(!was_open);
        let whole = retry.positions.len() == attempt.records.len();
        let records = if whole {
            attempt.records
        } else {
            attempt.records.subset(retry.positions.into_iter())
        };
        if tried >= self.port.settings.attempts_max {
            self.port.drop_records(DropReason::Attempts, records.len());
            return;
        }
        let delay = retry::delay(tried.max(1), retry.after, self.world.random());
        self.port.under_way.borrow_mut().push_front(Attempt {
            batch_id: if whole {
                attempt.batch_id
            } else {
                batch_id(&records)
            },
            records,
            tried,
            not_before: self.world.now() + delay,
        });
    }

    /// Two requests in place of one that was too large; one record alone is refused for good.
    fn halve(&mut self, mut records: Selection) {
        if records.len() == 1 {
            subtract(&self.port.counts.in_flight, 1);
            self.port.counts.rejected("too_large", 1);
            return;
        }
        let second = records.split_off(records.len() / 2);
        for half in [second, records] {
            self.port.under_way.borrow_mut().push_front(Attempt {
                batch_id: batch_id(&half),
                records: half,
                tried: 0,
                not_before: Instant::default(),
            });
        }
    }

    fn report_losses(&mut self) {
        if let Goal::Close(_) = self.port.goal() {
            self.last_report = LastReport::Made;
        }
        self.port.report_losses(&*self.world);
    }

    fn give_up(&mut self) {
        for attempt in self.port.under_way.take() {
            self.port
                .drop_records(DropReason::Shutdown, attempt.records.len());
        }
        while let Some(parcel) = self.port.queue.pop() {
            self.port
                .drop_records(DropReason::Shutdown, parcel.chosen.len());
        }
    }
}

fn unanswered() -> Outcome {
    Outcome::from(Verdict::Retry {
        why: "timeout".into(),
        after: None,
        answered: false,
    })
}

/// How many records of a selection fit into one call: at least one.
fn fitting(records: &Selection, records_max: usize, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fit = records
        .records()
        .take(records_max)
        .take_while(|(batch, record)| {
            bytes += batch.weight(record);
            bytes <= bytes_max
        })
        .count();
    fit.max(1)
}

/// The id of the first record and the number of records: the same on every attempt.
fn batch_id(records: &Selection) -> String {
    let mut id = Vec::new();
    if let Some((batch, record)) = records.records().next() {
        line::write_id(batch, record, &mut id);
    }
    id.extend_from_slice(format!("-{}", records.len()).as_bytes());
    String::from_utf8_lossy(&id).into_owned()
}

/// The records of an outcome that are to be tried again.
struct Retry {
    positions: Vec<usize>,
    why: String,
    after: Option<Duration>,
    answered: bool,
}

/// An outcome, sorted by what has to be done.
#[derive(Default)]
struct Split {
    accepted: u64,
    rejected: Vec<(String, u64)>,
    too_large: Vec<usize>,
    retry: Option<Retry>,
}

fn split(records: &Selection, outcome: Outcome) -> Split {
    let mut fates = vec![
        None;
        if outcome.exceptions.is_empty() {
            0
        } else {
            records.len()
        }
    ];
    for (position, verdict) in &outcome.exceptions {
        if let Some(fate) = fates.get_mut(*position as usize) {
            *fate = Some(verdict);
        }
    }
    let mut split = Split::default();
    for position in 0..records.len() {
        let verdict = fates
            .get(position)
            .copied()
            .flatten()
            .unwrap_or(&outcome.verdict);
        match verdict {
            Verdict::Accepted => split.accepted += 1,
            Verdict::TooLarge => split.too_large.push(position),
            Verdict::Rejected(reason) => {
                match split.rejected.iter_mut().find(|(known, _)| known == reason) {
                    Some((_, count)) => *count += 1,
                    None => split.rejected.push((reason.clone().into_owned(), 1)),
                }
            }
            Verdict::Retry {
                why,
                after,
                answered,
            } => {
                let retry = split.retry.get_or_insert_with(|| Retry {
                    positions: Vec::new(),
                    why: why.clone().into_owned(),
                    after: *after,
                    answered: *answered,
                });
                retry.after = retry.after.max(*after);
                retry.positions.push(position);
            }
        }
    }
    split
}

#[cfg(test)]
mod tests;
