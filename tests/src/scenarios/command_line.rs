//! `tapline run`: elements from a file through all transforms to a destination, and its exit codes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::backend::{Answer, FakeBackend, Line};
use crate::binary;
use crate::harness::{Folder, Ledger, assert_ids_unique};
use crate::traffic::Random;

/// Runs the configuration over an input that comes from a file.
pub(super) fn run(config: &str, input: &[u8]) -> Output {
    let folder = Folder::new();
    let (config, input) = (
        folder.write("tapline.toml", config),
        folder.write("input", input),
    );
    let mut command = Command::new(binary::tapline());
    command.arg("run").arg(config).arg("--input").arg(input);
    command.output().expect("it starts")
}

pub(super) fn ledger(output: &Output) -> Ledger {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ledger = said
        .lines()
        .find_map(Ledger::parse)
        .unwrap_or_else(|| panic!("no ledger: {said}"));
    ledger.assert_adds_up();
    ledger
}

/// Says how many elements, of 10 lines for each request.
const ELEMENTS: usize = 20_000;

const TRANSFORMS: &str = r#"
[[transform]]
type = "filter"
drop = 'level < info'

[[transform]]
type = "redact"
rules = ["CreditCardNumber", "EmailAddress"]

[[transform]]
type = "sample"
rate = 0.25
by = "request_id"
keep = 'level >= warn'

[[transform]]
type = "enrich"
set = { team = "payments" }
"#;

fn elements(random: &mut Random) -> Vec<Value> {
    let record = |number: usize, random: &mut Random| {
        let level = *random.pick(&["debug", "info", "info", "info", "warn", "error"]);
        let text = *random.pick(&[
            "paid by 4111 1111 1111 1111",
            "mail to jane.doe@example.com",
            "nothing to hide \u{2603}",
        ]);
        json!({ "level": level, "requestId": format!("00000000-0000-4000-8000-{:012}", number / 10), "message": text, "n": number })
    };
    (0..ELEMENTS)
        .map(|number| {
            let time = format!(
                "2026-11-23T12:{:02}:{:02}.{:03}Z",
                number / 1_000 % 60,
                number / 100 % 60,
                number % 1_000
            );
            json!({ "time": time, "type": "function", "record": record(number, random) })
        })
        .collect()
}

/// 20,000 elements through a filter, a redaction, a sample and an enrichment, as an array and as lines.
/// What comes out is what another reckoning says, in every field, and both forms give the same.
#[test]
fn twenty_thousand_elements_come_out_right() {
    let elements = elements(&mut Random::seeded(20_000));
    let array = Value::Array(elements.clone()).to_string();
    let lines: String = elements
        .iter()
        .map(|element| format!("{element}\n"))
        .collect();
    let mut outcomes = Vec::new();
    for input in [array, lines] {
        let backend = FakeBackend::start(Answer::OK);
        let output = run(
            &format!("{TRANSFORMS}{}", backend.sink("out")),
            input.as_bytes(),
        );
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        outcomes.push(checked(&elements, &backend.lines(), &ledger(&output)));
        backend.finish();
    }
    assert_eq!(outcomes[0], outcomes[1]);
}

/// Compares what came with what went in; gives the numbers of what came.
fn checked(elements: &[Value], lines: &[Line], ledger: &Ledger) -> BTreeSet<u64> {
    assert_ids_unique(lines);
    let mut came: BTreeMap<u64, &Line> = BTreeMap::new();
    for line in lines {
        let number = line.value()["n"].as_u64().expect("each has its number");
        assert!(came.insert(number, line).is_none(), "{number} came twice");
    }
    let (mut filtered, mut sampled) = (0, 0);
    let mut fates: BTreeMap<&str, bool> = BTreeMap::new();
    for element in elements {
        let record = &element["record"];
        let line = came.get(&record["n"].as_u64().expect("a number"));
        match record["level"].as_str().expect("a level") {
            "debug" => {
                assert!(line.is_none(), "{element}");
                filtered += 1;
            }
            "info" => {
                let request = record["requestId"].as_str().expect("an id");
                let kept = *fates.entry(request).or_insert(line.is_some());
                assert_eq!(kept, line.is_some(), "lines of {request} share a fate");
                sampled += u64::from(!kept);
            }
            _ => assert!(line.is_some(), "{element}"),
        }
        if let Some(line) = line {
            assert_is(line, element);
        }
    }
    assert_eq!(ledger.count("received"), ELEMENTS as u64);
    assert_eq!(
        (ledger.of("out", "filtered"), ledger.of("out", "sampled")),
        (filtered, sampled)
    );
    assert_eq!(ledger.of("out", "delivered"), lines.len() as u64);
    let kept = fates.values().filter(|kept| **kept).count() as f64 / fates.len() as f64;
    assert!(
        (0.2..0.3).contains(&kept),
        "{kept} of the requests were kept"
    );
    came.into_keys().collect()
}

