use tapline_core::batch::Batch;
use tapline_core::config::{Field, FieldKind, Fields, check_fields};
use tapline_core::sink::{Call, CallLimits, Outcome, Selection, Verdict};
use tapline_core::transform::{Context as TransformContext, Transform};
use tapline_core::world::Boxed;

use super::*;

/// A transform that does nothing.
struct Nothing;

impl Transform for Nothing {
    fn apply(&mut self, batch: Batch, _: &TransformContext<'_>, output: &mut Vec<Batch>) {
        output.push(batch);
    }
}

/// A sink that takes everything.
struct Hole;

impl Sink for Hole {
    fn limits(&self) -> CallLimits {
        CallLimits {
            records_max: 1,
            bytes_max: 1,
        }
    }

    fn deliver<'a>(&'a mut self, _: &'a Selection, _: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async { Verdict::Accepted.into() })
    }
}

const OWN: Fields = &[Field {
    name: "rules",
    kind: FieldKind::List(&FieldKind::Text),
    default: "",
    required: false,
    doc: "Anything.",
}];

fn transform(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Transform>> {
    reader.list_of_text("rules");
    Some(Box::new(Nothing))
}

fn sink(reader: &Reader<'_>, _: &Build<'_>) -> Option<Box<dyn Sink>> {
    reader.list_of_text("rules");
    Some(Box::new(Hole))
}

fn kinds() -> Kinds {
    let row = |name, redacts| TransformKind {
        name,
        feature: name,
        fields: OWN,
        build: Some(transform),
        redacts,
    };
    let absent = SinkKind {
        name: "absent",
        feature: "absent-feature",
        fields: OWN,
        build: None,
    };
    let hole = SinkKind {
        name: "hole",
        build: Some(sink),
        ..absent
    };
    Kinds {
        sinks: vec![hole, absent],
        transforms: vec![row("keep", false), row("redact", true)],
    }
}

fn read_in(place: Place, text: &str) -> (Load, Facts) {
    let mut facts = Facts {
        function_memory: Some(128 << 20),
        ..Facts::default()
    };
    let variable = |name: &str| (name == "STAGE").then(|| "prod".to_owned());
    let loaded = load(
        "tapline.toml",
        text.as_bytes(),
        &kinds(),
        &mut facts,
        &variable,
        place,
    );
    (loaded, facts)
}

fn runs(text: &str) -> Settings {
    match read_in(Place::Lambda, text).0 {
        Load::Runs(settings) => settings,
        Load::Parked(diagnostics) => panic!("{}", diagnostics.render()),
    }
}

fn parked(text: &str) -> String {
    match read_in(Place::Lambda, text).0 {
        Load::Runs(_) => panic!("it runs: {text}"),
        Load::Parked(diagnostics) => diagnostics.render(),
    }
}

fn warnings_offline(text: &str) -> String {
    match read_in(Place::Offline, text).0 {
        Load::Runs(settings) => settings.diagnostics.render(),
        Load::Parked(diagnostics) => panic!("{}", diagnostics.render()),
    }
}

const SINK: &str = "[sink.out]\ntype = 'hole'\n";

#[test]
fn fields_can_be_read() {
    for fields in [fields::ROOT, fields::TRANSFORM, fields::SINK] {
        assert_eq!(check_fields(fields), Ok(()));
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = runs(SINK);
    assert_eq!(settings.memory, (128 << 20) / 10);
    assert_eq!(
        settings.receiver,
        ReceiverSettings {
            api: Api::Telemetry,
            platform: true,
            function: true,
            extension: false,
            platform_format: PlatformFormat::Json,
            env: Vec::new(),
        }
    );
    assert_eq!(
        settings.flush,
        FlushSettings {
            strategy: Strategy::Adaptive,
            interval: Duration::from_secs(20),
            max_hold: Duration::from_millis(500),
            deadline_margin: Duration::from_millis(500),
        }
    );
    assert_eq!(settings.sinks[0].delivery, DeliverySettings::default());
    assert!(settings.diagnostics.is_empty());
}

/// The values in the code stand in only where a value is wrong; they are the defaults of the fields.
#[test]
fn every_key_arrives_where_it_belongs() {
    let text = "version = 1\nmemory = '16MiB'\n\
        [receiver]\napi = 'logs'\ntypes = ['extension']\nplatform_format = 'text'\nenv = ['STAGE', 'NONE', 'STAGE']\n\
        [flush]\nstrategy = 'end'\ninterval = '1s'\nmax_hold = '0s'\ndeadline_margin = '1s'\n\
        [sink.out]\ntype = 'hole'\nwhen = 'env.STAGE == \"prod\"'\ntimeout = '1s'\nretry.max_attempts = 2\n\
        breaker.strikes = 5\nqueue = { bytes = '1MiB', overflow = 'drop_newest' }\nbytes_per_hour = '1GiB'\n";
    let (loaded, facts) = read_in(Place::Lambda, text);
    let Load::Runs(settings) = loaded else {
        panic!("it is parked");
    };
    assert_eq!(settings.memory, 16 << 20);
    assert_eq!(settings.receiver.api, Api::Logs);
    assert_eq!(settings.receiver.platform_format, PlatformFormat::Text);
    assert!(settings.receiver.extension && !settings.receiver.platform);
    assert_eq!(settings.receiver.env, ["STAGE", "NONE"]);
    assert_eq!(facts.env, [("STAGE".to_owned(), "prod".to_owned())]);
    assert_eq!(settings.flush.strategy, Strategy::End);
    assert_eq!(settings.flush.interval, Duration::from_secs(1));
    assert_eq!(settings.flush.max_hold, Duration::ZERO);
    assert_eq!(settings.flush.deadline_margin, Duration::from_secs(1));
    let plan = &settings.sinks[0];
    assert_eq!(
        plan.when.as_ref().map(Expression::source),
        Some("env.STAGE == \"prod\"")
    );
    let wanted = DeliverySettings {
        timeout: Duration::from_secs(1),
        attempts_max: 2,
        strikes_max: 5,
        queue_bytes_max: 1 << 20,
        overflow: tapline_core::queue::Overflow::DropNewest,
        bytes_per_hour: Some(1 << 30),
    };
    assert_eq!(plan.delivery, wanted);
}

#[test]
fn an_error_inside_a_sink_disables_that_sink_alone() {
    for line in [
        "timeout = 5",
        "rules = 5",
        "when = 'levle == info'",
        "after = 'nobody'",
        "dead_letter = 'a'",
        "dead_letter = 'c'",
        "dead_letter = 5",
        "bytes_per_hour = '1KiB'",
        "bytes_per_hour = 'much'",
        "bytes_per_hour = 5",
    ] {
        let settings = runs(&format!(
            "[sink.a]\ntype = 'hole'\n{line}\n[sink.b]\ntype = 'hole'\n"
        ));
        let works: Vec<bool> = settings
            .sinks
            .iter()
            .map(|sink| sink.sink.is_some())
            .collect();
        assert_eq!(works, [false, true], "{line}");
        assert!(settings.diagnostics.has_errors(), "{line}");
    }
    for kind in [
        "",
        "type = 'otlp'\n",
        "type = 'absent'\n",
        "type = 'hoel'\n",
    ] {
        let settings = runs(&format!("[sink.a]\n{kind}[sink.b]\ntype = 'hole'\n"));
        assert!(settings.sinks[0].sink.is_none(), "{kind}");
    }
}

#[test]
fn without_a_working_sink_it_is_parked() {
    assert!(parked("[sink.a]\ntype = 'absent'\n").contains("cargo feature `absent-feature`"));
    assert!(parked("version = 1\n").contains("the file has no sink"));
    assert!(parked("[sink]\n").contains("the file has no sink"));
}

#[test]
fn errors_outside_of_sinks_park() {
    for (text, wanted) in [
        ("version = 2\n", "version 2"),
        ("memory = '1KiB'\n", "from 1MiB to 10GiB"),
        (
            "locked = ['transform.pii']\n",
            "`locked` is not in this version",
        ),
        ("receiver.env = ['$STAGE']\n", "no name of a variable"),
        ("receiver.api = 'both'\n", "no value of `api`"),
        ("flush.interval = '0s'\n", "from 1s to 10m"),
        (
            "transform = [{ type = 'keep', when = 'a' }]\n",
            "there is no name `a`",
        ),
        (
            "transform = [{ type = 'keep', name = 'a' }, { type = 'keep', name = 'a' }]\n",
            "called `a` too",
        ),
        (
            "transform = [{ type = 'keep', name = 'a b' }]\n",
            "cannot name a transform",
        ),
        (
            "transform = [{ type = 'redact', rule = [] }]\n",
            "did you mean `rules`?",
        ),
        (
            "transform = [{ type = 'redact', enabled = false, rules = 5 }]\n",
            "expected a list",
        ),
        ("version\n", "key with no value"),
    ] {
        let shown = parked(&format!("{text}{SINK}"));
        assert!(shown.contains(wanted), "{text}\n{shown}");
    }
}

#[test]
fn unknown_keys_are_warnings_until_strict() {
    let mut settings = runs(&format!(
        "x = 1\nreceiver.x = 1\ntransform = [{{ type = 'keep', x = 1 }}]\n{SINK}x = 1\nqueue.x = 1\n"
    ));
    assert_eq!(settings.diagnostics.summary(), "5 warnings");
    settings.diagnostics.strict();
    assert_eq!(settings.diagnostics.summary(), "5 errors");
}

const STAGES: &str = "[[transform]]\ntype = 'keep'\nname = 'first'\n\
    [[transform]]\ntype = 'redact'\nname = 'pii'\n\
    [[transform]]\ntype = 'keep'\nenabled = false\nname = 'off'\n\
    [[transform]]\ntype = 'keep'\n";

#[test]
fn taps_count_the_stages_that_are_enabled() {
    let settings = runs(&format!(
        "{STAGES}{SINK}[sink.a]\ntype = 'hole'\nafter = 'pii'\n[sink.b]\ntype = 'hole'\nafter = 'off'\n\
         [sink.c]\ntype = 'hole'\nafter = 'first'\nunredacted = true\n"
    ));
    let names: Vec<&str> = settings
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .collect();
    assert_eq!(names, ["first", "pii", "transform 4 (keep)"]);
    let redacts: Vec<bool> = settings.stages.iter().map(|stage| stage.redacts).collect();
    assert_eq!(redacts, [false, true, false]);
    let after: Vec<usize> = settings.sinks.iter().map(|sink| sink.after).collect();
    assert_eq!(after, [3, 2, 2, 1]);
    assert_eq!(settings.transforms.len(), 4);
}

#[test]
fn a_tap_before_every_redaction_is_disabled_unless_it_says_so() {
    let text = format!("{STAGES}{SINK}[sink.early]\ntype = 'hole'\nafter = 'first'\n");
    let settings = runs(&text);
    assert!(settings.sinks[1].sink.is_none());
    assert!(
        settings
            .diagnostics
            .render()
            .contains("no `redact` comes before sink `early`")
    );
    assert!(
        runs(&format!("{text}unredacted = true\n")).sinks[1]
            .sink
            .is_some()
    );
}

/// Who switches the redaction off for a test must not find the records in the vendor's index.
#[test]
fn a_redaction_that_is_switched_off_covers_no_sink() {
    let text = format!("[[transform]]\ntype = 'redact'\nenabled = false\n{SINK}");
    assert!(parked(&text).contains("no `redact` comes before"));
    assert_eq!(runs(&format!("{text}unredacted = true\n")).stages.len(), 0);
}

#[test]
fn queues_share_three_quarters_of_memory_in_proportion() {
    let text = |memory: &str| {
        format!(
            "memory = '{memory}'\n[sink.a]\ntype = 'hole'\nqueue.bytes = '4MiB'\n[sink.b]\ntype = 'hole'\nqueue.bytes = '2MiB'\n"
        )
    };
    let queues = |settings: &Settings| -> Vec<usize> {
        settings
            .sinks
            .iter()
            .map(|sink| sink.delivery.queue_bytes_max)
            .collect()
    };
    let fits = runs(&text("8MiB"));
    assert_eq!(queues(&fits), [4 << 20, 2 << 20], "just fits");
    assert!(fits.diagnostics.is_empty());
    let shrunk = runs(&text("4MiB"));
    assert_eq!(queues(&shrunk), [2 << 20, 1 << 20]);
    let shown = shrunk.diagnostics.render();
    assert!(shown.contains("they get `a` 2MiB, `b` 1MiB"), "{shown}");
    assert!(shown.contains("`memory` of 9MiB or more"), "{shown}");
}

#[test]
fn a_secret_beside_an_unknown_type_is_not_shown() {
    let shown = parked(
        "sink.a = { type = 'hoel', headers = { x = 'hunter2' }, url = 'https://u:hunter2@h' }\n",
    );
    assert!(shown.contains("did you mean `hole`?"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn advice_is_given_offline_only() {
    let text = format!("{SINK}[[test]]\nname = 'x'\n");
    assert!(runs(&text).diagnostics.is_empty());
    let shown = warnings_offline(&text);
    for wanted in [
        "which version",
        "nothing is redacted",
        "`tapline test` is not in this version",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
}

#[test]
fn advice_names_what_is_probably_not_meant() {
    for (text, wanted) in [
        ("flush.max_hold = '3s'\n", "more than 2s"),
        ("flush.max_hold = '0s'\n", "nothing is held"),
        ("flush.deadline_margin = '50ms'\n", "less than 100ms"),
        ("flush.deadline_margin = '3s'\n", "below 30s"),
        ("receiver.types = []\n", "names no source"),
    ] {
        let shown = warnings_offline(&format!("{text}{SINK}"));
        assert!(shown.contains(wanted), "{text}\n{shown}");
    }
    let shown = warnings_offline(&format!("{STAGES}{SINK}after = 'pii'\n"));
    assert!(
        shown.contains("no sink takes what has passed `transform 4 (keep)`"),
        "{shown}"
    );
}

#[test]
fn too_many_tables_are_refused() {
    let sinks = |count: usize| -> String {
        (0..count)
            .map(|i| format!("[sink.s{i}]\ntype = 'hole'\n"))
            .collect()
    };
    assert_eq!(runs(&sinks(32)).sinks.len(), 32);
    assert!(parked(&sinks(33)).contains("more than 32 sinks"));
    let transforms = |count: usize| "[[transform]]\ntype = 'keep'\n".repeat(count) + SINK;
    assert_eq!(runs(&transforms(64)).stages.len(), 64);
    assert!(parked(&transforms(65)).contains("more than 64 transforms"));
}
