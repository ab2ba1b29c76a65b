//! An invocation: released, answered, held by the extensions, reported; or reset in the middle.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::clock::{self, Instant};
use super::element::{
    Audience, Element, End as EndRecord, LogsEnd, Metrics, Record, Span, Start, Tracing, json, ms,
    quoted,
};
use super::init::InitOutcome;
use super::script::{Played, Script, play};
use super::settings::{Function, Reason, Schema};
use super::shutdown::ShutdownOutcome;
use super::state::{Answer, Exit, Fatal, FunctionError, Phase, RuntimeStage, Work};
use super::{Lambda, Status};

/// One invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The event, in JSON.
    pub payload: String,
    /// What a scripted function does; a real one does what it does.
    pub script: Script,
}

impl Invocation {
    /// For a scripted function.
    pub fn script(script: Script) -> Self {
        Invocation {
            payload: "{}".into(),
            script,
        }
    }

    /// For a real runtime.
    pub fn payload(payload: impl Into<String>) -> Self {
        Invocation {
            payload: payload.into(),
            script: Script::default(),
        }
    }
}

/// How an invocation went.
#[derive(Debug, Clone)]
pub struct InvokeOutcome {
    /// Its request id.
    pub request_id: String,
    /// In the platform's words: `success` also where the handler threw.
    pub status: Status,
    /// What ended the environment.
    pub fatal: Option<Fatal>,
    /// What the handler threw.
    pub function_error: Option<FunctionError>,
    /// The response.
    pub response: Option<Bytes>,
    /// From the release of the runtime until it was done, or until the reset.
    pub duration: Duration,
    /// The whole invocation as billed, without init.
    pub total: Duration,
    /// How long each extension with INVOKE kept the environment after the runtime was done; none after a reset.
    pub held: Vec<(String, Duration)>,
    /// The init inside this invocation.
    pub suppressed_init: Option<InitOutcome>,
    /// The reset that ended it.
    pub reset: Option<ShutdownOutcome>,
}

impl InvokeOutcome {
    /// Whether the function timeout ended it.
    pub fn timed_out(&self) -> bool {
        self.status == Status::Timeout
    }
}

/// What is known of an invocation while it runs.
struct Running {
    index: u32,
    request_id: String,
    tracing: Option<Tracing>,
    started: Instant,
    released: Instant,
    deadline: Instant,
    /// When the runtime was done, once `platform.runtimeDone` was generated.
    done: Option<Instant>,
}

/// Why an invocation did not come to its end.
enum Broken {
    Timeout,
    Fatal(Fatal),
}

impl Lambda {
    /// The invoke phase, from thaw to freeze. Initialises first where the environment is down.
    pub async fn invoke(&mut self, invocation: Invocation) -> InvokeOutcome {
        self.thaw();
        let deadline = clock::now() + self.shared.settings.timeout;
        let mut running = self.begin(deadline);
        let mut suppressed_init = None;
        if self.phase() != Phase::Up {
            let outcome = self.initialise("invoke", deadline).await;
            if outcome.status != Status::Success {
                let fatal = outcome.fatal.clone();
                let mut failed = self.outcome(&running, outcome.status, fatal);
                failed.suppressed_init = Some(outcome);
                self.freeze();
                return failed;
            }
            suppressed_init = Some(outcome);
        }
        running.started = clock::now();
        self.announce_start_of(&running);
        self.release(&mut running, &invocation);
        let mut outcome = match self.complete(&mut running, &invocation).await {
            Ok(answer) => {
                let mut outcome = self.outcome(&running, Status::Success, None);
                outcome.held = self.held(&running);
                match answer.result {
                    Ok(response) => outcome.response = Some(response),
                    Err(error) => outcome.function_error = Some(error),
                }
                self.announce_report(
                    &running,
                    &outcome,
                    Some((answer.first_byte_at, answer.last_byte_at)),
                );
                outcome
            }
            Err(broken) => self.reset(&running, broken).await,
        };
        outcome.suppressed_init = suppressed_init;
        for process in &mut self.processes {
            process.sample();
        }
        self.freeze();
        outcome
    }

