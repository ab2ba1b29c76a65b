//! What a local Lambda is made of: the function, its extensions, the platform's manners and its faults.

use std::path::PathBuf;
use std::time::Duration;

use super::script::Step;

/// Everything that a [`Lambda`](super::Lambda) is started with. All fields have a default; name those that differ.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name of the function.
    pub function_name: String,
    /// Version of the function, `$LATEST` or a number.
    pub function_version: String,
    /// Memory in MB. Told to the processes, not enforced.
    pub memory_mb: u32,
    /// Function timeout; it bounds the whole invoke phase with the extensions in it. Default 3 s.
    pub timeout: Duration,
    /// Time for init. Default: 10 s on demand, otherwise the larger of 130 s and `timeout`.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>, read 2026-11-23.
    pub init_timeout: Option<Duration>,
    /// Handler, as the register answer and `_HANDLER` carry it.
    pub handler: String,
    /// Account, 12 digits.
    pub account_id: String,
    /// Region.
    pub region: String,
    /// Log format of the function.
    pub log_format: LogFormat,
    /// How the environment came to be.
    pub init_type: InitType,
    /// External extensions, at most 10; started in the order of their names.
    pub extensions: Vec<Extension>,
    /// The function.
    pub function: Function,
    /// The function's own environment variables; names that begin with `_` do not reach the extensions.
    pub environment: Vec<(String, String)>,
    /// Value of `runtimeVersion`; empty leaves it out.
    pub runtime_version: String,
    /// Whether idle processes are stopped.
    pub freeze: Freeze,
    /// Whether string records keep the newline that ended the line. Default `Kept`; never on Managed Instances.
    pub newline: Newline,
    /// Whether invocations carry an X-Ray header. Default `true`.
    pub traced: bool,
    /// What the two subscription APIs answer.
    pub apis: Apis,
    /// Bytes that wait for one subscriber before the newest are dropped. Default 8 MiB.
    pub buffer_bytes_max: usize,
    /// Time that a POST may stay unanswered while the environment runs; then it is sent again. Default 5 s.
    pub post_timeout: Duration,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            function_name: "orders".into(),
            function_version: "$LATEST".into(),
            memory_mb: 256,
            timeout: Duration::from_secs(3),
            init_timeout: None,
            handler: "app.handler".into(),
            account_id: "123456789012".into(),
            region: "eu-west-1".into(),
            log_format: LogFormat::Text,
            init_type: InitType::OnDemand,
            extensions: Vec::new(),
            function: Function::Scripted(Vec::new()),
            environment: Vec::new(),
            runtime_version: "nodejs:22.v11".into(),
            freeze: Freeze::Stop,
            newline: Newline::Kept,
            traced: true,
            apis: Apis::default(),
            buffer_bytes_max: 8 * 1024 * 1024,
            post_timeout: Duration::from_secs(5),
            faults: Faults::default(),
        }
    }
}

impl Settings {
    /// Time for init, by the rule of its type.
    pub fn init_time(&self) -> Duration {
        match (self.init_timeout, self.init_type) {
            (Some(time), _) => time,
            (None, InitType::OnDemand) => Duration::from_secs(10),
            (None, _) => self.timeout.max(Duration::from_secs(130)),
        }
    }

    /// The function's ARN without qualifier.
    pub fn function_arn(&self) -> String {
        let Settings {
            region,
            account_id,
            function_name,
            ..
        } = self;
        format!("arn:aws:lambda:{region}:{account_id}:function:{function_name}")
    }

    pub(crate) fn managed(&self) -> bool {
        self.init_type == InitType::ManagedInstances
    }
}

/// Log format of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines as they are.
    Text,
    /// Lines that are JSON objects become objects in the telemetry.
    Json,
}

/// How the execution environment is initialised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitType {
    /// At the first invocation.
    OnDemand,
    /// Ahead of time.
    ProvisionedConcurrency,
    /// Lambda Managed Instances: no freeze, no INVOKE events, no `platform.runtimeDone`, JSON logs, newest schema only.
    ManagedInstances,
}

impl InitType {
    /// The platform's word.
    pub fn word(self) -> &'static str {
        match self {
            InitType::OnDemand => "on-demand",
            InitType::ProvisionedConcurrency => "provisioned-concurrency",
            InitType::ManagedInstances => "lambda-managed-instances",
        }
    }
}

/// Whether idle processes are stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeze {
    /// SIGSTOP to every process group once all have called `next`, SIGCONT before the next event.
    Stop,
    /// They run on.
    Never,
}

