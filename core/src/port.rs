//! What the pipeline and the driver see of one sink: its queue, its goal, its breaker and its counts.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Batch, Fate, Instance, Lane, Origin, Record, Slice};
use crate::bell::Bell;
use crate::body::Body;
use crate::breaker::Breaker;
use crate::budget::Budget;
use crate::ceiling::Ceiling;
use crate::dead_letter::{self, Fault};
use crate::facts::Facts;
use crate::invocation::Slot;
use crate::json;
use crate::ledger::{DropReason, SinkCounts, add, subtract};
use crate::limits::{DEAD_LETTER_TIME, LANE_BATCHES_MAX, LOSS_REPORT_TIME};
use crate::line;
use crate::observation::Observation;
use crate::parcel;
use crate::queue::{Overflow, Queue};
use crate::sink::{Parcel, Selection};
use crate::time;
use crate::world::{Instant, World};

/// How one sink is delivered to. Read from its table in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Longest time for one request, in running time.
    pub timeout: Duration,
    /// Attempts over a batch's whole life; those of an open breaker do not count.
    pub attempts_max: u32,
    /// Strikes in a row that open the breaker.
    pub strikes_max: u32,
    /// Bytes that may be queued.
    pub queue_bytes_max: usize,
    /// What happens to what does not fit.
    pub overflow: Overflow,
    /// Bytes of records that may be sent within any hour; `None` for no bound.
    pub bytes_per_hour: Option<u64>,
}

impl Default for DeliverySettings {
    fn default() -> DeliverySettings {
        DeliverySettings {
            timeout: Duration::from_secs(5),
            attempts_max: 4,
            strikes_max: 3,
            queue_bytes_max: 4 << 20,
            overflow: Overflow::DropLowest,
            bytes_per_hour: None,
        }
    }
}

/// Records of one request that was or will be tried.
#[derive(Debug)]
pub struct Attempt {
    /// The records.
    pub records: Selection,
    /// The same on every attempt.
    pub batch_id: String,
    /// Attempts that were made and settled none of them.
    pub tried: u32,
    /// Attempts after which the destination had taken some, and wanted a pause for these.
    pub partial: u32,
    /// When the next one is allowed.
    pub not_before: Instant,
}

impl Attempt {
    /// A first attempt with these records, at once.
    pub fn new(records: Selection) -> Attempt {
        Attempt {
            batch_id: batch_id(&records),
            records,
            tried: 0,
            partial: 0,
            not_before: Instant::default(),
        }
    }

    /// Whether there is nothing but reports of losses.
    pub fn is_report(&self) -> bool {
        is_report(&self.records)
    }
}

/// Whether there is nothing but reports of losses.
pub(crate) fn is_report(records: &Selection) -> bool {
    records
        .records()
        .all(|(batch, record)| batch.bytes(record.kind) == LOSS_KIND)
}

/// The id of the first record and the number of records: the same on every attempt.
pub(crate) fn batch_id(records: &Selection) -> String {
    let mut id = Vec::new();
    if let Some((batch, record)) = records.records().next() {
        line::write_id(batch, record, &mut id);
    }
    id.extend_from_slice(format!("-{}", records.len()).as_bytes());
    String::from_utf8_lossy(&id).into_owned()
}

/// What a sink is to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Gather. Sends only when its queue is half full.
    Rest,
    /// Send until nothing is left, then rest.
    Flush,
    /// Send whatever comes.
    Continuous,
    /// Send until nothing is left or this moment comes; what is left then is dropped.
    Drain(Instant),
    /// Name what was lost, until this moment, and end.
    Close(Instant),
}

/// What gives records their ids, and says whose they are: shared by all that make and send records.
#[derive(Debug)]
pub struct Identity {
    /// The environment's life.
    pub instance: Cell<Instance>,
    next_sequence: Cell<u64>,
    facts: RefCell<Rc<Facts>>,
}

impl Identity {
    /// An identity whose records begin at sequence 0.
    pub fn new(instance: Instance) -> Identity {
        Identity {
            instance: Cell::new(instance),
            next_sequence: Cell::new(0),
            facts: RefCell::default(),
        }
    }

    /// What is known of the function by now.
    pub fn facts(&self) -> Rc<Facts> {
        self.facts.borrow().clone()
    }

    /// Tells sinks what was learnt. Calls that run keep what they began with.
    pub fn learn(&self, facts: &Facts) {
        self.facts.replace(Rc::new(facts.clone()));
    }

    /// The sequence of the next record.
    pub fn next(&self) -> u64 {
        let sequence = self.next_sequence.get();
        self.next_sequence.set(sequence + 1);
        sequence
    }
}

