//! Hands batches to each transform in turn, and at each tap to the sinks that want them.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;

use crate::batch::{Batch, Fate, Lane, Origin, Record};
use crate::body::Body;
use crate::config::Late;
use crate::expr::{Expression, Name, Unlike};
use crate::ledger::{DropReason, add, subtract};
use crate::level::Level;
use crate::observation::Observation;
use crate::port::Port;
use crate::sink::Parcel;
use crate::transform::{Context, Holding, Transform};
use crate::view::View;
use crate::world::Instant;

use waiting::Waiting;

/// One transform with what all transforms have.
pub struct Stage {
    /// Its name, or its place and kind: `transform 2 (filter)`.
    pub name: String,
    /// It looks only at records for which this holds.
    pub when: Option<Expression>,
    /// It redacts: where `when` cannot be evaluated it looks at the record all the same.
    pub redacts: bool,
    /// The transform.
    pub transform: Box<dyn Transform>,
}

/// Where a sink takes its records from.
pub struct Tap {
    /// The sink.
    pub port: Rc<Port>,
    /// The number of stages that its records have passed.
    pub after: usize,
    /// It wants only records for which this holds; others count as filtered.
    pub when: Option<Expression>,
}

/// The stages and the taps. Where a transform needs a secret that is not there yet, the first stage is one that waits.
pub struct Pipeline {
    stages: Vec<Stage>,
    /// What each stage held and had made when it was last looked at.
    known: Vec<Holding>,
    taps: Vec<Tap>,
    /// What takes observations in place of records.
    observers: Vec<Rc<Port>>,
    /// The first stage waits for secrets.
    waits: bool,
}

impl Pipeline {
    /// A pipeline. Taps after more stages than there are take what the last one gives out.
    pub fn new(mut stages: Vec<Stage>, mut taps: Vec<Tap>) -> Pipeline {
        for tap in &mut taps {
            tap.after = tap.after.min(stages.len());
        }
        let secrets: Vec<Late> = needed(&stages).cloned().collect();
        let waits = !secrets.is_empty();
        if waits {
            let behind = || {
                taps.iter()
                    .filter(|tap| tap.after > 0 && !tap.port.disabled)
            };
            let queue = behind().map(|tap| tap.port.settings.queue_bytes_max).min();
            stages.insert(0, waiting(secrets, queue.unwrap_or_default() / 2));
            let behind = taps.iter_mut().filter(|tap| tap.after > 0);
            behind.for_each(|tap| tap.after += 1);
        }
        let known = vec![Holding::default(); stages.len()];
        Pipeline {
            stages,
            known,
            taps,
            observers: Vec::new(),
            waits,
        }
    }

    /// The same with these ports for observations.
    #[must_use]
    pub fn with_observers(self, observers: Vec<Rc<Port>>) -> Pipeline {
        Pipeline { observers, ..self }
    }

    /// The sinks, in the order of the configuration, and behind them what takes observations.
    pub fn ports(&self) -> impl Iterator<Item = &Rc<Port>> {
        self.taps.iter().map(|tap| &tap.port).chain(&self.observers)
    }

    /// The secrets of AWS that records wait for. Once they are settled, what waited is [due](Pipeline::due).
    pub fn awaited(&self) -> Vec<Late> {
        needed(&self.stages).cloned().collect()
    }

    /// Whether records wait for them.
    pub fn is_waiting(&self) -> bool {
        self.waits && self.known[0].held > 0
    }

    /// Hands on what the platform said, as received.
    pub fn observe(&self, observations: &[Observation], arrived_ms: i64) {
        if !observations.is_empty() {
            self.observers
                .iter()
                .for_each(|port| port.observe(observations, arrived_ms));
        }
    }

    /// Lets every transform do the slow work that it has put off.
    pub fn prepare(&mut self) {
        for stage in &mut self.stages {
            stage.when.iter().for_each(Expression::prepare);
            stage.transform.prepare();
        }
        let conditions = self.taps.iter().flat_map(|tap| &tap.when);
        conditions.for_each(Expression::prepare);
    }

    /// Takes in a batch that was just received. Records of Tapline's own that were put into it count as generated.
    pub fn process(&mut self, batch: Batch, context: &Context<'_>) {
        let is_made = |record: &&Record| record.origin == Origin::Tapline;
        let made_count = batch.records().iter().filter(is_made).count();
        let received_count = batch.records().len() - made_count;
        add(&context.ledger.received, received_count as u64);
        for port in self.ports() {
            add(&port.counts.generated, made_count as u64);
        }
        self.run(0, vec![batch], context);
    }

    /// Gives out what transforms hold back, because everything ends, or may end.
    pub fn release(&mut self, context: &Context<'_>) {
        for position in 0..self.stages.len() {
            self.give_out(position, context, |transform, output| {
                transform.release(context, output)
            });
        }
    }

    /// When a stage wants to give something out; `None` while nothing is due.
    pub fn due(&self) -> Option<Instant> {
        let dues = self.stages.iter();
        dues.filter_map(|stage| stage.transform.holding().due).min()
    }

