//! The published forms of elements, of every schema version, and the joins between them.

use super::*;
use tapline_core::json;
use tapline_core::platform::{PlatformEvent, Status};

const SAMPLES: &str = include_str!("../../../../tests/fixtures/telemetry-api/samples.jsonl");
const ID: &str = "5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8";
const OTHER_ID: &str = "c0a8e7d2-31b4-4f5e-a6c9-7d8e9f001122";
const TRACE_ID: &str = "69b52afd2b7c9d0e4f61a83355c7e912";
const SPAN_ID: &str = "3d2c1b0a99887766";

/// The schema of each sample, and the bytes of its element.
fn samples() -> Vec<(&'static str, &'static str)> {
    let of_line = |line: &'static str| {
        let member = |name: &str| {
            json::members(line.as_bytes(), 0..line.len())
                .find(|(key, _)| &line[key.clone()] == name)
                .map(|(_, value)| &line[value])
                .unwrap()
        };
        (member("schema").trim_matches('"'), member("event"))
    };
    SAMPLES.lines().map(of_line).collect()
}

fn member_of<'a>(element: &'a str, name: &str) -> &'a str {
    json::members(element.as_bytes(), 0..element.len())
        .find(|(key, _)| &element[key.clone()] == name)
        .map(|(_, value)| &element[value])
        .unwrap()
}

/// Each sample comes in a POST of its own.
/// Each is one record with the bytes that came, of the origin that its type says; none is malformed.
#[test]
fn every_published_form_is_one_record() {
    assert_eq!(samples().len(), 204);
    for (schema, element) in samples() {
        let mut desk = Desk::new();
        let decoded = desk.decode_as(Form::Array, format!("[{element}]").as_bytes());
        let rows = rows(&decoded);
        assert_eq!(rows.len(), 1, "{schema} {element}");
        let kind = member_of(element, "type").trim_matches('"');
        assert_eq!(rows[0].kind, kind);
        assert_eq!(rows[0].time, member_of(element, "time").trim_matches('"'));
        assert_eq!(rows[0].value, member_of(element, "record"));
        let (origin, events) = match kind {
            "function" => (Origin::Function, 0),
            "extension" => (Origin::Extension, 0),
            _ => (Origin::Platform, 1),
        };
        assert_eq!((rows[0].origin, decoded.events.len()), (origin, events));
        assert_eq!(desk.ledger.malformed.get(), 0, "{element}");
    }
}

/// All samples come in one POST.
/// They are as many records, in order, with ids in order.
#[test]
fn all_published_forms_in_one_body_are_as_many_records() {
    let mut desk = Desk::new();
    let elements: Vec<String> = samples()
        .iter()
        .map(|(_, text)| (*text).to_owned())
        .collect();
    let rows = desk.decode(array(&elements));
    assert_eq!(rows.len(), elements.len());
    for (position, (row, element)) in rows.iter().zip(&elements).enumerate() {
        assert_eq!(row.sequence, position as u64);
        assert_eq!(row.value, member_of(element, "record"));
    }
    assert_eq!(desk.ledger.malformed.get(), 0);
}

/// Level and request id of the sample that holds `part`, alone in an environment.
fn found(part: &str) -> Vec<(Option<Level>, String)> {
    let found: Vec<_> = samples()
        .iter()
        .filter(|(_, element)| element.contains(part))
        .map(|(_, element)| {
            let rows = Desk::new().decode(format!("[{element}]"));
            (rows[0].level, rows[0].request_id.clone())
        })
        .collect();
    assert!(!found.is_empty(), "{part}");
    found
}

