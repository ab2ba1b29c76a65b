//! Holds an invocation's lines until its end is known, and then decides on all of them.
//!
//! Each invocation has a hold of its own, with its lines in three lanes, so that memory can be freed by importance.
//! Lines are copied once, into stores of growing size, and come out as batches without another copy. All holds together
//! stay under one bound: where a line does not fit, the invocation with the most bytes is decided at once, in favour of
//! its lines.
//!
//! Trace and debug lines have a bound of their own, `context`: of those before an error, or before the end, the last so
//! many are the context of a kept invocation; one that is pushed out of it falls to the rate, and leaves early.

use std::collections::VecDeque;
use std::mem::size_of;
use std::time::Duration;

use tapline_core::batch::{Batch, Lane, Record};
use tapline_core::budget::Charge;
use tapline_core::expr::{Expression, Unlike};
use tapline_core::invocation::Slot;
use tapline_core::ledger::add;
use tapline_core::limits::INVOCATIONS_MAX;
use tapline_core::store::Store;
use tapline_core::transform::Context;
use tapline_core::view::OfInvocation;
use tapline_core::world::Instant;

/// Text of the first store of a lane, in bytes; each further one has twice that, up to [`TEXT_BYTES_MAX`].
const TEXT_BYTES_MIN: usize = 1 << 10;

/// Text of a store that holds more than one record, in bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// What was decided of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Its lines stay.
    Kept,
    /// Its lines fall to the rate.
    ByRate,
}

/// What a hold knows of one record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// When it came.
    pub at: Instant,
    /// It was pushed out of the context: it falls to the rate, whatever is decided.
    rolled: bool,
}

/// Lines that are held no more.
pub(super) struct Released {
    pub batch: Batch,
    marks: Vec<Mark>,
    decision: Decision,
}

impl Released {
    /// When a record came, and what it falls to.
    pub fn of(&self, position: usize) -> (Instant, Decision) {
        let mark = self.marks[position];
        match mark.rolled {
            true => (mark.at, Decision::ByRate),
            false => (mark.at, self.decision),
        }
    }
}

/// A store with what is known of each of its records.
struct Chunk {
    store: Store,
    marks: Vec<Mark>,
    rolled: usize,
    charge: Charge,
}

impl Chunk {
    fn new(text: usize, like: &Batch, context: &Context<'_>) -> Option<Chunk> {
        let marks = Store::records_for(text);
        let charge = context.budget.charge(marks * size_of::<Mark>())?;
        Some(Chunk {
            store: Store::new(context.budget, text, like)?,
            marks: Vec::with_capacity(marks),
            rolled: 0,
            charge,
        })
    }

    /// What a chunk takes that has `text` bytes for the texts of records.
    const fn bytes_for(text: usize) -> usize {
        Store::bytes_for(text) + Store::records_for(text) * size_of::<Mark>()
    }

    /// The most text for which a chunk takes no more than `room` bytes.
    fn text_for(room: usize) -> usize {
        let (mut low, mut high) = (0, room);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if Chunk::bytes_for(middle) <= room {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        low
    }

    fn push(&mut self, batch: &Batch, record: &Record, at: Instant) -> bool {
        let pushed = self.store.push(batch, record);
        if pushed {
            self.marks.push(Mark { at, rolled: false });
        }
        pushed
    }

    fn bytes(&self) -> usize {
        self.store.bytes() + self.charge.bytes() as usize
    }
}

/// One invocation's lines.
struct Hold {
    slot: Slot,
    since: Instant,
    lanes: [VecDeque<Chunk>; 3],
    /// Trace and debug lines since the last error that are context so far: the last ones of their lane.
    recent: usize,
}

impl Hold {
    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.lanes.iter().flatten()
    }

    fn bytes(&self) -> usize {
        self.chunks().map(Chunk::bytes).sum()
    }

    /// Pushes the oldest line out of the context. Gives the chunk that has nothing else in it any more, if there is one.
    fn roll(&mut self) -> Option<Chunk> {
        let low = &mut self.lanes[Lane::Low as usize];
        let mut from_end = self.recent;
        for place in (0..low.len()).rev() {
            let chunk = &mut low[place];
            if from_end > chunk.marks.len() {
                from_end -= chunk.marks.len();
                continue;
            }
            let position = chunk.marks.len() - from_end;
            chunk.marks[position].rolled = true;
            chunk.rolled += 1;
            self.recent -= 1;
            let whole = chunk.rolled == chunk.marks.len() && place + 1 < low.len();
            return if whole { low.remove(place) } else { None };
        }
        None
    }
}