/// One sink, seen from outside.
#[derive(Debug)]
pub struct Port {
    /// The name of its table in the configuration.
    pub name: String,
    /// How it is delivered to.
    pub settings: DeliverySettings,
    /// What waits for it.
    pub queue: Queue<Parcel>,
    /// What became of its records.
    pub counts: SinkCounts,
    /// What was taken from the queue, and waits for its first or next attempt.
    pub under_way: RefCell<VecDeque<Attempt>>,
    /// What records and requests are charged to.
    pub budget: Budget,
    /// Strikes and probes.
    pub breaker: RefCell<Breaker>,
    /// What may be sent within an hour, where that is bound. All ports of one table share it.
    pub ceiling: Option<Rc<RefCell<Ceiling>>>,
    /// Rings when the goal changes or the queue wants attention.
    pub bell: Bell,
    /// Rings when the sink got on: shared with the driver.
    pub progress: Rc<Bell>,
    /// Gives ids to loss reports.
    pub identity: Rc<Identity>,
    goal: Cell<Goal>,
    /// Records that the sink itself holds, in flight until it says what became of them.
    pub held_records: Cell<u64>,
    /// A request is under way.
    pub sending: Cell<bool>,
    /// With something to send, the sink waits until then.
    pub waiting_until: Cell<Option<Instant>>,
    /// An error in its configuration: it gets nothing.
    pub disabled: bool,
    /// It takes observations in place of records: they are no part of the law, and what is lost of them is logged.
    pub observes: bool,
    /// Its task has ended.
    pub ended: Cell<bool>,
    dead_letter: OnceCell<Rc<Port>>,
}

impl Port {
    /// A port at rest. A disabled one drops what it is given, and counts that.
    pub fn new(
        name: &str,
        settings: DeliverySettings,
        disabled: bool,
        progress: Rc<Bell>,
        identity: Rc<Identity>,
        budget: Budget,
    ) -> Port {
        Port {
            name: name.to_owned(),
            queue: Queue::new(LANE_BATCHES_MAX, settings.queue_bytes_max),
            under_way: RefCell::default(),
            budget,
            breaker: RefCell::new(Breaker::new(settings.strikes_max)),
            ceiling: settings
                .bytes_per_hour
                .map(|bytes| Rc::new(RefCell::new(Ceiling::new(bytes)))),
            settings,
            counts: SinkCounts::default(),
            bell: Bell::default(),
            progress,
            identity,
            goal: Cell::new(Goal::Rest),
            held_records: Cell::new(0),
            sending: Cell::new(false),
            waiting_until: Cell::new(None),
            disabled,
            observes: false,
            ended: Cell::new(disabled),
            dead_letter: OnceCell::new(),
        }
    }

    /// The same for observations, under the ceiling of the port that takes the records of its table.
    #[must_use]
    pub fn of_observations(self, beside: &Port) -> Port {
        Port {
            observes: true,
            ceiling: beside.ceiling.clone(),
            ..self
        }
    }

    /// Queues observations; what does not stay is counted as dropped.
    pub fn observe(&self, observations: &[Observation], arrived_ms: i64) {
        let weight: usize = observations.iter().map(Observation::weight).sum();
        let (body, _) = Body::new(Vec::new(), self.budget.charge_over(0));
        let batch = Batch::of_observations(
            Arc::new(body),
            self.identity.instance.get(),
            arrived_ms,
            observations.to_vec(),
            || self.identity.next(),
        );
        add(&self.counts.generated, observations.len() as u64);
        self.push(Parcel {
            batch: Arc::new(batch),
            chosen: (0..observations.len() as u32).collect(),
            lane: Lane::High,
            weight,
        });
    }

    /// What it is to do now.
    pub fn goal(&self) -> Goal {
        self.goal.get()
    }

    /// Sets what it is to do.
    pub fn set_goal(&self, goal: Goal) {
        if self.disabled || self.goal.get() == goal {
            return;
        }
        self.goal.set(goal);
        // What it waited for was another goal's business.
        self.waiting_until.set(None);
        self.bell.ring();
    }

    /// The sink that takes over what this one cannot deliver. Set once, before anything is pushed; there must be no
    /// way from that sink back to this one.
    pub fn set_dead_letter(&self, port: Rc<Port>) {
        // A second one would be a mistake of the caller; the first stays.
        drop(self.dead_letter.set(port));
    }

    /// Whether another sink takes over what this one cannot deliver.
    pub fn has_dead_letter(&self) -> bool {
        self.dead_letter.get().is_some()
    }

    /// When it gives up what it has left in a shutdown that ends at `until`: early enough for the loss report, and for
    /// the sink that takes over.
    pub fn gives_up_at(&self, until: Instant) -> Instant {
        let last = until - LOSS_REPORT_TIME;
        match self.has_dead_letter() {
            true => last - DEAD_LETTER_TIME,
            false => last,
        }
    }

