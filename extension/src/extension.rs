//! The extension's whole life in Lambda: register, set up, run, drain, end.

use std::cell::RefCell;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use tapline_core::batch::Instance;
use tapline_core::bell::Bell;
use tapline_core::budget::Budget;
use tapline_core::config::{LateSecrets, Scope, Severity};
use tapline_core::delivery;
use tapline_core::facts::Facts;
use tapline_core::invocation::Invocations;
use tapline_core::ledger::Ledger;
use tapline_core::level::Level;
use tapline_core::pipeline::{Pipeline, Tap};
use tapline_core::port::{DeliverySettings, Identity, Port};
use tapline_core::room::Room;
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Sink, Verdict};
use tapline_core::view::Scratch;
use tapline_core::world::{Boxed, World};
use tokio::task::LocalSet;

use crate::address::{self, Address};
use crate::api::Client;
use crate::decode::Decoder;
use crate::engine::{Engine, Secrets};
use crate::extensions_api::{ExtensionsApi, NextEvent};
use crate::intake::Intake;
use crate::lifecycle::{Conditions, Lifecycle};
use crate::logs_api;
use crate::next::{self, Next};
use crate::receiver::Receiver;
use crate::settings::{self, Kinds, Load, Place, Settings, SinkPlan};
use crate::subscription::{self, Streams, Subscribed};
use crate::world::{RealWorld, write_line};

/// How long the platform gathers records before it delivers them, in milliseconds: the least it allows, because the
/// end of an invocation is waited for.
const GATHER_MS: u32 = 25;
/// The same on Managed Instances, where nothing is waited for.
const GATHER_MANAGED_MS: u32 = 1_000;

/// Host names that may be resolved at once. A lookup that hangs holds its thread for up to 30 s, whoever has given it up;
/// other sinks must not wait for that.
const RESOLVERS_MAX: usize = 16;

/// Turns of the runtime until the first request is on its way: connect, shake hands, write.
const TURNS_TO_SEND: usize = 4;

/// What `TAPLINE_MODE` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    On,
    Shadow,
    Off,
}

impl Mode {
    fn read(world: &dyn World) -> Mode {
        match world.variable("TAPLINE_MODE").as_deref() {
            None | Some("on") => Mode::On,
            Some("shadow") => Mode::Shadow,
            Some("off") => Mode::Off,
            Some(_) => {
                world.log(
                    Level::Error,
                    "`TAPLINE_MODE` is neither `on`, `shadow` nor `off`; nothing is exported",
                );
                Mode::Off
            }
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Mode::On => "on",
            Mode::Shadow => "shadow",
            Mode::Off => "off",
        }
    }
}

/// Runs the extension. `path` is how the platform started it: its file name is the name to register.
pub fn main(kinds: Kinds, endpoint: &str, path: &str) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(RESOLVERS_MAX)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            write_line(
                format!("{{\"tapline\":\"error\",\"message\":\"no runtime: {error}\"}}").as_bytes(),
            );
            return ExitCode::FAILURE;
        }
    };
    let name = Path::new(path).file_name().map_or_else(
        || "tapline".into(),
        |name| name.to_string_lossy().into_owned(),
    );
    let code = LocalSet::new().block_on(&runtime, life(kinds, endpoint, &name));
    // A name that is still being resolved must not delay the end.
    runtime.shutdown_background();
    code
}