/// All holds, and what was decided of those that ended.
pub(super) struct Tail {
    keep: Expression,
    context: usize,
    memory: usize,
    max_wait: Duration,
    holds: Vec<Hold>,
    decided: VecDeque<(Slot, Decision)>,
    bytes: usize,
    held: u64,
}

impl Tail {
    pub fn new(keep: Expression, context: usize, memory: usize, max_wait: Duration) -> Tail {
        Tail {
            keep,
            context,
            memory,
            max_wait,
            holds: Vec::new(),
            decided: VecDeque::new(),
            bytes: 0,
            held: 0,
        }
    }

    /// Compiles what its condition needs.
    pub fn prepare(&self) {
        self.keep.prepare();
    }

    /// Records that are held.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Bytes of all holds, counted anew.
    #[cfg(test)]
    pub fn measured(&self) -> usize {
        let bytes = self.holds.iter().map(Hold::bytes).sum();
        assert_eq!(self.bytes, bytes, "the running sum is right");
        bytes
    }

    /// When an invocation is decided without its end.
    pub fn due(&self) -> Option<Instant> {
        let oldest = self.holds.iter().map(|hold| hold.since).min();
        oldest.map(|since| since + self.max_wait)
    }

    /// Takes in a line: `None` where it is held from now on, else what it falls to.
    pub fn take(
        &mut self,
        batch: &Batch,
        record: &Record,
        context: &Context<'_>,
        released: &mut Vec<Released>,
    ) -> Option<Decision> {
        let slot = record.invocation;
        if self.hold_of(slot).is_none() {
            if let Some(decision) = self.decision(slot) {
                return Some(decision);
            }
            if context.invocations.get(slot).is_none() {
                return Some(Decision::ByRate);
            }
        }
        if record.lane() == Lane::Low && self.context == 0 {
            return Some(Decision::ByRate);
        }
        while !self.hold(batch, record, context, released) {
            add(&context.ledger.tail_overflow, 1);
            match (0..self.holds.len()).max_by_key(|place| self.holds[*place].bytes()) {
                Some(fullest) => self.decide(fullest, Decision::Kept, released),
                None => self.remember(slot, Decision::Kept),
            }
            if let Some(decision) = self.decision(slot) {
                return Some(decision);
            }
        }
        None
    }

    /// Copies a line into its invocation's hold. `false`, with nothing changed, where it does not fit.
    fn hold(
        &mut self,
        batch: &Batch,
        record: &Record,
        context: &Context<'_>,
        released: &mut Vec<Released>,
    ) -> bool {
        let at = context.world.now();
        let (lane, known) = (record.lane() as usize, self.hold_of(record.invocation));
        let chunks = known.map(|place| &mut self.holds[place].lanes[lane]);
        let count = chunks.as_ref().map_or(0, |chunks| chunks.len());
        let last = chunks.and_then(|chunks| chunks.back_mut());
        if !last.is_some_and(|chunk| chunk.push(batch, record, at)) {
            let needed = Store::text_of(batch, record);
            let usual = (TEXT_BYTES_MIN << count.min(16)).min(TEXT_BYTES_MAX);
            let fits = Chunk::text_for(self.memory - self.bytes);
            let text = needed.max(usual).min(fits);
            if text < needed {
                return false;
            }
            let Some(mut chunk) = Chunk::new(text, batch, context) else {
                return false;
            };
            let pushed = chunk.push(batch, record, at);
            debug_assert!(pushed, "it was made to fit");
            self.bytes += chunk.bytes();
            let place = known.unwrap_or_else(|| self.begin(record.invocation, at));
            self.holds[place].lanes[lane].push_back(chunk);
        }
        self.held += 1;
        if lane == Lane::Low as usize {
            self.bound_context(record.invocation, released);
        }
        true
    }

    fn begin(&mut self, slot: Slot, since: Instant) -> usize {
        self.holds.push(Hold {
            slot,
            since,
            lanes: Default::default(),
            recent: 0,
        });
        self.holds.len() - 1
    }

