//! A real function in Python, with AWS's own runtime interface client, instead of a script.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tapline::local::{Function, Invocation, LogFormat, Status};

use crate::backend::{Answer, FakeBackend};
use crate::binary;
use crate::harness::{End, Folder, Scenario};

const HANDLER: &str = r#"
import json
import logging

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def handler(event, context):
    print("printed by", context.aws_request_id)
    print(json.dumps({"level": "warn", "message": "structured", "card": "4111 1111 1111 1111"}))
    logger.info("logged %s", event["n"])
    if event["n"] == 2:
        raise ValueError("the handler threw")
    return {"n": event["n"]}
"#;

/// The runtime interface client, installed once into `target`. Without it there is no test: it fails.
fn runtime_interface_client() -> PathBuf {
    binary::once("awslambdaric", || {
        let folder = binary::target().join("scenarios/awslambdaric");
        if !folder.join("awslambdaric/__main__.py").exists() {
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--target",
            ]);
            let installed = pip
                .arg(&folder)
                .arg("awslambdaric")
                .status()
                .expect("there is a python3");
            assert!(installed.success(), "`awslambdaric` cannot be installed");
        }
        folder
    })
}

/// A life of three invocations that print and log; the second one throws.
async fn lived(config: &str) -> End {
    let client = runtime_interface_client();
    let task = Folder::new();
    task.write("app.py", HANDLER);
    let python = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let python =
        String::from_utf8(python.expect("there is a python3").stdout).expect("a path is text");
    let path = format!("{}:{}", client.display(), task.path().display());
    let scenario = Scenario::new(config).on(|platform| {
        let words = [python.trim(), "-m", "awslambdaric", "app.handler"];
        platform.function = Function::Command(words.map(str::to_owned).into());
        platform.environment.push(("PYTHONPATH".to_owned(), path));
        platform.log_format = LogFormat::Text;
        platform.timeout = Duration::from_secs(20);
    });
    let mut life = scenario.begin().await;
    for number in 1..=3 {
        let outcome = life
            .lambda
            .invoke(Invocation::payload(format!("{{\"n\":{number}}}")))
            .await;
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        assert_eq!(outcome.function_error.is_some(), number == 2, "{outcome:?}");
        life.outcomes.push(outcome);
    }
    life.end().await
}

/// Three invocations that print and log; the second one throws.
/// All lines arrive once, redacted, with request id and level as Python wrote them, and nobody is harmed. The invocation
/// whose handler threw has the status `success`, and `failed` is known all the same.
#[tokio::test]
async fn a_real_function_is_heard() {
    let backend = FakeBackend::start(Answer::OK);
    let failed = backend.sink("failed");
    let config = format!(
        "[[transform]]\ntype = \"redact\"\nrules = [\"CreditCardNumber\"]\n\
         {}{failed}when = 'type == \"platform.report\" and failed'\n",
        backend.sink("out")
    );
    let end = lived(&config).await;
    end.assert_unharmed();
    let requests = backend.requests();
    let of = |target: &str| {
        let own = requests.iter().filter(|request| request.target == target);
        own.flat_map(|request| request.lines()).collect::<Vec<_>>()
    };
    let (lines, failed) = (of("POST /out"), of("POST /failed"));
    // The platform says that all went well; the invocation failed all the same.
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(
        failed[0].request_id.as_ref(),
        Some(&end.outcomes[1].request_id)
    );
    assert!(
        failed[0].record.contains("\"status\":\"success\""),
        "{failed:?}"
    );
    assert_eq!(end.sent().len(), lines.len());
    crate::harness::assert_ids_unique(&lines);
    for outcome in &end.outcomes {
        let own: Vec<_> = lines
            .iter()
            .filter(|line| {
                line.kind == "function" && line.request_id.as_ref() == Some(&outcome.request_id)
            })
            .collect();
        assert!(
            own.iter()
                .any(|line| line.text() == format!("printed by {}", outcome.request_id)),
            "{own:?}"
        );
        assert!(own.iter().any(
            |line| line.record.contains("structured") && line.level.as_deref() == Some("WARN")
        ));
        let logged = own
            .iter()
            .find(|line| line.record.contains("logged "))
            .expect("logging is heard");
        assert_eq!(logged.level.as_deref(), Some("INFO"), "{logged:?}");
    }
    let thrown = lines
        .iter()
        .find(|line| line.record.contains("ValueError"))
        .expect("the error is heard");
    assert_eq!(thrown.level.as_deref(), Some("ERROR"));
    assert_eq!(end.ledger().0["redactions"]["CreditCardNumber"], 3);
    assert!(!lines.iter().any(|line| line.record.contains("4111 1111")));
    backend.finish();
}

/// The same with `tail` and a rate that keeps nothing: the handler that threw ends with status `success`.
/// The lines of its invocation alone arrive, all of them, and say that it failed.
#[tokio::test]
async fn a_handler_that_throws_has_failed() {
    let backend = FakeBackend::start(Answer::OK);
    let config = format!(
        r#"
[[transform]]
type = "sample"
rate = 0
tail = {{ keep = 'failed' }}

[[transform]]
type = "enrich"
when = 'type == "function"'
set = {{ status = "{{status}}", failed = "{{failed}}", cold_start = "{{cold_start}}", took = "{{duration}}", arn = "{{function.arn}}" }}
resource = true

{}"#,
        backend.sink("out")
    );
    let end = lived(&config).await;
    end.assert_unharmed();
    let lines = backend.lines();
    let function: Vec<_> = lines
        .iter()
        .filter(|line| line.kind == "function")
        .collect();
    let thrown = &end.outcomes[1];
    for line in &function {
        assert_eq!(
            line.request_id.as_ref(),
            Some(&thrown.request_id),
            "{line:?}"
        );
        let said = &line.attributes;
        assert_eq!(
            (&said["status"], &said["failed"]),
            (&"success".into(), &"true".into()),
            "{line:?}"
        );
        assert_eq!(said["cold_start"], "false", "it is the second");
        assert!(
            said["took"]
                .as_str()
                .is_some_and(|took| took.ends_with("ms")),
            "{line:?}"
        );
        assert_eq!(said["cloud.resource_id"], said["arn"], "{line:?}");
        assert!(said["faas.max_memory"].is_number(), "{line:?}");
    }
    for text in ["printed by", "structured", "logged 2", "ValueError"] {
        let found = function.iter().filter(|line| line.record.contains(text));
        assert_eq!(found.count(), 1, "{text}: {function:?}");
    }
    assert_eq!(
        end.ledger().of("out", "sampled"),
        6,
        "three lines each of the two others"
    );
    backend.finish();
}
