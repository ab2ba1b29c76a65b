//! Init: extensions first, then the runtime, and the gate that both must pass.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::time::timeout_at;

use super::clock::{self, Instant};
use super::element::{Audience, DurationOnly, ExtensionReport, InitEnd, InitStart, json, ms};
use super::process::Process;
use super::script::{Stamp, steps};
use super::settings::{Function, InitType, Reason};
use super::state::{Agent, EXTENSIONS_MAX, Fatal, Phase, RuntimeStage, Stage};
use super::{Lambda, Status};

/// How an init went.
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// `success`, `error` or `timeout`.
    pub status: Status,
    /// What went wrong.
    pub fatal: Option<Fatal>,
    /// `init`, or `invoke` for the suppressed init after a reset.
    pub phase: &'static str,
    /// From the first process to the last `next`.
    pub duration: Duration,
    /// Every extension, internal ones as well.
    pub extensions: Vec<ExtensionStart>,
}

/// How an extension started. Times count from its exec; for an internal one from the start of init.
#[derive(Debug, Clone)]
pub struct ExtensionStart {
    /// As registered.
    pub name: String,
    /// Where it got.
    pub stage: Stage,
    /// `errorType` of its `platform.extension`.
    pub error_type: Option<String>,
    /// Time until it had registered.
    pub registered_after: Option<Duration>,
    /// Time until its first `next`.
    pub ready_after: Option<Duration>,
}

impl Lambda {
    /// The init phase. Afterwards the environment is frozen, or gone if init failed; the next invocation then tries again.
    pub async fn init(&mut self) -> InitOutcome {
        let limit = self.shared.settings.init_time();
        let outcome = self.initialise("init", clock::now() + limit).await;
        if outcome.status == Status::Success {
            // The report of an invocation after provisioned concurrency tells nothing of an init long ago.
            let on_demand = self.shared.settings.init_type == InitType::OnDemand;
            self.cold_start = on_demand.then_some(outcome.duration);
            self.freeze();
        }
        outcome
    }

    pub(crate) async fn initialise(
        &mut self,
        phase: &'static str,
        deadline: Instant,
    ) -> InitOutcome {
        self.thaw();
        let started = clock::now();
        self.shared.relay.send_modify(|relay| relay.begin_init());
        self.shared.state.send_modify(|state| state.begin_init());
        self.announce_start(phase);
        // Whether the end of the runtime's init is still to be told.
        let mut done_is_due = false;
        let reached = timeout_at(deadline, self.start_all(phase, &mut done_is_due)).await;
        let (status, fatal) = match reached {
            Ok(Ok(())) => (Status::Success, None),
            Ok(Err(fatal)) => (Status::of(&fatal), Some(fatal)),
            Err(_) => (Status::Timeout, None),
        };
        let duration = started.elapsed();
        if done_is_due {
            self.announce_end("initRuntimeDone", phase, status, fatal.as_ref(), None);
        }
        let agents = self.shared.state.borrow().agents.clone();
        for agent in &agents {
            self.announce_extension(agent);
        }
        self.announce_end("initReport", phase, status, fatal.as_ref(), Some(duration));
        let extensions = agents
            .iter()
            .map(|agent| self.extension_start(agent, started))
            .collect();
        match status {
            Status::Success => self
                .shared
                .state
                .send_modify(|state| state.phase = Phase::Up),
            Status::Timeout => drop(self.take_down(Reason::Timeout).await),
            _ => drop(self.take_down(Reason::Failure).await),
        }
        InitOutcome {
            status,
            fatal,
            phase,
            duration,
            extensions,
        }
    }

    async fn start_all(
        &mut self,
        phase: &'static str,
        done_is_due: &mut bool,
    ) -> Result<(), Fatal> {
        self.start_extensions()?;
        let shared = self.shared.clone();
        shared
            .until(|state| state.fatal.is_some() || state.all_registered())
            .await;
        self.check()?;
        *done_is_due = true;
        match &shared.settings.function {
            Function::Scripted(code) => {
                steps(&shared, "", Stamp::Raw, code).await;
                shared
                    .state
                    .send_modify(|state| state.runtime.stage = RuntimeStage::Ready);
            }
            Function::Command(words) => {
                let generation = shared.state.borrow().generation;
                let process = Process::runtime(&shared, words, generation).map_err(|e| Fatal {
                    kind: "Runtime.InvalidEntrypoint".into(),
                    message: format!("cannot start the command {words:?}: {e}"),
                })?;
                self.processes.push(process);
            }
        }
        let ready = RuntimeStage::Ready;
        shared
            .until(|state| state.fatal.is_some() || state.runtime.stage == ready)
            .await;
        self.check()?;
        shared
            .state
            .send_modify(|state| state.registration_open = false);
        if shared.settings.managed() {
            // There it does not wait for the extensions.
            self.announce_end("initRuntimeDone", phase, Status::Success, None, None);
            *done_is_due = false;
        }
        shared
            .until(|state| state.fatal.is_some() || state.all_ready())
            .await;
        self.check()?;
        shared
            .state
            .send_modify(|state| state.subscription_open = false);
        Ok(())
    }

