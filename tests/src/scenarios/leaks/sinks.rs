//! Where records go: sinks of every kind, presets of every service, and a destination that plays all of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CREDENTIAL;
use crate::backend::{Answer, Request};
use crate::harness::Folder;

/// The keys of a sink whose records are made over to another.
const LETTERS: &str = "dead_letter = \"archive\"\nretry = { max_attempts = 2 }";

/// One of every kind of sink, and forms of each that differ in what they do to a text.
pub fn of_every_kind(url: &str, folder: &Folder) -> String {
    let http = |name: &str, more: &str| {
        format!("[sink.{name}]\ntype = \"http\"\nurl = \"{url}/{name}\"\n{more}\n")
    };
    let key = format!("= \"{CREDENTIAL}\"");
    let mut all = vec![
        http("out", &format!("headers = {{ x-key {key} }}")),
        http("array", "framing = \"json_array\"\ncompression = \"gzip\""),
        http("text", "framing = \"text\""),
        http("ill", LETTERS),
        format!("[sink.archive]\ntype = \"s3\"\nbucket = \"canaries\"\nendpoint = \"{url}\"\n"),
        "[sink.print]\ntype = \"console\"\n".to_owned(),
        format!(
            "[sink.file]\ntype = \"console\"\npath = \"{}\"\n",
            folder.path().join("console").display()
        ),
    ];
    for (name, more) in [
        ("otlp", "signals = [\"logs\", \"metrics\", \"traces\"]"),
        (
            "otlp_json",
            "protocol = \"http/json\"\ncompression = \"none\"\nbody = \"record\"",
        ),
        ("otlp_ill", LETTERS),
    ] {
        all.push(format!(
            "[sink.{name}]\ntype = \"otlp\"\nendpoint = \"{url}/{name}\"\n{more}\n"
        ));
    }
    for (name, more) in [
        ("cw", ""),
        (
            "cw_envelope",
            "format = \"envelope\"\ncompression = \"gzip\"",
        ),
        ("cw_ill", LETTERS),
    ] {
        all.push(format!(
            "[sink.{name}]\ntype = \"cloudwatch\"\ngroup = \"/{name}\"\nendpoint = \"{url}/{name}\"\n{more}\n"
        ));
    }
    all.concat()
}

/// Every preset of `http`, with all of its options that take something of a record, and what else it has to know.
pub const PRESETS: &[(&str, &str)] = &[
    ("axiom", "dataset = 'd', token = KEY, FIELDS"),
    ("better_stack", "token = KEY, FIELDS"),
    ("clickhouse", "table = 't', FIELDS"),
    (
        "coralogix",
        "api_key = KEY, application = TEXT, subsystem = TEXT, FIELDS",
    ),
    (
        "datadog",
        "api_key = KEY, service = TEXT, source = TEXT, tags = { note = TEXT }",
    ),
    ("dynatrace", "token = KEY, source = TEXT, FIELDS"),
    ("elasticsearch", "index = TEXT, api_key = KEY, FIELDS"),
    ("firehose", "stream = 's', region = 'eu-west-1'"),
    ("honeycomb", "dataset = 'd', api_key = KEY, FIELDS"),
    ("logzio", "token = KEY, FIELDS"),
    (
        "loki",
        "labels = { level = '{level}' }, metadata = { note = TEXT }",
    ),
    ("newrelic", "license_key = KEY"),
    ("openobserve", "FIELDS"),
    (
        "splunk_hec",
        "token = KEY, index = TEXT, source = TEXT, sourcetype = TEXT, host = TEXT, FIELDS",
    ),
    ("sumo_logic", "category = 'c'"),
    ("victorialogs", "FIELDS"),
];

/// Each of these twice: one whose records are taken, and one that refuses all, whose dead letters go to `archive`.
pub fn of_presets(url: &str, presets: &[(&str, &str)]) -> String {
    let mut all = format!(
        "[sink.out]\ntype = \"http\"\nurl = \"{url}/out\"\n\
         [sink.archive]\ntype = \"s3\"\nbucket = \"canaries\"\nendpoint = \"{url}\"\n"
    );
    for (preset, options) in presets {
        let options = options
            .replace("KEY", &format!("'{CREDENTIAL}'"))
            .replace("FIELDS", "fields = { note = TEXT, said = '{message}' }")
            .replace("TEXT", "'{.note} {message}'");
        for (name, more) in [
            ((*preset).to_owned(), ""),
            (format!("ill_{preset}"), LETTERS),
        ] {
            all.push_str(&format!(
                "[sink.{name}]\ntype = \"http\"\npreset = \"{preset}\"\nurl = \"{url}/{name}/\"\n\
                 options = {{ {options} }}\n{more}\n"
            ));
        }
    }
    all
}

/// A destination of all kinds, some of which refuse and say all that they were told, in every place for it.
pub fn judge() -> impl FnMut(&Request) -> Answer {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    move |request| {
        let said = String::from_utf8_lossy(&request.body).into_owned();
        let said = format!("{said} {:?} {}", request.headers, request.target);
        let word = said.chars().filter(char::is_ascii_alphanumeric).take(60);
        let word: String = word.collect();
        let echo = json!({
            "__type": word, "code": word, "message": said, "Message": said, "text": said, "errors": [said],
            "error": { "type": said, "reason": said }, "partialSuccess": { "rejectedLogRecords": "1", "errorMessage": said },
        });
        if request.target.contains("ill") {
            return Answer::Said(400, echo.to_string());
        }
        // The second time one that is well is not: the attempt is repeated.
        let path = request.target.split('/').nth(1).unwrap_or_default();
        let times = counts.entry(path.to_owned()).or_insert(0);
        *times += 1;
        if *times == 2 {
            return Answer::Said(503, echo.to_string());
        }
        if request.target.starts_with("PUT") {
            return Answer::OK;
        }
        // A 200 would mean that it took a part.
        if request.target.contains("dynatrace") {
            return Answer::status(204);
        }
        if request.target.contains("_bulk") {
            let items = said.lines().count() / 2;
            let items = vec![json!({ "create": { "status": 201 } }); items];
            return Answer::Said(200, json!({ "errors": false, "items": items }).to_string());
        }
        Answer::Said(200, accepted(request).to_string())
    }
}

/// What a service says of records that it took, where it speaks of them.
fn accepted(request: &Request) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let is_for = |service: &str| request.target.contains(service);
    match () {
        () if is_for("firehose") => {
            let taken = vec![json!({ "RecordId": "1" }); count(&body["Records"])];
            json!({ "FailedPutCount": 0, "RequestResponses": taken })
        }
        () if is_for("/cw") => json!({ "nextSequenceToken": "1" }),
        () if is_for("honeycomb") => json!(vec![json!({ "status": 202 }); count(&body)]),
        () if is_for("axiom") => json!({ "ingested": count(&body), "failed": 0 }),
        () if is_for("openobserve") => {
            json!({ "code": 200, "status": [{ "name": "s", "successful": count(&body), "failed": 0 }] })
        }
        () => json!({ "code": 0, "text": "Success" }),
    }
}
