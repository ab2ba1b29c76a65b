//! A local Lambda: the Runtime, Extensions, Logs and Telemetry API on loopback, and the life of an environment.
//!
//! The life of an element: a process prints a line, or the life cycle reaches a moment at which the platform speaks;
//! the element is listed in the [`Journal`] and put into the buffer of every extension that subscribed to its stream;
//! a batch leaves by items, bytes or time, one POST at a time, and is sent again until it is answered with 2xx.
//! Nothing leaves while the environment is frozen.
//!
//! ```no_run
//! use std::time::Duration;
//! use tapline::local::{Extension, Invocation, Lambda, Reason, Script, Settings, Step};
//!
//! # async fn life() -> std::io::Result<()> {
//! let mut lambda = Lambda::start(Settings {
//!     extensions: vec![Extension::new("/opt/extensions/tapline")],
//!     ..Settings::default()
//! })
//! .await?;
//! lambda.init().await;
//! let outcome = lambda.invoke(Invocation::script(Script::new(vec![Step::Log("hello".into())]))).await;
//! println!("{} held for {:?}", outcome.request_id, outcome.held);
//! lambda.freeze_for(Duration::from_secs(1)).await;
//! lambda.shutdown(Reason::Spindown).await;
//! # Ok(())
//! # }
//! ```
//!
//! Processes are real: own process groups, SIGSTOP and SIGCONT, SIGKILL to the group. They share the machine's
//! network, user and files; `TMPDIR` is a private folder that lives as long as the [`Lambda`].
//!
//! # Left out
//!
//! What of the real service is not played:
//!
//! - the address is a port that the kernel picks, not 127.0.0.1:9001.
//! - the framed log descriptor `_LAMBDA_TELEMETRY_LOG_FD`; a runtime's lines come from stdout and
//!   stderr, so a line over 64 KiB is split. `AWS_LAMBDA_EXEC_WRAPPER`: COMMAND names the wrapper itself.
//!   `AWS_EXECUTION_ENV`, the X-Ray daemon's address and `AWS_LAMBDA_MAX_CONCURRENCY` are not set for a runtime.
//!   Response streaming is read as a plain body: trailers and the response mode header are ignored.
//! - cgroup freezer (SIGSTOP only), killed idle connections and clock jumps at thaw. A frozen process sees time
//!   go on in both clocks.
//! - order of records over POSTs, connection reset on `next`, name resolution. A process killed for want of
//!   memory is played with a SIGKILL to one of [`Lambda::processes`]; a sink that is slow or never answers is the
//!   test's to bring.
//! - upper-case shutdown reasons.
//! - SnapStart (`restore/next`, the restore events, the credentials endpoint). Managed Instances with a command
//!   serve one invocation at a time; a timeout or crash there resets the environment instead of ending it, and POSTs
//!   carry no `Sequence-Id`.
//! - `sandbox` is not made to resolve; the simulator connects to 127.0.0.1 itself.
//! - The execution environment's metadata endpoint.
//! - Limits of the account, of memory (it is measured, not limited), of `/tmp` and of CPU; the invoke front door on port 8080.
//!
//! What AWS does not document is decided so: `platform.runtimeDone` says `success` when a handler threw
//! (`platform.report` too); `billedDurationMs` includes a cold start's init; `instanceMaxMemory` is in bytes; `maxItems`
//! defaults to 10000; POSTs are retried for as long as the environment lives, after 50 ms, doubling to 1 s; the last
//! `platform.report` before a reset is offered to the next generation at the old address.

pub mod clock;
pub mod element;
pub mod process;
pub mod relay;
pub mod report;
pub mod scenario;
pub mod script;
pub mod settings;
pub mod state;
pub mod subscription;

mod api;
mod init;
mod invoke;

mod post;
mod shutdown;

use std::io as std_io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use element::{Audience, Element, Record};
use process::Process;
use relay::Relay;
use state::{Phase, State};

pub use init::{ExtensionStart, InitOutcome};
pub use invoke::{Invocation, InvokeOutcome};
pub use process::ProcessEnd;
pub use relay::{Delivery, Journal, Sent};
pub use script::{End, Script, Stamp, Step};
pub use settings::{
    Apis, Extension, Faults, Freeze, Function, InitType, LogFormat, Newline, Offer, Reason, Schema,
    Settings,
};
pub use shutdown::ShutdownOutcome;
pub use state::{Exit, Fatal, FunctionError};

/// Subscriptions that may wait for their delivery task.
const SUBSCRIPTIONS_MAX: usize = 32;

/// How an init or an invocation ended, in the platform's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should.
    Success,
    /// A fault of the platform's own, `Sandbox.*`.
    Failure,
    /// A fault of runtime, function or extension.
    Error,
    /// Not in time.
    Timeout,
}

impl Status {
    /// `status` on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Failure => "failure",
            Status::Error => "error",
            Status::Timeout => "timeout",
        }
    }

    fn of(fatal: &Fatal) -> Status {
        if fatal.kind.starts_with("Sandbox.") {
            Status::Failure
        } else {
            Status::Error
        }
    }
}

/// What the API, the delivery tasks, the processes' watchers and the life cycle share.
///
/// A `watch` is a lock that tells of changes: it is taken for a moment and never held over a wait. Where both are
/// taken, `state` comes first.
#[derive(Debug)]
pub(crate) struct Shared {
    pub settings: Settings,
    pub address: SocketAddr,
    pub temp: PathBuf,
    pub instance: String,
    pub state: watch::Sender<State>,
    pub relay: watch::Sender<Relay>,
    pub frozen: watch::Sender<bool>,
    pub subscribed: mpsc::Sender<usize>,
}

