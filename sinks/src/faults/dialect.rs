//! The protocols of the sinks, as strict servers speak them.

use serde_json::{Value, json};
use tapline_core::time::{civil, parse_rfc3339_ms};

use super::server::{Peer, Reply, Request};
use super::table::Fault;
use super::{KEY_ID, is_liked, secret};
use crate::shared::headers::base64;

/// A sink and the protocol of its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    CloudWatch,
    Otlp,
    Grpc,
    Http,
    Loki,
    Elasticsearch,
    SplunkHec,
    Firehose,
    S3,
}

/// Most that a clock may differ, in milliseconds: 5 min, S3 takes 15.
const SKEW_MS_MAX: i64 = 300_000;

const ERROR_PAGE: &str = "<?xml version=\"1.0\"?>";

impl Dialect {
    /// Kind and keys of the sink.
    pub fn config(self, base: &str) -> (&'static str, String) {
        let token = "headers = { authorization = { env = \"TOKEN\", prefix = \"Bearer \" } }";
        let preset = |name: &str, path: &str, options: &str| {
            format!("preset = \"{name}\"\nurl = \"{base}{path}\"\noptions = {{ {options} }}\n")
        };
        match self {
            Dialect::CloudWatch => (
                "cloudwatch",
                format!("group = \"/g\"\nregion = \"eu-west-1\"\nendpoint = \"{base}\"\n"),
            ),
            Dialect::Otlp => (
                "otlp",
                format!("endpoint = \"{base}\"\ncompression = \"none\"\n{token}\n"),
            ),
            Dialect::Grpc => (
                "otlp",
                format!(
                    "endpoint = \"{base}\"\nprotocol = \"grpc\"\ncompression = \"none\"\n{token}\n"
                ),
            ),
            Dialect::Http => ("http", format!("url = \"{base}/in\"\n{token}\n")),
            Dialect::Loki => {
                let options = "labels = { app = \"a\" }";
                ("http", preset("loki", "/loki/api/v1/push", options) + token)
            }
            Dialect::Elasticsearch => {
                let options = "index = \"logs\", api_key = { env = \"TOKEN\" }";
                ("http", preset("elasticsearch", "", options))
            }
            Dialect::SplunkHec => {
                let options = "token = { env = \"TOKEN\" }";
                ("http", preset("splunk_hec", "", options))
            }
            Dialect::Firehose => {
                let options = "stream = \"s\", region = \"eu-west-1\"";
                ("http", preset("firehose", "/", options))
            }
            Dialect::S3 => (
                "s3",
                format!(
                    "bucket = \"acme-logs\"\nregion = \"eu-west-1\"\nendpoint = \"{base}\"\n\
                     key = \"{{instance}}-{{seq}}.ndjson\"\n"
                ),
            ),
        }
    }

    /// Whether requests are signed.
    pub fn is_aws(self) -> bool {
        matches!(self, Dialect::CloudWatch | Dialect::Firehose | Dialect::S3)
    }

    /// Whether the keys of `tls` are there.
    pub fn takes_a_ca(self) -> bool {
        !matches!(self, Dialect::CloudWatch | Dialect::S3)
    }

    /// What the destination says to a request.
    pub fn reply(self, peer: &Peer, request: &Request, now_ms: i64) -> Reply {
        self.check(request);
        let fault = peer.fault.get();
        if let Some(refused) = self.refusal(peer, request, now_ms) {
            return refused.with("date", http_date(now_ms));
        }
        match fault {
            Some(Fault::EndlessFailure) => self.framed(Reply::new(503, "")),
            Some(Fault::EndlessSuccess | Fault::BodyDrips) => {
                // Where the status says all, it has taken them.
                self.framed(Reply::new(200, "")).storing(request, |_| true)
            }
            Some(Fault::ErrorsInside) => self.errors_inside(request),
            Some(fault) => match self.failure(fault, request) {
                Some(reply) => reply.with("date", http_date(now_ms)),
                None => self.success(request),
            }
            .retry_at(self, fault, now_ms),
            None => self.success(request),
        }
    }

