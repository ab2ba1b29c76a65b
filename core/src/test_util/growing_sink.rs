//! A sink that gathers records into one object, and sends it as a script says.

use std::rc::Rc;
use std::time::Duration;

use super::scripted_sink::{Answer, Script, Seen};
use crate::budget::Charge;
use crate::sink::{Call, CallLimits, Holding, Outcome, Selection, Sink, Verdict};
use crate::world::{Boxed, Instant, World};

/// Holds what it is given until the object has `records_max` records or is `age_max` old.
pub struct GrowingSink {
    script: Script,
    object: Vec<u64>,
    since: Instant,
    records_max: usize,
    age_max: Duration,
    charge: Option<Charge>,
}

/// What one record counts for in the budget while it is held, in bytes.
pub const HELD_BYTES: usize = 100;

impl GrowingSink {
    /// A sink with at least one answer for its objects.
    pub fn new(
        answers: impl IntoIterator<Item = Answer>,
        records_max: usize,
        age_max: Duration,
    ) -> (Box<GrowingSink>, Rc<Seen>) {
        let (script, seen) = Script::new(answers);
        let sink = GrowingSink {
            script,
            object: Vec::new(),
            since: Instant::default(),
            records_max,
            age_max,
            charge: None,
        };
        (Box::new(sink), seen)
    }

    fn take(&mut self, records: &Selection, call: Call<'_>) {
        if self.object.is_empty() {
            self.since = call.world.now();
        }
        let added = records.records().map(|(_, record)| record.sequence);
        self.object.extend(added);
        let bytes = records.len() * HELD_BYTES;
        match &mut self.charge {
            Some(charge) => charge.grow_over(bytes),
            None => self.charge = Some(call.budget.charge_over(bytes)),
        }
    }
}

impl Sink for GrowingSink {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: self.records_max,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            self.take(records, call);
            Verdict::Held.into()
        })
    }

    fn holding(&self, _: &dyn World) -> Holding {
        match self.object.len() {
            0 => Holding::Nothing,
            some if some >= self.records_max => Holding::Full,
            _ => Holding::Until(self.since + self.age_max),
        }
    }

    fn flush<'a>(&'a mut self, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let outcome = self.script.play(&self.object, call).await;
            let retried = |position: usize| {
                let own = outcome
                    .exceptions
                    .iter()
                    .find(|(at, _)| *at as usize == position);
                let verdict = own.map_or(&outcome.verdict, |(_, verdict)| verdict);
                matches!(verdict, Verdict::Retry { .. })
            };
            let mut position = 0;
            self.object.retain(|_| {
                position += 1;
                retried(position - 1)
            });
            match (&mut self.charge, self.object.len()) {
                (charge, 0) => *charge = None,
                (Some(charge), left) => charge.shrink_to(left * HELD_BYTES),
                (None, _) => {}
            }
            outcome
        })
    }

    fn forget(&mut self) {
        self.object.clear();
        self.charge = None;
    }
}
