//! The local Lambda against real processes on loopback, in real time. AWS itself is not proven here.
#![cfg(feature = "cli")]

// Beside this file and not in `tests`, where each would be a binary of its own.
#[path = "local/delivery.rs"]
mod delivery;
#[path = "local/simulate.rs"]
mod simulate;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tapline::local::{
    Delivery, End, Extension, Faults, Function, InitType, Invocation, Lambda, LogFormat,
    ProcessEnd, Reason, Script, Settings, Status, Step, clock,
};

const PLENTY: Duration = Duration::from_secs(20);

fn helper(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/helpers")
        .join(name)
}

/// The helper extension with its `EXT_*` variables.
fn extension(options: &[(&str, &str)]) -> Extension {
    let env = options
        .iter()
        .map(|(key, value)| (format!("EXT_{key}"), (*value).to_owned()));
    Extension {
        env: env.collect(),
        ..Extension::new(helper("extension.py"))
    }
}

fn settings(extensions: Vec<Extension>) -> Settings {
    Settings {
        extensions,
        timeout: PLENTY,
        ..Settings::default()
    }
}

fn logging(lines: &[&str]) -> Invocation {
    let steps = lines
        .iter()
        .map(|line| Step::Log((*line).to_owned()))
        .collect();
    Invocation::script(Script::new(steps))
}

async fn up(settings: Settings) -> Lambda {
    let mut lambda = Lambda::start(settings)
        .await
        .expect("loopback has a free port");
    let outcome = lambda.init().await;
    assert_eq!(outcome.status, Status::Success, "{outcome:?}");
    lambda
}

/// What the helper said, of one kind.
fn said(process: &ProcessEnd, kind: &str) -> Vec<Value> {
    let lines = process
        .stdout
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["got"] == kind).collect()
}

/// Every element that the helper got in a POST that parses, in order.
fn elements(process: &ProcessEnd) -> Vec<Value> {
    let posts = said(process, "post")
        .into_iter()
        .filter(|post| post["refused"] == false);
    let bodies = posts.map(|post| post["body"].as_str().expect("text").to_owned());
    let parsed = bodies.filter_map(|body| serde_json::from_str::<Vec<Value>>(&body).ok());
    parsed.flatten().collect()
}

fn types(elements: &[Value]) -> Vec<&str> {
    elements
        .iter()
        .map(|element| element["type"].as_str().expect("a type"))
        .collect()
}

fn only(deliveries: &[Delivery]) -> &Delivery {
    assert_eq!(deliveries.len(), 1);
    &deliveries[0]
}

fn process_state(id: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let tail = stat
        .rsplit_once(") ")
        .expect("the name is in parentheses")
        .1;
    tail.chars().next().expect("a state")
}

