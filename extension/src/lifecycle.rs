//! The extension's life as a pure state machine: what happened goes in, what to do comes out.
//!
//! Nothing here waits, reads a clock or talks to anybody; so every hard case is a table in a test.

use std::collections::VecDeque;
use std::time::Duration;

use tapline_core::limits::SHUTDOWN_MARGIN;
use tapline_core::world::Instant;

use crate::flush;
use crate::settings::FlushSettings;

/// Invocations whose end was seen before their INVOKE.
const EARLY_MAX: usize = 16;

/// Shutdown time that is assumed where the platform's deadline makes no sense.
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);

/// The time at one moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Running time.
    pub now: Instant,
    /// Wall clock, milliseconds since 1970.
    pub wall_ms: i64,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// Everything is set up, before the first `next`.
    Started,
    /// An invocation began.
    Invoke {
        /// Its request id.
        request_id: &'a str,
        /// When it times out: wall clock, milliseconds since 1970.
        deadline_ms: i64,
    },
    /// The platform said that the runtime is done with an invocation.
    RuntimeDone {
        /// Its request id.
        request_id: &'a str,
        /// When: wall clock, milliseconds since 1970.
        time_ms: Option<i64>,
    },
    /// Records came in.
    Arrived,
    /// No sink has anything left that a hold should wait for.
    Settled,
    /// Time passed: see [`Lifecycle::wake_at`].
    Tick,
    /// The environment ends.
    Shutdown {
        /// When it is killed: wall clock, milliseconds since 1970.
        deadline_ms: Option<i64>,
    },
}

/// What to do, in the order of the fields.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// The hold is over: sinks that were waited for and did not answer get a strike. Since when it lasted.
    pub hold_ended: Option<Instant>,
    /// What transforms hold back shall go on: the environment may end before they would let go of it.
    pub release: bool,
    /// Sinks shall send what they have.
    pub flush: bool,
    /// Everything ends at this moment.
    pub drain: Option<Instant>,
    /// Ask the platform for the next event.
    pub next: bool,
    /// The environment may be frozen from now on: running time stops.
    pub park: bool,
}

/// What the machine was told at its start.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// The `[flush]` table.
    pub flush: FlushSettings,
    /// Telemetry comes.
    pub subscribed: bool,
    /// The telemetry tells when the runtime is done with an invocation.
    pub signal: bool,
    /// Managed Instances: nothing is frozen, no INVOKE comes.
    pub managed: bool,
    /// The environment was initialised long before its first invocation: provisioned concurrency, SnapStart.
    pub early_init: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Before the first `next`: records of an early init are gathered, then flushed.
    Gathering { flush_at: Instant, until: Instant },
    /// In `next`. `open`: an invocation that is still running, as far as is known.
    InNext { open: Option<Open> },
    /// An invocation runs and its end is waited for.
    Running {
        request_id: String,
        race_at: Option<Instant>,
        until: Instant,
    },
    /// The invocation is over for the runtime and held for the sinks.
    Holding { since: Instant, until: Instant },
    /// Everything ends.
    Draining,
}

/// An invocation that runs while the next event is asked for already.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    request_id: String,
    /// When what is there leaves once, in case the function is about to time out; `None` once that is over.
    race_at: Option<Instant>,
}

/// The state machine.
#[derive(Debug)]
pub struct Lifecycle {
    conditions: Conditions,
    state: State,
    /// The signal that ends a hold is trusted to come.
    signal: bool,
    done_early: VecDeque<(String, Option<i64>)>,
    gathering_since: Option<Instant>,
}

impl Lifecycle {
    /// A machine before its first event.
    pub fn new(conditions: Conditions) -> Lifecycle {
        Lifecycle {
            signal: conditions.signal,
            conditions,
            state: State::InNext { open: None },
            done_early: VecDeque::new(),
            gathering_since: None,
        }
    }

