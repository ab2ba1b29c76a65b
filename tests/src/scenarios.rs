//! The list. What each file proves stands at its top.

mod bad_input;
mod command_line;
mod configuration;
mod dead_letters;
mod echoes;
mod four_sinks;
mod freeze;
mod hash_key;
mod healthy;
mod leaks;
mod managed;
mod memory;
mod pages;
mod parsing;
mod platform_faults;
mod platform_text;
mod presets;
mod real_node;
mod real_python;
mod reset;
mod sampling;
mod sink_misbehaves;
mod tail;
mod two_sinks;
