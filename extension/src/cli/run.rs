//! `tapline run FILE [--input F|-]`: telemetry from a file through the pipeline into the sinks, to the end.

use std::io::Read;
use std::rc::Rc;
use std::time::Duration;

use tapline_core::bell::Bell;
use tapline_core::budget::Budget;
use tapline_core::delivery;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::{DropReason, Ledger, add};
use tapline_core::pipeline::{Pipeline, Tap};
use tapline_core::platform::PlatformEvent;
use tapline_core::port::{Goal, Identity, Port};
use tapline_core::transform::Context;
use tapline_core::view::Scratch;
use tapline_core::world::{World, before};
use tokio::task::LocalSet;

use super::elements::Elements;
use crate::decode::{self, Decoder, Form, Post};
use crate::extension::{link_dead_letters, open_port, read_facts};
use crate::intake::Intake;
use crate::settings::{self, Kinds, Load, Settings};
use crate::world::{RealWorld, write_line};

/// Longest wait for the last requests, in all.
const LAST_REQUESTS: Duration = Duration::from_secs(60);

/// Longest wait for one secret that a transform needs: more than all attempts to fetch it take.
const SECRETS_TIME_MAX: Duration = Duration::from_secs(30);

/// Runs the command; gives its exit code: 0, or 1 for a bad configuration or input or a record that was lost.
pub fn run(file: &str, input: Option<&str>, kinds: &Kinds) -> u8 {
    let world = RealWorld::new();
    let variable = |name: &str| world.variable(name);
    let instance = world.fresh_hex();
    let mut facts = read_facts(&world, instance);
    let settings = match read_settings(file, kinds, &mut facts, &variable) {
        Ok(settings) => settings,
        Err(message) => return failed(&message),
    };
    let source: Box<dyn Read> = match input {
        None => Box::new(std::io::stdin().lock()),
        Some(path) => match std::fs::File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => return failed(&format!("cannot read `{path}`: {error}")),
        },
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("no runtime: {error}")),
    };
    let run = Run::new(world, facts, instance);
    let code = LocalSet::new().block_on(&runtime, run.whole(settings, Elements::new(source)));
    runtime.shutdown_background();
    code
}

fn failed(message: &str) -> u8 {
    write_line(format!("tapline: {message}").as_bytes());
    1
}

