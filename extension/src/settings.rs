//! From the text of the configuration file to a checked plan of what runs.
//!
//! The file is read whole, by tables of fields ([`fields`] and those of each kind); every problem is collected with
//! its place. Which problem does what:
//!
//! | An error in | Does |
//! |---|---|
//! | the table of one sink | disables that sink; where none is left, as below |
//! | a transform, `[receiver]`, `[flush]`, the file | parks the extension: nothing is subscribed, nothing leaves |
//! | a `redact`, unknown keys included | the same, even where it is switched off |
//!
//! An unknown key elsewhere is a warning at run time. `check` and `TAPLINE_STRICT` call
//! [`Diagnostics::strict`] on what comes out, and refuse to go on where that
//! [has errors](Diagnostics::has_errors).

mod advice;
mod dead_letter;
pub mod fields;
mod find;
mod kind;
mod memory;
mod sinks;
mod stages;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tapline_core::config::{
    Context, Diagnostics, Document, Kind, LateSecrets, Reader, Scope, Severity,
};
use tapline_core::expr::{Expression, Name, Names};
use tapline_core::facts::Facts;
use tapline_core::pipeline::Stage;
use tapline_core::port::DeliverySettings;
use tapline_core::registry::{Build, SinkKind, TransformKind};
use tapline_core::resource::Declared;
use tapline_core::sink::Sink;

pub use find::{CONFIG_VARIABLE, MINIMAL, PLACES, find, find_config, read_file};

/// The kinds of sinks and transforms that a file may use.
#[derive(Clone, Default)]
pub struct Kinds {
    /// Sinks.
    pub sinks: Vec<SinkKind>,
    /// Transforms.
    pub transforms: Vec<TransformKind>,
}

/// Where the plan is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In Lambda: memory follows the function's, and only what bears on this run is said.
    Lambda,
    /// On a developer's machine: 32 MiB, and advice.
    Offline,
}

/// Which API of Lambda delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// The Telemetry API.
    Telemetry,
    /// The Logs API, its predecessor.
    Logs,
}

/// How platform events are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformFormat {
    /// As they were delivered.
    Json,
    /// As the lines that Lambda writes to CloudWatch Logs.
    Text,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverSettings {
    /// The API that is tried first. Default Telemetry.
    pub api: Api,
    /// `platform.*` events reach transforms and sinks; default true. Where not, they are received all the same, and
    /// count as filtered.
    pub platform: bool,
    /// The function's own lines; default true.
    pub function: bool,
    /// Lines of extensions; default false.
    pub extension: bool,
    /// How platform events are given out. Default JSON.
    pub platform_format: PlatformFormat,
    /// Variables that expressions and templates may name. Default none.
    pub env: Vec<String>,
}

/// When records leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// At the end of an invocation, unless another within the interval is nearly certain.
    Adaptive,
    /// At the end of each invocation.
    End,
    /// Every interval.
    Periodic,
    /// As records come.
    Continuous,
}

/// When records leave, and for how long they may hold an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushSettings {
    /// Default adaptive.
    pub strategy: Strategy,
    /// Longest wait of a record while invocations run or follow. Default 20 s; 1 s to 10 min.
    pub interval: Duration,
    /// Longest hold of one invocation after its function is done. Default 500 ms; 0 to 10 s.
    pub max_hold: Duration,
    /// Time before a deadline that is left to the platform. Default 500 ms; 50 ms to 10 s. Whoever uses it bounds it
    /// by 10 % of the function's timeout, which the configuration does not know.
    pub deadline_margin: Duration,
}

impl Default for FlushSettings {
    fn default() -> FlushSettings {
        FlushSettings {
            strategy: Strategy::Adaptive,
            interval: Duration::from_secs(20),
            max_hold: Duration::from_millis(500),
            deadline_margin: Duration::from_millis(500),
        }
    }
}

/// One transform of the file, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformOutline {
    /// Its name, or its place and kind.
    pub name: String,
    /// The word in `type`; empty where it is not known.
    pub kind: &'static str,
    /// It redacts.
    pub redacts: bool,
    /// It is one of the stages.
    pub enabled: bool,
}