async fn life(kinds: Kinds, endpoint: &str, name: &str) -> ExitCode {
    let world = RealWorld::new();
    let managed = world.variable("AWS_LAMBDA_INITIALIZATION_TYPE").as_deref()
        == Some("lambda-managed-instances");
    let events: &'static [&'static str] = if managed {
        &["SHUTDOWN"]
    } else {
        &["INVOKE", "SHUTDOWN"]
    };
    let mode = Mode::read(&world);
    let client = Client::new(endpoint, world.clone());
    let own_name = name.to_owned();
    let registering = tokio::task::spawn_local(async move {
        ExtensionsApi::register(client, &own_name, events).await
    });
    // The request goes out first: what needs no answer is done while the platform gives one.
    for _ in 0..TURNS_TO_SEND {
        tokio::task::yield_now().await;
    }
    let instance = world.fresh_hex();
    let mut facts = read_facts(&world, instance);
    let settings = match mode {
        Mode::Off => Err(String::new()),
        Mode::On | Mode::Shadow => read_settings(&kinds, &world, &mut facts),
    };
    let address = match &settings {
        Ok(_) => Some(address::bind(&world, endpoint, name).await),
        Err(_) => None,
    };
    let (mut api, registration) = match registering.await {
        Ok(Ok(registered)) => registered,
        Ok(Err(error)) => {
            // Without a registration there is no way to answer the platform; staying would hang the environment.
            world.log(Level::Error, &error.to_string());
            return ExitCode::FAILURE;
        }
        // Only a bug ends the task without an answer; its place was said.
        Err(_) => return ExitCode::FAILURE,
    };
    if mode == Mode::Off {
        return answer_only(api, &world).await;
    }
    facts.learn_registration(
        registration.function_name,
        registration.function_version,
        registration.account_id,
    );
    let settings = match settings {
        Ok(settings) => settings,
        Err(message) => {
            world.log(Level::Error, &format!("nothing is exported: {message}"));
            if is_strict(&world) {
                report_and_end(&mut api, &world, &message).await;
                return ExitCode::FAILURE;
            }
            return answer_only(api, &world).await;
        }
    };
    let address = match address {
        Some(Ok(address)) => address,
        Some(Err(error)) => {
            world.log(
                Level::Error,
                &format!("nothing is exported: no port can be bound: {error}"),
            );
            return answer_only(api, &world).await;
        }
        None => return answer_only(api, &world).await,
    };
    let setup = Setup {
        world: world.clone(),
        api,
        address,
        settings,
        facts,
        instance,
        mode,
        managed,
    };
    setup.run().await
}

async fn report_and_end(api: &mut ExtensionsApi, world: &RealWorld, message: &str) {
    if let Err(error) = api.init_error("Extension.ConfigInvalid", message).await {
        world.log(Level::Error, &error.to_string());
    }
}

/// Parked: answers the platform and does nothing else, so that the function runs on.
async fn answer_only(mut api: ExtensionsApi, world: &RealWorld) -> ExitCode {
    loop {
        world.park();
        if let NextEvent::Shutdown { .. } = next::poll(&mut api, world).await {
            return ExitCode::SUCCESS;
        }
        world.unpark();
    }
}

/// What the environment says of the function.
pub(crate) fn read_facts(world: &RealWorld, instance: Instance) -> Facts {
    let variable = |name: &str| world.variable(name).unwrap_or_default();
    let memory_mb = variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        .parse::<u64>()
        .ok();
    Facts {
        function_name: variable("AWS_LAMBDA_FUNCTION_NAME"),
        function_version: variable("AWS_LAMBDA_FUNCTION_VERSION"),
        function_memory: memory_mb.map(|mb| mb << 20),
        region: world
            .variable("AWS_REGION")
            .unwrap_or_else(|| variable("AWS_DEFAULT_REGION")),
        init_type: variable("AWS_LAMBDA_INITIALIZATION_TYPE"),
        instance: String::from_utf8_lossy(&instance).into_owned(),
        ..Facts::default()
    }
}

fn is_strict(world: &dyn World) -> bool {
    world
        .variable("TAPLINE_STRICT")
        .is_some_and(|strict| strict != "0")
}

/// The settings, or why there are none: one text with every problem.
fn read_settings(kinds: &Kinds, world: &RealWorld, facts: &mut Facts) -> Result<Settings, String> {
    let variable = |name: &str| world.variable(name);
    let (file, bytes) = settings::find(&variable)?;
    let strict = is_strict(world);
    match settings::load(&file, &bytes, kinds, facts, &variable, Place::Lambda) {
        Load::Parked(diagnostics) => Err(diagnostics.render()),
        Load::Runs(mut settings) => {
            if strict {
                settings.diagnostics.strict();
                if settings.diagnostics.has_errors() {
                    return Err(settings.diagnostics.render());
                }
            }
            for diagnostic in settings.diagnostics.iter() {
                let level = match diagnostic.severity {
                    Severity::Error => Level::Error,
                    Severity::Warning => Level::Warn,
                };
                let disabled = match (&diagnostic.scope, level) {
                    (Scope::Sink(name), Level::Error) => format!("sink `{name}` is disabled: "),
                    _ => String::new(),
                };
                world.log(level, &format!("{disabled}{}", diagnostic.line()));
            }
            Ok(settings)
        }
    }
}

struct Setup {
    world: RealWorld,
    api: ExtensionsApi,
    address: Address,
    settings: Settings,
    facts: Facts,
    instance: Instance,
    mode: Mode,
    managed: bool,
}

