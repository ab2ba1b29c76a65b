//! Turns what happens outside into steps of the lifecycle, and does what it says. One task owns all of it.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use tapline_core::bell::Bell;
use tapline_core::config::Late;
use tapline_core::delivery;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::{Ledger, add};
use tapline_core::level::Level;
use tapline_core::limits::UNANSWERED_HOLD_MAX;
use tapline_core::pipeline::Pipeline;
use tapline_core::platform::PlatformEvent;
use tapline_core::port::{Goal, Identity, Port};
use tapline_core::transform::Context;
use tapline_core::view::Scratch;
use tapline_core::world::{Instant, World, either};

use crate::decode::{self, Decoded, Decoder, Form, Post};
use crate::extensions_api::NextEvent;
use crate::intake::Intake;
use crate::lifecycle::{Actions, Clock, Event, Lifecycle};
use crate::next::Next;
use crate::receiver::{Arrival, Receiver};
use crate::settings::Strategy;
use crate::world::RealWorld;

/// At SHUTDOWN, longest wait for what the platform still has: mostly the last `platform.report`.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// At SHUTDOWN, silence after which nothing more is expected: twice what the platform gathers, and some.
const SILENCE: Duration = Duration::from_millis(60);

/// Everything that one environment's life needs.
pub struct Engine {
    /// Clocks, timers, randomness.
    pub world: RealWorld,
    /// The listener's side of the ingress queue.
    pub receiver: Rc<Receiver>,
    /// The poll for events.
    pub next: Rc<Next>,
    /// Splits bodies into records.
    pub decoder: Decoder,
    /// Leaves out what nobody asked for.
    pub intake: Intake,
    /// Transforms and taps; shared with whoever needs room for a body.
    pub pipeline: Rc<RefCell<Pipeline>>,
    /// The sinks.
    pub ports: Vec<Rc<Port>>,
    /// Rings when a sink got on.
    pub progress: Rc<Bell>,
    /// The counts.
    pub ledger: Rc<Ledger>,
    /// The function and its environment.
    pub facts: Facts,
    /// The invocations that are known.
    pub invocations: Invocations,
    /// Gives records their ids.
    pub identity: Rc<Identity>,
    /// Buffers to decode into.
    pub scratch: Scratch,
    /// Decides what to do.
    pub lifecycle: Lifecycle,
    /// How sinks are driven.
    pub strategy: Strategy,
    /// The invocation whose `platform.report` has not come yet.
    pub report_outstanding: Option<String>,
    /// What records wait for in front of the pipeline.
    pub secrets: Secrets,
}

/// The secrets that transforms wait for, and what waiting for them may still cost.
pub struct Secrets {
    /// Those that were not settled when they were last looked at.
    wanted: Vec<Late>,
    /// Time for which invocations may still be held for them.
    hold_left: Duration,
}

impl Secrets {
    /// All that a pipeline waits for.
    pub fn of(pipeline: &Pipeline) -> Secrets {
        Secrets {
            wanted: pipeline.awaited(),
            hold_left: UNANSWERED_HOLD_MAX,
        }
    }

    /// Ends when all are settled; never where they were already.
    async fn settled(&self) {
        if self.wanted.is_empty() {
            return std::future::pending().await;
        }
        for secret in &self.wanted {
            secret.settled().await;
        }
    }
}

/// Turns of the runtime until the first poll is on its way: the task that polls wakes, asks, and its connection writes.
const TURNS_TO_POLL: usize = 4;

impl Engine {
    /// Lives until the environment is shut down. Returns when everything is drained, or its time is over.
    pub async fn run(mut self) -> Engine {
        if self.strategy == Strategy::Continuous {
            self.ports
                .iter()
                .for_each(|port| port.set_goal(Goal::Continuous));
        }
        let mut drain = self.step(Event::Started);
        // The poll for the first event goes out before the slow work that nobody needs to wait for.
        for _ in 0..TURNS_TO_POLL {
            tokio::task::yield_now().await;
        }
        self.guard(|engine| engine.pipeline.borrow_mut().prepare());
        loop {
            if let Some(until) = drain {
                self.drain(until).await;
                return self;
            }
            drain = self.turn();
            if drain.is_none() && self.receiver.ingress.is_empty() {
                self.wait().await;
            } else {
                // Other tasks, the listener among them, come first before the next body.
                tokio::task::yield_now().await;
            }
        }
    }

    /// Looks at everything once. Gives the moment at which all must end, once that is known.
    fn turn(&mut self) -> Option<Instant> {
        if let Some(arrival) = self.receiver.ingress.pop() {
            self.take_in(arrival);
        }
        if self
            .decoder
            .fragment_due()
            .is_some_and(|due| due <= self.world.now())
        {
            self.expire_fragment();
        }
        self.secrets.wanted.retain(Late::is_wanted);
        if self.held_due().is_some_and(|due| due <= self.world.now()) {
            self.expire_held();
        }
        if let Some(event) = self.next.take() {
            self.world.event_came();
            let drain = self.next_event(event);
            if drain.is_some() {
                return drain;
            }
        }
        if self
            .lifecycle
            .wake_at()
            .is_some_and(|wake| wake <= self.world.now())
        {
            self.step(Event::Tick);
        }
        if self.lifecycle.hold().is_some() && self.settled() {
            self.step(Event::Settled);
        }
        None
    }