    /// Gives out what is due.
    pub fn expire(&mut self, context: &Context<'_>) {
        let now = context.world.now();
        for position in 0..self.stages.len() {
            let due = self.stages[position].transform.holding().due;
            if due.is_some_and(|due| due <= now) {
                self.give_out(position, context, |transform, output| {
                    transform.expire(context, output)
                });
            }
        }
    }

    /// Frees memory: drops some of what the first stage that can holds back of a lane. Says whether there was any.
    pub fn evict(&mut self, lane: Lane) -> bool {
        for position in 0..self.stages.len() {
            if self.known[position].held == 0 {
                continue;
            }
            let dropped = self.stages[position].transform.evict(lane);
            if dropped > 0 {
                for tap in self.behind(position) {
                    tap.port.counts.dropped(DropReason::Memory, dropped);
                }
                self.look_at(position);
                return true;
            }
        }
        false
    }

    /// Lets one stage give out what it holds, and takes that through the stages behind it.
    fn give_out(
        &mut self,
        position: usize,
        context: &Context<'_>,
        ask: impl FnOnce(&mut dyn Transform, &mut Vec<Batch>),
    ) {
        let (mut output, known) = (Vec::new(), self.known[position]);
        let stage = &mut self.stages[position];
        let asked =
            std::panic::catch_unwind(AssertUnwindSafe(|| ask(&mut *stage.transform, &mut output)));
        if asked.is_err() {
            let lost = Census {
                live: stage.broke(known, context),
                ..Census::default()
            };
            let (body, _) = Body::new(Vec::new(), context.budget.charge_over(0));
            let instance = context.identity.instance.get();
            let mut remains = Batch::new(Arc::new(body), instance, context.world.wall_ms());
            lost.refill(&mut remains);
            output = vec![remains];
        }
        self.look_at(position);
        if !output.is_empty() {
            self.tap(position + 1, &mut output, context);
            self.run(position + 1, output, context);
        }
    }

    /// The taps that take what a stage gives out.
    fn behind(&self, position: usize) -> impl Iterator<Item = &Tap> {
        self.taps.iter().filter(move |tap| tap.after > position)
    }

    /// Counts at the sinks what a stage holds and has made since it was last looked at.
    fn look_at(&mut self, position: usize) {
        let now = self.stages[position].transform.holding();
        let before = std::mem::replace(&mut self.known[position], now);
        if (now.held, now.made) == (before.held, before.made) {
            return;
        }
        for tap in self.behind(position) {
            let counts = &tap.port.counts;
            add(&counts.generated, now.made - before.made);
            add(&counts.in_flight, now.held.saturating_sub(before.held));
            subtract(&counts.in_flight, before.held.saturating_sub(now.held));
        }
    }

    fn run(&mut self, first: usize, mut batches: Vec<Batch>, context: &Context<'_>) {
        if first == 0 {
            self.tap(0, &mut batches, context);
        }
        for position in first..self.stages.len() {
            let mut output = Vec::with_capacity(batches.len());
            for batch in batches {
                let known = self.known[position];
                self.stages[position].apply(batch, known, context, &mut output);
                self.look_at(position);
            }
            batches = output;
            self.tap(position + 1, &mut batches, context);
        }
    }

    /// Gives batches to the sinks that tap here. Where stages follow, index and side are copied; bytes never are.
    fn tap(&self, after: usize, batches: &mut Vec<Batch>, context: &Context<'_>) {
        if !self.taps.iter().any(|tap| tap.after == after) {
            return;
        }
        let last = after == self.stages.len();
        let shared: Vec<Arc<Batch>> = if last {
            batches.drain(..).map(settled).collect()
        } else {
            batches.iter().map(|batch| settled(batch.fork())).collect()
        };
        for batch in shared {
            for tap in self.taps.iter().filter(|tap| tap.after == after) {
                fan_out(tap, &batch, context);
            }
        }
    }
}

/// The secrets that transforms need.
fn needed(stages: &[Stage]) -> impl Iterator<Item = &Late> {
    stages
        .iter()
        .filter_map(|stage| stage.transform.waits_for())
}

fn waiting(secrets: Vec<Late>, bytes_max: usize) -> Stage {
    Stage {
        name: "the wait for secrets".to_owned(),
        when: None,
        redacts: false,
        transform: Box::new(Waiting::new(secrets, bytes_max)),
    }
}

fn settled(mut batch: Batch) -> Arc<Batch> {
    batch.settle();
    Arc::new(batch)
}

impl Stage {
    fn apply(
        &mut self,
        mut batch: Batch,
        known: Holding,
        context: &Context<'_>,
        output: &mut Vec<Batch>,
    ) {
        if let Some(when) = &self.when {
            set_aside(&mut batch, when, self.redacts, context);
        }
        let given_out = output.len();
        // What a broken stage leaves behind cannot be trusted: only what is needed to count it is kept.
        let (body, instance, arrived_ms) =
            (batch.body().clone(), *batch.instance(), batch.arrived_ms());
        let mut census = Census::of(&batch);
        let applied = std::panic::catch_unwind(AssertUnwindSafe(|| {
            self.transform.apply(batch, context, output)
        }));
        if applied.is_err() {
            census.live += self.broke(known, context);
            output.truncate(given_out);
            let mut remains = Batch::new(body, instance, arrived_ms);
            census.refill(&mut remains);
            output.push(remains);
        }
        if self.when.is_some() {
            for batch in &mut output[given_out..] {
                batch
                    .records_mut()
                    .iter_mut()
                    .for_each(|record| record.set_aside = false);
            }
        }
    }

