//! The Telemetry API `2022-07-01`.
//!
//! Source: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html>, read 2026-11-23.

/// Where to subscribe; the version in the path is not that of the schema.
pub const PATH: &str = "/2022-07-01/telemetry";

/// Schema versions, newest first. Managed Instances accept only the newest; the oldest delivers JSON lines as text.
pub const SCHEMAS: [&str; 3] = ["2025-01-29", "2022-12-13", "2022-07-01"];