    /// The request is one that the destination would understand.
    fn check(self, request: &Request) {
        let target = match self {
            Dialect::CloudWatch | Dialect::Firehose => "POST /",
            Dialect::Otlp => "POST /v1/logs",
            Dialect::Grpc => "POST /opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Dialect::Http => "POST /in",
            Dialect::Loki => "POST /loki/api/v1/push",
            Dialect::Elasticsearch => "POST /_bulk",
            Dialect::SplunkHec => "POST /services/collector",
            Dialect::S3 => "PUT /acme-logs/0123456789abcdef0123456789abcdef-",
        };
        assert!(request.target.starts_with(target), "{}", request.target);
        assert!(!request.body.is_empty());
        let authorization = request.header("authorization");
        let form = match self {
            Dialect::CloudWatch | Dialect::Firehose | Dialect::S3 => {
                format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/")
            }
            Dialect::Elasticsearch => format!("ApiKey {}", secret("header")),
            Dialect::SplunkHec => format!("Splunk {}", secret("header")),
            _ => format!("Bearer {}", secret("header")),
        };
        assert!(authorization.starts_with(&form), "{authorization}");
    }

    /// What AWS says before it looks at the request itself: to an old token, a clock that is off, another region.
    fn refusal(self, peer: &Peer, request: &Request, now_ms: i64) -> Option<Reply> {
        if !self.is_aws() {
            return None;
        }
        let region = match peer.fault.get() {
            Some(Fault::WrongRegion) => "eu-north-1",
            _ => "eu-west-1",
        };
        let skewed = (signed_ms(request) - now_ms).abs() > SKEW_MS_MAX;
        let elsewhere = !request
            .header("authorization")
            .contains(&format!("/{region}/"));
        let is_s3 = self == Dialect::S3;
        if request.header("x-amz-security-token") != *peer.token.borrow() {
            let code = if is_s3 {
                "ExpiredToken"
            } else {
                "ExpiredTokenException"
            };
            return Some(self.error(400, code, request));
        }
        if skewed {
            return Some(match is_s3 {
                true => self.error(403, "RequestTimeTooSkewed", request),
                false => self.error(400, "InvalidSignatureException", request),
            });
        }
        if !elsewhere {
            return None;
        }
        Some(match is_s3 {
            true => {
                let inside = format!("<Region>{region}</Region>");
                self.error_with(400, "AuthorizationHeaderMalformed", &inside, request)
            }
            false => self.error(400, "InvalidSignatureException", request),
        })
    }

    /// What it says while a fault lasts that is one of its answers.
    fn failure(self, fault: Fault, request: &Request) -> Option<Reply> {
        if self == Dialect::Grpc {
            return grpc_failure(fault, request);
        }
        let is_s3 = self == Dialect::S3;
        let (status, code) = match (fault, self.is_aws()) {
            (Fault::Busy, true) if is_s3 => (503, "SlowDown"),
            (Fault::Busy, true) => (503, "ServiceUnavailableException"),
            (Fault::Busy, false) => (503, ""),
            (Fault::BusyFor | Fault::BusyUntil, true) if is_s3 => (503, "SlowDown"),
            // Throttling of AWS comes with 400.
            (Fault::BusyFor | Fault::BusyUntil, true) => (400, "ThrottlingException"),
            (Fault::BusyFor | Fault::BusyUntil, false) => (429, ""),
            (Fault::Broken, true) if is_s3 => (500, "InternalError"),
            (Fault::Broken, true) => (500, "InternalFailure"),
            (Fault::Broken, false) => (500, ""),
            (Fault::WrongSecret, true) if is_s3 => (403, "SignatureDoesNotMatch"),
            (Fault::WrongSecret, true) => (400, "InvalidSignatureException"),
            (Fault::WrongSecret, false) if self == Dialect::SplunkHec => (403, ""),
            (Fault::WrongSecret, false) => (401, ""),
            (Fault::NoPermission, true) if is_s3 => (403, "AccessDenied"),
            (Fault::NoPermission, true) => (400, "AccessDeniedException"),
            (Fault::NoPermission, false) => (403, ""),
            (Fault::NotThere, true) if is_s3 => (404, "NoSuchBucket"),
            (Fault::NotThere, true) if is_action(request, "CreateLogGroup") => {
                (400, "AccessDeniedException")
            }
            (Fault::NotThere, true) => (400, "ResourceNotFoundException"),
            (Fault::NotThere, false) => (404, ""),
            _ => return None,
        };
        Some(self.error(status, code, request))
    }

    fn error(self, status: u16, code: &str, request: &Request) -> Reply {
        self.error_with(status, code, "", request)
    }