    /// Takes in what happened and says what to do.
    pub fn step(&mut self, clock: Clock, event: Event<'_>) -> Actions {
        if self.state == State::Draining {
            return Actions::default();
        }
        match event {
            Event::Started => self.started(clock.now),
            Event::Invoke {
                request_id,
                deadline_ms,
            } => self.invoke(clock, request_id, deadline_ms),
            Event::RuntimeDone {
                request_id,
                time_ms,
            } => self.runtime_done(clock, request_id, time_ms),
            Event::Arrived => {
                self.gathering_since.get_or_insert(clock.now);
                // What trails the end of an invocation leaves with it.
                match self.state {
                    State::Holding { .. } => self.flushing_all(),
                    _ => Actions::default(),
                }
            }
            Event::Settled => self.settled(),
            Event::Tick => self.tick(clock.now),
            Event::Shutdown { deadline_ms } => self.shutdown(clock, deadline_ms),
        }
    }

    /// When the next [`Event::Tick`] is due; `None` while nothing is.
    pub fn wake_at(&self) -> Option<Instant> {
        let stale = self.stale_at();
        match &self.state {
            State::Gathering { flush_at, .. } => Some(*flush_at),
            State::InNext { open: Some(open) } => [open.race_at, stale].into_iter().flatten().min(),
            State::InNext { open: None } => stale.filter(|_| self.conditions.managed),
            State::Running { race_at, until, .. } => Some(
                [*race_at, stale]
                    .into_iter()
                    .flatten()
                    .fold(*until, Instant::min),
            ),
            State::Holding { until, .. } => Some(*until),
            State::Draining => None,
        }
    }

    /// While an invocation is held: since when, and until when at most.
    pub fn hold(&self) -> Option<(Instant, Instant)> {
        match self.state {
            State::Holding { since, until } => Some((since, until)),
            _ => None,
        }
    }

    fn stale_at(&self) -> Option<Instant> {
        let staleness = flush::staleness(&self.conditions.flush, self.conditions.managed);
        self.gathering_since.map(|since| since + staleness)
    }

    fn started(&mut self, now: Instant) -> Actions {
        if self.conditions.early_init && self.conditions.subscribed {
            let max_hold = self.conditions.flush.max_hold;
            self.state = State::Gathering {
                flush_at: now + max_hold / 2,
                until: now + max_hold,
            };
            return Actions::default();
        }
        self.ask_next(None)
    }

    /// Asks for the next event. Running time stops unless something is known to run.
    fn ask_next(&mut self, open: Option<Open>) -> Actions {
        let park = open.is_none() && !self.conditions.managed;
        self.state = State::InNext { open };
        Actions {
            next: true,
            park,
            ..Actions::default()
        }
    }

    fn flushing(&mut self, actions: Actions) -> Actions {
        self.gathering_since = None;
        Actions {
            flush: true,
            ..actions
        }
    }

    /// Nothing runs, and the freezer comes next: what transforms hold back leaves with the rest.
    fn flushing_all(&mut self) -> Actions {
        self.flushing(Actions {
            release: true,
            ..Actions::default()
        })
    }

    fn invoke(&mut self, clock: Clock, request_id: &str, deadline_ms: i64) -> Actions {
        let given = Duration::from_millis(
            u64::try_from(deadline_ms.saturating_sub(clock.wall_ms)).unwrap_or(0),
        );
        let early = self
            .done_early
            .iter()
            .position(|(known, _)| known == request_id);
        let done = early.and_then(|position| self.done_early.remove(position));
        if !self.conditions.subscribed {
            return self.ask_next(None);
        }
        let race_at = clock.now + given.saturating_sub(flush::race(&self.conditions.flush, given));
        if !flush::holds(self.conditions.flush.strategy) || !self.signal {
            let open = done.is_none().then(|| Open {
                request_id: request_id.to_owned(),
                race_at: Some(race_at),
            });
            let actions = self.ask_next(open);
            return if self.flush_in_background(clock.now) {
                self.flushing(actions)
            } else {
                actions
            };
        }
        let until = clock.now + (given - flush::margin(&self.conditions.flush, given));
        match done {
            Some((_, time_ms)) => self.hold_from(clock, time_ms, until),
            None => {
                self.state = State::Running {
                    request_id: request_id.to_owned(),
                    race_at: Some(race_at),
                    until,
                };
                Actions::default()
            }
        }
    }

