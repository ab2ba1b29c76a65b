//! Placeholder.

pub mod level;
pub mod suggest;
pub mod units;