#[test]
fn level_and_request_id_are_found_in_text_and_in_json_of_every_runtime() {
    let table: &[(&str, Option<Level>, &str)] = &[
        (r"order accepted id=42", Some(Level::Info), ID),
        ("json under text format", Some(Level::Info), ""),
        ("Traceback (most", None, ""),
        ("raw stdout line", None, ""),
        ("A-17", Some(Level::Warn), ID),
        ("charge failed", Some(Level::Error), ID),
        ("slow query", Some(Level::Warn), ID),
        ("log_level", Some(Level::Error), ID),
        ("AWSRequestId", Some(Level::Info), ID),
        ("Order 42 accepted", Some(Level::Info), ID),
        ("checkout::handler", Some(Level::Debug), ID),
        ("array\",\"record", None, ""),
        ("\"record\":null", None, ""),
        ("step done", Some(Level::Info), ID),
        ("platform.someFutureEvent", None, ID),
        (
            "platform.fault",
            Some(Level::Error),
            "91d0f2aa-6b5e-4d0c-8a7b-2233445566ff",
        ),
        ("platform.telemetrySubscription", Some(Level::Info), ""),
        ("platform.logsDropped", Some(Level::Warn), ""),
        ("LaunchError", Some(Level::Warn), ""),
        ("GoLangEnableSIGTERM", Some(Level::Info), ""),
        ("image-based-fn", Some(Level::Debug), ""),
        ("Extension.Crash", Some(Level::Warn), ""),
        ("RestoreError", Some(Level::Warn), ""),
        (
            "Sandbox.Failure",
            Some(Level::Warn),
            "91d0f2aa-6b5e-4d0c-8a7b-2233445566ff",
        ),
        (
            "lambda-managed-instances\",\"phase\":\"init\",\"status\":\"success\",\"metrics",
            Some(Level::Info),
            "",
        ),
    ];
    for (part, level, request_id) in table {
        for found in found(part) {
            assert_eq!(found, (*level, (*request_id).to_owned()), "{part}");
        }
    }
}

/// The level that AWS publishes for an event, read from its JSON by another parser.
///
/// Source: <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>, read 2026-11-23; no
/// row for `platform.fault` and `platform.end`.
fn published_level(kind: &str, record: &serde_json::Value) -> Option<Level> {
    let word = |name: &str| record[name].as_str();
    let good = word("status").is_none_or(|status| status == "success");
    let (if_good, if_bad) = match kind {
        "platform.initStart" | "platform.restoreStart" => {
            let level = word("runtimeVersion").map_or(Level::Debug, |_| Level::Info);
            (level, level)
        }
        "platform.initRuntimeDone" | "platform.restoreRuntimeDone" | "platform.runtimeDone" => {
            (Level::Debug, Level::Warn)
        }
        "platform.initReport" if word("initializationType") == Some("on-demand") => {
            (Level::Debug, Level::Warn)
        }
        "platform.initReport" | "platform.restoreReport" | "platform.report" => {
            (Level::Info, Level::Warn)
        }
        "platform.extension" if word("state") != Some("Ready") => (Level::Warn, Level::Warn),
        "platform.extension"
        | "platform.start"
        | "platform.logsSubscription"
        | "platform.telemetrySubscription" => (Level::Info, Level::Info),
        "platform.logsDropped" => (Level::Warn, Level::Warn),
        "platform.fault" => (Level::Error, Level::Error),
        _ => return None,
    };
    Some(if good { if_good } else { if_bad })
}

/// Every platform event of every schema version, alone in an environment.
/// It has the published level and the request id that it names, and its trace where it bears one.
#[test]
fn every_platform_event_has_its_published_level_and_its_ids() {
    let mut kinds = std::collections::BTreeSet::new();
    for (schema, element) in samples() {
        let event: serde_json::Value = serde_json::from_str(element).unwrap();
        let kind = event["type"].as_str().unwrap();
        if !kind.starts_with("platform.") {
            continue;
        }
        kinds.insert(kind.to_owned());
        let record = &event["record"];
        let row = Desk::new().decode(format!("[{element}]")).remove(0);
        assert_eq!(
            row.level,
            published_level(kind, record),
            "{schema} {element}"
        );
        let named = match record.as_str() {
            Some(text) => text["RequestId: ".len()..].split(' ').next(),
            None => record["requestId"].as_str(),
        };
        assert_eq!(row.request_id, named.unwrap_or(""), "{schema} {element}");
        let header = record["tracing"]["value"].as_str().unwrap_or("");
        let root = header
            .split(';')
            .find_map(|part| part.strip_prefix("Root=1-"));
        let trace = root.map(|root| root.replace('-', "")).unwrap_or_default();
        assert_eq!(row.trace_id, trace, "{schema} {element}");
    }
    assert_eq!(kinds.len(), 16, "{kinds:?}");
}

