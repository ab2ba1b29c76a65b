//! Placeholder.

pub mod level;
pub mod units;