    /// Managed Instances: several invocations at a time, of a scripted function. Outcomes are in the order of the
    /// invocations; a timeout ends its own invocation alone, and so does [`End::Crash`](super::End::Crash).
    ///
    /// # Panics
    ///
    /// If the settings are those of another init type: there, invocations do not overlap.
    pub async fn invoke_concurrently(
        &mut self,
        invocations: Vec<Invocation>,
    ) -> Vec<InvokeOutcome> {
        assert!(
            self.shared.settings.managed(),
            "only Managed Instances invoke concurrently"
        );
        let mut tasks = JoinSet::new();
        for (place, invocation) in invocations.into_iter().enumerate() {
            let running = self.begin(clock::now() + self.shared.settings.timeout);
            self.announce_start_of(&running);
            let shared = self.shared.clone();
            tasks.spawn(async move {
                let played = tokio::select! {
                    played = play(&shared, &running.request_id, &invocation.script) => Some(played),
                    () = sleep_until(running.deadline) => None,
                };
                (place, running, played)
            });
        }
        let mut outcomes = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            let Ok((place, running, played)) = joined else {
                continue;
            };
            let mut outcome = self.outcome(&running, Status::Success, None);
            let mut bytes_at = None;
            match played {
                None => outcome.status = Status::Timeout,
                Some(Played::Crashed(code)) => {
                    outcome.status = Status::Error;
                    outcome.fatal = Some(crash(code));
                }
                Some(Played::Answered(answer)) => {
                    bytes_at = Some((answer.first_byte_at, answer.last_byte_at));
                    match answer.result {
                        Ok(response) => outcome.response = Some(response),
                        Err(error) => outcome.function_error = Some(error),
                    }
                }
            }
            self.announce_report(&running, &outcome, bytes_at);
            outcomes.push((place, outcome));
        }
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn begin(&mut self, deadline: Instant) -> Running {
        let now = clock::now();
        let index = self.n_invocations;
        self.n_invocations += 1;
        let tracing = self.shared.settings.traced.then(|| {
            let id = clock::uuid().replace('-', "");
            let root = format!("Root=1-{:08x}-{}", clock::wall().as_secs(), &id[..24]);
            let value = format!("{root};Parent={:016x};Sampled=1", clock::random());
            let span_id = Some(format!("{:016x}", clock::random()));
            Tracing {
                span_id,
                r#type: "X-Amzn-Trace-Id",
                value,
            }
        });
        let request_id = clock::uuid();
        Running {
            index,
            request_id,
            tracing,
            started: now,
            released: now,
            deadline,
            done: None,
        }
    }

    fn announce_start_of(&self, running: &Running) {
        let version = &self.shared.settings.function_version;
        let mut record = Start {
            request_id: &running.request_id,
            version,
            tracing: running.tracing.as_ref(),
        };
        self.shared
            .platform("start", json(&record), Audience::Telemetry);
        record.tracing = None;
        self.shared
            .platform("start", json(&record), Audience::Logs(Schema::Logs2020));
    }

