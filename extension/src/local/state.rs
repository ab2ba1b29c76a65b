//! The state machines of extensions and runtime, as functions on one value that the API and the life cycle share.

use std::collections::VecDeque;

use bytes::Bytes;

use super::clock::{self, Instant};

/// Extensions of a function, internal and external together.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>, read 2026-11-23.
pub const EXTENSIONS_MAX: usize = 10;

/// Largest buffered response, 6 MiB and 100 bytes.
pub const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// A refused call: status, `errorType`, `errorMessage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub kind: &'static str,
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Refusal {
            status,
            kind,
            message: message.into(),
        }
    }

    fn forbidden(kind: &'static str, message: impl Into<String>) -> Self {
        Refusal::new(403, kind, message)
    }
}

/// Where an extension is in its life; the names are those of the platform's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its process was started.
    Started,
    /// It registered.
    Registered,
    /// It waits in `next`.
    Ready,
    /// It handles an event.
    Running,
    /// It called `/init/error`.
    InitError,
    /// It called `/exit/error`.
    ExitError,
    /// It could not be started.
    LaunchError,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit code, where it ended by itself.
    pub code: Option<i32>,
    /// Signal, where one ended it.
    pub signal: Option<i32>,
}

impl Exit {
    /// In the words of the platform: `exit status 1`, `signal: killed`.
    pub fn words(self) -> String {
        match (self.code, self.signal) {
            (_, Some(9)) => "signal: killed".into(),
            (_, Some(signal)) => format!("signal: {signal}"),
            (code, None) => format!("exit status {}", code.unwrap_or(-1)),
        }
    }
}

/// One extension in one generation of the environment.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    pub name: String,
    pub external: bool,
    pub id: Option<String>,
    pub stage: Stage,
    pub invoke: bool,
    pub shutdown: bool,
    /// Events that were released and not fetched yet: an INVOKE, a SHUTDOWN behind it, no more.
    pub pending: VecDeque<Bytes>,
    pub registered_at: Option<Instant>,
    pub first_next_at: Option<Instant>,
    pub last_next_at: Option<Instant>,
    pub n_nexts: u32,
    pub error_type: Option<String>,
    pub exit: Option<Exit>,
}

impl Agent {
    pub(crate) fn external(name: String, stage: Stage) -> Self {
        Agent {
            name,
            external: true,
            id: None,
            stage,
            invoke: false,
            shutdown: false,
            pending: VecDeque::new(),
            registered_at: None,
            first_next_at: None,
            last_next_at: None,
            n_nexts: 0,
            error_type: None,
            exit: None,
        }
    }

    pub(crate) fn events(&self) -> Vec<&'static str> {
        let all = [(self.invoke, "INVOKE"), (self.shutdown, "SHUTDOWN")];
        all.iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| *word)
            .collect()
    }

    fn transition(&self, to: &str, by: &str) -> Refusal {
        let from = self.stage;
        Refusal::forbidden(
            "Extension.InvalidExtensionState",
            format!(
                "State transition from {from:?} to {to} failed for extension {by}. \
                 Error: State transition is not allowed"
            ),
        )
    }
}

/// What runs in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing runs: before init, and after a reset.
    Down,
    /// Extensions and runtime start.
    Init,
    /// Between init and shutdown.
    Up,
    /// Processes are told to end; an exit is no crash.
    Shutdown,
}

/// The runtime's stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuntimeStage {
    Started,
    Ready,
    Running,
    ResponseSent,
    InitError,
}

/// An invocation as the runtime gets it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    pub request_id: String,
    pub payload: Bytes,
    pub headers: Vec<(&'static str, String)>,
}

/// What the runtime posted for an invocation.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub result: Result<Bytes, FunctionError>,
    pub first_byte_at: Instant,
    pub last_byte_at: Instant,
}

/// An error that the function's code reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType`.
    pub kind: String,
    /// `errorMessage`.
    pub message: String,
}

