//! The list. What each file proves stands at its top.

mod sink_misbehaves;
mod healthy;
