//! A sink that does what a script says, and remembers what it was given.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use crate::world::Boxed;

/// What a sink does with one call.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answers after a while.
    After(Duration, Outcome),
    /// Never answers.
    Never,
    /// Panics.
    Panic,
}

impl Answer {
    /// Takes everything, at once.
    pub fn ok() -> Answer {
        Answer::After(Duration::ZERO, Verdict::Accepted.into())
    }

    /// Fails as a server that answers 503.
    pub fn unavailable() -> Answer {
        let verdict = Verdict::Retry {
            why: "503".into(),
            after: None,
            answered: true,
        };
        Answer::After(Duration::ZERO, verdict.into())
    }
}

/// What a scripted sink was given, in order.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sequences of the records of each call.
    pub calls: RefCell<Vec<Vec<u64>>>,
    /// The batch id of each call.
    pub batch_ids: RefCell<Vec<String>>,
    /// Sequences that were accepted.
    pub accepted: RefCell<Vec<u64>>,
    /// Calls that are waiting for an answer.
    pub open_calls: Cell<u32>,
}

/// Plays answers in order, then the last one for ever.
#[derive(Debug)]
pub(super) struct Script {
    answers: VecDeque<Answer>,
    seen: Rc<Seen>,
}

impl Script {
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> (Script, Rc<Seen>) {
        let seen = Rc::new(Seen::default());
        let script = Script {
            answers: answers.into_iter().collect(),
            seen: seen.clone(),
        };
        (script, seen)
    }

    /// One request with these records.
    pub fn play<'a>(&mut self, sequences: &[u64], call: Call<'a>) -> Boxed<'a, Outcome> {
        let answer = if self.answers.len() > 1 {
            self.answers.pop_front()
        } else {
            self.answers.front().cloned()
        };
        let sequences = sequences.to_vec();
        self.seen.calls.borrow_mut().push(sequences.clone());
        self.seen
            .batch_ids
            .borrow_mut()
            .push(call.batch_id.to_owned());
        let seen = self.seen.clone();
        Box::pin(async move {
            match answer {
                Some(Answer::After(delay, outcome)) => {
                    call.world.sleep_until(call.world.now() + delay).await;
                    seen.take(&sequences, &outcome);
                    outcome
                }
                Some(Answer::Panic) => panic!("as the script says"),
                Some(Answer::Never) | None => std::future::pending().await,
            }
        })
    }
}

impl Seen {
    fn take(&self, sequences: &[u64], outcome: &Outcome) {
        for (position, sequence) in sequences.iter().enumerate() {
            let own = outcome
                .exceptions
                .iter()
                .rev()
                .find(|(at, _)| *at as usize == position);
            if own.map_or(&outcome.verdict, |(_, verdict)| verdict) == &Verdict::Accepted {
                self.accepted.borrow_mut().push(*sequence);
            }
        }
    }
}

/// Takes every call as its script says.
#[derive(Debug)]
pub struct ScriptedSink {
    script: Script,
    limits: CallLimits,
}

impl ScriptedSink {
    /// A sink with at least one answer.
    pub fn new(answers: impl IntoIterator<Item = Answer>) -> (Box<ScriptedSink>, Rc<Seen>) {
        let (script, seen) = Script::new(answers);
        let sink = ScriptedSink {
            script,
            limits: CallLimits {
                records_max: 1_000,
                bytes_max: 1 << 20,
            },
        };
        (Box::new(sink), seen)
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(
        mut self: Box<Self>,
        records_max: usize,
        bytes_max: usize,
    ) -> Box<ScriptedSink> {
        self.limits = CallLimits {
            records_max,
            bytes_max,
        };
        self
    }
}

impl Sink for ScriptedSink {
    fn limits(&self) -> CallLimits {
        self.limits
    }

    fn deliver<'a>(&'a mut self, records: &'a Selection, call: Call<'a>) -> Boxed<'a, Outcome> {
        let sequences: Vec<u64> = records
            .records()
            .map(|(_, record)| record.sequence)
            .collect();
        self.script.play(&sequences, call)
    }
}
