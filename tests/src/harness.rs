//! The real binary in the local Lambda with a configuration, and all that can be known of its life afterwards.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tapline::local::{
    Extension, InitOutcome, Invocation, InvokeOutcome, Journal, Lambda, ProcessEnd, Reason, Script,
    Settings, ShutdownOutcome, Status, clock,
};
use tokio::time::sleep;

use crate::backend::Line;
use crate::binary;

/// `max_hold` of every scenario that does not say otherwise.
pub const MAX_HOLD: Duration = Duration::from_millis(500);

/// What a busy machine may add to a hold. Nothing in the product waits for so long unasked.
pub const SLACK: Duration = Duration::from_millis(150);

/// Waits for a fact.
///
/// # Panics
///
/// When it is not there within `most`.
pub async fn until(what: &str, most: Duration, mut fact: impl FnMut() -> bool) {
    let deadline = clock::now() + most;
    while !fact() {
        assert!(clock::now() < deadline, "not within {most:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A folder of one's own that goes with its value.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("tapline-scenario-{}", clock::uuid()));
        std::fs::create_dir(&path).expect("the temporary folder can be written");
        Folder(path)
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("the temporary folder can be written");
        path
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is left to tell it to.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// An environment before its start.
#[derive(Debug)]
pub struct Scenario {
    settings: Settings,
    folder: Folder,
    variables: Vec<(String, String)>,
    binary: Option<&'static Path>,
}

impl Scenario {
    /// With this configuration. A function has 20 s, so that only those that hang time out.
    pub fn new(config: &str) -> Scenario {
        let scenario = Scenario::without_configuration();
        let path = scenario
            .folder
            .write("tapline.toml", config)
            .display()
            .to_string();
        scenario.variable("TAPLINE_CONFIG", &path)
    }

    /// With none.
    pub fn without_configuration() -> Scenario {
        Scenario {
            settings: Settings {
                timeout: Duration::from_secs(20),
                ..Settings::default()
            },
            folder: Folder::new(),
            variables: Vec::new(),
            binary: None,
        }
    }

    /// With another extension than Tapline's own binary.
    #[must_use]
    pub fn run_by(mut self, binary: &'static Path) -> Scenario {
        self.binary = Some(binary);
        self
    }

    /// With a variable in the extension's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Scenario {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// On a platform that differs.
    #[must_use]
    pub fn on(mut self, change: impl FnOnce(&mut Settings)) -> Scenario {
        change(&mut self.settings);
        self
    }

    /// Initialises, whatever comes of it.
    pub async fn start(mut self) -> (Life, InitOutcome) {
        self.settings.extensions = vec![Extension {
            env: self.variables,
            ..Extension::new(self.binary.unwrap_or(binary::tapline()))
        }];
        let mut lambda = Lambda::start(self.settings)
            .await
            .expect("loopback has a free port");
        let init = lambda.init().await;
        let life = Life {
            lambda,
            outcomes: Vec::new(),
            _folder: self.folder,
        };
        (life, init)
    }

    /// Initialises.
    ///
    /// # Panics
    ///
    /// When init does not succeed.
    pub async fn begin(self) -> Life {
        let (life, init) = self.start().await;
        assert_eq!(
            init.status,
            Status::Success,
            "{init:?} {:?}",
            life.lambda.ended()
        );
        life
    }
}

/// An environment that lives.
#[derive(Debug)]
pub struct Life {
    /// The platform.
    pub lambda: Lambda,
    /// Of all invocations so far.
    pub outcomes: Vec<InvokeOutcome>,
    _folder: Folder,
}

impl Life {
    /// One invocation of a scripted function.
    pub async fn invoke(&mut self, script: Script) -> InvokeOutcome {
        let outcome = self.lambda.invoke(Invocation::script(script)).await;
        self.outcomes.push(outcome.clone());
        outcome
    }

    /// How long the extension held the last invocation.
    pub fn held(&self) -> Duration {
        self.outcomes.last().map_or(Duration::ZERO, held)
    }

    /// Process id of the extension.
    pub fn process(&self) -> i32 {
        let processes = self.lambda.processes();
        processes
            .iter()
            .find(|(name, _)| name == "tapline")
            .expect("the extension runs")
            .1
    }

    /// Ends the environment.
    pub async fn end(mut self) -> End {
        let shutdown = self.lambda.shutdown(Reason::Spindown).await;
        let processes: Vec<ProcessEnd> = self
            .lambda
            .ended()
            .iter()
            .filter(|process| ["tapline", "clumsy"].contains(&process.name.as_str()))
            .cloned()
            .collect();
        let ledgers = processes.iter().filter_map(ledger).collect();
        End {
            outcomes: self.outcomes,
            shutdown,
            journal: self.lambda.journal(),
            processes,
            ledgers,
        }
    }
}

/// The most memory that a process ever had resident, in KiB (`VmHWM`).
pub fn peak_rss_kib(process: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the kernel keeps count");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

/// How long the extension held an invocation.
pub fn held(outcome: &InvokeOutcome) -> Duration {
    outcome
        .held
        .iter()
        .map(|(_, held)| *held)
        .max()
        .unwrap_or_default()
}

fn ledger(process: &ProcessEnd) -> Option<Ledger> {
    process.stderr.iter().find_map(|line| Ledger::parse(line))
}

/// All that is known of a life.
#[derive(Debug)]
pub struct End {
    /// Of every invocation.
    pub outcomes: Vec<InvokeOutcome>,
    /// How it ended.
    pub shutdown: ShutdownOutcome,
    /// What the platform sent.
    pub journal: Journal,
    /// The extension's processes, one a generation.
    pub processes: Vec<ProcessEnd>,
    /// Their ledgers.
    pub ledgers: Vec<Ledger>,
}

impl End {
    /// The only ledger.
    ///
    /// # Panics
    ///
    /// When there is none, or another one.
    pub fn ledger(&self) -> &Ledger {
        assert_eq!(self.ledgers.len(), 1, "{:?}", self.processes);
        &self.ledgers[0]
    }

    /// All that the extension wrote to stderr, in all generations.
    pub fn said(&self) -> String {
        let lines: Vec<&str> = self
            .processes
            .iter()
            .flat_map(|process| &process.stderr)
            .map(String::as_str)
            .collect();
        lines.join("\n")
    }

    /// The function was not harmed: every invocation that could succeed did, none was held too long, every process of
    /// the extension ended by itself, in time and well, and every ledger adds up.
    ///
    /// # Panics
    ///
    /// When it was.
    pub fn assert_unharmed(&self) {
        for outcome in &self.outcomes {
            assert!(
                outcome.status == Status::Success || outcome.reset.is_some(),
                "{outcome:?}"
            );
            assert!(
                held(outcome) <= MAX_HOLD + SLACK,
                "held for {:?}",
                held(outcome)
            );
        }
        self.assert_ended_well();
    }

    /// The part of [`End::assert_unharmed`] that is about processes and ledgers.
    ///
    /// # Panics
    ///
    /// When one of them is not as it should be.
    pub fn assert_ended_well(&self) {
        assert!(self.shutdown.within_budget, "{:?}", self.shutdown);
        assert!(!self.processes.is_empty());
        for process in &self.processes {
            assert!(!process.killed, "{process:?}");
            assert_eq!(
                process.exit.and_then(|exit| exit.code),
                Some(0),
                "{process:?}"
            );
        }
        for ledger in &self.ledgers {
            ledger.assert_adds_up();
        }
    }

    /// What the platform delivered at least once: type, time and record, sorted.
    pub fn sent(&self) -> Vec<[String; 3]> {
        let sent = self
            .journal
            .deliveries
            .iter()
            .flat_map(|delivery| delivery.delivered());
        let mut elements: Vec<[String; 3]> = sent.map(|sent| element(&sent.json)).collect();
        elements.sort();
        elements
    }

    /// Each record that the platform sent is among these exactly once, byte for byte, under an id of its own; and
    /// nothing else is but Tapline's own.
    ///
    /// # Panics
    ///
    /// When that is not so.
    pub fn assert_all_arrived(&self, lines: &[Line]) {
        let mut got: Vec<[String; 3]> = lines
            .iter()
            .filter(|line| !line.kind.starts_with("tapline."))
            .map(parts)
            .collect();
        got.sort();
        let sent = self.sent();
        let missing: Vec<_> = sent
            .iter()
            .filter(|element| got.binary_search(element).is_err())
            .collect();
        assert!(
            missing.is_empty(),
            "{} of {} did not arrive: {missing:?}",
            missing.len(),
            sent.len()
        );
        assert_eq!(
            got.len(),
            sent.len(),
            "something came twice: {:?}",
            extra(&sent, &got)
        );
        assert_eq!(got, sent);
        assert_ids_unique(lines);
    }
}

/// Those of `got` that `sent` has fewer of.
fn extra(sent: &[[String; 3]], got: &[[String; 3]]) -> Vec<[String; 3]> {
    let mut left = sent.to_vec();
    let mut extra = Vec::new();
    for element in got {
        match left.binary_search(element) {
            Ok(at) => drop(left.remove(at)),
            Err(_) => extra.push(element.clone()),
        }
    }
    extra
}

/// No two records have the same id.
///
/// # Panics
///
/// When two have.
pub fn assert_ids_unique(lines: &[Line]) {
    let mut ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    ids.sort_unstable();
    let twice: Vec<_> = ids.windows(2).filter(|two| two[0] == two[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn parts(line: &Line) -> [String; 3] {
    [line.kind.clone(), line.time.clone(), line.record.clone()]
}

/// Type, time and the exact bytes of the record.
fn element(json: &[u8]) -> [String; 3] {
    let members: BTreeMap<&str, &RawValue> =
        serde_json::from_slice(json).expect("the platform sends JSON");
    let word = |key: &str| serde_json::from_str(members[key].get()).expect("a string");
    [
        word("type"),
        word("time"),
        members["record"].get().to_owned(),
    ]
}

/// The line that is printed at the end.
#[derive(Debug, Clone)]
pub struct Ledger(pub Value);

impl Ledger {
    /// Reads it, where the line is one.
    pub fn parse(line: &str) -> Option<Ledger> {
        let value: Value = serde_json::from_str(line).ok()?;
        (value["tapline"] == "ledger").then_some(Ledger(value))
    }

    /// A count of the whole extension; 0 where it is left out.
    pub fn count(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or(0)
    }

    /// A count of a sink; 0 where it is left out.
    ///
    /// # Panics
    ///
    /// When there is no such sink.
    pub fn of(&self, sink: &str, name: &str) -> u64 {
        let counts = &self.0["sinks"][sink];
        assert!(counts.is_object(), "no sink `{sink}` in {}", self.0);
        counts[name].as_u64().unwrap_or(0)
    }

    /// What a sink lost, by reason.
    pub fn dropped(&self, sink: &str) -> BTreeMap<String, u64> {
        serde_json::from_value(self.0["sinks"][sink]["dropped"].clone()).expect("a map of counts")
    }

    /// The law, for every sink, and nothing in flight.
    ///
    /// # Panics
    ///
    /// When a record was lost in silence.
    pub fn assert_adds_up(&self) {
        let sinks = self.0["sinks"].as_object().expect("every ledger has sinks");
        for name in sinks.keys() {
            let taken =
                self.count("received") + self.of(name, "generated") + self.of(name, "inherited");
            let ends = ["delivered", "filtered", "sampled", "merged", "rejected"];
            let dropped: u64 = self.dropped(name).values().sum();
            let ended: u64 = ends.iter().map(|end| self.of(name, end)).sum::<u64>() + dropped;
            assert_eq!(taken, ended, "sink `{name}`: {}", self.0);
            assert_eq!(self.of(name, "in_flight"), 0, "sink `{name}`: {}", self.0);
        }
    }
}