impl Shared {
    pub(crate) fn with_state<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, state::Refusal>,
    ) -> Result<T, state::Refusal> {
        self.with_state_if(change, |_| true)
    }

    /// Like `with_state`, and tells the others only where `changed` says so.
    pub(crate) fn with_state_if<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, state::Refusal>,
        changed: impl FnOnce(&Result<T, state::Refusal>) -> bool,
    ) -> Result<T, state::Refusal> {
        let mut outcome = None;
        self.state
            .send_if_modified(|state| changed(outcome.insert(change(state))));
        outcome.expect("`send_if_modified` calls its closure once")
    }

    pub(crate) async fn thawed(&self) {
        self.frozen
            .subscribe()
            .wait_for(|frozen| !frozen)
            .await
            .ok();
    }

    pub(crate) async fn until(&self, fact: impl FnMut(&State) -> bool) {
        self.state.subscribe().wait_for(fact).await.ok();
    }

    pub(crate) fn emit(&self, element: Element) {
        self.relay.send_modify(|relay| relay.emit(element));
    }

    /// A platform element of this moment; `kind` without `platform.`, `record` in JSON.
    pub(crate) fn platform(&self, kind: &str, record: String, audience: Audience) {
        self.emit(Element {
            time: clock::timestamp(clock::wall()),
            kind: format!("platform.{kind}"),
            record: Record::Json(record),
            audience,
        });
    }

    /// A line that a process printed.
    pub(crate) fn line(&self, kind: &str, line: String) {
        self.emit(Element {
            time: clock::timestamp(clock::wall()),
            kind: kind.to_owned(),
            record: Record::Line(line),
            audience: Audience::Everyone,
        });
    }
}

/// One execution environment and the service around it.
///
/// Dropping it kills what still runs and removes its folder.
#[derive(Debug)]
pub struct Lambda {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
    processes: Vec<Process>,
    ended: Vec<ProcessEnd>,
    n_invocations: u32,
    /// Init time that the next `platform.report` carries.
    cold_start: Option<Duration>,
}

impl Lambda {
    /// Binds 127.0.0.1 at a free port and makes the private folder. Nothing runs before [`Lambda::init`].
    ///
    /// # Errors
    ///
    /// Neither port nor folder could be had.
    pub async fn start(mut settings: Settings) -> std_io::Result<Lambda> {
        if settings.managed() {
            // Managed Instances know no other.
            settings.log_format = LogFormat::Json;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let temp = std::env::temp_dir().join(format!("lambda-{}", clock::uuid()));
        std::fs::create_dir(&temp)?;
        let version = &settings.function_version;
        let id = clock::uuid().replace('-', "");
        let instance = format!("{}/[{version}]{id}", clock::date(clock::wall()));
        let (subscribed, receiver) = mpsc::channel(SUBSCRIPTIONS_MAX);
        let state = State::new(settings.managed(), settings.faults.refuse_next_at);
        let shared = Arc::new(Shared {
            relay: watch::Sender::new(Relay::new(&settings)),
            state: watch::Sender::new(state),
            frozen: watch::Sender::new(false),
            settings,
            address,
            temp,
            instance,
            subscribed,
        });
        let server = tokio::spawn(api::serve(listener, shared.clone(), receiver));
        Ok(Lambda {
            shared,
            server,
            processes: Vec::new(),
            ended: Vec::new(),
            n_invocations: 0,
            cold_start: None,
        })
    }

    /// Value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `TMPDIR` of the processes.
    pub fn temp(&self) -> &std::path::Path {
        &self.shared.temp
    }

    /// What was generated so far and what became of it. A copy.
    pub fn journal(&self) -> Journal {
        self.shared.relay.borrow().journal()
    }

    /// Name and process id (which is also the group's) of what runs now.
    pub fn processes(&self) -> Vec<(String, i32)> {
        let alive = self.processes.iter().filter(|process| process.alive());
        alive
            .map(|process| (process.name.clone(), process.id()))
            .collect()
    }

    /// The processes of all generations that have ended.
    pub fn ended(&self) -> &[ProcessEnd] {
        &self.ended
    }

    /// Whether the environment is frozen now.
    pub fn frozen(&self) -> bool {
        *self.shared.frozen.borrow()
    }

    /// An idle gap. The environment stays frozen until its next event.
    pub async fn freeze_for(&mut self, gap: Duration) {
        self.freeze();
        sleep(gap).await;
    }

    /// Waits until every buffer is empty and every POST answered, where the environment runs. `false`: not within `most`.
    pub async fn delivered(&self, most: Duration) -> bool {
        let mut changes = self.shared.relay.subscribe();
        tokio::time::timeout(most, changes.wait_for(Relay::idle))
            .await
            .is_ok()
    }

    fn phase(&self) -> Phase {
        self.shared.state.borrow().phase
    }

    fn freeze(&mut self) {
        let settings = &self.shared.settings;
        if settings.freeze == Freeze::Never || settings.managed() {
            return;
        }
        self.shared.frozen.send_replace(true);
        for process in self.processes.iter_mut().filter(|process| process.alive()) {
            process.sample();
            process.stop();
        }
    }

    fn thaw(&mut self) {
        for process in self.processes.iter().filter(|process| process.alive()) {
            process.go_on();
        }
        self.shared.frozen.send_replace(false);
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.server.abort();
        self.processes.clear();
        // Nothing is left to tell it to.
        std::fs::remove_dir_all(&self.shared.temp).ok();
    }
}
