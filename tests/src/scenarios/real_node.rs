//! A real function in JavaScript, with AWS's own runtime interface client, instead of a script.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tapline::local::{Function, Invocation, LogFormat, Status};

use crate::backend::{Answer, FakeBackend, Line};
use crate::binary;
use crate::harness::{End, Folder, Scenario, assert_ids_unique};

const HANDLER: &str = r#"
exports.handler = async (event, context) => {
  console.log("logged", event.n);
  console.warn("over\ntwo lines");
  console.log({ structured: true, card: "4111 1111 1111 1111" });
  process.stdout.write("printed by " + context.awsRequestId + "\n");
  if (event.n === 2) throw new Error("the handler threw");
  return { n: event.n };
};
"#;

/// The runtime interface client, installed once into `target`. Without it there is no test: it fails.
fn runtime_interface_client() -> PathBuf {
    binary::once("aws-lambda-ric", || {
        let folder = binary::target().join("runtimes/aws-lambda-ric");
        if !folder.exists() {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/runtimes/node.sh");
            let parent = folder.parent().expect("it is in `runtimes`");
            std::fs::create_dir_all(parent).expect("`target` can be written");
            let installed = Command::new("bash").arg(script).arg(&folder).status();
            let installed = installed.expect("there is a bash");
            assert!(installed.success(), "`aws-lambda-ric` cannot be installed");
        }
        folder
    })
}

/// Three invocations that print and log; the second one throws.
async fn lived(format: LogFormat) -> (End, Vec<Line>, Vec<Line>) {
    let client = runtime_interface_client();
    let task = Folder::new();
    task.write("app.js", HANDLER);
    let backend = FakeBackend::start(Answer::OK);
    let failed = backend.sink("failed");
    let config = format!(
        "[[transform]]\ntype = \"parse\"\n\
         [[transform]]\ntype = \"redact\"\nrules = [\"CreditCardNumber\"]\n\
         {}{failed}when = 'type == \"platform.report\" and failed'\n",
        backend.sink("out")
    );
    let script = format!(
        "cd '{}' && exec node '{}/node_modules/aws-lambda-ric/bin/index.mjs' app.handler",
        task.path().display(),
        client.display()
    );
    let scenario = Scenario::new(&config).on(|platform| {
        let words = ["sh", "-c", &script];
        platform.function = Function::Command(words.map(str::to_owned).into());
        platform.log_format = format;
        platform.timeout = Duration::from_secs(20);
    });
    let mut life = scenario.begin().await;
    for number in 1..=3 {
        let payload = Invocation::payload(format!("{{\"n\":{number}}}"));
        let outcome = life.lambda.invoke(payload).await;
        assert_eq!(outcome.status, Status::Success, "{outcome:?}");
        assert_eq!(outcome.function_error.is_some(), number == 2, "{outcome:?}");
        life.outcomes.push(outcome);
    }
    let end = life.end().await;
    end.assert_unharmed();
    let requests = backend.requests();
    let of = |target: &str| {
        let own = requests.iter().filter(|request| request.target == target);
        own.flat_map(|request| request.lines()).collect::<Vec<_>>()
    };
    let (out, failed) = (of("POST /out"), of("POST /failed"));
    backend.finish();
    (end, out, failed)
}

fn check(end: &End, out: &[Line], failed: &[Line], two_lines: &str) {
    assert_ids_unique(out);
    for outcome in &end.outcomes {
        let own: Vec<_> = out
            .iter()
            .filter(|line| {
                line.kind == "function" && line.request_id.as_ref() == Some(&outcome.request_id)
            })
            .collect();
        let has = |part: &str, level: Option<&str>| {
            own.iter()
                .any(|line| line.record.contains(part) && line.level.as_deref() == level)
        };
        assert!(has("logged", Some("INFO")), "{own:?}");
        assert!(has(two_lines, Some("WARN")), "{own:?}");
        assert!(has("structured", Some("INFO")), "{own:?}");
        assert!(
            has(&format!("printed by {}", outcome.request_id), None),
            "{own:?}"
        );
    }
    let thrown = out
        .iter()
        .find(|line| line.record.contains("the handler threw"));
    let thrown = thrown.expect("the error is heard");
    let bad = &end.outcomes[1];
    assert_eq!(thrown.level.as_deref(), Some("ERROR"));
    assert_eq!(thrown.request_id.as_ref(), Some(&bad.request_id));
    // The platform says that all went well; the invocation failed all the same.
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].request_id.as_ref(), Some(&bad.request_id));
    assert!(
        failed[0].record.contains("\"status\":\"success\""),
        "{failed:?}"
    );
    assert_eq!(end.ledger().0["redactions"]["CreditCardNumber"], 3);
    assert!(!out.iter().any(|line| line.record.contains("4111 1111")));
}

/// With the log format text, where the client writes `\r` into a record of several lines.
/// Level and request id are those that Node.js wrote, the lines come back, and `failed` is known though the status of
/// the invocation whose handler threw is `success`.
#[tokio::test]
async fn a_real_function_is_heard_in_text() {
    let (end, out, failed) = lived(LogFormat::Text).await;
    check(&end, &out, &failed, "over\\ntwo lines");
    let raw = end
        .sent()
        .into_iter()
        .find(|element| element[2].contains("two lines"));
    assert!(raw.is_some_and(|element| element[2].contains("over\\rtwo lines")));
}

/// With the log format JSON, where every line is an object of the client's.
#[tokio::test]
async fn a_real_function_is_heard_in_json() {
    let (end, out, failed) = lived(LogFormat::Json).await;
    check(&end, &out, &failed, "over\\ntwo lines");
}