    /// Without a hold: whether what was gathered leaves now.
    fn flush_in_background(&self, now: Instant) -> bool {
        flush::holds(self.conditions.flush.strategy)
            || self.stale_at().is_some_and(|stale| stale <= now)
    }

    fn runtime_done(&mut self, clock: Clock, request_id: &str, time_ms: Option<i64>) -> Actions {
        self.signal = true;
        match &self.state {
            State::Running {
                request_id: running,
                until,
                ..
            } if running == request_id => {
                let until = *until;
                self.hold_from(clock, time_ms, until)
            }
            State::InNext { open: Some(open) } if open.request_id == request_id => {
                // Nothing runs any more, and `next` was asked for long ago: the freezer comes.
                self.state = State::InNext { open: None };
                let actions = Actions {
                    release: true,
                    park: !self.conditions.managed,
                    ..Actions::default()
                };
                if self.flush_in_background(clock.now) {
                    self.flushing(actions)
                } else {
                    actions
                }
            }
            _ => {
                if self.done_early.len() == EARLY_MAX {
                    self.done_early.pop_front();
                }
                self.done_early.push_back((request_id.to_owned(), time_ms));
                Actions::default()
            }
        }
    }

    /// Holds the invocation until `max_hold` after the runtime was done, or `until`.
    fn hold_from(&mut self, clock: Clock, done_ms: Option<i64>, until: Instant) -> Actions {
        let passed_ms = done_ms.map_or(0, |done| clock.wall_ms.saturating_sub(done).max(0));
        let passed = Duration::from_millis(u64::try_from(passed_ms).unwrap_or(0));
        let until = until.min(clock.now + self.conditions.flush.max_hold.saturating_sub(passed));
        if until <= clock.now {
            let next = self.ask_next(None);
            return Actions {
                release: true,
                ..self.flushing(next)
            };
        }
        self.state = State::Holding {
            since: clock.now,
            until,
        };
        self.flushing_all()
    }

    fn settled(&mut self) -> Actions {
        match self.state {
            State::Holding { since, .. } => Actions {
                hold_ended: Some(since),
                ..self.ask_next(None)
            },
            _ => Actions::default(),
        }
    }

    fn tick(&mut self, now: Instant) -> Actions {
        let stale = self.stale_at().is_some_and(|stale| now >= stale);
        match &mut self.state {
            State::Gathering { flush_at, until } if now >= *flush_at => {
                self.state = State::Holding {
                    since: now,
                    until: *until,
                };
                self.flushing_all()
            }
            State::Holding { until, .. } if now >= *until => self.settled(),
            State::Running {
                request_id, until, ..
            } if now >= *until => {
                // The function is about to time out, or its signal was lost: this is the one time that it is paid for.
                self.signal = false;
                let open = Open {
                    request_id: std::mem::take(request_id),
                    race_at: None,
                };
                let actions = self.ask_next(Some(open));
                self.flushing(actions)
            }
            State::Running { race_at, .. }
            | State::InNext {
                open: Some(Open { race_at, .. }),
            } if race_at.is_some_and(|at| now >= at) => {
                *race_at = None;
                self.flushing_all()
            }
            State::Running { .. } | State::InNext { .. } if stale => {
                self.flushing(Actions::default())
            }
            _ => Actions::default(),
        }
    }

    fn shutdown(&mut self, clock: Clock, deadline_ms: Option<i64>) -> Actions {
        let left_ms = deadline_ms.map(|deadline| deadline.saturating_sub(clock.wall_ms));
        let left = match left_ms {
            Some(left @ 1..=10_000) => Duration::from_millis(left.unsigned_abs()),
            _ => SHUTDOWN_TIME,
        };
        self.state = State::Draining;
        Actions {
            drain: Some(clock.now + (left - SHUTDOWN_MARGIN.min(left / 2))),
            ..Actions::default()
        }
    }
}

#[cfg(test)]
mod tests;