/// What becomes of a line's final newline in a string record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newline {
    /// `"record":"text\n"`, as captured on the classic service.
    Kept,
    /// `"record":"text"`.
    Trimmed,
}

/// An external extension.
#[derive(Debug, Clone, Default)]
pub struct Extension {
    /// The executable; its file name is the name that it must register.
    pub path: PathBuf,
    /// Arguments. The real platform passes none.
    pub args: Vec<String>,
    /// Variables for this process alone.
    pub env: Vec<(String, String)>,
}

impl Extension {
    /// An extension without arguments.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Extension {
            path: path.into(),
            ..Extension::default()
        }
    }

    /// The file name.
    pub fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Who handles invocations.
#[derive(Debug, Clone)]
pub enum Function {
    /// The simulator itself. The steps are those of the init phase; each invocation brings its own.
    Scripted(Vec<Step>),
    /// A process that speaks the Runtime API: program and arguments.
    Command(Vec<String>),
}

/// What the subscription APIs answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apis {
    /// The Telemetry API.
    pub telemetry: Offer,
    /// The Logs API; never offered on Managed Instances.
    pub logs: Offer,
    /// Newest schema version of the Telemetry API that is known; a newer or unknown one is answered with 400.
    pub newest_schema: Schema,
}

impl Default for Apis {
    fn default() -> Self {
        Apis {
            telemetry: Offer::Served,
            logs: Offer::Served,
            newest_schema: Schema::V2025_01_29,
        }
    }
}

/// Whether an API is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// It works.
    Served,
    /// 202 with `Telemetry.NotSupported` or `Logs.NotSupported`, as AWS's own local emulator answers.
    NotSupported,
}

/// A schema version of the Telemetry API or of the Logs API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schema {
    /// Logs API, first version.
    Logs2020,
    /// Logs API with `platform.runtimeDone`.
    Logs2021,
    /// Telemetry API: records are strings also in the JSON log format.
    V2022_07_01,
    /// Telemetry API: JSON records are objects.
    V2022_12_13,
    /// Telemetry API: the only one of Managed Instances.
    V2025_01_29,
}

impl Schema {
    /// The date that names it.
    pub fn word(self) -> &'static str {
        match self {
            Schema::Logs2020 => "2020-08-15",
            Schema::Logs2021 => "2021-03-18",
            Schema::V2022_07_01 => "2022-07-01",
            Schema::V2022_12_13 => "2022-12-13",
            Schema::V2025_01_29 => "2025-01-29",
        }
    }

    /// Whether it belongs to the Logs API.
    pub fn of_logs_api(self) -> bool {
        matches!(self, Schema::Logs2020 | Schema::Logs2021)
    }
}

/// Why an environment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No longer needed.
    Spindown,
    /// The function timed out.
    Timeout,
    /// A process ended.
    Failure,
}

impl Reason {
    /// `shutdownReason` on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Spindown => "spindown",
            Reason::Timeout => "timeout",
            Reason::Failure => "failure",
        }
    }
}

/// What the platform does wrong, or late, on purpose. The default is a platform that behaves.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Every n-th POST that was answered with 2xx is sent once more, byte for byte, as after an answer lost in a freeze.
    pub redeliver_every: Option<u32>,
    /// An element larger than the subscriber's `maxBytes` is cut, and goes on in the next POST. Default `true`.
    pub cut_oversized: bool,
    /// Invocations, counted from 0, whose `platform.runtimeDone` is lost.
    pub drop_runtime_done: Vec<u32>,
    /// `platform.runtimeDone` comes this much after the runtime was done; its `time` is the true one.
    pub delay_runtime_done: Option<Duration>,
    /// `platform.report` is generated and never delivered.
    pub withhold_report: bool,
    /// `start` of spans is malformed as in AWS's samples, `12:01:23:521Z`.
    pub malformed_span_time: bool,
    /// The n-th call of `next` by each extension, counted from 1 in each generation, is answered with 403 at once.
    pub refuse_next_at: Option<u32>,
    /// Extensions get no SHUTDOWN; they are killed when the budget is over.
    pub withhold_shutdown: bool,
    /// Time for shutdown where an external extension is registered. Default 2 s.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>, read 2026-11-23.
    pub shutdown_budget: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Faults {
            redeliver_every: None,
            cut_oversized: true,
            drop_runtime_done: Vec::new(),
            delay_runtime_done: None,
            withhold_report: false,
            malformed_span_time: false,
            refuse_next_at: None,
            withhold_shutdown: false,
            shutdown_budget: Duration::from_secs(2),
        }
    }
}