    fn bound_context(&mut self, slot: Slot, released: &mut Vec<Released>) {
        let Some(place) = self.hold_of(slot) else {
            return;
        };
        let hold = &mut self.holds[place];
        hold.recent += 1;
        if hold.recent > self.context
            && let Some(chunk) = hold.roll()
        {
            self.release(chunk, Decision::ByRate, released);
        }
    }

    /// The invocation wrote an error: the trace and debug lines before it are its context, and stay.
    pub fn pin(&mut self, slot: Slot) {
        if let Some(place) = self.hold_of(slot) {
            self.holds[place].recent = 0;
        }
    }

    /// Decides on the invocations that have ended.
    pub fn finish_ended(&mut self, context: &Context<'_>, released: &mut Vec<Released>) {
        let mut place = 0;
        while let Some(hold) = self.holds.get(place) {
            match context.invocations.get(hold.slot) {
                Some(invocation) if invocation.done => {
                    let source = OfInvocation {
                        facts: context.facts,
                        invocation,
                    };
                    let mut unlike = Unlike::default();
                    let kept = self.keep.matches(&source, &mut unlike);
                    add(&context.ledger.unlike, unlike.0);
                    let decision = if kept {
                        Decision::Kept
                    } else {
                        Decision::ByRate
                    };
                    self.decide(place, decision, released);
                }
                Some(_) => place += 1,
                // Too many others began since: its end would not be noticed.
                None => {
                    add(&context.ledger.tail_overflow, 1);
                    self.decide(place, Decision::Kept, released);
                }
            }
        }
    }

    /// Decides on the invocations that have been held for long enough, in favour of their lines.
    pub fn expire(&mut self, context: &Context<'_>, released: &mut Vec<Released>) {
        let now = context.world.now();
        while self.due().is_some_and(|due| due <= now) {
            add(&context.ledger.tail_max_wait, 1);
            // The first began first.
            self.decide(0, Decision::Kept, released);
        }
    }

    /// Decides on all invocations, in favour of their lines: the end may come before theirs.
    pub fn release_all(&mut self, released: &mut Vec<Released>) {
        while !self.holds.is_empty() {
            self.decide(0, Decision::Kept, released);
        }
    }

    /// Lets go of the oldest lines of a lane; says how many.
    pub fn evict(&mut self, lane: Lane) -> u64 {
        let has = |hold: &Hold| !hold.lanes[lane as usize].is_empty();
        let Some(place) = self.holds.iter().position(has) else {
            return 0;
        };
        let hold = &mut self.holds[place];
        let evicted = hold.lanes[lane as usize].pop_front();
        let low = hold.lanes[Lane::Low as usize].iter();
        hold.recent = hold.recent.min(low.map(|chunk| chunk.marks.len()).sum());
        if hold.chunks().next().is_none() {
            self.holds.remove(place);
        }
        evicted.map_or(0, |chunk| {
            self.forget(&chunk);
            chunk.marks.len() as u64
        })
    }

    fn decide(&mut self, place: usize, decision: Decision, released: &mut Vec<Released>) {
        let hold = self.holds.remove(place);
        self.remember(hold.slot, decision);
        for chunk in hold.lanes.into_iter().flatten() {
            self.release(chunk, decision, released);
        }
    }

    fn release(&mut self, chunk: Chunk, decision: Decision, released: &mut Vec<Released>) {
        self.forget(&chunk);
        released.push(Released {
            batch: chunk.store.into_batch(),
            marks: chunk.marks,
            decision,
        });
    }

    fn forget(&mut self, chunk: &Chunk) {
        self.bytes -= chunk.bytes();
        self.held -= chunk.marks.len() as u64;
    }

    fn remember(&mut self, slot: Slot, decision: Decision) {
        if self.decided.len() == INVOCATIONS_MAX {
            self.decided.pop_front();
        }
        self.decided.push_back((slot, decision));
    }

    fn decision(&self, slot: Slot) -> Option<Decision> {
        let mut latest_first = self.decided.iter().rev();
        let found = latest_first.find(|(known, _)| *known == slot);
        found.map(|(_, decision)| *decision)
    }

    fn hold_of(&self, slot: Slot) -> Option<usize> {
        self.holds.iter().position(|hold| hold.slot == slot)
    }
}