fn assert_is(line: &Line, element: &Value) {
    let mut expected = element["record"].clone();
    let message = expected["message"].as_str().expect("text");
    let message = message
        .replace("4111 1111 1111 1111", "[CreditCardNumber]")
        .replace("jane.doe@example.com", "[EmailAddress]");
    expected["message"] = json!(message);
    assert_eq!(line.record, expected.to_string());
    assert_eq!(line.time, element["time"].as_str().expect("a time"));
    assert_eq!(line.kind, "function");
    assert_eq!(
        line.request_id.as_deref(),
        element["record"]["requestId"].as_str()
    );
    let level = element["record"]["level"]
        .as_str()
        .expect("a level")
        .to_uppercase();
    assert_eq!(line.level.as_deref(), Some(level.as_str()));
    assert_eq!(line.attributes["team"], "payments");
}

/// Elements without `time`, and from standard input.
/// They get one, and count as good input.
#[test]
fn time_may_be_missing() {
    let backend = FakeBackend::start(Answer::OK);
    let folder = Folder::new();
    let config = folder.write("tapline.toml", backend.sink("out"));
    let mut command = Command::new(binary::tapline());
    command
        .arg("run")
        .arg(config)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut input = child.stdin.take().expect("it is piped");
    input
        .write_all(br#"[{"type":"function","record":"one"},{"type":"function","record":"two"}]"#)
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let texts: Vec<String> = backend.lines().iter().map(Line::text).collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(
        backend
            .lines()
            .iter()
            .all(|line| line.time.starts_with("20"))
    );
    assert_eq!(ledger(&output).count("malformed"), 0);
    backend.finish();
}

/// Garbage stands between good elements.
/// The good ones are delivered, the garbage too, as it is; the exit code says that the input was not all good.
#[test]
fn garbage_is_delivered_and_told() {
    let backend = FakeBackend::start(Answer::OK);
    let input = "{\"type\":\"function\",\"record\":\"one\"}\nnot json at all\n{\"type\":\"function\",\"record\":\"two\"}\n";
    let output = run(&backend.sink("out"), input.as_bytes());
    assert_eq!(output.status.code(), Some(1));
    let texts: Vec<String> = backend.lines().iter().map(Line::text).collect();
    assert_eq!(texts, ["one", "not json at all", "two"]);
    assert_eq!(ledger(&output).count("malformed"), 1);
    backend.finish();
}

/// The destination refuses; it fails twice and is well again; it never is.
/// 1, with the count; 0, with nothing lost; 1, with every record dropped after its attempts.
#[test]
fn the_exit_code_tells_whether_all_arrived() {
    let input = br#"[{"type":"function","record":"one"},{"type":"function","record":"two"}]"#;
    let refusing = FakeBackend::start(Answer::status(400));
    let output = run(&refusing.sink("out"), input);
    assert_eq!(output.status.code(), Some(1));
    assert!(ledger(&output).of("out", "rejected") >= 2);
    refusing.finish();

    let recovering = FakeBackend::start(Answer::OK);
    recovering.next([Answer::status(503), Answer::Reset]);
    let output = run(&recovering.sink("out"), input);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(recovering.lines().len(), 2);
    recovering.finish();

    let failing = FakeBackend::start(Answer::status(503));
    let output = run(&failing.sink("out"), input);
    assert_eq!(output.status.code(), Some(1));
    assert!(ledger(&output).dropped("out")["attempts"] >= 2);
    failing.finish();
}

/// A configuration with an error, a file that is not there, and a call that makes no sense.
/// 1, 1 and 2, and nothing is sent.
#[test]
fn bad_files_and_bad_usage_have_their_codes() {
    let backend = FakeBackend::start(Answer::OK);
    let input = br#"[{"type":"function","record":"one"}]"#;
    let wrong = format!(
        "{}tiemout = \"1s\"\n[sink.other]\ntype = \"htpt\"\n",
        backend.sink("out")
    );
    let output = run(&wrong, input);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("htpt"));
    for (arguments, code) in [
        (&["run", "/nowhere.toml"][..], 1),
        (&["run"], 2),
        (&["dance"], 2),
    ] {
        let mut command = Command::new(binary::tapline());
        let output = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty());
    }
    assert_eq!(backend.connections(), 0);
    backend.finish();
}