/// The Logs API tells that a process crashed, of an invocation that goes on to be reported as it may.
/// The invocation has failed.
#[test]
fn a_fault_makes_its_invocation_failed() {
    let mut desk = Desk::new();
    let fault = |id: &str| {
        platform(
            "fault",
            &format!(
                r#""RequestId: {id} Error: Runtime exited with error: signal: killed\nRuntime.ExitError""#
            ),
        )
    };
    desk.decode(array(&[start(ID), fault(ID), start(OTHER_ID)]));
    let failed = |id: &str| {
        let slot = desk.invocations.by_request_id(id.as_bytes());
        desk.invocations.get(slot).unwrap().failed()
    };
    assert!(failed(ID) && !failed(OTHER_ID));
    let none = Desk::new().decode(array(&[fault("4111-1111-1111-1111"), fault("")]));
    assert!(none.iter().all(|row| row.request_id.is_empty()), "{none:?}");
}

#[test]
fn platform_events_are_typed() {
    let mut desk = Desk::new();
    let of_schema: Vec<String> = samples()
        .iter()
        .filter(|(schema, _)| *schema == "2022-12-13")
        .map(|(_, element)| (*element).to_owned())
        .collect();
    let events = desk
        .decode_as(Form::Array, array(&of_schema).as_bytes())
        .events;
    let has = |event: PlatformEvent| assert!(events.contains(&event), "{event:?}");
    let stream = || Some("2026/03/14/[$LATEST]b7d5c1f09a3e4d2c8f6071a2b3c4d5e6".to_owned());
    has(PlatformEvent::InitStart {
        init_type: Some("on-demand".to_owned()),
        suppressed: true,
        log_stream: stream(),
    });
    has(PlatformEvent::InitStart {
        init_type: Some("provisioned-concurrency".to_owned()),
        suppressed: false,
        log_stream: stream(),
    });
    has(PlatformEvent::InitReport {
        status: Some(Status::Timeout),
        duration_ms: Some(10_008.12),
    });
    has(PlatformEvent::InitReport {
        status: None,
        duration_ms: Some(395.118),
    });
    has(PlatformEvent::RestoreStart {
        log_stream: stream(),
    });
    has(PlatformEvent::Start {
        request_id: OTHER_ID.to_owned(),
        trace: None,
    });
    has(PlatformEvent::RuntimeDone {
        request_id: ID.to_owned(),
        status: Some(Status::Success),
        duration_ms: Some(62.929),
        time_ms: Some(1_773_480_414_052),
    });
    has(PlatformEvent::RuntimeDone {
        request_id: OTHER_ID.to_owned(),
        status: Some(Status::Success),
        duration_ms: None,
        time_ms: Some(1_773_480_414_052),
    });
    has(PlatformEvent::Report {
        request_id: ID.to_owned(),
        status: Some(Status::Success),
        duration_ms: Some(104.55),
    });
    has(PlatformEvent::LogsDropped { records: 214 });
    has(PlatformEvent::Other);
}