    /// Sleeps until something may have happened.
    async fn wait(&self) {
        let mut wake = self.lifecycle.wake_at().unwrap_or(Instant::NEVER);
        if let Some((since, _)) = self.lifecycle.hold() {
            let allowances = self
                .ports
                .iter()
                .map(|port| since + port.breaker.borrow().hold_allowance());
            // A used-up allowance was looked at already; only one that ends later is worth waking for.
            wake = allowances
                .chain([since + self.secrets.hold_left])
                .filter(|at| *at > self.world.now())
                .fold(wake, Instant::min);
        }
        for due in [self.decoder.fragment_due(), self.held_due()] {
            wake = due.map_or(wake, |due| due.min(wake));
        }
        let something = either(self.receiver.ingress.ready(), self.next.bell.rung());
        let something = either(something, self.progress.rung());
        let something = either(something, self.secrets.settled());
        either(something, self.world.sleep_until(wake)).await;
    }

    fn clock(&self) -> Clock {
        Clock {
            now: self.world.now(),
            wall_ms: self.world.wall_ms(),
        }
    }

    /// Whether no sink is worth waiting for in this hold.
    fn settled(&self) -> bool {
        let Some((since, until)) = self.lifecycle.hold() else {
            return true;
        };
        let now = self.world.now();
        let unread = !self.receiver.ingress.is_empty();
        let waits =
            now < until.min(since + self.secrets.hold_left) && self.pipeline.borrow().is_waiting();
        !unread
            && !waits
            && !self.ports.iter().any(|port| {
                let until = until.min(since + port.breaker.borrow().hold_allowance());
                now < until && port.holds(until)
            })
    }

    fn step(&mut self, event: Event<'_>) -> Option<Instant> {
        let actions = self.lifecycle.step(self.clock(), event);
        self.act(actions)
    }

    fn act(&mut self, actions: Actions) -> Option<Instant> {
        if let Some(since) = actions.hold_ended {
            let held = self.world.now().since(since);
            self.ports
                .iter()
                .for_each(|port| port.hold_ended(&self.world, held));
            if self.pipeline.borrow().is_waiting() {
                self.secrets.hold_left = self.secrets.hold_left.saturating_sub(held);
            }
        }
        if actions.release {
            self.release();
        }
        if actions.flush && self.strategy != Strategy::Continuous {
            self.ports
                .iter()
                .for_each(|port| port.set_goal(Goal::Flush));
        }
        if actions.next {
            self.world.event_asked();
            self.next.ask();
        }
        if actions.park {
            self.world.park();
        }
        actions.drain
    }

    fn next_event(&mut self, event: NextEvent) -> Option<Instant> {
        match event {
            NextEvent::Invoke {
                request_id,
                deadline_ms,
                function_arn,
            } => {
                if self.facts.learn_arn(&function_arn) {
                    self.identity.learn(&self.facts);
                }
                self.report_outstanding = Some(request_id.clone());
                self.step(Event::Invoke {
                    request_id: &request_id,
                    deadline_ms,
                })
            }
            NextEvent::Shutdown {
                deadline_ms,
                reason,
            } => {
                self.world.log(Level::Info, &format!("shutdown: {reason}"));
                self.step(Event::Shutdown { deadline_ms })
            }
            NextEvent::Unknown => None,
        }
    }

    /// Takes in one body. Whatever is in it, it must not end the process: that would fail the function.
    fn take_in(&mut self, arrival: Arrival) {
        if !self.guard(|engine| engine.read(arrival)) {
            add(&self.ledger.bodies_dropped, 1);
        }
    }

    fn read(&mut self, arrival: Arrival) {
        if self.decoder.is_redelivered(&arrival.bytes) {
            add(&self.ledger.duplicates, 1);
            return;
        }
        let post = Post {
            bytes: arrival.bytes,
            charge: arrival.charge,
            arrived_ms: arrival.arrived_ms,
            form: Form::Array,
        };
        let now = self.world.now();
        let decoded = self.decode(|decoder, context| decoder.decode(post, now, context));
        self.process(decoded);
    }