/// The runtime of one generation.
#[derive(Debug, Clone)]
pub(crate) struct Runtime {
    pub stage: RuntimeStage,
    pub work: Option<Work>,
    pub answer: Option<Answer>,
    pub next_at: Option<Instant>,
    pub exit: Option<Exit>,
    /// Grows with every release, so that a blocked `next` knows that there is something new.
    pub releases: u32,
}

/// A fault that ends the environment: the first one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal {
    /// Such as `Extension.Crash`.
    pub kind: String,
    /// In words.
    pub message: String,
}

/// Everything that the three APIs act upon.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub phase: Phase,
    pub managed: bool,
    pub generation: u32,
    pub registration_open: bool,
    pub subscription_open: bool,
    pub refuse_next_at: Option<u32>,
    pub agents: Vec<Agent>,
    pub runtime: Runtime,
    pub fatal: Option<Fatal>,
}

impl State {
    pub(crate) fn new(managed: bool, refuse_next_at: Option<u32>) -> Self {
        State {
            phase: Phase::Down,
            managed,
            generation: 0,
            registration_open: false,
            subscription_open: false,
            refuse_next_at,
            agents: Vec::new(),
            runtime: Runtime::new(),
            fatal: None,
        }
    }

    /// Forgets the processes of the last generation.
    pub(crate) fn begin_init(&mut self) {
        self.phase = Phase::Init;
        self.generation += 1;
        self.registration_open = true;
        self.subscription_open = true;
        self.agents.clear();
        self.runtime = Runtime::new();
        self.fatal = None;
    }

    pub(crate) fn fail(&mut self, kind: &str, message: String) {
        if self.fatal.is_none() {
            self.fatal = Some(Fatal {
                kind: kind.into(),
                message,
            });
        }
    }

    fn agent_by_id(&mut self, id: Option<&str>) -> Result<&mut Agent, Refusal> {
        let Some(id) = id else {
            return Err(Refusal::forbidden(
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header",
            ));
        };
        if !clock::is_uuid(id) {
            return Err(Refusal::forbidden(
                "Extension.InvalidExtensionIdentifier",
                "Invalid Lambda-Extension-Identifier",
            ));
        }
        let found = self
            .agents
            .iter_mut()
            .find(|agent| agent.id.as_deref() == Some(id));
        found.ok_or_else(|| {
            Refusal::forbidden(
                "Extension.UnknownExtensionIdentifier",
                format!("Unknown extension {id}"),
            )
        })
    }

    /// The name behind an identifier.
    pub(crate) fn identify(&mut self, id: Option<&str>) -> Result<String, Refusal> {
        self.agent_by_id(id).map(|agent| agent.name.clone())
    }

    /// `register`: the fresh identifier.
    pub(crate) fn register(&mut self, name: &str, events: &[String]) -> Result<String, Refusal> {
        if name.is_empty() {
            return Err(Refusal::forbidden(
                "Extension.InvalidExtensionName",
                "Empty extension name",
            ));
        }
        let managed = self.managed;
        for event in events {
            let known = matches!(event.as_str(), "INVOKE" | "SHUTDOWN");
            if !known || (managed && event == "INVOKE") {
                return Err(Refusal::forbidden(
                    "Extension.InvalidEventType",
                    format!("{event}: ErrorInvalidEventType"),
                ));
            }
        }
        let found = self.agents.iter().position(|agent| agent.name == name);
        let index = match found {
            Some(index) if self.agents[index].external => {
                if self.agents[index].stage != Stage::Started {
                    return Err(self.agents[index].transition("Registered", name));
                }
                index
            }
            found => self.admit_internal(name, events, found.is_some())?,
        };
        let agent = &mut self.agents[index];
        let id = clock::uuid();
        agent.id = Some(id.clone());
        agent.stage = Stage::Registered;
        agent.registered_at = Some(clock::now());
        agent.invoke = events.iter().any(|event| event == "INVOKE");
        agent.shutdown = events.iter().any(|event| event == "SHUTDOWN");
        Ok(id)
    }

