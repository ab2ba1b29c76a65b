//! The list. What each file proves stands at its top.

mod healthy;
mod sink_misbehaves;
