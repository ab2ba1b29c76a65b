//! Placeholder.

pub mod expr;
pub mod level;
pub mod suggest;
pub mod time;
pub mod units;