    fn admit_internal(
        &mut self,
        name: &str,
        events: &[String],
        taken: bool,
    ) -> Result<usize, Refusal> {
        if !self.registration_open {
            return Err(Refusal::forbidden(
                "Extension.RegistrationClosed",
                "Extension registration closed already",
            ));
        }
        if events.iter().any(|event| event == "SHUTDOWN") {
            return Err(Refusal::forbidden(
                "Extension.InvalidEventType",
                "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
            ));
        }
        if taken {
            return Err(Refusal::forbidden(
                "Extension.InvalidExtensionState",
                "Extension with this name already registered",
            ));
        }
        if self.agents.len() >= EXTENSIONS_MAX {
            return Err(Refusal::forbidden(
                "Extension.TooManyExtensions",
                format!("Extension limit ({EXTENSIONS_MAX}) reached"),
            ));
        }
        let agent = Agent {
            external: false,
            ..Agent::external(name.into(), Stage::Started)
        };
        self.agents.push(agent);
        Ok(self.agents.len() - 1)
    }

    /// `next`, its first half: the extension is done with what it had. The event is fetched by [`State::fetch`].
    pub(crate) fn ready(&mut self, id: Option<&str>) -> Result<(), Refusal> {
        let refuse_at = self.refuse_next_at;
        let agent = self.agent_by_id(id)?;
        let by = agent.id.clone().unwrap_or_default();
        agent.n_nexts += 1;
        if refuse_at == Some(agent.n_nexts)
            || !matches!(agent.stage, Stage::Registered | Stage::Running)
        {
            return Err(agent.transition("Ready", &by));
        }
        let now = clock::now();
        agent.stage = Stage::Ready;
        agent.first_next_at.get_or_insert(now);
        agent.last_next_at = Some(now);
        Ok(())
    }

    /// `next`, its second half: the event, once there is one.
    pub(crate) fn fetch(&mut self, id: Option<&str>) -> Result<Option<Bytes>, Refusal> {
        let agent = self.agent_by_id(id)?;
        let event = agent.pending.pop_front();
        if event.is_some() {
            agent.stage = Stage::Running;
        }
        Ok(event)
    }

    /// Hands an event to an extension. One that is busy gets it at its next `next`.
    pub(crate) fn release(&mut self, index: usize, event: Bytes) {
        let agent = &mut self.agents[index];
        agent.pending.push_back(event);
        if agent.stage == Stage::Ready {
            agent.stage = Stage::Running;
        }
    }

    /// `/init/error` and `/exit/error`: only recorded; the failure comes with the exit.
    pub(crate) fn report_error(
        &mut self,
        id: Option<&str>,
        to: Stage,
        error_type: Option<&str>,
    ) -> Result<(), Refusal> {
        let agent = self.agent_by_id(id).map_err(|refusal| {
            let unknown = refusal.kind == "Extension.UnknownExtensionIdentifier";
            let message = "Unknown Lambda-Extension-Identifier".to_owned();
            if unknown {
                Refusal { message, ..refusal }
            } else {
                refusal
            }
        })?;
        let Some(error_type) = error_type else {
            return Err(Refusal::forbidden(
                "Extension.MissingHeader",
                "Lambda-Extension-Function-Error-Type not found",
            ));
        };
        let allowed = match to {
            Stage::InitError => agent.stage == Stage::Registered,
            _ => matches!(
                agent.stage,
                Stage::Registered | Stage::Ready | Stage::Running
            ),
        };
        if agent.stage == to {
            return Ok(());
        }
        if !allowed {
            let by = agent.id.clone().unwrap_or_default();
            return Err(agent.transition(&format!("{to:?}"), &by));
        }
        agent.stage = to;
        agent.error_type = Some(error_type.to_owned());
        Ok(())
    }

