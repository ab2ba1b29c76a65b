//! The Logs API `2020-08-15`, superseded by the Telemetry API: same elements, fewer events.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html>, read 2026-11-23.

/// Where to subscribe.
pub const PATH: &str = "/2020-08-15/logs";

/// Schema versions, newest first. Only the newer one tells when the runtime is done.
pub const SCHEMAS: [&str; 2] = ["2021-03-18", SILENT_SCHEMA];

/// The schema without an event at the end of an invocation.
pub const SILENT_SCHEMA: &str = "2020-08-15";
