//! The extension: what knows AWS. So far: the decoding of telemetry bodies.

pub mod decode;