    /// An error as the service words it. The words quote the request, secrets too: services do that.
    fn error_with(self, status: u16, code: &str, inside: &str, request: &Request) -> Reply {
        let words = words(request);
        match self {
            Dialect::S3 => {
                let body = format!(
                    "{ERROR_PAGE}<Error><Code>{code}</Code><Message>{words}</Message>{inside}</Error>"
                );
                Reply::new(status, body)
            }
            Dialect::CloudWatch | Dialect::Firehose => {
                let body = json!({ "__type": format!("com.amazonaws#{code}"), "message": words });
                Reply::new(status, body.to_string())
            }
            Dialect::SplunkHec if status == 403 => {
                Reply::new(status, json!({ "text": words, "code": 4 }).to_string())
            }
            Dialect::Otlp => Reply::new(status, json!({ "code": 3, "message": words }).to_string())
                .with("content-type", "application/json"),
            _ => Reply::new(
                status,
                json!({ "error": words, "message": words }).to_string(),
            ),
        }
    }

    fn success(self, request: &Request) -> Reply {
        let count = super::dialect::records_in(&request.body).len();
        let reply = match self {
            Dialect::CloudWatch => Reply::new(200, "{}"),
            Dialect::Otlp | Dialect::S3 | Dialect::Http => Reply::new(200, ""),
            Dialect::Grpc => Reply::new(200, [0; 5]).with("grpc-status", "0"),
            Dialect::Loki => Reply::new(204, ""),
            Dialect::Elasticsearch => Reply::new(200, r#"{"errors":false,"items":[]}"#),
            Dialect::SplunkHec => Reply::new(200, r#"{"text":"Success","code":0}"#),
            Dialect::Firehose => {
                let body = json!({ "FailedPutCount": 0, "RequestResponses": vec![json!({ "RecordId": "1" }); count] });
                Reply::new(200, body.to_string())
            }
        };
        self.framed(reply).storing(request, |_| true)
    }

    /// Success, though not for what [`is_liked`] does not like.
    fn errors_inside(self, request: &Request) -> Reply {
        let records = records_in(&request.body);
        let liked = |record: &str| is_liked(record);
        let disliked = records.iter().filter(|record| !is_liked(record)).count();
        let first = records.iter().position(|record| !is_liked(record));
        let words = words(request);
        let body = match self {
            // The oldest are in front.
            Dialect::CloudWatch => {
                json!({ "rejectedLogEventsInfo": { "tooOldLogEventEndIndex": disliked } })
            }
            Dialect::Otlp => {
                json!({ "partialSuccess": { "rejectedLogRecords": disliked.to_string(), "errorMessage": if disliked > 0 { words } else { String::new() } } })
            }
            Dialect::Grpc => {
                let partial = [0, 0, 0, 0, 4, 0x0a, 2, 0x08, disliked as u8];
                let reply = Reply::new(200, partial).with("grpc-status", "0");
                return self.framed(reply).storing(request, liked);
            }
            Dialect::Elasticsearch => {
                json!({ "errors": disliked > 0, "items": items(&records, &words) })
            }
            Dialect::SplunkHec => match first {
                // Those in front of it are kept, those behind it were not read.
                Some(first) => {
                    let body = json!({ "text": words, "code": 6, "invalid-event-number": first });
                    let mut reply = Reply::new(400, body.to_string());
                    reply.stored = records[..first].to_vec();
                    return reply;
                }
                None => json!({ "text": "Success", "code": 0 }),
            },
            Dialect::Firehose => {
                let failed =
                    json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": words });
                let body = json!({ "FailedPutCount": 1, "RequestResponses": [failed] });
                return Reply::new(200, body.to_string());
            }
            Dialect::Loki => return Reply::new(260, words),
            Dialect::S3 => {
                let body = format!("{ERROR_PAGE}<Error><Code>InternalError</Code></Error>");
                return Reply::new(200, body);
            }
            Dialect::Http => {
                let reply = Reply::new(200, json!({ "errors": true, "why": words }).to_string());
                return reply.storing(request, |_| true);
            }
        };
        let reply = Reply::new(200, body.to_string());
        let reply = match self {
            Dialect::Otlp => reply.with("content-type", "application/json"),
            _ => reply,
        };
        reply.storing(request, liked)
    }

    /// With the headers that every answer of the protocol has.
    fn framed(self, reply: Reply) -> Reply {
        match self {
            Dialect::Grpc => reply.with("content-type", "application/grpc"),
            Dialect::Otlp => reply.with("content-type", "application/x-protobuf"),
            Dialect::CloudWatch => reply.with("x-amzn-requestid", "1"),
            _ => reply,
        }
    }
}

impl Reply {
    /// With what the server asks to wait.
    fn retry_at(self, dialect: Dialect, fault: Fault, now_ms: i64) -> Reply {
        match fault {
            Fault::BusyFor if dialect != Dialect::Grpc => self.with("retry-after", "90"),
            Fault::BusyUntil => self.with("retry-after", http_date(now_ms + 90_000)),
            _ => self,
        }
    }
}

fn grpc_failure(fault: Fault, request: &Request) -> Option<Reply> {
    let code = match fault {
        Fault::Busy => "14",
        Fault::BusyFor => "8",
        // What stands before a server of gRPC answers in plain HTTP.
        Fault::BusyUntil => return Some(Reply::new(429, "too many")),
        Fault::Broken => "13",
        Fault::WrongSecret => "16",
        Fault::NoPermission => "7",
        Fault::NotThere => "12",
        _ => return None,
    };
    let reply = Reply::new(200, "")
        .with("content-type", "application/grpc")
        .with("grpc-status", code)
        .with("grpc-message", words(request).replace(' ', "%20"));
    Some(match fault {
        Fault::BusyFor => reply.with("grpc-status-details-bin", retry_info()),
        _ => reply,
    })
}

/// A `google.rpc.Status` with a `RetryInfo` of 90 s.
fn retry_info() -> String {
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    let mut detail = vec![0x0a, kind.len() as u8];
    detail.extend_from_slice(kind);
    detail.extend_from_slice(&[0x12, 4, 0x0a, 2, 0x08, 90]);
    let mut status = vec![0x1a, detail.len() as u8];
    status.extend_from_slice(&detail);
    base64(&status)
}

/// An answer to each of the documents.
fn items(records: &[String], words: &str) -> Vec<Value> {
    let item = |record: &String| match is_liked(record) {
        true => json!({ "create": { "status": 201 } }),
        false => {
            let error = json!({ "type": "document_parsing_exception", "reason": words });
            json!({ "create": { "status": 400, "error": error } })
        }
    };
    records.iter().map(item).collect()
}

/// What careless services quote: the credentials and a record.
fn words(request: &Request) -> String {
    let records = records_in(&request.body);
    let record = records.first().map_or("", String::as_str);
    let said = [
        request.header("authorization"),
        request.header("x-amz-security-token"),
    ];
    format!("refused {record} of {}", said.join(" "))
}

fn is_action(request: &Request, action: &str) -> bool {
    request.header("x-amz-target").ends_with(action)
}

/// `20260314T092653Z` of a signature.
fn signed_ms(request: &Request) -> i64 {
    let date = request.header("x-amz-date");
    let at = |from: usize, to: usize| &date[from..to];
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        at(0, 4),
        at(4, 6),
        at(6, 8),
        at(9, 11),
        at(11, 13),
        at(13, 15)
    );
    parse_rfc3339_ms(text.as_bytes()).unwrap()
}

/// RFC 9110 §5.6.7.
fn http_date(ms: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let date = civil(ms);
    let weekday = DAYS[ms.div_euclid(86_400_000).rem_euclid(7) as usize];
    let month = MONTHS[date.month as usize - 1];
    format!(
        "{weekday}, {:02} {month} {:04} {:02}:{:02}:{:02} GMT",
        date.day, date.year, date.hour, date.minute, date.second
    )
}

/// The records in a body, in their order; those of Firehose lie in base64.
pub(super) fn records_in(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let packed = text.split("\"Data\":\"").skip(1);
    let packed = packed.map(|rest| unbase64(rest.split('"').next().unwrap_or_default()));
    let texts: Vec<String> = std::iter::once(text.clone().into_owned())
        .chain(packed)
        .collect();
    let found = texts.iter().flat_map(|text| {
        text.match_indices("rec-")
            .map(move |(at, _)| &text[at..at + 10])
    });
    found.map(str::to_owned).collect()
}

fn unbase64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for byte in text.bytes().filter(|byte| *byte != b'=') {
        let digit = DIGITS.iter().position(|digit| *digit == byte).unwrap();
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    String::from_utf8(bytes).unwrap()
}