fn read_settings(
    file: &str,
    kinds: &Kinds,
    facts: &mut Facts,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, String> {
    let bytes =
        settings::read_file(file).map_err(|error| format!("cannot read `{file}`: {error}"))?;
    match settings::load(
        file,
        &bytes,
        kinds,
        facts,
        variable,
        settings::Place::Offline,
    ) {
        Load::Parked(diagnostics) => Err(diagnostics.render()),
        Load::Runs(settings) if settings.diagnostics.has_errors() => {
            Err(settings.diagnostics.render())
        }
        Load::Runs(settings) => {
            if !settings.diagnostics.is_empty() {
                write_line(settings.diagnostics.render().as_bytes());
            }
            Ok(settings)
        }
    }
}

fn is_denied(port: &Port) -> bool {
    port.breaker.borrow().is_denied()
}

struct Run {
    world: RealWorld,
    facts: Facts,
    identity: Rc<Identity>,
    progress: Rc<Bell>,
    ledger: Ledger,
    invocations: Invocations,
    scratch: Scratch,
    budget: Budget,
    ports: Vec<Rc<Port>>,
}

impl Run {
    fn new(world: RealWorld, facts: Facts, instance: [u8; 32]) -> Run {
        let identity = Rc::new(Identity::new(instance));
        identity.learn(&facts);
        Run {
            world,
            facts,
            identity,
            progress: Rc::new(Bell::default()),
            ledger: Ledger::default(),
            invocations: Invocations::new(false, true),
            scratch: Scratch::default(),
            budget: Budget::new(0),
            ports: Vec::new(),
        }
    }

    async fn whole(mut self, settings: Settings, mut elements: Elements) -> u8 {
        self.budget = Budget::new(settings.memory);
        if !settings.secrets.is_empty() {
            let world: Rc<dyn World> = Rc::new(self.world.clone());
            let (identity, budget) = (self.identity.clone(), self.budget.clone());
            let fetching = tapline_sinks::fetch_secrets(settings.secrets, world, identity, budget);
            tokio::task::spawn_local(fetching);
        }
        let (taps, observers) = self.open_ports(settings.sinks);
        let mut intake = Intake::new(&settings.receiver, self.identity.clone());
        let mut pipeline = Pipeline::new(settings.stages, taps).with_observers(observers);
        self.ports = pipeline.ports().cloned().collect();
        // The input can wait, so that no record has to.
        for secret in pipeline.awaited() {
            before(
                &self.world,
                self.world.now() + SECRETS_TIME_MAX,
                secret.settled(),
            )
            .await;
        }
        let mut decoder = Decoder::new(self.world.random());
        let mut input_error = None;
        loop {
            match elements.next_piece() {
                Ok(Some(piece)) => {
                    self.take_in(piece, &mut intake, &mut decoder, &mut pipeline);
                    self.flush().await;
                }
                Ok(None) => break,
                Err(error) => {
                    input_error = Some(error);
                    break;
                }
            }
        }
        pipeline.release(&self.context());
        self.end().await;
        self.report(input_error)
    }

    /// The sinks, with queues and breakers that let nothing go: what is slow holds up the input instead.
    fn open_ports(&mut self, plans: Vec<settings::SinkPlan>) -> (Vec<Tap>, Vec<Rc<Port>>) {
        let world: Rc<dyn World> = Rc::new(self.world.clone());
        let heirs: Vec<_> = plans.iter().map(|plan| plan.dead_letter).collect();
        let mut observers = Vec::new();
        let taps: Vec<Tap> = plans
            .into_iter()
            .map(|mut plan| {
                plan.delivery.queue_bytes_max = usize::MAX / 2;
                plan.delivery.strikes_max = u32::MAX;
                plan.delivery.bytes_per_hour = None;
                let (tap, more) = open_port(
                    plan,
                    false,
                    &world,
                    &self.budget,
                    &self.progress,
                    &self.identity,
                );
                observers.extend(more);
                tap
            })
            .collect();
        link_dead_letters(&heirs, &taps);
        (taps, observers)
    }

    fn context(&self) -> Context<'_> {
        Context {
            world: &self.world,
            facts: &self.facts,
            invocations: &self.invocations,
            identity: &self.identity,
            budget: &self.budget,
            ledger: &self.ledger,
            scratch: &self.scratch,
        }
    }

    fn take_in(
        &mut self,
        piece: Vec<u8>,
        intake: &mut Intake,
        decoder: &mut Decoder,
        pipeline: &mut Pipeline,
    ) {
        add(&self.ledger.bytes_in, piece.len() as u64);
        let post = Post {
            charge: self.budget.charge_over(piece.capacity()),
            bytes: piece,
            arrived_ms: self.world.wall_ms(),
            form: Form::Lines,
        };
        let context = decode::Context {
            invocations: &mut self.invocations,
            identity: &self.identity,
            ledger: &self.ledger,
        };
        let decoded = decoder.decode(post, self.world.now(), context);
        for event in &decoded.events {
            self.facts.observe(event);
            if let PlatformEvent::LogsDropped { records } = event {
                add(&self.ledger.lost_by_platform, *records);
            }
        }
        for mut batch in decoded.batches {
            intake.apply(&mut batch);
            pipeline.process(batch, &self.context());
        }
        pipeline.observe(&decoded.observations, self.world.wall_ms());
        pipeline.expire(&self.context());
    }

    /// Back-pressure: goes on when every sink has nothing left. A sink that its destination denies would hold up the
    /// input for good: what waits for it is let go.
    async fn flush(&self) {
        self.ports
            .iter()
            .for_each(|port| port.set_goal(Goal::Flush));
        while self
            .ports
            .iter()
            .any(|port| !port.ended.get() && port.goal() != Goal::Rest && !is_denied(port))
        {
            self.progress.rung().await;
        }
        let denied = self.ports.iter().filter(|port| is_denied(port));
        denied.for_each(|port| port.let_go(DropReason::Denied));
    }

    async fn end(&self) {
        self.flush().await;
        let until = self.world.now() + LAST_REQUESTS;
        delivery::finish(&self.ports, until, &self.progress, &self.world).await;
    }

    fn report(&self, input_error: Option<std::io::Error>) -> u8 {
        let ports = || self.ports.iter().map(|port| &**port);
        write_line(self.ledger.line_of("on", ports()).as_bytes());
        let mut code = 0;
        if let Some(error) = input_error {
            code = failed(&format!("cannot read the input: {error}"));
        }
        if self.ledger.malformed.get() > 0 {
            code = failed(&format!(
                "{} elements of the input could not be read",
                self.ledger.malformed.get()
            ));
        }
        for port in ports() {
            let (name, counts) = (&port.name, &port.counts);
            let lost = counts.rejected.get() + counts.drops().values().sum::<u64>();
            if lost > 0 {
                let what = if port.observes {
                    "observations"
                } else {
                    "records"
                };
                code = failed(&format!("sink `{name}` did not take {lost} {what}"));
            }
            if let Err(broken) = self.ledger.check_port(port) {
                code = failed(&format!("the ledger does not add up: {broken}"));
            }
        }
        code
    }
}
