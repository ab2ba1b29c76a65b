//! The loop of one sink: takes records from its queue, calls the sink, and decides what becomes of them.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::bell::Bell;
use crate::ledger::{DropReason, add, subtract};
use crate::port::{Attempt, Goal, Port, batch_id, is_report};
use crate::quota::Quota;
use crate::retry;
use crate::sink::{Call, CallLimits, Holding, Outcome, Selection, Sink, Verdict};
use crate::world::{Boxed, Instant, World, either};
use held::Held;
use outcome::{Retry, Split, split};

mod held;
mod outcome;

/// What the loop does next.
enum Next {
    /// Nothing until then, or until the bell rings.
    Wait(Instant),
    /// Call the sink, and give up at this moment.
    Send(Work, Instant),
    /// Name what was lost in a record of its own.
    ReportLosses,
    /// Drop all that is left: the time of shutdown is over.
    GiveUp,
    /// All is done.
    End,
}

/// What the sink is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// What is queued, or waits for another attempt.
    Deliver,
    /// What the sink holds.
    Flush,
}

/// The loop's own state.
struct Delivery {
    port: Rc<Port>,
    sink: Box<dyn Sink>,
    world: Rc<dyn World>,
    limits: CallLimits,
    /// What is known of the records that the sink holds.
    held: Held,
    /// How often failed requests may be repeated.
    quota: Quota,
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
        held: Held::default(),
        quota: Quota::default(),
        last_chance_used: false,
        last_report: LastReport::NotYet,
    };
    loop {
        match delivery.next() {
            Next::Wait(until) => delivery.wait(until).await,
            Next::Send(Work::Deliver, deadline) => delivery.send(deadline).await,
            Next::Send(Work::Flush, deadline) => delivery.flush(deadline).await,
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
        match self.port.goal() {
            Goal::Drain(until) => self.next_of_drain(now, until),
            Goal::Close(until) => self.next_of_close(now, until),
            _ => match self.work(now) {
                Some(work) => match self.earliest(now, work) {
                    Some(later) => Next::Wait(later),
                    None => Next::Send(work, now + self.port.settings.timeout),
                },
                None if self.port.has_work() => Next::Wait(self.due()),
                None if self.port.counts.has_unreported() => Next::ReportLosses,
                None => {
                    self.rest();
                    Next::Wait(self.due())
                }
            },
        }
    }

    fn next_of_drain(&self, now: Instant, until: Instant) -> Next {
        let Some(work) = self.work_of_end() else {
            return Next::Wait(Instant::NEVER);
        };
        let last = self.port.gives_up_at(until);
        let send = Next::Send(work, (now + self.port.settings.timeout).min(last));
        match self.earliest(now, work) {
            _ if now >= last || self.is_over_ceiling(work) => Next::GiveUp,
            None => send,
            // A breaker that is open is asked once more, because there is no later.
            Some(_) if self.port.breaker.borrow().is_open() && !self.last_chance_used => send,
            // Who is denied will not be let in within seconds.
            Some(later) if later < last && !self.port.breaker.borrow().is_denied() => {
                Next::Wait(later)
            }
            Some(_) => Next::GiveUp,
        }
    }

    fn next_of_close(&self, now: Instant, until: Instant) -> Next {
        let work = self.work_of_end();
        match (self.last_report, work) {
            (_, Some(work)) if now >= until || self.is_over_ceiling(work) => Next::GiveUp,
            (LastReport::Made, Some(work)) => {
                Next::Send(work, (now + self.port.settings.timeout).min(until))
            }
            (LastReport::NotYet, None) if self.port.counts.has_unreported() && now < until => {
                Next::ReportLosses
            }
            (_, Some(_)) => Next::GiveUp,
            (_, None) => Next::End,
        }
    }

    /// What there is to do while the environment lives.
    fn work(&self, now: Instant) -> Option<Work> {
        let holding = self.holding();
        let due = match holding {
            Holding::Nothing => false,
            Holding::Until(at) => at <= now || self.port.budget.is_tight(),
            Holding::Full => return Some(Work::Flush),
        };
        // What is held was paid for: it need not wait for what the ceiling keeps back.
        if self.port.has_work() && !(due && self.over_ceiling().is_some()) {
            return (due || self.port.wants_to_send()).then_some(Work::Deliver);
        }
        due.then_some(Work::Flush)
    }

    /// What there is to do before all ends.
    fn work_of_end(&self) -> Option<Work> {
        match self.holding() {
            Holding::Full => Some(Work::Flush),
            Holding::Until(_) if self.over_ceiling().is_some() => Some(Work::Flush),
            _ if self.port.has_work() => Some(Work::Deliver),
            Holding::Until(_) => Some(Work::Flush),
            Holding::Nothing => None,
        }
    }

    /// What the sink holds. An object that was tried once must not grow any more, or a retry would be another object.
    fn holding(&self) -> Holding {
        if self.port.held_records.get() == 0 {
            return Holding::Nothing;
        }
        let says = || self.sink.holding(&*self.world);
        match std::panic::catch_unwind(AssertUnwindSafe(says)) {
            Ok(Holding::Until(at)) if self.held.tried.is_none() => Holding::Until(at),
            // A sink that says nothing of what it was said to hold is asked for it now.
            _ => Holding::Full,
        }
    }

    /// When what the sink holds is to be sent.
    fn due(&self) -> Instant {
        match self.holding() {
            Holding::Until(at) => at,
            _ => Instant::NEVER,
        }
    }

    /// When breaker and retry allow the next request; `None` for now.
    fn earliest(&self, now: Instant, work: Work) -> Option<Instant> {
        let breaker = self.port.breaker.borrow().closed_until(now);
        let retry = match work {
            Work::Flush => Some(self.held.not_before),
            Work::Deliver => {
                let under_way = self.port.under_way.borrow();
                under_way.front().map(|attempt| attempt.not_before)
            }
        };
        let ceiling = match work {
            Work::Flush => None,
            Work::Deliver => self.over_ceiling().map(|wait| now + wait),
        };
        breaker.max(retry.filter(|at| *at > now)).max(ceiling)
    }

    fn is_over_ceiling(&self, work: Work) -> bool {
        work == Work::Deliver && self.over_ceiling().is_some()
    }

    /// How long the next records have to wait for the ceiling; `None` when they may go now.
    fn over_ceiling(&self) -> Option<Duration> {
        let ceiling = self.port.ceiling.as_ref()?.borrow();
        let under_way = self.port.under_way.borrow();
        let bytes = match under_way.front() {
            Some(attempt) if attempt.is_report() && self.port.queue.is_empty() => return None,
            Some(attempt) => attempt.records.weight(),
            // What comes next is cut so that it fits, where anything does.
            None => 1,
        };
        if bytes as u64 > ceiling.bytes_max() {
            return None;
        }
        let wait = ceiling.wait(bytes as u64, self.world.wall_ms());
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts what is sent now against the ceiling. Says whether it is more than could ever be sent; then nothing is.
    fn spend(&self, attempt: &Attempt) -> bool {
        let Some(ceiling) = &self.port.ceiling else {
            return false;
        };
        let mut ceiling = ceiling.borrow_mut();
        let bytes = attempt.records.weight() as u64;
        let never = bytes > ceiling.bytes_max();
        if !never {
            ceiling.spend(bytes, self.world.wall_ms());
        }
        never
    }

    /// What one call may be given. A ceiling is only of use where several requests fit under it.
    fn limits(&self) -> CallLimits {
        let ceiling = self.port.settings.bytes_per_hour;
        let share = ceiling.map_or(usize::MAX, |bytes| {
            usize::try_from(bytes / 8).unwrap_or(usize::MAX)
        });
        CallLimits {
            bytes_max: self.limits.bytes_max.min(share),
            ..self.limits
        }
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
        self.port.waiting_until.set(until);
        self.port.progress.ring();
        let bell = self.port.bell.rung();
        match until {
            None => bell.await,
            Some(until) => either(bell, self.world.sleep_until(until)).await,
        }
        self.port.waiting_until.set(None);
    }

    async fn send(&mut self, deadline: Instant) {
        if self.port.under_way.borrow().iter().all(is_new_report) {
            self.take_from_queue();
        }
        if self.over_ceiling().is_some() {
            return;
        }
        let Some(attempt) = self.port.under_way.borrow_mut().pop_front() else {
            return;
        };
        if self.spend(&attempt) {
            let tried = attempt.tried;
            self.port.lose(&attempt.records, DropReason::Ceiling, tried);
            return;
        }
        let was_open = self.port.breaker.borrow().is_open();
        let outcome = self
            .call(&attempt.batch_id, deadline, Some(&attempt.records))
            .await;
        let nothing_sent = outcome.as_ref().is_some_and(|outcome| {
            outcome.verdict == Verdict::Held && outcome.exceptions.is_empty()
        });
        if !nothing_sent {
            self.sent(was_open);
        }
        let is_report = is_report(&attempt.records);
        self.settled(is_report, |delivery| {
            delivery.settle(attempt, outcome, was_open)
        });
    }

    /// A request went out, whatever came of it.
    fn sent(&mut self, was_open: bool) {
        add(&self.port.counts.attempts, 1);
        self.last_chance_used |= was_open;
        if self.last_report == LastReport::Made {
            self.last_report = LastReport::Sent;
        }
    }

    /// Counts what became of a call.
    fn settled(&mut self, is_report: bool, count: impl FnOnce(&mut Self)) {
        // The loss of a report is in the ledger, but no reason for another report.
        let unreported = is_report.then(|| self.port.counts.take_unreported());
        count(self);
        if let Some(before) = unreported {
            self.port.counts.put_back_unreported(before);
        }
        self.port.progress.ring();
    }

    /// Gives the sink records, or asks for what it holds, until it answers, the deadline comes, or shutdown leaves no
    /// more time. `None`: the sink broke.
    async fn call(
        &mut self,
        batch_id: &str,
        deadline: Instant,
        records: Option<&Selection>,
    ) -> Option<Outcome> {
        let world = self.world.clone();
        let port = self.port.clone();
        let facts = port.identity.facts();
        let call = Call {
            world: &*world,
            budget: &port.budget,
            deadline,
            batch_id,
            facts: &facts,
        };
        let sink = &mut *self.sink;
        port.sending.set(true);
        let make = move || {
            let sink = sink;
            match records {
                Some(records) => sink.deliver(records, call),
                None => sink.flush(call),
            }
        };
        let made = std::panic::catch_unwind(AssertUnwindSafe(make));
        let outcome = match made {
            Ok(answer) => answer_of(answer, &port, &*world, deadline).await,
            Err(_) => None,
        };
        port.sending.set(false);
        outcome
    }

    fn take_from_queue(&mut self) {
        let limits = self.limits();
        let mut records = Selection::default();
        let mut weight = 0;
        // A report of losses rides along with the records behind it.
        for report in self.port.under_way.take() {
            records.append(&report.records);
        }
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
            let attempt = Attempt::new(records);
            self.port.under_way.borrow_mut().push_back(attempt);
            records = rest;
        }
    }

    /// Counts what became of the records and keeps what is worth another attempt. `None`: the sink broke.
    fn settle(&mut self, attempt: Attempt, outcome: Option<Outcome>, was_open: bool) {
        let Some(outcome) = outcome else {
            self.port
                .lose(&attempt.records, DropReason::Broken, attempt.tried + 1);
            self.strike(None, false, "it broke");
            let message = format!("sink `{}` broke; its batch is dropped", self.port.name);
            self.world.log(crate::level::Level::Error, &message);
            return;
        };
        let mut split = split(attempt.records.len(), &outcome);
        self.count(&split, Some(&attempt.records), attempt.tried + 1);
        if !split.held.is_empty() {
            self.hold(&attempt, &split.held);
        }
        if !split.too_large.is_empty() {
            let too_large = std::mem::take(&mut split.too_large);
            let records = attempt.records.subset(too_large.into_iter());
            self.halve(records, attempt.tried + 1);
        }
        if let Some(retry) = &split.retry {
            self.failed(split.accepted, retry);
            self.try_again(attempt, &split, retry, was_open);
        }
    }

    /// Counts what the destination took or refused of `records`; `None` where nobody has them any more.
    fn count(&mut self, split: &Split, records: Option<&Selection>, attempts: u32) {
        let counts = &self.port.counts;
        subtract(&counts.in_flight, split.accepted);
        add(&counts.delivered, split.accepted);
        let reasons = split.rejected.iter().map(|(reason, _)| reason);
        for reason in reasons.chain(split.unnamed.iter().map(|(reason, _)| reason)) {
            if counts.is_new_rejection(reason) && !self.port.observes {
                self.log_refused(reason);
            }
        }
        for (reason, positions) in &split.rejected {
            match records {
                Some(records) => {
                    let refused = records.subset(positions.iter().copied());
                    self.port.reject(&refused, reason, attempts);
                }
                None => self.port.count_rejected(reason, positions.len() as u64),
            }
        }
        for (reason, count) in &split.unnamed {
            self.port.count_rejected(reason, *count);
        }
        if let (Some((reason, _)), Some(records)) = (split.unnamed.first(), records)
            && self.port.has_dead_letter()
        {
            // Any of them may be missing. Rather one twice than one nowhere.
            let taken = records.subset(split.taken.iter().copied());
            self.port.make_over(&taken, reason, attempts);
        }
        if split.is_answer() {
            self.port.breaker.borrow_mut().success();
            // What is sent again after a part was settled is a repeat like any other.
            if split.retry.is_none() {
                self.quota.success();
            }
        }
    }

    /// One line for each reason. The count is in the ledger, and in the next report of losses; of observations that
    /// report is a line by itself.
    fn log_refused(&self, reason: &str) {
        let message = format!(
            "records of sink `{}` are refused for good: {reason}; check its address, its credentials and what it is \
             sent; such records are counted as rejected",
            self.port.name
        );
        self.world.log(crate::level::Level::Error, &message);
    }

    /// What a failure means for the requests to come.
    fn failed(&self, accepted: u64, retry: &Retry) {
        if retry.denied {
            self.denied(&retry.why);
        } else if accepted == 0 {
            self.strike(retry.after, retry.answered, &retry.why);
        }
    }

    /// One loud line; then it is only probed.
    fn denied(&self, why: &str) {
        let new = self.port.breaker.borrow_mut().denied(self.world.now());
        if new {
            let message = format!(
                "sink `{}` is denied by its destination: {why}; check its credentials, permissions and address; \
                 records are kept as far as its queue allows, and it is tried again every few minutes",
                self.port.name
            );
            self.world.log(crate::level::Level::Error, &message);
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

    /// Keeps what is left for another attempt. One that settled some of the records, be it by refusing them, used up
    /// none of the others' attempts: there are fewer of them each time, and the quota bounds how often.
    fn try_again(&mut self, attempt: Attempt, split: &Split, retry: &Retry, was_open: bool) {
        let whole = retry.positions.len() == attempt.records.len();
        let (mut tried, mut partial) = (attempt.tried, attempt.partial);
        if whole {
            tried += counted(retry, was_open);
        } else if !split.has_rejected() {
            // It takes what it can and wants a pause; one that stopped at a bad record does not.
            partial += 1;
        }
        let records = if whole {
            attempt.records
        } else {
            attempt.records.subset(retry.positions.iter().copied())
        };
        if tried >= self.port.settings.attempts_max {
            self.port.lose(&records, DropReason::Attempts, tried);
            return;
        }
        let not_before = self.again_at(tried + partial, retry);
        self.port.under_way.borrow_mut().push_front(Attempt {
            batch_id: if whole {
                attempt.batch_id
            } else {
                batch_id(&records)
            },
            records,
            tried,
            partial,
            not_before,
        });
    }

    /// When another attempt is allowed, by the policy of retries and by the quota.
    fn again_at(&mut self, failures: u32, retry: &Retry) -> Instant {
        let now = self.world.now();
        let delay = retry::delay(failures.max(1), retry.after, self.world.random());
        (now + delay).max(self.quota.pay(now, retry.answered))
    }

    /// Two requests in place of one that was too large; one record alone is refused for good.
    fn halve(&mut self, mut records: Selection, attempts: u32) {
        if records.len() == 1 {
            self.port.reject(&records, "too_large", attempts);
            return;
        }
        let second = records.split_off(records.len() / 2);
        for half in [second, records] {
            let attempt = Attempt::new(half);
            self.port.under_way.borrow_mut().push_front(attempt);
        }
    }

    fn report_losses(&mut self) {
        if let Goal::Close(_) = self.port.goal() {
            self.last_report = LastReport::Made;
        }
        self.port.report_losses(&*self.world);
    }

    fn give_up(&mut self) {
        let reason = self.reason_to_give_up();
        self.drop_held(reason);
        self.port.let_go(reason);
    }

    fn reason_to_give_up(&self) -> DropReason {
        if self.port.breaker.borrow().is_denied() {
            DropReason::Denied
        } else if self.over_ceiling().is_some() {
            DropReason::Ceiling
        } else {
            DropReason::Shutdown
        }
    }
}

/// Whether it is a report of losses that was not sent yet.
fn is_new_report(attempt: &Attempt) -> bool {
    attempt.tried == 0 && attempt.is_report()
}

async fn answer_of(
    mut answer: Boxed<'_, Outcome>,
    port: &Port,
    world: &dyn World,
    deadline: Instant,
) -> Option<Outcome> {
    loop {
        let until = match port.goal() {
            Goal::Drain(until) => deadline.min(port.gives_up_at(until)),
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

/// A probe of an open breaker costs no attempt, nor does a destination that does not let us.
fn counted(retry: &Retry, was_open: bool) -> u32 {
    u32::from(!was_open && !retry.denied)
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
    let fit = records.weights().take(records_max).take_while(|weight| {
        bytes += weight;
        bytes <= bytes_max
    });
    fit.count().max(1)
}

#[cfg(test)]
mod tests;