    /// After a panic: says so, and gives the number of records that go with it beside those of the batch, namely what
    /// the stage held and what it made and did not give out.
    fn broke(&mut self, known: Holding, context: &Context<'_>) -> u64 {
        add(&context.ledger.broken_stages, 1);
        let message = format!("{} broke; the records at hand are dropped", self.name);
        context.world.log(Level::Error, &message);
        let transform = &mut self.transform;
        let emptied = std::panic::catch_unwind(AssertUnwindSafe(|| {
            for lane in Lane::ALL {
                while transform.evict(lane) > 0 {}
            }
            transform.holding()
        }));
        debug_assert!(emptied.is_ok_and(|now| now.held == 0), "{}", self.name);
        known.held + (self.transform.holding().made - known.made)
    }
}

/// How many records of a batch have which fate.
#[derive(Default)]
struct Census {
    live: u64,
    filtered: u64,
    sampled: u64,
    merged: u64,
    lost: u64,
}

impl Census {
    fn of(batch: &Batch) -> Census {
        let mut census = Census::default();
        for record in batch.records() {
            match record.fate {
                Fate::Live => census.live += 1,
                Fate::Filtered => census.filtered += 1,
                Fate::Sampled => census.sampled += 1,
                Fate::Merged => census.merged += 1,
                Fate::Lost => census.lost += 1,
            }
        }
        census
    }

    /// Empty records with these fates; the live ones are lost.
    fn refill(&self, batch: &mut Batch) {
        let fates = [
            (Fate::Lost, self.live + self.lost),
            (Fate::Filtered, self.filtered),
            (Fate::Sampled, self.sampled),
            (Fate::Merged, self.merged),
        ];
        for (fate, count) in fates {
            for _ in 0..count {
                batch.push(Record::lost(fate));
            }
        }
    }
}

fn set_aside(batch: &mut Batch, when: &Expression, redacts: bool, context: &Context<'_>) {
    for position in 0..batch.records().len() {
        let record = &batch.records()[position];
        if !record.is_live() {
            continue;
        }
        let mut unlike = Unlike::default();
        let holds = when.matches(
            &View::new(batch, record, context.surroundings()),
            &mut unlike,
        );
        add(&context.ledger.unlike, unlike.0);
        batch.records_mut()[position].set_aside = !(holds || (redacts && unlike.0 > 0));
    }
}

fn names_level(when: &Expression) -> bool {
    when.names().any(|name| *name == Name::Level)
}

fn fan_out(tap: &Tap, batch: &Arc<Batch>, context: &Context<'_>) {
    let mut chosen: [Vec<u32>; 3] = Default::default();
    let mut weights = [0; 3];
    let mut unlike = Unlike::default();
    for (position, record) in batch.records().iter().enumerate() {
        if record.fate != Fate::Live {
            tap.port.counts.left_out(record.fate, 1);
            continue;
        }
        let wanted = match &tap.when {
            None => true,
            // Metrics in a log line have no level of their own: level filters skip them.
            Some(when) if record.embedded_metrics && names_level(when) => true,
            Some(when) => when.matches(
                &View::new(batch, record, context.surroundings()),
                &mut unlike,
            ),
        };
        if wanted {
            let lane = record.lane() as usize;
            chosen[lane].push(position as u32);
            weights[lane] += batch.weight(record);
        } else {
            add(&tap.port.counts.filtered, 1);
        }
    }
    add(&context.ledger.unlike, unlike.0);
    for lane in Lane::ALL {
        let positions = std::mem::take(&mut chosen[lane as usize]);
        if !positions.is_empty() {
            tap.port
                .push(parcel(batch, positions, lane, weights[lane as usize]));
        }
    }
}

/// Bodies smaller than this, in bytes, are not worth a copy of the records that are left of them.
const WORTH_COMPACTING: u64 = 16 << 10;

/// Few records must not keep a large body in memory: they move into one of their own.
fn parcel(batch: &Arc<Batch>, positions: Vec<u32>, lane: Lane, weight: usize) -> Parcel {
    let charged = batch.body().charged();
    if charged >= WORTH_COMPACTING && (weight as u64) < charged / 4 {
        let small = batch.compact(positions.iter().map(|position| *position as usize));
        let count = small.records().len() as u32;
        return Parcel {
            batch: Arc::new(small),
            chosen: (0..count).collect(),
            lane,
            weight,
        };
    }
    Parcel {
        batch: batch.clone(),
        chosen: positions.into_boxed_slice(),
        lane,
        weight,
    }
}

#[cfg(test)]
mod tests;
mod waiting;