    /// Extensions first, then the runtime.
    fn release(&self, running: &mut Running, invocation: &Invocation) {
        let left = running.deadline.saturating_duration_since(clock::now());
        let deadline_ms = clock::epoch_ms(left);
        let arn = self.shared.settings.function_arn();
        let id = &running.request_id;
        let trace = running
            .tracing
            .as_ref()
            .map(|tracing| tracing.value.clone());
        let tracing = trace.as_ref().map_or(String::new(), |value| {
            format!(r#","tracing":{{"type":"X-Amzn-Trace-Id","value":"{value}"}}"#)
        });
        let event = format!(
            r#"{{"eventType":"INVOKE","deadlineMs":{deadline_ms},"requestId":"{id}","invokedFunctionArn":"{arn}"{tracing}}}"#
        );
        let event = Bytes::from(event);
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", id.clone()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", arn),
        ];
        headers.extend(trace.map(|value| ("lambda-runtime-trace-id", value)));
        let work = Work {
            request_id: id.clone(),
            payload: invocation.payload.clone().into(),
            headers,
        };
        running.released = clock::now();
        self.shared.state.send_modify(|state| {
            for index in 0..state.agents.len() {
                if state.agents[index].invoke {
                    state.release(index, event.clone());
                }
            }
            state.runtime.release(work);
        });
    }

    /// Until runtime and extensions are done with the invocation.
    async fn complete(
        &self,
        running: &mut Running,
        invocation: &Invocation,
    ) -> Result<Answer, Broken> {
        let answer = tokio::select! {
            biased;
            answer = self.function_done(running, invocation) => answer?,
            fatal = self.fatal() => return Err(Broken::Fatal(fatal)),
            () = sleep_until(running.deadline) => return Err(Broken::Timeout),
        };
        let done = self
            .shared
            .state
            .borrow()
            .runtime
            .next_at
            .unwrap_or_else(clock::now);
        running.done = Some(done);
        self.announce_runtime_done(running, Status::Success, None, Some(&answer));
        tokio::select! {
            biased;
            () = self.shared.until(|state| state.all_done()) => Ok(answer),
            fatal = self.fatal() => Err(Broken::Fatal(fatal)),
            () = sleep_until(running.deadline) => Err(Broken::Timeout),
        }
    }

    async fn fatal(&self) -> Fatal {
        self.shared.until(|state| state.fatal.is_some()).await;
        let fatal = self.shared.state.borrow().fatal.clone();
        fatal.unwrap_or_else(|| Fatal {
            kind: "Sandbox.Failure".into(),
            message: String::new(),
        })
    }

    async fn function_done(
        &self,
        running: &Running,
        invocation: &Invocation,
    ) -> Result<Answer, Broken> {
        if let Function::Scripted(_) = self.shared.settings.function {
            let id = &running.request_id;
            match play(&self.shared, id, &invocation.script).await {
                Played::Crashed(code) => {
                    let fatal = crash(code);
                    self.shared
                        .state
                        .send_modify(|state| state.fail(&fatal.kind, fatal.message));
                    return Err(Broken::Fatal(self.fatal().await));
                }
                Played::Answered(answer) => self.shared.state.send_modify(|state| {
                    state.runtime.answer = Some(answer);
                    state.runtime.stage = RuntimeStage::Ready;
                    state.runtime.next_at = Some(clock::now());
                }),
            }
        }
        self.shared.until(|state| state.runtime.done()).await;
        let answer = self.shared.state.borrow().runtime.answer.clone();
        answer.ok_or(Broken::Timeout)
    }

    fn held(&self, running: &Running) -> Vec<(String, Duration)> {
        let done = running.done.unwrap_or(running.released);
        let state = self.shared.state.borrow();
        let holding = state.agents.iter().filter(|agent| agent.invoke);
        holding
            .map(|agent| {
                let next = agent.last_next_at.unwrap_or(done);
                (agent.name.clone(), next.saturating_duration_since(done))
            })
            .collect()
    }

    fn outcome(&self, running: &Running, status: Status, fatal: Option<Fatal>) -> InvokeOutcome {
        let now = clock::now();
        InvokeOutcome {
            request_id: running.request_id.clone(),
            status,
            fatal,
            function_error: None,
            response: None,
            duration: running
                .done
                .unwrap_or(now)
                .saturating_duration_since(running.released),
            total: now.saturating_duration_since(running.started),
            held: Vec::new(),
            suppressed_init: None,
            reset: None,
        }
    }

    /// Timeout or crash: `runtimeDone`, the shutdown sequence, and the report behind it.
    async fn reset(&mut self, running: &Running, broken: Broken) -> InvokeOutcome {
        let (reason, status, fatal) = match broken {
            Broken::Timeout => (Reason::Timeout, Status::Timeout, None),
            Broken::Fatal(fatal) => (Reason::Failure, Status::of(&fatal), Some(fatal)),
        };
        if running.done.is_none() {
            self.announce_runtime_done(running, status, fatal.as_ref(), None);
        }
        let mut outcome = self.outcome(running, status, fatal);
        let id = &running.request_id;
        let fault = match &outcome.fatal {
            None => format!(
                "{id} Task timed out after {:.2} seconds",
                self.shared.settings.timeout.as_secs_f64()
            ),
            Some(fatal) => format!("RequestId: {id} Error: {}\n{}", fatal.message, fatal.kind),
        };
        self.shared
            .platform("fault", quoted(&fault), Audience::Logs(Schema::Logs2020));
        let reset = self.take_down(reason).await;
        self.announce_report(running, &outcome, None);
        outcome.reset = Some(reset);
        outcome
    }

    fn announce_runtime_done(
        &self,
        running: &Running,
        status: Status,
        fatal: Option<&Fatal>,
        answer: Option<&Answer>,
    ) {
        let settings = &self.shared.settings;
        let faults = &settings.faults;
        if settings.managed() || faults.drop_runtime_done.contains(&running.index) {
            return;
        }
        let done = running.done.unwrap_or_else(clock::now);
        let mut spans = Vec::new();
        if let Some(answer) = answer {
            let (first, last) = (answer.first_byte_at, answer.last_byte_at);
            spans.push(self.span("responseLatency", running.released, first));
            spans.push(self.span("responseDuration", first, last));
            spans.push(self.span("runtimeOverhead", last, done));
        }
        let produced = answer
            .and_then(|answer| answer.result.as_ref().ok())
            .map_or(0, Bytes::len);
        let record = EndRecord {
            request_id: &running.request_id,
            status: Some(status.word()),
            error_type: fatal.map(|fatal| fatal.kind.as_str()),
            metrics: Metrics {
                duration_ms: ms(done.saturating_duration_since(running.released)),
                produced_bytes: Some(produced),
                ..Metrics::default()
            },
            spans: &spans,
            tracing: running.tracing.as_ref(),
        };
        // The Logs API knows three words.
        let word = if status == Status::Error {
            "failure"
        } else {
            status.word()
        };
        let logs = LogsEnd {
            request_id: &running.request_id,
            status: Some(word),
        };
        let element = |record, audience| Element {
            time: clock::timestamp(clock::wall()),
            kind: "platform.runtimeDone".into(),
            record: Record::Json(record),
            audience,
        };
        let both = [
            element(json(&record), Audience::Telemetry),
            element(json(&logs), Audience::Logs(Schema::Logs2021)),
        ];
        match faults.delay_runtime_done {
            None => both
                .into_iter()
                .for_each(|element| self.shared.emit(element)),
            Some(delay) => {
                let shared = self.shared.clone();
                tokio::spawn(async move {
                    sleep(delay).await;
                    both.into_iter().for_each(|element| shared.emit(element));
                });
            }
        }
    }

    fn announce_report(
        &mut self,
        running: &Running,
        outcome: &InvokeOutcome,
        bytes_at: Option<(Instant, Instant)>,
    ) {
        let shared = self.shared.clone();
        let settings = &shared.settings;
        let now = clock::now();
        let managed = settings.managed();
        let init = self.cold_start.take();
        let billed = outcome.total + init.unwrap_or_default();
        let mut metrics = Metrics {
            duration_ms: ms(outcome.total),
            ..Metrics::default()
        };
        let mut spans = Vec::new();
        match bytes_at {
            Some((first, last)) if managed => {
                spans.push(self.span("responseLatency", running.released, first));
                spans.push(self.span("responseDuration", first, last));
            }
            _ if managed => {}
            _ => {
                metrics.billed_duration_ms = u64::try_from(billed.as_micros().div_ceil(1000)).ok();
                metrics.memory_size_mb = Some(settings.memory_mb);
                metrics.max_memory_used_mb = Some(self.memory_mb());
                metrics.init_duration_ms = init.map(ms);
                if let Some(done) = running.done {
                    spans.push(self.span("extensionOverhead", done, now));
                }
            }
        }
        let record = EndRecord {
            request_id: &running.request_id,
            status: Some(outcome.status.word()),
            error_type: outcome.fatal.as_ref().map(|fatal| fatal.kind.as_str()),
            metrics,
            spans: &spans,
            tracing: running.tracing.as_ref(),
        };
        let withheld = settings.faults.withhold_report;
        let audience = if withheld {
            Audience::Nobody
        } else {
            Audience::Telemetry
        };
        shared.platform("report", json(&record), audience);
        let end = LogsEnd {
            request_id: &running.request_id,
            status: None,
        };
        shared.platform("end", json(&end), Audience::Logs(Schema::Logs2020));
        let logs = EndRecord {
            status: None,
            error_type: None,
            spans: &[],
            ..record
        };
        let logs_audience = if withheld {
            Audience::Nobody
        } else {
            Audience::Logs(Schema::Logs2020)
        };
        shared.platform("report", json(&logs), logs_audience);
    }

    /// What the processes of this life took at most, in MB; at least 1.
    fn memory_mb(&mut self) -> u32 {
        let mut kib = 0;
        for process in &mut self.processes {
            process.sample();
            kib += process.rss_kib_max();
        }
        u32::try_from(kib.div_ceil(1024)).unwrap_or(u32::MAX).max(1)
    }

    fn span(&self, name: &'static str, from: Instant, to: Instant) -> Span {
        let wall = clock::wall().saturating_sub(from.elapsed());
        let mut start = clock::timestamp(wall);
        if self.shared.settings.faults.malformed_span_time {
            start = start.replace('.', ":");
        }
        Span {
            name,
            start,
            duration_ms: ms(to.saturating_duration_since(from)),
        }
    }
}

fn crash(code: i32) -> Fatal {
    let exit = Exit {
        code: Some(code),
        signal: None,
    };
    let message = match code {
        0 => "Runtime exited without providing a reason".to_owned(),
        _ => format!("Runtime exited with error: {}", exit.words()),
    };
    Fatal {
        kind: "Runtime.ExitError".into(),
        message,
    }
}