    /// Queues a parcel; what does not stay is counted as dropped.
    pub fn push(&self, parcel: Parcel) {
        add(&self.counts.in_flight, parcel.chosen.len() as u64);
        if self.disabled || self.ended.get() {
            let reason = if self.disabled {
                DropReason::Disabled
            } else {
                DropReason::Shutdown
            };
            self.lose(&Selection::of_parcel(&parcel), reason, 0);
            return;
        }
        let (lane, weight) = (parcel.lane, parcel.weight);
        // Observations do not lie in the bytes that joining copies.
        if !self.observes && self.queue.is_full(lane) {
            self.join_small(lane);
        }
        for lost in self
            .queue
            .push(lane, weight, parcel, self.settings.overflow)
        {
            self.lose(&Selection::of_parcel(&lost), DropReason::QueueFull, 0);
        }
        if self.wants_to_send() {
            self.bell.ring();
        }
    }

    /// Makes slots of a lane free: many small parcels, as many short invocations leave them, become few.
    fn join_small(&self, lane: Lane) {
        let mut parcels = Vec::new();
        while let Some(parcel) = self.queue.evict(lane) {
            parcels.push(parcel);
        }
        for parcel in parcel::join_small(parcels) {
            // What has just come out fits in again.
            let refused = Overflow::DropNewest;
            for lost in self.queue.push(lane, parcel.weight, parcel, refused) {
                self.lose(&Selection::of_parcel(&lost), DropReason::QueueFull, 0);
            }
        }
    }

    /// Whether there is pressure, or a goal, to send what is queued.
    pub fn wants_to_send(&self) -> bool {
        let pressure =
            || self.queue.weight() > self.queue.weight_max() / 2 || self.budget.is_tight();
        self.goal.get() != Goal::Rest || pressure()
    }

    /// Whether something waits for it, in the queue or for another attempt.
    pub fn has_work(&self) -> bool {
        !self.queue.is_empty() || !self.under_way.borrow().is_empty()
    }

    /// Whether a drain has nothing left to do.
    pub fn is_drained(&self) -> bool {
        self.ended.get() || !(self.has_work() || self.sending.get() || self.held_records.get() > 0)
    }

    /// Bytes of what waits for it. What the sink itself holds is no part of it.
    pub fn waiting_bytes(&self) -> usize {
        let attempts: usize = self
            .under_way
            .borrow()
            .iter()
            .map(|attempt| attempt.records.weight())
            .sum();
        self.queue.weight() + attempts
    }

    /// Counts queued or travelling records as dropped after so many attempts; the dead letter sink takes them over.
    pub fn lose(&self, records: &Selection, reason: DropReason, attempts: u32) {
        self.drop_records(reason, records.len());
        self.make_over(records, reason.as_str(), attempts);
    }

    /// Counts travelling records as refused for good; the dead letter sink takes them over.
    pub fn reject(&self, records: &Selection, reason: &str, attempts: u32) {
        self.count_rejected(reason, records.len() as u64);
        self.make_over(records, reason, attempts);
    }

    /// Counts travelling records as refused for good.
    pub(crate) fn count_rejected(&self, reason: &str, count: u64) {
        subtract(&self.counts.in_flight, count);
        self.counts.rejected(reason, count);
    }

    /// Hands records to the dead letter sink, where there is one.
    pub(crate) fn make_over(&self, records: &Selection, reason: &str, attempts: u32) {
        let Some(heir) = self.dead_letter.get() else {
            return;
        };
        let fault = Fault {
            sink: &self.name,
            reason,
            attempts,
        };
        for parcel in dead_letter::letters(records, fault) {
            add(&heir.counts.inherited, parcel.chosen.len() as u64);
            heir.push(parcel);
        }
    }

    /// Counts queued or travelling records as dropped, whoever could take them over: where that would not help, or
    /// nothing is left of them.
    pub fn drop_records(&self, reason: DropReason, count: usize) {
        subtract(&self.counts.in_flight, count as u64);
        self.counts.dropped(reason, count as u64);
    }

    /// Frees memory: drops the oldest parcel of the least important lane. Says whether there was one.
    pub fn evict(&self, lane: Lane) -> bool {
        match self.queue.evict(lane) {
            Some(parcel) => {
                self.drop_records(DropReason::Memory, parcel.chosen.len());
                true
            }
            None => false,
        }
    }

    /// Frees memory: drops the attempt that was taken up last and is not being made. A report of losses stays: it is
    /// small, and nothing else says what else was dropped.
    pub fn evict_attempt(&self) -> bool {
        let mut under_way = self.under_way.borrow_mut();
        let last = under_way.iter().rposition(|attempt| !attempt.is_report());
        let Some(attempt) = last.and_then(|last| under_way.remove(last)) else {
            return false;
        };
        self.drop_records(DropReason::Memory, attempt.records.len());
        true
    }