impl Setup {
    async fn run(mut self) -> ExitCode {
        let budget = Budget::new(self.settings.memory);
        let progress = Rc::new(Bell::default());
        let identity = Rc::new(Identity::new(self.instance));
        identity.learn(&self.facts);
        let (taps, observers) = self.open_ports(&budget, &progress, &identity);
        let stages = std::mem::take(&mut self.settings.stages);
        let pipeline = Pipeline::new(stages, taps).with_observers(observers);
        let awaited = Secrets::of(&pipeline);
        let wanted = match self.mode {
            Mode::Shadow => self.settings.secrets.only(&pipeline.awaited()),
            Mode::On | Mode::Off => std::mem::take(&mut self.settings.secrets),
        };
        let ports: Vec<Rc<Port>> = pipeline.ports().cloned().collect();
        let pipeline = Rc::new(RefCell::new(pipeline));
        let ledger = Rc::new(Ledger::default());
        let room = Room::new(budget.clone(), pipeline.clone());
        let receiver = Rc::new(Receiver::new(
            &self.address.token,
            self.managed,
            ledger.clone(),
            room,
            self.world.clone(),
        ));
        let uri = self.address.uri();
        tokio::task::spawn_local(receiver.clone().serve(self.address.listener));
        let identifier = self.api.identifier().to_owned();
        let request = subscription::Request {
            identifier: &identifier,
            uri: &uri,
            streams: Streams {
                function: self.settings.receiver.function,
                extension: self.settings.receiver.extension,
            },
            timeout_ms: if self.managed {
                GATHER_MANAGED_MS
            } else {
                GATHER_MS
            },
        };
        let prefer = self.settings.receiver.api;
        let subscribed = subscription::subscribe(
            self.api.client(),
            &request,
            prefer,
            self.managed,
            &self.world,
        )
        .await;
        let next = Rc::new(Next::default());
        tokio::task::spawn_local(next.clone().run(self.api, self.world.clone()));
        let init_type = self.facts.init_type.clone();
        let early_init = matches!(init_type.as_str(), "provisioned-concurrency" | "snap-start");
        let records_come = matches!(subscribed, Subscribed::Yes { .. });
        let world: Rc<dyn World> = Rc::new(self.world.clone());
        let begin = match early_init && records_come {
            true => None,
            false => Some(next.clone()),
        };
        let fetching = fetch_secrets(wanted, world, begin, identity.clone(), budget);
        tokio::task::spawn_local(fetching);
        let engine = Engine {
            receiver,
            next,
            decoder: Decoder::new(self.world.random()),
            intake: Intake::new(&self.settings.receiver, identity.clone()),
            pipeline,
            ports,
            progress,
            ledger,
            invocations: Invocations::new(
                self.managed,
                init_type.is_empty() || init_type == "on-demand",
            ),
            identity,
            scratch: Scratch::default(),
            lifecycle: Lifecycle::new(Conditions {
                flush: self.settings.flush,
                subscribed: records_come,
                signal: matches!(subscribed, Subscribed::Yes { schema } if schema != logs_api::SILENT_SCHEMA),
                managed: self.managed,
                early_init,
            }),
            strategy: self.settings.flush.strategy,
            report_outstanding: None,
            secrets: awaited,
            facts: self.facts,
            world: self.world,
        };
        let engine = engine.run().await;
        print_ledger(&engine, self.mode);
        ExitCode::SUCCESS
    }

    /// Starts the task of each sink and gives the taps of the pipeline, and the ports for observations.
    fn open_ports(
        &mut self,
        budget: &Budget,
        progress: &Rc<Bell>,
        identity: &Rc<Identity>,
    ) -> (Vec<Tap>, Vec<Rc<Port>>) {
        let world: Rc<dyn World> = Rc::new(self.world.clone());
        let shadow = self.mode == Mode::Shadow;
        let plans = std::mem::take(&mut self.settings.sinks);
        let heirs: Vec<_> = plans.iter().map(|plan| plan.dead_letter).collect();
        let mut observers = Vec::new();
        let taps: Vec<Tap> = plans
            .into_iter()
            .map(|plan| {
                let (tap, more) = open_port(plan, shadow, &world, budget, progress, identity);
                observers.extend(more);
                tap
            })
            .collect();
        link_dead_letters(&heirs, &taps);
        (taps, observers)
    }
}

/// Tells each sink which one takes over what it cannot deliver.
pub(crate) fn link_dead_letters(heirs: &[Option<usize>], taps: &[Tap]) {
    for (tap, heir) in taps.iter().zip(heirs) {
        if let Some(heir) = heir.and_then(|heir| taps.get(heir)) {
            tap.port.set_dead_letter(heir.port.clone());
        }
    }
}