fn platform(kind: &str, record: &str) -> String {
    format!(r#"{{"time":"2026-03-14T09:26:53.804Z","type":"platform.{kind}","record":{record}}}"#)
}

fn start(request_id: &str) -> String {
    let header = "Root=1-69b52afd-2b7c9d0e4f61a83355c7e912;Parent=3d2c1b0a99887766;Sampled=1";
    platform(
        "start",
        &format!(r#"{{"requestId":"{request_id}","tracing":{{"value":"{header}"}}}}"#),
    )
}

fn done(request_id: &str) -> String {
    platform(
        "runtimeDone",
        &format!(r#"{{"requestId":"{request_id}","status":"success"}}"#),
    )
}

/// Lines without ids come before, in and after an invocation, with one that names its own.
/// Those between start and end have its ids, all in the same few bytes; the others have what they say.
#[test]
fn records_without_ids_have_those_of_the_open_invocation() {
    let mut desk = Desk::new();
    let late = element(&format!(
        r#"{{"level":"ERROR","requestId":"{ID}","message":"late"}}"#
    ));
    let body = array(&[
        element(r#""before""#),
        start(ID),
        element(r#""inside""#),
        element(r#"{"trace_id":"0123456789abcdef0123456789abcdef","message":"own trace"}"#),
        element(r#"{"requestId":"11111111-2222-3333-4444-555555555555","level":"ERROR"}"#),
        done(ID),
        element(r#""after""#),
        start(OTHER_ID),
        late,
    ]);
    let rows = desk.decode(body);
    let ids: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.request_id.as_str(),
                row.trace_id.as_str(),
                row.span_id.as_str(),
            )
        })
        .collect();
    let whole = (ID, TRACE_ID, SPAN_ID);
    let own = "0123456789abcdef0123456789abcdef";
    let callers = "11111111-2222-3333-4444-555555555555";
    assert_eq!(ids[0], ("", "", ""));
    assert_eq!(ids[1..3], [whole, whole]);
    assert_eq!(ids[3], (ID, own, ""));
    assert_eq!(ids[4], (callers, TRACE_ID, SPAN_ID));
    assert_eq!(ids[5..7], [whole, ("", "", "")]);
    assert_eq!(ids[7].0, OTHER_ID);
    assert_eq!(ids[8], whole);
    let failed = |id: &str| {
        let slot = desk.invocations.by_request_id(id.as_bytes());
        desk.invocations.get(slot).unwrap().failed()
    };
    assert!(
        failed(ID),
        "an error of a caller's request is one of the open invocation"
    );
    assert!(
        !failed(OTHER_ID),
        "a late line belongs to the invocation that it names"
    );
}

/// Two invocations overlap, as on Managed Instances.
/// A line without a request id belongs to none.
#[test]
fn overlapping_invocations_share_no_line() {
    let mut desk = Desk::new();
    desk.invocations = Invocations::new(true, false);
    let own = element(&format!(r#"{{"requestId":"{ID}","message":"mine"}}"#));
    let rows = desk.decode(array(&[
        start(ID),
        start(OTHER_ID),
        element(r#""whose?""#),
        own,
    ]));
    assert_eq!(rows[2].request_id, "");
    assert_eq!(
        (rows[3].request_id.as_str(), rows[3].span_id.as_str()),
        (ID, SPAN_ID)
    );
}

#[test]
fn trace_ids_in_every_form_become_hex() {
    let header = "Root=1-69b52afd-2b7c9d0e4f61a83355c7e912;Parent=3d2c1b0a99887766;Sampled=1";
    let table = [
        (TRACE_ID.to_owned(), TRACE_ID, ""),
        (
            "1-69b52afd-2b7c9d0e4f61a83355c7e912".to_owned(),
            TRACE_ID,
            "",
        ),
        (header.to_owned(), TRACE_ID, SPAN_ID),
        ("Root=nonsense;Parent=3d2c1b0a99887766".to_owned(), "", ""),
        ("7".to_owned(), "", ""),
    ];
    for (written, trace_id, span_id) in table {
        let object = format!(r#"{{"xray_trace_id":"{written}","message":"a"}}"#);
        let mut quoted = Vec::new();
        json::quote_into(object.as_bytes(), &mut quoted);
        for value in [object, String::from_utf8(quoted).unwrap()] {
            let rows = Desk::new().decode(array(&[element(&value)]));
            assert_eq!(
                (rows[0].trace_id.as_str(), rows[0].span_id.as_str()),
                (trace_id, span_id),
                "{value}"
            );
        }
    }
}

/// An id in text lies in the body, not beside it, also where the text around it is escaped.
#[test]
fn ids_in_escaped_text_are_found() {
    let line = format!(
        r#""2026-03-14T09:26:53.820Z\t{ID}\tERROR\tInvoke Error \t{{\"errorType\":\"Error\"}}""#
    );
    let unicode = format!(
        r#""\u007b\"requestId\":\"\u0035{}\",\"level\":40}}""#,
        &ID[1..]
    );
    let metrics = r#""{\"_aws\":{\"Timestamp\":1},\"n\":1}\n""#;
    let rows = Desk::new().decode(array(&[
        element(&line),
        element(&unicode),
        element(metrics),
    ]));
    assert_eq!(
        (rows[0].level, rows[0].request_id.as_str()),
        (Some(Level::Error), ID)
    );
    assert_eq!(
        (rows[1].level, rows[1].request_id.as_str()),
        (Some(Level::Warn), ID)
    );
    assert!(rows[2].embedded_metrics && !rows[0].embedded_metrics);
}

/// Keys in any order, unknown ones, escaped ones, no time, an unknown type.
/// All are records; only what has no type or no record is opaque.
#[test]
fn envelopes_are_read_leniently() {
    let mut desk = Desk::new();
    let body = r#" [ {"record":"a","extra":{"type":"x"},"type":"function"} ,
        {"t\u0079pe":"function","\u0072ecord":"b","time":"2026-03-14T09:26:53.820Z"},
        {"type":"someday","record":[1],"time":7},
        {"type":"platform_2","record":2},
        {"type":"platform.","record":3},
        {"record":"no type"},{"type":"password=hunter2","record":1},{"type":"function"},{"type":5,"record":1},{} ] "#;
    let rows = desk.decode(body);
    let kinds: Vec<_> = rows
        .iter()
        .map(|row| (row.origin, row.kind.as_str()))
        .collect();
    assert_eq!(
        kinds[..5],
        [
            (Origin::Function, "function"),
            (Origin::Function, "function"),
            (Origin::Unknown, "someday"),
            (Origin::Unknown, "platform_2"),
            (Origin::Platform, "platform."),
        ]
    );
    assert_eq!(values(&rows[..5]), [r#""a""#, r#""b""#, "[1]", "2", "3"]);
    assert_eq!(
        rows[0].time, "2026-03-14T09:26:53.589Z",
        "the time of arrival"
    );
    let opaque: Vec<_> = rows[5..].iter().map(unquoted).collect();
    assert_eq!(
        opaque,
        [
            r#"{"record":"no type"}"#,
            r#"{"type":"password=hunter2","record":1}"#,
            r#"{"type":"function"}"#,
            r#"{"type":5,"record":1}"#,
            "{}"
        ]
    );
    assert_eq!(desk.ledger.malformed.get(), 5);
}

/// A record of the year 2030, from a runtime that nobody knows yet.
#[test]
fn a_record_of_the_year_2030_decodes() {
    let mut desk = Desk::new();
    let body = r#"[{"time":"2030-07-01T12:00:00.123456789Z","type":"platform.runtimeDone","era":"late","record":
        {"requestId":"5e2f9b64-8d3c-4c1a-9f77-0b6a41d2c3e8","status":"hibernated","metrics":{"durationMs":1e3,"qubits":7}}},
        {"time":"2030-07-01T12:00:00.124Z","type":"function.v2","record":{"level":"INFO"}}]"#;
    let decoded = desk.decode_as(Form::Array, body.as_bytes());
    let rows = rows(&decoded);
    assert_eq!(rows[0].time, "2030-07-01T12:00:00.123456789Z");
    assert_eq!(
        (rows[1].origin, rows[1].kind.as_str()),
        (Origin::Unknown, "function.v2")
    );
    assert_eq!(desk.ledger.malformed.get(), 0);
    assert_eq!(
        decoded.events,
        [PlatformEvent::RuntimeDone {
            request_id: ID.to_owned(),
            status: None,
            duration_ms: Some(1000.0),
            time_ms: Some(1_909_137_600_123),
        }]
    );
}

/// Each published platform event is written as the line that Lambda writes for it.
/// Every start, end and report has one, with the request id of its event; the rest has one or stays JSON.
#[test]
fn published_events_have_the_lines_of_cloudwatch() {
    use super::super::classic;
    let mut lines = 0;
    for (_, element) in samples() {
        let kind = member_of(element, "type").trim_matches('"');
        let record = member_of(element, "record");
        let mut out = Vec::new();
        let written = classic::line(kind.as_bytes(), record.as_bytes(), &mut out);
        let line = String::from_utf8(out).unwrap();
        assert_eq!(written, !line.is_empty(), "{element}");
        let word = match kind {
            "platform.start" => "START RequestId: ",
            "platform.runtimeDone" | "platform.end" => "END RequestId: ",
            "platform.report" => "REPORT RequestId: ",
            _ => continue,
        };
        let id = member_of(record, "requestId").trim_matches('"');
        assert!(
            line.starts_with(&format!("{word}{id}")),
            "{element}: {line}"
        );
        if kind == "platform.report" {
            assert!(line.contains("\tDuration: "), "{line}");
        }
        lines += 1;
    }
    assert_eq!(lines, 15 + 22 + 2 + 25);
}