/// One sink, ready to be run.
pub struct SinkPlan {
    /// The name of its table.
    pub name: String,
    /// The word in `type`; empty where it is not known.
    pub kind: &'static str,
    /// The number of stages that its records have passed.
    pub after: usize,
    /// It wants only records for which this holds.
    pub when: Option<Expression>,
    /// Time-out, retries, breaker and queue.
    pub delivery: DeliverySettings,
    /// Position of the sink that takes over what this one cannot deliver.
    pub dead_letter: Option<usize>,
    /// `None`: disabled by an error in its table.
    pub sink: Option<Box<dyn Sink>>,
}

/// A plan that can run.
pub struct Settings {
    /// Budget for all that is held back, in bytes. Default 10 % of the function's memory, 4 to 32 MiB.
    pub memory: u64,
    /// What comes in.
    pub receiver: ReceiverSettings,
    /// When records leave.
    pub flush: FlushSettings,
    /// The transforms that are enabled, in order.
    pub stages: Vec<Stage>,
    /// All transforms of the file, for people.
    pub transforms: Vec<TransformOutline>,
    /// The sinks in the order of the file, disabled ones included; at least one is not.
    pub sinks: Vec<SinkPlan>,
    /// The secrets of AWS that are to be fetched.
    pub secrets: LateSecrets,
    /// What is to be said: warnings, and the errors of disabled sinks.
    pub diagnostics: Diagnostics,
}

/// What became of a file.
pub enum Load {
    /// It can run, perhaps without the sinks that are wrong.
    Runs(Settings),
    /// Nothing can run: every problem that was found.
    Parked(Diagnostics),
}

/// What to do about a secret of AWS in a build that cannot fetch it.
const LATE_UNBUILT: &str = "rebuild with the cargo feature `http`, `otlp`, `cloudwatch` or `s3`, or put it into an \
                            environment variable and write `{ env = \"NAME\" }`";

/// Reads a file and builds what it describes. `facts.env` is filled with the variables of `[receiver] env` that are
/// set, `facts.declared` with what the environment says of the resource; `variable` answers for the environment, `file_name` is what messages call the file.
pub fn load(
    file_name: &str,
    bytes: &[u8],
    kinds: &Kinds,
    facts: &mut Facts,
    variable: &dyn Fn(&str) -> Option<String>,
    place: Place,
) -> Load {
    let mut context = Context::new(variable);
    if !tapline_sinks::FETCHES_SECRETS {
        context = context.without_late_secrets(LATE_UNBUILT);
    }
    let read = Document::parse(&context, file_name, bytes).map(|document| {
        let root = Reader::root(&context, &document, fields::ROOT);
        let settings = read_root(&root, kinds, facts, variable, place);
        root.finish();
        Settings {
            secrets: context.late_secrets(),
            ..settings
        }
    });
    let diagnostics = context.finish();
    match read {
        Some(settings) => settle(settings, diagnostics),
        None => Load::Parked(diagnostics),
    }
}

fn read_root(
    root: &Reader<'_>,
    kinds: &Kinds,
    facts: &mut Facts,
    variable: &dyn Fn(&str) -> Option<String>,
    place: Place,
) -> Settings {
    read_version(root, place);
    refuse_locked(root);
    let receiver = read_receiver(root);
    facts.env = receiver
        .env
        .iter()
        .filter_map(|name| Some((name.clone(), variable(name).filter(|v| !v.is_empty())?)))
        .collect();
    facts.declared = Declared::read(variable);
    let flush = read_flush(root, place);
    let memory = memory::budget(root, facts, place);
    let build = Build {
        names: Names { env: &receiver.env },
        facts,
        memory,
    };
    let transforms = stages::read(root, &kinds.transforms, &build);
    let mut sinks = sinks::read(root, &kinds.sinks, &build, &transforms.list);
    dead_letter::read(root, &transforms.list, &mut sinks);
    memory::share(root, memory, &mut sinks);
    if place == Place::Offline {
        advice::give(root, &receiver, &transforms.list, &sinks);
    }
    Settings {
        memory,
        receiver,
        flush,
        stages: transforms.stages,
        transforms: transforms.list.into_iter().map(|t| t.outline).collect(),
        sinks,
        secrets: LateSecrets::default(),
        diagnostics: Diagnostics::default(),
    }
}

