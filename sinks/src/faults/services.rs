//! The services behind the presets of `http`: what each wants to see, what it answers, and what that means.
//!
//! Answers are those that the vendors document; the words in them quote the request, as careless services do.

use serde_json::{Value, json};

use super::dialect::records_in;
use super::server::{Reply, Request};
use super::table::{Class, Fault};
use super::{is_liked, secret};

use Class::{Denied, Kept, Partly, Rejected};

/// One service.
pub(super) struct Service {
    /// The word in `preset`.
    pub name: &'static str,
    /// Its options, and what stands beside them in the table of the sink; `CREDENTIAL` is the credential.
    pub options: &'static str,
    pub more: &'static str,
    /// What `url` has behind the host; `SECRET` is the credential.
    pub path: &'static str,
    /// How each request begins; `SECRET` is the credential.
    pub target: &'static str,
    /// The header that lets us in, and what stands in it before the credential; none where that is in the URL.
    pub credential: Option<(&'static str, &'static str)>,
    /// All was taken.
    pub success: fn(&Request) -> Reply,
    /// Success, though not for what [`is_liked`] does not like; `None`: it knows no such answer.
    pub errors_inside: Option<fn(&Said) -> Reply>,
    /// Its own word for a fault; else it says what any server of HTTP says.
    pub failure: fn(Fault, &Said) -> Option<Reply>,
    /// Cells that are not those of any server of HTTP.
    pub cells: &'static [(Fault, Class)],
}

/// What an answer is made from.
pub(super) struct Said<'a> {
    pub request: &'a Request,
    /// Words that quote the request.
    pub words: String,
    pub now_ms: i64,
}

impl Said<'_> {
    fn records(&self) -> Vec<String> {
        records_in(&self.request.body)
    }

    /// Records that the service does not like.
    fn disliked(&self) -> usize {
        let records = self.records();
        records.iter().filter(|record| !is_liked(record)).count()
    }

    /// An answer with a body in JSON after which those that it likes are stored.
    fn partly(&self, status: u16, body: &Value) -> Reply {
        Reply::new(status, body.to_string()).storing(self.request, is_liked)
    }
}

/// The service of a preset.
pub(super) fn find(name: &str) -> &'static Service {
    let found = SERVICES.iter().find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("`{name}` has no service in the matrix"))
}

/// What most of them are; each row says what differs.
const PLAIN: Service = Service {
    name: "",
    options: "",
    more: "",
    path: "",
    target: "POST /",
    credential: Some(("authorization", "Bearer ")),
    success: |_| Reply::new(200, ""),
    errors_inside: None,
    failure: |_, _| None,
    cells: &[],
};

/// Of a success that breaks off nobody knows what was in it.
const BODY_COUNTS: [(Fault, Class); 2] = [
    (Fault::BodyDrips, Kept("malformed")),
    (Fault::EndlessSuccess, Kept("malformed")),
];