    fn check(&self) -> Result<(), Fatal> {
        self.shared.state.borrow().fatal.clone().map_or(Ok(()), Err)
    }

    fn start_extensions(&mut self) -> Result<(), Fatal> {
        let mut extensions = self.shared.settings.extensions.clone();
        extensions.sort_by_key(|extension| extension.name());
        let generation = self.shared.state.borrow().generation;
        for (index, extension) in extensions.iter().enumerate() {
            let name = extension.name();
            // The agent is there before its process can call.
            let agent = Agent::external(name.clone(), Stage::Started);
            self.shared
                .state
                .send_modify(|state| state.agents.push(agent));
            let started = if index >= EXTENSIONS_MAX {
                Err("TooManyExtensions")
            } else {
                Process::extension(&self.shared, extension, generation).map_err(|e| {
                    let denied = e.kind() == ErrorKind::PermissionDenied;
                    let unknown = if self.shared.settings.managed() {
                        "Unknown"
                    } else {
                        "UnknownError"
                    };
                    if denied { "PermissionDenied" } else { unknown }
                })
            };
            match started {
                Ok(process) => self.processes.push(process),
                Err(kind) => {
                    self.shared.state.send_modify(|state| {
                        state.agents[index].stage = Stage::LaunchError;
                        state.agents[index].error_type = Some(kind.to_owned());
                        let message = format!("cannot start extension {name}: {kind}");
                        state.fail("Extension.LaunchError", message);
                    });
                    return self.check();
                }
            }
        }
        Ok(())
    }

    fn extension_start(&self, agent: &Agent, started: Instant) -> ExtensionStart {
        let of = |process: &&Process| process.extension && process.name == agent.name;
        let process = self.processes.iter().find(of);
        let from = process.map_or(started, |process| process.started_at);
        let since = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(from));
        ExtensionStart {
            name: agent.name.clone(),
            stage: agent.stage,
            error_type: agent.error_type.clone(),
            registered_after: since(agent.registered_at),
            ready_after: since(agent.first_next_at),
        }
    }

    fn announce_start(&self, phase: &str) {
        let settings = &self.shared.settings;
        let version = &settings.runtime_version;
        let arn = format!(
            "arn:aws:lambda:{}::runtime:{}",
            settings.region,
            "0f7c".repeat(16)
        );
        let record = InitStart {
            initialization_type: settings.init_type.word(),
            phase,
            runtime_version: version,
            runtime_version_arn: if version.is_empty() { "" } else { &arn },
            function_name: &settings.function_name,
            function_version: &settings.function_version,
            instance_id: &self.shared.instance,
            instance_max_memory: u64::from(settings.memory_mb) * 1024 * 1024,
        };
        self.shared
            .platform("initStart", json(&record), Audience::Telemetry);
    }

    fn announce_end(
        &self,
        kind: &str,
        phase: &str,
        status: Status,
        fatal: Option<&Fatal>,
        duration: Option<Duration>,
    ) {
        let record = InitEnd {
            initialization_type: self.shared.settings.init_type.word(),
            phase,
            status: status.word(),
            error_type: fatal.map(|fatal| fatal.kind.as_str()),
            metrics: duration.map(|duration| DurationOnly {
                duration_ms: ms(duration),
            }),
        };
        self.shared
            .platform(kind, json(&record), Audience::Telemetry);
    }

    fn announce_extension(&self, agent: &Agent) {
        let state = format!("{:?}", agent.stage);
        let record = ExtensionReport {
            name: &agent.name,
            state: &state,
            events: &agent.events(),
            error_type: agent.error_type.as_deref(),
        };
        self.shared
            .platform("extension", json(&record), Audience::Everyone);
    }
}