    fn decode(
        &mut self,
        with: impl FnOnce(&mut Decoder, decode::Context<'_>) -> Decoded,
    ) -> Decoded {
        let context = decode::Context {
            invocations: &mut self.invocations,
            identity: &self.identity,
            ledger: &self.ledger,
        };
        with(&mut self.decoder, context)
    }

    /// What transforms may look at.
    fn context(&self) -> Context<'_> {
        Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: self.receiver.room.budget(),
            ledger: &self.ledger,
            scratch: &self.scratch,
        }
    }

    fn held_due(&self) -> Option<Instant> {
        self.pipeline.borrow().due()
    }

    /// What transforms held back goes on; it is gathered from now on like what has just arrived.
    fn expire_held(&mut self) {
        self.guard(|engine| engine.pipeline.borrow_mut().expire(&engine.context()));
        self.step(Event::Arrived);
    }

    fn expire_fragment(&mut self) {
        let now = self.world.now();
        self.guard(|engine| {
            let decoded = engine.decode(|decoder, context| decoder.expire(now, context));
            engine.process(decoded);
        });
    }

    /// Hands records to the pipeline, then events to the lifecycle: a flush must find what came before it.
    fn process(&mut self, mut decoded: Decoded) {
        for event in &decoded.events {
            self.facts.observe(event);
        }
        let resumed = |event: &PlatformEvent| matches!(event, PlatformEvent::RestoreStart { .. });
        if decoded.events.iter().any(resumed) {
            self.begin_life(&mut decoded);
        }
        for mut batch in decoded.batches {
            self.intake.apply(&mut batch);
            self.pipeline.borrow_mut().process(batch, &self.context());
        }
        self.pipeline
            .borrow()
            .observe(&decoded.observations, self.world.wall_ms());
        // Index and changed texts are charged once they are there; what does not fit any more makes others give way.
        self.receiver.room.make(0);
        self.step(Event::Arrived);
        for event in decoded.events {
            self.platform_event(event);
        }
    }

    /// A snapshot was resumed: every copy of it would otherwise give out the same ids.
    fn begin_life(&mut self, decoded: &mut Decoded) {
        let instance = self.world.fresh_hex();
        self.identity.instance.set(instance);
        self.facts.instance = String::from_utf8_lossy(&instance).into_owned();
        self.identity.learn(&self.facts);
        decoded
            .batches
            .iter_mut()
            .for_each(|batch| batch.set_instance(instance));
    }

    fn platform_event(&mut self, event: PlatformEvent) {
        match event {
            PlatformEvent::RuntimeDone {
                request_id,
                time_ms,
                ..
            } => {
                self.step(Event::RuntimeDone {
                    request_id: &request_id,
                    time_ms,
                });
            }
            PlatformEvent::Report { request_id, .. } => {
                self.report_outstanding
                    .take_if(|outstanding| *outstanding == request_id);
            }
            PlatformEvent::LogsDropped { records } => add(&self.ledger.lost_by_platform, records),
            _ => {}
        }
    }

    /// Takes in the platform's last words, then gives every sink the rest of the time, all at once.
    async fn drain(&mut self, until: Instant) {
        self.ports
            .iter()
            .for_each(|port| port.set_goal(Goal::Flush));
        self.last_words(until).await;
        self.expire_all();
        self.ports
            .iter()
            .for_each(|port| port.set_goal(Goal::Drain(until)));
        // A sink that is drained stays open while another one is not: more may come, and it can still take it.
        while self.world.now() < until && !self.ports.iter().all(|port| port.is_drained()) {
            match self.receiver.ingress.pop() {
                Some(arrival) => {
                    self.take_in(arrival);
                    self.release();
                }
                None => {
                    let something = either(self.receiver.ingress.ready(), self.progress.rung());
                    either(something, self.world.sleep_until(until)).await;
                }
            }
        }
        self.expire_all();
        delivery::finish(&self.ports, until, &self.progress, &self.world).await;
        // Too late for every sink: answered, and not even looked at.
        while self.receiver.ingress.pop().is_some() {
            add(&self.ledger.bodies_dropped, 1);
        }
    }

    async fn last_words(&mut self, until: Instant) {
        let start = self.world.now();
        let latest = until.min(start + LAST_WORDS);
        let mut quiet_at = start + SILENCE;
        loop {
            while let Some(arrival) = self.receiver.ingress.pop() {
                self.take_in(arrival);
                quiet_at = self.world.now() + SILENCE;
            }
            let end = if self.report_outstanding.is_some() {
                latest
            } else {
                quiet_at.min(latest)
            };
            if self.world.now() >= end {
                return;
            }
            either(self.receiver.ingress.ready(), self.world.sleep_until(end)).await;
        }
    }

    /// Gives out everything that decoder and transforms hold back.
    fn expire_all(&mut self) {
        let now = self.world.now();
        self.guard(|engine| {
            let decoded = engine.decode(|decoder, context| decoder.flush_fragment(now, context));
            engine.process(decoded);
        });
        self.release();
    }

    /// Gives out what transforms hold back.
    fn release(&mut self) {
        self.guard(|engine| engine.pipeline.borrow_mut().release(&engine.context()));
    }

    /// Does something that must not end the process, whatever breaks in it: that would fail the function.
    fn guard(&mut self, work: impl FnOnce(&mut Engine)) -> bool {
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| work(self))).is_ok();
        if !done {
            let message = "a step of the pipeline broke; what it had at hand is dropped";
            self.world.log(Level::Error, message);
        }
        done
    }
}
