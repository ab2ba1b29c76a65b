//! Placeholder.

pub mod expr;
pub mod level;
pub mod suggest;
pub mod template;
pub mod time;
pub mod units;

pub mod batch;
pub mod body;
pub mod budget;
pub mod invocation;
pub mod json;
pub mod ledger;
pub mod limits;
pub mod platform;
pub mod recognise;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;
pub mod world;