/// Takes out of service what the errors name.
fn settle(mut settings: Settings, diagnostics: Diagnostics) -> Load {
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let sinks = &mut settings.sinks;
    let bearable = errors.map(|error| &error.scope).all(|scope| match scope {
        Scope::Sink(name) => {
            let named = sinks.iter_mut().filter(|sink| sink.name == *name);
            named.for_each(|sink| sink.sink = None);
            true
        }
        Scope::File | Scope::Transform(_) | Scope::Redact => false,
    });
    if !bearable || sinks.iter().all(|sink| sink.sink.is_none()) {
        return Load::Parked(diagnostics);
    }
    settings.diagnostics = diagnostics;
    Load::Runs(settings)
}

fn read_version(root: &Reader<'_>, place: Place) {
    if !root.has("version") {
        if place == Place::Offline {
            let message = "the file does not say which version of the format it is written for";
            root.warning(root.header(), message, "write `version = 1` at its start");
        }
        return;
    }
    if let Some(version) = root.integer("version").filter(|version| version.value != 1) {
        let shown = if version.interpolated {
            "the version from the environment".to_owned()
        } else {
            format!("version {}", version.value)
        };
        let message = format!("{shown} of the format is not known to this tapline");
        root.error(version.span, message, "write `version = 1`");
    }
}

fn refuse_locked(root: &Reader<'_>) {
    if let Some(span) = root.key_span("locked") {
        let message = "`locked` is not in this version of tapline";
        let help = "take the key out; one file is read, so that no later one can change it";
        root.report(Severity::Error, Kind::NotBuilt, span, message, help);
    }
}

fn read_receiver(root: &Reader<'_>) -> ReceiverSettings {
    let mut settings = ReceiverSettings {
        api: Api::Telemetry,
        platform: true,
        function: true,
        extension: false,
        platform_format: PlatformFormat::Json,
        env: Vec::new(),
    };
    let Some(reader) = root.table("receiver") else {
        return settings;
    };
    if reader.choice("api").is_some_and(|api| api.value == "logs") {
        settings.api = Api::Logs;
    }
    if reader
        .choice("platform_format")
        .is_some_and(|format| format.value == "text")
    {
        settings.platform_format = PlatformFormat::Text;
    }
    if let Some(types) = reader.list_of_text("types") {
        let has = |word: &str| types.iter().any(|kind| kind.value == word);
        settings.platform = has("platform");
        settings.function = has("function");
        settings.extension = has("extension");
    }
    for name in reader.list_of_text("env").unwrap_or_default() {
        if Name::parse(&format!("env.{}", name.value)).is_none() {
            let message = format!("{} is no name of a variable", reader.quote(&name));
            let help = "write a letter or `_`, then letters, digits and `_`, without `$`";
            reader.error(name.span, message, help);
        } else if !settings.env.contains(&name.value) {
            settings.env.push(name.value);
        }
    }
    settings
}

fn read_flush(root: &Reader<'_>, place: Place) -> FlushSettings {
    let mut settings = FlushSettings::default();
    let Some(reader) = root.table("flush") else {
        return settings;
    };
    if let Some(strategy) = reader.choice("strategy") {
        settings.strategy = match strategy.value {
            "end" => Strategy::End,
            "periodic" => Strategy::Periodic,
            "continuous" => Strategy::Continuous,
            _ => Strategy::Adaptive,
        };
    }
    for (key, value) in [
        ("interval", &mut settings.interval),
        ("max_hold", &mut settings.max_hold),
        ("deadline_margin", &mut settings.deadline_margin),
    ] {
        if let Some(duration) = reader.duration(key) {
            *value = duration.value;
        }
    }
    if place == Place::Offline {
        advice::of_flush(&reader, &settings);
    }
    settings
}
