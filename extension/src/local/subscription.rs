//! Subscriptions to the Telemetry API and the Logs API: what is accepted, and what is said otherwise.

use serde_json::{Map, Value};

use super::settings::{Apis, Schema};
use super::state::Refusal;

/// Port that the platform keeps for itself.
const PORT_RESERVED: u64 = 9001;

/// A subscription that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its schema version, and by it the API.
    pub schema: Schema,
    /// `platform`, `function`, `extension`, as asked for.
    pub types: Vec<String>,
    /// Elements that a POST holds at most; 1000 to 10000.
    pub items_max: usize,
    /// Bytes of elements after which a POST leaves; 262144 to 1048576.
    pub bytes_max: usize,
    /// Milliseconds that an element waits at most; 25 to 30000.
    pub timeout_ms: u64,
    /// Where to.
    pub destination: Destination,
}

/// Where telemetry is delivered. The host is always the sandbox, that is 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// One request a batch.
    Http {
        /// Port on 127.0.0.1.
        port: u16,
        /// Path with query; `/` on Managed Instances.
        path: String,
        /// Value of the `host` header.
        host: String,
        /// `POST`, or `PUT` in the Logs API.
        method: &'static str,
    },
    /// One line an element.
    Tcp {
        /// Port on 127.0.0.1.
        port: u16,
    },
}

/// Which of the two APIs was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Telemetry,
    Logs,
}

impl Api {
    fn invalid(self) -> &'static str {
        match self {
            Api::Telemetry => "ValidationError",
            Api::Logs => "Logs.ValidationError",
        }
    }
}

/// Reads the body of a subscription.
pub(crate) fn parse(
    api: Api,
    body: &[u8],
    apis: Apis,
    managed: bool,
) -> Result<Subscription, Refusal> {
    let refuse = |message: String| Refusal::new(400, api.invalid(), message);
    let value: Value =
        serde_json::from_slice(body).map_err(|e| refuse(format!("failed to parse JSON: {e}")))?;
    let Value::Object(fields) = value else {
        return Err(refuse("failed to parse JSON: no object".into()));
    };
    let mut faults = Vec::new();
    let schema = schema(api, &fields, apis, managed, &mut faults);
    let destination = destination(api, &fields, managed, &mut faults);
    let types = types(&fields, &mut faults);
    let empty = Map::new();
    let buffering = match fields.get("buffering") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(buffering)) => buffering,
        Some(_) => {
            faults.push("buffering must be an object".into());
            &empty
        }
    };
    let items_max = number(buffering, "maxItems", (1000, 10_000), 10_000, &mut faults);
    let bytes_max = number(
        buffering,
        "maxBytes",
        (262_144, 1_048_576),
        262_144,
        &mut faults,
    );
    let timeout_ms = number(buffering, "timeoutMs", (25, 30_000), 1000, &mut faults);
    match (schema, destination) {
        (Some(schema), Some(destination)) if faults.is_empty() => Ok(Subscription {
            schema,
            types,
            items_max: usize::try_from(items_max).unwrap_or(usize::MAX),
            bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX),
            timeout_ms,
            destination,
        }),
        _ => Err(refuse(faults.join("; "))),
    }
}

fn schema(
    api: Api,
    fields: &Map<String, Value>,
    apis: Apis,
    managed: bool,
    faults: &mut Vec<String>,
) -> Option<Schema> {
    let known: &[Schema] = match api {
        Api::Telemetry if managed => &[Schema::V2025_01_29],
        Api::Telemetry => &[
            Schema::V2022_07_01,
            Schema::V2022_12_13,
            Schema::V2025_01_29,
        ],
        Api::Logs => &[Schema::Logs2020, Schema::Logs2021],
    };
    let asked = match (fields.get("schemaVersion"), api) {
        (Some(Value::String(asked)), _) => asked.as_str(),
        (None, Api::Logs) => Schema::Logs2020.word(),
        _ => {
            faults.push("schemaVersion is not provided".into());
            return None;
        }
    };
    let found = known
        .iter()
        .find(|schema| schema.word() == asked)
        .filter(|schema| schema.of_logs_api() || **schema <= apis.newest_schema);
    if found.is_none() {
        faults.push(format!("schemaVersion {asked} is not supported"));
    }
    found.copied()
}

fn types(fields: &Map<String, Value>, faults: &mut Vec<String>) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    let listed = match fields.get("types") {
        Some(Value::Array(listed)) => listed.as_slice(),
        _ => &[],
    };
    if listed.is_empty() {
        faults.push("types should not be empty".into());
    }
    for entry in listed {
        match entry.as_str() {
            Some(word @ ("platform" | "function" | "extension")) => {
                if types.iter().any(|seen| seen == word) {
                    faults.push(format!("types lists {word} twice"));
                } else {
                    types.push(word.to_owned());
                }
            }
            _ => faults.push(format!("type {entry} is not supported")),
        }
    }
    types
}

fn number(
    buffering: &Map<String, Value>,
    key: &str,
    (least, most): (u64, u64),
    default: u64,
    faults: &mut Vec<String>,
) -> u64 {
    match buffering.get(key) {
        None | Some(Value::Null) => default,
        Some(value) => match value.as_u64().filter(|n| (least..=most).contains(n)) {
            Some(n) => n,
            None => {
                faults.push(format!(
                    "buffering.{key} must be between {least} and {most}"
                ));
                default
            }
        },
    }
}

