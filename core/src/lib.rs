//! Placeholder.

pub mod expr;
pub mod level;
pub mod suggest;
pub mod template;
pub mod time;
pub mod units;
