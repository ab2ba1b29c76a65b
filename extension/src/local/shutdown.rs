//! The end of an environment: runtime first, then extensions, then SIGKILL; the same at spindown and at a reset.

use std::time::Duration;

use tokio::time::{timeout, timeout_at};

use super::Lambda;
use super::clock::{self, Instant};
use super::process::ProcessEnd;
use super::relay::Relay;
use super::settings::Reason;
use super::state::Phase;

/// Time for the runtime where it has an internal extension.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>, read 2026-11-23.
const INTERNAL_BUDGET: Duration = Duration::from_millis(500);

/// Managed Instances: the runtime's time, and that for the telemetry which is left.
const MANAGED_RUNTIME: Duration = Duration::from_millis(600);
const MANAGED_FLUSH: Duration = Duration::from_secs(1);

/// How an environment ended.
#[derive(Debug, Clone)]
pub struct ShutdownOutcome {
    /// As told to the extensions.
    pub reason: Reason,
    /// From the beginning of the shutdown to the last exit.
    pub duration: Duration,
    /// Whether nothing that was told to end had to be killed.
    pub within_budget: bool,
    /// What ended here.
    pub processes: Vec<ProcessEnd>,
}

impl Lambda {
    /// Ends the environment. A later invocation would start a new generation.
    pub async fn shutdown(&mut self, reason: Reason) -> ShutdownOutcome {
        self.take_down(reason).await
    }

    pub(crate) async fn take_down(&mut self, reason: Reason) -> ShutdownOutcome {
        let started = clock::now();
        // SHUTDOWN first: an extension that ends as soon as it is thawed does not crash.
        self.shared
            .state
            .send_modify(|state| state.phase = Phase::Shutdown);
        self.thaw();
        self.shared.relay.send_modify(|relay| relay.draining = true);
        let (any, external) = {
            let state = self.shared.state.borrow();
            (
                !state.agents.is_empty(),
                state.agents.iter().any(|agent| agent.external),
            )
        };
        let budget = match (any, external) {
            (false, _) => Duration::ZERO,
            (true, false) => INTERNAL_BUDGET,
            (true, true) => self.shared.settings.faults.shutdown_budget,
        };
        let deadline = started + budget;
        self.end_runtime(started, budget).await;
        if self.shared.settings.managed() {
            let mut changes = self.shared.relay.subscribe();
            // What cannot be delivered in that time is lost.
            timeout(MANAGED_FLUSH, changes.wait_for(Relay::idle))
                .await
                .ok();
        }
        self.end_extensions(reason, deadline).await;
        let duration = started.elapsed();
        let mut processes = Vec::new();
        for mut process in self.processes.drain(..) {
            process.kill();
            processes.push(process.finish().await);
        }
        self.ended.extend(processes.iter().cloned());
        self.shared
            .state
            .send_modify(|state| state.phase = Phase::Down);
        let within_budget = processes.iter().all(|process| !process.killed);
        ShutdownOutcome {
            reason,
            duration,
            within_budget,
            processes,
        }
    }

    /// SIGTERM where any extension is registered, SIGKILL when its share of the time is over; otherwise SIGKILL at once.
    async fn end_runtime(&mut self, started: Instant, budget: Duration) {
        let internal = {
            let state = self.shared.state.borrow();
            state.agents.iter().any(|agent| !agent.external)
        };
        let managed = self.shared.settings.managed();
        let share = match (managed, internal) {
            (true, _) => MANAGED_RUNTIME,
            (false, true) => INTERNAL_BUDGET,
            (false, false) => budget.mul_f64(0.3),
        };
        let Some(runtime) = self.processes.iter_mut().find(|process| !process.extension) else {
            return;
        };
        runtime.expendable = true;
        if budget.is_zero() {
            runtime.kill();
            return;
        }
        runtime.sample();
        runtime.terminate();
        let until = started + share.min(budget);
        if timeout_at(until, runtime.exited()).await.is_err() {
            runtime.kill();
        }
    }

    async fn end_extensions(&mut self, reason: Reason, deadline: Instant) {
        let left = deadline.saturating_duration_since(clock::now());
        let event = format!(
            r#"{{"eventType":"SHUTDOWN","deadlineMs":{},"shutdownReason":"{}"}}"#,
            clock::epoch_ms(left),
            reason.word()
        );
        let withheld = self.shared.settings.faults.withhold_shutdown;
        let agents = self.shared.state.borrow().agents.clone();
        for (index, agent) in agents
            .iter()
            .enumerate()
            .filter(|(_, agent)| agent.external)
        {
            let of = |process: &&mut super::process::Process| {
                process.extension && process.name == agent.name
            };
            let Some(process) = self.processes.iter_mut().find(of) else {
                continue;
            };
            process.sample();
            if !agent.shutdown {
                process.expendable = true;
                process.kill();
            } else if !withheld {
                let event = event.clone().into();
                self.shared
                    .state
                    .send_modify(|state| state.release(index, event));
            }
        }
        // Who is late is killed by the caller.
        timeout_at(deadline, self.shared.until(|state| state.all_exited()))
            .await
            .ok();
    }
}