const SERVICES: [Service; 15] = [
    Service {
        name: "axiom",
        options: "token = CREDENTIAL, dataset = \"logs\"",
        target: "POST /v1/ingest/logs",
        success: |request| {
            let count = records_in(&request.body).len();
            let body = json!({ "ingested": count, "failed": 0, "failures": [] });
            Reply::new(200, body.to_string())
        },
        errors_inside: Some(|said| {
            let failed = said.disliked();
            let failures = vec![json!({ "error": said.words }); failed];
            let ingested = said.records().len() - failed;
            let body = json!({ "ingested": ingested, "failed": failed, "failures": failures });
            said.partly(200, &body)
        }),
        failure: |fault, said| {
            // It says in headers of its own when a limit begins anew; the month's quota does in weeks.
            let (header, ms) = match fault {
                Fault::BusyFor => ("x-ratelimit-reset", 90_999),
                Fault::OverQuota => ("x-ingestlimit-reset", 20 * 86_400_000),
                _ => return None,
            };
            let reset = (said.now_ms + ms) / 1_000;
            Some(Reply::new(429, said.words.clone()).with(header, reset.to_string()))
        },
        cells: &[
            BODY_COUNTS[0],
            BODY_COUNTS[1],
            (Fault::ErrorsInside, Partly("failed")),
            (Fault::OverQuota, Kept("429")),
        ],
        ..PLAIN
    },
    Service {
        name: "better_stack",
        options: "token = CREDENTIAL",
        success: |_| Reply::new(202, ""),
        failure: |fault, said| {
            let status = match fault {
                Fault::WrongSecret => 403,
                Fault::Refusal => 406,
                Fault::OverQuota => 402,
                _ => return None,
            };
            Some(Reply::new(status, said.words.clone()))
        },
        cells: &[
            (Fault::WrongSecret, Denied("403")),
            (Fault::Refusal, Rejected("406")),
            (Fault::OverQuota, Denied("402")),
        ],
        ..PLAIN
    },
    Service {
        name: "clickhouse",
        options: "table = \"logs\"",
        more: "headers = { x-clickhouse-key = CREDENTIAL }",
        path: "/",
        target: "POST /?query=INSERT%20INTO",
        credential: Some(("x-clickhouse-key", "")),
        // The exception may come after a status that was sent too early.
        errors_inside: Some(|said| exception(200, 252, &said.words)),
        failure: |fault, said| {
            let (status, code) = match fault {
                Fault::Busy => (500, 202),
                Fault::WrongSecret => (403, 516),
                Fault::NoPermission => (403, 497),
                Fault::NotThere => (404, 60),
                Fault::Refusal => (400, 27),
                _ => return None,
            };
            Some(exception(status, code, &said.words))
        },
        cells: &[
            (Fault::Busy, Kept("code_202")),
            (Fault::WrongSecret, Denied("code_516")),
            (Fault::NoPermission, Denied("code_497")),
            (Fault::NotThere, Denied("code_60")),
            (Fault::Refusal, Rejected("code_27")),
            (Fault::ErrorsInside, Kept("code_252")),
        ],
        ..PLAIN
    },
    Service {
        name: "coralogix",
        options: "api_key = CREDENTIAL, application = \"a\"",
        target: "POST /logs/v1/singles",
        ..PLAIN
    },
    Service {
        name: "datadog",
        options: "api_key = CREDENTIAL",
        target: "POST /api/v2/logs",
        credential: Some(("dd-api-key", "")),
        success: |_| Reply::new(202, "{}"),
        failure: forbidden,
        cells: &[(Fault::WrongSecret, Denied("403"))],
        ..PLAIN
    },
    Service {
        name: "dynatrace",
        options: "token = CREDENTIAL",
        target: "POST /api/v2/logs/ingest",
        credential: Some(("authorization", "Api-Token ")),
        success: |_| Reply::new(204, ""),
        errors_inside: Some(|said| match said.disliked() {
            0 => Reply::new(204, "").storing(said.request, |_| true),
            count => {
                let cause = "timestamp out of correct time range";
                let message = format!("{count} events were not ingested because of {cause}");
                let body = json!({ "details": { "code": 200, "message": message } });
                said.partly(200, &body)
            }
        }),
        cells: &[(Fault::ErrorsInside, Partly("too_old"))],
        ..PLAIN
    },
    Service {
        name: "elasticsearch",
        options: "index = \"logs\", api_key = CREDENTIAL",
        target: "POST /_bulk",
        credential: Some(("authorization", "ApiKey ")),
        success: |_| Reply::new(200, r#"{"errors":false,"items":[]}"#),
        errors_inside: Some(|said| {
            let error = json!({ "type": "document_parsing_exception", "reason": said.words });
            let item = |record: &String| match is_liked(record) {
                true => json!({ "create": { "status": 201 } }),
                false => json!({ "create": { "status": 400, "error": error } }),
            };
            let items: Vec<Value> = said.records().iter().map(item).collect();
            said.partly(
                200,
                &json!({ "errors": said.disliked() > 0, "items": items }),
            )
        }),
        cells: &[
            BODY_COUNTS[0],
            BODY_COUNTS[1],
            (Fault::ErrorsInside, Partly("document_parsing_exception")),
        ],
        ..PLAIN
    },
    Service {
        name: "honeycomb",
        options: "api_key = CREDENTIAL, dataset = \"logs\"",
        target: "POST /1/batch/logs",
        credential: Some(("x-honeycomb-team", "")),
        success: |request| statuses(request, |_| json!({ "status": 202 })),
        errors_inside: Some(|said| {
            let reply = statuses(said.request, |record| match record {
                Some(record) if !is_liked(record) => json!({ "status": 400, "error": said.words }),
                _ => json!({ "status": 202 }),
            });
            reply.storing(said.request, is_liked)
        }),
        cells: &[
            BODY_COUNTS[0],
            BODY_COUNTS[1],
            (Fault::ErrorsInside, Partly("400")),
        ],
        ..PLAIN
    },
    Service {
        name: "logzio",
        options: "token = CREDENTIAL",
        path: "/",
        target: "POST /?token=SECRET&type=lambda",
        credential: None,
        // Lines that it can read are stored, whatever the status says.
        errors_inside: Some(|said| match said.disliked() {
            0 => Reply::new(200, "").storing(said.request, |_| true),
            count => said.partly(400, &lines(count, said.records().len() - count)),
        }),
        failure: |fault, said| {
            let refused = lines(said.records().len(), 0).to_string();
            (fault == Fault::Refusal).then(|| Reply::new(400, refused))
        },
        cells: &[
            (Fault::ErrorsInside, Partly("malformed")),
            (Fault::Refusal, Rejected("malformed")),
        ],
        ..PLAIN
    },
    Service {
        name: "loki",
        options: "labels = { app = \"a\" }",
        more: "headers = { authorization = { env = \"TOKEN\", prefix = \"Bearer \" } }",
        target: "POST /loki/api/v1/push",
        success: |_| Reply::new(204, ""),
        errors_inside: Some(|said| Reply::new(260, said.words.clone())),
        failure: |fault, said| {
            let words = format!("{} has timestamp too old", said.words);
            (fault == Fault::Refusal).then(|| Reply::new(400, words))
        },
        cells: &[
            (Fault::ErrorsInside, Rejected("260")),
            (Fault::Refusal, Rejected("too_old")),
        ],
        ..PLAIN
    },
    Service {
        name: "newrelic",
        options: "license_key = CREDENTIAL",
        target: "POST /log/v1",
        credential: Some(("api-key", "")),
        success: |_| Reply::new(202, r#"{"requestId":"1"}"#),
        failure: forbidden,
        cells: &[(Fault::WrongSecret, Denied("403"))],
        ..PLAIN
    },
    Service {
        name: "openobserve",
        options: "",
        more: "headers = { authorization = { env = \"TOKEN\", prefix = \"Basic \" } }",
        target: "POST /api/default/lambda/_json",
        credential: Some(("authorization", "Basic ")),
        success: |request| {
            let count = records_in(&request.body).len();
            Reply::new(200, streams(count, 0, "").to_string())
        },
        errors_inside: Some(|said| {
            let failed = said.disliked();
            said.partly(
                200,
                &streams(said.records().len() - failed, failed, &said.words),
            )
        }),
        cells: &[
            BODY_COUNTS[0],
            BODY_COUNTS[1],
            (Fault::ErrorsInside, Partly("failed")),
        ],
        ..PLAIN
    },
    Service {
        name: "splunk_hec",
        options: "token = CREDENTIAL",
        target: "POST /services/collector/event",
        credential: Some(("authorization", "Splunk ")),
        success: |_| Reply::new(200, r#"{"text":"Success","code":0}"#),
        // Those in front of the one that is named are kept, those behind it were not read.
        errors_inside: Some(|said| {
            let records = said.records();
            let Some(first) = records.iter().position(|record| !is_liked(record)) else {
                let reply = Reply::new(200, r#"{"text":"Success","code":0}"#);
                return reply.storing(said.request, |_| true);
            };
            let body = json!({ "text": said.words, "code": 6, "invalid-event-number": first });
            let mut reply = Reply::new(400, body.to_string());
            reply.stored = records[..first].to_vec();
            reply
        }),
        failure: |fault, said| {
            let (status, code) = match fault {
                Fault::Busy => (503, 9),
                Fault::WrongSecret => (403, 4),
                Fault::Refusal => (400, 7),
                _ => return None,
            };
            let body = json!({ "text": said.words, "code": code });
            Some(Reply::new(status, body.to_string()))
        },
        cells: &[
            (Fault::WrongSecret, Denied("403")),
            (Fault::Refusal, Rejected("incorrect_index")),
            (Fault::ErrorsInside, Partly("invalid_data")),
        ],
        ..PLAIN
    },
    Service {
        name: "sumo_logic",
        path: "/receiver/v1/http/SECRET",
        target: "POST /receiver/v1/http/SECRET",
        credential: None,
        ..PLAIN
    },
    Service {
        name: "victorialogs",
        more: "headers = { authorization = { env = \"TOKEN\", prefix = \"Bearer \" } }",
        target: "POST /insert/jsonline?_time_field=_time",
        ..PLAIN
    },
];

/// The key is none of theirs: 403, where others say 401.
fn forbidden(fault: Fault, said: &Said) -> Option<Reply> {
    (fault == Fault::WrongSecret).then(|| Reply::new(403, said.words.clone()))
}

/// An error of ClickHouse, in a header as well as in words.
fn exception(status: u16, code: u16, words: &str) -> Reply {
    let text = format!("Code: {code}. DB::Exception: {words}. (WHY)");
    let reply = Reply::new(status, text);
    match status {
        200 => reply,
        _ => reply.with("x-clickhouse-exception-code", code.to_string()),
    }
}

/// A status for each item of the array that was sent, from the record in it, where it is one of the matrix.
fn statuses(request: &Request, status: impl Fn(Option<&String>) -> Value) -> Reply {
    let sent: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
    let of = |item: &Value| status(records_in(item.to_string().as_bytes()).first());
    let body: Vec<Value> = sent.iter().map(of).collect();
    Reply::new(200, Value::from(body).to_string())
}

fn lines(malformed: usize, successful: usize) -> Value {
    json!({
        "malformedLines": malformed,
        "successfulLines": successful,
        "oversizedLines": 0,
        "emptyLogLines": 0,
    })
}

fn streams(successful: usize, failed: usize, words: &str) -> Value {
    let stream =
        json!({ "name": "lambda", "successful": successful, "failed": failed, "error": words });
    json!({ "code": 200, "status": [stream] })
}

/// A text of a row with the credential in its places.
pub(super) fn filled(text: &str) -> String {
    text.replace("CREDENTIAL", "{ env = \"TOKEN\" }")
        .replace("SECRET", &secret("header"))
}
