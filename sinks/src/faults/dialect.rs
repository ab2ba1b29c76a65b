//! The protocols of the sinks, as strict servers speak them.

use serde_json::json;
use tapline_core::time::{civil, parse_rfc3339_ms};

use super::server::{Peer, Reply, Request};
use super::services::{self, Said, Service};
use super::table::Fault;
use super::{KEY_ID, is_liked, secret};
use crate::shared::headers::base64;

/// A sink and the protocol of its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    CloudWatch,
    S3,
    Otlp,
    /// OTLP to AWS's own endpoint.
    OtlpSigned,
    Grpc,
    Http,
    Firehose,
    /// Any other preset of `http`, by its name.
    Preset(&'static str),
}

/// Those of the sinks, each as `docs/faults.md` names it.
pub(super) const SINKS: [(Dialect, &str); 6] = [
    (Dialect::CloudWatch, "`cloudwatch`"),
    (Dialect::S3, "`s3`"),
    (Dialect::Otlp, "`otlp`"),
    (Dialect::OtlpSigned, "`otlp` with `sigv4`"),
    (Dialect::Grpc, "`otlp` over gRPC"),
    (Dialect::Http, "`http`"),
];

/// Those of all presets: one that is new has to have a service here.
pub(super) fn presets() -> Vec<(Dialect, String)> {
    let dialect = |name| match name {
        "firehose" => Dialect::Firehose,
        name => Dialect::Preset(name),
    };
    crate::presets()
        .map(|(name, _)| (dialect(name), format!("`{name}`")))
        .collect()
}

/// Most that a clock may differ, in milliseconds: 5 min, S3 takes 15.
const SKEW_MS_MAX: i64 = 300_000;

const ERROR_PAGE: &str = "<?xml version=\"1.0\"?>";

