//! The wire form of each preset in raw bytes, read by `serde_json`, and what its service answers.
//!
//! Every form lies in `golden/`, a request each. A failure leaves the request as it would be now in the folder that it
//! names. Does not prove that the services take them: what they document is written beside each preset.

use tapline_core::batch::Batch;
use tapline_core::level::Level;
use tapline_core::test_util;

use super::*;
use crate::test_world::select;

mod answers;
mod echo;
mod limits;
mod options;

/// What a preset is shown with: enough that it can be built, and something of each option that shapes the body.
const SHOWN: [(&str, &str); 16] = [
    (
        "axiom",
        "token = \"t0ken\", dataset = \"{function.name}/x\", fields = { env = \"{env.STAGE}\", n = \"{.n}\" }",
    ),
    ("better_stack", "token = \"t0ken\""),
    ("clickhouse", "table = \"logs\""),
    (
        "coralogix",
        "api_key = \"t0ken\", application = \"{.team}\"",
    ),
    (
        "datadog",
        "api_key = \"t0ken\", tags = { env = \"{env.STAGE}\", kind = \"{type},x\" }",
    ),
    ("dynatrace", "token = \"t0ken\""),
    (
        "elasticsearch",
        "api_key = \"t0ken\", index = \"Logs-{type}-{date}\", pipeline = \"p/1\", fields = { \"service.name\" = \"{function.name}\" }",
    ),
    (
        "firehose",
        "stream = \"logs-{function.name}\", region = \"eu-west-1\"",
    ),
    ("honeycomb", "api_key = \"t0ken\", dataset = \"a/b\""),
    ("logzio", "token = \"t0ken&\""),
    (
        "loki",
        "labels = { service_name = \"{function.name}\", level = \"{level}\", none = \"{.missing}\" }, metadata = { n = \"{.n}\" }, tenant = \"t-{region}\"",
    ),
    (
        "newrelic",
        "license_key = \"t0ken\", attributes = { env = \"{env.STAGE}\" }",
    ),
    (
        "openobserve",
        "organization = \"my org\", stream = \"{function.name}-x\"",
    ),
    (
        "splunk_hec",
        "token = \"t0ken\", index = \"{type}\", sourcetype = \"_json\", fields = { n = \"{.n}\" }",
    ),
    (
        "sumo_logic",
        "category = \"lambda/{function.name}\", host = \"käse\", fields = { a = \"b\", c = \"{d}\" }",
    ),
    (
        "victorialogs",
        "stream_fields = [\"function\", \"type\"], project_id = 7",
    ),
];

fn options_of(preset: &str) -> &'static str {
    let row = SHOWN.iter().find(|(name, _)| *name == preset);
    row.unwrap_or_else(|| panic!("no row for {preset}")).1
}