    /// Drops what waits for it, in the queue and for another attempt.
    pub fn let_go(&self, reason: DropReason) {
        for attempt in self.under_way.take() {
            self.lose(&attempt.records, reason, attempt.tried);
        }
        while let Some(parcel) = self.queue.pop() {
            self.lose(&Selection::of_parcel(&parcel), reason, 0);
        }
    }

    /// Its time is over, whatever it is doing: what is left is dropped.
    pub fn abandon(&self) {
        self.ended.set(true);
        let left = self.counts.in_flight.get();
        self.drop_records(
            DropReason::Shutdown,
            usize::try_from(left).unwrap_or(usize::MAX),
        );
        self.under_way.borrow_mut().clear();
        while self.queue.pop().is_some() {}
    }

    /// Whether a hold that ends at `until` has to wait for this sink.
    pub fn holds(&self, until: Instant) -> bool {
        let idle = self.disabled || self.ended.get() || self.goal.get() != Goal::Flush;
        !idle
            && !self.breaker.borrow().is_open()
            && self.waiting_until.get().is_none_or(|at| at < until)
    }

    /// A hold that waited for this sink is over after `held`.
    pub fn hold_ended(&self, world: &dyn World, held: Duration) {
        if self.sending.get() {
            let mut breaker = self.breaker.borrow_mut();
            let was_open = breaker.is_open();
            breaker.hold_ended(world.now(), held);
            if breaker.is_open() && !was_open {
                drop(breaker);
                self.log_open(world, "it does not answer");
            }
        }
    }

    /// Says once that the breaker opened.
    pub fn log_open(&self, world: &dyn World, why: &str) {
        let message = format!(
            "sink `{}` is not waited for any more: {why}; records are kept and it is tried again",
            self.name
        );
        world.log(crate::level::Level::Warn, &message);
    }

    /// Makes a record of type `tapline.loss` that names what was lost since the last one, and puts it
    /// beside the queue, whose records cannot crowd it out. Says whether there was anything to name.
    pub fn report_losses(&self, world: &dyn World) -> bool {
        let losses = self.counts.take_unreported();
        if losses.is_empty() {
            return false;
        }
        if self.observes {
            let parts = losses.iter().map(|(why, count)| format!("{count} {why}"));
            let parts: Vec<String> = parts.collect();
            let message = format!(
                "sink `{}` lost observations: {}",
                self.name,
                parts.join(", ")
            );
            world.log(crate::level::Level::Error, &message);
            return true;
        }
        let batch = loss_batch(
            &self.name,
            &losses,
            &self.identity,
            world.wall_ms(),
            &self.budget,
        );
        add(&self.counts.generated, 1);
        add(&self.counts.in_flight, 1);
        let report = Selection::of_parcel(&Parcel {
            batch: Arc::new(batch),
            chosen: Box::new([0]),
            lane: Lane::High,
            weight: 0,
        });
        let mut under_way = self.under_way.borrow_mut();
        under_way.push_back(Attempt::new(report));
        true
    }
}

/// The type of a report of losses.
pub const LOSS_KIND: &[u8] = b"tapline.loss";

fn loss_batch(
    sink: &str,
    losses: &std::collections::BTreeMap<String, u64>,
    identity: &Identity,
    wall_ms: i64,
    budget: &Budget,
) -> Batch {
    let mut bytes = Vec::new();
    time::write_rfc3339(wall_ms, &mut bytes);
    let kind_start = bytes.len();
    bytes.extend_from_slice(LOSS_KIND);
    let value_start = bytes.len();
    bytes.extend_from_slice(b"{\"sink\":");
    json::quote_into(sink.as_bytes(), &mut bytes);
    bytes.extend_from_slice(b",\"lost\":{");
    for (position, (reason, count)) in losses.iter().enumerate() {
        if position > 0 {
            bytes.push(b',');
        }
        json::quote_into(reason.as_bytes(), &mut bytes);
        bytes.extend_from_slice(format!(":{count}").as_bytes());
    }
    bytes.extend_from_slice(b"}}");
    let end = bytes.len();
    let (body, _) = Body::new(bytes, budget.charge_over(end));
    let mut batch = Batch::new(Arc::new(body), identity.instance.get(), wall_ms);
    batch.push(Record {
        sequence: identity.next(),
        origin: Origin::Tapline,
        fate: Fate::Live,
        level: Some(crate::level::Level::Error),
        set_aside: false,
        as_line: false,
        embedded_metrics: false,
        invocation: Slot::NONE,
        time: Slice::of_body(0..kind_start),
        kind: Slice::of_body(kind_start..value_start),
        value: Slice::of_body(value_start..end),
        request_id: Slice::EMPTY,
        trace_id: Slice::EMPTY,
        span_id: Slice::EMPTY,
        attributes: Slice::EMPTY,
    });
    batch.settle();
    batch
}