/// Fetches the secrets that the file names beside the runtime's own start, once the poll for the first event is on its
/// way; at once where there is no such poll to wait for, because the records of init go first.
async fn fetch_secrets(
    secrets: LateSecrets,
    world: Rc<dyn World>,
    begin: Option<Rc<Next>>,
    identity: Rc<Identity>,
    budget: Budget,
) {
    if secrets.is_empty() {
        return;
    }
    if let Some(next) = begin {
        next.begun().await;
    }
    for _ in 0..TURNS_TO_SEND {
        tokio::task::yield_now().await;
    }
    tapline_sinks::fetch_secrets(secrets, world, identity, budget).await;
}

/// What may wait for a sink that takes observations, in bytes: some 250 invocations.
const OBSERVATIONS_BYTES_MAX: usize = 128 << 10;

/// Starts the task of one sink, and of those that take observations for it. Gives its tap and their ports.
pub(crate) fn open_port(
    mut plan: SinkPlan,
    shadow: bool,
    world: &Rc<dyn World>,
    budget: &Budget,
    progress: &Rc<Bell>,
    identity: &Rc<Identity>,
) -> (Tap, Vec<Rc<Port>>) {
    let port = |name: &str, settings: DeliverySettings, disabled| {
        let (progress, identity) = (progress.clone(), identity.clone());
        Port::new(name, settings, disabled, progress, identity, budget.clone())
    };
    let start = |port: &Rc<Port>, sink: Box<dyn Sink>| {
        let sink: Box<dyn Sink> = if shadow { Box::new(Shadow) } else { sink };
        tokio::task::spawn_local(delivery::run(port.clone(), sink, world.clone()));
    };
    let companions = plan.sink.as_mut().map(|sink| sink.companions());
    let settings = DeliverySettings {
        queue_bytes_max: plan.delivery.queue_bytes_max.min(OBSERVATIONS_BYTES_MAX),
        ..plan.delivery.clone()
    };
    let own = Rc::new(port(&plan.name, plan.delivery, plan.sink.is_none()));
    let mut observers = Vec::new();
    for (name, sink) in companions.unwrap_or_default() {
        let name = format!("{}/{name}", plan.name);
        let observer = Rc::new(port(&name, settings.clone(), false).of_observations(&own));
        start(&observer, sink);
        observers.push(observer);
    }
    if let Some(sink) = plan.sink {
        start(&own, sink);
    }
    let tap = Tap {
        port: own,
        after: plan.after,
        when: plan.when,
    };
    (tap, observers)
}

fn print_ledger(engine: &Engine, mode: Mode) {
    for port in &engine.ports {
        if let Err(broken) = engine.ledger.check_port(port) {
            debug_assert!(false, "{broken}");
            engine.world.log(
                Level::Error,
                &format!("the ledger does not add up: {broken}"),
            );
        }
    }
    let ports = engine.ports.iter().map(|port| &**port);
    write_line(engine.ledger.line_of(mode.as_str(), ports).as_bytes());
}

/// Takes every record and sends none: `TAPLINE_MODE=shadow`.
struct Shadow;

impl Sink for Shadow {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 10_000,
            bytes_max: 1 << 20,
        }
    }

    fn deliver<'a>(&'a mut self, _: &'a Selection, _: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(std::future::ready(Outcome::from(Verdict::Accepted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tapline_core::test_util::VirtualWorld;

    /// Init ends with the first `next`: nothing is fetched before it, whatever the service would answer.
    #[test]
    fn no_secret_is_fetched_before_the_first_next() {
        let mut secrets = LateSecrets::default();
        let late = secrets.add(concat!(
            "arn:aws:ssm:eu-west-1:1234567890",
            "12:parameter/a"
        ));
        let (next, world) = (Rc::new(Next::default()), VirtualWorld::new(1));
        let identity = Rc::new(Identity::new([b'0'; 32]));
        let budget = Budget::new(1 << 20);
        let task = fetch_secrets(
            secrets,
            Rc::new(world.clone()),
            Some(next.clone()),
            identity,
            budget,
        );
        // There are no credentials in this world, so that the first look settles it.
        let script = async {
            world.sleep(std::time::Duration::from_secs(9)).await;
            assert!(late.is_wanted() && world.logged().is_empty());
            next.ask();
            world.sleep(std::time::Duration::from_secs(9)).await;
            assert!(!late.is_wanted());
            assert_eq!(world.logged().len(), 1, "{:?}", world.logged());
        };
        world.run(script, vec![Box::pin(task)]);
    }
}