impl Dialect {
    /// The host that it is asked for at.
    pub fn host(self) -> &'static str {
        match self {
            Dialect::OtlpSigned => "logs.eu-west-1.amazonaws.com",
            _ => "out.test",
        }
    }

    /// Kind and keys of the sink.
    pub fn config(self, base: &str) -> (&'static str, String) {
        let token = "headers = { authorization = { env = \"TOKEN\", prefix = \"Bearer \" } }";
        match self {
            Dialect::CloudWatch => (
                "cloudwatch",
                format!("group = \"/g\"\nregion = \"eu-west-1\"\nendpoint = \"{base}\"\n"),
            ),
            Dialect::Otlp => (
                "otlp",
                format!("endpoint = \"{base}\"\ncompression = \"none\"\n{token}\n"),
            ),
            Dialect::OtlpSigned => (
                "otlp",
                format!(
                    "logs_endpoint = \"{base}/v1/logs\"\nauth = \"sigv4\"\ncompression = \"none\"\n\
                     headers = {{ x-aws-log-group = \"/g\", x-aws-log-stream = \"s\" }}\n"
                ),
            ),
            Dialect::Grpc => (
                "otlp",
                format!(
                    "endpoint = \"{base}\"\nprotocol = \"grpc\"\ncompression = \"none\"\n{token}\n"
                ),
            ),
            Dialect::Http => ("http", format!("url = \"{base}/in\"\n{token}\n")),
            Dialect::Firehose => {
                let options = "stream = \"s\", region = \"eu-west-1\"";
                ("http", preset("firehose", base, "/", options))
            }
            Dialect::Preset(name) => {
                let Service {
                    path,
                    options,
                    more,
                    ..
                } = services::find(name);
                let text = preset(name, base, path, options) + more;
                ("http", services::filled(&text))
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
        matches!(
            self,
            Dialect::CloudWatch | Dialect::OtlpSigned | Dialect::Firehose | Dialect::S3
        )
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
            Some(Fault::ErrorsInside) => self.errors_inside(request, now_ms),
            Some(fault) => match self.failure(fault, request, now_ms) {
                Some(reply) => reply.with("date", http_date(now_ms)),
                // Where it breaks off the server sends other bytes than these.
                None => self.success(request),
            },
            None => self.success(request),
        }
    }

    /// The request is one that the destination would understand.
    fn check(self, request: &Request) {
        let target = match self {
            Dialect::CloudWatch | Dialect::Firehose => "POST /",
            Dialect::Otlp | Dialect::OtlpSigned => "POST /v1/logs",
            Dialect::Grpc => "POST /opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Dialect::Http => "POST /in",
            Dialect::Preset(name) => services::find(name).target,
            Dialect::S3 => "PUT /acme-logs/0123456789abcdef0123456789abcdef-",
        };
        let target = services::filled(target);
        assert!(request.target.starts_with(&target), "{}", request.target);
        assert!(!request.body.is_empty());
        let (header, prefix) = match self {
            Dialect::Preset(name) => match services::find(name).credential {
                Some(credential) => credential,
                None => return,
            },
            _ => ("authorization", "Bearer "),
        };
        let value = request.header(header);
        if self.is_aws() {
            let form = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/");
            assert!(value.starts_with(&form), "{value}");
        } else {
            assert_eq!(value, format!("{prefix}{}", secret("header")));
        }
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
    fn failure(self, fault: Fault, request: &Request, now_ms: i64) -> Option<Reply> {
        if let Dialect::Preset(name) = self {
            let said = said(request, now_ms);
            if let Some(reply) = (services::find(name).failure)(fault, &said) {
                return Some(reply);
            }
        }
        let reply = match self {
            Dialect::Grpc => return grpc_failure(fault, request, now_ms),
            Dialect::S3 => {
                let (status, code) = s3_code(fault)?;
                self.error(status, code, request)
            }
            _ if self.is_aws() => {
                let (status, code) = aws_code(fault, request)?;
                self.error(status, code, request)
            }
            _ => self.error(status(fault)?, "", request),
        };
        Some(reply.retry_at(fault, now_ms))
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
            _ if self.is_aws() => {
                let body = json!({ "__type": format!("com.amazonaws#{code}"), "message": words });
                Reply::new(status, body.to_string())
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
        let count = records_in(&request.body).len();
        let reply = match self {
            Dialect::CloudWatch => Reply::new(200, "{}"),
            Dialect::Otlp | Dialect::OtlpSigned | Dialect::S3 | Dialect::Http => {
                Reply::new(200, "")
            }
            Dialect::Grpc => Reply::new(200, [0; 5]).with("grpc-status", "0"),
            Dialect::Preset(name) => (services::find(name).success)(request),
            Dialect::Firehose => {
                let body = json!({ "FailedPutCount": 0, "RequestResponses": vec![json!({ "RecordId": "1" }); count] });
                Reply::new(200, body.to_string())
            }
        };
        self.framed(reply).storing(request, |_| true)
    }

    /// Success, though not for what [`is_liked`] does not like.
    fn errors_inside(self, request: &Request, now_ms: i64) -> Reply {
        let records = records_in(&request.body);
        let disliked = records.iter().filter(|record| !is_liked(record)).count();
        let words = words(request);
        let reply = match self {
            // The oldest are in front.
            Dialect::CloudWatch => {
                let body =
                    json!({ "rejectedLogEventsInfo": { "tooOldLogEventEndIndex": disliked } });
                Reply::new(200, body.to_string())
            }
            Dialect::Otlp | Dialect::OtlpSigned => {
                let words = if disliked > 0 { words } else { String::new() };
                let body = json!({ "partialSuccess": { "rejectedLogRecords": disliked.to_string(), "errorMessage": words } });
                Reply::new(200, body.to_string()).with("content-type", "application/json")
            }
            Dialect::Grpc => {
                let partial = [0, 0, 0, 0, 4, 0x0a, 2, 0x08, disliked as u8];
                let reply = Reply::new(200, partial).with("grpc-status", "0");
                self.framed(reply)
            }
            Dialect::Preset(name) => {
                let errors_inside = services::find(name).errors_inside.unwrap();
                return errors_inside(&said(request, now_ms));
            }
            Dialect::Firehose => {
                let failed =
                    json!({ "ErrorCode": "ServiceUnavailableException", "ErrorMessage": words });
                let body = json!({ "FailedPutCount": 1, "RequestResponses": [failed] });
                return Reply::new(200, body.to_string());
            }
            Dialect::S3 => {
                let body = format!("{ERROR_PAGE}<Error><Code>InternalError</Code></Error>");
                return Reply::new(200, body);
            }
            Dialect::Http => {
                let reply = Reply::new(200, json!({ "errors": true, "why": words }).to_string());
                return reply.storing(request, |_| true);
            }
        };
        reply.storing(request, is_liked)
    }

    /// With the headers that every answer of the protocol has.
    fn framed(self, reply: Reply) -> Reply {
        match self {
            Dialect::Grpc => reply.with("content-type", "application/grpc"),
            Dialect::Otlp | Dialect::OtlpSigned => {
                reply.with("content-type", "application/x-protobuf")
            }
            Dialect::CloudWatch => reply.with("x-amzn-requestid", "1"),
            _ => reply,
        }
    }
}

impl Reply {
    /// With what the server asks to wait.
    fn retry_at(self, fault: Fault, now_ms: i64) -> Reply {
        match fault {
            Fault::BusyFor => self.with("retry-after", "90"),
            Fault::BusyUntil => self.with("retry-after", http_date(now_ms + 90_000)),
            _ => self,
        }
    }
}

/// The table of a preset, without what stands beside its options.
fn preset(name: &str, base: &str, path: &str, options: &str) -> String {
    format!("preset = \"{name}\"\nurl = \"{base}{path}\"\noptions = {{ {options} }}\n")
}

fn said(request: &Request, now_ms: i64) -> Said<'_> {
    Said {
        request,
        words: words(request),
        now_ms,
    }
}

/// The status of any server of HTTP.
fn status(fault: Fault) -> Option<u16> {
    Some(match fault {
        Fault::Busy => 503,
        Fault::BusyFor | Fault::BusyUntil => 429,
        Fault::Broken => 500,
        Fault::WrongSecret => 401,
        Fault::NoPermission => 403,
        Fault::NotThere => 404,
        Fault::Refusal => 400,
        _ => return None,
    })
}

fn s3_code(fault: Fault) -> Option<(u16, &'static str)> {
    Some(match fault {
        Fault::Busy | Fault::BusyFor | Fault::BusyUntil => (503, "SlowDown"),
        Fault::Broken => (500, "InternalError"),
        Fault::WrongSecret => (403, "SignatureDoesNotMatch"),
        Fault::NoPermission => (403, "AccessDenied"),
        Fault::NotThere => (404, "NoSuchBucket"),
        Fault::Refusal => (400, "InvalidRequest"),
        _ => return None,
    })
}

fn aws_code(fault: Fault, request: &Request) -> Option<(u16, &'static str)> {
    Some(match fault {
        Fault::Busy => (503, "ServiceUnavailableException"),
        // Throttling of AWS comes with 400.
        Fault::BusyFor | Fault::BusyUntil => (400, "ThrottlingException"),
        Fault::Broken => (500, "InternalFailure"),
        Fault::WrongSecret => (400, "InvalidSignatureException"),
        Fault::NoPermission => (400, "AccessDeniedException"),
        Fault::NotThere if is_action(request, "CreateLogGroup") => (400, "AccessDeniedException"),
        Fault::NotThere => (400, "ResourceNotFoundException"),
        Fault::Refusal => (400, "InvalidParameterException"),
        _ => return None,
    })
}

fn grpc_failure(fault: Fault, request: &Request, now_ms: i64) -> Option<Reply> {
    let code = match fault {
        Fault::Busy => "14",
        Fault::BusyFor => "8",
        // What stands before a server of gRPC answers in plain HTTP.
        Fault::BusyUntil => return Some(Reply::new(429, "too many").retry_at(fault, now_ms)),
        Fault::Broken => "13",
        Fault::WrongSecret => "16",
        Fault::NoPermission => "7",
        Fault::NotThere => "12",
        Fault::Refusal => "3",
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

/// What careless services quote: the credentials, the URL and a record.
fn words(request: &Request) -> String {
    let records = records_in(&request.body);
    let record = records.first().map_or("", String::as_str);
    let said = [
        request.header("authorization"),
        request.header("x-amz-security-token"),
        request.target.as_str(),
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

/// The records in a body, in their order; those of Firehose lie in base64, and ClickHouse gets each of them twice.
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
    let mut found: Vec<String> = found.map(str::to_owned).collect();
    found.dedup();
    found
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