    /// A process of `generation` ended: an extension where `name` is one, else the runtime.
    pub(crate) fn exited(&mut self, generation: u32, name: Option<&str>, exit: Exit) {
        if generation != self.generation {
            return;
        }
        let crash = self.phase != Phase::Shutdown;
        let Some(name) = name else {
            self.runtime.exit = Some(exit);
            if crash {
                let message = match exit.code {
                    Some(0) => "Runtime exited without providing a reason".to_owned(),
                    _ => format!("Runtime exited with error: {}", exit.words()),
                };
                self.fail("Runtime.ExitError", message);
            }
            return;
        };
        let Some(agent) = self
            .agents
            .iter_mut()
            .find(|agent| agent.external && agent.name == name)
        else {
            return;
        };
        agent.exit = Some(exit);
        let kind = match agent.stage {
            Stage::InitError => "Extension.InitError",
            Stage::ExitError => "Extension.ExitError",
            _ => "Extension.Crash",
        };
        if crash {
            agent.error_type.get_or_insert_with(|| kind.to_owned());
            let words = if exit.code == Some(0) {
                "exit code 0".to_owned()
            } else {
                exit.words()
            };
            self.fail(kind, format!("extension {name} ended: {words}"));
        }
    }

    /// Whether every started external extension registered.
    pub(crate) fn all_registered(&self) -> bool {
        self.agents
            .iter()
            .all(|agent| agent.stage != Stage::Started)
    }

    /// Whether every registered extension waits in `next`.
    pub(crate) fn all_ready(&self) -> bool {
        self.agents.iter().all(|agent| agent.stage == Stage::Ready)
    }

    /// Whether every extension that gets INVOKE waits in `next`.
    pub(crate) fn all_done(&self) -> bool {
        self.agents
            .iter()
            .filter(|agent| agent.invoke)
            .all(|agent| agent.stage == Stage::Ready)
    }

    /// Whether no external process runs.
    pub(crate) fn all_exited(&self) -> bool {
        self.agents
            .iter()
            .filter(|agent| agent.external && agent.stage != Stage::LaunchError)
            .all(|agent| agent.exit.is_some())
    }
}

impl Runtime {
    fn new() -> Self {
        Runtime {
            stage: RuntimeStage::Started,
            work: None,
            answer: None,
            next_at: None,
            exit: None,
            releases: 0,
        }
    }

    fn stage_word(&self) -> &'static str {
        match self.stage {
            RuntimeStage::Started => "Started",
            RuntimeStage::Ready => "Ready",
            RuntimeStage::Running => "Running",
            RuntimeStage::ResponseSent => "RuntimeResponseSentState",
            RuntimeStage::InitError => "InitError",
        }
    }

    fn transition(&self, to: &str) -> Refusal {
        let from = self.stage_word();
        Refusal::new(
            403,
            "InvalidStateTransition",
            format!(
                "State transition from {from} to {to} failed for runtime. \
                 Error: State transition is not allowed"
            ),
        )
    }

    /// `next`, its first half. A call while an invocation runs gives the same one again.
    pub(crate) fn ready(&mut self) -> Result<(), Refusal> {
        match self.stage {
            RuntimeStage::InitError => return Err(self.transition("Ready")),
            RuntimeStage::Running => return Ok(()),
            RuntimeStage::Started | RuntimeStage::ResponseSent | RuntimeStage::Ready => {}
        }
        self.stage = RuntimeStage::Ready;
        self.next_at = Some(clock::now());
        Ok(())
    }

    pub(crate) fn release(&mut self, work: Work) {
        self.stage = RuntimeStage::Running;
        self.work = Some(work);
        self.answer = None;
        self.releases += 1;
    }

    pub(crate) fn answer(&mut self, id: &str, answer: Answer) -> Result<(), Refusal> {
        let to = match answer.result {
            Ok(_) => "InvocationResponse",
            Err(_) => "InvocationErrorResponse",
        };
        if self.work.as_ref().is_none_or(|work| work.request_id != id) {
            return Err(Refusal::new(400, "InvalidRequestID", "Invalid request ID"));
        }
        if self.stage != RuntimeStage::Running {
            return Err(self.transition(to));
        }
        self.stage = RuntimeStage::ResponseSent;
        self.answer = Some(answer);
        Ok(())
    }

    pub(crate) fn init_error(&mut self) -> Result<(), Refusal> {
        if self.stage != RuntimeStage::Started {
            return Err(self.transition("InitError"));
        }
        self.stage = RuntimeStage::InitError;
        Ok(())
    }

    /// Whether the invocation that was released is over.
    pub(crate) fn done(&self) -> bool {
        self.stage == RuntimeStage::Ready && self.answer.is_some()
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