fn destination(
    api: Api,
    fields: &Map<String, Value>,
    managed: bool,
    faults: &mut Vec<String>,
) -> Option<Destination> {
    let Some(Value::Object(to)) = fields.get("destination") else {
        faults.push("destination is not provided".into());
        return None;
    };
    let text = |key: &str| to.get(key).and_then(Value::as_str);
    match text("protocol") {
        Some("HTTP") => {}
        Some("TCP") => {
            let least = if api == Api::Logs { 1025 } else { 1 };
            let port = to.get("port").and_then(Value::as_u64).unwrap_or(0);
            return port_checked(port, least, faults).map(|port| Destination::Tcp { port });
        }
        _ => {
            faults.push("destination.protocol must be HTTP or TCP".into());
            return None;
        }
    }
    let method = match (api, text("method")) {
        (_, None | Some("POST")) => "POST",
        (Api::Logs, Some("PUT")) => "PUT",
        (_, Some(other)) => {
            faults.push(format!("destination.method {other} is not supported"));
            return None;
        }
    };
    if text("encoding").is_some_and(|encoding| encoding != "JSON") {
        faults.push("destination.encoding must be JSON".into());
    }
    let (host, port, path) = uri(text("URI").unwrap_or_default(), faults)?;
    let path = if managed { "/".to_owned() } else { path };
    Some(Destination::Http {
        port,
        path,
        host,
        method,
    })
}

/// Host with port, port and path of `http://sandbox.localdomain:8080/path`.
fn uri(text: &str, faults: &mut Vec<String>) -> Option<(String, u16, String)> {
    let Some(rest) = text.strip_prefix("http://") else {
        faults.push("URI must begin with http://".into());
        return None;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let Some((host, port)) = authority.split_once(':') else {
        faults.push("URI port is not provided".into());
        return None;
    };
    if !matches!(host, "sandbox.localdomain" | "sandbox") {
        faults.push(format!("URI host {host} is not supported"));
        return None;
    }
    let port = port_checked(port.parse().unwrap_or(0), 1, faults)?;
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Some((authority.to_owned(), port, path))
}

fn port_checked(port: u64, least: u64, faults: &mut Vec<String>) -> Option<u16> {
    let whole = u16::try_from(port).ok().filter(|_| port >= least);
    match whole {
        Some(_) if port == PORT_RESERVED => faults.push(format!("port {port} is reserved")),
        Some(port) => return Some(port),
        None => faults.push(format!("port must be between {least} and 65535")),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telemetry(change: &str, with: &str) -> Result<Subscription, Refusal> {
        let body = r#"{"schemaVersion":"2022-12-13","types":["platform","function"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:4243/a/b"}}"#;
        assert!(body.contains(change), "{change}");
        parse(
            Api::Telemetry,
            body.replacen(change, with, 1).as_bytes(),
            Apis::default(),
            false,
        )
    }

    #[test]
    fn accepts_what_the_tables_allow() {
        let accepted = telemetry("4243/a/b", "4243").expect("valid");
        let Destination::Http {
            port,
            path,
            host,
            method,
        } = accepted.destination
        else {
            panic!("http was asked for");
        };
        assert_eq!((port, path.as_str(), method), (4243, "/", "POST"));
        assert_eq!(host, "sandbox.localdomain:4243");
        for (change, with) in [
            ("\"maxItems\":1000", "\"maxItems\":10000"),
            ("262144", "1048576"),
            ("\"timeoutMs\":25", "\"timeoutMs\":30000"),
            ("sandbox.localdomain", "sandbox"),
            ("2022-12-13", "2022-07-01"),
            (
                "\"protocol\":\"HTTP\"",
                "\"protocol\":\"TCP\",\"port\":4444",
            ),
        ] {
            telemetry(change, with).unwrap_or_else(|e| panic!("{with}: {e:?}"));
        }
    }

    #[test]
    fn refuses_what_the_tables_forbid() {
        for (change, with, said) in [
            (
                "\"maxItems\":1000",
                "\"maxItems\":999",
                "buffering.maxItems",
            ),
            (
                "\"maxItems\":1000",
                "\"maxItems\":10001",
                "buffering.maxItems",
            ),
            ("262144", "262143", "buffering.maxBytes"),
            ("262144", "1048577", "buffering.maxBytes"),
            (
                "\"timeoutMs\":25",
                "\"timeoutMs\":24",
                "buffering.timeoutMs",
            ),
            (
                "\"timeoutMs\":25",
                "\"timeoutMs\":30001",
                "buffering.timeoutMs",
            ),
            ("sandbox.localdomain", "127.0.0.1", "URI host"),
            ("sandbox.localdomain", "localhost", "URI host"),
            (":4243", ":9001", "port 9001 is reserved"),
            (":4243", "", "URI port is not provided"),
            ("http:", "https:", "URI must begin"),
            ("\"platform\",\"function\"", "", "types should not be empty"),
            ("\"function\"", "\"audit\"", "not supported"),
            ("2022-12-13", "2031-01-01", "schemaVersion 2031-01-01"),
            ("\"HTTP\"", "\"http\"", "destination.protocol"),
        ] {
            let refusal = telemetry(change, with).expect_err(with);
            assert_eq!((refusal.status, refusal.kind), (400, "ValidationError"));
            assert!(
                refusal.message.contains(said),
                "{with}: {}",
                refusal.message
            );
        }
    }

    #[test]
    fn managed_instances_take_the_newest_schema_and_drop_the_path() {
        let body = |schema: &str| {
            format!(
                r#"{{"schemaVersion":"{schema}","types":["platform"],"destination":{{"protocol":"HTTP","URI":"http://sandbox:4243/a"}}}}"#
            )
        };
        let ask = |schema| {
            parse(
                Api::Telemetry,
                body(schema).as_bytes(),
                Apis::default(),
                true,
            )
        };
        assert!(ask("2022-12-13").is_err());
        let accepted = ask("2025-01-29").expect("valid");
        assert!(matches!(accepted.destination, Destination::Http { path, .. } if path == "/"));
    }
}
