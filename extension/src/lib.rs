//! Tapline: a telemetry pipeline that runs inside AWS Lambda as an external extension.

#[cfg(feature = "cli")]
pub mod cli;
pub mod settings;