/// A sink with a preset at a base.
fn preset_at(preset: &str, options: &str, base: &str) -> Http {
    let text = format!("preset = \"{preset}\"\nurl = \"{base}\"\noptions = {{ {options} }}");
    sink(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn preset(name: &str, server: &Server) -> Http {
    let base = format!("http://127.0.0.1:{}", server.port);
    preset_at(name, options_of(name), &base)
}

/// A world in which the function is known.
fn world() -> TestWorld {
    let mut world = TestWorld::new();
    let facts = &mut world.facts;
    facts.function_name = "orders".into();
    facts.function_version = "7".into();
    facts.region = "eu-west-1".into();
    facts.function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders".into();
    facts.instance = String::from_utf8(test_util::INSTANCE.to_vec()).unwrap();
    facts.env = vec![("STAGE".into(), "prod".into())];
    world.set("AWS_ACCESS_KEY_ID", "key-id");
    world.set("AWS_SECRET_ACCESS_KEY", "not-a-secret");
    world
}

/// Records of every kind: text, JSON, JSON in text, a platform event, an empty line, line breaks, a list, null.
fn records() -> Batch {
    let rows = [
        ("function", r#""one\n""#, Some(Level::Info)),
        (
            "function",
            r#"{"level":"warn","message":"k\u00e4se \"x\"","orderId":7,"team":"t,1","type":"order","nested":{"a":[1,2],"b":null,"c":{"d":"e"}},
 "n":5}"#,
            Some(Level::Warn),
        ),
        (
            "function",
            r#""{\"msg\":\"in\\n text\",\"n\":1,\"eventType\":\"x\",\"record\":{\"deep\":true}}\n""#,
            None,
        ),
        (
            "platform.report",
            r#"{"requestId":"6f747e00-0000-4000-8000-000000000001","metrics":{"durationMs":12.5}}"#,
            Some(Level::Info),
        ),
        ("function", r#""""#, None),
        (
            "function",
            r#""a,b\r\nc\u2028 \u0001 {x}""#,
            Some(Level::Error),
        ),
        ("function", "[1,2]", None),
        ("function", "null", Some(Level::Fatal)),
    ];
    let mut batch = test_util::batch_of(&Budget::new(64 << 20), &rows);
    let request = batch.keep(b"6f747e00-0000-4000-8000-000000000001");
    let (trace, span) = (
        batch.keep(b"0af7651916cd43dd8448eb211c80319c"),
        batch.keep(b"b7ad6b7169203331"),
    );
    let attributes = batch.keep(br#""team":"payments","sample_weight":20"#);
    let fine = batch.keep(b"2026-03-14T09:26:53.123456789Z");
    let late = batch.keep(b"2040-01-02T03:04:05.006Z");
    let none = batch.keep(b"never");
    let records = batch.records_mut();
    records[0].request_id = request;
    records[1].trace_id = trace;
    records[1].span_id = span;
    records[1].attributes = attributes;
    records[2].time = fine;
    records[4].time = late;
    records[6].time = none;
    batch
}

/// The only request that a preset makes of these records, as head and body.
async fn sent(name: &str, batch: Batch) -> (String, String) {
    let server = Server::start(vec![vec![Take, OK]]).await;
    let (world, budget) = (world(), Budget::new(64 << 20));
    let mut sink = preset(name, &server);
    sink.deliver(&select(batch), world.call(&budget)).await;
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{name}");
    let text = String::from_utf8(requests[0].clone()).unwrap();
    let text = text.replace(&server.port.to_string(), "PORT");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    // The port, which is another one each time, is signed too.
    let head = match head.split_once("Signature=") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            format!("{before}Signature=HEX{rest}")
        }
        None => head.to_owned(),
    };
    (head, body.to_owned())
}

#[tokio::test]
async fn every_preset_writes_what_is_written_down() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/tests/golden");
    let mut differing = Vec::new();
    for (name, _) in SHOWN {
        let (head, body) = sent(name, records()).await;
        let now = format!("{}\n\n{body}", head.replace("\r\n", "\n"));
        let golden = std::fs::read_to_string(format!("{folder}/{name}.txt"));
        if golden.ok().as_ref() != Some(&now) {
            let copy = std::env::temp_dir().join(format!("tapline-golden-{name}.txt"));
            std::fs::write(&copy, now).unwrap();
            differing.push(copy.display().to_string());
        }
    }
    assert!(
        differing.is_empty(),
        "differs from {folder}: see {differing:?}"
    );
}

/// Every golden form is JSON to `serde_json`, with the ids of all eight records in it.
#[test]
fn another_reader_finds_every_record_in_every_form() {
    for (name, _) in SHOWN {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/tests/golden");
        let text = std::fs::read_to_string(format!("{folder}/{name}.txt")).unwrap();
        let (_, body) = text.split_once("\n\n").unwrap();
        let mut ids = std::collections::BTreeSet::new();
        read_ids(name, body, &mut ids);
        let instance = String::from_utf8_lossy(&test_util::INSTANCE).into_owned();
        let wanted = (0..8)
            .map(|number| format!("{instance}-{number}"))
            .collect();
        assert_eq!(ids, wanted, "{name}");
    }
}

/// A record may bring half a character, which strict readers of JSON refuse with the whole text around it.
#[tokio::test]
async fn half_a_character_costs_no_other_record_of_a_body() {
    let halves = || {
        let rows = [
            ("function", r#""half \ud83d\n""#, None),
            (
                "function",
                r#"{"message":"\udead","a\ud83d":["\ud83d"],"b":{"c":"\uD83D!"}}"#,
                None,
            ),
            (
                "function",
                r#""{\"msg\":\"in text \\ud83d\",\"n\":\"\\udead\"}""#,
                None,
            ),
            ("function", r#""whole \ud83d\ude00 and \\ud83d""#, None),
        ];
        let mut batch = test_util::batch_of(&Budget::new(64 << 20), &rows);
        let attributes = batch.keep(br#""team":"\ud83d""#);
        batch.records_mut()[1].attributes = attributes;
        batch
    };
    let instance = String::from_utf8_lossy(&test_util::INSTANCE).into_owned();
    let ids = (0..4).map(|number| format!("{instance}-{number}"));
    let wanted: std::collections::BTreeSet<String> = ids.collect();
    for (name, _) in SHOWN {
        let (_, body) = sent(name, halves()).await;
        let mut ids = std::collections::BTreeSet::new();
        read_ids(name, &body, &mut ids);
        assert_eq!(ids, wanted, "{name}");
    }
    for framing in ["ndjson", "json_array"] {
        let server = Server::start(vec![vec![Take, OK]]).await;
        let mut sink = plain(&server, &format!("framing = \"{framing}\""));
        let budget = Budget::new(64 << 20);
        sink.deliver(&select(halves()), world().call(&budget)).await;
        let request = String::from_utf8(server.requests().remove(0)).unwrap();
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        let mut ids = std::collections::BTreeSet::new();
        read_ids(framing, body, &mut ids);
        assert_eq!(ids, wanted, "{framing}");
    }
}

/// The ids in values that follow each other, and in what they hold as Base64.
fn read_ids(name: &str, body: &str, ids: &mut std::collections::BTreeSet<String>) {
    let values = serde_json::Deserializer::from_str(body).into_iter::<serde_json::Value>();
    let mut open: Vec<serde_json::Value> = values.map(|value| value.unwrap()).collect();
    assert!(!open.is_empty(), "{name}");
    while let Some(value) = open.pop() {
        match value {
            serde_json::Value::Array(values) => open.extend(values),
            serde_json::Value::Object(members) => {
                if let Some(data) = members.get("Data") {
                    let lines = unbase64(data.as_str().unwrap());
                    read_ids(name, &String::from_utf8(lines).unwrap(), ids);
                }
                open.extend(members.into_values());
            }
            serde_json::Value::String(text)
                if text.starts_with("0123456789abcdef0123456789abcdef-") =>
            {
                ids.insert(text);
            }
            _ => {}
        }
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.trim_end_matches('=').bytes();
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for digit in digits {
        let value = alphabet.iter().position(|known| *known == digit).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn every_preset_is_shown() {
    let shown: Vec<&str> = SHOWN.iter().map(|(name, _)| *name).collect();
    assert_eq!(shown, super::super::presets::NAMES);
}
