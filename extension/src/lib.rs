//! Placeholder.

#[cfg(feature = "cli")]
pub mod local;
