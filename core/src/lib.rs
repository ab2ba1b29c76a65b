//! Placeholder.

pub mod config;
pub mod level;
pub mod units;
