//! The configuration as a user meets it: what is said about wrong files, the examples, and the reference.
//!
//! Needs every kind: a build with fewer features says other things.
#![cfg(all(
    feature = "cli",
    feature = "http",
    feature = "otlp",
    feature = "filter",
    feature = "redact",
    feature = "sample",
    feature = "enrich"
))]

#[path = "config/examples.rs"]
mod examples;
#[path = "config/golden.rs"]
mod golden;
#[path = "config/reference.rs"]
mod reference;

use std::path::PathBuf;

use tapline::settings::{self, Kinds, Load, Place};
use tapline_core::facts::Facts;

fn kinds() -> Kinds {
    Kinds {
        sinks: tapline_sinks::kinds().to_vec(),
        transforms: tapline_transforms::kinds().to_vec(),
    }
}

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "STAGE" => "prod",
        "COLLECTOR_TOKEN" | "GRAFANA_TOKEN" | "ELASTIC_API_KEY" => "hunter2",
        "SHORT_KEY" => "too-short",
        "OTEL_RESOURCE_ATTRIBUTES" => "team=payments,tier",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load(name: &str, text: &str, place: Place) -> Load {
    let mut facts = Facts {
        function_memory: Some(128 << 20),
        ..Facts::default()
    };
    settings::load(
        name,
        text.as_bytes(),
        &kinds(),
        &mut facts,
        &environment,
        place,
    )
}

fn example(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config-examples")).join(name)
}