/// Init, two invocations, shutdown: what the platform promises about order.
/// The report of the first comes only with the second, the last one at shutdown.
#[tokio::test]
async fn a_life_in_order() {
    let mut lambda = up(settings(vec![extension(&[
        ("TYPES", "platform,function"),
        ("HOLD", "0.15"),
    ])]))
    .await;
    let first = lambda.invoke(logging(&["one"])).await;
    assert!(
        first.held[0].1 >= Duration::from_millis(150),
        "{:?}",
        first.held
    );
    lambda.freeze_for(Duration::from_millis(100)).await;
    lambda.invoke(logging(&["two"])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    assert!(end.within_budget);
    let process = &end.processes[0];
    assert_eq!(process.exit.and_then(|exit| exit.code), Some(0));
    assert!(process.rss_kib_max.is_some_and(|kib| kib > 1000));
    let got = elements(process);
    let expected = [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ];
    assert_eq!(types(&got), expected);
    assert_eq!(got[6]["record"], "one\n");
    assert_eq!(got[0]["record"]["phase"], "init");
    // A report never comes in the POST that has the runtimeDone of its own invocation.
    for post in said(process, "post") {
        let body = post["body"].as_str().expect("text");
        let of = |kind: &str| body.find(&format!("platform.{kind}\""));
        assert!(
            of("runtimeDone").is_none_or(|done| of("report").is_none_or(|report| report < done))
        );
        assert_eq!(post["path"], "/some/path");
    }
    saw_its_life(process, &first.request_id);
    // Everything that was for it was delivered exactly once.
    let journal = lambda.journal();
    let delivery = only(&journal.deliveries);
    assert!(
        delivery.sent.iter().all(|sent| sent.delivered == 1),
        "{:?}",
        delivery.sent
    );
    assert_eq!(delivery.sent.len(), expected.len());
}

/// What the extension itself was told in that life.
fn saw_its_life(process: &ProcessEnd, request_id: &str) {
    let events = said(process, "event");
    let bodies: Vec<Value> = events
        .iter()
        .map(|e| serde_json::from_str(e["body"].as_str().expect("text")).expect("JSON"))
        .collect();
    assert_eq!(bodies[0]["requestId"], request_id);
    assert_eq!(bodies[2]["shutdownReason"], "spindown");
    let registered: Value = serde_json::from_str(
        said(process, "registered")[0]["body"]
            .as_str()
            .expect("text"),
    )
    .expect("JSON");
    assert_eq!(registered["accountId"], "123456789012");
}

/// An extension that takes its time before `next` keeps init from ending.
#[tokio::test]
async fn init_waits_for_every_next() {
    let mut lambda = Lambda::start(settings(vec![extension(&[("READY_AFTER", "0.4")])]))
        .await
        .expect("a port");
    let outcome = lambda.init().await;
    assert_eq!(outcome.status, Status::Success);
    assert!(outcome.duration >= Duration::from_millis(400));
    let start = &outcome.extensions[0];
    assert!(start.registered_after.expect("registered") < start.ready_after.expect("ready"));
}

/// One that registers under another name is internal; its process never counts as registered.
#[tokio::test]
async fn init_times_out_for_a_wrong_name() {
    let mut lambda = Lambda::start(Settings {
        init_timeout: Some(Duration::from_millis(1500)),
        ..settings(vec![extension(&[("NAME", "other"), ("EVENTS", "[]")])])
    })
    .await
    .expect("a port");
    let outcome = lambda.init().await;
    assert_eq!(outcome.status, Status::Timeout);
    assert!(
        lambda.processes().is_empty(),
        "a failed init leaves nothing behind"
    );
}

/// A frozen process is stopped in the kernel's eyes, and runs again for the next event.
#[tokio::test]
async fn freeze_stops_processes() {
    let mut lambda = up(settings(vec![extension(&[])])).await;
    let (_, id) = lambda.processes()[0].clone();
    let deadline = clock::now() + Duration::from_secs(2);
    while process_state(id) != 'T' && clock::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(process_state(id), 'T');
    assert!(lambda.frozen());
    let outcome = lambda.invoke(logging(&[])).await;
    assert_eq!(outcome.status, Status::Success);
    lambda.shutdown(Reason::Spindown).await;
}

/// The function hangs: runtimeDone says timeout, the extension hears SHUTDOWN with that reason, and the next invocation
/// initialises inside itself.
#[tokio::test]
async fn a_timeout_resets() {
    let mut lambda = up(Settings {
        timeout: Duration::from_secs(2),
        ..settings(vec![extension(&[("TYPES", "platform")])])
    })
    .await;
    let hang = Script::default().ending(End::Hang);
    let outcome = lambda.invoke(Invocation::script(hang)).await;
    assert!(outcome.timed_out());
    let reset = outcome.reset.expect("a timeout resets");
    assert!(reset.within_budget);
    let events = said(&reset.processes[0], "event");
    assert!(
        events[1]["body"]
            .as_str()
            .expect("text")
            .contains(r#""shutdownReason":"timeout""#)
    );
    let got = elements(&reset.processes[0]);
    let done = got
        .iter()
        .find(|e| e["type"] == "platform.runtimeDone")
        .expect("before the end");
    assert_eq!(done["record"]["status"], "timeout");
    let next = lambda.invoke(logging(&[])).await;
    assert_eq!(next.status, Status::Success, "{next:?}");
    assert_eq!(next.suppressed_init.expect("it was down").phase, "invoke");
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    assert_eq!(got[0]["record"]["phase"], "invoke");
}

/// Exit code 0 in the middle of an invocation is a crash all the same.
#[tokio::test]
async fn an_extension_that_exits_fails_the_invocation() {
    let mut lambda = up(settings(vec![extension(&[("EXIT_AT", "invoke")])])).await;
    let outcome = lambda.invoke(logging(&[])).await;
    assert_eq!(outcome.status, Status::Error);
    assert_eq!(outcome.fatal.expect("a crash").kind, "Extension.Crash");
}

/// The same during init, and a file that may not be executed.
#[tokio::test]
async fn an_extension_that_does_not_start_fails_init() {
    let mut lambda = Lambda::start(settings(vec![extension(&[("EXIT_AT", "start")])]))
        .await
        .expect("a port");
    assert_eq!(
        lambda.init().await.fatal.expect("a crash").kind,
        "Extension.Crash"
    );
    let plain = Extension::new(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let mut lambda = Lambda::start(settings(vec![plain])).await.expect("a port");
    let outcome = lambda.init().await;
    assert_eq!(
        outcome.fatal.expect("no program").kind,
        "Extension.LaunchError"
    );
    assert_eq!(
        outcome.extensions[0].error_type.as_deref(),
        Some("PermissionDenied")
    );
}

/// A runtime crash in the script: `Runtime.ExitError`, reason failure.
#[tokio::test]
async fn a_crash_of_the_function_resets() {
    let mut lambda = up(settings(vec![extension(&[("TYPES", "platform")])])).await;
    let crash = Script::default().ending(End::Crash { exit: 1 });
    let outcome = lambda.invoke(Invocation::script(crash)).await;
    assert_eq!(outcome.fatal.expect("a crash").kind, "Runtime.ExitError");
    let reset = outcome.reset.expect("a crash resets");
    let events = said(&reset.processes[0], "event");
    assert!(
        events[1]["body"]
            .as_str()
            .expect("text")
            .contains(r#""shutdownReason":"failure""#)
    );
}

/// SHUTDOWN is ignored: after 2 s the process group is killed.
#[tokio::test]
async fn who_ignores_shutdown_is_killed() {
    let mut lambda = up(settings(vec![extension(&[("IGNORE_SHUTDOWN", "1")])])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    assert!(!end.within_budget);
    assert!(end.processes[0].killed);
    assert_eq!(end.processes[0].exit.and_then(|exit| exit.signal), Some(9));
    let expected = Duration::from_millis(1900)..Duration::from_millis(3500);
    assert!(expected.contains(&end.duration), "{:?}", end.duration);
}

/// Managed Instances: INVOKE cannot be registered; with SHUTDOWN alone invocations overlap and nothing is frozen.
#[tokio::test]
async fn managed_instances_have_their_rules() {
    let managed = |extension| Settings {
        init_type: InitType::ManagedInstances,
        log_format: LogFormat::Json,
        init_timeout: Some(Duration::from_secs(2)),
        ..settings(vec![extension])
    };
    let mut refused = Lambda::start(managed(extension(&[])))
        .await
        .expect("a port");
    assert_ne!(refused.init().await.status, Status::Success);
    let answer = &said(&refused.ended()[0], "registered")[0];
    assert_eq!(answer["status"], 403);
    assert!(
        answer["body"]
            .as_str()
            .expect("text")
            .contains("INVOKE: ErrorInvalidEventType")
    );

    let asked = [
        ("EVENTS", r#"["SHUTDOWN"]"#),
        ("TYPES", "platform,function"),
        ("SCHEMA", "2025-01-29"),
    ];
    let mut lambda = up(managed(extension(&asked))).await;
    assert!(!lambda.frozen());
    let slow = |name: &str| {
        let steps = vec![
            Step::Log(name.into()),
            Step::Sleep(Duration::from_millis(200)),
        ];
        Invocation::script(Script::new(steps))
    };
    let began = clock::now();
    let outcomes = lambda.invoke_concurrently(vec![slow("a"), slow("b")]).await;
    assert_eq!(outcomes.len(), 2);
    assert!(began.elapsed() < Duration::from_millis(950), "they overlap");
    assert!(lambda.delivered(Duration::from_secs(5)).await);
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    let kinds = types(&got);
    assert!(!kinds.contains(&"platform.runtimeDone"));
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "platform.report")
            .count(),
        2
    );
    let starts: Vec<usize> = (0..kinds.len())
        .filter(|n| kinds[*n] == "platform.start")
        .collect();
    assert_eq!(starts[1], starts[0] + 1, "both start before either logs");
    assert_eq!(said(&end.processes[0], "post")[0]["path"], "/");
}

/// Provisioned concurrency: its word in the init events, and no init time in the report.
#[tokio::test]
async fn provisioned_concurrency_is_ready_long_before() {
    let mut lambda = up(Settings {
        init_type: InitType::ProvisionedConcurrency,
        ..settings(vec![extension(&[("TYPES", "platform"), ("HOLD", "0.1")])])
    })
    .await;
    lambda.freeze_for(Duration::from_millis(200)).await;
    lambda.invoke(logging(&[])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    let got = elements(&end.processes[0]);
    assert_eq!(
        got[0]["record"]["initializationType"],
        "provisioned-concurrency"
    );
    let report = got
        .iter()
        .find(|e| e["type"] == "platform.report")
        .expect("a report");
    assert!(report["record"]["metrics"].get("initDurationMs").is_none());
}

/// A runtime in Python over the real Runtime API: answers, an error, a crash with exit code 3, and a new start.
#[tokio::test]
async fn a_command_speaks_the_runtime_api() {
    let command = vec![
        "python3".to_owned(),
        helper("runtime.py").display().to_string(),
    ];
    let mut lambda = up(Settings {
        function: Function::Command(command),
        ..settings(vec![extension(&[
            ("TYPES", "function,platform"),
            ("HOLD", "0.1"),
        ])])
    })
    .await;
    let good = lambda.invoke(Invocation::payload(r#"{"n":1}"#)).await;
    assert_eq!(
        good.response.as_deref(),
        Some(br#"{"seen": {"n": 1}}"#.as_slice())
    );
    let thrown = lambda
        .invoke(Invocation::payload(r#"{"throw":"no"}"#))
        .await;
    assert_eq!(thrown.status, Status::Success);
    assert_eq!(thrown.function_error.expect("it threw").kind, "ValueError");
    let crashed = lambda.invoke(Invocation::payload(r#"{"exit":3}"#)).await;
    let fatal = crashed.fatal.expect("it ended");
    assert_eq!(
        (fatal.kind.as_str(), fatal.message.as_str()),
        (
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3"
        )
    );
    let again = lambda.invoke(Invocation::payload(r#"{"n":2}"#)).await;
    assert_eq!(again.status, Status::Success);
    assert!(again.suppressed_init.is_some());
    lambda.shutdown(Reason::Spindown).await;
    let journal = lambda.journal();
    let lines = journal
        .elements
        .iter()
        .filter(|element| element.kind == "function")
        .count();
    assert_eq!(lines, 6, "two cold starts, four invocations");
}

/// A runtimeDone that is lost, a `next` that is refused, a SHUTDOWN that does not come.
#[tokio::test]
async fn faults_happen_as_told() {
    let faults = Faults {
        drop_runtime_done: vec![0],
        withhold_report: true,
        withhold_shutdown: true,
        shutdown_budget: Duration::from_millis(300),
        ..Faults::default()
    };
    let mut lambda = up(Settings {
        faults,
        ..settings(vec![extension(&[("TYPES", "platform"), ("HOLD", "0.2")])])
    })
    .await;
    lambda.invoke(logging(&[])).await;
    lambda.invoke(logging(&[])).await;
    let end = lambda.shutdown(Reason::Spindown).await;
    assert!(!end.within_budget);
    let got = elements(&end.processes[0]);
    let kinds = types(&got);
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "platform.runtimeDone")
            .count(),
        1
    );
    assert!(!kinds.contains(&"platform.report"));

    let faults = Faults {
        refuse_next_at: Some(1),
        ..Faults::default()
    };
    let mut lambda = Lambda::start(Settings {
        faults,
        init_timeout: Some(Duration::from_secs(1)),
        ..settings(vec![extension(&[])])
    })
    .await
    .expect("a port");
    assert_eq!(lambda.init().await.status, Status::Timeout);
    let refused = &said(&lambda.ended()[0], "event")[0];
    assert_eq!(refused["status"], 403);
}

/// One request over a connection of its own: status and body.
async fn call(lambda: &Lambda, head: &str, body: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(lambda.address())
        .await
        .expect("it listens");
    let (line, headers) = head.split_once('|').unwrap_or((head, ""));
    let headers = headers.replace('|', "\r\n");
    let separator = if headers.is_empty() { "" } else { "\r\n" };
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}{separator}\r\n{body}"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    let status = answer[9..12].parse().expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a head").1;
    (status, body.to_owned())
}

/// Error bodies have AWS's keys in AWS's order and end with a newline.
#[tokio::test]
async fn error_bodies_are_exact() {
    let lambda = Lambda::start(settings(Vec::new())).await.expect("a port");
    let error = |kind: &str, message: &str| {
        format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"{kind}\"}}\n")
    };
    let register = "POST /2020-01-01/extension/register|Lambda-Extension-Name: a";
    let next = "GET /2020-01-01/extension/event/next";
    let telemetry = "PUT /2022-07-01/telemetry";
    for (head, body, status, expected) in [
        ("GET /2018-06-01/ping", "", 200, "pong".to_owned()),
        (
            "GET /2020-01-01/extension/else",
            "",
            404,
            "404 page not found\n".to_owned(),
        ),
        (
            register,
            "",
            403,
            error("InvalidRequestFormat", "unexpected end of JSON input"),
        ),
        (
            register,
            r#"{"events":[]}"#,
            403,
            error(
                "Extension.RegistrationClosed",
                "Extension registration closed already",
            ),
        ),
        (
            register,
            r#"{"events":["OTHER"]}"#,
            403,
            error("Extension.InvalidEventType", "OTHER: ErrorInvalidEventType"),
        ),
        (
            next,
            "",
            403,
            error(
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header",
            ),
        ),
        (
            telemetry,
            "{}",
            403,
            error(
                "Extension.MissingExtensionIdentifier",
                "Missing Lambda-Extension-Identifier header",
            ),
        ),
        (
            "POST /2018-06-01/runtime/invocation/x/response",
            "{}",
            400,
            error("InvalidRequestID", "Invalid request ID"),
        ),
    ] {
        assert_eq!(
            call(&lambda, head, body).await,
            (status, expected),
            "{head}"
        );
    }
}
